"""What can be combined: tables that the recipes have combined already, pointings side by side, wavelengths, weights."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from numpy.testing import assert_allclose

from benchmarks.tables import write_tables
from muse_nb import combine
from muse_nb.core.errors import MuseError
from muse_nb.products.offset_list import OffsetList
from muse_nb.products.pixtable import PixelTable, write_pixtable
from muse_nb.recipes.run import run_recipe
from muse_nb.steps.combine.before import turned_exposures
from muse_nb.steps.combine.compare import compare_cubes

pytestmark = pytest.mark.filterwarnings("ignore::muse_nb.core.errors.MuseWarning")


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three exposures at three rotator angles."""
    return write_tables(tmp_path_factory.mktemp("tables"), 3, 72_000, ifus=1)


def edited(path: Path, to: Path, **cards: float) -> Path:
    """Copy a table with other numbers in its primary header."""
    content = path.read_bytes()
    for keyword, value in cards.items():
        start = content.index(keyword.ljust(8).encode() + b"=")
        content = content[:start] + f"{keyword:8}= {value!r:>20}".ljust(80).encode() + content[start + 80 :]
    to.write_bytes(content)
    return to


def planes(path: Path, name: str = "DATA") -> np.ndarray:
    with fits.open(path, memmap=False) as cube:
        return cube[name].data


@pytest.mark.eso
def test_a_combined_table_gives_the_cube_of_its_exposures(tables: list[Path], tmp_path: Path) -> None:
    dates = tuple(str(PixelTable.open(path).header["DATE-OBS"]) for path in tables)
    offsets = OffsetList(dates, (0.0,) * 3, (0.0, 2e-4, -1e-4), (0.0, 1e-4, 2e-4), (np.nan, np.nan, 1.1))
    offsets.write(tmp_path / "OFFSET_LIST.fits")
    longer = edited(tables[1], tmp_path / "P2.fits", EXPTIME=120.0)
    chosen = [tables[0], longer, tables[2]]
    frames = [(path, "PIXTABLE_REDUCED") for path in chosen] + [(tmp_path / "OFFSET_LIST.fits", "OFFSET_LIST")]
    made = run_recipe("muse_exp_combine", frames, {"save": "combined,cube"}, output=tmp_path / "eso")
    ours = combine(made.products["PIXTABLE_COMBINED"], output=tmp_path / "C.fits", checks=False)
    assert ours.exposures == 3
    assert fits.getheader(ours.path)["ESO DRS MUSE EXP2 WEIGHT"] == 2.0
    theirs = made.products["DATACUBE_FINAL"][0]
    assert compare_cubes(theirs, ours.path).differ_per_million <= 5
    assert compare_cubes(theirs, combine(chosen, offsets, output=tmp_path / "R.fits").path).differ_per_million <= 5


@pytest.mark.eso
def test_drops_have_the_size_that_the_table_says(tables: list[Path], tmp_path: Path) -> None:
    size = {"CD1_1": -0.17 / 3600, "CD2_2": 0.19 / 3600}
    chosen = [edited(path, tmp_path / path.name, **size) for path in tables]
    frames = [(path, "PIXTABLE_REDUCED") for path in chosen]
    theirs = run_recipe("muse_exp_combine", frames, output=tmp_path / "eso").products["DATACUBE_FINAL"][0]
    ours = combine(chosen, output=tmp_path / "C.fits", checks=False).path
    assert compare_cubes(theirs, ours).differ_per_million <= 5
    usual = combine(tables, output=tmp_path / "usual.fits", checks=False).path
    assert compare_cubes(theirs, usual).differ_per_million > 1000


