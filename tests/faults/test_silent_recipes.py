"""Shows each silent failure in the recipes themselves: exit status 0 and a wrong result, once our refusal is away."""

from __future__ import annotations

import re
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from numpy.typing import NDArray
from rows import (
    COS,
    LINE,
    ROWS,
    bad_pixels,
    dates,
    edit,
    list_of_another_form,
    listed,
    not_finite,
    tables,
    without_borders,
)

from benchmarks.tables import write_tables
from muse_nb import measure_offsets
from muse_nb.core.errors import MuseError, MuseWarning
from muse_nb.products.offset_list import OffsetList
from muse_nb.recipes.checks.every import refuse
from muse_nb.recipes.errors import RecipeError
from muse_nb.recipes.joining import align, exp_combine
from muse_nb.recipes.run import RecipeResult, run_recipe

pytestmark = [pytest.mark.eso, pytest.mark.filterwarnings("ignore::muse_nb.core.errors.MuseWarning")]
IFU = 12


@pytest.fixture(autouse=True)
def unrefused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take our refusals away."""
    monkeypatch.setattr("muse_nb.recipes.run.refuse", lambda *_: [])


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return tables(tmp_path_factory.mktemp("clean"))


def values(result: RecipeResult) -> NDArray[Any]:
    return fits.getdata(result.products["DATACUBE_FINAL"][0], "DATA")


def combined(paths: list[Path], folder: Path, offsets: Path | None = None, **parameters: object) -> NDArray[Any]:
    return values(exp_combine(paths, offsets, folder, parameters={"save": "cube", **parameters}))


def same(one: NDArray[Any], other: NDArray[Any]) -> bool:
    return one.shape == other.shape and np.array_equal(one, other, equal_nan=True)


@pytest.fixture(scope="module")
def right(clean: list[Path], tmp_path_factory: pytest.TempPathFactory) -> NDArray[Any]:
    """The cube of both exposures, without offsets."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MuseWarning)
        return combined(clean, tmp_path_factory.mktemp("right"))


@pytest.mark.parametrize("keyword", ["RA", "DEC", "CD1_1"])
def test_a_missing_keyword_makes_another_cube(clean: list[Path], tmp_path: Path, keyword: str) -> None:
    """In both, or the cube would reach from one exposure to where the other is thought to be."""
    paths = [edit(path, **{keyword: None}) for path in tables(tmp_path / "in")]
    cubes = []
    for name, given in (("without", paths), ("whole", clean)):
        made = exp_combine(given, None, tmp_path / name, parameters={"save": "cube"})
        header = fits.getheader(made.products["DATACUBE_FINAL"][0], "DATA")
        cubes.append((values(made), [header["CRVAL1"], header["CRVAL2"]]))
    assert cubes[0][1] != pytest.approx(cubes[1][1], abs=1e-6) or not same(cubes[0][0], cubes[1][0])


def test_the_second_of_one_date_is_ignored(clean: list[Path], right: NDArray[Any], tmp_path: Path) -> None:
    paths = write_tables(tmp_path / "in", 3, ROWS, ifus=2)
    edit(paths[2], DATE_OBS=dates(clean)[1])
    assert same(combined(paths, tmp_path / "out"), right)


@pytest.mark.parametrize("form", ["another form", "a row short"])
def test_an_offset_list_is_ignored(clean: list[Path], right: NDArray[Any], tmp_path: Path, form: str) -> None:
    path, whole = tmp_path / "OFFSET_LIST.fits", tmp_path / "whole.fits"
    if form == "another form":
        (tmp_path / "in").mkdir()
        list_of_another_form(tmp_path / "in", None)
        path = tmp_path / "in" / "OFFSET_LIST.fits"
    else:
        listed(path, dates(clean)[:1])
    listed(whole, dates(clean), ra=5e-4, dec=5e-4)
    assert same(combined(clean, tmp_path / "out", path), right)
    assert not same(combined(clean, tmp_path / "whole", whole), right)


@pytest.fixture(scope="module")
def stars_on_each_other(night) -> Callable[..., NDArray[Any]]:
    """Combine a night with its own measured offsets, times two factors; give the image of a few planes."""
    right = measure_offsets(night.reduced["IMAGE_FOV"]).offset_list()

    def run(folder: Path, ra: float, dec: float) -> NDArray[Any]:
        folder.mkdir()
        columns = (tuple(ra * x for x in right.ra_offset), tuple(dec * x for x in right.dec_offset))
        path = folder / "OFFSET_LIST.fits"
        OffsetList(right.date_obs, right.mjd_obs, *columns, right.flux_scale).write(path)
        limits = {"lambdamin": 6400.0, "lambdamax": 6410.0}
        return np.nansum(combined(night.reduced["PIXTABLE_REDUCED"], folder / "out", path, **limits), axis=0)

    return run


