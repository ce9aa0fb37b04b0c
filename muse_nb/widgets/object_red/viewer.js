// The OBJECT_RED viewer: the kernel gives frames and readings, everything one does with a frame happens here.
import { Traits, as, bytes, button, chooser, choice, complaints, group, h, keyboard, number, toggle } from "../shared/ui.js";
import { LIMITS, STRETCHES, THUMBS } from "../shared/constants.js";
import { Frame, ImageCanvas, LAYERS, bindView } from "../shared/canvas.js";
import { mapOf } from "../shared/colours.js";
import { Plot, line, trace } from "../shared/plot.js";
import { Others } from "./others.js";
import { bordersOf, drawBorders, shadeGaps } from "./slices.js";

const MODES = [...LIMITS, ["custom", "by hand"]];
const PATIENCE = 120; // ms without a further step before the whole frame is asked for

function render({ model, el }) {
  const traits = new Traits(model);
  const stage = h("div", {}), side = h("div", { class: "mnb-side" });
  const rowHost = h("div", { class: "mnb-row-cut" }), columnHost = h("div", { class: "mnb-column-cut" });
  const status = h("div", { class: "mnb-status", role: "status" });
  const progress = h("div", { class: "mnb-progress" });
  let hover = null, asked = false, reading = null, frame = null, thumb = null, pinned = null, showingPinned = false, blinker = null, waiting = null, received = {};

  const image = new ImageCanvas(stage, {
    onhover: (x, y) => { hover = x === null ? null : [Math.round(x), Math.round(y)]; ask(); if (traits.get("cuts")) image.draw(); },
    onclick: (x, y) => select(Math.round(x), Math.round(y)),
    ondraw: (context, view) => { decorate(context, view); drawCuts(); },
  });
  const rowPlot = new Plot(rowHost), columnPlot = new Plot(columnHost);

  const others = model.alone ? new Others(traits) : null; // frames of a page without a kernel
  const bits = () => traits.get("bits");
  const binned = () => Boolean(model.alone) && image.frame?.bin > 1; // a page without a kernel holds no more than that
  // ---- frames
  function describe() {
    const info = traits.get("frame");
    if (!info.id) return;
    const old = [frame, thumb];
    thumb = Object.assign(new Frame(info), { table: info.table });
    frame = Object.assign(new Frame({ ...info, bin: 1 }), { table: [] });
    received = {};
    for (const [plane, name] of Object.entries(THUMBS)) {
      const view = traits.get(name);
      if (view?.byteLength) image.put(thumb, plane, 0, typed(plane, info.wide, view));
    }
    for (const one of old) if (one && one !== pinned?.frame) image.drop(one);
    image.setFrame(thumb);
    room();
    settings();
    chips();
    clearTimeout(waiting);
    waiting = setTimeout(() => { received.asked = true; need("DATA", "DQ"); if (["STAT", "S/N"].includes(traits.get("layer"))) need("STAT"); }, PATIENCE);
    root.dataset.frame = info.name;
    root.dataset.sharp = "";
    requestAnimationFrame(() => requestAnimationFrame(() => { root.dataset.painted ??= String(Math.round(performance.now())); }));
  }
  function typed(plane, wide, view) { return plane !== "DQ" ? as(Uint16Array, view) : wide ? as(Uint16Array, view) : bytes(view); }
  function need(...planes) {
    const fresh = planes.filter((plane) => !received[plane] && !(traits.get("frame").absent ?? []).includes(plane));
    fresh.forEach((plane) => { received[plane] = 1e-9; });
    if (fresh.length) traits.send({ type: "need", frame: traits.get("frame").id, planes: fresh });
  }
  function strip(message, buffers) {
    if (message.type === "reading") { asked = false; reading = message; tell(); if (hover && (hover[0] !== message.x || hover[1] !== message.y)) ask(); return; }
    const info = traits.get("frame");
    if (message.type !== "strip" || message.frame !== info.id || !received[message.plane]) return;
    const values = typed(message.plane, message.wide, buffers[0]);
    if (message.table) frame.table = message.table;
    image.put(frame, message.plane, message.row, values);
    received[message.plane] = (message.row + values.length / info.nx) / info.ny;
    progress.style.width = `${100 * received.DATA}%`;
    const ready = ["DATA", "DQ"].every((plane) => received[plane] > 0.9999 || (info.absent ?? []).includes(plane));
    if (received[message.plane] > 0.9999 && message.plane === "STAT") settings();
    if (ready && image.frame === thumb) {
      image.setFrame(frame);
      settings();
      progress.style.width = "0";
      root.dataset.sharp = String(Math.round(performance.now()));
    }
  }

  // ---- how it is shown
  function range_() {
    const info = traits.get("frame"), mode = traits.get("limits");
    if (mode === "custom" && traits.get("range").length === 2) return traits.get("range");
    return info.limits?.[traits.get("layer")]?.[mode] ?? [0, 1];
  }
  function settings() {
    const layer = traits.get("layer"), limits = range_();
    image.set({ layer, stretch: traits.get("stretch"), limits });
    [low.value, high.value] = limits.map((v) => number(v, 4).replace("−", "-"));
    if ((layer === "STAT" || layer === "S/N") && received.asked) need("STAT");
    marks();
  }
  function marks() {
    const on = traits.get("marks") || traits.get("layer") === "DQ", hidden = traits.get("hidden");
    const shown = bits().filter((bit) => on && !hidden.includes(bit.name));
    for (const one of [thumb, frame]) {
      if (!one) continue;
      const rgba = new Uint8Array(1024 * Math.max(1, Math.ceil(one.table.length / 256)));
      one.table.forEach((value, i) => {
        const bit = shown.find((b) => Math.floor(value / b.value) % 2 === 1);
        if (bit) rgba.set([1, 3, 5].map((k) => parseInt(bit.colour.slice(k, k + 2), 16)).concat(255), 4 * i);
      });
      image.setMarks(one, rgba);
    }
  }
  function chips() {
    const info = traits.get("frame"), hidden = traits.get("hidden");
    const one = (bit, i) => h("button", {
      type: "button", class: "mnb-chip", "aria-pressed": String(!hidden.includes(bit.name)), title: `${bit.meaning} (${i + 1})`, "data-bit": bit.name,
      onclick: () => flip(bit.name),
    }, h("span", { class: "mnb-swatch", style: `background:${bit.colour}` }), h("span", {}, bit.name), h("span", { class: "mnb-count" }, percent(bit.fraction)));
    side.replaceChildren(h("div", { class: "mnb-heading" }, "Flagged pixels"), ...bits().map(one));
    if (!bits().length) side.append(h("div", { class: "mnb-hint" }, (info.absent ?? []).includes("DQ") ? "This frame has no DQ." : "None is flagged."));
    if (binned()) side.append(h("div", { class: "mnb-hint mnb-binned" }, `This page holds the ${info.nx} × ${info.ny} frame binned ${info.bin} × ${info.bin}: means of the pixels, and every flag that is set in the block. The notebook shows each pixel.`));
    if ((info.absent ?? []).includes("STAT")) side.append(h("div", { class: "mnb-hint" }, "This frame has no STAT."));
    side.append(h("div", { class: "mnb-heading" }, "Pixel"), status);
  }
  function flip(name) {
    const hidden = traits.get("hidden");
    traits.set("hidden", hidden.includes(name) ? hidden.filter((n) => n !== name) : [...hidden, name]);
  }
  const percent = (f) => (f >= 0.0995 ? `${(100 * f).toFixed(0)} %` : f >= 0.001 ? `${(100 * f).toFixed(1)} %` : `${number(f * 1e6, 2)} ppm`);

  // ---- pixels
  function select(x, y) {
    const { nx, ny } = traits.get("frame");
    if (x < 0 || y < 0 || x >= nx || y >= ny) return;
    traits.set("pixel", [x, y]);
  }
  function step(dx, dy) {
    const [x, y] = traits.get("pixel").length === 2 ? traits.get("pixel") : image.where().map(Math.round);
    select(x + dx, y + dy);
  }
  function ask() {
    if (!hover || model.alone) { reading = null; tell(); return; }
    if (asked) return;
    asked = true;
    setTimeout(() => { asked = false; }, 1500); // a busy kernel, or none
    traits.send({ type: "hover", x: hover[0], y: hover[1] });
    if (!reading || reading.x !== hover[0] || reading.y !== hover[1]) tell();
  }
  function tell() {
    const known = hover ? (reading && reading.x === hover[0] && reading.y === hover[1] ? reading : roughly(...hover)) : traits.get("readout");
    const rows = [];
    if (known && known.x !== undefined) {
      rows.push(["x, y", binned() && known.rough ? `${block(known.x, "nx")}, ${block(known.y, "ny")}` : `${known.x + 1}, ${known.y + 1}`]);
      rows.push([binned() && known.rough ? "mean" : "value", `${known.rough ? "≈ " : ""}${number(known.value, 6)} ${known.unit ?? ""}`]);
      if (known.sigma) rows.push(["σ", number(known.sigma, 4)], ["S/N", number(known.snr, 4)]);
      if (known.slice) rows.push(["slice", String(known.slice)]);
      if (known.wavelength) rows.push(["λ", `${known.wavelength.toFixed(2)} Å`]);
      rows.push(["DQ", known.dq_names?.length ? known.dq_names.join(", ") : known.dq === 0 ? "good" : known.dq === null ? "absent" : "…"]);
    }
    status.replaceChildren(...(rows.length ? rows.flatMap(([k, v]) => [h("span", { class: "mnb-key" }, k), h("span", {}, v)]) : [h("span", { class: "mnb-hint mnb-wide" }, "Point at a pixel; click to keep it. x and y count from 1, as in FITS.")]));
  }
  function block(at, size) {
    const { bin } = image.frame, first = Math.floor(at / bin) * bin;
    return `${first + 1}–${Math.min(first + bin, traits.get("frame")[size])}`;
  }
  function roughly(x, y) {
    const from = image.frame;
    if (!from || x < 0 || y < 0 || x >= from.nx || y >= from.ny) return null;
    const variance = from.value(x, y, "STAT"), value = from.value(x, y), info = traits.get("frame");
    const dq = from.table?.[from.planes.DQ?.[Math.floor(y / from.bin) * from.width + Math.floor(x / from.bin)] ?? 0] ?? 0;
    const names = bits().filter((b) => Math.floor(dq / b.value) % 2 === 1).map((b) => b.name);
    return { x, y, value, sigma: variance > 0 ? Math.sqrt(variance) : null, snr: value / Math.sqrt(variance), dq, dq_names: names, unit: info.unit, rough: true };
  }

  // ---- drawn over the picture
  function decorate(context, view) {
    const edges = bordersOf(traits.get("borders"));
    if (edges && traits.get("layer") !== "DQ") shadeGaps(context, view, edges, traits.get("frame"));
    if (edges && traits.get("slices")) drawBorders(context, view, edges, traits.get("frame"));
    if (traits.get("layer") !== "DQ") view.colourBar(context, { DATA: traits.get("frame").unit, STAT: `${traits.get("frame").unit}²`, "S/N": "S/N" }[traits.get("layer")]);
    const pixel = traits.get("pixel"), s = view.where()[2];
    if (pixel.length === 2) {
      const [x, y] = view.toScreen(...pixel), half = Math.max(s / 2, 5);
      context.strokeStyle = "#fff"; context.lineWidth = 1.5; context.strokeRect(x - half, y - half, 2 * half, 2 * half);
      context.strokeStyle = "#0008"; context.lineWidth = 1; context.strokeRect(x - half - 1.5, y - half - 1.5, 2 * half + 3, 2 * half + 3);
    }
    const label = showingPinned ? pinned.name : traits.get("frame").name;
    const text = `${label ?? ""}${showingPinned ? "  (kept)" : binned() ? `  binned ${image.frame.bin} × ${image.frame.bin}` : image.frame === thumb && !model.alone ? "  …" : ""}`;
    context.font = "12px sans-serif"; context.textBaseline = "top";
    context.lineWidth = 3; context.strokeStyle = "#000a"; context.strokeText(text, 8, 8);
    context.fillStyle = "#fff"; context.fillText(text, 8, 8);
  }
  function drawCuts() {
    if (!traits.get("cuts")) return;
    const at = hover ?? (traits.get("pixel").length === 2 ? traits.get("pixel") : null), from = image.frame;
    if (!at || !from) return;
    const layer = traits.get("layer") === "STAT" ? "STAT" : "DATA";
    const [cx, cy, s] = image.where(), shown = traits.get("layer") === layer ? range_() : traits.get("frame").limits[layer]["99.5"];
    const room = 0.08 * (shown[1] - shown[0]), limits = [shown[0] - room, shown[1] + room]; // as the colours: what is bright is high
    const across = cut(from, at, image.width / s, cx, 0, layer), along = cut(from, at, image.height / s, cy, 1, layer);
    rowPlot.draw((plot) => {
      const { context, sx, sy, top, bottom } = plot.axes({ x: across.ends, y: limits, left: 0, right: 0, top: 2, bottom: 16, ylabel: "" });
      const inside = (v) => Math.min(limits[1], Math.max(limits[0], v));
      trace(context, across.positions, across.values.map(inside), sx, sy, plot.accent);
      context.strokeStyle = plot.ink; context.setLineDash([3, 3]); line(context, sx(at[0]), top, sx(at[0]), bottom); context.setLineDash([]);
      context.textAlign = "left"; context.textBaseline = "top"; context.fillText(`row ${at[1] + 1}: ${number(limits[0], 4)} to ${number(limits[1], 4)}`, 6, 6);
    });
    columnPlot.draw((plot) => {
      const { context, width, height } = plot.begin();
      const sx = (v) => 2 + ((v - limits[0]) / (limits[1] - limits[0])) * (width - 4), sy = (v) => height / 2 - (v - cy) * s;
      context.strokeStyle = plot.faint; context.strokeRect(0.5, 0.5, width - 1, height - 1);
      context.strokeStyle = plot.accent; context.lineWidth = 1.2; context.beginPath();
      let pen = false;
      along.values.forEach((v, i) => { if (!Number.isFinite(v)) { pen = false; return; } const p = [sx(v), sy(along.positions[i])]; if (pen) context.lineTo(...p); else context.moveTo(...p); pen = true; });
      context.stroke();
      context.strokeStyle = plot.ink; context.lineWidth = 1; context.setLineDash([3, 3]); line(context, 0, sy(at[1]), width, sy(at[1])); context.setLineDash([]);
      context.fillStyle = plot.ink; context.textBaseline = "top"; context.fillText(`column ${at[0] + 1}`, 6, 6);
    });
  }
  function cut(from, at, span, centre, axis, layer) {
    const size = axis ? from.ny : from.nx, ends = [centre - span / 2, centre + span / 2];
    const positions = [], values = [];
    for (let k = Math.max(0, Math.floor(ends[0])); k <= Math.min(size - 1, Math.ceil(ends[1])); k += from.bin) {
      positions.push(k);
      values.push(axis ? from.value(at[0], k, layer) : from.value(k, at[1], layer));
    }
    return { positions, values, ends };
  }

  // ---- blink: keep a frame, and change between it and the present one
  function keep() {
    if (pinned && pinned.frame !== frame && pinned.frame !== thumb) image.drop(pinned.frame);
    pinned = { frame: image.frame, name: traits.get("frame").name };
    keepButton.setAttribute("aria-pressed", "true");
    keepButton.title = `${pinned.name} is kept; press to keep the present frame (k)`;
    image.draw();
  }
  function swap() {
    if (!pinned) return;
    showingPinned = !showingPinned;
    image.keepView = true;
    image.setFrame(showingPinned ? pinned.frame : (received.DATA > 0.9999 ? frame : thumb));
    image.keepView = false;
  }
  function blink() {
    if (blinker) { clearInterval(blinker); blinker = null; if (showingPinned) swap(); return; }
    if (pinned) blinker = setInterval(swap, 450);
    else cycle("layer", LAYERS, 1);
  }
  function cycle(name, list, by) { traits.set(name, list[(list.indexOf(traits.get(name)) + by + list.length) % list.length]); }
  function goIfu(by) {
    const list = others?.ifus() ?? traits.get("ifus"), place = list.indexOf(traits.get("ifu")) + by;
    if (place >= 0 && place < list.length) traits.set("ifu", list[place]);
  }
  function goExposure(by) {
    const place = traits.get("exposure") + by;
    if ((others?.exposures() ?? traits.get("exposures").map((_, i) => [i])).some(([i]) => i === place)) traits.set("exposure", place);
  }
  function contrast(factor) {
    const [a, b] = range_();
    traits.setAll({ range: [a, a + (b - a) * factor], limits: "custom" });
  }

  // ---- layout
  const low = h("input", { class: "mnb-number", type: "text", inputmode: "decimal", title: "Lower limit", "aria-label": "Lower limit" });
  const high = h("input", { class: "mnb-number", type: "text", inputmode: "decimal", title: "Upper limit", "aria-label": "Upper limit" });
  for (const input of [low, high]) input.addEventListener("change", () => {
    const values = [Number(low.value), Number(high.value)];
    if (values.every(Number.isFinite) && values[1] > values[0]) traits.setAll({ range: values, limits: "custom" }); else settings();
  });
  const exposures = chooser(traits, "exposure", "Exposure (↑ ↓)", () => (others?.exposures() ?? traits.get("exposures").map((name, i) => [i, name])));
  const ifus = chooser(traits, "ifu", "IFU (← →)", () => (others?.ifus() ?? traits.get("ifus")).map((ifu) => [ifu, `IFU ${String(ifu).padStart(2, "0")}`]));
  const maps = chooser(traits, "cmap", "Colour map (m)", () => Object.keys(traits.get("colour_maps")).map((name) => [name, name]));
  const keepButton = button("keep", "Keep this frame to blink with (k)", keep);
  const slicesButton = toggle(traits, "slices", "slices", "Slice borders (e)");
  const bar = h("div", { class: "mnb-bar" },
    group("Frame", button("‹", "IFU before (←)", () => goIfu(-1)), ifus, button("›", "Next IFU (→)", () => goIfu(1)), exposures),
    choice(traits, "layer", "Layer", LAYERS.map((name, i) => [name, name, `Show ${name} (${"dqvn"[i]})`])),
    group("Stretch", chooser(traits, "stretch", "Stretch (s)", () => STRETCHES.map((s) => [s, s])), chooser(traits, "limits", "Limits (l)", () => MODES), low, high, maps),
    group("Overlay", toggle(traits, "marks", "flags", "Draw flagged pixels (o)"), slicesButton, toggle(traits, "cuts", "cuts", "Row and column cuts (c)")),
    group("View", keepButton, button("blink", "Blink with the kept frame (b)", blink), button("⤢", "Whole frame (f)", () => image.fit())),
  );
  const picture = h("div", { class: "mnb-picture" }, side);
  const root = h("div", { class: "mnb-viewer mnb-object-red" }, bar, complaints(traits), picture, progress);
  bar.append(keyboard(root, stage, [
    [["ArrowLeft"], "", () => goIfu(-1)], [["ArrowLeft", "ArrowRight"], "IFU before, next", () => goIfu(1)],
    [["ArrowUp"], "", () => goExposure(-1)], [["ArrowUp", "ArrowDown"], "exposure before, next", () => goExposure(1)],
    [["d"], "DATA", () => traits.set("layer", "DATA")], [["q"], "DQ", () => traits.set("layer", "DQ")], [["v"], "STAT (variance)", () => traits.set("layer", "STAT")], [["n"], "S/N", () => traits.set("layer", "S/N")],
    [["s"], "stretch", () => cycle("stretch", STRETCHES, 1)], [["l"], "limits", () => cycle("limits", LIMITS.map(([mode]) => mode), 1)], [["m"], "colour map", () => cycle("cmap", Object.keys(traits.get("colour_maps")), 1)],
    [["["], "", () => contrast(0.7)], [["[", "]"], "more, less contrast", () => contrast(1 / 0.7)],
    [["o"], "flagged pixels", () => traits.set("marks", !traits.get("marks"))], [["1", "…", "9"], "one DQ bit", () => {}],
    ...Array.from({ length: 9 }, (_, i) => [[String(i + 1)], "", () => { const bit = bits()[i]; if (bit) flip(bit.name); }]),
    [["e"], "slice borders", () => traits.set("slices", !traits.get("slices"))], [["c"], "cuts", () => traits.set("cuts", !traits.get("cuts"))],
    [["k"], "keep this frame", keep], [["b"], "blink with the kept frame", blink],
    [["+", "="], "zoom in", () => image.zoom(1.5)], [["-", "_"], "zoom out", () => image.zoom(1 / 1.5)], [["f", "0"], "whole frame", () => image.fit()],
    [["H"], "", () => step(-1, 0)], [["L"], "", () => step(1, 0)], [["J"], "", () => step(0, -1)], [["H", "J", "K", "L"], "selected pixel by one", () => step(0, 1)],
    [["i", "z"], "selected pixel at 8x", () => { const p = traits.get("pixel"); if (p.length === 2) image.look([p[0], p[1], 8]); }],
    [["Escape"], "let the pixel go", () => traits.set("pixel", [])],
  ]));
  const grid = h("div", { class: "mnb-grid" }, stage, columnHost, rowHost);
  picture.prepend(grid);
  // The stage takes the shape of the frame: no half of it stays black.
  function room() {
    const { nx, ny } = traits.get("frame"), wide = picture.clientWidth, most = traits.get("height"), narrow = wide < 600, cut = traits.get("cuts") ? 110 : 0;
    if (!nx || !wide) return;
    const width = Math.max(Math.min(260, wide), Math.min(wide - (narrow ? 0 : 190) - cut, (most * nx) / ny)), tall = Math.min(most, Math.max(120, (width * ny) / nx));
    stage.style.height = `${Math.round(tall)}px`;
    grid.style.flex = narrow ? "" : `0 1 ${Math.round(width + cut)}px`;
    side.style.cssText = narrow ? "" : `flex:1 0 190px;max-height:${Math.max(320, Math.round(tall) + (cut ? 92 : 0))}px`;
  }
  const roomy = new ResizeObserver(() => room());
  roomy.observe(picture);
  const height = () => { stage.style.height = `${traits.get("height")}px`; room(); };
  const cutting = () => { root.classList.toggle("mnb-cuts", traits.get("cuts")); room(); requestAnimationFrame(() => image.resize()); };
  el.append(root);
  height();

  traits.watch("frame", () => { exposures.refresh(); ifus.refresh(); describe(); tell(); });
  traits.watch("layer stretch limits range", settings);
  traits.watch("marks", marks);
  traits.watch("bits", () => { marks(); chips(); });
  traits.watch("hidden", () => { marks(); chips(); tell(); });
  traits.watch("cmap", () => image.setMap(mapOf(bytes(traits.get("colour_maps")[traits.get("cmap")]))));
  traits.watch("slices borders pixel", () => image.draw());
  traits.watch("borders", hasSlices);
  traits.watch("beckon", () => root.scrollIntoView({ block: "center", behavior: "auto" }));
  function hasSlices() {
    slicesButton.disabled = !traits.get("borders")?.byteLength;
    slicesButton.title = slicesButton.disabled ? "Slice borders: no TRACE_TABLE of this IFU was given" : "Slice borders (e)";
  }
  traits.watch("readout", tell);
  traits.watch("cuts", cutting);
  traits.watch("height", height);
  traits.on("msg:custom", strip);
  image.setMap(mapOf(bytes(traits.get("colour_maps")[traits.get("cmap")])));
  describe();
  hasSlices();
  bindView(image, traits);
  cutting();
  tell();
  el.museImage = image; // for tests and the curious
  return () => { clearInterval(blinker); clearTimeout(waiting); roomy.disconnect(); traits.close(); image.close(); rowPlot.close(); columnPlot.close(); };
}

export default { render };
