"""Protects what `judge_cube` says: numbers of a real cube, planted faults that are found, and silence on good cubes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import mpdaf
import numpy as np
import pytest
from astropy.io import fits

import muse_nb
from muse_nb.cli import main
from muse_nb.products.cube_file import CubeFile
from muse_nb.simulator.night import Night
from muse_nb.simulator.spectra import sky_continuum, sky_lines
from muse_nb.steps.judge.result import Judgement
from muse_nb.steps.judge.wavelengths import sky_velocity

REAL = Path(mpdaf.__file__).parent / "data" / "sdetect" / "minicube.fits"
Change = Callable[[fits.HDUList], fits.HDUList | None]


@pytest.fixture(scope="module")
def cube(night: Night, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One exposure of the micro night with its SLICES."""
    path = tmp_path_factory.mktemp("judge") / "CUBE.fits"
    muse_nb.cube(night.reduced["PIXTABLE_REDUCED"][0], output=path, extensions=["DQ"], checks=False)
    return path


def changed(cube: Path, path: Path, change: Change) -> Path:
    """A copy of a cube with something else in it."""
    with fits.open(cube, memmap=False) as opened:
        copy = fits.HDUList([unit.copy() for unit in opened if unit.name in ("", "PRIMARY", "DATA", "STAT", "SLICES")])
    copy = change(copy) or copy
    copy.writeto(path)
    return path


def said(judged: Judgement) -> dict[str, bool | None]:
    return {check.name: check.good for check in judged.checks}


def wavelengths(cube: fits.HDUList) -> np.ndarray:
    header = cube["DATA"].header
    return header["CRVAL3"] + (np.arange(header["NAXIS3"]) + 1 - header["CRPIX3"]) * header["CD3_3"]


def test_sky_residuals_of_a_real_cube_are_those_that_were_measured_by_hand() -> None:
    judged = muse_nb.judge_cube(REAL)
    values = {check.name: check.value for check in judged.checks}
    for name, expected in {"sky_5577": 1.92, "sky_6300": 1.65, "sky_8827": 3.37}.items():
        assert values[name] == pytest.approx(expected, rel=0.02)
    assert judged.good, judged.findings
    assert values["noise"] == pytest.approx(1.0, abs=0.02)
    # the sky's photons in STAT lie where the Earth's motion puts them: -6.5 km/s that day
    (text,) = (check.text for check in judged.checks if check.name == "wavelength")
    assert -7.5 < float(text.split("less ")[1].split(" km/s")[0]) < -5.5


def test_the_zero_point_is_told_with_its_error_or_not_at_all(cube: Path) -> None:
    value, error = sky_velocity(CubeFile.open(cube))
    assert abs(value) < 3 * error
    assert 0.5 < error < 8
    told = sky_velocity(CubeFile.open(REAL))
    assert isinstance(told, str)
    assert "for whom" in told


def test_nothing_is_said_against_a_good_cube_and_what_is_unknown_is_said(cube: Path) -> None:
    judged = muse_nb.judge_cube(cube)
    assert judged.good, judged.findings
    assert said(judged)["reference"] is None
    assert {"psf", "drift", "noise", "sky_ifu", "wavelength_ifu", "trail", "holes"} <= set(said(judged))


def stat_low(cube: fits.HDUList) -> None:
    cube["STAT"].data *= 0.8


def sky_over_subtracted(cube: fits.HDUList) -> None:
    """A tenth of the sky too much in the twelve rows of an IFU."""
    at_observer = wavelengths(cube) * (1 + 15.5 / 299792)
    cube["DATA"].data[:, 24:36] -= 0.1 * (sky_continuum(at_observer) + sky_lines(at_observer))[:, None, None]


def refraction(cube: fits.HDUList) -> None:
    """Stars that drift by 0.3 arcsec along y."""
    from scipy.ndimage import shift

    data = cube["DATA"].data
    nothing = ~np.isfinite(data)
    data[nothing] = 0
    for k, plane in enumerate(data):
        data[k] = shift(plane, (1.5 * (k / (len(data) - 1) - 0.5), 0), order=1, mode="nearest")
    data[nothing] = np.nan


