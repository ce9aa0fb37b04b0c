// The star picker: the kernel centres, fits and saves; here are the pictures of the sky, clicks, and the chart.
import { Traits, as, button, bytes, chooser, complaints, group, h, keyboard, later, needsKernel, number, toggle } from "../shared/ui.js";
import { LIMITS, STRETCHES } from "../shared/constants.js";
import { Frame, ImageCanvas, bindView, fromPixel, toPixel } from "../shared/canvas.js";
import { mapOf, tableOf, tile } from "../shared/colours.js";
import { line } from "../shared/plot.js";
import { BLUE, GREY, RED, ResidualChart, StampStrip, residualsOf, starsOf } from "./parts.js";
import { skyText } from "./position.js";

const TILE = 108;

function render({ model, el }) {
  const traits = new Traits(model);
  const stage = h("div", {}), sheet = h("div", { class: "mnb-sheet" });
  const stripHost = h("div", { class: "mnb-stamps" }), chartHost = h("div", { class: "mnb-chart" });
  const list = h("tbody"), note = h("div", { class: "mnb-note", role: "status" });
  const infos = traits.get("frames"), thumbs = [], whole = infos.map(() => null), tiles = [];
  let stars = [], residuals = [], bad = new Set(); // bad: "star exposure" of what disagrees
  let rgb = false, blinker = null, dragging = null, cursor = null, close = false, table = null, shades = null, clicked = null;
  let pending = []; // clicks that the kernel has not answered: { exposure, x, y } in pixels

  const image = new ImageCanvas(stage, {
    onclick: (x, y) => click(x, y),
    onhover: (x, y) => { sky.textContent = x === null ? "" : position(x, y); },
    grab,
    ondraw: decorate,
  });
  image.set({ smooth: true });
  const chart = new ResidualChart(chartHost, infos.length, select);
  const strip = new StampStrip(stripHost, infos.map((info) => clock(info.name)), (exposure) => traits.set("exposure", exposure));
  const signed = mapOf(bytes(traits.get("signed")));

  // ---- frames
  let from = 0;
  infos.forEach((info) => {
    const frame = new Frame(info), raw = traits.get("thumbs");
    image.put(frame, "DATA", 0, as(Uint16Array, new DataView(raw.buffer, raw.byteOffset + 2 * from, 2 * frame.width * frame.height)));
    from += frame.width * frame.height;
    thumbs.push(frame);
  });
  const frameOf = (i) => whole[i] ?? thumbs[i];
  function arrive(message, buffers) {
    if (message.type === "exists") { overwrite(message.name); return; }
    if (message.type !== "image") return;
    const frame = new Frame({ ...infos[message.exposure], bin: 1 });
    image.put(frame, "DATA", 0, as(Uint16Array, buffers[0]));
    whole[message.exposure] = frame;
    show();
    drawTiles();
    root.dataset.sharp = String(whole.filter(Boolean).length);
  }
  function shift(i) {
    const row = traits.get("rows")[i];
    return row && row.ra_offset_arcsec !== null ? [row.ra_offset_arcsec, row.dec_offset_arcsec] : [0, 0];
  }
  function place(i, aligned = traits.get("aligned")) {
    const { affine, per_arcsec: [a, b, c, d] } = infos[i], [east, north] = aligned ? shift(i) : [0, 0];
    return [...affine.slice(0, 4), affine[4] + a * east + c * north, affine[5] + b * east + d * north];
  }
  function limits(i) { return infos[i].limits[traits.get("limits")]; }
  function three() { const n = infos.length; return n > 2 ? [0, Math.floor(n / 2), n - 1] : [0, n - 1, n - 1]; }
  function show() {
    const i = traits.get("exposure");
    infos.forEach((_, k) => { for (const frame of [thumbs[k], whole[k]]) if (frame) frame.affine = place(k); });
    image.channels = rgb ? three().map((k) => ({ frame: frameOf(k), limits: limits(k) })) : null;
    image.keepView = true;
    image.setFrame(frameOf(i));
    image.set({ stretch: traits.get("stretch"), limits: limits(i) });
    [...sheet.children].forEach((one, k) => one.setAttribute("aria-current", String(k === i)));
    [...list.children].forEach((one, k) => one.setAttribute("aria-current", String(k === i)));
  }
  function colours() {
    const map = mapOf(bytes(traits.get("colour_maps")[traits.get("cmap")]));
    image.setMap(map);
    shades = map;
    table = new Uint32Array(tableOf(map, traits.get("stretch")).buffer);
  }

  // ---- stars
  const selected = () => traits.get("selected");
  const chosen = () => stars.find((star) => star.star === selected());
  function select(star) { if (star !== selected()) traits.set("selected", star); }
  function learn() {
    stars = starsOf(traits, infos.length);
    residuals = residualsOf(traits);
    bad = new Set(residuals.filter((row) => row[7]).map((row) => `${row[0]} ${row[1]}`));
  }
  function nearest(x, y) {
    const i = traits.get("exposure"), s = image.where()[2];
    let best = null;
    for (const star of stars) {
      const at = fromPixel(frameOf(i).affine, ...star.at[i]), apart = Math.hypot(at[0] - x, at[1] - y);
      if (apart < Math.max(9 / s, 0.5 / traits.get("scale")) && (!best || apart < best.apart)) best = { star, apart };
    }
    return best?.star ?? null;
  }
  function grab(x, y, event) {
    const star = rgb ? null : nearest(x, y);
    if (!star || star.dropped || (event.pointerType === "touch" && star.star !== selected())) return null; // a finger pans
    return {
      move: (...to) => { dragging = { star: star.star, to }; image.draw(); },
      drop: (...to) => { dragging = null; put(star.star, to); },
      cancel: () => { dragging = null; image.draw(); },
    };
  }
  function put(star, to) {
    const exposure = traits.get("exposure"), [x, y] = toPixel(frameOf(exposure).affine, ...to);
    select(star);
    ask({ type: "drag", star, exposure, x, y });
  }
  function click(x, y) {
    const i = traits.get("exposure"), frame = frameOf(i), [px, py] = toPixel(frame.affine, x, y);
    if (px < -0.5 || py < -0.5 || px > frame.nx - 0.5 || py > frame.ny - 0.5) return;
    const star = nearest(x, y);
    if (star) { select(star.star); drop(star); return; }
    if (!model.alone) { pending.push({ exposure: i, x: px, y: py, at: performance.now() }); image.paint(); } // its ring at once, whatever the kernel does
    ask({ type: "click", exposure: i, x: px, y: py });
  }
  // Rings that wait give way to the stars that the kernel makes of them.
  function settle(all = false) {
    const reach = 2 / traits.get("scale"), taken = ({ exposure, x, y }) => stars.some((star) => Math.hypot(star.at[exposure][0] - x, star.at[exposure][1] - y) < reach);
    pending = all ? [] : pending.filter((one) => !taken(one));
  }
  function position(x, y) {
    const i = traits.get("exposure"), [px, py] = toPixel(frameOf(i).affine, x, y);
    if (px < -0.5 || py < -0.5 || px > infos[i].nx - 0.5 || py > infos[i].ny - 0.5) return "";
    return `${skyText(infos[i], px, py, traits.get("aligned") ? shift(i) : [0, 0])}   x ${(px + 1).toFixed(1)}, y ${(py + 1).toFixed(1)}`;
  }
  function ask(message) { clicked = performance.now(); if (!model.alone) note.textContent = "measuring …"; traits.send(message); }
  function drop(star = chosen()) { if (star) ask({ type: "drop", star: star.star, dropped: !star.dropped }); }
  function best() { if (!model.alone) ask({ type: "best", most: 20 }); }
  function step(by) {
    if (!stars.length) return;
    const k = stars.findIndex((star) => star.star === selected());
    select(stars[(k + by + stars.length) % stars.length].star);
  }
  function go(by) { traits.set("exposure", (traits.get("exposure") + by + infos.length) % infos.length); }
  function blink() { if (blinker) { clearInterval(blinker); blinker = null; } else blinker = setInterval(() => go(1), 500); blinkButton.setAttribute("aria-pressed", String(Boolean(blinker))); }
  function overlay() { rgb = !rgb; rgbButton.setAttribute("aria-pressed", String(rgb)); show(); }
  function move(dx, dy) {
    const [cx, cy, s] = image.where();
    cursor = cursor ? [cursor[0] + dx * Math.max(1, 6 / s), cursor[1] + dy * Math.max(1, 6 / s)] : [cx, cy];
    image.draw();
  }

  // ---- drawn over the picture
  function decorate(context, view) {
    const i = traits.get("exposure"), s = view.where()[2];
    const radius = Math.max(7, (0.9 / traits.get("scale")) * s);
    if (!rgb) for (const star of stars) {
      const at = dragging?.star === star.star ? dragging.to : fromPixel(view.frame.affine, ...star.at[i]);
      const [x, y] = view.toScreen(...at), wrong = bad.has(`${star.star} ${i}`);
      ring(context, x, y, radius, star.dropped ? GREY : wrong ? RED : BLUE, star.dropped, star.by_hand.includes(i), star.star === selected());
      context.font = "600 11px sans-serif"; context.textBaseline = "middle";
      const right = x + radius + 22 < view.width, from = x + (right ? 1 : -1) * (radius + 4);
      context.textAlign = right ? "left" : "right";
      context.lineWidth = 3; context.strokeStyle = "#000b"; context.strokeText(String(star.star), from, y);
      context.fillStyle = star.dropped ? GREY : wrong ? "#ff9a5c" : "#bfe3f7"; context.fillText(String(star.star), from, y);
    }
    if (!rgb) for (const one of pending) if (one.exposure === i) {
      ring(context, ...view.toScreen(...fromPixel(view.frame.affine, one.x, one.y)), radius, "#ffd37a", true, false, true);
      root.dataset.ringed ??= String(Math.round(performance.now() - one.at));
    }
    if (cursor) {
      const [x, y] = view.toScreen(...cursor);
      context.strokeStyle = "#ffd37a"; context.lineWidth = 1.5;
      line(context, x - 12, y, x - 4, y); line(context, x + 4, y, x + 12, y); line(context, x, y - 12, x, y - 4); line(context, x, y + 4, x, y + 12);
    }
    const how = traits.get("aligned") ? "offsets applied" : "as the headers say";
    label(context, rgb ? `red, green, blue: ${three().map((k) => clock(infos[k].name)).join(", ")}   ${how}` : `${infos[i].name}   ${how}`, 8, 14);
    compass(context, view);
  }
  function ring(context, x, y, radius, colour, dashed, square, strong) {
    for (const [ink, width] of [["#000a", strong ? 5 : 4], [colour, strong ? 2.6 : 1.6]]) {
      context.strokeStyle = ink; context.lineWidth = width;
      context.setLineDash(dashed ? [3, 3] : []);
      context.beginPath();
      if (square) context.rect(x - radius, y - radius, 2 * radius, 2 * radius); else context.arc(x, y, radius, 0, 7);
      context.stroke();
    }
    context.setLineDash([]);
  }
  function label(context, text, x, y) {
    context.font = "12px sans-serif"; context.textBaseline = "middle"; context.textAlign = "left";
    context.lineWidth = 3; context.strokeStyle = "#000b"; context.strokeText(text, x, y);
    context.fillStyle = "#fff"; context.fillText(text, x, y);
  }
  function compass(context, view) {
    const x = view.width - 24, y = view.height - 24, s = view.where()[2] / traits.get("scale");
    context.strokeStyle = "#fff"; context.lineWidth = 1.5;
    line(context, x, y, x, y - 26); line(context, x, y, x - 26, y);
    label(context, "N", x - 4, y - 34); label(context, "E", x - 38, y);
    const seconds = [1, 2, 5, 10, 20].find((one) => one * s > 50) ?? 20;
    context.strokeStyle = "#fff"; context.lineWidth = 1.5;
    line(context, 14, y, 14 + seconds * s, y);
    label(context, `${seconds}″`, 14, y - 10);
  }

  // ---- the sheet of exposures
  infos.forEach((info, i) => {
    const canvas = h("canvas", { class: "mnb-tile-picture" });
    tiles.push(canvas);
    sheet.append(h("button", { type: "button", class: "mnb-tile", title: `${info.name}${info.posang === null ? "" : `, ${info.posang}°`}`, onclick: () => traits.set("exposure", i) },
      canvas, h("span", {}, `${clock(info.name)}${info.posang === null ? "" : `  ${number(info.posang, 3)}°`}`)));
  });
  const bitmaps = [];
  function drawTiles() {
    const stamp = [traits.get("stretch"), traits.get("limits"), traits.get("cmap")].join();
    const ratio = window.devicePixelRatio || 1, star = chosen();
    tiles.forEach((canvas, i) => {
      const frame = frameOf(i), affine = place(i);
      if (bitmaps[i]?.stamp !== stamp || bitmaps[i].frame !== frame) bitmaps[i] = { stamp, frame, picture: tile(frame, limits(i), table) };
      canvas.width = canvas.height = Math.round(TILE * ratio);
      const context = canvas.getContext("2d"), [west, south, east, north] = infos[i].box;
      let [cx, cy, z] = [(west + east) / 2, (south + north) / 2, (TILE * ratio) / Math.max(east - west, north - south)];
      if (close && star) { [cx, cy] = fromPixel(affine, ...star.at[i]); z = (TILE * ratio) / (8 / traits.get("scale")); }
      const screen = (px, py) => { const [x, y] = fromPixel(affine, px, py); return [canvas.width / 2 + (x - cx) * z, canvas.height / 2 - (y - cy) * z]; };
      const corner = (u, v) => screen(u * frame.bin - 0.5, (frame.height - v) * frame.bin - 0.5);
      const o = corner(0, 0), x = corner(1, 0), y = corner(0, 1);
      context.fillStyle = "#16171b"; context.fillRect(0, 0, canvas.width, canvas.height);
      context.imageSmoothingEnabled = !(close && star);
      context.setTransform(x[0] - o[0], x[1] - o[1], y[0] - o[0], y[1] - o[1], o[0], o[1]);
      context.drawImage(bitmaps[i].picture, 0, 0);
      context.setTransform(1, 0, 0, 1, 0, 0);
      for (const one of stars) {
        if (close && one !== star) continue;
        const at = screen(...one.at[i]);
        context.strokeStyle = one.dropped ? GREY : bad.has(`${one.star} ${i}`) ? RED : BLUE; context.lineWidth = (one === star ? 2.2 : 1.2) * ratio;
        context.beginPath(); context.arc(...at, (close ? 22 : 4) * ratio, 0, 7); context.stroke();
      }
    });
  }

  // ---- the table and the chart
  function drawTable() {
    list.replaceChildren(...traits.get("rows").map((row, i) => {
      const cell = (value, error) => (value === null ? "–" : `${(1e3 * value).toFixed(1).replace("-", "−")} ± ${error === null ? "?" : (1e3 * error).toFixed(1)}`);
      return h("tr", { title: row.why || row.verdict, "aria-current": String(i === traits.get("exposure")), onclick: () => traits.set("exposure", i) },
        h("td", {}, h("span", { class: `mnb-dot mnb-${row.verdict}` }), clock(infos[i].name)),
        h("td", {}, cell(row.ra_offset_arcsec, row.ra_error_arcsec)), h("td", {}, cell(row.dec_offset_arcsec, row.dec_error_arcsec)), h("td", {}, String(row.n_stars)));
    }));
    const row = traits.get("rows")[traits.get("exposure")];
    why.textContent = row ? `${clock(infos[traits.get("exposure")].name)} ${row.verdict}${row.why ? `: ${row.why}` : ""}` : "";
    method.textContent = traits.get("method") ? `from ${traits.get("method")}` : "";
    root.classList.toggle("mnb-empty", !stars.length);
  }
  function drawParts() {
    const current = traits.get("exposure"), star = chosen();
    const off = new Set(infos.map((_, i) => i).filter((i) => bad.has(`${selected()} ${i}`)));
    zoomButton.disabled = !star && !close;
    const mine = traits.get("stamps")?.star === selected() ? traits.get("stamps") : {};
    const hint = star && model.alone ? `The fit of star ${star.star} is in the notebook: this page has no kernel.` : star ? `No fit of star ${star.star}: ${star.dropped ? "it is dropped (x takes it back)" : "too few exposures show it"}.` : "Select a star: its data, model and residual in every exposure appear here.";
    strip.show(mine, shades, signed, { current, off, hint });
    chart.show(residuals, { selected: selected(), current, hint: stars.length ? "No residuals yet." : "Click stars, or add the 20 best: the residual of each star in each exposure appears here." });
  }
  function refresh() { drawTiles(); drawTable(); drawParts(); image.draw(); }
  function summary() {
    const used = stars.filter((star) => !star.dropped).length, files = traits.get("files"), many = `${used} star${used > 1 ? "s" : ""}`;
    if (model.alone) { // nothing is saved or measured here
      const own = stars.filter((star) => star.sky).length;
      note.textContent = `${used ? `${many} marked, ${own ? `${own} of them on this page` : "all in the notebook"}. ` : ""}Click to mark a star; to have it centred and measured, open the notebook.`;
      return;
    }
    const list = traits.get("list_state"), remark = traits.get("remark");
    const text = traits.get("status") || [used ? `${many} in use, saved in ${files.picks}.` : "Click a star: it is found in all exposures.", remark, list].filter(Boolean).join(" ");
    note.textContent = text;
    note.classList.toggle("mnb-stale", Boolean(list) && !traits.get("status"));
  }
  function answered() {
    root.dataset.measured = String(traits.get("measured"));
    if (clicked !== null) root.dataset.answered = String(Math.round(performance.now() - clicked));
    clicked = null;
  }
  function overwrite(name) {
    writeButton.textContent = `Replace ${name}?`;
    writeButton.classList.add("mnb-warning");
    setTimeout(() => { writeButton.textContent = "Write OFFSET_LIST"; writeButton.classList.remove("mnb-warning"); }, 5000);
  }
  function write() { if (!model.alone) traits.send({ type: "write", force: writeButton.classList.contains("mnb-warning") }); }

  // ---- layout
  const exposures = chooser(traits, "exposure", "Exposure (← →)", () => infos.map((info, i) => [i, info.name]));
  const blinkButton = button("blink", "Blink through the exposures (b)", blink), rgbButton = button("RGB", "Three exposures in red, green and blue (r)", overlay);
  const writeButton = button("Write OFFSET_LIST", "Write the offsets for the combine (w)", write), method = h("span", { class: "mnb-hint" });
  const why = h("div", { class: "mnb-why", role: "status" });
  writeButton.classList.add("mnb-primary");
  const maps = chooser(traits, "cmap", "Colour map (m)", () => Object.keys(traits.get("colour_maps")).map((name) => [name, name]));
  const zoomButton = button("⌕", "Show the selected star in all tiles (z)", () => { close = !close; zoomButton.setAttribute("aria-pressed", String(close)); drawTiles(); });
  const sky = h("span", { class: "mnb-hint mnb-sky" });
  const undo = () => { if (!model.alone) traits.send({ type: "undo" }); }, redo = () => { if (!model.alone) traits.send({ type: "redo" }); };
  const kernels = [button("Add the 20 best", "Add the stars that tell most (t)", best), button("↶", "Undo (Ctrl+Z)", undo), button("↷", "Redo (Ctrl+Y)", redo)];
  needsKernel(model, ...kernels, writeButton);
  const bar = h("div", { class: "mnb-bar" },
    group("Exposure", button("‹", "Exposure before (←)", () => go(-1)), exposures, button("›", "Next exposure (→)", () => go(1))),
    group("Stars", ...kernels, zoomButton),
    group("Compare", toggle(traits, "aligned", "offsets on", "Before and after the offsets (a)"), blinkButton, rgbButton),
    group("Stretch", chooser(traits, "stretch", "Stretch (s)", () => STRETCHES.map((s) => [s, s])), chooser(traits, "limits", "Limits (l)", () => LIMITS), maps),
    group("View", button("⤢", "Whole field (f)", () => image.fit())), writeButton, sky);
  const side = h("div", { class: "mnb-side mnb-offsets" }, h("div", { class: "mnb-heading" }, "Offsets ", method),
    h("table", {}, h("thead", {}, h("tr", {}, h("th", {}, "exposure"), h("th", {}, "RA [mas]"), h("th", {}, "Dec [mas]"), h("th", {}, "stars"))), list), why);
  const root = h("div", { class: "mnb-viewer mnb-stars" }, bar, complaints(traits), h("div", { class: "mnb-picture" }, sheet, h("div", { class: "mnb-grid" }, stage), side), stripHost, chartHost, note);
  const cycle = (name, all) => traits.set(name, all[(all.indexOf(traits.get(name)) + 1) % all.length]);
  bar.append(keyboard(root, stage, [
    [["ArrowLeft"], "", (event) => (event.shiftKey ? move(-1, 0) : go(-1))], [["ArrowRight"], "", (event) => (event.shiftKey ? move(1, 0) : go(1))],
    [["ArrowUp"], "", () => move(0, 1)], [["ArrowDown"], "", () => move(0, -1)],
    [["←", "→"], "exposure before, next", () => {}], [["shift ←", "→", "↑", "↓"], "move the cross", () => {}],
    [["Enter", " "], "add or drop the star at the cross", () => { if (cursor) click(...cursor); }],
    [[",", "."], "star before, next", (event) => step(event.key === "." ? 1 : -1)], [["x", "Delete"], "drop the selected star, or take it back", () => drop()],
    [["p"], "put the selected star at the cross, in this exposure", () => { if (cursor && chosen()) put(selected(), cursor); }],
    [["t"], "add the 20 best", best],
    [["Ctrl+z"], "undo", undo], [["Ctrl+y", "Ctrl+Z"], "redo", redo],
    [["a"], "before and after the offsets", () => traits.set("aligned", !traits.get("aligned"))], [["b"], "blink through the exposures", blink], [["r"], "red, green, blue overlay", overlay],
    [["z"], "the selected star in all tiles", () => zoomButton.click()],
    [["s"], "stretch", () => cycle("stretch", STRETCHES)], [["l"], "limits", () => cycle("limits", LIMITS.map(([mode]) => mode))], [["m"], "colour map", () => cycle("cmap", Object.keys(traits.get("colour_maps")))],
    [["+", "="], "zoom in", () => image.zoom(1.5)], [["-", "_"], "zoom out", () => image.zoom(1 / 1.5)], [["f", "0"], "whole field", () => image.fit()],
    [["w"], "write the OFFSET_LIST", write], [["Escape"], "no selection", () => { cursor = null; select(0); image.draw(); }],
  ]));
  const height = () => root.style.setProperty("--mnb-height", `${traits.get("height")}px`);
  el.append(root);
  height();

  traits.watch("exposure", () => { show(); drawTable(); drawParts(); });
  traits.watch("aligned rows", later(() => { show(); drawTiles(); }, 0));
  traits.watch("stretch cmap", () => { colours(); show(); drawTiles(); drawParts(); });
  traits.watch("limits", () => { show(); drawTiles(); });
  // one message changes many of these: draw once
  traits.watch("stars places rows residuals method selected stamps", later(() => { learn(); settle(); refresh(); }, 0));
  traits.watch("error", () => { if (traits.get("error")) { settle(true); image.draw(); } });
  traits.watch("stars measured status files error remark list_state", later(summary, 0));
  traits.watch("measured error", later(answered, 0));
  traits.watch("height", height);
  traits.on("msg:custom", arrive);
  learn();
  colours();
  show();
  bindView(image, traits);
  refresh();
  summary();
  if (!traits.get("rows").length && !model.alone) note.textContent = "measuring all stars …";
  traits.send({ type: "ready" });
  el.museImage = image;
  return () => { clearInterval(blinker); traits.close(); image.close(); chart.close(); strip.close(); };
}

// The time of day in the name of an exposure, 2014-07-27T031200.
function clock(name) { return name.slice(11).replace(/^(\d\d)(\d\d)(\d\d)$/, "$1:$2:$3"); }

export default { render };
