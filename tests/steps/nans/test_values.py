"""Protects what an audit says of the values that are there: no variance, zeros for no data, the laser's notch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from muse_nb import audit_nans, inspect

AXIS = {"CTYPE3": "AWAV", "CUNIT3": "Angstrom", "CRVAL3": 5700.0, "CD3_3": 5.0, "CRPIX3": 1.0}


def write(path: Path, mode: str = "WFM-NOAO-N", **change: object) -> Path:
    data = np.random.default_rng(2).normal(10, 1, (80, 14, 15)).astype("f4")
    stat = np.ones_like(data)
    data[:, :2, :3] = np.nan
    for where, value in change.items():
        array = stat if where.startswith("stat") else data
        array[value[0]] = value[1]  # type: ignore[index]
    primary = fits.PrimaryHDU()
    primary.header["HIERARCH ESO INS MODE"] = mode
    images = [fits.ImageHDU(array, fits.Header(AXIS), name=name) for name, array in (("DATA", data), ("STAT", stat))]
    fits.HDUList([primary, *images]).writeto(path)
    return path


def said(path: Path) -> str:
    return " ".join(audit_nans(path).findings)


def test_a_good_cube_has_nothing_odd(tmp_path: Path) -> None:
    found = said(write(tmp_path / "C.fits"))
    assert "STAT" not in found
    assert "exactly 0" not in found
    assert "notch" not in found


@pytest.mark.parametrize("name", ["C.fits", "C.fits.gz"])
def test_planes_without_variance_are_told(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name, stat=(np.s_[20:30], 0.0), stat2=(np.s_[40:44], np.inf))
    found = said(path)
    assert "STAT that is 0 or negative in 10 planes with data, from 5800 to 5845 Angstrom" in found
    assert "STAT that is infinite or NaN in 4 planes with data, from 5900 to 5915 Angstrom" in found
    assert any("STAT is 0, negative or not finite" in text for text in inspect(path).findings)


def test_zeros_for_no_data_are_told(tmp_path: Path) -> None:
    path = write(tmp_path / "C.fits", data=(np.s_[:, :2, :3], 0.0))
    assert "exactly 0 in about 2.86 % of its voxels" in said(path)
    assert any("exactly 0" in text for text in inspect(path).findings)


@pytest.mark.parametrize(
    ("mode", "range_", "planes"),
    [("WFM-AO-N", (5805, 5966), 33), ("WFM-AO-E", (5755, 6008), 51), ("NFM-AO-N", (5780, 6050), 55)],
)
def test_the_notch_of_the_laser_is_named_without_tables(
    tmp_path: Path, mode: str, range_: tuple[float, float], planes: int
) -> None:
    wavelength = 5700 + 5.0 * np.arange(80)
    gap = (wavelength >= range_[0]) & (wavelength <= range_[1])
    found = said(write(tmp_path / "C.fits", mode, data=(gap, np.nan)))
    assert f"{planes} planes from {wavelength[gap][0]:.1f} to {wavelength[gap][-1]:.1f} Angstrom are empty" in found
    assert f"notch filter of the adaptive optics' laser (INS MODE {mode}" in found
    assert "notch" not in said(write(tmp_path / "D.fits", "WFM-NOAO-N", data=(gap, np.nan)))
    assert "notch" not in said(write(tmp_path / "E.fits", mode, data=(np.s_[76:79], np.nan)))
