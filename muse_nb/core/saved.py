"""What a widget saves in a notebook and whoever makes a page of it reads: types of outputs, traits, packed pictures."""

from __future__ import annotations

import struct

__all__ = [
    "FRAME",
    "HALF",
    "HEADLESS",
    "MARK",
    "NO_DATA",
    "NO_DATA_BITS",
    "REFERENCE",
    "STATE",
    "STILL",
    "STILL_OF",
    "THUMBS",
    "VIEW",
    "index_type",
]

VIEW = "application/vnd.jupyter.widget-view+json"
"""Type of the output that shows a widget, as Jupyter has it: ``{"model_id": ...}``."""
STILL = "application/vnd.muse-nb.view+json"
"""The same where a notebook is run without a browser: for our own pages only, others take the picture beside it."""
STATE = "application/vnd.jupyter.widget-state+json"
"""Of a notebook's metadata ``widgets``: what each widget holds."""
REFERENCE = "IPY_MODEL_"
"""Starts the value of a trait that stands for another widget; its id follows."""

MARK, STILL_OF = "muse_nb", "still_of"
"""``{MARK: {STILL_OF: model id}}`` is the metadata of an output whose picture stands in for the view before it."""

HEADLESS = "MUSE_NB_HEADLESS"
"""Environment variable of a kernel that works for a page: what a widget keeps is all that there will be."""

NO_DATA = -65504.0
"""Half float that stands for NaN: graphics drivers do not agree on NaN in textures."""
NO_DATA_BITS = int.from_bytes(struct.pack("<e", NO_DATA), "little")
HALF = "<f2"
"""Type of a packed image's pixels: half floats, to be scaled as ``code`` of its description says."""

FRAME = "frame"
"""Trait that describes a detector frame: ``nx, ny, bin, code``, and of its DQ index ``table`` and ``wide``."""
THUMBS = {"DATA": "thumb_data", "STAT": "thumb_stat", "DQ": "thumb_dq"}
"""Traits with the frame's planes: two packed images, and an index into ``table`` for each pixel."""


def index_type(values: int) -> str:
    """Type of an index into a table of so many values; two bytes each where the frame is ``wide``."""
    return "u1" if values <= 256 else "<u2"