def test_pointings_side_by_side_make_one_mosaic(tables: list[Path], tmp_path: Path) -> None:
    """Fields 60 arcsec apart in Dec, across RA 0: each part of the mosaic is the cube of its pointing."""
    first = edited(tables[0], tmp_path / "P1.fits", RA=359.999, DEC=-53.674)
    second = edited(tables[0], tmp_path / "P2.fits", RA=0.001, DEC=-53.674 + 60 / 3600)
    later = second.read_bytes().replace(b"2014-07-27T00:00:00.000", b"2014-07-27T00:09:00.000")
    second.write_bytes(later)
    mosaic = combine([first, second], output=tmp_path / "M.fits", checks=False)
    assert 300 < mosaic.shape[1] < 330
    assert mosaic.shape[2] < 330
    data = planes(mosaic.path)
    for path, part in ((first, np.s_[:, :100]), (second, np.s_[:, -100:])):
        alone = planes(combine([path], output=tmp_path / f"{path.stem}-alone.fits", checks=False).path)
        assert np.isfinite(data[part]).sum() == pytest.approx(np.isfinite(alone).sum(), rel=0.01)
        assert np.nansum(data[part]) == pytest.approx(np.nansum(alone), rel=0.01)


def test_wavelength_limits_cut_the_cube(tables: list[Path], tmp_path: Path) -> None:
    full = combine(tables, output=tmp_path / "full.fits", checks=False)
    part = combine(tables, output=tmp_path / "part.fits", lambdamin=6005, lambdamax=6015, checks=False)
    header = fits.getheader(part.path, "DATA")
    assert 6005 <= header["CRVAL3"] < 6006.25
    assert header["CRVAL3"] + (part.shape[0] - 1) * 1.25 == pytest.approx(6015, abs=1.3)
    assert part.shape[0] < full.shape[0]


SEEING = {  # of each exposure: autoguider along x and y; DIMM at start and end [arcsec]
    "autoguider": [(0.8, 0.9), (1.3, 1.1), (0.6, 0.7)],
    "DIMM": [(1.1, 1.2), (0.7, 0.7), (0.9, 1.4)],
}
KEYWORDS = {
    "autoguider": ("ESO OCS SGS AG FWHMX AVG", "ESO OCS SGS AG FWHMY AVG"),
    "DIMM": ("ESO TEL AMBI FWHM START", "ESO TEL AMBI FWHM END"),
}


@pytest.mark.eso
@pytest.mark.parametrize(
    ("weight", "known"),
    [("none", ()), ("exptime", ()), ("header", ()), ("fwhm", ("DIMM",)), ("fwhm", ("autoguider", "DIMM"))],
)
def test_weights_are_the_recipe_s(tables: list[Path], tmp_path: Path, weight: str, known: tuple[str, ...]) -> None:
    chosen = []
    for number, path in enumerate(tables):
        chosen.append(Path(shutil.copy(path, tmp_path)))
        with fits.open(chosen[-1], mode="update") as table:
            header = table[0].header
            header["EXPTIME"] = (60.0, 120.0, 90.0)[number]
            header["HIERARCH ESO DRS MUSE WEIGHT"] = (1.0, 0.4, 2.5)[number]
            for who in known:
                header.update({f"HIERARCH {k}": v for k, v in zip(KEYWORDS[who], SEEING[who][number], strict=True)})
    frames = [(path, "PIXTABLE_REDUCED") for path in chosen]
    made = run_recipe("muse_exp_combine", frames, {"weight": weight}, output=tmp_path / "eso")
    ours = combine(chosen, output=tmp_path / "ours.fits", weight=weight, checks=False)
    assert compare_cubes(made.products["DATACUBE_FINAL"][0], ours.path).differ_per_million <= 5


