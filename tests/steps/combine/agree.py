"""Our cubes and images held against the recipes', voxel by voxel."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from astropy.io import fits

from muse_nb.steps.combine.compare import TOLERANCE

MOST = 5  # in a million


def assert_same_cube(theirs: Path, ours: Path) -> None:
    """Equal in NaN, within 0.02 sigma in DATA and 0.1 % in STAT; but for 5 in a million, at edges."""
    with fits.open(theirs, memmap=False) as a, fits.open(ours, memmap=False) as b:
        one, other, variance, stat = a["DATA"].data, b["DATA"].data, a["STAT"].data, b["STAT"].data
        for key in ("CRVAL1", "CRVAL2", "CRVAL3", "CRPIX1", "CRPIX2", "CRPIX3", "CD1_1", "CD2_2", "CD3_3"):
            close = 1e-8 if key.startswith("CRPIX") else 0.0  # pixels
            np.testing.assert_allclose(b["DATA"].header[key], a["DATA"].header[key], 1e-12, close, err_msg=key)
        assert a["DATA"].header["BUNIT"] == b["DATA"].header["BUNIT"]
    assert one.shape == other.shape
    there = np.isfinite(one)
    assert there.any()
    with np.errstate(invalid="ignore"):
        bad = (there != np.isfinite(other)) | (np.abs(one - other) > TOLERANCE * np.sqrt(variance))
        bad |= np.abs(stat / variance - 1) > 1e-3
    assert bad.sum() <= MOST * 1e-6 * bad.size, f"{bad.sum()} of {bad.size} voxels differ"
    hole = np.pad(~there, 1, constant_values=True)
    beside = np.zeros_like(bad)
    for axis in range(3):
        for step in (0, 2):
            part = [slice(1, -1)] * 3
            part[axis] = slice(step, step + bad.shape[axis])
            beside |= hole[tuple(part)]
    assert not (bad & ~beside).any(), "voxels differ that are not at an edge"


def assert_same_image(theirs: Path, ours: Path) -> None:
    """Equal in NaN, and to 1e-4 of the larger of the value and the image's level; but for 5 in a million."""
    with fits.open(theirs, memmap=False) as a, fits.open(ours, memmap=False) as b:
        one, other = a["DATA"].data, b["DATA"].data
        assert a[0].header["ESO PRO CATG"] == b[0].header["ESO PRO CATG"] == "IMAGE_FOV"
    np.testing.assert_array_equal(np.isnan(other), np.isnan(one))
    near = np.isclose(other, one, rtol=1e-4, atol=1e-4 * np.nanmedian(np.abs(one)), equal_nan=True)
    assert (~near).sum() <= MOST * 1e-6 * near.size, f"{(~near).sum()} of {near.size} pixels differ"
