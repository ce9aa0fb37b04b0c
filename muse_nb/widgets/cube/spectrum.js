// The spectrum below the image: curves with their error bands, windows of bands that are dragged, lines at a redshift.
import { Plot, line, trace } from "../shared/plot.js";
import { number } from "../shared/ui.js";

const LEFT = 64, RIGHT = 20, TOP = 26, BOTTOM = 34, GRIP = 7;
const SKY_COLOUR = "#8a6d3b", WINDOW = { band: "#0072b2", continuum: "#d55e00", rgb: ["#d43d3d", "#2f9e44", "#3b6fd4"] };

export class SpectrumPlot {
  // hooks: onwindows(changes, final), onwave(wavelength or null), onpick(wavelength), onredshift(z, final)
  constructor(host, traits, cube, waves, hooks) {
    Object.assign(this, { host, traits, cube, waves, hooks, curves: [], windows: [], cursor: null, pending: false, drawn: 0 });
    this.plot = new Plot(host);
    this.canvas = this.plot.canvas;
    this.canvas.style.touchAction = "none";
    this.canvas.setAttribute("role", "img");
    this.low = Math.min(waves[0], waves.at(-1));
    this.high = Math.max(waves[0], waves.at(-1));
    if (this.low === this.high) { this.low -= 1; this.high += 1; }
    this.listen();
  }
  close() { this.plot.close(); }
  xrange() { const x = this.traits.get("xrange"); return x.length === 2 ? x : [this.low, this.high]; }
  planeOf(wave) {
    const w = this.waves, n = w.length, up = n < 2 || w[1] > w[0];
    let a = 0, b = n - 1;
    while (b - a > 1) { const m = (a + b) >> 1; if (w[m] <= wave === up) a = m; else b = m; }
    return Math.abs(w[a] - wave) <= Math.abs(w[b] - wave) ? a : b;
  }
  // All of what is there within the range, but no spike far above everything else when several planes stick out.
  yrange() {
    const y = this.traits.get("yrange");
    if (y.length === 2) return y;
    const [x0, x1] = this.xrange(), a = Math.min(this.planeOf(x0), this.planeOf(x1)), b = Math.max(this.planeOf(x0), this.planeOf(x1));
    const step = Math.max(1, Math.floor((b - a) / 1500)), values = [];
    for (const { flux } of this.curves) for (let k = a; k <= b; k += step) if (Number.isFinite(flux[k])) values.push(flux[k]);
    if (!values.length) return [0, 1];
    values.sort((p, q) => p - q);
    const at = (q) => values[Math.round(q * (values.length - 1))], spread = at(0.98) - at(0.02) || Math.abs(at(0.5)) * 0.2 || 1;
    let low = Math.max(values[0], at(0.02) - 2 * spread), high = Math.min(values.at(-1), at(0.98) + 12 * spread);
    const room = 0.08 * (high - low) || 1;
    return [low - room, high + room];
  }
  draw() {
    if (this.pending) return;
    this.pending = true;
    requestAnimationFrame(() => { this.pending = false; this.plot.draw((plot) => this.paint(plot)); this.drawn += 1; });
  }
  paint(plot) {
    const { traits, cube, waves } = this, x = this.xrange(), y = this.yrange(), narrow = this.host.clientWidth < 560;
    const medium = { air: "wavelength in air [Å]", vacuum: "wavelength in vacuum [Å]" }[cube.medium] ?? "wavelength [Å]";
    const axes = plot.axes({ x, y, left: LEFT, right: RIGHT, top: TOP, bottom: BOTTOM, xlabel: medium, ylabel: this.unit || cube.unit });
    const { context, sx, sy, left, right, top, bottom } = axes;
    this.sx = sx; this.sy = sy; this.axes = axes;
    context.save();
    context.beginPath(); context.rect(left, 0, right - left, bottom); context.clip();
    if (cube.notch.length) this.gap(context, plot, "AO notch", cube.notch);
    for (const one of this.windows) this.window(context, one);
    context.beginPath(); context.rect(left, top, right - left, bottom - top); context.clip();
    if (y[0] < 0 && y[1] > 0) { context.strokeStyle = plot.faint; context.setLineDash([3, 3]); line(context, left, sy(0), right, sy(0)); context.setLineDash([]); }
    if (traits.get("sky_shown")) this.sky(context);
    for (const curve of this.curves) if (curve.error) this.errors(context, curve);
    for (const { flux, colour, width } of this.curves) this.curve(context, plot, flux, colour === "ink" ? plot.ink : colour, width ?? 1.3);
    this.names(context);
    const fit = traits.get("fitted");
    if (fit.x) trace(context, fit.x, fit.y.map((v) => v ?? NaN), sx, sy, "#d55e00", 2.2);
    context.restore();
    if (traits.get("lines_shown")) this.lines(context, plot, narrow);
    context.save(); context.beginPath(); context.rect(left, 0, right - left, bottom); context.clip();
    if (traits.get("shown") === "plane" || ["NaN", "DQ"].includes(traits.get("layer"))) {
      const at = sx(traits.get("wavelength"));
      context.strokeStyle = context.fillStyle = plot.ink; context.lineWidth = 1.6; line(context, at, top, at, bottom);
      context.beginPath(); context.moveTo(at - 6, top); context.lineTo(at + 6, top); context.lineTo(at, top + 8); context.fill();
    }
    if (this.cursor !== null) { context.strokeStyle = plot.ink; context.globalAlpha = 0.5; context.lineWidth = 1; line(context, sx(this.cursor), top, sx(this.cursor), bottom); context.globalAlpha = 1; }
    context.restore();
    if (!this.curves.length) { context.fillStyle = plot.ink; context.textAlign = "center"; context.textBaseline = "middle"; ["Move over the image for spectra;", "draw a region to keep one."].forEach((text, i) => context.fillText(text, (left + right) / 2, (top + bottom) / 2 + 16 * (i - 0.5))); }
  }
  names(context) {
    const { right, top, bottom } = this.axes, named = this.curves.filter(({ name }) => name), first = (top + bottom) / 2 - 8 * named.length;
    context.textAlign = "right"; context.textBaseline = "top";
    named.forEach(({ name, colour }, n) => { context.fillStyle = colour; context.fillText(name, right - 8, first + 16 * n); });
  }
  // Where many planes fall on a pixel, the least and the largest of them.
  curve(context, plot, flux, colour, width) {
    const { waves, sx, sy } = this, [x0, x1] = this.xrange(), p = this.planeOf(x0), q = this.planeOf(x1), a = Math.max(0, Math.min(p, q) - 1), b = Math.min(waves.length - 1, Math.max(p, q) + 1);
    const per = (b - a) / (this.axes.right - this.axes.left);
    if (per <= 3) { trace(context, waves.subarray(a, b + 1), flux.subarray(a, b + 1), sx, sy, colour, width); return; }
    const xs = [], ys = [], bin = Math.ceil(per);
    for (let k = a; k <= b; k += bin) {
      let low = Infinity, high = -Infinity, first = NaN;
      for (let i = k; i < Math.min(b + 1, k + bin); i++) { const v = flux[i]; if (v === v) { if (v < low) low = v; if (v > high) high = v; first = first === first ? first : v; } }
      if (low === Infinity) { xs.push(waves[k]); ys.push(NaN); continue; }
      xs.push(waves[k], waves[k]); ys.push(low, high);
    }
    trace(context, xs, ys, sx, sy, colour, width);
  }
  errors(context, { flux, error, colour }) {
    const { waves, sx, sy } = this, [x0, x1] = this.xrange(), p = this.planeOf(x0), q = this.planeOf(x1), a = Math.min(p, q), b = Math.max(p, q);
    const step = Math.max(1, Math.floor((b - a) / (this.axes.right - this.axes.left)));
    context.fillStyle = colour === "ink" ? "#8888" : colour + "55";
    for (let k = a; k <= b; ) {
      while (k <= b && !Number.isFinite(flux[k] + error[k])) k += step;
      const start = k, back = [];
      context.beginPath();
      for (; k <= b && Number.isFinite(flux[k] + error[k]); k += step) { const at = sx(waves[k]); context.lineTo(at, sy(flux[k] + error[k])); back.push([at, sy(flux[k] - error[k])]); }
      for (const point of back.reverse()) context.lineTo(...point);
      if (k > start) context.fill();
    }
  }
  gap(context, plot, name, [low, high]) {
    const { sx, axes } = this;
    context.fillStyle = plot.faint; context.globalAlpha = 0.45; context.fillRect(sx(low), axes.top, sx(high) - sx(low), axes.bottom - axes.top); context.globalAlpha = 1;
    context.fillStyle = plot.ink; context.textAlign = "center"; context.textBaseline = "bottom";
    if (sx(high) - sx(low) > 50) context.fillText(name, (sx(low) + sx(high)) / 2, axes.bottom - 4);
  }
  window(context, { colour, limits: [low, high], name }) {
    const { sx, axes } = this, a = sx(low), b = Math.max(sx(high), a + 2);
    context.fillStyle = colour + "30"; context.fillRect(a, axes.top, b - a, axes.bottom - axes.top);
    context.fillStyle = colour; context.fillRect(a, axes.top - 12, b - a, 12);
    context.strokeStyle = colour; context.lineWidth = 1.5; line(context, a, axes.top, a, axes.bottom); line(context, b, axes.top, b, axes.bottom);
    if (b - a > 7 * name.length) { context.fillStyle = "#fff"; context.textAlign = "center"; context.textBaseline = "middle"; context.fillText(name, (a + b) / 2, axes.top - 6); }
  }
  sky(context) {
    const { sx, axes } = this, [x0, x1] = this.xrange();
    context.strokeStyle = SKY_COLOUR; context.fillStyle = SKY_COLOUR; context.lineWidth = 1; context.setLineDash([2, 3]);
    let last = -100;
    for (const [wave, name] of this.cube.night) {
      if (wave < x0 || wave > x1) continue;
      const at = sx(wave); line(context, at, axes.top, at, axes.bottom);
      if (at - last > 42) { context.textAlign = "left"; context.textBaseline = "bottom"; context.fillText(name, at + 2, axes.bottom - 16); last = at; }
    }
    context.setLineDash([]);
  }
  lines(context, plot, narrow) {
    const { sx, axes, traits } = this, z = traits.get("redshift"), [x0, x1] = this.xrange(), chosen = traits.get("line");
    this.labels = [];
    const inside = this.cube.lines.map(([name, rest, kind]) => [name, rest * (1 + z), kind]).filter(([, wave]) => wave > x0 && wave < x1);
    let last = -200;
    const first = inside.find(([name]) => name === chosen), near = narrow ? 60 : 54;
    for (const [name, wave, kind] of inside.sort((a, b) => a[1] - b[1])) {
      const at = sx(wave), mine = name === chosen;
      context.strokeStyle = kind === "absorption" ? "#cc79a7" : "#009e73"; context.lineWidth = mine ? 2 : 1; context.setLineDash(kind === "absorption" ? [4, 3] : []);
      line(context, at, axes.top, at, axes.bottom); context.setLineDash([]);
      if (!mine && (at - last < near || (first && Math.abs(sx(first[1]) - at) < near))) continue;
      context.fillStyle = plot.ink; context.textAlign = "center"; context.textBaseline = "middle";
      context.font = `${mine ? "700 " : ""}11px sans-serif`;
      const half = context.measureText(name).width / 2 + 3, place = Math.min(Math.max(at, axes.left + half), axes.right - half);
      context.fillText(name, place, 7); this.labels.push([place - half, place + half, wave]); last = at;
    }
  }

