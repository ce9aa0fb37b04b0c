// What a page without a kernel can answer: from the binned cube that it holds, within the precision of half floats.
import { as } from "../shared/ui.js";
import { NO_DATA_BITS } from "../shared/constants.js";
import { half } from "../shared/canvas.js";
import { areaOf, boxOf, isInside } from "./regions.js";

let halfTable = null; // of all 65536 half floats
function halfValues() {
  halfTable ??= Float32Array.from({ length: 65536 }, (_, bits) => (bits === NO_DATA_BITS ? NaN : half(bits)));
  return halfTable;
}

export class SmallCube {
  constructor(traits, planes) {
    Object.assign(this, traits.get("small"));
    this.all = planes;
    this.data = as(Uint16Array, traits.get("small_data"));
    this.size = this.nx * this.ny;
  }
  value(k, i) { return halfValues()[this.data[k * this.size + i]] * this.code[1] + this.code[0]; }
  // One value a plane of the cube, from weights of boxes: [[box, weight] ...]
  spectrum(weights, times) {
    const flux = new Float32Array(this.all).fill(NaN);
    for (let k = 0; k < this.nz; k++) {
      let sum = 0, there = 0;
      for (const [i, w] of weights) { const v = this.value(k, i); if (v === v) { sum += w * v; there += w; } }
      if (there > 0) flux.fill((times * sum) / there, k * this.step, Math.min(this.all, (k + 1) * this.step));
    }
    return flux;
  }
  spaxel(x, y) {
    const i = Math.floor(y / this.bin) * this.nx + Math.floor(x / this.bin);
    return this.spectrum([[i, 1]], 1);
  }
  aperture(shape) {
    const weights = new Map(), [x0, y0, x1, y1] = boxOf(shape), fine = 4;
    for (let y = Math.max(0, Math.floor(y0 * fine)); y <= y1 * fine; y++) for (let x = Math.max(0, Math.floor(x0 * fine)); x <= x1 * fine; x++) {
      if (!isInside(shape, x / fine, y / fine)) continue;
      const i = Math.floor((x / fine + 0.5) / this.bin), j = Math.floor((y / fine + 0.5) / this.bin);
      if (i < this.nx && j < this.ny) weights.set(j * this.nx + i, (weights.get(j * this.nx + i) ?? 0) + 1);
    }
    return this.spectrum([...weights], shape.how === "mean" || shape.how === "median" ? 1 : areaOf(shape));
  }
  // Mean of the planes between two wavelengths, by box.
  mean(waves, [low, high]) {
    const sum = new Float64Array(this.size), n = new Int32Array(this.size);
    const centre = (k) => waves[Math.min(waves.length - 1, k * this.step + ((this.step - 1) >> 1))];
    let inside = Array.from({ length: this.nz }, (_, k) => k).filter((k) => centre(k) >= low && centre(k) <= high);
    if (!inside.length) inside = [Array.from({ length: this.nz }, (_, k) => k).reduce((a, b) => (Math.abs(centre(b) - (low + high) / 2) < Math.abs(centre(a) - (low + high) / 2) ? b : a))];
    for (const k of inside) for (let i = 0; i < this.size; i++) { const v = this.value(k, i); if (v === v) { sum[i] += v; n[i]++; } }
    return sum.map((v, i) => v / n[i]);
  }
  band(waves, band, continuum) {
    const data = this.mean(waves, band);
    if (!continuum.length) return data;
    const levels = continuum.map((window) => this.mean(waves, window));
    return data.map((v, i) => v - levels.reduce((sum, level) => sum + level[i], 0) / levels.length);
  }
  // As a kernel's answer would be: an info and 16-bit half floats.
  image(waves, band, continuum, nx, ny, unit) {
    const data = this.band(waves, band, continuum), good = Array.from(data).filter(Number.isFinite).sort((a, b) => a - b);
    const at = (q) => good[Math.min(good.length - 1, Math.max(0, Math.round(q * (good.length - 1))))] ?? 0;
    const low = at(0), high = at(1), scale = (high - low) / 2000 || 1;
    const bits = Uint16Array.from(data, (v) => (v === v ? toHalf((v - low) / scale) : NO_DATA_BITS));
    const limits = { all: [low, high] };
    for (const share of ["90", "98", "99.5", "99.9"]) limits[share] = [at((100 - share) / 200), at(1 - (100 - share) / 200)];
    limits.zscale = limits["98"];
    const counts = new Array(48).fill(0), h0 = at(0.002), h1 = at(0.998) || h0 + 1;
    for (const v of good) { const k = Math.floor(((v - h0) / (h1 - h0 || 1)) * 48); if (k >= 0 && k < 48) counts[k]++; }
    return [{ nx, ny, bin: this.bin, code: [low, scale, 0, 1], limits, unit, exact: false, histogram: { low: h0, high: h1, counts },
      label: `${band[0].toFixed(1)} to ${band[1].toFixed(1)} Å${continuum.length ? " − continuum" : ""}, binned ${this.bin} × ${this.bin} spaxels, ${this.step} planes` }, bits];
  }
}

function toHalf(value) {
  if (!(value > 6e-5)) return 0;
  const exponent = Math.min(15, Math.floor(Math.log2(value))), fraction = Math.round((value / 2 ** exponent - 1) * 1024);
  return ((exponent + 15) << 10) + fraction;
}
