// The star picker's parts below the picture: the fit of one star in every exposure, and the chart of all residuals.
import { as, h, number } from "../shared/ui.js";
import { Plot, line, sentence } from "../shared/plot.js";

export const BLUE = "#56b4e9", RED = "#d55e00", GREY = "#9a9a9a";
const NOTHING = 255, ROWS = ["data", "model", "residual"], TITLE = 17, FOOT = 15, EDGE = 54;

const floats = (view) => (view ? as(Float32Array, view) : new Float32Array(0)); // saved states leave out what is empty

// Picked stars with their place [pixel] in every exposure, from the traits `stars` and `places`.
// A page without a kernel puts the places of stars that a reader marks into `stars` itself.
export function starsOf(traits, exposures) {
  const places = floats(traits.get("places"));
  return traits.get("stars").map((star, k) => ({
    ...star,
    at: star.at ?? Array.from({ length: exposures }, (_, i) => { const from = 2 * (k * exposures + i); return [places[from], places[from + 1]]; }),
  }));
}

// Rows of the trait `residuals`: star, exposure, RA, Dec, their errors [mas], deviation, outlier.
export function residualsOf(traits) {
  const all = floats(traits.get("residuals"));
  return Array.from({ length: all.length / 8 }, (_, k) => all.subarray(8 * k, 8 * k + 8));
}

// Data, model and residual of the selected star, an exposure a column, north up.
export class StampStrip {
  constructor(host, names, onpick) {
    this.scroller = h("div", { class: "mnb-strip", tabindex: "-1" });
    this.plot = new Plot(h("div", { class: "mnb-strip-inner" }));
    this.scroller.append(this.plot.host);
    host.append(this.scroller);
    this.names = names;
    this.plot.canvas.addEventListener("click", (event) => {
      const column = Math.floor((event.clientX - this.plot.canvas.getBoundingClientRect().left - EDGE) / this.each);
      if (this.stamps && column >= 0 && column < this.stamps.exposures.length) onpick(this.stamps.exposures[column]);
    });
  }
  close() { this.plot.close(); }
  // `shades` are 256 colours of the picture, `signed` of the residual, as RGBA; `off` exposures in which the star is bad.
  show(stamps, shades, signed, { current, off, hint }) {
    const fresh = stamps !== this.stamps;
    Object.assign(this, { stamps: stamps.star ? stamps : null, current, off, hint });
    if (fresh) this.pictures = stamps.star ? cut(stamps, shades, signed) : [];
    const side = this.size(), count = this.stamps?.exposures.length ?? 0;
    this.each = side + 5;
    this.plot.host.style.width = count ? `${EDGE + count * this.each + 8}px` : "";
    this.plot.draw((plot) => this.paint(plot, side));
  }
  size() { return Math.max(24, Math.floor((this.scroller.clientHeight - TITLE - FOOT - 6) / 3) - 2); }
  paint(plot, side) {
    const { context, width, height } = plot.begin();
    context.fillStyle = plot.ink;
    context.textBaseline = "middle";
    if (!this.stamps) { sentence(context, this.hint, width, height); return; }
    context.textAlign = "right";
    ROWS.forEach((name, row) => context.fillText(name, EDGE - 6, TITLE + (row + 0.5) * (side + 2)));
    context.imageSmoothingEnabled = false;
    this.stamps.exposures.forEach((exposure, column) => {
      const x = EDGE + column * this.each;
      context.fillStyle = exposure === this.current ? plot.accent : plot.ink;
      context.font = `${exposure === this.current ? "600 " : ""}10px sans-serif`;
      context.textAlign = "center";
      if (side >= 40 || column % 2 === 0) context.fillText(this.names[exposure], x + side / 2, TITLE / 2);
      ROWS.forEach((_, row) => this.stamp(context, this.pictures[row][column], this.stamps.turn[column], x, TITLE + row * (side + 2), side));
      const ink = this.off.has(exposure) ? RED : exposure === this.current ? plot.accent : null;
      if (ink) { context.strokeStyle = ink; context.lineWidth = 2; context.strokeRect(x - 1, TITLE - 1, side + 2, 3 * side + 6); }
    });
    context.font = "10px sans-serif"; context.textAlign = "left"; context.fillStyle = plot.ink;
    context.fillText(`star ${this.stamps.star}, north up; residual from −5σ (blue) to +5σ (red)`, EDGE, TITLE + 3 * (side + 2) + FOOT / 2 + 2);
  }
  stamp(context, picture, [a, b, c, d], x, y, side) {
    const k = a * d - b * c, long = Math.sqrt(Math.abs(k)), z = (side / this.stamps.side) * long;
    const ratio = window.devicePixelRatio || 1;
    context.save();
    context.beginPath(); context.rect(x, y, side, side); context.clip();
    // from the square's pixels (rows from the top) to the screen (east to the left, north up)
    context.setTransform(...[-d / k, b / k, -c / k, a / k].map((v) => v * z * ratio), (x + side / 2) * ratio, (y + side / 2) * ratio);
    context.drawImage(picture, -this.stamps.side / 2, -this.stamps.side / 2);
    context.restore();
  }
}

