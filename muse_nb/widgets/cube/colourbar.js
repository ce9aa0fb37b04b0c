// The colour bar: colours with units, the histogram of the image over them, and two handles that set the limits.
import { Plot, nice } from "../shared/plot.js";
import { number } from "../shared/ui.js";
import { tableOf } from "../shared/canvas.js";

const SIDE = 16, HIST = 26, BAR = 12;

export class ColourBar {
  constructor(host, traits, state) { // state(): {info, limits, rgba, stretch} of the image that is shown
    Object.assign(this, { host, traits, state });
    this.plot = new Plot(host);
    this.plot.canvas.style.touchAction = "none";
    this.plot.canvas.setAttribute("role", "img");
    this.plot.canvas.setAttribute("aria-label", "Colour bar; drag its handles to set the limits");
    this.listen();
  }
  close() { this.plot.close(); }
  range(info, limits) {
    const { low, high } = info.histogram, span = Math.max(high - low, 1e-30);
    return [Math.min(low, limits[0] - 0.04 * span), Math.max(high, limits[1] + 0.04 * span)];
  }
  draw() { this.plot.draw((plot) => this.paint(plot)); }
  paint(plot) {
    const { context, width, height } = plot.begin(), { info, limits, rgba, stretch } = this.state();
    if (!info) return;
    const [low, high] = this.drag?.range ?? this.range(info, limits), sx = (v) => SIDE + ((v - low) / (high - low)) * (width - 2 * SIDE);
    this.sx = sx; this.back = (p) => low + ((p - SIDE) / (width - 2 * SIDE)) * (high - low);
    const counts = info.histogram.counts, peak = Math.sqrt(Math.max(1, ...counts)), each = (info.histogram.high - info.histogram.low) / counts.length;
    context.fillStyle = plot.faint;
    counts.forEach((n, i) => { const a = sx(info.histogram.low + i * each), b = sx(info.histogram.low + (i + 1) * each), t = (Math.sqrt(n) / peak) * HIST; context.fillRect(a, 2 + HIST - t, Math.max(1, b - a - 0.5), t); });
    const table = tableOf(rgba, stretch), [a, b] = limits.map(sx);
    for (let p = SIDE; p < width - SIDE; p += 2) {
      const q = Math.max(0, Math.min(16383, Math.round(((p - a) / (b - a || 1)) * 16383)));
      context.fillStyle = `rgb(${table[4 * q]},${table[4 * q + 1]},${table[4 * q + 2]})`; context.fillRect(p, 3 + HIST, 2.5, BAR);
    }
    context.strokeStyle = plot.ink; context.lineWidth = 2;
    for (const at of [a, b]) { context.beginPath(); context.moveTo(at, 3); context.lineTo(at, 4 + HIST + BAR); context.stroke(); context.fillStyle = plot.ink; context.beginPath(); context.arc(at, 6, 4, 0, 7); context.fill(); }
    context.fillStyle = plot.ink; context.textAlign = "center"; context.textBaseline = "top";
    for (const v of nice([low, high], Math.max(2, Math.floor(width / 110)))) context.fillText(number(v, 4), Math.min(Math.max(sx(v), 22), width - 22), 6 + HIST + BAR);
    context.textBaseline = "bottom";
    context.fillText(info.unit, width / 2, height - 1);
  }
  listen() {
    const { canvas } = this.plot, place = (event) => event.clientX - canvas.getBoundingClientRect().left;
    canvas.addEventListener("pointerdown", (event) => {
      const { info, limits } = this.state(), at = place(event);
      if (!info || !this.sx) return;
      canvas.setPointerCapture(event.pointerId);
      const [da, db] = limits.map((v) => Math.abs(this.sx(v) - at));
      this.drag = { range: this.range(info, limits), end: Math.min(da, db) > 24 ? null : da < db ? 0 : 1, from: this.back(at), limits };
    });
    canvas.addEventListener("pointermove", (event) => {
      if (!this.drag || !event.buttons) return;
      const by = this.back(place(event)) - this.drag.from, [low, high] = this.drag.limits, least = 1e-3 * (high - low);
      const cut = this.drag.end === null ? [low + by, high + by] : this.drag.end === 0 ? [Math.min(low + by, high - least), high] : [low, Math.max(high + by, low + least)];
      this.traits.set("cut", cut);
    });
    const up = () => { this.drag = null; this.draw(); };
    canvas.addEventListener("pointerup", up);
    canvas.addEventListener("pointercancel", up);
    canvas.addEventListener("dblclick", () => this.traits.set("cut", []));
  }
}
