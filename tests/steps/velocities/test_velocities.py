"""Velocities of stars are right within their errors, and tell of wavelengths that are off."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from star_spectra import cluster, spectra

import muse_nb
from muse_nb.cli import main
from muse_nb.core.errors import MuseError
from muse_nb.simulator.night import Night
from muse_nb.steps.velocities.origins import ifus_of
from muse_nb.steps.velocities.quality import FAINT, NO_DATA

mpl.use("Agg")
LOW, HIGH = 6280.0, 6700.0  # of the micro layout
LSF = 2.5  # of the simulator


@pytest.mark.parametrize("shared", [0.0, 0.2])
def test_pulls_are_those_of_the_errors(shared: float) -> None:
    """Also where neighbouring planes share noise, which resampling makes them do."""
    stars = cluster(400)
    snr = np.random.default_rng(2).uniform(11, 60, len(stars))
    found = muse_nb.velocities(spectra(stars, LOW, HIGH, snr, shared=shared), lsf=LSF)
    off = (np.asarray(found.table["velocity"]) - stars["vrad"])[found.sure]
    pull = off / np.asarray(found.table["velocity_err"])[found.sure]
    assert found.sure.sum() > 350
    assert 0.9 < np.std(pull) < 1.15
    assert abs(np.mean(pull)) < 0.2
    assert (found.shared > 1.04) == (shared > 0)
    assert found.systemic == pytest.approx(18.4, abs=1.0)
    assert found.findings == ()


def test_field_stars_are_told_from_members() -> None:
    stars = cluster(400)
    found = muse_nb.velocities(spectra(stars, LOW, HIGH, np.full(len(stars), 40.0)), lsf=LSF)
    far = found.sure & (abs(stars["vrad"] - 18.4) > 40)
    assert far.sum() >= 3
    velocity, error = (np.asarray(found.table[name], float) for name in ("velocity", "velocity_err"))
    assert (abs(velocity - found.systemic)[far] > 5 * error[far]).all()


def test_wavelengths_of_one_ifu_that_are_off_are_seen() -> None:
    """A shift of 0.1 Angstrom, against the dispersion of the stars: 4.6 km/s of 4.5."""
    stars = cluster(360)
    ifus = np.arange(len(stars)) % 6 + 10
    plain = spectra(stars, LOW, HIGH, np.full(len(stars), 40.0))
    assert not any(group.off for group in muse_nb.velocities(plain, lsf=LSF, ifus=ifus).groups)
    moved = plain.flux.copy()
    for row in np.flatnonzero(ifus == 12):
        moved[row] = np.interp(plain.wavelength - 0.1, plain.wavelength, plain.flux[row])
    found = muse_nb.velocities(replace(plain, flux=moved), lsf=LSF, ifus=ifus)
    (wrong,) = [group for group in found.groups if group.off]
    assert wrong.name == 12
    assert wrong.velocity == pytest.approx(0.1 / 6500 * 299792.458, abs=3 * wrong.error)
    assert "IFU 12" in found.findings[0]
    assert len(found.plot()) == 4


def test_the_cube_of_one_exposure_tells_the_ifu_behind_a_star(night: Night, tmp_path: Path) -> None:
    path = tmp_path / "CUBE.fits"
    muse_nb.cube(night.reduced["PIXTABLE_REDUCED"][0], output=path, extensions=["DQ"], checks=False)
    middle, rows = np.full(6, 38.0), np.linspace(8, 68, 6)
    ifus = ifus_of(path, Table({"x": middle, "y": rows}))
    assert sorted(ifus) == list(night.layout.ifus)  # each IFU is a stripe of the field
    assert (abs(np.diff(ifus)) == 1).all()
    assert list(ifus_of(path, Table({"x": [-5.0], "y": [900.0]}))) == [-1]
    with fits.open(path) as hdus:
        fits.HDUList([hdus[0].copy(), hdus["DATA"].copy()]).writeto(tmp_path / "PLAIN.fits")
    with pytest.raises(MuseError, match="extensions DQ"):
        ifus_of(tmp_path / "PLAIN.fits", Table({"x": middle, "y": rows}))


def test_the_command_gives_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = spectra(cluster(6), LOW, HIGH, np.full(6, 50.0))
    made.write(tmp_path / "STARS.fits")
    out = str(tmp_path / "v.csv")
    assert main(["velocities", str(tmp_path / "STARS.fits"), "--lsf", "2.5", "-o", out, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    found = muse_nb.velocities(made, lsf=2.5)
    assert [star["velocity"] for star in told["stars"]] == pytest.approx(list(found.table["velocity"]))
    assert len(Table.read(out)) == 6
    assert main(["velocities", str(tmp_path / "v.csv")]) == 1
    assert "v.csv" in capsys.readouterr().err


def test_what_tells_nothing_is_said_to(tmp_path: Path) -> None:
    stars = cluster(4)
    made = spectra(stars, LOW, HIGH, np.array([50.0, 50.0, 0.3, 50.0]))
    made.mask[3] = True
    found = muse_nb.velocities(made, lsf=LSF, zero=2.0)
    assert list(found.table["quality"][:2]) == [0, 0]
    assert found.table["quality"][2] & FAINT
    assert found.table["quality"][3] == NO_DATA
    assert found.subtracted
    assert found.summary()["stars"][3]["velocity"] is None
    assert found.write(tmp_path / "v.csv").exists()
    assert "too few planes" in found._repr_html_()


def test_bad_input_is_one_sentence() -> None:
    made = spectra(cluster(2), LOW, HIGH, np.full(2, 50.0))
    for wrong, options, match in (
        (replace(made, error=np.full_like(made.error, np.nan)), {}, "no STAT"),
        (spectra(cluster(2), 7720, 7900, np.full(2, 50.0)), {}, "no line of stars"),
        (made, {"ifus": [1]}, "one for each"),
        (made, {"zero": "moon"}, "neither"),
        (made, {"reach": 5.0}, "choose"),
        (replace(made, stars=made.stars[:0]), {}, "no spectra"),
    ):
        with pytest.raises(MuseError, match=match):
            muse_nb.velocities(wrong, **options)  # type: ignore[arg-type]
