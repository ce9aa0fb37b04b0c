"""Fields in which one bright star tells most, and something is wrong with it: at the edge, or under a cosmic ray."""

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


def test_a_cosmic_ray_that_resampling_spread_over_the_brightest_star_is_taken_out_whole(tmp_path: Path) -> None:
    """Its brightest pixels were, those around them not: an offset agreed though it was five errors off."""
    field = make(KINDS["resampled"], 72, tmp_path)
    offsets = measure_offsets(field.files)
    error = np.c_[offsets.table["ra_error"], offsets.table["dec_error"]][1:]
    assert (np.abs(found(offsets) - field.offset)[1:] < 3.5 * error).all()
