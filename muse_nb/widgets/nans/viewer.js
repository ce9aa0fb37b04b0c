// The NaN viewer: planes come from the kernel one by one; causes are marks over them.
import { Traits, as, button, bytes, chooser, choice, complaints, group, h, keyboard, later, number } from "../shared/ui.js";
import { LIMITS, STRETCHES } from "../shared/constants.js";
import { Frame, ImageCanvas, bindView } from "../shared/canvas.js";
import { mapOf, shortUnit } from "../shared/colours.js";
import { Plot, line, range, trace } from "../shared/plot.js";
import { HoleMarks } from "./holes.js";


// An audit in the background: how far it is, and a button that cancels it; the viewer follows when the cube is there.
function render(context) {
  const { model, el } = context, traits = new Traits(model);
  let close = () => {};
  if (traits.get("cube").nz) return view(context);
  const bar = h("progress", { max: 1, value: 0 }), words = h("span", { class: "mnb-hint" });
  const stop = button("Cancel", "Stop the audit; nothing is left behind", () => { stop.disabled = true; traits.send({ type: "cancel" }); });
  const root = h("div", { class: "mnb-viewer mnb-nans mnb-waiting" }, h("div", { class: "mnb-bar" }, bar, words, stop), complaints(traits));
  const tell = () => {
    const [what, done, all] = traits.get("progress");
    bar.value = all ? done / all : 0;
    words.textContent = what === undefined ? "" : `${what} ${all ? Math.floor((100 * done) / all) : 0} %`;
    bar.hidden = stop.hidden = what === undefined;
  };
  traits.watch("progress", tell);
  traits.watch("cube", () => { traits.close(); root.remove(); close = view(context); });
  el.append(root);
  tell();
  return () => { traits.close(); close(); };
}

