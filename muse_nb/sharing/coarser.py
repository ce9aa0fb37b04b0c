"""Detector frames in a page, made coarser where the page would be too large."""

from __future__ import annotations

import base64
from typing import Any, NotRequired, TypedDict

import numpy as np
from numpy.typing import NDArray

from muse_nb.core.saved import FRAME, HALF, NO_DATA, THUMBS, index_type

__all__ = ["Buffer", "Model", "coarser"]

COARSEST = 16  # pixels a side; beyond it the picture shows more


class Buffer(TypedDict):
    """A trait of bytes, apart from the widget's state: where in it, and its content in base64."""

    path: list[str]
    encoding: str
    data: str


class Model(TypedDict):
    """A widget as a notebook saves it."""

    model_name: str
    state: dict[str, Any]
    buffers: NotRequired[list[Buffer]]


def coarser(entry: Model) -> Model:
    """Join 2 x 2 pixels of the frame that a widget's saved state holds: means of the values, all bits of the flags.

    A widget that holds no frame, or one that is coarse already, is given back as it is.
    """
    frame = entry.get("state", {}).get(FRAME)
    planes = {buffer["path"][0]: buffer for buffer in entry.get("buffers", [])}
    if not isinstance(frame, dict) or THUMBS["DATA"] not in planes or 2 * frame["bin"] > COARSEST:
        return entry
    frame, shape = dict(frame), (-(-frame["ny"] // frame["bin"]), -(-frame["nx"] // frame["bin"]))
    for name in (THUMBS["DATA"], THUMBS["STAT"]):
        if halves := _bytes(planes.get(name)):
            planes[name] = _with(planes[name], _means(np.frombuffer(halves, HALF).reshape(shape)))
    if indices := _bytes(planes.get(THUMBS["DQ"])):
        index = np.frombuffer(indices, index_type(len(frame["table"]))).reshape(shape)
        flags = np.bitwise_or.reduce(_fours(np.array(frame["table"], np.int64)[index], 0))
        table = np.unique([0, *np.unique(flags)])
        kind = index_type(len(table))
        frame |= {"table": table.tolist(), "wide": kind != "u1"}
        planes[THUMBS["DQ"]] = _with(planes[THUMBS["DQ"]], np.searchsorted(table, flags).astype(kind))
    frame["bin"] *= 2
    return {**entry, "state": {**entry["state"], FRAME: frame}, "buffers": list(planes.values())}


def _fours(plane: NDArray[Any], beyond: float) -> list[NDArray[Any]]:
    """Lower and upper, left and right pixel of each 2 x 2; `beyond` fills the last where the plane ends."""
    ny, nx = plane.shape
    padded = np.pad(plane, ((0, ny % 2), (0, nx % 2)), constant_values=beyond)
    return [padded[i::2, j::2] for i in (0, 1) for j in (0, 1)]


def _means(halves: NDArray[np.float16]) -> NDArray[np.float16]:
    values = np.stack(_fours(halves, NO_DATA)).astype(np.float32)
    good = values != NO_DATA
    total, count = np.where(good, values, 0).sum(axis=0), good.sum(axis=0)
    return np.where(count > 0, total / np.maximum(count, 1), NO_DATA).astype(HALF)


def _bytes(buffer: Buffer | None) -> bytes:
    return b"" if buffer is None else base64.b64decode(buffer["data"])


def _with(buffer: Buffer, plane: NDArray[Any]) -> Buffer:
    return {**buffer, "data": base64.b64encode(plane.tobytes()).decode("ascii")}
