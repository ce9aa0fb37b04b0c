"""Protects the maps of lines: a rotating disc is found within its errors, by both methods, in air and vacuum."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from test_look import RA, header

from muse_nb import MuseError, line_map
from muse_nb.cli import main
from muse_nb.kernels.lines import fit_lines
from muse_nb.products.light.air import to_air, to_vacuum
from muse_nb.steps.look.catalogue import find_line, known_lines

C = 299792.458
SHAPE = (90, 60, 64)
Z = 0.001


def disc(path: Path, noise: float = 1.0, stat: bool = True, **cards: object) -> tuple[Path, dict[str, np.ndarray]]:
    """Halpha of a disc that turns, at `Z`, on a flat continuum."""
    wave = 6500 + 1.25 * np.arange(SHAPE[0])
    y, x = np.mgrid[: SHAPE[1], : SHAPE[2]].astype(float)
    velocity = 150 * np.tanh((x - 31) / 12)
    sigma = 1.6 + 0.01 * y
    flux = 300 * np.exp(-np.hypot(x - 31, y - 29) / 18)
    centre = 6562.79 * (1 + Z) * (1 + velocity / C)
    data = 5 + flux / np.sqrt(2 * np.pi) / sigma * np.exp(-0.5 * ((wave[:, None, None] - centre) / sigma) ** 2)
    data += np.random.default_rng(3).normal(0, noise, SHAPE)
    hdus = [fits.PrimaryHDU(), fits.ImageHDU(data.astype("f4"), header(**cards), name="DATA")]
    if stat:
        hdus.append(fits.ImageHDU(np.full(SHAPE, noise**2, "f4"), header(**cards), name="STAT"))
    fits.HDUList(hdus).writeto(path)
    return path, {"FLUX": flux, "VELOCITY": velocity, "DISPERSION": sigma / 6562.79 / (1 + Z) * C}


@pytest.mark.parametrize("method", ["gauss", "moments"])
def test_a_turning_disc_is_found_within_its_errors(method: str, tmp_path: Path) -> None:
    path, truth = disc(tmp_path / "DISC.fits", noise=1.0 if method == "gauss" else 0.1)
    found = line_map(path, "Halpha", Z, method=method, velocities=450)
    bright = truth["FLUX"] > 100
    for name, true in truth.items():
        pull = ((found[name] - true) / found[f"{name}_ERR"])[bright]
        assert np.isfinite(pull).all()
        assert 0.9 < np.std(pull) < 1.15, name
        assert abs(np.mean(pull)) < 0.15, name


def test_the_lsf_goes_out_of_the_dispersion(tmp_path: Path) -> None:
    path, truth = disc(tmp_path / "DISC.fits", noise=0.1)
    found = line_map(path, 6562.79, Z, lsf=2.4)
    lsf = 2.4 / 2.35482 / 6562.79 / (1 + Z) * C
    bright = truth["FLUX"] > 60
    expected = np.sqrt(truth["DISPERSION"] ** 2 - lsf**2)
    assert np.median((found["DISPERSION"] / expected)[bright]) == pytest.approx(1, abs=0.01)


def test_vacuum_and_missing_variance(tmp_path: Path) -> None:
    path, truth = disc(
        tmp_path / "DISC.fits", stat=False, CTYPE3="WAVE", CRVAL3=6500 + float(to_vacuum(6562.79)) - 6562.79
    )
    found = line_map(path, "Halpha", Z)
    bright = truth["FLUX"] > 100
    assert abs(np.median((found["VELOCITY"] - truth["VELOCITY"])[bright])) < 2
    assert 0.8 < np.std(((found["FLUX"] - truth["FLUX"]) / found["FLUX_ERR"])[bright]) < 1.25
    assert any("no STAT" in note for note in found.notes)


def test_faint_and_empty_spaxels_have_no_velocity(tmp_path: Path) -> None:
    path, _ = disc(tmp_path / "DISC.fits", noise=30.0)
    with fits.open(path, mode="update") as opened:
        opened["DATA"].data[:, :10] = np.nan
    found = line_map(path, "Halpha", Z)
    assert np.isnan(found["VELOCITY"][:10]).all()
    signal = np.abs(found["FLUX"] / found["FLUX_ERR"])
    assert (np.isfinite(found["VELOCITY"]) == (signal >= 3)).all()


def test_the_command_writes_an_extension_each(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    path, _ = disc(tmp_path / "DISC.fits")
    out = tmp_path / "MAPS.fits"
    assert main(["lines", str(path), "--line", "halpha", "--redshift", str(Z), "-o", str(out), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["line"] == "Halpha"
    with fits.open(out) as opened:
        assert {hdu.name for hdu in opened[1:]} >= {"FLUX", "VELOCITY", "DISPERSION", "CONTINUUM", "VELOCITY_ERR"}
        assert opened["VELOCITY"].header["BUNIT"] == "km s-1"
        assert opened["FLUX"].header["CRVAL1"] == pytest.approx(RA)
    assert main(["lines", str(path), "--line", "Hgamma"]) == 1
    assert "lies off" in capsys.readouterr().err
    assert main(["lines", str(path), "--line", "Unobtainium"]) == 1
    assert "no line that is known" in capsys.readouterr().err


def test_air_and_vacuum_are_each_others_inverse_and_known_values() -> None:
    wave = np.linspace(4600, 9400, 50)
    np.testing.assert_allclose(to_air(to_vacuum(wave)), wave, rtol=0, atol=1e-4)
    assert float(to_vacuum(6562.79)) == pytest.approx(6564.60, abs=0.02)
    assert find_line("[oiii]5007").air == 5006.84
    assert [line.air for line in known_lines()] == sorted(line.air for line in known_lines())
    with pytest.raises(MuseError):
        find_line("nothing")


def test_the_kernel_gives_the_same_on_threads() -> None:
    random = np.random.default_rng(4)
    data = random.normal(1, 1, (40, 501)).astype("f4")
    x = np.arange(-20.0, 20.0)
    one, two = (fit_lines(data, None, x, reach=8, width=1.2, limits=(0.4, 9), threads=n) for n in (1, 3))
    np.testing.assert_array_equal(one, two)
