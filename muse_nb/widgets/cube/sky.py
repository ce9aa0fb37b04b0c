"""The sky of a cube in the browser's terms, and other images laid over it."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from muse_nb.core.errors import MuseError
from muse_nb.products.cube_file import CubeFile

__all__ = ["affine", "contour_lines", "tangent"]

LEVELS = 7
SHARE = (0.90, 0.999)  # of an image's values, where the lowest and the highest contour lie
MOST_POINTS = 60_000  # of all contours together


def tangent(cube: CubeFile) -> dict[str, Any]:
    """Reference point and matrix of a tangential projection; empty where it is another."""
    wcs = cube.wcs.celestial
    if [str(kind)[-3:] for kind in wcs.wcs.ctype] != ["TAN", "TAN"] or str(wcs.wcs.ctype[0])[:2] != "RA":
        return {}
    return {
        "crpix": [float(value) for value in wcs.wcs.crpix],
        "crval": [float(value) for value in wcs.wcs.crval],
        "cd": [float(value) for value in wcs.pixel_scale_matrix.ravel()],
    }


def affine(shown: CubeFile, seen: CubeFile) -> list[float]:
    """Map from pixels of a cube that is `seen` to those of the one that is `shown` in its place: a b c d e f."""
    _, ny, nx = seen.shape
    x, y = (nx - 1) / 2, (ny - 1) / 2
    step = max(1.0, min(nx, ny) / 4)
    sky = seen.wcs.celestial.pixel_to_world_values([x, x + step, x], [y, y, y + step])
    px, py = shown.wcs.celestial.world_to_pixel_values(*sky)
    a, b = (px[1] - px[0]) / step, (py[1] - py[0]) / step
    c, d = (px[2] - px[0]) / step, (py[2] - py[0]) / step
    return [float(v) for v in (a, b, c, d, px[0] - a * x - c * y, py[0] - b * x - d * y)]


def contour_lines(image: str | Path, cube: CubeFile) -> list[list[float]]:
    """Contours of an image with a WCS, in spaxels of a cube: x, y, x, y ... of each line.

    Raises
    ------
    MuseError
        The file holds no image with a WCS.
    """
    from contourpy import contour_generator

    data, wcs = _image(Path(image))
    finite = data[np.isfinite(data)]
    if not finite.size:
        raise MuseError(f"{image} holds no finite value: there are no contours to draw")
    low, high = np.quantile(finite, SHARE)
    middle = float(np.median(finite))
    low, high = max(low - middle, 1e-30), max(high - middle, 2e-30)
    levels = middle + np.geomspace(low, high, LEVELS)
    lines: list[list[float]] = []
    number = 0
    generator = contour_generator(z=np.where(np.isfinite(data), data, middle))
    for level in levels[::-1]:
        for line in generator.lines(float(level)):
            number += len(line)
            if number > MOST_POINTS:
                return lines
            sky = wcs.pixel_to_world_values(line[:, 0], line[:, 1])
            x, y = cube.wcs.celestial.world_to_pixel_values(*sky)
            _, ny, nx = cube.shape
            if ((x > -1) & (x < nx) & (y > -1) & (y < ny)).any():
                lines.append(np.round(np.stack([x, y], axis=1).ravel(), 2).tolist())
    return lines


def _image(path: Path) -> tuple[NDArray[np.float64], Any]:
    from astropy.io import fits
    from astropy.wcs import WCS, FITSFixedWarning

    try:
        with fits.open(path, memmap=False) as opened, warnings.catch_warnings():
            warnings.simplefilter("ignore", FITSFixedWarning)
            for hdu in opened:
                if hdu.data is not None and getattr(hdu.data, "ndim", 0) == 2 and hdu.is_image:
                    return np.asarray(hdu.data, float), WCS(hdu.header).celestial
    except Exception as error:  # a damaged file can make astropy raise anything
        raise MuseError(f"{path} cannot be read as an image ({error}): give a FITS image with a WCS") from error
    raise MuseError(f"{path} holds no image: give a FITS image with a WCS")
