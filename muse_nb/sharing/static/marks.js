// What a reader does that only a kernel could answer. Stars that are marked become a table of picks for the notebook.
function asked(m, content) {
  if (["ready", "need", "hover"].includes(content?.type)) return;
  if (content?.type === "save") { save(content.name, content.text); return; }
  if (m.get("stars") && m.get("frames")?.[0]?.origin && pick(m, content)) return;
  for (const line of m.notes || []) line.textContent = "This page has no kernel: open its notebook in JupyterLab for that.";
  m.trigger("change:status", m, m.get("status"));
}

// Stars that a reader marks: they become a table of picks that the notebook's StarPicker takes.
function pick(m, content) {
  const stars = placed(m);
  if (content.type === "drop")
    m.set("stars", stars.map((s) => (s.star === content.star ? { ...s, dropped: content.dropped } : s)));
  else if (content.type === "click" || content.type === "drag") {
    const sky = toSky(m, content.exposure, content.x, content.y);
    const star = content.type === "click" ? Math.max(0, ...stars.map((s) => s.star)) + 1 : content.star;
    const at = m.get("frames").map((_, i) => toPixel(m, i, sky));
    const one = { star, dropped: false, at, by_hand: [], sky };
    m.set("stars", [...stars.filter((s) => s.star !== star), one].sort((a, b) => a.star - b.star));
  } else return false;
  m.trigger("change:status", m, m.get("status"));
  for (const line of m.notes || []) {
    line.textContent = "Marked where you clicked; centring and offsets need the notebook. ";
    const button = make("button", "Download picks.ecsv", { type: "button" });
    button.addEventListener("click", () => save("picks.ecsv", table(m)));
    line.append(button);
  }
  return true;
}
// The stars with their pixels in each exposure, which the kernel sends apart, in bytes.
function placed(m) {
  const view = m.get("places"), frames = m.get("frames"), n = frames.length;
  const all = view ? new Float32Array(view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength)) : [];
  return m.get("stars").map((s, k) => (s.at ? s : { ...s, at: frames.map((_, i) => [...all.slice(2 * (k * n + i), 2 * (k * n + i) + 2)]) }));
}
const shift = (m, i) => {
  const row = m.get("rows")?.[i];
  return row && row.ra_offset_arcsec != null ? [row.ra_offset_arcsec, row.dec_offset_arcsec] : [0, 0];
};
// east and north [arcsec] of a pixel, as the reference exposure has it; and back
function toSky(m, i, x, y) {
  const { affine: [, , , , e, f], per_arcsec: [a, b, c, d] } = m.get("frames")[i], [east, north] = shift(m, i);
  const u = x - e, v = y - f, k = a * d - b * c;
  return [(d * u - c * v) / k - east, (a * v - b * u) / k - north];
}
function toPixel(m, i, sky) {
  const { affine: [, , , , e, f], per_arcsec: [a, b, c, d] } = m.get("frames")[i], [east, north] = shift(m, i);
  const [u, v] = [sky[0] + east, sky[1] + north];
  return [a * u + c * v + e, b * u + d * v + f];
}
function degrees([east, north], [ra, dec]) {  // inverse gnomonic projection
  const x = east / 206264.806247, y = north / 206264.806247, d0 = (dec * Math.PI) / 180;
  const down = Math.cos(d0) - y * Math.sin(d0);
  const turn = Math.atan2(x, down), d = Math.atan2(Math.sin(d0) + y * Math.cos(d0), Math.hypot(x, down));
  return [(((ra + (turn * 180) / Math.PI) % 360) + 360) % 360, (d * 180) / Math.PI];
}
function table(m) {
  const origin = m.get("frames")[0].origin;
  const columns = [["star", "int64"], ["ra", "float64", "deg"], ["dec", "float64", "deg"], ["exposure", "string"],
    ["x", "float64", "pixel"], ["y", "float64", "pixel"], ["dropped", "bool"]];
  const head = columns.map(([name, type, unit]) => `# - {name: ${name}, ${unit ? `unit: ${unit}, ` : ""}datatype: ${type}}`);
  const rows = placed(m).map((s) => {
    const [ra, dec] = degrees(s.sky ?? toSky(m, 0, ...s.at[0]), origin);
    return `${s.star} ${ra.toFixed(9)} ${dec.toFixed(9)} "" nan nan ${s.dropped ? "True" : "False"}`;
  });
  return ["# %ECSV 1.0", "# ---", "# datatype:", ...head, columns.map(([name]) => name).join(" "), ...rows, ""].join("\n");
}
function save(name, text) {
  const anchor = make("a", null, { href: URL.createObjectURL(new Blob([text], { type: "text/plain" })), download: name });
  anchor.click();
}
