// The sheet of all IFUs and exposures: one canvas, a colour a tile, and what was found in it.
import { Traits, bytes, chooser, complaints, group, h, keyboard, number } from "./ui.js";

function render({ model, el }) {
  const traits = new Traits(model), exposures = traits.get("exposures"), ifus = traits.get("ifus"), tiles = traits.get("tiles"), [rows, columns] = traits.get("tile_shape");
  const names = traits.get("statistics"), pixels = bytes(traits.get("pictures")), LEFT = 34, TOP = 22, GAP = 2;
  const host = h("div", { class: "mnb-mosaic" }), canvas = h("canvas", {}), note = h("div", { class: "mnb-note", role: "status" }), scale = h("span", { class: "mnb-scale" });
  let width = 60, height = 20, pointed = null;
  host.append(canvas);

  const span = () => traits.get("spans")[traits.get("statistic")];
  const at = (tile) => [LEFT + tile.exposure * (width + 2 * GAP), TOP + ifus.indexOf(tile.ifu) * (height + GAP)];
  function draw() {
    const ratio = window.devicePixelRatio || 1, room = (host.clientWidth || 600) - LEFT - 10;
    width = Math.max(16, Math.min(150, room / exposures.length - 2 * GAP));
    height = Math.max(14, Math.min(28, 0.5 * width));
    const w = LEFT + exposures.length * (width + 2 * GAP), hgt = TOP + ifus.length * (height + GAP) + 2;
    canvas.width = Math.round(w * ratio); canvas.height = Math.round(hgt * ratio);
    canvas.style.width = `${w}px`; canvas.style.height = `${hgt}px`;
    const context = canvas.getContext("2d"), style = getComputedStyle(root), ink = style.getPropertyValue("--mnb-ink"), accent = style.getPropertyValue("--mnb-accent");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.font = "11px sans-serif"; context.fillStyle = ink; context.textBaseline = "middle"; context.textAlign = "right";
    ifus.forEach((ifu, k) => context.fillText(String(ifu), LEFT - 6, TOP + k * (height + GAP) + height / 2));
    context.textAlign = "center";
    exposures.forEach((name, k) => context.fillText(width > 110 ? name : width > 44 ? name.slice(11) : String(k), LEFT + k * (width + 2 * GAP) + width / 2, TOP / 2));
    const map = bytes(traits.get("colour_maps").cividis), [low, high] = span(), statistic = traits.get("statistic"), chosen = traits.get("chosen");
    const small = document.createElement("canvas"); small.width = columns; small.height = rows;
    const pen = small.getContext("2d"), picture = pen.createImageData(columns, rows);
    tiles.forEach((tile, i) => {
      const value = tile[statistic], k = value === null ? null : 3 * Math.max(0, Math.min(255, Math.floor((255 * (value - low)) / (high - low))));
      const colour = k === null ? [70, 70, 78] : [map[k], map[k + 1], map[k + 2]];
      for (let p = 0; p < rows * columns; p++) {
        const light = (pixels[i * rows * columns + p] / 255) * 0.6 + 0.4;
        for (let c = 0; c < 3; c++) picture.data[4 * p + c] = colour[c] * light;
        picture.data[4 * p + 3] = 255;
      }
      pen.putImageData(picture, 0, 0);
      const [x, y] = at(tile);
      context.imageSmoothingEnabled = true;
      context.drawImage(small, x, y, width, height);
      const here = chosen[0] === exposures[tile.exposure] && chosen[1] === tile.ifu;
      if (tile.findings) { context.strokeStyle = "#d55e00"; context.lineWidth = 2; context.strokeRect(x + 1, y + 1, width - 2, height - 2); }
      if (here || tile === pointed) { context.strokeStyle = here ? accent : ink; context.lineWidth = 2; context.strokeRect(x - 1, y - 1, width + 2, height + 2); }
    });
    scale.textContent = `${number(low, 3)} – ${number(high, 3)}`;
  }
  function find(event) {
    const box = canvas.getBoundingClientRect(), x = event.clientX - box.left, y = event.clientY - box.top;
    return tiles.find((tile) => { const [a, b] = at(tile); return x >= a && x < a + width && y >= b && y < b + height; }) ?? null;
  }
  function tell(tile) {
    note.textContent = tile ? `${exposures[tile.exposure]}  IFU ${tile.ifu}:  ${names[traits.get("statistic")]} ${number(tile[traits.get("statistic")], 4)}${tile.said.length ? `.  ${tile.said.join("  ")}` : ""}` : "Click a tile to open its frame; framed ones have findings.";
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
  const list = Object.entries(names), bar = h("div", { class: "mnb-bar" }, group("Statistic", chooser(traits, "statistic", "Statistic (s)", () => list)), h("span", { class: "mnb-ramp" }), scale);
  const root = h("div", { class: "mnb-viewer" }, bar, complaints(traits), host, note);
  bar.append(keyboard(root, host, [
    [["ArrowLeft", "ArrowRight"], "exposure before, next", (event) => move(event.key === "ArrowLeft" ? -1 : 1, 0)],
    [["ArrowUp", "ArrowDown"], "IFU above, below", (event) => move(0, event.key === "ArrowUp" ? -1 : 1)],
    [["s"], "statistic", () => { const keys = list.map(([key]) => key); traits.set("statistic", keys[(keys.indexOf(traits.get("statistic")) + 1) % keys.length]); }],
  ]));
  const resizer = new ResizeObserver(draw);
  el.append(root);
  resizer.observe(root);
  traits.watch("statistic chosen", () => { draw(); const [name, ifu] = traits.get("chosen"); tell(tiles.find((tile) => exposures[tile.exposure] === name && tile.ifu === ifu) ?? null); });
  tell(null);
  draw();
  return () => { resizer.disconnect(); traits.close(); };
}

export default { render };
