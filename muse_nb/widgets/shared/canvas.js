// An image of numbers in WebGL2 (without it, on a 2D canvas): stretch, limits, colours and marks are applied in the shader, so that the kernel has
// no part in looking around. Image coordinates are 0-based pixel centres, y up; a view is [x, y, CSS pixels per pixel].
import { GREYS, drawColourBar, half, tableOf } from "./colours.js";
import { NO_DATA_BITS } from "./constants.js";
import { Painter } from "./painter.js";
import { PlainPainter } from "./plain.js";
import { h } from "./ui.js";

const SLOW = 30; // ms between two steps of a pan or zoom
export const LAYERS = ["DATA", "DQ", "STAT", "S/N"];

// One frame: DATA, STAT and marks (an index into a table of colours) with their halvings.
export class Frame {
  constructor(info) {
    Object.assign(this, { nx: info.nx, ny: info.ny, bin: info.bin ?? 1, code: info.code });
    this.width = Math.ceil(this.nx / this.bin);
    this.height = Math.ceil(this.ny / this.bin);
    this.affine = info.affine ?? [1, 0, 0, 1, 0, 0]; // pixel = [[a, c], [b, d]] seen + [e, f]: north up, shifted, ...
    this.box = info.box ?? [-0.5, -0.5, this.nx - 0.5, this.ny - 0.5];
    this.planes = {}; // name -> typed array of the whole plane, kept for cuts and a lost context
    this.textures = {}; // name -> [levels]
    this.stale = new Set();
  }
  value(x, y, plane = "DATA") {
    const i = Math.floor(x / this.bin), j = Math.floor(y / this.bin), from = this.planes[plane];
    if (!from || i < 0 || j < 0 || i >= this.width || j >= this.height) return NaN;
    const bits = from[j * this.width + i];
    const [offset, scale] = plane === "STAT" ? this.code.slice(2) : this.code;
    return bits === NO_DATA_BITS ? NaN : half(bits) * scale + offset;
  }
}

export function toPixel([a, b, c, d, e, f], x, y) { return [a * x + c * y + e, b * x + d * y + f]; }
export function fromPixel([a, b, c, d, e, f], x, y) {
  const k = a * d - b * c;
  return [(d * (x - e) - c * (y - f)) / k, (a * (y - f) - b * (x - e)) / k];
}

export class ImageCanvas {
  constructor(host, { onhover, onclick, grab, ondraw } = {}) {
    this.glCanvas = h("canvas", { class: "mnb-gl" });
    this.overlay = h("canvas", { class: "mnb-overlay" });
    this.host = host;
    host.classList.add("mnb-stage");
    host.append(this.glCanvas, this.overlay);
    this.hooks = { onhover, onclick, grab, ondraw };
    this.settings = { stretch: "asinh", layer: "DATA", limits: [0, 1], smooth: false, opacity: 0.75 };
    this.pending = false;
    this.drawn = 0;
    this.view = null;
    try {
      this.painter = new Painter(this.glCanvas);
    } catch { // no WebGL2, or a broken one: a canvas that was never asked for it draws the same, slower
      this.painter = null;
      const fresh = h("canvas", { class: "mnb-gl mnb-plain" });
      this.glCanvas.replaceWith(fresh);
      this.glCanvas = fresh;
      this.plain = new PlainPainter(fresh);
    }
    this.glCanvas.addEventListener("webglcontextlost", (event) => { event.preventDefault(); this.painter = null; });
    this.glCanvas.addEventListener("webglcontextrestored", () => this.restore());
    this.resizer = new ResizeObserver(() => this.resize());
    this.resizer.observe(host);
    this.listen();
    this.resize();
  }
  close() {
    this.resizer.disconnect();
    this.painter?.gl.getExtension("WEBGL_lose_context")?.loseContext(); // browsers keep few contexts
  }
  restore() {
    this.painter = new Painter(this.glCanvas);
    if (this.mapColours) this.setMap(this.mapColours);
    const colours = this.frame?.markColours;
    if (this.frame) {
      this.frame.textures = {};
      this.frame.markMap = null;
      for (const [name, plane] of Object.entries(this.frame.planes)) this.put(this.frame, name, 0, plane);
      if (colours) this.setMarks(this.frame, colours);
    }
    this.draw();
  }