@pytest.mark.parametrize(("ra", "dec"), [(-1.0, -1.0), (COS, 1.0)], ids=["wrong sign", "times cos(dec)"])
def test_offsets_that_are_mistaken_smear_the_stars(stars_on_each_other, tmp_path: Path, ra: float, dec: float) -> None:
    """Exit status 0; the doctor's sentence on the same lists is in test_silent.py."""
    right, wrong = (stars_on_each_other(tmp_path / name, *by) for name, by in (("1", (1.0, 1.0)), ("2", (ra, dec))))
    assert wrong.max() < 0.97 * right.max()


def test_offsets_in_arcsec_put_the_exposures_apart(clean: list[Path], right: NDArray[Any], tmp_path: Path) -> None:
    """A fiftieth of an arcsec that is taken for a fiftieth of a degree: a cube that reaches to both."""
    listed(tmp_path / "OFFSET_LIST.fits", dates(clean), ra=0.0, dec=0.02)
    limits = {"lambdamin": 6000.0, "lambdamax": 6005.0}
    assert combined(clean, tmp_path / "out", tmp_path / "OFFSET_LIST.fits", **limits).shape[1] > right.shape[1] + 200


def test_a_flux_scale_changes_the_flux(clean: list[Path], right: NDArray[Any], tmp_path: Path) -> None:
    listed(tmp_path / "OFFSET_LIST.fits", dates(clean), ra=0.0, dec=0.0, scale=3.0)
    scaled = combined(clean, tmp_path / "out", tmp_path / "OFFSET_LIST.fits")
    assert np.nanmedian(scaled) > 1.1 * np.nanmedian(right)


def test_nan_data_spread(right: NDArray[Any], tmp_path: Path) -> None:
    not_finite(np.nan)(tmp_path / "in", None)
    spread = combined(sorted((tmp_path / "in").glob("*.fits")), tmp_path / "out")
    assert np.count_nonzero(~np.isfinite(spread)) > np.count_nonzero(~np.isfinite(right)) + 10


def test_cosmic_rays_are_searched_along_the_axis_of_the_first_exposure(right: NDArray[Any], tmp_path: Path) -> None:
    for number, other in ((1, "second"), (0, "first")):
        paths = tables(tmp_path / other)
        edit(paths[number], ESO__INS__DROT__POSANG=0.0 if number else 90.0)
        assert same(combined(paths, tmp_path / f"{other} out"), right) is (other == "second")


def test_exptime_is_that_of_the_first_exposure(clean: list[Path], tmp_path: Path) -> None:
    made = exp_combine(clean, None, tmp_path / "out", parameters={"save": "cube"})
    assert fits.getheader(made.products["DATACUBE_FINAL"][0])["EXPTIME"] == 60
    assert any("take 120 s" in finding for finding in made.findings)


