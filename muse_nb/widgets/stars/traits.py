"""What the star picker tells the browser: small, and in bytes where there is one value a star and exposure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from muse_nb.core.text import signed
from muse_nb.widgets.shared.picture import stretched
from muse_nb.widgets.stars import picking

if TYPE_CHECKING:
    from astropy.table import Table

    from muse_nb.steps.offsets.stamps import StarStamps

__all__ = ["captions", "residuals", "stamps", "stars"]

COLUMNS = ("ra_residual", "dec_residual", "ra_error", "dec_error", "deviation", "outlier")
SHADES, NOTHING = 254, 255  # of a stamp's pixel; the last value stands for no data
SIGMA = 5.0  # noise at which the colours of a residual end


def stars(picks: Table, date_obs: Sequence[str]) -> list[dict[str, Any]]:
    """One dictionary a star: its number, whether it was dropped, the exposures in which it was put by hand."""
    number = {date: i for i, date in enumerate(date_obs)}
    put: dict[int, list[int]] = {}
    for row in picking.by_hand(picks):
        if row["exposure"] in number:
            put.setdefault(int(row["star"]), []).append(number[row["exposure"]])
    rows = picking.stars(picks)
    return [
        {"star": int(star), "dropped": bool(dropped), "by_hand": put.get(int(star), [])}
        for star, dropped in zip(rows["star"], rows["dropped"], strict=True)
    ]


def residuals(table: Table, date_obs: Sequence[str]) -> bytes:
    """float32: star, number of the exposure, RA, Dec, their errors [mas], deviation, outlier, of each row."""
    number = {date: i for i, date in enumerate(date_obs)}
    exposure = [number[str(date)] for date in table["date_obs"]]
    columns = [table["star"], exposure, *(table[name] for name in COLUMNS)]
    return np.stack([np.asarray(column, "<f4") for column in columns], axis=1).tobytes()


def stamps(found: StarStamps, date_obs: Sequence[str]) -> dict[str, Any]:
    """Data, model, residual of each exposure as bytes: shades of an asinh stretch, and from -5 to +5 of the noise."""
    shades = np.full((3, *found.data.shape), NOTHING, np.uint8)
    for i, (low, high) in enumerate(found.limits()):
        for shade, image in ((shades[0, i], found.data[i]), (shades[1, i], found.model[i])):
            good = np.isfinite(image)
            shade[good] = SHADES * stretched(image[good], low, high, "asinh")
    good = np.isfinite(found.residual)
    shades[2][good] = SHADES * (np.clip(found.residual[good] / SIGMA, -1, 1) + 1) / 2
    number = {date: i for i, date in enumerate(date_obs)}
    return {
        "star": found.star,
        "side": found.data.shape[-1],
        "exposures": [number[date] for date in found.date_obs],
        "turn": [[float(value) for value in turn.T.ravel()] for turn in found.turn],
        "pixels": shades.tobytes(),
    }


def captions(rows: Sequence[dict[str, Any]]) -> list[str]:
    """A line for each exposure: its offset, the error, and a verdict other than that all agree."""
    lines = []
    for row in rows:
        known = ""
        if row["ra_offset_arcsec"] is not None:
            names = ("ra_offset_arcsec", "dec_offset_arcsec", "ra_error_arcsec")
            east, north, error = (1e3 * (row[name] or 0) for name in names)
            known = f"RA {signed(east)}, Dec {signed(north)} ± {error:.1f} mas"
        verdict = "" if row["verdict"] == "agree" else f"{row['verdict']}  "
        lines.append(verdict + known)
    return lines
