// The cube viewer: an image and a spectrum that follow each other. The kernel cuts the cube; the browser does the rest.
import { Traits, as, button, bytes, chooser, choice, complaints, group, h, keyboard, later, number, toggle } from "../shared/ui.js";
import { LIMITS, STRETCHES } from "../shared/constants.js";
import { Frame, ImageCanvas, bindView, mapOf } from "../shared/canvas.js";
import { ColourBar } from "./colourbar.js";
import { SmallCube } from "./offline.js";
import { linePanel, numbersPanel, regionList, savePanel } from "./panel.js";
import { asPng, asSvg } from "./pictures.js";
import { REGION_COLOURS, SHAPES, areaOf, drawRegions, hitRegion, isInside, moveBy, moveHandle, resize } from "./regions.js";
import { arcsecPerSpaxel, compass, scaleBar, sexagesimal, toSky } from "./sky.js";
import { SpectrumPlot, windowsOf } from "./spectrum.js";
import { Wire } from "./wire.js";

const BLINK = 600, RESTING = 180; // ms
const FIRST_BAND = 16, BESIDE = 30; // Angstrom

function render({ model, el }) {
  const traits = new Traits(model), cube = traits.get("cube"), waves = as(Float64Array, traits.get("waves")), alone = Boolean(model.alone);
  const wire = new Wire(traits), perSpaxel = arcsecPerSpaxel(cube.sky);
  const stage = h("div", {}), barHost = h("div", { class: "mnb-colours" }), plotHost = h("div", { class: "mnb-flux" });
  const readout = h("div", { class: "mnb-readout" }), heard = h("div", { class: "mnb-heard", role: "status", "aria-live": "polite" });
  let frames = [], second = null, blinking = null, seconds = false, trial = {}, tool = null, sketch = null, under = null, hovered = null, resting = null, picked = new Map(), dragged = null;

  // ---- images
  const image = new ImageCanvas(stage, { onhover, onclick, grab, ondraw: decorate });
  image.overlay.setAttribute("role", "img");
  const state = () => { const info = (seconds && second ? second : frames[0])?.info; return { info, limits: info ? limitsOf(info) : [0, 1], rgba: mapOf(bytes(traits.get("colour_maps")[colours()])), stretch: stretch() }; };
  const MAPS = () => Object.keys(traits.get("colour_maps")).filter((name) => name !== "RdBu_r");
  const bar = new ColourBar(barHost, traits, state);
  const velocity = () => traits.get("shown") === "map" && traits.get("map") === "VELOCITY";
  const colours = () => (velocity() ? "RdBu_r" : traits.get("cmap"));
  const stretch = () => (velocity() ? "linear" : traits.get("stretch"));
  const limitsOf = (info) => (traits.get("cut").length === 2 ? traits.get("cut") : info.limits[traits.get("limits")]);
  function frameOf(info, data, causes) {
    const frame = new Frame({ nx: info.nx, ny: info.ny, bin: info.bin, code: info.code });
    frame.info = info;
    image.put(frame, "DATA", 0, data);
    if (causes?.length) {
      image.put(frame, "DQ", 0, causes);
      const rgba = new Uint8Array(1024);
      for (const cause of cube.causes) rgba.set([1, 3, 5].map((k) => parseInt(cause.colour.slice(k, k + 2), 16)).concat(255), 4 * cause.code);
      image.setMarks(frame, rgba);
    }
    return frame;
  }
  function replace(next) {
    for (const frame of frames) if (frame !== second) image.drop(frame);
    frames = next;
    root.dataset.label = next[0].info.label;
    root.dataset.images = String(Number(root.dataset.images ?? 0) + 1);
    show();
  }
  function keep() {
    const infos = traits.get("kept"), all = as(Uint16Array, traits.get("kept_image"));
    if (!infos.length || !all.length) return;
    let at = 0;
    replace(infos.map((info) => { const size = Math.ceil(info.nx / info.bin) * Math.ceil(info.ny / info.bin), data = all.subarray(at, at + size); at += size; return frameOf(info, data, bytes(traits.get("kept_causes"))); }));
  }
  function show() {
    if (!frames.length) return;
    const shown = seconds && second ? second : frames[0];
    image.keepView = true;
    image.channels = frames.length === 3 && shown !== second ? frames.map((frame) => ({ frame, limits: frame.info.limits[traits.get("limits")] })) : null;
    image.setMap(mapOf(bytes(traits.get("colour_maps")[colours()])));
    image.set({ stretch: stretch(), limits: limitsOf(shown.info), opacity: 1 });
    image.setFrame(shown);
    barHost.classList.toggle("mnb-off", Boolean(image.channels));
    bar.draw();
    tell();
  }
  // Ask for an image of changed settings while a hand moves; in a page without a kernel, make it here.
  function attempt(changes) {
    trial = { ...trial, ...changes };
    plot.windows = windowsOf(traits, trial);
    plot.draw();
    if (alone) { own({ ...trial }); return; }
    wire.ask("try", { settings: trial });
  }
  function own(changes) {
    const get = (name) => changes[name] ?? traits.get(name), shown = get("shown"), small = smallCube();
    if (!small || !["band", "plane", "rgb"].includes(shown)) { keep(); return; }
    const make = (band, continuum) => { const [info, bits] = small.image(waves, band, continuum, cube.nx, cube.ny, cube.unit); return frameOf(info, bits, null); };
    const w = get("wavelength");
    if (shown === "rgb") replace(get("rgb").map((band) => make(band, [])));
    else replace([shown === "plane" ? make([w, w], []) : make(get("band"), get("continuum"))]);
  }
  let small = null;
  const smallCube = () => (traits.get("small").nz ? (small ??= new SmallCube(traits, cube.nz)) : null);

  function arrive(message, buffers) {
    if (message.type === "image") {
      if (message.n) wire.answered("try");
      if (message.n && !Object.keys(trial).length && !message.other) return; // the hand has gone
      let k = 0;
      const made = message.infos.map((info) => frameOf(info, as(Uint16Array, buffers[k++]), bytes(buffers[message.infos.length])));
      if (message.other) { second = made[0]; second.affine = cube.second.affine; second.of = cube.second.name; show(); } else replace(made);
    } else if (message.type === "spaxel") {
      wire.answered("hover");
      if (!hovered) return;
      under = { x: message.x, y: message.y, flux: as(Float32Array, buffers[0]), error: buffers[1]?.byteLength ? as(Float32Array, buffers[1]) : null };
      root.dataset.spaxel = `${message.x},${message.y}`;
      root.dataset.spaxels = String(Number(root.dataset.spaxels ?? 0) + 1);
      curves();
    } else if (message.type === "aperture") {
      wire.answered("aperture");
      root.dataset.apertures = String(Number(root.dataset.apertures ?? 0) + 1);
      if (buffers[0].byteLength && dragged?.id === message.id) { picked.set(message.id, { flux: as(Float32Array, buffers[0]), error: buffers[1]?.byteLength ? as(Float32Array, buffers[1]) : null }); curves(); }
    }
  }

  // ---- spectra
  const plot = new SpectrumPlot(plotHost, traits, cube, waves, {
    onwindows(change, final) {
      const changes = change.window ? windowChange(change) : { band: change.band };
      if (change.fresh && traits.get("shown") !== "band") { traits.model.set("shown", "band"); changes.shown = "band"; }
      if (!final) { attempt(changes); return; }
      plot.drawing = false; root.dataset.drawing = "";
      trial = {}; wire.forget("try");
      traits.setAll(changes);
      root.dataset.band = JSON.stringify(traits.get("band"));
    },
    onwave(wave) { tell(wave); },
    onpick(wave) { traits.set("wavelength", waves[plot.planeOf(wave)]); },
    onredshift(z, final) { if (final) traits.set("redshift", Number(z.toFixed(6))); else { traits.model.set("redshift", z); } },
  });
  function windowChange({ window, limits }) {
    const list = (name) => (trial[name] ?? traits.get(name)).map((old, i) => (i === window.i ? limits : old));
    return window.kind === "band" ? { band: limits } : { [window.kind]: list(window.kind) };
  }
  function keepSpectra() {
    const data = as(Float32Array, traits.get("spectra_data"));
    let at = 0;
    picked = new Map();
    for (const info of traits.get("spectra")) {
      const take = () => { const part = data.subarray(at, at + cube.nz); at += cube.nz; return part; };
      picked.set(info.id, { flux: take(), error: info.error ? take() : null, unit: info.unit, name: info.id < 0 ? info.notes[0] : "" });
    }
    if (alone) for (const shape of traits.get("regions")) if (!picked.has(shape.id)) answer(shape);
    root.dataset.kept = [...picked.keys()].join(",");
    curves();
  }
  function answer(shape) { const found = smallCube(); if (found) picked.set(shape.id, { flux: found.aperture(shape), error: null }); }
  function curves() {
    const all = [], shapes = traits.get("regions"), spaxel = traits.get("spaxel");
    const per = (shape) => {
      const found = picked.get(shape.id);
      if (!found || !traits.get("per_spaxel") || !["sum", "psf"].includes(shape.how)) return found;
      const area = areaOf(shape), scaled = (values) => values && Float32Array.from(values, (v) => v / area);
      return { flux: scaled(found.flux), error: scaled(found.error) };
    };
    if (spaxel.length === 2 && picked.get(0)) all.push({ ...picked.get(0), colour: "ink", width: 1.4 });
    if (spaxel.length === 2) for (const [id, colour, width] of [[-3, "#e69f00", 1.2], [-2, "#009e73", 1.1], [-1, "#0072b2", 1.8]]) if (picked.get(id)) all.push({ ...picked.get(id), colour, width });
    for (const shape of shapes) if (per(shape)) all.push({ ...per(shape), colour: shape.colour, width: shape.id === traits.get("chosen") ? 1.8 : 1.2 });
    if (under && hovered) all.push({ ...under, colour: shapes.length || spaxel.length === 2 ? "#8a8f98" : "ink", width: 1.1 });
    plot.curves = all;
    plot.windows = windowsOf(traits, trial);
    plot.draw();
    tell();
  }

  // ---- what the numbers say
  function tell(wave = plot.cursor) {
    const shapes = traits.get("regions"), at = hovered ?? (traits.get("spaxel").length === 2 ? traits.get("spaxel") : null), shown = seconds && second ? second : frames[0];
    const parts = [];
    if (at) {
      const [x, y] = at.map(Math.round), sky = toSky(cube.sky, at[0], at[1]), value = shown && !shown.affine.some((v, i) => v !== [1, 0, 0, 1, 0, 0][i]) ? shown.value(x, y) : NaN;
      if (sky) parts.push(["RA Dec", sexagesimal(sky)]);
      parts.push(["x, y", `${x + 1}, ${y + 1}`]);
      if (shown) parts.push(["image", `${causeAt(x, y) ?? number(value, 4)} ${shown.info.unit}`]);
    }
    const source = under && hovered ? under : picked.get(traits.get("chosen")) ?? picked.get(0), w = wave ?? (traits.get("shown") === "plane" ? traits.get("wavelength") : null);
    if (w !== null) {
      const k = plot.planeOf(w);
      parts.push(["λ", `${waves[k].toFixed(2)} Å${cube.medium === "unknown" ? "" : ` (${cube.medium})`}, plane ${k + 1}`]);
      if (source?.flux) parts.push(["flux", `${number(source.flux[k], 4)}${source.error ? ` ± ${number(source.error[k], 2)}` : ""} ${cube.unit}`]);
    }
    readout.replaceChildren(...(parts.length ? parts : [["", `${cube.object ? `${cube.object} · ` : ""}${cube.name} · ${cube.nx} × ${cube.ny} spaxels, ${waves[0].toFixed(1)} to ${waves.at(-1).toFixed(1)} Å${cube.stat ? "" : " · no STAT: errors are not known"}`]]).map(([key, text]) => h("span", { class: "mnb-pair" }, key ? h("span", { class: "mnb-key" }, key) : null, ` ${text}`)));
    image.overlay.setAttribute("aria-label", `Image of ${cube.name}: ${frames[0]?.info.label ?? ""}, ${shapes.length} regions`);
    plot.canvas.setAttribute("aria-label", `Spectrum, ${plot.xrange().map((v) => v.toFixed(0)).join(" to ")} Å, ${plot.curves.length} curves`);
  }
  function causeAt(x, y) {
    const frame = frames[0], code = frame?.planes.DQ?.[Math.floor(y / frame.bin) * frame.width + Math.floor(x / frame.bin)];
    return code ? `NaN: ${cube.causes.find((cause) => cause.code === code)?.name}` : null;
  }
  const say = (text) => { heard.textContent = text; };

  // ---- hands on the image
  function onhover(x, y) {
    const inside = x !== null && x > -0.5 && y > -0.5 && x < cube.nx - 0.5 && y < cube.ny - 0.5;
    hovered = inside ? [x, y] : null;
    if (sketch) { sketch.end = [x, y]; image.drawOver(); }
    clearTimeout(resting);
    if (!inside) { under = null; curves(); return; }
    image.overlay.style.cursor = tool ? "crosshair" : hitRegion(image, traits.get("regions"), traits.get("chosen"), x, y, false) ? "move" : "crosshair";
    pointAt(Math.round(x), Math.round(y));
    tell();
  }
  function pointAt(x, y) {
    const now = traits.get("pointer");
    if (now[0] === x && now[1] === y && under) return;
    traits.model.set("pointer", [x, y]);
    if (alone) { const found = smallCube(); if (found) { under = { x, y, flux: found.spaxel(x, y), error: null }; root.dataset.spaxel = `${x},${y}`; curves(); } return; }
    wire.ask("hover", { x, y });
    if (cube.stat) resting = setTimeout(() => wire.ask("hover", { x, y, error: true }), RESTING);
  }
  function shapesWith(shape) { const all = traits.get("regions"); return all.some((one) => one.id === shape.id) ? all.map((one) => (one.id === shape.id ? shape : one)) : [...all, shape]; }
  function settle(shape) {
    dragged = null;
    wire.forget("aperture");
    if (alone) answer(shape);
    traits.setAll({ regions: shapesWith(shape), chosen: shape.id });
    say(`${shape.kind} ${shape.name} at x ${(shape.x + 1).toFixed(1)}, y ${(shape.y + 1).toFixed(1)}`);
  }
  function moving(shape) {
    dragged = shape;
    if (alone) { answer(shape); curves(); } else wire.ask("aperture", { shape });
    image.drawOver();
  }
  function fresh(kind, x, y) {
    const all = traits.get("regions"), id = Math.max(0, ...all.map((one) => one.id)) + 1;
    return { id, kind, x, y, a: 0.6, b: 0.6, angle: 0, points: [], name: String(id), colour: REGION_COLOURS[(id - 1) % REGION_COLOURS.length], how: "sum", ring: [] };
  }
  function grab(x, y, event) {
    if (tool && tool !== "polygon") {
      const kind = tool, begun = fresh(kind, x, y), grow = (px, py) => {
        const [u, v] = [Math.abs(px - x), Math.abs(py - y)], r = Math.max(0.6, Math.hypot(u, v));
        return kind === "circle" ? { ...begun, a: r, b: r } : kind === "annulus" ? { ...begun, a: 0.6 * r, b: r } : { ...begun, a: Math.max(0.6, u), b: Math.max(0.6, v) };
      };
      return { move: (px, py) => moving(grow(px, py)), drop: (px, py) => { choose(null); settle(grow(px, py)); }, cancel: () => { dragged = null; image.drawOver(); } };
    }
    if (tool) return null;
    const hit = hitRegion(image, traits.get("regions"), traits.get("chosen"), x, y, event.pointerType === "touch");
    if (!hit) return null;
    const [shape, role] = hit, next = (px, py) => (role === null ? moveBy(shape, px - x, py - y) : moveHandle(shape, role, px, py));
    return { move: (px, py) => moving(next(px, py)), drop: (px, py) => settle(next(px, py)), cancel: () => { dragged = null; keepSpectra(); image.drawOver(); } };
  }
  function onclick(x, y, event) {
    if (tool === "polygon") { corner(x, y); return; }
    if (tool) { // a click without a drag: a region of a usual size
      const r = Math.max(2, perSpaxel ? 1 / perSpaxel : 5), shape = { ...fresh(tool, x, y), a: tool === "annulus" ? 0.6 * r : r, b: tool === "ellipse" || tool === "rectangle" ? 0.6 * r : r };
      choose(null); settle(shape);
      return;
    }
    const hit = traits.get("regions").findLast((shape) => isInside(shape, x, y));
    if (hit && hit.id !== traits.get("chosen")) { traits.set("chosen", hit.id); say(`region ${hit.name} chosen`); return; }
    pick(Math.round(x), Math.round(y));
  }
  function pick(x, y) {
    if (x < 0 || y < 0 || x >= cube.nx || y >= cube.ny) return;
    if (alone) { const found = smallCube(); if (found) picked.set(0, { flux: found.spaxel(x, y), error: null }); traits.set("spaxel", [x, y]); curves(); } else traits.set("spaxel", [x, y]);
    say(`spaxel x ${x + 1}, y ${y + 1}`);
  }
  function corner(x, y) {
    const points = sketch?.points ?? [], [px, py] = image.toScreen(x, y), at = points.length > 2 ? image.toScreen(...points[0]) : null;
    if (at && Math.hypot(at[0] - px, at[1] - py) < 12) { closePolygon(); return; }
    sketch = { points: [...points, [x, y]], end: [x, y] };
    image.drawOver();
  }
  function closePolygon() {
    const points = sketch?.points ?? [];
    sketch = null;
    if (points.length > 2) {
      const shape = moveHandle({ ...fresh("polygon", 0, 0), points }, 0, ...points[0]);
      choose(null); settle(shape);
    }
    image.drawOver();
  }
  function choose(kind) {
    tool = tool === kind ? null : kind;
    sketch = null;
    tools.forEach((one, i) => one.setAttribute("aria-pressed", String(SHAPES[i][0] === tool)));
    root.dataset.tool = tool ?? "";
  }
  function remove(id) { traits.setAll({ regions: traits.get("regions").filter((shape) => shape.id !== id), chosen: 0 }); }
  const mine = () => traits.get("regions").find((shape) => shape.id === traits.get("chosen"));
  const settleSoon = later(() => { if (dragged) settle(dragged); }, 250);
  function byKey(change) { const shape = dragged ?? mine(); if (shape) { moving(change(shape)); settleSoon(); } }

  // ---- drawings over the image
  function decorate(context, view) {
    context.save();
    const [a, b] = [view.toScreen(-0.5, cube.ny - 0.5), view.toScreen(cube.nx - 0.5, -0.5)];
    context.beginPath(); context.rect(a[0], a[1], b[0] - a[0], b[1] - a[1]); context.clip();
    for (const points of traits.get("contours")) {
      context.beginPath();
      for (let i = 0; i < points.length; i += 2) { const at = view.toScreen(points[i], points[i + 1]); if (i) context.lineTo(...at); else context.moveTo(...at); }
      context.strokeStyle = "#000a"; context.lineWidth = 2.4; context.stroke(); context.strokeStyle = "#fff"; context.lineWidth = 1; context.stroke();
    }
    context.restore();
    const shapes = traits.get("regions");
    drawRegions(context, view, dragged ? shapesWith(dragged) : shapes, dragged?.id ?? traits.get("chosen"), perSpaxel);
    if (sketch) drawRegions(context, view, [{ ...fresh("polygon", ...sketch.points[0]), points: [...sketch.points, sketch.end], open: true }], 0, 0);
    const spaxel = traits.get("spaxel"), pointer = traits.get("pointer"), s = view.where()[2];
    for (const [at, style] of [[spaxel, "#fff"], [!hovered && pointer.length === 2 ? pointer : [], "#fffa"]]) if (at.length === 2) {
      const [x, y] = view.toScreen(...at), half = Math.max(s / 2, 5);
      context.strokeStyle = "#000c"; context.lineWidth = 4; context.strokeRect(x - half, y - half, 2 * half, 2 * half);
      context.strokeStyle = style; context.lineWidth = 1.8; context.strokeRect(x - half, y - half, 2 * half, 2 * half);
    }
    const shown = seconds && second ? second : frames[0], text = `${seconds && second ? `${second.of ?? "kept image"} · ` : ""}${shown?.info.label ?? ""}`;
    context.font = "600 13px sans-serif"; context.textBaseline = "top"; context.textAlign = "left"; context.lineWidth = 3.5; context.lineJoin = "round";
    let line0 = "", y = 8;
    for (const word of [...text.split(" "), null]) {
      if (word !== null && context.measureText(`${line0} ${word}`).width < view.width - 20) { line0 = `${line0} ${word}`.trim(); continue; }
      context.strokeStyle = "#000c"; context.strokeText(line0, 9, y); context.fillStyle = "#fff"; context.fillText(line0, 9, y);
      y += 17; line0 = word;
    }
    compass(context, view, cube.sky);
    scaleBar(context, view, cube.sky);
    if (frames[0]?.planes.DQ) legend(context, y + 4);
  }
  function legend(context, y) {
    const present = new Set(frames[0].planes.DQ);
    context.font = "12px sans-serif"; context.textBaseline = "top"; context.textAlign = "left";
    for (const cause of cube.causes) if (present.has(cause.code)) {
      context.fillStyle = "#000b"; context.fillRect(8, y, 14, 14); context.fillStyle = cause.colour; context.fillRect(9, y + 1, 12, 12);
      context.strokeStyle = "#000c"; context.lineWidth = 3; context.strokeText(cause.name, 27, y + 1); context.fillStyle = "#fff"; context.fillText(cause.name, 27, y + 1);
      y += 18;
    }
  }

  // ---- what is shown
  function become(shown) {
    const changes = { shown }, w = traits.get("wavelength"), inside = ([a, b]) => [Math.max(plot.low, a), Math.min(plot.high, b)];
    if (shown === "band" && traits.get("band").length !== 2) changes.band = inside([w - FIRST_BAND / 2, w + FIRST_BAND / 2]);
    if (shown === "rgb" && traits.get("rgb").length !== 3) { const third = (plot.high - plot.low) / 3; changes.rgb = [2, 1, 0].map((i) => [plot.low + (i + 0.1) * third, plot.low + (i + 0.9) * third]); }
    if (["plane", "band", "rgb"].includes(shown) && traits.get("layer") !== "DATA" && shown === "rgb") changes.layer = "DATA";
    if (shown !== traits.get("shown") && [shown, traits.get("shown")].includes("map")) changes.cut = [];
    traits.setAll(changes);
  }
  function besides() {
    if (traits.get("continuum").length) { traits.set("continuum", []); return; }
    if (traits.get("shown") !== "band") become("band");
    const [a, b] = traits.get("band"), gap = 0.5 * (b - a);
    traits.set("continuum", [[a - gap - BESIDE, a - gap], [b + gap, b + gap + BESIDE]].map(([x, y]) => [Math.max(plot.low, x), Math.min(plot.high, y)]).filter(([x, y]) => y - x > 2 * cube.step));
  }
  function goto(k) {
    const next = waves[Math.max(0, Math.min(waves.length - 1, k))];
    traits.setAll(traits.get("shown") === "plane" ? { wavelength: next } : { wavelength: next, shown: "plane" });
    say(`plane ${plot.planeOf(next) + 1}, ${next.toFixed(2)} Å`);
  }
  function setSecond() { // keep the present image, to blink with what comes
    const info = frames[0].info;
    if (second && second !== frames[0]) image.drop(second);
    second = frameOf(info, frames[0].planes.DATA, null);
    second.of = "kept";
    root.dataset.second = "kept";
    tell();
    blinkButton.disabled = false;
  }
  function blink() {
    const on = traits.get("blink");
    clearInterval(blinking);
    blinking = null;
    seconds = false;
    const stored = traits.get("kept_second");
    if (on && cube.second && !second && alone && stored.nx) {
      second = frameOf(stored, as(Uint16Array, traits.get("kept_second_image")), null);
      second.affine = cube.second.affine; second.of = cube.second.name;
    } else if (on && cube.second && !second) wire.ask("try", { settings: {}, other: true });
    if (on) blinking = setInterval(() => { if (second) { seconds = !seconds; root.dataset.seen = seconds ? "second" : "first"; show(); } }, BLINK);
    show();
  }

  // ---- layout
  const tools = SHAPES.map(([kind, title]) => button(h("span", { class: `mnb-icon mnb-${kind}` }), title, () => choose(kind)));
  const layers = chooser(traits, "layer", "Layer (d)", () => cube.layers.map((name) => [name, name === "NaN" ? "NaN by cause" : name]));
  const shownButtons = [["white", "white", "All wavelengths (1)"], ["plane", "plane", "One plane; click in the spectrum (2)"], ["band", "band", "A band; drag it in the spectrum, or Shift and drag for a new one (3)"], ["rgb", "RGB", "Three bands (4)"], ["map", "map", "Map of a line (5)"]].map(([value, text, title]) => { const one = button(text, title, () => become(value)); one.dataset.value = value; return one; });
  const pressed = () => shownButtons.forEach((one) => { one.setAttribute("aria-pressed", String(one.dataset.value === traits.get("shown"))); one.hidden = one.dataset.value === "map" && !traits.get("cube").maps.length; });
  const blinkButton = toggle(traits, "blink", "blink", cube.second ? `Blink with ${cube.second.name} (b)` : "Blink with the image that was kept (b); keep one with k");
  blinkButton.disabled = !cube.second;
  const how = chooser(traits, "how", "What is made of the band's planes", () => [["mean", "mean"], ["sum", "sum"], ["median", "median"]]);
  const continuum = button("− continuum", "Take off the mean of windows beside the band; drag them in the spectrum (w)", besides);
  const drawing = button("new band", "Drag a new band in the spectrum; or Shift and drag (n)", () => { plot.drawing = !plot.drawing; root.dataset.drawing = plot.drawing ? "on" : ""; });
  const controls = h("div", { class: "mnb-bar" }, group("Image", ...shownButtons), group("Band", how, continuum, drawing), group("Layer", layers),
    group("Stretch", chooser(traits, "stretch", "Stretch (s)", () => STRETCHES.map((s) => [s, s])), chooser(traits, "limits", "Limits (l)", () => LIMITS), chooser(traits, "cmap", "Colour map (m)", () => MAPS().map((name) => [name, name]))),
    group("Apertures", ...tools), group("Blink", button("keep", "Keep this image to blink with (k)", setSecond), blinkButton), group("View", button("⤢", "Whole field (f)", () => image.fit()), button("↔", "Whole spectrum (x)", () => plot.whole()), toggle(traits, "per_spaxel", "÷ area", "Sums by their area, beside the spectra of single spaxels (u)")));
  traits.watch("limits", () => { if (traits.get("cut").length) traits.set("cut", []); });
  const numbers = numbersPanel(traits, perSpaxel), pictures = {
    png: () => asPng(`${cube.name.replace(/\.fits.*$/, "")}.png`, image, bar, plot, paper()), svg: () => asSvg(`${cube.name.replace(/\.fits.*$/, "")}.svg`, image, plot, paper()),
  };
  const paper = () => getComputedStyle(root).backgroundColor;
  const side = h("div", { class: "mnb-side mnb-looks" }, regionList(traits, { choose: (id) => traits.set("chosen", id), change: settle, remove }, perSpaxel), numbers.element, linePanel(traits, cube), savePanel(traits, pictures));
  const root = h("div", { class: "mnb-viewer mnb-cube" }, controls, complaints(traits),
    h("div", { class: "mnb-look" }, h("div", { class: "mnb-seen" }, stage, barHost), h("div", { class: "mnb-taken" }, readout, plotHost), side), heard);
  const cycle = (name, all) => traits.set(name, all[(all.indexOf(traits.get(name)) + 1) % all.length]);
  const step = (dx, dy) => { const [x, y] = traits.get("spaxel").length === 2 ? traits.get("spaxel") : image.where().map(Math.round); pick(x + dx, y + dy); };
  controls.append(keyboard(root, stage, [
    [["1", "2", "3", "4", "5"], "white light, plane, band, RGB, map", (event) => become(["white", "plane", "band", "rgb", "map"][Number(event.key) - 1])],
    [["ArrowLeft", "ArrowRight"], "plane before, next (with shift: 20)", (event) => goto(plot.planeOf(traits.get("wavelength")) + (event.key === "ArrowLeft" ? -1 : 1) * (event.shiftKey ? 20 : 1))],
    [["w"], "windows of continuum beside the band", besides], [["n"], "drag a new band", () => drawing.click()], [["d"], "layer", () => cycle("layer", cube.layers)],
    ...SHAPES.map(([kind, title]) => [[{ polygon: "g" }[kind] ?? kind[0]], title.split(" (")[0].toLowerCase(), () => choose(kind)]),
    [["Enter"], "close the polygon", closePolygon], [["Delete", "Backspace"], "remove the region", () => { if (mine()) remove(mine().id); }],
    [["Tab"], "", null], [["q"], "next region", () => { const all = traits.get("regions"); if (all.length) traits.set("chosen", all[(all.findIndex((one) => one.id === traits.get("chosen")) + 1) % all.length].id); }],
    [["Ctrl+ArrowLeft", "Ctrl+ArrowRight", "Ctrl+ArrowUp", "Ctrl+ArrowDown"], "move the region", (event) => byKey((shape) => moveBy(shape, { ArrowLeft: -1, ArrowRight: 1 }[event.key] ?? 0, { ArrowDown: -1, ArrowUp: 1 }[event.key] ?? 0))],
    [["[", "]"], "make the region smaller, larger", (event) => byKey((shape) => resize(shape, event.key === "[" ? 1 / 1.1 : 1.1))],
    [["H"], "", () => step(-1, 0)], [["L"], "", () => step(1, 0)], [["J"], "", () => step(0, -1)], [["H", "J", "K", "L"], "clicked spaxel by one", () => step(0, 1)],
    [["i"], "lines at the redshift", () => traits.set("lines_shown", !traits.get("lines_shown"))], [["y"], "lines of the night sky", () => traits.set("sky_shown", !traits.get("sky_shown"))],
    [["u"], "sums divided by their area", () => traits.set("per_spaxel", !traits.get("per_spaxel"))], [["k"], "keep this image", setSecond], [["b"], "blink with it, or with the other cube", () => { if (!blinkButton.disabled) traits.set("blink", !traits.get("blink")); }],
    [["s"], "stretch", () => cycle("stretch", STRETCHES)], [["l"], "limits", () => cycle("limits", LIMITS.map(([mode]) => mode))], [["m"], "colour map", () => cycle("cmap", MAPS())],
    [["+", "="], "zoom into the image", () => image.zoom(1.5)], [["-", "_"], "zoom out", () => image.zoom(1 / 1.5)], [["f", "0"], "whole field", () => image.fit()],
    [["<", ">"], "zoom into the spectrum, out", (event) => plot.zoom(event.key === "<" ? 1 / 1.5 : 1.5)], [["x"], "whole spectrum", () => plot.whole()],
    [["Escape"], "let go", () => { if (tool || sketch) choose(null); else traits.setAll({ spaxel: [], chosen: 0 }); image.drawOver(); }],
  ].filter(([, , action]) => action)));
  el.append(root);
  const height = () => root.style.setProperty("--mnb-height", `${traits.get("height")}px`);
  height();

  traits.watch("kept", () => { if (!Object.keys(trial).length) keep(); });
  traits.watch("shown layer band continuum rgb wavelength", () => {
    trial = {}; pressed(); if (alone) own({}); curves();
    if (second && second.of !== "kept") { second = null; seconds = false; blink(); }
  });
  traits.watch("cube", pressed);
  traits.watch("stretch limits cut cmap", show);
  traits.watch("contours chosen", () => image.drawOver());
  traits.watch("spectra", later(keepSpectra, 0));
  traits.watch("per_spaxel", curves);
  traits.watch("regions", () => { image.drawOver(); if (alone) keepSpectra(); else curves(); });
  traits.watch("spaxel", () => { image.drawOver(); if (!traits.get("spaxel").length) picked.delete(0); curves(); });
  traits.watch("pointer", () => { const [x, y] = traits.get("pointer"); if (!hovered && x !== undefined && under && (under.x !== x || under.y !== y)) under = null; if (!hovered) image.drawOver(); });
  traits.watch("xrange yrange redshift lines_shown sky_shown fitted", () => plot.draw());
  traits.watch("small", () => { small = null; });
  traits.watch("blink", blink);
  traits.watch("height", height);
  traits.on("msg:custom", arrive);
  keep();
  bindView(image, traits);
  image.resize();
  pressed();
  keepSpectra();
  blink();
  tell();
  traits.send({ type: "ready" });
  el.museImage = image;
  el.muse = { image, plot, bar, pictures, frames: () => frames };
  root.dataset.painted = String(performance.now());
  return () => { clearInterval(blinking); clearTimeout(resting); traits.close(); image.close(); plot.close(); bar.close(); numbers.close(); };
}

export default { render };
