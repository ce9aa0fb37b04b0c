// The sheet of all IFUs and exposures: each exposure a field of stacked IFUs, a colour a tile, and what was found in it.
import { Traits, bytes, chooser, complaints, group, h, keyboard, number } from "../shared/ui.js";

const LEFT = 30, TITLE = 20, GAP = 14, TALL = 620; // CSS pixels
const NARROW = 124, WIDE = 520; // of a field
const LOWEST = 7, FEW = 120; // of a tile: an IFU is 24 times as wide as high, and higher where there are few of them
const DARKEST = 0.6;

function render({ model, el }) {
  const traits = new Traits(model), exposures = traits.get("exposures"), ifus = traits.get("ifus"), tiles = traits.get("tiles"), [rows, columns] = traits.get("tile_shape");
  const names = traits.get("statistics"), pixels = bytes(traits.get("pictures"));
  const host = h("div", { class: "mnb-mosaic" }), canvas = h("canvas", {}), note = h("div", { class: "mnb-note", role: "status" }), lowest = h("span", { class: "mnb-scale" }), highest = h("span", { class: "mnb-scale" });
  let sheet = { width: 200, height: 10, across: 1 }, pointed = null;
  host.append(canvas);

  // As few fields a row as show everything without scrolling, but none too narrow to point at.
  function arrange(room) {
    for (let across = 1; ; across++) {
      const width = Math.min(WIDE, Math.floor(room / across) - GAP), height = Math.max(LOWEST, width / 24, Math.min(20, FEW / ifus.length));
      const tall = Math.ceil(exposures.length / across) * (TITLE + ifus.length * height + GAP);
      const next = Math.floor(room / (across + 1)) - GAP;
      if (tall <= TALL || across >= exposures.length || next < NARROW) return { width, height, across, tall };
    }
  }
  const corner = (exposure) => [LEFT + (exposure % sheet.across) * (sheet.width + GAP), TITLE + Math.floor(exposure / sheet.across) * (TITLE + ifus.length * sheet.height + GAP)];
  const at = (tile) => { const [x, y] = corner(tile.exposure); return [x, y + ifus.indexOf(tile.ifu) * sheet.height]; };

  function draw() {
    const ratio = window.devicePixelRatio || 1;
    sheet = arrange((host.clientWidth || 600) - LEFT - 16);
    const w = LEFT + Math.min(sheet.across, exposures.length) * (sheet.width + GAP), hgt = sheet.tall;
    canvas.width = Math.round(w * ratio); canvas.height = Math.round(hgt * ratio);
    canvas.style.width = `${w}px`; canvas.style.height = `${hgt}px`;
    const context = canvas.getContext("2d"), style = getComputedStyle(root), [ink, soft, accent] = ["ink", "soft", "accent"].map((name) => style.getPropertyValue(`--mnb-${name}`));
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.font = "11px sans-serif"; context.textBaseline = "middle";
    exposures.forEach((name, k) => heads(context, name, k, ink, soft));
    const map = bytes(traits.get("colour_maps").cividis), [low, high] = traits.get("spans")[traits.get("statistic")], statistic = traits.get("statistic"), chosen = traits.get("chosen");
    const small = document.createElement("canvas"); small.width = columns; small.height = rows;
    const pen = small.getContext("2d"), picture = pen.createImageData(columns, rows);
    tiles.forEach((tile, i) => {
      const value = tile[statistic], k = value === null ? null : 3 * Math.max(0, Math.min(255, Math.floor((255 * (value - low)) / (high - low))));
      const colour = k === null ? [70, 70, 78] : [map[k], map[k + 1], map[k + 2]];
      for (let p = 0; p < rows * columns; p++) {
        const light = (pixels[i * rows * columns + p] / 255) * (1 - DARKEST) + DARKEST;
        for (let c = 0; c < 3; c++) picture.data[4 * p + c] = colour[c] * light;
        picture.data[4 * p + 3] = 255;
      }
      pen.putImageData(picture, 0, 0);
      const [x, y] = at(tile);
      context.drawImage(small, x, y, sheet.width, sheet.height - 1);
    });
    for (const tile of tiles) if (tile.findings) outline(context, tile, "#d55e00", 2);
    const here = tiles.find((tile) => exposures[tile.exposure] === chosen[0] && tile.ifu === chosen[1]);
    if (pointed) outline(context, pointed, ink, 1.5);
    if (here) outline(context, here, accent, 2.5);
    lowest.textContent = number(low, 3); highest.textContent = number(high, 3);
  }
  function outline(context, tile, colour, thick) {
    const [x, y] = at(tile);
    context.strokeStyle = colour; context.lineWidth = thick;
    context.strokeRect(x - 0.5, y - 0.5, sheet.width + 1, sheet.height);
  }
  // Name of an exposure, where north and east are, numbers of IFUs at the left, and crosses where an IFU is missing.
  function heads(context, name, k, ink, soft) {
    const [x, y] = corner(k), time = /^\d{4}-\d\d-\d\dT(\d\d)(\d\d)(\d\d)$/.exec(name);
    context.fillStyle = ink; context.textAlign = "left";
    context.fillText(sheet.width > 190 || !time ? name : `${k + 1} · ${time.slice(1).join(":")}`, x, y - TITLE / 2, sheet.width - 34);
    (traits.get("compasses")[k] ?? []).forEach(([dx, dy], which) => {
      const x0 = x + sheet.width - 12, y0 = y - TITLE / 2, size = 8;
      context.strokeStyle = which ? soft : ink; context.lineWidth = which ? 1 : 2;
      context.beginPath(); context.moveTo(x0, y0); context.lineTo(x0 + size * dx, y0 - size * dy); context.stroke();
    });
    const every = Math.max(1, Math.ceil(11 / sheet.height));
    ifus.forEach((ifu, row) => {
      const top = y + row * sheet.height;
      if (k % sheet.across === 0 && row % every === 0) { context.fillStyle = soft; context.textAlign = "right"; context.fillText(String(ifu), LEFT - 6, top + sheet.height / 2); }
      if (tiles.some((tile) => tile.exposure === k && tile.ifu === ifu)) return;
      context.strokeStyle = "#d55e00"; context.lineWidth = 1;
      context.beginPath(); context.moveTo(x, top); context.lineTo(x + sheet.width, top + sheet.height - 1); context.moveTo(x, top + sheet.height - 1); context.lineTo(x + sheet.width, top); context.stroke();
    });
  }
  function find(event) {
    const box = canvas.getBoundingClientRect(), x = event.clientX - box.left, y = event.clientY - box.top;
    return tiles.find((tile) => { const [a, b] = at(tile); return x >= a && x < a + sheet.width && y >= b && y < b + sheet.height; }) ?? null;
  }
  function tell(tile) {
    const shown = traits.get("statistic"), rest = Object.keys(names).filter((name) => name !== shown && name !== "findings");
    const value = (name) => `${names[name]} ${number(tile[name], 4)}`;
    note.textContent = tile ? `${exposures[tile.exposure]} IFU ${tile.ifu}: ${[shown, ...rest].map(value).join(" · ")}${tile.said.length ? `. ${tile.said.join(" ")}` : ""}` : "Each block is an exposure's field, IFU by IFU; the thick line points north, the thin one east. Click a tile to open its frame; framed tiles have findings.";
  }
  function choose(tile) { if (tile) traits.set("chosen", [exposures[tile.exposure], tile.ifu]); }
  function move(dx, dy) {
    const [name, ifu] = traits.get("chosen").length ? traits.get("chosen") : [exposures[0], ifus[0]];
    const e = exposures.indexOf(name) + dx, k = ifus.indexOf(ifu) + dy;
    choose(tiles.find((tile) => tile.exposure === e && tile.ifu === ifus[k]));
  }
  canvas.addEventListener("pointermove", (event) => { const found = find(event); if (found !== pointed) { pointed = found; tell(found); draw(); } });
  canvas.addEventListener("pointerleave", () => { pointed = null; tell(null); draw(); });
  canvas.addEventListener("click", (event) => choose(find(event)));
  const list = Object.entries(names), statistic_ = chooser(traits, "statistic", "Statistic (s)", () => list);
  statistic_.style.maxWidth = "none";
  const bar = h("div", { class: "mnb-bar" }, group("Statistic", statistic_), group("Scale", lowest, h("span", { class: "mnb-ramp" }), highest));
  const root = h("div", { class: "mnb-viewer mnb-mosaic-viewer" }, bar, complaints(traits), host, note);
  bar.append(keyboard(root, host, [
    [["ArrowLeft", "ArrowRight"], "exposure before, next", (event) => move(event.key === "ArrowLeft" ? -1 : 1, 0)],
    [["ArrowUp", "ArrowDown"], "IFU above, below", (event) => move(0, event.key === "ArrowUp" ? -1 : 1)],
    [["s"], "statistic", () => { const keys = list.map(([key]) => key); traits.set("statistic", keys[(keys.indexOf(traits.get("statistic")) + 1) % keys.length]); }],
  ]));
  const resizer = new ResizeObserver(draw);
  el.append(root);
  el.museTile = (exposure, ifu) => { const [x, y] = at({ exposure, ifu }); return [x + sheet.width / 2, y + sheet.height / 2]; }; // for tests
  resizer.observe(root);
  traits.watch("statistic chosen", () => { draw(); const [name, ifu] = traits.get("chosen"); tell(tiles.find((tile) => exposures[tile.exposure] === name && tile.ifu === ifu) ?? null); });
  tell(null);
  draw();
  return () => { resizer.disconnect(); traits.close(); };
}

export default { render };
