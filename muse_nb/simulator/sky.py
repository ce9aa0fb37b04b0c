"""Sky subtraction by muse_scipost's method ``simple``: the mean spectrum of the darkest spaxels."""

from __future__ import annotations

import numpy as np

from muse_nb.simulator.drizzle import STEP, blocks, white_light

__all__ = ["subtract_sky"]

IGNORE, FRACTION = 0.05, 0.10  # the darkest spaxels, unused; and those that are sky, of the rest
SAMPLING = 0.3125  # of the spectrum [Angstrom]


def subtract_sky(columns: dict[str, np.ndarray], clean: np.ndarray, step: float = STEP) -> None:
    """Subtract the sky from a pixel table's data, in place.

    Parameters
    ----------
    columns
        Of a PIXTABLE_REDUCED: xpos, ypos [rad], lambda [Angstrom], data, dq.
    clean
        Rows without cosmic rays.
    step
        Size of a spaxel [deg].
    """
    good = clean & (columns["dq"] == 0)
    phi, theta, wavelength, data = (columns[name] for name in ("xpos", "ypos", "lambda", "data"))
    image, (x0, y0) = white_light(phi, theta, data, good, step)
    low, high = np.nanquantile(image, [IGNORE, IGNORE + FRACTION * (1 - IGNORE)])
    dark = (image >= low) & (image <= high)
    first = float(wavelength.min())
    bins = int((float(wavelength.max()) - first) / SAMPLING) + 2
    total, weight = np.zeros(bins), np.zeros(bins)
    for east, north, rows in blocks(phi, theta, step):
        i = np.clip(np.rint(x0 - 1 - east).astype(int), 0, image.shape[1] - 1)
        j = np.clip(np.rint(y0 - 1 + north).astype(int), 0, image.shape[0] - 1)
        use = dark[j, i] & good[rows]
        place = (wavelength[rows][use] - first) / SAMPLING
        below = place.astype(int)
        for step, share in ((0, 1 - place + below), (1, place - below)):
            total += np.bincount(below + step, share * data[rows][use], bins)
            weight += np.bincount(below + step, share, bins)
    filled = weight > 0
    grid, spectrum = first + SAMPLING * np.flatnonzero(filled), total[filled] / weight[filled]
    for start in range(0, data.size, 1 << 21):
        rows = slice(start, start + (1 << 21))
        data[rows] -= np.interp(wavelength[rows], grid, spectrum)
