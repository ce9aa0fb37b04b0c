// The shaders behind an image of numbers, and what WebGL2 needs to be told for them.
import { NO_DATA } from "./constants.js";

const VERTEX = `#version 300 es
void main() { gl_Position = vec4(float((gl_VertexID << 1) & 2) * 2. - 1., float(gl_VertexID & 2) * 2. - 1., 0., 1.); }`;
const HEAD = `#version 300 es
precision highp float; precision highp int; precision highp sampler2D; precision highp usampler2D;
const float NO_DATA = ${NO_DATA}.;
`;
// Compiled for what is on: software rendering runs both sides of a branch. Colours come from one table that has the
// stretch in it: a fetch is cheaper than asinh.
const SHOW = `
uniform sampler2D uData, uStat, uMark, uTable, uMarkMap;
uniform usampler2D uIndex;
uniform mat2 uTurn;
uniform vec2 uOrigin, uFrame, uCode, uStatCode, uLimits;
uniform float uBin, uOpacity;
out vec4 colour;
float value(ivec2 t) {
#if LAYER == 0
  return texelFetch(uData, t, 0).r;
#elif LAYER == 2
  return texelFetch(uStat, t, 0).r;
#else
  float d = texelFetch(uData, t, 0).r, s = texelFetch(uStat, t, 0).r;
  if (d == NO_DATA || s == NO_DATA) return NO_DATA;
  s = s * uStatCode.y + uStatCode.x;
  return s <= 0. ? NO_DATA : (d * uCode.y + uCode.x) * inversesqrt(s);
#endif
}
float smoothed(vec2 t) {
  vec2 f = fract(t - .5); ivec2 i = ivec2(floor(t - .5)), last = textureSize(uData, 0) - 1;
  float sum = 0., weight = 0.;
  for (int k = 0; k < 4; k++) {
    ivec2 o = ivec2(k & 1, k >> 1); float v = value(clamp(i + o, ivec2(0), last));
    float w = (o.x == 1 ? f.x : 1. - f.x) * (o.y == 1 ? f.y : 1. - f.y);
    if (v != NO_DATA) { sum += w * v; weight += w; }
  }
  return weight < .5 ? NO_DATA : sum / weight;
}
void main() {
  vec2 p = uTurn * gl_FragCoord.xy + uOrigin, t = p * uBin;
  ivec2 i = ivec2(t);
  vec3 c = vec3(.07, .07, .09);
#if LAYER != 1
  float v = SMOOTH == 1 ? smoothed(t) : value(i);
  int k = int(clamp(v * uLimits.y + uLimits.x, 0., 16383.));
  c = v == NO_DATA ? vec3(.25, .25, .28) : texelFetch(uTable, ivec2(k & 255, k >> 8), 0).rgb;
#endif
#if MARKS == 1
  int j = int(texelFetch(uIndex, i, 0).r);
  vec4 m = texelFetch(uMarkMap, ivec2(j & 255, j >> 8), 0);
  c += (m.rgb - c) * (m.a * uOpacity);
#elif MARKS == 2
  vec4 m = texelFetch(uMark, i, 0);
  c += (m.rgb - c * m.a) * uOpacity;
#endif
  bool inside = all(greaterThanEqual(p, vec2(0.))) && all(lessThan(p, uFrame));
  colour = vec4(inside ? c : vec3(.086, .09, .106), 1.);
}`;
// Halving averages what is there: a NaN must not eat its neighbours, nor one cosmic ray paint a block.
const HALVE = HEAD + `
uniform sampler2D uFrom; out vec4 result;
void main() {
  ivec2 o = 2 * ivec2(gl_FragCoord.xy), last = textureSize(uFrom, 0) - 1; float sum = 0., n = 0.;
  for (int k = 0; k < 4; k++) {
    ivec2 t = o + ivec2(k & 1, k >> 1); if (any(greaterThan(t, last))) continue;
    float v = texelFetch(uFrom, t, 0).r; if (v != NO_DATA) { sum += v; n += 1.; }
  }
  result = vec4(n > 0. ? sum / n : NO_DATA, 0., 0., 1.);
}`;
const HALVE_MARKS = HEAD + `
uniform sampler2D uFrom, uMarkMap; uniform usampler2D uIndex; uniform bool uFirst; out vec4 result;
void main() {
  ivec2 o = 2 * ivec2(gl_FragCoord.xy), last = (uFirst ? textureSize(uIndex, 0) : textureSize(uFrom, 0)) - 1;
  vec4 sum = vec4(0.);
  for (int k = 0; k < 4; k++) {
    ivec2 t = min(o + ivec2(k & 1, k >> 1), last);
    if (uFirst) { uint j = texelFetch(uIndex, t, 0).r; vec4 m = texelFetch(uMarkMap, ivec2(int(j) & 255, int(j) >> 8), 0); sum += vec4(m.rgb * m.a, m.a); }
    else sum += texelFetch(uFrom, t, 0);
  }
  result = sum * .25;
}`;

