"""Detector frames in a page, made coarser where the page would be too large."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["coarser"]

IMAGES, FLAGS = ("thumb_data", "thumb_stat"), "thumb_dq"  # traits of the ObjectRedViewer
NO_DATA = np.float16(-65504)  # how it writes NaN
COARSEST = 16  # pixels a side; beyond it the picture shows more


def coarser(entry: dict[str, Any]) -> dict[str, Any]:
    """Join 2 x 2 pixels of the frame that a widget's saved state holds: means of the values, all bits of the flags.

    A widget that holds no frame, or one that is coarse already, is given back as it is.
    """
    frame = entry.get("state", {}).get("frame")
    planes = {buffer["path"][0]: buffer for buffer in entry.get("buffers", [])}
    if not isinstance(frame, dict) or IMAGES[0] not in planes or 2 * frame["bin"] > COARSEST:
        return entry
    frame, shape = dict(frame), (-(-frame["ny"] // frame["bin"]), -(-frame["nx"] // frame["bin"]))
    for name in IMAGES:
        if halves := _bytes(planes.get(name)):
            planes[name] = _with(planes[name], _means(np.frombuffer(halves, np.float16).reshape(shape)))
    if indices := _bytes(planes.get(FLAGS)):
        index = np.frombuffer(indices, np.uint16 if frame["wide"] else np.uint8).reshape(shape)
        flags = np.bitwise_or.reduce(_fours(np.array(frame["table"], np.int64)[index], 0))
        table = np.unique([0, *np.unique(flags)])
        frame |= {"table": table.tolist(), "wide": len(table) > 255}
        planes[FLAGS] = _with(planes[FLAGS], np.searchsorted(table, flags).astype("<u2" if frame["wide"] else "u1"))
    frame["bin"] *= 2
    return {**entry, "state": {**entry["state"], "frame": frame}, "buffers": list(planes.values())}


def _fours(plane: NDArray[Any], beyond: Any) -> list[NDArray[Any]]:
    """Lower and upper, left and right pixel of each 2 x 2; `beyond` fills the last where the plane ends."""
    ny, nx = plane.shape
    padded = np.pad(plane, ((0, ny % 2), (0, nx % 2)), constant_values=beyond)
    return [padded[i::2, j::2] for i in (0, 1) for j in (0, 1)]


def _means(halves: NDArray[np.float16]) -> NDArray[np.float16]:
    values = np.stack(_fours(halves, NO_DATA)).astype(np.float32)
    good = values != NO_DATA
    total, count = np.where(good, values, 0).sum(axis=0), good.sum(axis=0)
    return np.where(count > 0, total / np.maximum(count, 1), NO_DATA).astype(np.float16)


def _bytes(buffer: dict[str, Any] | None) -> bytes:
    return b"" if buffer is None else base64.b64decode(buffer["data"])


def _with(buffer: dict[str, Any], plane: NDArray[Any]) -> dict[str, Any]:
    return {**buffer, "data": base64.b64encode(plane.tobytes()).decode("ascii")}