  // ---- what is shown
  setMap(rgba) { this.mapColours = rgba; this.tabulate(); this.draw(); }
  set(settings) {
    const before = this.settings.stretch;
    Object.assign(this.settings, settings);
    if (before !== this.settings.stretch) this.tabulate();
    this.draw();
  }
  tabulate() {
    if (!this.mapColours) return;
    if (this.plain) {
      [this.plain.table, this.plain.greys] = [this.mapColours, GREYS].map((map) => new Uint32Array(tableOf(map, this.settings.stretch).buffer));
      return;
    }
    if (!this.painter) return;
    this.painter.colours(this.painter.table, tableOf(this.mapColours, this.settings.stretch));
    this.painter.colours(this.painter.greys, tableOf(GREYS, this.settings.stretch));
  }
  setFrame(frame) {
    const fresh = !this.frame || this.frame.nx !== frame.nx || this.frame.ny !== frame.ny;
    this.frame = frame;
    if (fresh && !this.keepView) this.view = null;
    this.draw();
  }
  // Rows y.. of a plane; the texture is made at the first of them.
  put(frame, name, y, values) {
    const { width, height } = frame, { painter } = this;
    const rows = values.length / width;
    if (!frame.planes[name]) frame.planes[name] = rows === height ? values : new values.constructor(width * height).fill(name === "DQ" ? 0 : NO_DATA_BITS);
    if (frame.planes[name] !== values) frame.planes[name].set(values, y * width);
    if (frame.halved) delete frame.halved[name];
    if (!painter) return;
    if (Math.max(width, height) > painter.maximum) throw new Error(`A frame of ${width}x${height} is larger than this browser can draw (${painter.maximum}).`);
    const { gl } = painter;
    const format = name !== "DQ" ? gl.R16F : values instanceof Uint8Array ? gl.R8UI : gl.R16UI;
    frame.textures[name] ??= [painter.texture(format, width, height)];
    if (name === "DQ") values.isIndex = true;
    painter.put(frame.textures[name][0], width, y, rows, values);
    frame.stale.add(name);
  }
  // RGBA for each value of the DQ plane.
  setMarks(frame, rgba) {
    frame.markColours = rgba;
    frame.anyMark = rgba.some((value) => value > 0);
    if (frame.halved) delete frame.halved.DQ;
    if (this.painter) {
      frame.markMap ??= this.painter.texture(this.painter.gl.RGBA8, 256, 256);
      this.painter.colours(frame.markMap, rgba);
      frame.stale.add("DQ");
    }
    this.draw();
  }
  drop(frame) {
    if (!this.painter || !frame) return;
    for (const levels of Object.values(frame.textures)) levels.forEach((texture) => this.painter.gl.deleteTexture(texture));
    if (frame.markMap) this.painter.gl.deleteTexture(frame.markMap);
    frame.textures = {};
  }

  // ---- where one looks
  fit() { this.look(null); }
  look(view) { this.view = view; this.changed(); }
  fitted() {
    const [x0, y0, x1, y1] = this.frame?.box ?? [0, 0, 1, 1];
    return [(x0 + x1) / 2, (y0 + y1) / 2, Math.min(this.width / (x1 - x0), this.height / (y1 - y0)) * 0.985];
  }
  where() { return this.view ?? this.fitted(); }
  setView(view) { this.view = view && view.length === 3 ? [...view] : null; this.draw(); }
  changed() { this.draw(); this.hooks.onview?.(); }
  zoom(factor, x = this.width / 2, y = this.height / 2) {
    const scale0 = this.where()[2];
    const scale = Math.min(Math.max(scale0 * factor, 0.01), 200);
    const [ix, iy] = this.toImage(x, y);
    this.view = [ix - (x - this.width / 2) / scale, iy + (y - this.height / 2) / scale, scale];
    this.moving();
    this.changed();
  }
  pan(dx, dy) { const [cx, cy, s] = this.where(); this.view = [cx - dx / s, cy + dy / s, s]; this.moving(); this.changed(); }
  toImage(x, y) { const [cx, cy, s] = this.where(); return [cx + (x - this.width / 2) / s, cy - (y - this.height / 2) / s]; }
  toScreen(x, y) { const [cx, cy, s] = this.where(); return [this.width / 2 + (x - cx) * s, this.height / 2 - (y - cy) * s]; }