def infinite(cube: fits.HDUList) -> None:
    cube["DATA"].data[50, 30, 30] = np.inf


def dead(cube: fits.HDUList) -> None:
    cube["DATA"].data[:, 30:33, 20:50] = np.nan


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (stat_low, "noise"),
        (sky_over_subtracted, "sky_ifu"),
        (refraction, "drift"),
        (infinite, "infinite"),
        (dead, "dead_spaxels"),
    ],
)
def test_a_planted_fault_is_found(cube: Path, tmp_path: Path, change: Change, name: str) -> None:
    judged = muse_nb.judge_cube(changed(cube, tmp_path / "BAD.fits", change))
    assert said(judged)[name] is False, str(judged)


def test_the_tables_tell_an_ifu_whose_wavelengths_are_off(night: Night, cube: Path, tmp_path: Path) -> None:
    """0.1 Angstrom, put into the table after the sky was taken off: only its photons in STAT show it."""
    table, source = tmp_path / "TABLE.fits", night.reduced["PIXTABLE_REDUCED"][0]
    with fits.open(source, memmap=False) as opened:
        ifu = opened["origin"].data.astype(np.int64) >> 6 & 31
        opened["lambda"].data[ifu == 12] += 0.1
        opened.writeto(table)
    judged = {check.name: check for check in muse_nb.judge_cube(cube, table).checks}
    assert judged["wavelength_ifu"].good is False
    assert "IFU 12" in judged["wavelength_ifu"].text
    assert judged["wavelength_ifu"].value == pytest.approx(0.1, abs=0.03)
    good = {check.name: check for check in muse_nb.judge_cube(cube, source).checks}
    assert good["wavelength_ifu"].good is not False


def without_stat(cube: fits.HDUList) -> fits.HDUList:
    return fits.HDUList([cube[0], cube["DATA"]])


def cut(*box: slice) -> Change:
    def change(cube: fits.HDUList) -> fits.HDUList:
        for name in ("DATA", "STAT"):
            cube[name].data = np.ascontiguousarray(cube[name].data[box])
        return fits.HDUList([cube[0], cube["DATA"], cube["STAT"]])

    return change


def nothing_but_nan(cube: fits.HDUList) -> None:
    cube["DATA"].data[:] = np.nan


@pytest.mark.parametrize(
    "change",
    [
        without_stat,
        cut(slice(100, 101), slice(None), slice(None)),
        cut(slice(None), slice(30, 31), slice(30, 31)),
        cut(slice(100, 107), slice(20, 35), slice(20, 33)),
        nothing_but_nan,
    ],
    ids=["no STAT", "one plane", "one spaxel", "small", "all NaN"],
)
def test_odd_cubes_are_judged_as_far_as_they_go(cube: Path, tmp_path: Path, change: Change) -> None:
    judged = muse_nb.judge_cube(changed(cube, tmp_path / "ODD.fits", change))
    wrong = {name for name, good in said(judged).items() if good is False}
    assert wrong == ({"holes"} if change is nothing_but_nan else set()), judged.findings
    json.dumps(judged.summary(), allow_nan=False)
    assert judged.write(tmp_path / "ODD.html").is_file()


def test_the_command_prints_json_writes_the_page_and_exits_by_the_verdict(
    cube: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def bad(opened: fits.HDUList) -> None:
        stat_low(opened)
        opened[0].header["OBJECT"] = "<script>alert(1)</script>"

    page = tmp_path / "REPORT.html"
    path = changed(cube, tmp_path / "BAD.fits", bad)
    assert main(["judge", str(path), "--json", "-o", str(page)]) == 1
    told = json.loads(capsys.readouterr().out)
    assert set(told) == {"cube", "checks"}
    assert all(set(check) == {"name", "value", "limit", "good", "text"} for check in told["checks"])
    html = page.read_text()
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    assert "http://" not in html.replace("http://www.w3.org/", "").replace("http://purl.org", "").replace(
        "http://creativecommons.org", ""
    )
    assert main(["judge", str(path), "-o", str(page)]) == 1
    assert "already there" in capsys.readouterr().err
