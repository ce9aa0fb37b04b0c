// The star picker: the kernel centres, fits and saves; here are the pictures of the sky, clicks, and the chart.
import { Traits, as, button, bytes, chooser, complaints, group, h, keyboard, later, number, toggle } from "./ui.js";
import { Frame, ImageCanvas, fromPixel, mapOf, STRETCHES, tableOf, tile, toPixel } from "./canvas.js";
import { Plot, line } from "./plot.js";

const MODES = ["zscale", "90", "98", "99.5", "99.9", "all"];
const BLUE = "#56b4e9", RED = "#d55e00", GREY = "#9a9a9a", TILE = 108;

function render({ model, el }) {
  const traits = new Traits(model);
  const stage = h("div", {}), sheet = h("div", { class: "mnb-sheet" }), chartHost = h("div", { class: "mnb-chart" });
  const list = h("tbody"), note = h("div", { class: "mnb-note", role: "status" });
  const infos = traits.get("frames"), thumbs = [], whole = infos.map(() => null), tiles = [];
  let selected = null, rgb = false, blinker = null, dragging = null, cursor = null, close = false, table = null, tileStamp = "";

  const image = new ImageCanvas(stage, {
    onview: (view) => { model.set("view", view ?? []); save(); },
    onclick: (x, y) => click(x, y),
    grab,
    ondraw: decorate,
  });
  image.set({ smooth: true });
  const chart = new Plot(chartHost);
  chart.canvas.addEventListener("click", (event) => { const box = chart.canvas.getBoundingClientRect(); pickFromChart(event.clientX - box.left); });
  const save = later(() => model.save_changes(), 250);

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
  function show() {
    const i = traits.get("exposure"), n = infos.length;
    infos.forEach((_, k) => { for (const frame of [thumbs[k], whole[k]]) if (frame) frame.affine = place(k); });
    const three = n > 2 ? [0, Math.floor(n / 2), n - 1] : [0, n - 1, n - 1];
    image.channels = rgb ? three.map((k) => ({ frame: frameOf(k), limits: limits(k) })) : null;
    image.keepView = true;
    image.setFrame(frameOf(i));
    image.set({ stretch: traits.get("stretch"), limits: limits(i) });
    [...sheet.children].forEach((one, k) => one.setAttribute("aria-current", String(k === i)));
    [...list.children].forEach((one, k) => one.setAttribute("aria-current", String(k === i)));
  }
  function colours() {
    const map = mapOf(bytes(traits.get("colour_maps")[traits.get("cmap")]));
    image.setMap(map);
    table = new Uint32Array(tableOf(map, traits.get("stretch")).buffer);
  }

  // ---- stars
  const stars = () => traits.get("stars");
  const verdicts = () => {
    const bad = new Set();
    for (const [star, exposure, , , , , , outlier] of traits.get("residuals")) if (outlier) bad.add(`${star} ${exposure}`);
    return bad;
  };
  function nearest(x, y) {
    const i = traits.get("exposure"), s = image.where()[2];
    let best = null;
    for (const star of stars()) {
      const at = fromPixel(frameOf(i).affine, ...star.at[i]), apart = Math.hypot(at[0] - x, at[1] - y);
      if (apart < Math.max(9 / s, 0.5 / traits.get("scale")) && (!best || apart < best.apart)) best = { star, apart };
    }
    return best?.star ?? null;
  }
  function grab(x, y) {
    const star = rgb ? null : nearest(x, y), i = traits.get("exposure");
    if (!star || star.dropped) return null;
    return {
      move: (...to) => { dragging = { star: star.star, to }; image.draw(); },
      drop: (...to) => {
        const [px, py] = toPixel(frameOf(i).affine, ...to);
        dragging = null; selected = star.star;
        busy(); traits.send({ type: "drag", star: star.star, exposure: i, x: px, y: py });
      },
      cancel: () => { dragging = null; image.draw(); },
    };
  }
  function click(x, y) {
    const i = traits.get("exposure"), frame = frameOf(i), [px, py] = toPixel(frame.affine, x, y);
    if (px < -0.5 || py < -0.5 || px > frame.nx - 0.5 || py > frame.ny - 0.5) return;
    const star = nearest(x, y);
    selected = star ? star.star : "new";
    busy();
    if (star) traits.send({ type: "drop", star: star.star, dropped: !star.dropped });
    else traits.send({ type: "click", exposure: i, x: px, y: py });
  }
  function busy() { clicked = performance.now(); note.textContent = "measuring …"; }
  let clicked = null;
  function step(by) {
    const all = stars().map((star) => star.star);
    if (!all.length) return;
    const k = all.indexOf(selected);
    selected = all[(k + by + all.length) % all.length];
    refresh();
  }
  function drop() { const star = stars().find((one) => one.star === selected); if (star) { busy(); traits.send({ type: "drop", star: star.star, dropped: !star.dropped }); } }
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
    const i = traits.get("exposure"), s = view.where()[2], bad = verdicts();
    const radius = Math.max(7, (0.9 / traits.get("scale")) * s);
    if (!rgb) for (const star of stars()) {
      const at = dragging?.star === star.star ? dragging.to : fromPixel(view.frame.affine, ...star.at[i]);
      const [x, y] = view.toScreen(...at), wrong = bad.has(`${star.star} ${i}`);
      ring(context, x, y, radius, star.dropped ? GREY : wrong ? RED : BLUE, star.dropped, star.by_hand.includes(i), star.star === selected);
      context.font = "600 11px sans-serif"; context.textBaseline = "middle";
      const right = x + radius + 22 < view.width, from = x + (right ? 1 : -1) * (radius + 4);
      context.textAlign = right ? "left" : "right";
      context.lineWidth = 3; context.strokeStyle = "#000b"; context.strokeText(String(star.star), from, y);
      context.fillStyle = star.dropped ? GREY : wrong ? "#ff9a5c" : "#bfe3f7"; context.fillText(String(star.star), from, y);
    }
    if (cursor) {
      const [x, y] = view.toScreen(...cursor);
      context.strokeStyle = "#ffd37a"; context.lineWidth = 1.5;
      line(context, x - 12, y, x - 4, y); line(context, x + 4, y, x + 12, y); line(context, x, y - 12, x, y - 4); line(context, x, y + 4, x, y + 12);
    }
    label(context, rgb ? `red, green, blue: three exposures, ${traits.get("aligned") ? "offsets applied" : "as their headers say"}` : `${infos[i].name}   ${traits.get("aligned") ? "offset applied" : "as its header says"}`, 8, 14);
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
      canvas, h("span", {}, `${info.name.slice(11)}${info.posang === null ? "" : `  ${number(info.posang, 3)}°`}`)));
  });
  const bitmaps = [];
  function drawTiles() {
    const stamp = [traits.get("stretch"), traits.get("limits"), traits.get("cmap")].join();
    const ratio = window.devicePixelRatio || 1, star = stars().find((one) => one.star === selected), bad = verdicts();
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
      for (const one of stars()) {
        if (close && one !== star) continue;
        const at = screen(...one.at[i]);
        context.strokeStyle = one.dropped ? GREY : bad.has(`${one.star} ${i}`) ? RED : BLUE; context.lineWidth = (one.star === selected ? 2.2 : 1.2) * ratio;
        context.beginPath(); context.arc(...at, (close ? 22 : 4) * ratio, 0, 7); context.stroke();
      }
    });
  }

  // ---- the table and the chart
  function drawTable() {
    list.replaceChildren(...traits.get("rows").map((row, i) => {
      const cell = (value, error) => (value === null ? "–" : `${(1e3 * value).toFixed(1).replace("-", "−")} ± ${error === null ? "?" : (1e3 * error).toFixed(1)}`);
      return h("tr", { title: row.why || row.verdict, "aria-current": String(i === traits.get("exposure")), onclick: () => traits.set("exposure", i) },
        h("td", {}, h("span", { class: `mnb-dot mnb-${row.verdict}` }), infos[i].name.slice(11)),
        h("td", {}, cell(row.ra_offset_arcsec, row.ra_error_arcsec)), h("td", {}, cell(row.dec_offset_arcsec, row.dec_error_arcsec)), h("td", {}, String(row.n_stars)));
    }));
    method.textContent = traits.get("method") ? `from ${traits.get("method")}` : "";
  }
  let columns = [];
  function drawChart() {
    chart.draw((plot) => {
      const residuals = traits.get("residuals"), order = [...new Set(residuals.map((r) => r[0]))], current = traits.get("exposure");
      const { context, width, height } = plot.begin();
      columns = [];
      if (!residuals.length) {
        context.fillStyle = plot.ink; context.textAlign = "center"; context.textBaseline = "middle";
        context.fillText(stars().length ? "No residuals yet." : "Click stars, or add the 20 best: residuals of each star and exposure appear here.", width / 2, height / 2);
        return;
      }
      const sizes = residuals.flatMap((r) => [Math.abs(r[2]) + r[4], Math.abs(r[3]) + r[5]]).filter(Number.isFinite).sort((a, b) => a - b);
      const reach = 1.15 * Math.min(sizes[sizes.length - 1], 4 * sizes[Math.floor(0.8 * (sizes.length - 1))]) || 1;
      ["RA residual [mas]", "Dec residual [mas]"].forEach((name, axis) => {
        const left = axis ? width / 2 + 46 : 46, right = axis ? width - 8 : width / 2 - 8, top = 18, bottom = height - 20;
        const sy = (v) => (top + bottom) / 2 - (Math.max(-reach, Math.min(reach, v)) / reach) * ((bottom - top) / 2), each = (right - left) / order.length;
        context.strokeStyle = plot.faint; context.lineWidth = 1; context.strokeRect(left + 0.5, top + 0.5, right - left, bottom - top);
        line(context, left, sy(0), right, sy(0));
        context.fillStyle = plot.ink; context.textAlign = "left"; context.textBaseline = "bottom"; context.fillText(name, left, top - 3);
        context.textAlign = "right"; context.textBaseline = "middle";
        for (const v of [-reach / 1.15, 0, reach / 1.15]) context.fillText(number(Number(v.toPrecision(2)), 2), left - 5, sy(v));
        context.textAlign = "center"; context.textBaseline = "top";
        order.forEach((star, k) => {
          const x0 = left + k * each;
          columns.push([x0, x0 + each, star]);
          if (star === selected) { context.fillStyle = "#56b4e933"; context.fillRect(x0, top, each, bottom - top); }
          context.fillStyle = plot.ink;
          if (each > 14 || k % Math.ceil(14 / each) === 0) context.fillText(String(star), x0 + each / 2, bottom + 4);
        });
        for (const pass of [0, 1]) for (const r of residuals) {
          const mine = r[1] === current || r[7];
          if (mine !== Boolean(pass) || r[2 + axis] === null) continue;
          const x = left + (order.indexOf(r[0]) + (r[1] + 1) / (infos.length + 1)) * each, y = sy(r[2 + axis]);
          context.strokeStyle = context.fillStyle = r[7] ? RED : r[1] === current ? plot.accent : GREY;
          context.lineWidth = 1; line(context, x, sy(r[2 + axis] - r[4 + axis]), x, sy(r[2 + axis] + r[4 + axis]));
          context.beginPath(); context.arc(x, y, mine ? 3 : 2, 0, 7); context.fill();
        }
      });
    });
  }
  function pickFromChart(x) { const found = columns.find(([a, b]) => x >= a && x < b); if (found) { selected = found[2]; refresh(); } }
  function refresh() { drawTiles(); drawTable(); drawChart(); image.draw(); }
  function summary() {
    const used = stars().filter((star) => !star.dropped).length, files = traits.get("files");
    const text = traits.get("status") || (used ? `${used} star${used > 1 ? "s" : ""} in use, saved in ${files.picks}` : "Click a star: it is found in all exposures.");
    note.textContent = text;
    if (clicked !== null) { root.dataset.answered = String(Math.round(performance.now() - clicked)); clicked = null; }
  }
  function overwrite(name) {
    writeButton.textContent = `Replace ${name}?`;
    writeButton.classList.add("mnb-warning");
    setTimeout(() => { writeButton.textContent = "Write OFFSET_LIST"; writeButton.classList.remove("mnb-warning"); }, 5000);
  }
  function write() { traits.send({ type: "write", force: writeButton.classList.contains("mnb-warning") }); }

  // ---- layout
  const exposures = chooser(traits, "exposure", "Exposure (← →)", () => infos.map((info, i) => [i, info.name]));
  const blinkButton = button("blink", "Blink through the exposures (b)", blink), rgbButton = button("RGB", "Three exposures in red, green and blue (r)", overlay);
  const writeButton = button("Write OFFSET_LIST", "Write the offsets for the combine (w)", write), method = h("span", { class: "mnb-hint" });
  writeButton.classList.add("mnb-primary");
  const maps = chooser(traits, "cmap", "Colour map (m)", () => Object.keys(traits.get("colour_maps")).map((name) => [name, name]));
  const zoomButton = button("⌕", "Show the selected star in all tiles (z)", () => { close = !close; zoomButton.setAttribute("aria-pressed", String(close)); drawTiles(); });
  const bar = h("div", { class: "mnb-bar" },
    group("Exposure", button("‹", "Exposure before (←)", () => go(-1)), exposures, button("›", "Next exposure (→)", () => go(1))),
    group("Stars", button("Add the 20 best", "Add the stars that tell most (t)", () => { busy(); traits.send({ type: "best", most: 20 }); }),
      button("↶", "Undo (Ctrl+Z)", () => traits.send({ type: "undo" })), button("↷", "Redo (Ctrl+Y)", () => traits.send({ type: "redo" })), zoomButton),
    group("Compare", toggle(traits, "aligned", "offsets on", "Before and after the offsets (a)"), blinkButton, rgbButton),
    group("Stretch", chooser(traits, "stretch", "Stretch (s)", () => STRETCHES.map((s) => [s, s])), chooser(traits, "limits", "Limits (l)", () => MODES.map((m) => [m, /\d/.test(m) ? `${m} %` : m])), maps),
    group("View", button("⤢", "Whole field (f)", () => image.fit())), writeButton);
  const side = h("div", { class: "mnb-side mnb-offsets" }, h("div", { class: "mnb-heading" }, "Offsets ", method),
    h("table", {}, h("thead", {}, h("tr", {}, h("th", {}, "exposure"), h("th", {}, "RA [mas]"), h("th", {}, "Dec [mas]"), h("th", {}, "stars"))), list));
  const root = h("div", { class: "mnb-viewer mnb-stars" }, bar, complaints(traits), h("div", { class: "mnb-picture" }, sheet, h("div", { class: "mnb-grid" }, stage), side), chartHost, note);
  const cycle = (name, all) => traits.set(name, all[(all.indexOf(traits.get(name)) + 1) % all.length]);
  bar.append(keyboard(root, stage, [
    [["ArrowLeft"], "", (event) => (event.shiftKey ? move(-1, 0) : go(-1))], [["ArrowRight"], "", (event) => (event.shiftKey ? move(1, 0) : go(1))],
    [["ArrowUp"], "", () => move(0, 1)], [["ArrowDown"], "", () => move(0, -1)],
    [["←", "→"], "exposure before, next", () => {}], [["shift ←", "→", "↑", "↓"], "move the cross", () => {}],
    [["Enter", " "], "add or drop the star at the cross", () => { if (cursor) click(...cursor); }],
    [[",", "."], "star before, next", (event) => step(event.key === "." ? 1 : -1)], [["x", "Delete"], "drop the selected star, or take it back", drop],
    [["t"], "add the 20 best", () => { busy(); traits.send({ type: "best", most: 20 }); }],
    [["Ctrl+z"], "undo", () => traits.send({ type: "undo" })], [["Ctrl+y", "Ctrl+Z"], "redo", () => traits.send({ type: "redo" })],
    [["a"], "before and after the offsets", () => traits.set("aligned", !traits.get("aligned"))], [["b"], "blink through the exposures", blink], [["r"], "red, green, blue overlay", overlay],
    [["z"], "the selected star in all tiles", () => zoomButton.click()],
    [["s"], "stretch", () => cycle("stretch", STRETCHES)], [["l"], "limits", () => cycle("limits", MODES)], [["m"], "colour map", () => cycle("cmap", Object.keys(traits.get("colour_maps")))],
    [["+", "="], "zoom in", () => image.zoom(1.5)], [["-", "_"], "zoom out", () => image.zoom(1 / 1.5)], [["f", "0"], "whole field", () => image.fit()],
    [["w"], "write the OFFSET_LIST", write], [["Escape"], "no selection", () => { selected = cursor = null; refresh(); }],
  ]));
  const height = () => { stage.style.height = `${traits.get("height")}px`; sheet.style.height = side.style.height = `${traits.get("height")}px`; };
  el.append(root);
  height();

  traits.watch("exposure", () => { show(); drawTable(); drawChart(); });
  traits.watch("aligned rows", () => { show(); drawTiles(); });
  traits.watch("stretch cmap", () => { colours(); show(); drawTiles(); });
  traits.watch("limits", () => { show(); drawTiles(); });
  traits.watch("rows residuals method", later(() => { drawTable(); drawChart(); image.draw(); }, 0));
  traits.watch("stars", () => { if (selected === "new") selected = stars().at(-1)?.star ?? null; drawTiles(); image.draw(); });
  traits.watch("stars rows status files error", later(summary, 0));
  traits.watch("height", height);
  traits.watch("view", () => image.setView(traits.get("view")));
  traits.on("msg:custom", arrive);
  colours();
  show();
  if (traits.get("view").length) image.setView(traits.get("view"));
  refresh();
  summary();
  note.textContent = traits.get("rows").length ? note.textContent : "measuring all stars …";
  traits.send({ type: "ready" });
  el.museImage = image;
  return () => { clearInterval(blinker); traits.close(); image.close(); chart.close(); };
}

export default { render };
