// Right ascension and declination of a pixel, for reading.
const ARCSEC = 206264.806247;

// `info` describes an exposure, `shift` is its offset [arcsec east, north] where that is applied.
export function skyText({ affine: [, , , , e, f], per_arcsec: [a, b, c, d], origin: [ra, dec] }, x, y, shift) {
  const u = x - e, v = y - f, k = a * d - b * c;
  const east = ((d * u - c * v) / k - shift[0]) / ARCSEC, north = ((a * v - b * u) / k - shift[1]) / ARCSEC, d0 = (dec * Math.PI) / 180;
  const down = Math.cos(d0) - north * Math.sin(d0), turn = Math.atan2(east, down); // inverse gnomonic projection
  const right = (((ra + (turn * 180) / Math.PI) % 360) + 360) % 360, up = (Math.atan2(Math.sin(d0) + north * Math.cos(d0), Math.hypot(east, down)) * 180) / Math.PI;
  return `RA ${parts(right / 15, 3)}  Dec ${up < 0 ? "−" : "+"}${parts(Math.abs(up), 2)}`;
}

function parts(value, digits) {
  const unit = 10 ** digits, all = Math.round(value * 3600 * unit), two = (n) => String(n).padStart(2, "0");
  return `${two(Math.floor(all / (3600 * unit)))}:${two(Math.floor(all / (60 * unit)) % 60)}:${((all % (60 * unit)) / unit).toFixed(digits).padStart(3 + digits, "0")}`;
}
