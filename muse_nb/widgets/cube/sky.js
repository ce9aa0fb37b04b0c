// Places on the sky: from spaxels to right ascension and declination, the compass and the scale bar.
import { fromPixel } from "../shared/canvas.js";
import { line } from "../shared/plot.js";

// Inverse gnomonic projection (Calabretta & Greisen 2002, A&A 395, 1077); x and y from 0; null where it is another one.
export function toSky(sky, x, y) {
  if (!sky.cd) return null;
  const [a, b, c, d] = sky.cd, u = x + 1 - sky.crpix[0], v = y + 1 - sky.crpix[1], rad = Math.PI / 180;
  const east = (a * u + b * v) * rad, north = (c * u + d * v) * rad, d0 = sky.crval[1] * rad, down = Math.cos(d0) - north * Math.sin(d0);
  const turn = Math.atan2(east, down), dec = Math.atan2(Math.sin(d0) + north * Math.cos(d0), Math.hypot(east, down));
  return [(((sky.crval[0] + turn / rad) % 360) + 360) % 360, dec / rad];
}

// As people read them, to a hundredth of a spaxel: 17:40:42.003 −53:40:26.41
export function sexagesimal([ra, dec]) {
  const parts = (value, digits) => {
    const units = 10 ** digits, all = Math.round(Math.abs(value) * 3600 * units), seconds = (all % (60 * units)) / units, minutes = Math.floor(all / (60 * units)) % 60;
    return [Math.floor(all / (3600 * units)), minutes, seconds].map((v, i) => (i < 2 ? String(v).padStart(2, "0") : v.toFixed(digits).padStart(digits + 3, "0"))).join(":");
  };
  return `${parts((ra / 15) % 24, 3)} ${dec < 0 ? "−" : "+"}${parts(dec, 2)}`;
}

export function arcsecPerSpaxel(sky) {
  return sky.cd ? 3600 * Math.sqrt(Math.abs(sky.cd[0] * sky.cd[3] - sky.cd[1] * sky.cd[2])) : 0;
}

export function compass(context, view, sky) {
  if (!sky.cd) return;
  const [a, b, c, d] = sky.cd, at = [view.width - 46, view.height - 46];
  context.textBaseline = "middle"; context.textAlign = "center"; context.font = "600 12px sans-serif";
  for (const [name, east, north] of [["E", 1, 0], ["N", 0, 1]]) {
    const [dx, dy] = fromPixel([a, c, b, d, 0, 0], east, north), length = Math.hypot(dx, dy), ux = dx / length, uy = -dy / length;
    for (const [style, width] of [["#000b", 4], ["#fff", 1.8]]) {
      context.strokeStyle = style; context.lineWidth = width; line(context, at[0], at[1], at[0] + 22 * ux, at[1] + 22 * uy);
    }
    context.lineWidth = 3; context.strokeStyle = "#000b"; context.strokeText(name, at[0] + 32 * ux, at[1] + 32 * uy); context.fillStyle = "#fff"; context.fillText(name, at[0] + 32 * ux, at[1] + 32 * uy);
  }
}

export function scaleBar(context, view, sky) {
  const per = arcsecPerSpaxel(sky);
  if (!per) return;
  const pixels = view.where()[2] / per, wanted = (view.width * 0.22) / pixels;
  const size = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60].findLast((v) => v <= wanted) ?? 0.1, x = 12, y = view.height - 16;
  for (const [style, width] of [["#000b", 5], ["#fff", 2]]) { context.strokeStyle = style; context.lineWidth = width; line(context, x, y, x + size * pixels, y); }
  context.font = "600 12px sans-serif"; context.textAlign = "left"; context.textBaseline = "bottom"; context.lineWidth = 3;
  context.strokeStyle = "#000b"; context.strokeText(`${size}″`, x, y - 4); context.fillStyle = "#fff"; context.fillText(`${size}″`, x, y - 4);
}
