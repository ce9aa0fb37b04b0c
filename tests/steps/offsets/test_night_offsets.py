"""Offsets of the demo's own crowded field against the truth: 4 mas, though unresolved stars shine between."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

import muse_nb

if TYPE_CHECKING:
    from muse_nb.simulator.night import Night


def test_a_crowded_cluster_is_measured_to_4_mas(night: Night) -> None:
    offsets = muse_nb.measure_offsets(night.reduced["IMAGE_FOV"])
    measured = np.array([offsets.table["ra_offset"], offsets.table["dec_offset"]], float).T
    truth = np.array([night.offsets["east"], night.offsets["north"]], float).T
    error = (measured - truth) * 1e3
    assert np.sqrt(np.mean((error - error.mean(axis=0)) ** 2)) < 4
    assert offsets.accepted.all()
