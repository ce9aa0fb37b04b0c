"""Planes of a cube and their causes, small: what a page without a kernel can show of a NaN viewer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from muse_nb.steps.nans.causes import causes_of_plane
from muse_nb.widgets.shared import transport
from muse_nb.widgets.shared.limits import limits

if TYPE_CHECKING:
    from muse_nb.steps.nans.result import NanAudit

__all__ = ["STORED_BYTES", "Small", "shrink", "stored_planes"]

STORED_BYTES = 1_500_000  # of all stored planes together: 2 MB in a saved notebook
PIXEL_BYTES = 3  # a half float and a cause


@dataclass(frozen=True)
class Small:
    """A plane made small.

    Attributes
    ----------
    layer : dict
        Its number, coding and limits, as the browser takes them.
    data, causes : bytes
        Half floats, and codes of the causes.
    """

    layer: dict[str, Any]
    data: bytes
    causes: bytes


def shrink(number: int, image: NDArray[np.float32], causes: NDArray[np.int8], bins: int) -> Small:
    """Make a plane small: `bins` pixels a side become one."""
    offset, scale = transport.code(image)
    layer = {"plane": number, "code": [offset, scale, 0.0, 1.0], "limits": limits(image), "bin": bins}
    data = transport.halves(transport.thumbnail(image, bins), offset, scale)
    return Small(layer, data.tobytes(), np.ascontiguousarray(causes[::bins, ::bins]).tobytes())


def stored_planes(audit: NanAudit, most: int) -> list[Small]:
    """Make planes small that lie evenly over the wavelengths, all of them within `STORED_BYTES`.

    Parameters
    ----------
    audit
        Of the cube.
    most
        How many planes.
    """
    nz, ny, nx = audit.shape
    numbers = np.unique(np.linspace(0, nz - 1, max(0, min(most, nz))).round().astype(int))
    bins = 1
    while len(numbers) * -(-ny // bins) * -(-nx // bins) * PIXEL_BYTES > STORED_BYTES:
        bins += 1
    stored = []
    with audit.cube.reader() as plane:
        for k in map(int, numbers):
            image = plane(k)
            causes = causes_of_plane(k, np.isnan(image), audit.first, audit.last, audit.empty.cause, audit.holes)
            stored.append(shrink(k, image, causes, bins))
    return stored
