"""Frames as the browser takes them: the present one, and those that a page without a kernel holds beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from muse_nb.products.object_red import ObjectRed
from muse_nb.widgets.object_red.frames import LoadedFrame
from muse_nb.widgets.object_red.geometry import Geometry
from muse_nb.widgets.shared import transport

__all__ = ["described", "keep_others", "pictures", "table_of"]

OTHERS_BYTES = 350_000  # of all further frames together: 0.5 MB in a page
PIXEL_BYTES = 3  # a half float and an index of its flags


def described(frame: LoadedFrame) -> dict[str, Any]:
    """What the browser needs to know of a frame, apart from its pictures."""
    ny, nx = frame.shape
    return {
        "name": frame.name,
        "file": frame.source.path.name,
        "nx": nx,
        "ny": ny,
        "bin": frame.bins,
        "code": list(frame.codes),
        "limits": frame.limits,
        **table_of(frame.thumb_index),
        "unit": frame.unit,
        "absent": [name for name in ("DQ", "STAT") if not frame.has(name)],
    }


def pictures(frame: LoadedFrame) -> list[bytes]:
    """Thumbnails of DATA, STAT and DQ; empty where the frame has none."""
    thumbs = [frame.thumb(name) for name in ("DATA", "STAT", "DQ")]
    return [b"" if plane is None else np.ascontiguousarray(plane).tobytes() for plane in thumbs]


def table_of(indexed: transport.Indexed | None) -> dict[str, Any]:
    """What the values of a DQ index mean, and whether they take two bytes each."""
    if indexed is None:
        return {"table": [], "wide": False}
    return {"table": indexed.table.tolist(), "wide": indexed.index.dtype == np.uint16}


def keep_others(
    frames: Mapping[tuple[str, int], ObjectRed], exposures: Sequence[str], geometry: Mapping[int, Geometry]
) -> tuple[list[dict[str, Any]], bytes]:
    """Make frames small, all of them within `OTHERS_BYTES`; without STAT, which takes as much as DATA.

    Parameters
    ----------
    frames
        By label of the exposure and IFU.
    exposures
        Labels of the viewer's exposures.
    geometry
        By IFU.

    Returns
    -------
    list of dict
        Of each: exposure (number), ifu, frame, bits, borders, and the bytes of its DATA and DQ.
    bytes
        These, one after the other.
    """
    if not frames:
        return [], b""
    side = max(60, int(np.sqrt(OTHERS_BYTES / PIXEL_BYTES / len(frames))))
    told, parts = [], []
    for (label, ifu), source in frames.items():
        frame = LoadedFrame(f"{label} IFU {ifu:02d}", replace(source), geometry.get(ifu), side=side)
        data, _, flags = pictures(frame)
        borders = b"" if frame.geometry is None else frame.geometry.borders(frame.shape[0])
        info = described(frame)
        info["absent"] = sorted({*info["absent"], "STAT"})
        told.append(
            {"exposure": exposures.index(label), "ifu": ifu, "frame": info, "bits": frame.bits()}
            | {"bytes": [len(data), len(flags), len(borders)]}
        )
        parts += [data, flags, borders]
    return told, b"".join(parts)