function view({ model, el }) {
  const traits = new Traits(model), cube = traits.get("cube");
  const stage = h("div", {}), side = h("div", { class: "mnb-side mnb-causes" }), chips = h("div"), story = h("div", { class: "mnb-story", role: "status" });
  const profileHost = h("div", { class: "mnb-profile" }), spectrumHost = h("div", { class: "mnb-spectrum" });
  const slider = h("input", { type: "range", class: "mnb-slider", min: 0, max: cube.nz - 1, step: 1, title: "Plane (← →)", "aria-label": "Plane" });
  const where = h("span", { class: "mnb-where" });
  let frame = null, fraction = null, top = null, player = null, wanted = null, alive = false;

  const image = new ImageCanvas(stage, {
    onhover: (x, y) => hover(x, y),
    onclick: (x, y) => select(Math.round(x), Math.round(y)),
    ondraw: decorate,
  });
  const kept = String(traits.get("voxel"));
  const unknown = () => !alive && traits.get("voxel").length === 3 && String(traits.get("voxel")) !== kept;
  const profilePlot = new Plot(profileHost, { ondrag: (v) => go(planeOf(v)) });
  const marks = new HoleMarks(traits, isHole, (x, y, k) => { go(k); image.look([x, y, Math.max(image.where()[2], 4)]); traits.set("voxel", [x, y, k]); });
  const spectrumPlot = new Plot(spectrumHost, { ondrag: (v) => { const k = planeOf(v), voxel = traits.get("voxel"); go(k); if (voxel.length === 3) settle(k); } });
  const settle = later(() => { const voxel = traits.get("voxel"); if (voxel.length === 3) traits.set("voxel", [voxel[0], voxel[1], traits.get("plane")]); }, 150);
  const [first, last] = cube.wavelength.length ? cube.wavelength : [0, cube.nz - 1];
  const axis = cube.wavelength.length ? "wavelength [Å]" : "plane";
  const part = (k) => (cube.nz > 1 ? k / (cube.nz - 1) : 0);
  const waveOf = (k) => (cube.logarithmic ? first * (last / first) ** part(k) : first + (last - first) * part(k));
  const partOf = (v) => (cube.logarithmic ? Math.log(v / first) / (Math.log(last / first) || 1) : (v - first) / (last - first || 1));
  const planeOf = (v) => Math.max(0, Math.min(cube.nz - 1, Math.round(partOf(v) * (cube.nz - 1))));
  const waves = Float64Array.from({ length: cube.nz }, (_, k) => waveOf(k));

  // ---- planes
  function keep() {
    replace(traits.get("layer"), as(Uint16Array, traits.get("kept_plane")), bytes(traits.get("kept_causes")));
  }
  function arrive(message, buffers) {
    alive = true;
    if (message.type === "alive") tell();
    if (message.type === "plane" && message.plane === traits.get("plane")) replace(message, as(Uint16Array, buffers[0]), bytes(buffers[1]));
  }
  // Without a kernel, the nearest of the planes that the page holds.
  function nearest(k) { return traits.get("stored").reduce((best, layer) => (Math.abs(layer.plane - k) < Math.abs(best.plane - k) ? layer : best), traits.get("layer")); }
  function recall() {
    const stored = traits.get("stored"), layer = nearest(traits.get("plane"));
    if (layer.plane === frame?.plane) return;
    if (layer.plane === traits.get("layer").plane) { keep(); return; }
    const i = stored.indexOf(layer), size = Math.ceil(cube.nx / layer.bin) * Math.ceil(cube.ny / layer.bin);
    replace(layer, as(Uint16Array, traits.get("stored_data")).subarray(i * size, (i + 1) * size), bytes(traits.get("stored_causes")).subarray(i * size, (i + 1) * size));
  }
  function replace(layer, data, causes) {
    const old = frame;
    frame = new Frame({ nx: cube.nx, ny: cube.ny, bin: layer.bin, code: layer.code });
    frame.limits = layer.limits;
    frame.plane = layer.plane;
    image.put(frame, "DATA", 0, data);
    image.put(frame, "DQ", 0, causes);
    if (old) image.drop(old);
    colours();
    show();
    root.dataset.plane = String(layer.plane);
    if (wanted !== null && wanted !== layer.plane) go(wanted); else wanted = null;
  }
  function makeFraction() {
    fraction = new Frame({ nx: cube.nx, ny: cube.ny, bin: cube.bin, code: [0, 1, 0, 1] });
    image.put(fraction, "DATA", 0, as(Uint16Array, traits.get("kept_fraction")));
  }
  function colours() {
    const rgba = new Uint8Array(1024), hidden = traits.get("hidden");
    for (const cause of cube.causes) if (!hidden.includes(cause.name)) rgba.set([1, 3, 5].map((k) => parseInt(cause.colour.slice(k, k + 2), 16)).concat(255), 4 * cause.code);
    if (frame) image.setMarks(frame, rgba);
  }
  function show() {
    const whole = traits.get("shown") === "fraction";
    top ??= fractionTop();
    image.keepView = true;
    image.setMap(mapOf(bytes(traits.get("colour_maps")[whole ? "cividis" : traits.get("cmap")])));
    if (whole) { image.set({ stretch: "linear", limits: [0, top], opacity: 1 }); image.setFrame(fraction); }
    else { image.set({ stretch: traits.get("stretch"), limits: frame.limits[traits.get("limits")], opacity: 1 }); image.setFrame(frame); }
    slider.value = String(traits.get("plane"));
    where.textContent = `${cube.wavelength.length ? `${waveOf(traits.get("plane")).toFixed(1)} Å · ` : ""}plane ${traits.get("plane") + 1} of ${cube.nz}`;
  }
  // The plane that is asked for last is the one that comes: no queue of planes in between.
  function go(k) {
    k = Math.max(0, Math.min(cube.nz - 1, k));
    if (!alive) k = nextStored(k);
    const waiting = wanted !== null && frame && frame.plane !== traits.get("plane") && performance.now() - asked < 1500;
    wanted = k;
    slider.value = String(k);
    if (!waiting && k !== traits.get("plane")) { asked = performance.now(); traits.set("plane", k); }
    else if (k === traits.get("plane")) wanted = null;
  }
  let asked = 0;
  // Without a kernel a step goes to the next plane that the page holds.
  function nextStored(k) {
    const now = frame?.plane ?? k, planes = [...new Set([traits.get("layer"), ...traits.get("stored")].map((layer) => layer.plane))].sort((a, b) => a - b);
    if (Math.abs(k - now) > 1) return nearest(k).plane;
    return (k > now ? planes.find((plane) => plane > now) : k < now ? planes.findLast((plane) => plane < now) : now) ?? now;
  }
  function play() {
    if (player) { clearInterval(player); player = null; } else player = setInterval(() => go((traits.get("plane") + Math.max(1, Math.round(cube.nz / 400))) % cube.nz), 120);
    playButton.setAttribute("aria-pressed", String(Boolean(player)));
  }
  // The next plane with another hole in it than usual.
  function nextHole(by) {
    const values = as(Float32Array, traits.get("profile")), typical = Array.from(values).sort((a, b) => a - b)[Math.floor(values.length / 2)];
    for (let k = traits.get("plane") + by; k >= 0 && k < cube.nz; k += by) if (values[k] > 1.5 * typical + 1e-4) { go(k); return; }
  }

  // ---- voxels
  function select(x, y) {
    if (x < 0 || y < 0 || x >= cube.nx || y >= cube.ny) return;
    story.replaceChildren(h("p", { class: "mnb-hint" }, "reading …"));
    traits.set("voxel", [x, y, traits.get("plane")]);
  }
  // What can be told without a kernel.
  function tellCause(x, y) {
    const cause = causeAt(x, y), what = cause ? `NaN: ${cause.name} - ${cause.meaning}` : `${number(frame.value(x, y), 4)} ${cube.unit}`;
    story.replaceChildren(h("div", { class: "mnb-heading" }, `Spaxel ${x + 1}, ${y + 1}`), h("p", {}, `Plane ${frame.plane + 1}: ${what}.`),
      h("p", { class: "mnb-hint" }, "This page has no kernel: in the notebook, a click goes on to the detector pixels behind it."));
  }
  // Whether a voxel holds no data; null where that is not known here.
  function isHole([x, y, k]) {
    const codes = traits.get("spectrum_causes");
    if (codes?.byteLength && !unknown()) return bytes(codes)[k] > 0;
    return frame && frame.plane === k ? Boolean(causeAt(x, y)) : null;
  }
  function causeAt(i, j) {
    const code = frame.planes.DQ[Math.floor(j / frame.bin) * frame.width + Math.floor(i / frame.bin)];
    return cube.causes.find((one) => one.code === code);
  }
  function step(dx, dy) { const voxel = traits.get("voxel"); const [x, y] = voxel.length === 3 ? voxel : image.where().map(Math.round); select(x + dx, y + dy); }
  function hover(x, y) {
    if (x === null || traits.get("shown") === "fraction") { tip.textContent = ""; return; }
    const i = Math.round(x), j = Math.round(y);
    if (!frame || i < 0 || j < 0 || i >= cube.nx || j >= cube.ny) { tip.textContent = ""; return; }
    const cause = causeAt(i, j);
    tip.textContent = `${i + 1}, ${j + 1}: ${cause ? cause.name : `${number(frame.value(i, j), 4)} ${cube.unit}`}`;
  }
  function tell() {
    const voxel = traits.get("voxel"), lines = traits.get("story");
    if (unknown()) { tellCause(voxel[0], voxel[1]); return; }
    story.replaceChildren(...(lines.length ? [h("div", { class: "mnb-heading" }, `Spaxel ${voxel[0] + 1}, ${voxel[1] + 1}`), ...lines.map((text) => h("p", {}, text)), detector()].filter(Boolean) : [h("p", { class: "mnb-hint" }, "Click a hole for its story. Pixels and planes count from 1, as in FITS.")]));
  }
  function detector() {
    const pixels = traits.get("pixels"), linked = traits.get("linked");
    if (!pixels.length) return null;
    const open = (i) => traits.send({ type: "show", row: i });
    const row = (p, i) => h("tr", linked && alive ? { class: "mnb-link", title: "Show it in the OBJECT_RED viewer", onclick: () => open(i) } : {},
      h("td", {}, `${p.ifu}/${p.slice}`), h("td", {}, `${p.x}, ${p.y}`), h("td", {}, number(p.data, 3)), h("td", {}, p.weight.toFixed(2)), h("td", { title: p.flags }, p.dq ? p.flags : "good"));
    const there = linked && alive ? button("Open the frame there", "Show the first of these pixels in the OBJECT_RED viewer", () => open(0)) : null;
    return h("div", {}, there, h("table", {}, h("thead", {}, h("tr", {}, ...["IFU/slice", "x, y", "value", "weight", "DQ"].map((name) => h("th", {}, name)))), h("tbody", {}, ...pixels.map(row))));
  }
  function legend() {
    const hidden = traits.get("hidden");
    chips.replaceChildren(h("div", { class: "mnb-heading" }, "Why it is NaN"), ...cube.causes.map((cause, i) => h("button", {
      type: "button", class: "mnb-chip", "aria-pressed": String(!hidden.includes(cause.name)), title: `${cause.meaning} (${i + 1})`, "data-cause": cause.name, onclick: () => flip(cause.name),
    }, h("span", { class: "mnb-swatch", style: `background:${cause.colour}` }), h("span", {}, cause.name), h("span", { class: "mnb-count" }, percent(cause.fraction)))),
    h("div", { class: "mnb-hint" }, `${percent(cube.fraction)} of the cube${cube.exact ? `, ${percent(cube.fraction_in_field)} inside the field` : "; give the pixel tables to tell all causes"}`));
    if (!cube.causes.length) chips.append(h("div", { class: "mnb-hint" }, "No voxel is NaN."));
  }
  const percent = (f) => (f === 0 ? "0" : f >= 0.0995 ? `${(100 * f).toFixed(0)} %` : f >= 0.0001 ? `${(100 * f).toPrecision(2)} %` : `${number(f * 1e6, 2)} ppm`);
  function flip(name) { const hidden = traits.get("hidden"); traits.set("hidden", hidden.includes(name) ? hidden.filter((n) => n !== name) : [...hidden, name]); }

  // ---- drawings
  function decorate(context, view) {
    marks.draw(context, view, traits.get("plane"));
    const voxel = traits.get("voxel"), s = view.where()[2];
    if (voxel.length === 3) {
      const [x, y] = view.toScreen(voxel[0], voxel[1]), half = Math.max(s / 2, 5);
      context.strokeStyle = "#000a"; context.lineWidth = 3.5; context.strokeRect(x - half, y - half, 2 * half, 2 * half);
      context.strokeStyle = "#fff"; context.lineWidth = 1.5; context.strokeRect(x - half, y - half, 2 * half, 2 * half);
    }
    if (traits.get("shown") === "fraction") view.colourBar(context, "NaN [fraction]", [0, top]); else view.colourBar(context, cube.unit);
    const text = traits.get("shown") === "fraction" ? `NaN over all planes, 0 to ${(100 * top).toFixed(0)} %` : `${cube.name}   ${where.textContent}`;
    context.font = "12px sans-serif"; context.textBaseline = "top"; context.textAlign = "left";
    context.lineWidth = 3; context.strokeStyle = "#000b"; context.strokeText(text, 8, 8); context.fillStyle = "#fff"; context.fillText(text, 8, 8);
    const [a, b, c, d] = cube.compass, det = a * d - b * c;
    if (det) {
      context.textBaseline = "middle"; context.textAlign = "center"; context.lineWidth = 1.5; context.strokeStyle = context.fillStyle = "#fff";
      for (const [name, dx, dy] of [["E", d / det, -c / det], ["N", -b / det, a / det]]) {
        const length = Math.hypot(dx, dy), x = view.width - 40, y = view.height - 40, ux = dx / length, uy = -dy / length;
        line(context, x, y, x + 20 * ux, y + 20 * uy); context.fillText(name, x + 30 * ux, y + 30 * uy);
      }
    }
  }
  function marker(context, sx, top, bottom, ink) {
    const x = sx(waveOf(traits.get("plane")));
    context.strokeStyle = ink; context.lineWidth = 1.5; line(context, x, top, x, bottom);
    context.fillStyle = ink; context.beginPath(); context.moveTo(x - 5, top); context.lineTo(x + 5, top); context.lineTo(x, top + 7); context.fill();
  }
  function drawProfile() {
    profilePlot.draw((plot) => {
      const values = as(Float32Array, traits.get("profile")), peak = Math.max(1e-3, ...values);
      const { context, sx, sy, top, bottom } = plot.axes({ x: [first, last], y: [0, 106 * peak], left: 52, bottom: 32, ylabel: "NaN [%]", xlabel: axis });
      context.fillStyle = plot.accent + "33"; context.beginPath(); context.moveTo(sx(first), sy(0));
      values.forEach((v, k) => context.lineTo(sx(waves[k]), sy(100 * v))); context.lineTo(sx(last), sy(0)); context.fill();
      trace(context, waves, values.map((v) => 100 * v), sx, sy, plot.accent);
      marker(context, sx, top, bottom, plot.ink);
    });
  }
  const fractionTop = () => Math.max(0.02, ...Array.from(fraction.planes.DATA, (_, i) => { const v = fraction.value((i % fraction.width) * fraction.bin, Math.floor(i / fraction.width) * fraction.bin); return v < 1 ? v : 0; }));
  function drawSpectrum() {
    const raw = traits.get("spectrum");
    spectrumHost.hidden = !raw?.byteLength || unknown();
    if (spectrumHost.hidden) return;
    spectrumPlot.draw((plot) => {
      const values = as(Float32Array, raw), causes = bytes(traits.get("spectrum_causes"));
      const { context, sx, sy, top, bottom } = plot.axes({ x: [first, last], y: range(values, 0.005, 1), left: 52, bottom: 32, xlabel: axis, ylabel: "flux of the spaxel" });
      const half = (sx(waveOf(1)) - sx(waveOf(0))) / 2 || 1;
      for (let k = 0; k < causes.length; ) {
        let end = k;
        while (end < causes.length && causes[end] === causes[k]) end++;
        const cause = cube.causes.find((one) => one.code === causes[k]);
        if (cause) { context.fillStyle = cause.colour + "cc"; context.fillRect(sx(waves[k]) - half, top + 1, Math.max(1.5, sx(waves[end - 1]) - sx(waves[k]) + 2 * half), bottom - top - 1); }
        k = end;
      }
      context.save(); context.beginPath(); context.rect(sx(first), top, sx(last) - sx(first), bottom - top); context.clip();
      trace(context, waves, values, sx, sy, plot.ink, 1);
      context.restore();
      marker(context, sx, top, bottom, plot.ink);
      context.fillStyle = plot.ink; context.textAlign = "left"; context.textBaseline = "top"; context.fillText(shortUnit(cube.unit), sx(first) + 5, top + 4);
    });
  }

  // ---- layout
  slider.addEventListener("input", () => go(Number(slider.value)));
  const playButton = button("▶", "Run through the planes (p)", play), tip = h("span", { class: "mnb-hint mnb-tip" });
  const maps = chooser(traits, "cmap", "Colour map (m)", () => Object.keys(traits.get("colour_maps")).map((name) => [name, name]));
  const bar = h("div", { class: "mnb-bar" },
    group("Plane", button("‹", "Plane before (←)", () => go(traits.get("plane") - 1)), slider, button("›", "Next plane (→)", () => go(traits.get("plane") + 1)), playButton, where),
    choice(traits, "shown", "Shown", [["plane", "plane", "One plane (d)"], ["fraction", "all planes", "NaN over all planes (v)"]]),
    group("Stretch", chooser(traits, "stretch", "Stretch (s)", () => STRETCHES.map((s) => [s, s])), chooser(traits, "limits", "Limits (l)", () => LIMITS), maps),
    group("View", button("⤢", "Whole field (f)", () => image.fit())), tip);
  side.append(chips, story, marks.element);
  const root = h("div", { class: "mnb-viewer mnb-nans" }, bar, complaints(traits), h("div", { class: "mnb-picture" }, h("div", { class: "mnb-grid" }, stage), side), profileHost, spectrumHost);
  const cycle = (name, all) => traits.set(name, all[(all.indexOf(traits.get(name)) + 1) % all.length]);
  bar.append(keyboard(root, stage, [
    [["ArrowLeft", "ArrowRight"], "plane before, next (with shift: 20)", (event) => go(traits.get("plane") + (event.key === "ArrowLeft" ? -1 : 1) * (event.shiftKey ? 20 : 1))],
    [["Home", "End"], "first, last plane", (event) => go(event.key === "Home" ? 0 : cube.nz - 1)], [[",", "."], "plane with many NaN before, next", (event) => nextHole(event.key === "." ? 1 : -1)],
    [["p", " "], "run through the planes", play], [["d"], "one plane", () => traits.set("shown", "plane")], [["v"], "NaN over all planes", () => traits.set("shown", "fraction")],
    [["1", "…", "9"], "one cause", () => {}], ...Array.from({ length: 9 }, (_, i) => [[String(i + 1)], "", () => { const cause = cube.causes[i]; if (cause) flip(cause.name); }]),
    [["H"], "", () => step(-1, 0)], [["L"], "", () => step(1, 0)], [["J"], "", () => step(0, -1)], [["H", "J", "K", "L"], "selected spaxel by one", () => step(0, 1)],
    [["s"], "stretch", () => cycle("stretch", STRETCHES)], [["l"], "limits", () => cycle("limits", LIMITS.map(([mode]) => mode))], [["m"], "colour map", () => cycle("cmap", Object.keys(traits.get("colour_maps")))],
    [["+", "="], "zoom in", () => image.zoom(1.5)], [["-", "_"], "zoom out", () => image.zoom(1 / 1.5)], [["f", "0"], "whole field", () => image.fit()],
    [["x"], "mark the selected voxel, or take its mark away", () => marks.flip()],
    [["Escape"], "let the spaxel go", () => traits.set("voxel", [])],
  ]));
  const height = () => { stage.style.height = `${traits.get("height")}px`; };
  el.append(root);
  height();

  traits.watch("layer", keep);
  traits.watch("plane", () => { if (frame && !alive) recall(); if (frame) { where.textContent = ""; show(); } drawProfile(); drawSpectrum(); });
  traits.watch("shown stretch limits cmap", show);
  traits.watch("hidden", () => { colours(); legend(); });
  traits.watch("holes", () => image.draw());
  traits.watch("voxel", () => { image.draw(); drawSpectrum(); });
  traits.watch("story voxel pixels", later(tell, 0));
  traits.watch("spectrum_causes plane", later(() => marks.list(), 0));
  traits.watch("spectrum spectrum_causes", later(drawSpectrum, 0));
  traits.watch("height", height);
  traits.on("msg:custom", arrive);
  makeFraction();
  keep();
  bindView(image, traits);
  legend();
  tell();
  drawProfile();
  drawSpectrum();
  traits.send({ type: "ready" });
  el.museImage = image;
  return () => { clearInterval(player); traits.close(); image.close(); profilePlot.close(); spectrumPlot.close(); };
}

export default { render };
