// Small line plots on a 2D canvas, in the theme's own colours.
import { h, number } from "./ui.js";

export class Plot {
  // `layout`: {xlabel, ylabel, vertical}; a vertical plot has its values to the right and its positions upwards.
  constructor(host, { ondrag, onhover } = {}) {
    this.canvas = h("canvas", { class: "mnb-plot" });
    this.host = host;
    host.append(this.canvas);
    this.resizer = new ResizeObserver(() => this.draw());
    this.resizer.observe(host);
    if (ondrag) {
      const go = (event) => { const box = this.canvas.getBoundingClientRect(); const x = this.fromScreen?.(event.clientX - box.left); if (Number.isFinite(x)) ondrag(x, event); };
      this.canvas.style.touchAction = "none";
      this.canvas.addEventListener("pointerdown", (event) => { this.canvas.setPointerCapture(event.pointerId); go(event); });
      this.canvas.addEventListener("pointermove", (event) => { if (event.buttons) go(event); });
    }
    if (onhover) this.canvas.addEventListener("pointermove", (event) => { const box = this.canvas.getBoundingClientRect(); onhover(event.clientX - box.left, event.clientY - box.top); });
  }
  close() { this.resizer.disconnect(); }
  begin() {
    const ratio = window.devicePixelRatio || 1, width = this.host.clientWidth, height = this.host.clientHeight;
    this.canvas.width = Math.max(1, Math.round(width * ratio));
    this.canvas.height = Math.max(1, Math.round(height * ratio));
    const context = this.canvas.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    const style = getComputedStyle(this.host);
    this.ink = style.getPropertyValue("--mnb-ink").trim() || "#222";
    this.faint = style.getPropertyValue("--mnb-faint").trim() || "#8888";
    this.accent = style.getPropertyValue("--mnb-accent").trim() || "#0072b2";
    context.font = "11px " + (style.fontFamily || "sans-serif");
    return { context, width, height };
  }
  draw(painter = this.painter) {
    this.painter = painter;
    if (painter && this.host.clientWidth && this.host.clientHeight) painter(this);
  }
  // Axes with ticks; returns functions from values to screen.
  axes({ x, y, xlabel = "", ylabel = "", left = 46, right = 10, top = 8, bottom = 32, ticks = true }) {
    const { context, width, height } = this.begin();
    const sx = (v) => left + ((v - x[0]) / (x[1] - x[0] || 1)) * (width - left - right);
    const sy = (v) => height - bottom - ((v - y[0]) / (y[1] - y[0] || 1)) * (height - top - bottom);
    this.fromScreen = (p) => x[0] + ((p - left) / (width - left - right)) * (x[1] - x[0]);
    context.strokeStyle = this.faint;
    context.fillStyle = this.ink;
    context.lineWidth = 1;
    context.strokeRect(left + 0.5, top + 0.5, width - left - right, height - top - bottom);
    if (ticks) {
      context.textAlign = "center"; context.textBaseline = "top";
      for (const v of nice(x, Math.max(2, Math.floor((width - left) / 80)))) {
        const p = sx(v); line(context, p, height - bottom, p, height - bottom + 4); context.fillText(number(v, 6), p, height - bottom + 5);
      }
      context.textAlign = "right"; context.textBaseline = "middle";
      for (const v of nice(y, Math.max(2, Math.floor((height - top - bottom) / 34)))) {
        const p = sy(v); line(context, left - 4, p, left, p); context.fillText(number(v, 4), left - 6, p);
      }
    }
    context.textAlign = "center"; context.textBaseline = "bottom";
    context.fillText(xlabel, (left + width - right) / 2, height - 1);
    if (ylabel) {
      context.save(); context.translate(3, (top + height - bottom) / 2); context.rotate(-Math.PI / 2);
      context.textBaseline = "top"; context.fillText(ylabel, 0, 0); context.restore();
    }
    return { context, sx, sy, left, right: width - right, top, bottom: height - bottom, width, height };
  }
}

// A sentence in the middle of an empty plot, in as many lines as it needs.
export function sentence(context, text, width, height) {
  const lines = [""];
  for (const word of text.split(" ")) {
    const longer = `${lines.at(-1)} ${word}`.trim();
    if (lines.at(-1) && context.measureText(longer).width > width - 24) lines.push(word); else lines[lines.length - 1] = longer;
  }
  context.textAlign = "center"; context.textBaseline = "middle";
  lines.forEach((one, i) => context.fillText(one, width / 2, height / 2 + 16 * (i - (lines.length - 1) / 2)));
}

export function line(context, x0, y0, x1, y1) { context.beginPath(); context.moveTo(x0, y0); context.lineTo(x1, y1); context.stroke(); }

// Round numbers inside a range.
export function nice([low, high], wanted) {
  const rough = (high - low) / wanted;
  if (!(rough > 0) || !Number.isFinite(rough)) return [];
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= rough) ?? 10 * power;
  const found = [];
  for (let v = Math.ceil(low / step) * step; v <= high + 1e-9 * step; v += step) found.push(Math.abs(v) < step * 1e-9 ? 0 : v);
  return found;
}

// A broken line through values; gaps where they are not finite.
export function trace(context, positions, values, sx, sy, colour, width = 1.2) {
  context.strokeStyle = colour;
  context.lineWidth = width;
  context.beginPath();
  let pen = false;
  for (let i = 0; i < values.length; i++) {
    if (!Number.isFinite(values[i])) { pen = false; continue; }
    const x = sx(positions ? positions[i] : i), y = sy(values[i]);
    if (pen) context.lineTo(x, y); else { context.moveTo(x, y); context.lineTo(x + 0.01, y); }
    pen = true;
  }
  context.stroke();
}

// Limits that show what matters of some values: their 1st to 99.5th percentile with room around.
export function range(values, low = 0.01, high = 0.995) {
  const sorted = Array.from(values).filter(Number.isFinite).sort((a, b) => a - b);
  if (!sorted.length) return [0, 1];
  const a = sorted[Math.floor(low * (sorted.length - 1))], b = sorted[Math.ceil(high * (sorted.length - 1))];
  const room = (b - a) * 0.08 || Math.abs(a) * 0.1 || 1;
  return [a - room, b + room];
}