  resize() {
    const ratio = window.devicePixelRatio || 1;
    this.ratio = ratio;
    this.width = this.host.clientWidth || 1;
    this.height = this.host.clientHeight || 1;
    for (const canvas of [this.glCanvas, this.overlay]) {
      const fine = canvas === this.glCanvas && this.coarse ? 0.5 * ratio : ratio;
      const w = Math.round(this.width * fine), hgt = Math.round(this.height * fine);
      if (canvas.width !== w || canvas.height !== hgt) { canvas.width = w; canvas.height = hgt; }
    }
    this.paint();
  }
  // Where drawing is slow, as without a GPU, what moves is drawn at half the resolution, and sharp again when it rests.
  moving() {
    const now = performance.now(), since = now - (this.moved ?? 0);
    this.moved = now;
    if (since < 300) this.pace = 0.7 * (this.pace ?? 16) + 0.3 * since;
    if (!this.coarse && this.pace > SLOW) { this.coarse = true; this.resize(); }
    clearTimeout(this.rest);
    this.rest = setTimeout(() => { this.pace = 16; if (this.coarse) { this.coarse = false; this.resize(); } }, 200);
  }
  draw() {
    if (this.pending) return;
    this.pending = true;
    requestAnimationFrame(() => { this.pending = false; this.paint(); });
  }
  // Only what is drawn over the image: without a graphics card the image itself takes as long as all the rest.
  drawOver() {
    if (this.pending || this.pendingOver) return;
    this.pendingOver = true;
    requestAnimationFrame(() => { this.pendingOver = false; if (!this.pending) this.paint(true); });
  }
  halvings(frame, name) {
    const { painter } = this, { gl } = painter, levels = frame.textures[name];
    const marks = name === "DQ", program = marks ? painter.halveMarks : painter.halve;
    gl.useProgram(program.program);
    let [width, height] = [frame.width, frame.height];
    for (let level = 1; Math.max(width, height) > 256; level++) {
      width = Math.ceil(width / 2); height = Math.ceil(height / 2);
      levels[level] ??= painter.texture(marks ? gl.RGBA8 : gl.R16F, width, height);
      if (marks) {
        painter.bind(program, "uIndex", 0, levels[0]);
        painter.bind(program, "uMarkMap", 1, frame.markMap);
        painter.bind(program, "uFrom", 2, level === 1 ? painter.empty : levels[level - 1]);
        gl.uniform1i(program.set("uFirst"), level === 1);
      } else painter.bind(program, "uFrom", 0, levels[level - 1]);
      painter.into(levels[level], width, height);
      gl.drawArrays(gl.TRIANGLES, 0, 3);
    }
    painter.into(null, this.glCanvas.width, this.glCanvas.height);
  }
  paint(over = false) {
    const context = this.overlay.getContext("2d");
    context.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    context.clearRect(0, 0, this.width, this.height);
    if (!over && this.plain && this.frame?.planes.DATA) this.paintPlain();
    else if (!over && this.painter && this.frame?.textures.DATA) this.paintAll();
    if (this.frame) this.hooks.ondraw?.(context, this);
    this.drawn += 1;
  }
  paintPlain() {
    const { plain } = this, one = [{ frame: this.frame, limits: this.settings.limits }];
    plain.begin();
    (this.channels ?? one).forEach(({ frame, limits }, k) => {
      if (!frame.planes.DATA || !plain.table) return;
      let layer = LAYERS.indexOf(this.settings.layer);
      if (layer >= 2 && !frame.planes.STAT) layer = 1;
      const look = { layer, smooth: this.settings.smooth, level: Math.min(this.levelOf(frame), levels(frame) - 1), marked: Boolean(frame.planes.DQ && frame.anyMark), opacity: this.settings.layer === "DQ" ? 1 : this.settings.opacity };
      plain.frame(frame, this.channels ? plain.greys : plain.table, limits, look, this.placeOf(frame), this.channels ? k : null);
    });
    plain.end();
  }
  // How often a frame is halved before it is drawn, and how pixels of the canvas (y up) lie on it.
  levelOf(frame) {
    const perPixel = this.where()[2] * Math.hypot(frame.affine[0], frame.affine[1]) ** -1 * (this.glCanvas.width / this.width);
    return Math.max(0, Math.floor(Math.log2(1.01 / (perPixel * frame.bin))));
  }
  placeOf(frame) {
    const [cx, cy, s] = this.where(), step = this.width / (s * this.glCanvas.width);
    const corner = toPixel(frame.affine, cx - (step * this.glCanvas.width) / 2, cy - (step * this.glCanvas.height) / 2);
    return { turn: frame.affine.slice(0, 4).map((value) => value * step), corner: [corner[0] + 0.5, corner[1] + 0.5] };
  }
  // One frame in the colour map, or `channels`, three frames in red, green and blue.
  paintAll() {
    const { gl } = this.painter;
    if (!this.channels) { this.paintFrame(this.frame, this.painter.table, this.settings.limits); return; }
    this.channels.forEach(({ frame, limits }, k) => {
      gl.colorMask(k === 0, k === 1, k === 2, true);
      if (frame.textures.DATA) this.paintFrame(frame, this.painter.greys, limits);
    });
    gl.colorMask(true, true, true, true);
  }
  paintFrame(frame, table, limits) {
    const { painter, settings } = this, { gl } = painter, { textures } = frame;
    const marked = Boolean(textures.DQ && frame.markMap && frame.anyMark);
    if (painter.halves) {
      for (const name of frame.stale) if (name !== "DQ" || marked) { this.halvings(frame, name); frame.stale.delete(name); }
    }
    const level = painter.halves ? Math.min(this.levelOf(frame), textures.DATA.length - 1) : 0;
    const at = (name) => textures[name]?.[Math.min(level, textures[name].length - 1)];
    let layer = LAYERS.indexOf(settings.layer);
    if (layer >= 2 && !textures.STAT) layer = 1; // nothing to show yet
    const show = painter.show(layer, settings.smooth, marked ? (level === 0 ? 1 : 2) : 0), { program, set } = show;
    gl.useProgram(program);
    painter.into(null, this.glCanvas.width, this.glCanvas.height);
    painter.bind(show, "uData", 0, at("DATA"));
    painter.bind(show, "uStat", 1, at("STAT") ?? painter.empty);
    painter.bind(show, "uMark", 2, marked && level > 0 ? at("DQ") : painter.empty);
    painter.bind(show, "uTable", 3, table);
    painter.bind(show, "uMarkMap", 4, frame.markMap ?? painter.empty);
    painter.bind(show, "uIndex", 5, marked ? textures.DQ[0] : painter.emptyIndex);
    const { turn, corner } = this.placeOf(frame), [low, high] = limits, span = high > low ? high - low : 1e-9;
    const [offset, scale] = layer === 0 ? frame.code : layer === 2 ? frame.code.slice(2) : [0, 1];
    gl.uniformMatrix2fv(set("uTurn"), false, turn);
    gl.uniform2f(set("uOrigin"), ...corner);
    gl.uniform2f(set("uFrame"), frame.nx, frame.ny);
    gl.uniform2f(set("uLimits"), ((offset - low) / span) * 16383, (scale / span) * 16383);
    gl.uniform2f(set("uCode"), frame.code[0], frame.code[1]);
    gl.uniform2f(set("uStatCode"), frame.code[2], frame.code[3]);
    gl.uniform1f(set("uBin"), 1 / (frame.bin * 2 ** level));
    gl.uniform1f(set("uOpacity"), settings.layer === "DQ" ? 1 : settings.opacity);
    gl.drawArrays(gl.TRIANGLES, 0, 3);
  }

