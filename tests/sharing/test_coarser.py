"""Frames that are made coarser for a page: means of the values, every flag, and what the page is told of them."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
from numpy.typing import NDArray

from muse_nb.sharing.coarser import NO_DATA, coarser

TABLE = [0, 32, 2**31]


def entry(data: NDArray[Any], index: NDArray[Any], bins: int = 2, **frame: Any) -> dict[str, Any]:
    """A widget's saved state, as far as its frame goes."""
    planes = {"thumb_data": data.astype(np.float16), "thumb_dq": index.astype(np.uint8)}
    ny, nx = data.shape
    about = {"ny": bins * ny, "nx": bins * nx, "bin": bins, "table": TABLE, "wide": False, "name": "IFU 12"} | frame
    buffers = [
        {"path": [name], "encoding": "base64", "data": base64.b64encode(plane.tobytes()).decode()}
        for name, plane in planes.items()
    ]
    return {"model_name": "AnyModel", "state": {"frame": about}, "buffers": buffers}


def plane(found: dict[str, Any], name: str, kind: Any, shape: tuple[int, int]) -> NDArray[Any]:
    data = next(buffer["data"] for buffer in found["buffers"] if buffer["path"] == [name])
    return np.frombuffer(base64.b64decode(data), kind).reshape(shape)


def test_four_pixels_become_their_mean_and_all_their_flags() -> None:
    data = np.array([[1, 2, NO_DATA], [3, 4, NO_DATA], [5, NO_DATA, 7]])
    index = np.array([[0, 1, 0], [2, 0, 0], [0, 0, 1]])
    before = entry(data, index)
    found = coarser(before)
    frame = found["state"]["frame"]
    assert frame["bin"] == 4
    assert frame["name"] == "IFU 12"
    np.testing.assert_array_equal(plane(found, "thumb_data", np.float16, (2, 2)), [[2.5, NO_DATA], [5, 7]])
    flags = np.array(frame["table"])[plane(found, "thumb_dq", np.uint8, (2, 2))]
    np.testing.assert_array_equal(flags, [[2**31 + 32, 0], [0, 32]])
    assert before == entry(data, index), "the notebook is not touched"


def test_many_different_flags_take_two_bytes() -> None:
    index = np.arange(1024).reshape(32, 32) % 256
    found = coarser(entry(np.zeros((32, 32)), index, table=[0, *(1 << np.arange(8)), *range(1000, 1247)]))
    frame = found["state"]["frame"]
    assert frame["table"][0] == 0
    kind = np.uint16 if frame["wide"] else np.uint8
    assert plane(found, "thumb_dq", kind, (16, 16)).max() == len(frame["table"]) - 1


def test_what_holds_no_frame_or_a_coarse_one_stays() -> None:
    for one in (
        {"model_name": "IntSliderModel", "state": {"value": 3}},
        entry(np.zeros((4, 4)), np.zeros((4, 4)), bins=16),
    ):
        assert coarser(one) is one
