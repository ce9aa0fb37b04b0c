// Apertures on an image: their outlines, the handles by which they are dragged, and new ones. Spaxels from 0, y up.
export const SHAPES = [["circle", "Circle (c): drag from its centre"], ["ellipse", "Ellipse (e): drag from its centre"],
  ["rectangle", "Rectangle (r): drag from its centre"], ["annulus", "Annulus (a): drag from its centre"],
  ["polygon", "Polygon (g): click its corners, the first one again to close it"]];
export const REGION_COLOURS = ["#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7"];
const LEAST = 0.5; // spaxels: no region is smaller

const turned = (shape, u, v) => {
  const t = ((shape.angle || 0) * Math.PI) / 180;
  return [shape.x + u * Math.cos(t) - v * Math.sin(t), shape.y + u * Math.sin(t) + v * Math.cos(t)];
};
const unturned = (shape, x, y) => {
  const t = (-(shape.angle || 0) * Math.PI) / 180, dx = x - shape.x, dy = y - shape.y;
  return [dx * Math.cos(t) - dy * Math.sin(t), dx * Math.sin(t) + dy * Math.cos(t)];
};

// Where it can be taken hold of besides its inside: [role, x, y].
export function handlesOf(shape) {
  if (shape.kind === "circle") return [["a", shape.x + shape.a, shape.y]];
  if (shape.kind === "annulus") return [["a", shape.x + shape.a, shape.y], ["b", shape.x + shape.b, shape.y]];
  if (shape.kind === "polygon") return shape.points.map(([x, y], i) => [i, x, y]);
  return [["a", ...turned(shape, shape.a, 0)], ["b", ...turned(shape, 0, shape.b)], ["turn", ...turned(shape, shape.a + Math.max(1.5, 0.3 * shape.a), 0)]];
}

export function moveHandle(shape, role, x, y) {
  if (shape.kind === "polygon") {
    const points = shape.points.map((point, i) => (i === role ? [x, y] : point));
    return { ...shape, points, ...middleOf(points) };
  }
  const [u, v] = unturned(shape, x, y), distance = Math.max(LEAST, Math.hypot(u, v));
  if (role === "turn") return { ...shape, angle: (Math.atan2(y - shape.y, x - shape.x) * 180) / Math.PI };
  if (shape.kind === "circle") return { ...shape, a: distance, b: distance };
  if (shape.kind === "annulus") return role === "a" ? { ...shape, a: Math.min(distance, shape.b - 0.2) } : { ...shape, b: Math.max(distance, shape.a + 0.2) };
  return { ...shape, [role]: Math.max(LEAST, Math.abs(role === "a" ? u : v)) };
}

export function moveBy(shape, dx, dy) {
  return { ...shape, x: shape.x + dx, y: shape.y + dy, points: shape.points.map(([x, y]) => [x + dx, y + dy]) };
}

export function resize(shape, factor) {
  const points = shape.points.map(([x, y]) => [shape.x + factor * (x - shape.x), shape.y + factor * (y - shape.y)]);
  return { ...shape, a: Math.max(LEAST, shape.a * factor), b: Math.max(LEAST, shape.b * factor), points };
}

function middleOf(points) {
  const sum = points.reduce(([x, y], [px, py]) => [x + px, y + py], [0, 0]);
  return { x: sum[0] / points.length, y: sum[1] / points.length };
}

export function isInside(shape, x, y) {
  const [u, v] = unturned(shape, x, y), distance = Math.hypot(u, v);
  if (shape.kind === "circle") return distance <= shape.a;
  if (shape.kind === "annulus") return distance <= shape.b && distance >= shape.a;
  if (shape.kind === "ellipse") return (u / shape.a) ** 2 + (v / shape.b) ** 2 <= 1;
  if (shape.kind === "rectangle") return Math.abs(u) <= shape.a && Math.abs(v) <= shape.b;
  let inside = false;
  shape.points.forEach(([x0, y0], i) => {
    const [x1, y1] = shape.points[(i + 1) % shape.points.length];
    if (y0 > y !== y1 > y && x < ((x1 - x0) * (y - y0)) / (y1 - y0) + x0) inside = !inside;
  });
  return inside;
}