@pytest.mark.eso
@pytest.mark.parametrize(
    "known",
    [((), (), ()), (("DIMM",), (), ("DIMM",)), (("autoguider",), ("DIMM",), ("autoguider", "DIMM"))],
    ids=["none", "one lacks it", "not by the same instrument"],
)
def test_without_the_seeing_of_all_the_weight_is_the_exposure_time_and_that_is_said(
    tables: list[Path], tmp_path: Path, known: tuple[tuple[str, ...], ...]
) -> None:
    chosen = []
    for number, path in enumerate(tables):
        chosen.append(Path(shutil.copy(path, tmp_path)))
        with fits.open(chosen[-1], mode="update") as table:
            table[0].header["EXPTIME"] = (60.0, 120.0, 90.0)[number]
            for who in known[number]:
                values = zip(KEYWORDS[who], SEEING[who][number], strict=True)
                table[0].header.update({f"HIERARCH {keyword}": value for keyword, value in values})
    frames = [(path, "PIXTABLE_REDUCED") for path in chosen]
    made = run_recipe("muse_exp_combine", frames, {"weight": "fwhm"}, output=tmp_path / "eso")
    ours = combine(chosen, output=tmp_path / "ours.fits", weight="fwhm", checks=False)
    assert compare_cubes(made.products["DATACUBE_FINAL"][0], ours.path).differ_per_million <= 5
    assert [fits.getheader(ours.path)[f"ESO DRS MUSE EXP{n} WEIGHT"] for n in (1, 2, 3)] == [1.0, 2.0, 1.5]
    (said,) = [note for note in ours.findings if "the seeing" in note]
    lacking = [path.name for path, who in zip(chosen, known, strict=True) if "DIMM" not in who]
    assert said.startswith(", ".join(lacking) + " lack")


def test_weights_are_those_of_the_header(tables: list[Path], tmp_path: Path) -> None:
    longer = edited(tables[1], tmp_path / "P2.fits", EXPTIME=180.0)
    for weight, expected in (("exptime", 3.0), ("none", 1.0)):
        made = combine([tables[0], longer], output=tmp_path / f"{weight}.fits", weight=weight, checks=False)
        header = fits.getheader(made.path)
        assert header["ESO DRS MUSE EXP2 WEIGHT"] == expected
        assert header["EXPTIME"] == 240.0
    assert not np.allclose(planes(tmp_path / "exptime.fits"), planes(tmp_path / "none.fits"), equal_nan=True)
    with pytest.raises(MuseError, match="WEIGHT"):
        combine([tables[0], longer], output=tmp_path / "header.fits", weight="header")
    assert_allclose(fits.getheader(made.path)["ESO DRS MUSE EXP1 EXPTIME"], 60.0)


def test_an_angle_of_the_list_turns_the_field(tables: list[Path], tmp_path: Path) -> None:
    """As rows whose longitudes about the pointing are turned do; nothing changes where the angle is 0."""
    angle, date = 1.5, str(PixelTable.open(tables[0]).header["DATE-OBS"])
    opened = PixelTable.open(tables[0])
    columns = {name: opened.read(name) for name in opened.columns}
    units = {name: column.unit for name, column in opened.columns.items()}
    columns["xpos"] = ((columns["xpos"] - np.radians(angle)) % (2 * np.pi)).astype(np.float32)
    write_pixtable(tmp_path / "T.fits", fits.getheader(tables[0]), columns, units)
    none = OffsetList((date,), (0.0,), (0.0,), (0.0,), (np.nan,))
    turn = OffsetList((date,), (0.0,), (0.0,), (0.0,), (np.nan,), (angle,))
    by_rows = planes(combine([tmp_path / "T.fits"], none, output=tmp_path / "A.fits", crsigma=0, checks=False).path)
    result = combine([tables[0]], turn, output=tmp_path / "B.fits", crsigma=0, checks=False)
    by_list = planes(result.path)
    assert by_rows.shape == by_list.shape
    unlike = ~np.isclose(by_rows, by_list, rtol=1e-2, atol=1e-2 * np.nanstd(by_rows), equal_nan=True)
    assert unlike.mean() < 2e-3  # rounding of the longitudes
    assert any("+1.5000 deg" in note for note in result.findings)
    assert "+1.5000 deg: muse_exp_combine does not" in turned_exposures([opened], turn, applied=False)[0]
    plain = combine([tables[0]], none, output=tmp_path / "C.fits", crsigma=0, checks=False)
    bare = combine([tables[0]], output=tmp_path / "D.fits", crsigma=0, checks=False)
    np.testing.assert_array_equal(planes(plain.path), planes(bare.path))
