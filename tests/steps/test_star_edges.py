"""Bright stars at the edge of the field, whole in few exposures, neither spoil a fit nor are missed by it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from star_fields import found

from benchmarks.offset_fields import KINDS, make
from muse_nb import measure_offsets


def test_a_bright_star_beside_a_brighter_one_at_the_edge_is_fitted_from_the_start(tmp_path: Path) -> None:
    """Two exposures show it, and the stack its neighbour alone: both were masked, and errors were up to 39 mas."""
    field = make(KINDS["not a Moffat"], 94, tmp_path)
    offsets = measure_offsets(field.files)
    assert set(offsets.table["verdict"]) == {"agree"}
    error = np.c_[offsets.table["ra_error"], offsets.table["dec_error"]][1:]
    assert error.max() < 0.006
    assert (np.abs(found(offsets) - field.offset)[1:] < 4 * error).all()
