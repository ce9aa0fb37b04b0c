"""How images of a cube travel: half floats, with what is needed to show and to read them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from muse_nb.widgets.cube.described import readable
from muse_nb.widgets.cube.looks import Picture
from muse_nb.widgets.shared import transport
from muse_nb.widgets.shared.limits import limits

__all__ = ["Packed", "packed"]

THUMB_PIXELS = 120_000  # of the image that is kept in a saved notebook
BINS = 96  # of the histogram
QUICK = 20_000  # values of an image that limits are found from while a hand moves


@dataclass(frozen=True)
class Packed:
    """Images made ready.

    Attributes
    ----------
    infos : list of dict
        nx, ny, bin, code, limits, unit, label, histogram.
    planes : list of bytes
        Half floats of each.
    causes : bytes
        Causes of the first one's NaN; empty without.
    """

    infos: list[dict[str, Any]]
    planes: list[bytes]
    causes: bytes


def packed(pictures: list[Picture], *, small: bool = False, quick: bool = False) -> Packed:
    """Make images ready for the browser; `small` for a notebook that is saved, `quick` while a hand moves."""
    infos, planes, causes = [], [], b""
    for picture in pictures:
        ny, nx = picture.data.shape
        bins = max(1, int(np.ceil(np.sqrt(nx * ny / THUMB_PIXELS)))) if small else 1
        image = np.asarray(picture.data, np.float32)
        image = np.where(np.isfinite(image), image, np.float32(np.nan))
        offset, scale = transport.code(image)
        values = image[np.isfinite(image)]
        if quick and values.size > QUICK:
            values = values[:: values.size // QUICK]
        data = transport.thumbnail(image, bins) if bins > 1 else image
        planes.append(transport.halves(data, offset, scale).tobytes())
        infos.append(
            {
                "nx": nx,
                "ny": ny,
                "bin": bins,
                "code": [offset, scale, 0.0, 1.0],
                "limits": limits(values),
                "unit": readable(picture.unit),
                "label": picture.label,
                "exact": picture.exact,
                "histogram": _histogram(values),
            }
        )
        if picture.causes is not None and not causes:
            causes = np.ascontiguousarray(picture.causes[::bins, ::bins]).tobytes()
    return Packed(infos, planes, causes)


def _histogram(values: NDArray[np.float32]) -> dict[str, Any]:
    """Counts between the 0.2nd and the 99.8th percentile, with room to set limits in."""
    if not values.size:
        return {"low": 0.0, "high": 1.0, "counts": []}
    low, high = np.percentile(values, (0.2, 99.8)).astype(float)
    room = 0.15 * (high - low) or abs(high) * 0.1 or 1.0
    counts, _ = np.histogram(values, BINS, (low - room, high + room))
    return {"low": low - room, "high": high + room, "counts": counts.tolist()}