  // ---- hands
  valueAt(px) { const [a, b] = this.xrange(), { left, right } = this.axes; return a + ((px - left) / (right - left)) * (b - a); }
  heightAt(py) { const [a, b] = this.yrange(), { top, bottom } = this.axes; return a + ((bottom - py) / (bottom - top)) * (b - a); }
  clip(w) { return Math.max(this.low, Math.min(this.high, w)); }
  grip(px, py, touch) {
    const reach = touch ? 18 : GRIP;
    if (py < 16 && this.traits.get("lines_shown")) { const label = (this.labels ?? []).find(([a, b]) => px >= a - 3 && px <= b + 3); if (label) return { redshift: label[2] / (1 + this.traits.get("redshift")) }; }
    let best = null;
    for (const one of this.windows) one.limits.forEach((edge, end) => { const d = Math.abs(this.sx(edge) - px); if (d <= reach && (!best || d < best.d)) best = { window: one, end, d }; });
    const inside = this.windows.findLast((one) => px >= this.sx(one.limits[0]) && px <= this.sx(one.limits[1]));
    if (inside && (!best || this.sx(inside.limits[1]) - this.sx(inside.limits[0]) < 3 * reach && py < this.axes.top)) return { window: inside, end: null };
    return best ?? (inside ? { window: inside, end: null } : null);
  }
  listen() {
    const surface = this.canvas, down = new Map();
    let start = null, what = null, moved = false, pinch = null;
    const place = (event) => { const box = surface.getBoundingClientRect(); return [event.clientX - box.left, event.clientY - box.top]; };
    const size = () => { const [a, b] = [...down.values()]; return { d: Math.max(12, Math.abs(a[0] - b[0])), x: (a[0] + b[0]) / 2 }; };
    surface.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || !this.axes) return;
      surface.setPointerCapture(event.pointerId);
      down.set(event.pointerId, place(event));
      if (down.size === 2) { what = null; moved = true; pinch = size(); return; }
      start = place(event); moved = false;
      const wave = this.clip(this.valueAt(start[0]));
      if (event.shiftKey || this.drawing) what = { fresh: wave };
      else what = start[0] < this.axes.left ? { axis: this.yrange() } : this.grip(...start, event.pointerType === "touch") ?? { pan: this.xrange(), up: this.traits.get("yrange") };
      what.wave = wave;
      if (what.window) what.limits = [...what.window.limits];
    });
    surface.addEventListener("pointermove", (event) => {
      const now = place(event);
      if (!this.axes) return;
      if (!down.has(event.pointerId)) { this.point(...now); return; }
      down.set(event.pointerId, now);
      if (down.size === 2) { const next = size(); this.zoom(pinch.d / next.d, next.x); pinch = next; return; }
      if (!moved && Math.hypot(now[0] - start[0], now[1] - start[1]) > (event.pointerType === "touch" ? 8 : 3)) moved = true;
      if (moved && what) this.drag(what, start, now, false);
    });
    const up = (event) => {
      if (!down.delete(event.pointerId) || down.size) return;
      const now = place(event);
      if (moved && what) this.drag(what, start, now, true);
      else if (!moved && start[0] >= this.axes.left) this.hooks.onpick(this.clip(this.valueAt(start[0])));
      what = null;
    };
    surface.addEventListener("pointerup", up);
    surface.addEventListener("pointercancel", up);
    surface.addEventListener("pointerleave", () => { this.cursor = null; this.hooks.onwave(null); this.draw(); });
    surface.addEventListener("dblclick", () => this.whole());
    surface.addEventListener("wheel", (event) => {
      event.preventDefault();
      if (!this.axes) return;
      const [px, py] = place(event), factor = Math.exp((event.deltaMode === 1 ? event.deltaY * 30 : event.deltaY || event.deltaX) * 0.0018);
      if (event.shiftKey || px < this.axes.left) this.stretch(factor, py); else this.zoom(factor, px);
    }, { passive: false });
  }
  point(px, py) {
    const inside = px >= this.axes.left && px <= this.axes.right;
    this.cursor = inside ? this.clip(this.valueAt(px)) : null;
    const grip = inside ? this.grip(px, py, false) : null;
    this.canvas.style.cursor = px < this.axes.left ? "ns-resize" : !grip ? "crosshair" : grip.end === null ? "grab" : "ew-resize";
    this.hooks.onwave(this.cursor);
    this.draw();
  }
  drag(what, start, now, final) {
    const wave = this.valueAt(now[0]), by = wave - this.valueAt(start[0]);
    if (what.redshift) this.hooks.onredshift(Math.max(-0.5, wave / what.redshift - 1), final);
    else if (what.fresh !== undefined) this.hooks.onwindows({ band: [what.fresh, this.clip(wave)].sort((a, b) => a - b), fresh: true }, final);
    else if (what.window) {
      let limits = what.end === null ? what.limits.map((v) => v + by) : what.limits.map((v, i) => (i === what.end ? this.clip(v + by) : v));
      if (what.end === null) { const out = Math.min(0, this.high - limits[1]) + Math.max(0, this.low - limits[0]); limits = limits.map((v) => v + out); }
      this.hooks.onwindows({ window: what.window, limits: limits.sort((a, b) => a - b) }, final);
    } else if (what.axis) {
      const shift = ((now[1] - start[1]) / (this.axes.bottom - this.axes.top)) * (what.axis[1] - what.axis[0]);
      this.traits.set("yrange", what.axis.map((v) => v + shift));
    } else if (what.pan) {
      const per = (what.pan[1] - what.pan[0]) / (this.axes.right - this.axes.left), shift = (start[0] - now[0]) * per;
      this.look(what.pan.map((v) => v + shift));
      if (what.up.length === 2) { const s = ((now[1] - start[1]) / (this.axes.bottom - this.axes.top)) * (what.up[1] - what.up[0]); this.traits.set("yrange", what.up.map((v) => v + s)); }
    }
  }
  look([a, b]) {
    const span = Math.min(b - a, this.high - this.low), shift = Math.max(0, this.low - a) + Math.min(0, this.high - b);
    this.traits.set("xrange", span >= this.high - this.low ? [] : [a + shift, b + shift]);
  }
  zoom(factor, px = (this.axes.left + this.axes.right) / 2) {
    const [a, b] = this.xrange(), at = this.valueAt(px), least = 4 * this.cube.step;
    const f = Math.max(factor, least / (b - a));
    this.look([Math.max(this.low, at - (at - a) * f), Math.min(this.high, at + (b - at) * f)]);
  }
  stretch(factor, py = (this.axes.top + this.axes.bottom) / 2) {
    const [a, b] = this.yrange(), at = this.heightAt(py);
    this.traits.set("yrange", [at - (at - a) * factor, at + (b - at) * factor]);
  }
  whole() { this.traits.setAll({ xrange: [], yrange: [] }); }
}

// The windows of what is shown: the band and its continuum, or three bands.
export function windowsOf(traits, trial = {}) {
  const get = (name) => trial[name] ?? traits.get(name), shown = traits.get("shown");
  if (shown === "rgb") return get("rgb").map((limits, i) => ({ kind: "rgb", i, limits, colour: WINDOW.rgb[i], name: "RGB"[i] }));
  if (shown !== "band" || get("band").length !== 2) return [];
  return [...get("continuum").map((limits, i) => ({ kind: "continuum", i, limits, colour: WINDOW.continuum, name: "continuum" })),
    { kind: "band", i: 0, limits: get("band"), colour: WINDOW.band, name: `band ${number(get("band")[1] - get("band")[0], 3)} Å` }];
}
