// The same picture without WebGL2, pixel by pixel on a 2D canvas: slower, for remote desktops and locked-down browsers.
import { NO_DATA_BITS } from "./constants.js";

const BEYOND = 0xff1b1716, UNKNOWN = 0xff47403f, UNDER_MARKS = 0xff171212; // beyond the frame, no data, under DQ alone: ABGR
let ofHalves = null;

// Value of each of the 65536 half floats; NaN where there are no data.
function valuesOfHalves() {
  if (ofHalves) return ofHalves;
  ofHalves = new Float32Array(65536);
  for (let bits = 0; bits < 65536; bits++) {
    const exponent = (bits >> 10) & 31, fraction = bits & 1023, sign = bits & 0x8000 ? -1 : 1;
    ofHalves[bits] = bits === NO_DATA_BITS ? NaN : sign * (exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15));
  }
  return ofHalves;
}

// A plane at a level of halving: means of what is there, as the shaders make them.
function planeLevel(frame, name, wanted) {
  const kept = (frame.halved[name] ??= []);
  if (!kept[0]) {
    const table = valuesOfHalves(), from = frame.planes[name];
    kept[0] = { width: frame.width, height: frame.height, data: Float32Array.from(from, (bits) => table[bits]) };
  }
  for (let k = kept.length; k <= wanted; k++) kept[k] = halvedPlane(kept[k - 1], 1);
  return kept[wanted];
}
// Colours of the marks, each times its opacity: red, green, blue, opacity.
function markLevel(frame, wanted) {
  const kept = (frame.halved.DQ ??= []);
  if (!kept[0]) {
    const { planes: { DQ: index }, markColours: colours } = frame, data = new Float32Array(4 * index.length);
    for (let i = 0; i < index.length; i++) {
      const at = 4 * index[i], alpha = colours[at + 3] / 255;
      if (alpha) { for (let c = 0; c < 3; c++) data[4 * i + c] = colours[at + c] * alpha; data[4 * i + 3] = alpha; }
    }
    kept[0] = { width: frame.width, height: frame.height, data };
  }
  for (let k = kept.length; k <= wanted; k++) kept[k] = halvedPlane(kept[k - 1], 4);
  return kept[wanted];
}
function halvedPlane({ width, height, data }, parts) {
  const w = Math.ceil(width / 2), h = Math.ceil(height / 2), small = new Float32Array(w * h * parts);
  for (let j = 0; j < h; j++) for (let i = 0; i < w; i++) for (let c = 0; c < parts; c++) {
    let sum = 0, n = 0;
    for (let k = 0; k < 4; k++) {
      const x = 2 * i + (k & 1), y = 2 * j + (k >> 1);
      if (x >= width || y >= height) continue;
      const value = data[(y * width + x) * parts + c];
      if (value === value) { sum += value; n += 1; }
    }
    small[(j * w + i) * parts + c] = n ? sum / n : NaN;
  }
  return { width: w, height: h, data: small };
}

export class PlainPainter {
  constructor(canvas) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d", { alpha: false });
    if (!this.context) throw new Error("no 2D canvas");
    this.maximum = Infinity;
  }
  begin() {
    const { width, height } = this.canvas;
    if (this.picture?.width !== width || this.picture.height !== height) this.picture = this.context.createImageData(width, height);
    this.into = new Uint32Array(this.picture.data.buffer);
    this.into.fill(BEYOND);
  }
  end() { this.context.putImageData(this.picture, 0, 0); }
  // `look`: layer, smooth, marked, opacity; limits [low, high]; table of 16384 colours; `place`: step, corner and turn
  // from pixels of the canvas (y up) to pixels of the frame; `channel` 0..2 fills only red, green or blue.
  frame(frame, table, limits, look, place, channel = null) {
    frame.halved ??= {};
    const { width, height } = this.canvas, into = this.into, wanted = look.level;
    const layer = look.layer, data = layer === 2 ? null : planeLevel(frame, "DATA", wanted), stat = layer >= 2 ? planeLevel(frame, "STAT", wanted) : null;
    const seen = data ?? stat, mark = look.marked ? markLevel(frame, wanted) : null, bin = 1 / (frame.bin * 2 ** wanted);
    const [a, b, c, d] = place.turn, [ox, oy] = place.corner, [low, high] = limits, span = 16383 / (high > low ? high - low : 1e-9);
    const value = this.reader(frame, layer, data, stat), mask = channel === null ? 0 : 0xff << (8 * channel);
    for (let row = 0; row < height; row++) {
      const v = height - row - 0.5;
      for (let column = 0; column < width; column++) {
        const u = column + 0.5, x = a * u + c * v + ox, y = b * u + d * v + oy;
        if (!(x >= 0 && y >= 0 && x < frame.nx && y < frame.ny)) continue;
        const tx = x * bin, ty = y * bin, i = Math.min(seen.width - 1, tx | 0), j = Math.min(seen.height - 1, ty | 0);
        let colour = UNDER_MARKS;
        if (layer !== 1) {
          const z = look.smooth ? smoothedAt(value, seen, tx, ty) : value(j * seen.width + i);
          colour = z === z ? table[Math.max(0, Math.min(16383, (z - low) * span)) | 0] : UNKNOWN;
        }
        if (mark) colour = markedOver(colour, mark.data, 4 * (j * mark.width + i), look.opacity);
        const at = row * width + column;
        into[at] = channel === null ? colour : (into[at] & ~mask) | (colour & mask);
      }
    }
  }
  reader(frame, layer, data, stat) {
    const [offset, scale, offsetStat, scaleStat] = frame.code;
    if (layer === 2) return (k) => stat.data[k] * scaleStat + offsetStat;
    if (layer !== 3) return (k) => data.data[k] * scale + offset;
    return (k) => { const s = stat.data[k] * scaleStat + offsetStat; return s > 0 ? (data.data[k] * scale + offset) / Math.sqrt(s) : NaN; };
  }
}

function smoothedAt(value, { width, height }, tx, ty) {
  const x = Math.floor(tx - 0.5), y = Math.floor(ty - 0.5), fx = tx - 0.5 - x, fy = ty - 0.5 - y;
  let sum = 0, weight = 0;
  for (let k = 0; k < 4; k++) {
    const i = Math.min(width - 1, Math.max(0, x + (k & 1))), j = Math.min(height - 1, Math.max(0, y + (k >> 1)));
    const v = value(j * width + i), w = (k & 1 ? fx : 1 - fx) * (k >> 1 ? fy : 1 - fy);
    if (v === v) { sum += w * v; weight += w; }
  }
  return weight < 0.5 ? NaN : sum / weight;
}

function markedOver(colour, marks, at, opacity) {
  const alpha = marks[at + 3];
  if (!alpha) return colour;
  let result = 0xff000000;
  for (let c = 0; c < 3; c++) {
    const under = (colour >> (8 * c)) & 255;
    result |= Math.max(0, Math.min(255, under + (marks[at + c] - under * alpha) * opacity)) << (8 * c);
  }
  return result >>> 0;
}