function cut({ side, exposures, pixels }, shades, signed) {
  const all = new Uint8Array(pixels.buffer, pixels.byteOffset, pixels.byteLength), size = side * side;
  return ROWS.map((_, row) => exposures.map((_, column) => {
    const canvas = document.createElement("canvas"), from = (row * exposures.length + column) * size;
    canvas.width = canvas.height = side;
    const picture = canvas.getContext("2d").createImageData(side, side), colours = row === 2 ? signed : shades;
    for (let i = 0; i < size; i++) {
      const value = all[from + (side - 1 - Math.floor(i / side)) * side + (i % side)];
      picture.data.set(value === NOTHING ? [128, 128, 132, 255] : colours.subarray(4 * value, 4 * value + 4), 4 * i);
    }
    canvas.getContext("2d").putImageData(picture, 0, 0);
    return canvas;
  }));
}

// Residuals of each star in each exposure with their errors: right ascension and declination, side by side or stacked.
export class ResidualChart {
  constructor(host, exposures, onpick) {
    this.plot = new Plot(host);
    this.exposures = exposures;
    this.columns = [];
    this.plot.canvas.addEventListener("click", (event) => {
      const box = this.plot.canvas.getBoundingClientRect(), x = event.clientX - box.left, y = event.clientY - box.top;
      const found = this.columns.find((one) => x >= one.left && x < one.right && y >= one.top && y < one.bottom);
      if (found) onpick(found.star);
    });
  }
  close() { this.plot.close(); }
  show(residuals, { selected, current, hint }) {
    Object.assign(this, { residuals, selected, current, hint });
    this.plot.draw((plot) => this.paint(plot));
  }
  paint(plot) {
    const { context, width, height } = plot.begin(), { residuals } = this;
    this.columns = [];
    if (!residuals.length) {
      context.fillStyle = plot.ink;
      sentence(context, this.hint, width, height);
      return;
    }
    const sizes = residuals.flatMap((r) => [Math.abs(r[2]) + r[4], Math.abs(r[3]) + r[5]]).filter(Number.isFinite).sort((a, b) => a - b);
    const reach = 1.15 * Math.min(sizes[sizes.length - 1], 4 * sizes[Math.floor(0.8 * (sizes.length - 1))]) || 1;
    const stacked = width < 560;
    ["RA", "Dec"].forEach((name, axis) => {
      const box = stacked ? { left: 46, right: width - 8, top: axis * (height / 2) + 18, bottom: (axis + 1) * (height / 2) - 18 }
        : { left: axis ? width / 2 + 46 : 46, right: axis ? width - 8 : width / 2 - 8, top: 18, bottom: height - 20 };
      this.panel(plot, context, `${name} residual [mas], by star`, axis, box, reach);
    });
  }
  panel(plot, context, name, axis, { left, right, top, bottom }, reach) {
    const order = [...new Set(this.residuals.map((r) => r[0]))].sort((a, b) => a - b), place = new Map(order.map((star, k) => [star, k]));
    const each = (right - left) / order.length, sy = (v) => (top + bottom) / 2 - (Math.max(-reach, Math.min(reach, v)) / reach) * ((bottom - top) / 2);
    context.strokeStyle = plot.faint; context.lineWidth = 1; context.strokeRect(left + 0.5, top + 0.5, right - left, bottom - top);
    line(context, left, sy(0), right, sy(0));
    context.fillStyle = plot.ink; context.textAlign = "left"; context.textBaseline = "bottom"; context.fillText(name, left, top - 3);
    context.textAlign = "right"; context.textBaseline = "middle";
    for (const v of [-reach / 1.15, 0, reach / 1.15]) context.fillText(number(Number(v.toPrecision(2)), 2), left - 5, sy(v));
    context.textAlign = "center"; context.textBaseline = "top";
    order.forEach((star, k) => {
      const from = left + k * each;
      this.columns.push({ left: from, right: from + each, top, bottom: bottom + 16, star });
      if (star === this.selected) { context.fillStyle = "#56b4e933"; context.fillRect(from, top, each, bottom - top); }
      context.fillStyle = plot.ink;
      if (k % Math.ceil(16 / each) === 0) context.fillText(String(star), from + each / 2, bottom + 4);
    });
    const kinds = [[GREY, 2, []], [plot.accent, 3, []], [RED, 3, []]]; // in this order: what matters lies on top
    for (const r of this.residuals) if (Number.isFinite(r[2 + axis])) kinds[r[7] ? 2 : r[1] === this.current ? 1 : 0][2].push(r);
    for (const [colour, size, rows] of kinds) {
      context.strokeStyle = context.fillStyle = colour; context.lineWidth = 1;
      const bars = new Path2D(), dots = new Path2D();
      for (const r of rows) {
        const x = left + (place.get(r[0]) + (r[1] + 1) / (this.exposures + 1)) * each, y = sy(r[2 + axis]);
        bars.moveTo(x, sy(r[2 + axis] - r[4 + axis])); bars.lineTo(x, sy(r[2 + axis] + r[4 + axis]));
        dots.moveTo(x, y); dots.arc(x, y, each > 12 ? size : 1.3, 0, 7);
      }
      context.stroke(bars); context.fill(dots);
    }
  }
}
