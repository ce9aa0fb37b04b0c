// From numbers to colours: half floats, colour maps with their stretch, small pictures without WebGL, a scale.
import { ASINH, LOG, NO_DATA_BITS } from "./constants.js";
import { number } from "./ui.js";

export function half(bits) {
  const exponent = (bits >> 10) & 31, fraction = bits & 1023, sign = bits & 0x8000 ? -1 : 1;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

// RGBA of a colour map that came as 256 RGB triples.
export function mapOf(rgb) {
  const rgba = new Uint8Array(1024).fill(255);
  for (let i = 0; i < 256; i++) for (let k = 0; k < 3; k++) rgba[4 * i + k] = rgb[3 * i + k];
  return rgba;
}

export const GREYS = mapOf(Uint8Array.from({ length: 768 }, (_, i) => Math.floor(i / 3)));
// The same formulas as in the static pictures.
export const CURVES = { linear: (q) => q, asinh: (q) => Math.asinh(ASINH * q) / Math.asinh(ASINH), log: (q) => Math.log1p(LOG * q) / Math.log(1 + LOG) };
export function tableOf(rgba, stretch) {
  const size = 16384, table = new Uint8Array(4 * size), colours = new Uint32Array(rgba.buffer, rgba.byteOffset, 256);
  const into = new Uint32Array(table.buffer), curve = CURVES[stretch];
  for (let k = 0; k < size; k++) into[k] = colours[Math.round(255 * curve(k / (size - 1)))];
  return table;
}

// A small frame drawn without WebGL, for sheets of tiles: an opaque canvas of its own size, first row at the bottom.
export function tile(frame, limits, table) {
  const canvas = document.createElement("canvas"), { width, height } = frame, values = frame.planes.DATA;
  canvas.width = width; canvas.height = height;
  const picture = canvas.getContext("2d").createImageData(width, height), into = new Uint32Array(picture.data.buffer), colours = new Uint32Array(table.buffer);
  const scale = 16383 / (limits[1] - limits[0] || 1e-9), [offset, unit] = frame.code;
  for (let i = 0; i < into.length; i++) {
    const at = (height - 1 - Math.floor(i / width)) * width + (i % width);
    into[i] = values[at] === NO_DATA_BITS ? 0xff47403f : colours[Math.min(16383, Math.max(0, Math.floor((half(values[at]) * unit + offset - limits[0]) * scale)))];
  }
  canvas.getContext("2d").putImageData(picture, 0, 0);
  return canvas;
}

// A unit as FITS writes it, as one reads it.
export function shortUnit(unit) {
  const raised = (text) => text.replace(/[-\d]/g, (c) => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(c)]);
  return unit.replace(/\*\*\(?(-?\d+)\)?/g, (_, power) => raised(power)).replace(/\*/g, " ").replace(/Angstrom/g, "Å");
}

// A scale of the colours at the upper right of a picture: limits, and the unit.
export function drawColourBar(context, width, map, stretch, limits, unit) {
  const wide = 110, x = width - wide - 12, curve = CURVES[stretch];
  for (let i = 0; i < wide; i++) {
    const k = 4 * Math.round(255 * curve(i / (wide - 1)));
    context.fillStyle = `rgb(${map[k]},${map[k + 1]},${map[k + 2]})`;
    context.fillRect(x + i, 8, 1.5, 9);
  }
  context.lineWidth = 1; context.strokeStyle = "#fffa"; context.strokeRect(x - 0.5, 7.5, wide + 1, 10);
  context.textBaseline = "top";
  const write = (text, at, top, align, size) => {
    context.font = `${size}px sans-serif`; context.textAlign = align;
    context.lineWidth = 3; context.strokeStyle = "#000b"; context.strokeText(text, at, top);
    context.fillStyle = "#fff"; context.fillText(text, at, top);
  };
  write(number(limits[0], 3), x, 21, "left", 11);
  write(number(limits[1], 3), x + wide, 21, "right", 11);
  if (unit) write(shortUnit(unit), x + wide, 35, "right", 10);
  context.textAlign = "left";
}