  // A scale of the colours at the upper right: limits, and the unit.
  colourBar(context, unit, limits = this.settings.limits) {
    if (this.mapColours && this.width >= 420) drawColourBar(context, this.width, this.mapColours, this.settings.stretch, limits, unit);
  }

  // ---- pointers: mouse, pen and fingers alike
  listen() {
    const surface = this.overlay, down = new Map();
    let start = null, taken = null, moved = false, pinch = null;
    const place = (event) => { const box = surface.getBoundingClientRect(); return [event.clientX - box.left, event.clientY - box.top]; };
    surface.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      surface.setPointerCapture(event.pointerId);
      down.set(event.pointerId, place(event));
      if (down.size === 1) {
        start = place(event); moved = false;
        taken = this.frame ? this.hooks.grab?.(...this.toImage(...start), event) ?? null : null;
      } else { taken?.cancel?.(); taken = null; moved = true; pinch = spread([...down.values()]); }
    });
    surface.addEventListener("pointermove", (event) => {
      const now = place(event), before = down.get(event.pointerId);
      if (!before) { if (this.frame) this.hooks.onhover?.(...this.toImage(...now), event); return; }
      down.set(event.pointerId, now);
      if (down.size === 2) {
        const next = spread([...down.values()]);
        this.pan(next.x - pinch.x, next.y - pinch.y);
        this.zoom(next.size / pinch.size, next.x, next.y);
        pinch = next;
        return;
      }
      if (!moved && Math.hypot(now[0] - start[0], now[1] - start[1]) > (event.pointerType === "touch" ? 8 : 3)) moved = true;
      if (!moved) return;
      if (taken) taken.move(...this.toImage(...now));
      else this.pan(now[0] - before[0], now[1] - before[1]);
    });
    const up = (event) => {
      if (!down.delete(event.pointerId)) return;
      if (down.size > 0) { start = [...down.values()][0]; return; }
      const at = this.toImage(...place(event));
      if (event.type === "pointercancel") taken?.cancel?.();
      else if (moved && taken) taken.drop(...at);
      else if (!moved && this.frame) this.hooks.onclick?.(...at, event);
      else this.hooks.onview?.();
      taken = null;
    };
    surface.addEventListener("pointerup", up);
    surface.addEventListener("pointercancel", up);
    surface.addEventListener("pointerleave", () => { if (down.size === 0) this.hooks.onhover?.(null, null); });
    surface.addEventListener("wheel", (event) => {
      event.preventDefault();
      const step = event.deltaMode === 1 ? event.deltaY * 30 : event.deltaY;
      this.zoom(Math.exp(-step * (event.ctrlKey ? 0.01 : 0.0018)), ...place(event));
    }, { passive: false });
  }
}

// The view as a trait: linked viewers follow at once, the kernel hears of it when the hand rests. What the kernel then
// repeats of it may come while the hand moves again, and must not pull the picture back.
export function bindView(image, traits) {
  let resting = null, told = "";
  const save = () => { resting = null; told = JSON.stringify(image.view ?? []); traits.set("view", image.view ?? []); };
  const follow = () => {
    const view = traits.get("view"), text = JSON.stringify(view);
    if (resting !== null && (text === told || text === JSON.stringify(image.view ?? []))) return;
    clearTimeout(resting);
    resting = null;
    image.setView(view);
  };
  image.hooks.onview = () => { traits.model.set("view", image.view ?? []); clearTimeout(resting); resting = setTimeout(save, 250); };
  traits.watch("view", follow);
  if (traits.get("view").length) follow();
}

// Levels of halving down to 256 pixels.
function levels(frame) {
  let count = 1;
  for (let side = Math.max(frame.width, frame.height); side > 256; side = Math.ceil(side / 2)) count += 1;
  return count;
}

function spread([a, b]) {
  return { x: (a[0] + b[0]) / 2, y: (a[1] + b[1]) / 2, size: Math.max(1, Math.hypot(a[0] - b[0], a[1] - b[1])) };
}
