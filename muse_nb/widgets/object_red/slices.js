// Where the slices lie: their borders and numbers, and the gaps between them, which hold no light and are dimmed.
import { as } from "../shared/ui.js";

const GAPS = "#16171bd9";

// x of each slice's left and right edge on some rows: [{ left: [...], right: [...] }], or null where they are not known.
export function bordersOf(raw) {
  if (!raw?.byteLength) return null;
  const edges = as(Float32Array, raw), rows = edges[0], found = [];
  for (let start = 1; start + 2 * rows <= edges.length; start += 2 * rows) {
    const side = (which) => Array.from({ length: rows }, (_, k) => edges[start + 2 * k + which]);
    found.push({ left: side(0), right: side(1) });
  }
  return found;
}

const rowAt = (k, rows, ny) => (k / (rows - 1)) * (ny - 1);

export function shadeGaps(context, view, slices, { nx, ny }) {
  const rows = slices[0].left.length, gap = (left, right) => {
    context.beginPath();
    for (let k = 0; k < rows; k++) context.lineTo(...view.toScreen(left[k], k ? (k === rows - 1 ? ny - 0.5 : rowAt(k, rows, ny)) : -0.5));
    for (let k = rows - 1; k >= 0; k--) context.lineTo(...view.toScreen(right[k], k ? (k === rows - 1 ? ny - 0.5 : rowAt(k, rows, ny)) : -0.5));
    context.fill();
  };
  const order = [...slices].sort((a, b) => a.left[0] - b.left[0]), end = (x) => Array(rows).fill(x);
  context.fillStyle = GAPS;
  let left = end(-0.5);
  for (const slice of [...order, { left: end(nx - 0.5), right: null }]) {
    if (slice.left.some((x, k) => x > left[k])) gap(left, slice.left.map((x, k) => Math.max(x, left[k])));
    left = slice.right;
  }
}

export function drawBorders(context, view, slices, { ny }) {
  const rows = slices[0].left.length;
  context.lineWidth = 1;
  slices.forEach(({ left, right }, n) => {
    const centre = view.toScreen((left[0] + right[0]) / 2, 0)[0];
    if (centre < -200 || centre > view.width + 200) return;
    context.strokeStyle = "#ffffff59";
    for (const edge of [left, right]) {
      context.beginPath();
      edge.forEach((x, k) => context.lineTo(...view.toScreen(x, rowAt(k, rows, ny))));
      context.stroke();
    }
    if (view.where()[2] * (right[0] - left[0]) > 16) {
      const y = Math.min(view.height - 14, view.toScreen(0, -0.5)[1] + 4);
      context.font = "10px sans-serif"; context.textAlign = "center"; context.strokeStyle = "#000a"; context.lineWidth = 3;
      context.strokeText(String(n + 1), centre, y); context.fillStyle = "#fff"; context.fillText(String(n + 1), centre, y); context.textAlign = "left"; context.lineWidth = 1;
    }
  });
}