def test_nearest_takes_rows_that_are_not_the_nearest(tmp_path: Path) -> None:
    """Rows of 1 lie in the middle of the voxels, rows of 2 beside them: the nearest are all 1."""
    (path, _) = tables(tmp_path / "in")
    steps = 0.2 * np.arange(-30, 31)
    north, east = np.meshgrid(steps, steps, indexing="ij")
    aside = np.where(np.arange(61) % 2, 0.07, -0.07) * (np.abs(steps) < 5)
    with fits.open(path, mode="update") as opened:
        x, y = (np.concatenate([axis.ravel(), (axis + shift).ravel()]) for axis, shift in ((east, aside), (north, 0.0)))
        n = len(x)
        opened["dq"].data[:, 0] = np.where(np.arange(len(opened["dq"].data)) < n, 0, 1)
        for name, column in {
            "xpos": np.arctan2(x, -y) % (2 * np.pi),
            "ypos": -np.arctan(np.hypot(x, y) / 206264.806),
            "lambda": np.full(n, 6000.0),
            "data": np.repeat([1.0, 2.0], n // 2),
        }.items():
            opened[name].data[:n, 0] = column
            opened[name].data[n:, 0] = column[0]
    made = run_recipe(
        "muse_scipost_make_cube",
        {"PIXTABLE_OBJECT": path},
        {"resample": "nearest", "crsigma": 0.0},
        output=tmp_path / "out",
    )
    assert 2 in values(made)


@pytest.fixture(scope="module")
def basic(night, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Run muse_scibasic on an exposure at 90 degrees; give its folder."""

    def run(
        raw: Path,
        output: Path,
        calib: Path = night.folder / "calib",
        flat: Path | None = None,
        ifu: int = IFU,
        **parameters: object,
    ) -> Path:
        tags = ("MASTER_BIAS", "TRACE_TABLE", "WAVECAL_TABLE")
        frames = [(flat or calib / f"MASTER_FLAT-{ifu}.fits", "MASTER_FLAT")]
        frames += [(calib / f"{tag}-{ifu}.fits", tag) for tag in tags]
        frames += [(calib / f"{tag}.fits", tag) for tag in ("GEOMETRY_TABLE", "BADPIX_TABLE")]
        run_recipe("muse_scibasic", [(raw, "OBJECT"), *frames], {"nifu": ifu, **parameters}, output=output)
        return output

    return run


def test_without_a_readable_angle_the_field_is_not_turned(night, basic, tmp_path: Path) -> None:
    table = basic(night.raw[1], tmp_path / "basic") / f"PIXTABLE_OBJECT_0001-{IFU}.fits"
    assert fits.getheader(table)["ESO INS DROT POSANG"] == 90.0
    shapes = {}
    for name, value in {"right": 90.0, "whole number": 90, "missing": None}.items():
        copy = Path(shutil.copy(table, tmp_path / f"{name}.fits"))
        edit(copy, ESO__INS__DROT__POSANG=value)
        limits = {"skymethod": "none", "lambdamin": 6400.0, "lambdamax": 6450.0, "save": "cube"}
        made = run_recipe("muse_scipost", {"PIXTABLE_OBJECT": copy}, limits, output=tmp_path / name)
        shapes[name] = values(made).shape[1:]
    ny, nx = shapes["right"]
    assert ny > 2 * nx
    assert shapes["missing"][1] > 2 * shapes["missing"][0]
    assert shapes["whole number"] == shapes["missing"]


def test_a_misplaced_bad_pixel_table_flags_other_pixels(night, basic, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    bad_pixels(without_borders)(tmp_path / "in", night)
    wrong = basic(night.raw[0], tmp_path / "wrong", tmp_path / "in" / "calib")
    true = basic(night.raw[0], tmp_path / "true")
    one, other = (fits.getdata(f / f"OBJECT_RED_0001-{IFU}.fits", "DQ") & 0x3F00 for f in (wrong, true))
    assert np.count_nonzero(one != other) > 100


@pytest.mark.parametrize("tag", ["GEOMETRY_TABLE", "BADPIX_TABLE"])
def test_calibrations_of_another_mode_are_taken(night, basic, tmp_path: Path, tag: str) -> None:
    calib = tmp_path / "calib"
    shutil.copytree(night.folder / "calib", calib)
    edit(calib / f"{tag}.fits", ESO__INS__MODE="NFM-AO-N")
    assert (basic(night.raw[0], tmp_path / "out", calib) / f"OBJECT_RED_0001-{IFU}.fits").exists()


def test_images_that_ran_away_are_aligned_wrongly(night, tmp_path: Path) -> None:
    images = [Path(shutil.copy(path, tmp_path / f"{n}.fits")) for n, path in enumerate(night.reduced["IMAGE_FOV"][:2])]
    with fits.open(images[1], mode="update") as opened:
        opened["DATA"].data += np.random.default_rng(1).normal(0, 1e9, opened["DATA"].data.shape).astype("f4")
    made = run_recipe("muse_exp_align", {"IMAGE_FOV": images}, {"iterations": 1000}, output=tmp_path / "out")
    assert any("not to be trusted" in finding for finding in made.findings)


def test_planes_run_away_where_a_flat_is_dark(night, basic, tmp_path: Path) -> None:
    """The lamp gave no light in the first rows of the detector: the recipes divide by what there is."""
    flat = Path(shutil.copy(night.folder / "calib" / f"MASTER_FLAT-{IFU}.fits", tmp_path / "flat.fits"))
    with fits.open(flat, mode="update") as opened:
        opened["DATA"].data[:4] *= 1e-9
    table = basic(night.raw[0], tmp_path / "basic", flat=flat) / f"PIXTABLE_OBJECT_0001-{IFU}.fits"
    made = run_recipe(
        "muse_scipost",
        {"PIXTABLE_OBJECT": table},
        {"skymethod": "none", "save": "cube", "lambdamax": 6300.0},
        output=tmp_path / "out",
    )
    assert np.nanmax(values(made)[0]) > 1e9
    assert any("planes with absurd values" in finding for finding in made.findings)


@pytest.fixture
def flagged_flat(night, tmp_path: Path) -> Path:
    """A flat that is flagged in its first rows: at wavelengths below 6359 Angstrom, the sky line of 6300 among them."""
    flat = Path(shutil.copy(night.folder / "calib" / f"MASTER_FLAT-{IFU}.fits", tmp_path / "flat.fits"))
    with fits.open(flat, mode="update") as opened:
        opened["DQ"].data[:100] = 8192
    return flat


@pytest.mark.parametrize("attempt", range(2))
def test_light_is_moved_by_a_sky_line_without_pixels(night, basic, flagged_flat: Path, tmp_path: Path, attempt) -> None:
    """Exit status 0, and the shift is 0 or the line's own wavelength, at random; it is told whenever it is not 0."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", MuseWarning)
        table = basic(night.raw[0], tmp_path / "out", flat=flagged_flat) / f"PIXTABLE_OBJECT_0001-{IFU}.fits"
    shift = float(fits.getheader(table)["ESO QC SCIBASIC LAMBDA SHIFT"])
    assert shift == pytest.approx(0, abs=1) or shift == pytest.approx(LINE, abs=1)
    moved = shift > 1
    assert bool(fits.getdata(table, "lambda").min() > 10000) is moved
    sentences = [str(warning.message) for warning in caught]
    assert any("was moved by 6300.3 Angstrom" in text for text in sentences) is moved
    assert any("no good pixel around a sky line" in text for text in sentences)
    assert any("wavelengths from 12537 to 13046 Angstrom, its header says 6237" in text for text in sentences) is moved
    frames = [(table, "PIXTABLE_OBJECT")]
    if moved:
        with pytest.raises(MuseError, match="was moved by 6300"):
            refuse("muse_scipost", frames)
    else:
        assert refuse("muse_scipost", frames) == []


def test_zeros_are_written_where_one_flat_is_flagged(night, basic, flagged_flat: Path, tmp_path: Path) -> None:
    """The flat of one IFU is flagged in its first rows; the other IFU's good pixels become 0 there, with variance 0."""
    still = {"skylines": "none"}  # a sky line lies in those rows, and the wavelengths may be moved by it
    given = [basic(night.raw[0], tmp_path / "12", flat=flagged_flat, **still) / f"PIXTABLE_OBJECT_0001-{IFU}.fits"]
    given.append(basic(night.raw[0], tmp_path / "13", ifu=13, **still) / "PIXTABLE_OBJECT_0001-13.fits")
    frames = [(path, "PIXTABLE_OBJECT") for path in given]
    (before,) = map(str, refuse("muse_scipost", frames))
    assert before.startswith(f"{given[0]} has a flat-field spectrum from 6359 to")
    limits = {"skymethod": "none", "save": "cube,individual"}
    made = run_recipe("muse_scipost", frames, limits, output=tmp_path / "out")
    with fits.open(made.products["DATACUBE_FINAL"][0]) as opened:
        zero = (opened["DATA"].data == 0) & (opened["STAT"].data == 0)
        finite = np.isfinite(opened["DATA"].data)
    assert np.count_nonzero(zero) > 0.1 * np.count_nonzero(finite)
    assert any("has zeros with variance 0 from 6236 to 63" in finding for finding in made.findings)
    table = made.products["PIXTABLE_REDUCED"][0]
    (told,) = (str(f) for f in refuse("muse_exp_combine", [(table, "PIXTABLE_REDUCED")]) if f.check == "zero_rows")
    with fits.open(table) as opened:
        zero = [opened[name].data == 0 for name in ("data", "stat", "dq")]
        true = np.mean(np.logical_and.reduce(zero))
    assert float(told.split("in about ")[1].split(" %")[0]) == pytest.approx(100 * true, rel=0.1)
    cut = re.search(r"--lambdamin (\d+)", before)
    assert cut is not None
    again = run_recipe("muse_scipost", frames, limits | {"lambdamin": float(cut[1])}, output=tmp_path / "cut")
    assert not (values(again) == 0).any()
    assert again.findings == []


@pytest.fixture
def runaway_images(night, tmp_path: Path) -> list[Path]:
    """Images of a larger field that is all runaway planes."""
    images = [Path(shutil.copy(path, tmp_path / f"{n}.fits")) for n, path in enumerate(night.reduced["IMAGE_FOV"][:2])]
    for number, image in enumerate(images):
        with fits.open(image, mode="update") as opened:
            opened["DATA"].data = np.random.default_rng(number).normal(0, 1e9, (160, 160)).astype("f4")
    return images


def test_muse_exp_align_loops_on_images_that_ran_away(runaway_images: list[Path], tmp_path: Path) -> None:
    """It raises its threshold by half a count a hundred thousand times; our time limit ends it."""
    with pytest.raises(RecipeError, match="time limit"):
        run_recipe("muse_exp_align", {"IMAGE_FOV": runaway_images}, output=tmp_path / "out", timeout=4)
    steps = (tmp_path / "out" / "muse_exp_align.log").read_text().count("Searching for sources")
    assert steps > 20
    with pytest.raises(RecipeError, match="failed"):
        align(runaway_images, tmp_path / "limited", parameters={"iterations": 20})


def test_the_refusals_are_really_away(tmp_path: Path) -> None:
    """Without this file's fixture the first of these runs is refused."""
    paths = tables(tmp_path)
    edit(paths[1], RA=None)
    with pytest.raises(MuseError, match="lacks RA"):
        refuse("muse_exp_combine", [(path, "PIXTABLE_REDUCED") for path in paths])