export class Painter {
  constructor(canvas) {
    const gl = canvas.getContext("webgl2", { antialias: false, alpha: false, powerPreference: "high-performance" });
    if (!gl) throw new Error("no WebGL2");
    this.gl = gl;
    this.halves = Boolean(gl.getExtension("EXT_color_buffer_float") || gl.getExtension("EXT_color_buffer_half_float"));
    gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
    gl.bindVertexArray(gl.createVertexArray());
    this.shows = {};
    this.halve = this.program(HALVE);
    this.halveMarks = this.program(HALVE_MARKS);
    this.table = this.texture(gl.RGBA8, 256, 64);
    this.greys = this.texture(gl.RGBA8, 256, 64);
    this.framebuffer = gl.createFramebuffer();
    this.empty = this.texture(gl.R16F, 1, 1);
    this.emptyIndex = this.texture(gl.R8UI, 1, 1);
    this.maximum = gl.getParameter(gl.MAX_TEXTURE_SIZE);
  }
  program(fragment) {
    const { gl } = this;
    const program = gl.createProgram();
    for (const [kind, source] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, fragment]]) {
      const shader = gl.createShader(kind);
      gl.shaderSource(shader, source);
      gl.compileShader(shader);
      if (!gl.getShaderParameter(shader, gl.COMPILE_STATUS) && !gl.isContextLost()) throw new Error(gl.getShaderInfoLog(shader));
      gl.attachShader(program, shader);
    }
    gl.linkProgram(program);
    const places = {};
    const set = (name) => (places[name] ??= gl.getUniformLocation(program, name));
    return { program, set };
  }
  show(layer, smooth, marks) {
    const key = `#define LAYER ${layer}\n#define SMOOTH ${Number(smooth)}\n#define MARKS ${marks}\n`;
    this.shows[key] ??= this.program(HEAD + key + SHOW);
    return this.shows[key];
  }
  texture(format, width, height) {
    const { gl } = this;
    const texture = gl.createTexture();
    gl.bindTexture(gl.TEXTURE_2D, texture);
    for (const key of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) gl.texParameteri(gl.TEXTURE_2D, key, gl.NEAREST);
    for (const key of [gl.TEXTURE_WRAP_S, gl.TEXTURE_WRAP_T]) gl.texParameteri(gl.TEXTURE_2D, key, gl.CLAMP_TO_EDGE);
    gl.texStorage2D(gl.TEXTURE_2D, 1, format, width, height);
    return texture;
  }
  put(texture, width, y, rows, values) {
    const { gl } = this;
    const [format, type] = values instanceof Uint16Array && !values.isIndex ? [gl.RED, gl.HALF_FLOAT]
      : values instanceof Uint16Array ? [gl.RED_INTEGER, gl.UNSIGNED_SHORT] : [gl.RED_INTEGER, gl.UNSIGNED_BYTE];
    gl.bindTexture(gl.TEXTURE_2D, texture);
    gl.texSubImage2D(gl.TEXTURE_2D, 0, 0, y, width, rows, format, type, values);
  }
  colours(texture, rgba) {
    const { gl } = this;
    gl.bindTexture(gl.TEXTURE_2D, texture);
    gl.texSubImage2D(gl.TEXTURE_2D, 0, 0, 0, 256, rgba.length / 1024, gl.RGBA, gl.UNSIGNED_BYTE, rgba);
  }
  bind(program, name, unit, texture) {
    const { gl } = this;
    gl.activeTexture(gl.TEXTURE0 + unit);
    gl.bindTexture(gl.TEXTURE_2D, texture);
    gl.uniform1i(program.set(name), unit);
    gl.activeTexture(gl.TEXTURE0);
  }
  into(texture, width, height) {
    const { gl } = this;
    gl.bindFramebuffer(gl.FRAMEBUFFER, texture ? this.framebuffer : null);
    if (texture) gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, texture, 0);
    gl.viewport(0, 0, width, height);
  }
}