export function boxOf(shape) {
  if (shape.kind === "polygon") {
    const xs = shape.points.map((p) => p[0]), ys = shape.points.map((p) => p[1]);
    return [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
  }
  const r = shape.kind === "rectangle" ? Math.hypot(shape.a, shape.b) : Math.max(shape.a, shape.b);
  return [shape.x - r, shape.y - r, shape.x + r, shape.y + r];
}

export function areaOf(shape) {
  if (shape.kind === "circle") return Math.PI * shape.a ** 2;
  if (shape.kind === "annulus") return Math.PI * (shape.b ** 2 - shape.a ** 2);
  if (shape.kind === "ellipse") return Math.PI * shape.a * shape.b;
  if (shape.kind === "rectangle") return 4 * shape.a * shape.b;
  return Math.abs(shape.points.reduce((sum, [x, y], i) => { const [px, py] = shape.points[(i + 1) % shape.points.length]; return sum + x * py - px * y; }, 0)) / 2;
}

function outline(context, view, shape) {
  const [x, y] = view.toScreen(shape.x, shape.y), s = view.where()[2], turn = (-(shape.angle || 0) * Math.PI) / 180;
  context.beginPath();
  if (shape.kind === "circle") context.arc(x, y, shape.a * s, 0, 7);
  else if (shape.kind === "annulus") { context.arc(x, y, shape.b * s, 0, 7); context.moveTo(x + shape.a * s, y); context.arc(x, y, shape.a * s, 0, 7); }
  else if (shape.kind === "ellipse") context.ellipse(x, y, shape.a * s, shape.b * s, turn, 0, 7);
  else {
    const corners = shape.kind === "polygon" ? shape.points : [[1, 1], [-1, 1], [-1, -1], [1, -1]].map(([i, j]) => turned(shape, i * shape.a, j * shape.b));
    corners.forEach((corner, i) => { const at = view.toScreen(...corner); if (i) context.lineTo(...at); else context.moveTo(...at); });
    if (!shape.open) context.closePath();
  }
}

// Regions in their colours; the chosen one with its handles and the ring of its background.
export function drawRegions(context, view, shapes, chosen, perSpaxel) {
  for (const shape of shapes) {
    const mine = shape.id === chosen;
    for (const [colour, width] of [["#000a", mine ? 4.5 : 3.5], [shape.colour, mine ? 2.5 : 1.6]]) {
      context.strokeStyle = colour; context.lineWidth = width;
      outline(context, view, shape); context.stroke();
    }
    if (shape.ring?.length === 2 && perSpaxel) {
      context.setLineDash([5, 4]);
      for (const radius of shape.ring) { outline(context, view, { kind: "circle", x: shape.x, y: shape.y, a: radius / perSpaxel }); context.lineWidth = 1.3; context.stroke(); }
      context.setLineDash([]);
    }
    const [x0, , , y1] = boxOf(shape), at = view.toScreen(x0, y1);
    context.font = "600 12px sans-serif"; context.textAlign = "right"; context.textBaseline = "bottom"; context.lineWidth = 3;
    context.strokeStyle = "#000b"; context.strokeText(shape.name, at[0] + 3, at[1] + 2); context.fillStyle = shape.colour; context.fillText(shape.name, at[0] + 3, at[1] + 2);
    if (!mine) continue;
    for (const [role, x, y] of handlesOf(shape)) {
      const [px, py] = view.toScreen(x, y);
      context.beginPath();
      if (role === "turn") context.arc(px, py, 5, 0, 7); else context.rect(px - 4.5, py - 4.5, 9, 9);
      context.fillStyle = "#fff"; context.fill(); context.lineWidth = 1.5; context.strokeStyle = "#000"; context.stroke();
    }
  }
}

// What lies under a finger: [shape, role], role null for its inside. Handles of the chosen one come first.
export function hitRegion(view, shapes, chosen, x, y, touch) {
  const reach = touch ? 22 : 9, [px, py] = view.toScreen(x, y);
  const mine = shapes.find((shape) => shape.id === chosen);
  if (mine) {
    const found = handlesOf(mine).map(([role, hx, hy]) => { const at = view.toScreen(hx, hy); return [Math.hypot(at[0] - px, at[1] - py), role]; }).filter(([d]) => d <= reach).sort((a, b) => a[0] - b[0])[0];
    if (found && !(found[1] !== "turn" && isInside(mine, x, y) && Math.hypot(mine.x - x, mine.y - y) * view.where()[2] < found[0])) return [mine, found[1]];
    if (isInside(mine, x, y)) return [mine, null];
  }
  const other = shapes.findLast((shape) => isInside(shape, x, y));
  return other ? [other, null] : null;
}
