// Pictures of what is seen: a PNG of image, colour bar and spectrum, and an SVG whose lines and words are lines and words.
import { h } from "../shared/ui.js";

function offer(name, blob) {
  const anchor = h("a", { href: URL.createObjectURL(blob), download: name });
  anchor.click();
  setTimeout(() => URL.revokeObjectURL(anchor.href), 10000);
}

// Everything of the image that is drawn, as one canvas; WebGL keeps nothing unless it is drawn just now.
function flattened(image) {
  const canvas = h("canvas");
  canvas.width = image.overlay.width; canvas.height = image.overlay.height;
  image.paint();
  const context = canvas.getContext("2d");
  context.drawImage(image.glCanvas, 0, 0, canvas.width, canvas.height);
  context.drawImage(image.overlay, 0, 0);
  return canvas;
}

export function asPng(name, image, bar, spectrum, paper) {
  const parts = [flattened(image), bar.plot.canvas, spectrum.canvas], width = Math.max(...parts.map((part) => part.width));
  const page = h("canvas");
  page.width = width; page.height = parts.reduce((sum, part) => sum + part.height, 0);
  const context = page.getContext("2d");
  context.fillStyle = paper; context.fillRect(0, 0, page.width, page.height);
  let y = 0;
  for (const part of parts) { context.drawImage(part, (width - part.width) / 2, y); y += part.height; }
  return new Promise((done) => page.toBlob((blob) => { offer(name, blob); done(blob); }));
}

export function asSvg(name, image, spectrum, paper) {
  const shown = flattened(image), ratio = image.ratio, top = shown.height / ratio, width = Math.max(shown.width / ratio, spectrum.host.clientWidth), height = spectrum.host.clientHeight;
  const pen = new SvgPen(spectrum.canvas.getContext("2d")), { plot } = spectrum, begin = plot.begin;
  plot.begin = function () { const had = begin.call(this); return { ...had, context: pen }; };
  try { spectrum.paint(plot); } finally { plot.begin = begin; spectrum.draw(); }
  const text = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${top + height}" viewBox="0 0 ${width} ${top + height}">`
    + `<rect width="100%" height="100%" fill="${paper}"/><image href="${shown.toDataURL("image/png")}" x="${(width - shown.width / ratio) / 2}" width="${shown.width / ratio}" height="${top}"/>`
    + `<g transform="translate(0 ${top})">${pen.text()}</g></svg>`;
  offer(name, new Blob([text], { type: "image/svg+xml" }));
  return text;
}

// As much of a canvas's pen as the plots use.
class SvgPen {
  constructor(measure) {
    this.measure = measure;
    this.out = []; this.path = ""; this.clips = 0;
    this.state = { strokeStyle: "#000", fillStyle: "#000", lineWidth: 1, font: "11px sans-serif", textAlign: "start", textBaseline: "alphabetic", globalAlpha: 1, dash: "", move: "" };
    this.stack = [];
    for (const key of Object.keys(this.state)) if (key !== "dash" && key !== "move") Object.defineProperty(this, key, { get: () => this.state[key], set: (value) => { this.state[key] = value; } });
  }
  text() { return this.out.join("") + "</g>".repeat(this.stack.reduce((sum, [, open]) => sum + open, 0)); }
  save() { this.stack.push([{ ...this.state }, 0]); }
  restore() { const [state, open] = this.stack.pop(); this.out.push("</g>".repeat(open)); this.state = state; }
  clip() {
    this.clips += 1;
    this.out.push(`<clipPath id="c${this.clips}"><path d="${this.path}"/></clipPath><g clip-path="url(#c${this.clips})">`);
    if (this.stack.length) this.stack.at(-1)[1] += 1;
  }
  translate(x, y) { this.state.move += ` translate(${x} ${y})`; }
  rotate(a) { this.state.move += ` rotate(${(a * 180) / Math.PI})`; }
  setTransform() {}
  setLineDash(dash) { this.state.dash = dash.join(" "); }
  beginPath() { this.path = ""; }
  moveTo(x, y) { this.path += `M${x.toFixed(2)} ${y.toFixed(2)}`; }
  lineTo(x, y) { this.path += `${this.path ? "L" : "M"}${x.toFixed(2)} ${y.toFixed(2)}`; }
  rect(x, y, w, hgt) { this.path += `M${x} ${y}h${w}v${hgt}h${-w}z`; }
  arc(x, y, r) { this.path += `M${x - r} ${y}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0`; }
  closePath() { this.path += "z"; }
  put(kind, d) {
    const { state: s } = this, colour = esc(kind === "fill" ? s.fillStyle : s.strokeStyle);
    const look = kind === "fill" ? `fill="${colour}"` : `fill="none" stroke="${colour}" stroke-width="${s.lineWidth}" stroke-dasharray="${s.dash}"`;
    if (d) this.out.push(`<path d="${d}" ${look} opacity="${s.globalAlpha}"/>`);
  }
  stroke() { this.put("stroke", this.path); }
  fill() { this.put("fill", this.path); }
  strokeRect(x, y, w, hgt) { this.put("stroke", `M${x} ${y}h${w}v${hgt}h${-w}z`); }
  fillRect(x, y, w, hgt) { this.put("fill", `M${x} ${y}h${w}v${hgt}h${-w}z`); }
  measureText(text) { this.measure.font = this.state.font; return this.measure.measureText(text); }
  fillText(text, x, y) {
    const { state: s } = this, anchor = { center: "middle", right: "end", end: "end" }[s.textAlign] ?? "start";
    const base = { middle: "central", top: "hanging" }[s.textBaseline] ?? "auto";
    this.out.push(`<text x="${x.toFixed(2)}" y="${y.toFixed(2)}" transform="${s.move.trim()}" style="font:${esc(s.font)}" text-anchor="${anchor}" dominant-baseline="${base}" fill="${esc(s.fillStyle)}">${esc(text)}</text>`);
  }
}
const esc = (text) => String(text).replace(/[&<>"]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[c]);
