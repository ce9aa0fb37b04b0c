"""Checks after a combine: each names what was spoilt, and is content where nothing was."""

from __future__ import annotations

from html import escape
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from numpy.testing import assert_allclose

from benchmarks.tables import write_tables
from muse_nb import combine
from muse_nb.products.offset_list import OffsetList
from muse_nb.products.pixtable import PixelTable
from muse_nb.resample.grid import lay_out
from muse_nb.resample.inputs import Inputs
from muse_nb.resample.stream import Settings
from muse_nb.steps.combine.quick_stars import find_stars, image_shift, measure_stars
from muse_nb.steps.combine.result import Check
from muse_nb.steps.combine.verify import check_cube

pytestmark = pytest.mark.filterwarnings("ignore::muse_nb.core.errors.MuseWarning")


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Four exposures at four rotator angles, their stars where the headers say."""
    return write_tables(tmp_path_factory.mktemp("tables"), 4, 350_000, ifus=8)


def listed(tables: list[Path], ra: float = 0.0, scale: float = 1.0) -> OffsetList:
    """An offset list that is right for all exposures but the third."""
    dates = tuple(str(PixelTable.open(path).header["DATE-OBS"]) for path in tables)
    return OffsetList(dates, (0.0,) * 4, (0.0, 0.0, ra, 0.0), (0.0,) * 4, (1.0, 1.0, scale, 1.0))


def checks(made: list[Check]) -> dict[str, Check]:
    return {check.name: check for check in made}


def changed(tables: list[Path], folder: Path, column: str, change: object, which: tuple[int, ...]) -> list[Path]:
    """Copies of the tables, a column of some of them changed."""
    paths = []
    for number, path in enumerate(tables):
        copy = folder / path.name
        copy.write_bytes(path.read_bytes())
        if number in which:
            table = PixelTable.open(copy)
            with copy.open("r+b") as file:
                file.seek(table.columns[column].offset)
                file.write(change(table.read(column)).astype(">f4").tobytes())  # type: ignore[operator]
        paths.append(copy)
    return paths


def test_a_good_combine_is_found_good(tables: list[Path], tmp_path: Path) -> None:
    made = combine(tables, listed(tables), output=tmp_path / "C.fits", memory=90e6)
    found = checks(made.checks)
    assert list(found) == ["widths", "positions", "fluxes", "noise", "slabs", "fields"]
    assert [check.text for check in made.checks if check.good is not True] == []
    assert all(escape(check.text) in made._repr_html_() for check in made.checks)


def test_a_wrong_offset_shows_in_widths_and_positions(tables: list[Path], tmp_path: Path) -> None:
    found = checks(combine(tables, listed(tables, ra=0.8 / 3600), output=tmp_path / "C.fits").checks)
    assert found["widths"].good is False
    assert found["positions"].good is False
    assert "2014-07-27T00:02:00" in found["positions"].text


def test_a_wrong_flux_scale_shows_in_the_fluxes(tables: list[Path], tmp_path: Path) -> None:
    found = checks(combine(tables, listed(tables, scale=0.8), output=tmp_path / "C.fits").checks)
    assert found["fluxes"].good is False
    assert "2014-07-27T00:02:00" in found["fluxes"].text


def test_a_wrong_stat_shows_in_the_noise(tables: list[Path], tmp_path: Path) -> None:
    paths = changed(tables, tmp_path, "stat", lambda stat: 4 * stat, (0, 1, 2, 3))
    found = checks(combine(paths, output=tmp_path / "C.fits").checks)
    assert found["noise"].good is False
    assert 0.4 < float(found["noise"].text.split()[2]) < 0.6


def test_another_sky_level_shows_in_the_fields(tables: list[Path], tmp_path: Path) -> None:
    paths = changed(tables, tmp_path, "data", lambda data: data + 60, (1,))
    found = checks(combine(paths, output=tmp_path / "C.fits").checks)
    assert found["fields"].good is False
    assert "2014-07-27T00:01:00" in found["fields"].text


def test_a_jump_between_slabs_shows(tables: list[Path], tmp_path: Path) -> None:
    made = combine(tables, output=tmp_path / "C.fits", checks=False)
    assert made.checks == []
    opened = [PixelTable.open(path) for path in tables]
    with Inputs(opened, None, [1.0] * 4, 4000, 10000, 1) as inputs:
        grid = lay_out(inputs.exposures)
        with fits.open(made.path, mode="update") as cube:
            cube["DATA"].data[7:] += np.sqrt(np.nanmedian(cube["STAT"].data)) * 2
        found = checks(check_cube(made.path, inputs, grid, Settings(), borders=[4, 7]))
    assert found["slabs"].good is False
    assert "plane 7" in found["slabs"].text


def test_a_star_is_measured_as_it_was_drawn() -> None:
    y, x = np.mgrid[:60, :60]
    image = 5 + 1000 * np.exp(-((x - 30.3) ** 2 + (y - 28.8) ** 2) / (2 * 1.7**2))
    image += np.random.default_rng(1).normal(0, 0.5, image.shape)
    shapes = measure_stars(image, find_stars(image))
    assert_allclose([shapes.x[0], shapes.y[0]], [30.3, 28.8], atol=0.02)
    assert_allclose(shapes.fwhm, 2.3548 * 1.7, rtol=0.02)
    assert_allclose(shapes.flux, 1000 * 2 * np.pi * 1.7**2, rtol=0.03)


def crowd(shift: tuple[float, float], noise: int) -> np.ndarray:
    """A field without a lonely star: 150 of them in 80 x 80 pixels, seen `shift` pixels away."""
    random = np.random.default_rng(5)
    x, y, flux = random.uniform(0, 80, 150), random.uniform(0, 80, 150), 10 ** random.uniform(1, 3, 150)
    j, i = np.mgrid[:80, :80]
    stars = zip(x + shift[0], y + shift[1], flux, strict=True)
    image = sum(f * np.exp(-((i - a) ** 2 + (j - b) ** 2) / 8.0) for a, b, f in stars)
    return image + np.random.default_rng(noise).normal(0, 5, (80, 80))


@pytest.mark.parametrize("shift", [(0.0, 0.0), (1.4, -2.3), (-6.0, 0.5)])
def test_crowded_images_are_compared_as_a_whole(shift: tuple[float, float]) -> None:
    image, reference = crowd(shift, 1), crowd((0.0, 0.0), 2)
    assert len(find_stars(reference)) < 3
    image[:, 30:33] = np.nan
    assert_allclose(image_shift(image, reference), shift, atol=0.15)


def test_images_of_noise_or_of_other_fields_have_no_shift() -> None:
    random = np.random.default_rng(3)
    assert image_shift(random.normal(size=(80, 80)), random.normal(size=(80, 80))) is None
    assert image_shift(crowd((0.0, 0.0), 1)[::-1], crowd((0.0, 0.0), 2)) is None
    assert image_shift(np.full((80, 80), np.nan), crowd((0.0, 0.0), 2)) is None


def without(tables: list[Path], folder: Path, cut: dict[int, tuple[float, float]]) -> list[Path]:
    """Copies of the tables, the rows of some of them between two fractions of the wavelengths flagged."""
    paths = []
    for number, path in enumerate(tables):
        copy = folder / path.name
        copy.write_bytes(path.read_bytes())
        if number in cut:
            table = PixelTable.open(copy)
            wavelength = table.read("lambda")
            low, high = (wavelength.min() + part * np.ptp(wavelength) for part in cut[number])
            dq = np.where((wavelength > low) & (wavelength < high), 1 << 27, table.read("dq"))
            with copy.open("r+b") as file:
                file.seek(table.columns["dq"].offset)
                file.write(dq.astype(">i4").tobytes())
        paths.append(copy)
    return paths


def test_planes_are_compared_that_all_exposures_have(tables: list[Path], tmp_path: Path) -> None:
    """Most wavelengths are flagged in one of two: it still lies where its wrong offset puts it."""
    paths = without(tables[:2], tmp_path, {1: (0.1, 0.6)})
    dates = tuple(str(PixelTable.open(path).header["DATE-OBS"]) for path in paths)
    wrong = OffsetList(dates, (0.0,) * 2, (0.0, 0.6 / 3600), (0.0,) * 2, (np.nan,) * 2)
    found = checks(combine(paths, wrong, output=tmp_path / "C.fits").checks)
    assert found["positions"].good is False
    cosine = np.cos(np.radians(PixelTable.open(paths[0]).header["DEC"]))
    assert float(found["positions"].text.split(" lies ")[1].split()[0]) == pytest.approx(0.3 * cosine, abs=0.06)
    paths = changed(paths, tmp_path, "data", lambda data: data + 60, (1,))
    assert checks(combine(paths, output=tmp_path / "D.fits").checks)["fields"].good is False


def test_exposures_that_share_no_planes_are_not_vouched_for(tables: list[Path], tmp_path: Path) -> None:
    paths = without(tables[:2], tmp_path, {0: (0.5, 1.1), 1: (-0.1, 0.5)})
    found = checks(combine(paths, output=tmp_path / "C.fits").checks)
    for name in ("widths", "positions", "fluxes", "fields"):
        assert found[name].good is None, found[name].text
        assert "not compared" in found[name].text
    assert not [check.text for check in found.values() if "nan" in check.text.split()]


def test_the_exposure_that_could_not_be_compared_is_named(tables: list[Path], tmp_path: Path) -> None:
    paths = without(tables[:3], tmp_path, {0: (0.6, 1.1), 1: (0.6, 1.1), 2: (-0.1, 0.6)})
    found = checks(combine(paths, output=tmp_path / "C.fits").checks)
    for name in ("widths", "positions", "fluxes", "fields"):
        assert found[name].good is True, found[name].text
        assert found[name].text.endswith("not compared: 2014-07-27T00:02:00.000"), found[name].text
    assert "2 of 3 exposures lie within" in found["positions"].text


def test_pairs_that_share_other_planes_are_all_compared(tables: list[Path], tmp_path: Path) -> None:
    paths = without(tables, tmp_path, {0: (0.5, 1.1), 1: (0.5, 1.1), 2: (-0.1, 0.5), 3: (-0.1, 0.5)})
    assert checks(combine(paths, output=tmp_path / "C.fits").checks)["fields"].text.startswith("sky levels of the exp")
    paths = changed(paths, tmp_path, "data", lambda data: data + 60, (3,))
    found = checks(combine(paths, output=tmp_path / "D.fits").checks)
    assert found["fields"].good is False


def test_only_places_count_where_exposures_overlap(tables: list[Path], tmp_path: Path) -> None:
    """Two pointings share a third of their fields: the sky of one is off, though most of the cube is of one alone."""
    paths = changed(tables[:2], tmp_path, "data", lambda data: data + 60, (1,))
    for path in paths:
        with fits.open(path, mode="update") as opened:
            opened[0].header["HIERARCH ESO INS DROT POSANG"] = 0.0
    with fits.open(paths[1], mode="update") as opened:
        opened[0].header["RA"] += 35 / 3600 / np.cos(np.radians(opened[0].header["DEC"]))
    found = checks(combine(paths, output=tmp_path / "C.fits").checks)
    assert found["fields"].good is False


def test_pointings_that_do_not_overlap_are_not_vouched_for(tables: list[Path], tmp_path: Path) -> None:
    paths = changed(tables[:2], tmp_path, "data", lambda data: data, (1,))
    with fits.open(paths[1], mode="update") as opened:
        opened[0].header["RA"] += 150 / 3600 / np.cos(np.radians(opened[0].header["DEC"]))
    found = checks(combine(paths, output=tmp_path / "C.fits").checks)
    assert [found[name].good for name in ("widths", "positions", "fluxes", "fields")] == [None] * 4


def test_a_stat_of_zero_is_not_vouched_for(tables: list[Path], tmp_path: Path) -> None:
    paths = changed(tables[:2], tmp_path, "stat", lambda stat: 0 * stat, (0, 1))
    found = checks(combine(paths, output=tmp_path / "C.fits", memory=90e6).checks)
    assert found["noise"].good is None
    assert "STAT is 0 or not finite" in found["noise"].text
    assert found["fields"].good is None
    assert found["slabs"].good is None
