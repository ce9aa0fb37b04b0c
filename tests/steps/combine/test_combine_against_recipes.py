"""What the recipes make of mosaics, filters and positioned tables, and what we make of them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from agree import assert_same_cube, assert_same_image
from astropy.io import fits

from benchmarks.tables import DEC, RA, write_tables
from muse_nb import combine, cube, reduce
from muse_nb.core.errors import MuseError
from muse_nb.products.offset_list import OffsetList
from muse_nb.products.pixtable import PixelTable
from muse_nb.recipes.calibrations import find_calibrations
from muse_nb.recipes.run import run_recipe

if TYPE_CHECKING:
    from muse_nb.simulator.night import Night

pytestmark = [pytest.mark.eso, pytest.mark.filterwarnings("ignore::muse_nb.core.errors.MuseWarning")]


def edited(path: Path, to: Path, blueshift: float = 0.0, **cards: float) -> Path:
    """Copy a table with other numbers in its header, and other wavelengths."""
    content = path.read_bytes()
    for keyword, value in cards.items():
        start = content.index(keyword.ljust(8).encode() + b"=")
        content = content[:start] + f"{keyword:8}= {value!r:>20}".ljust(80).encode() + content[start + 80 :]
    to.write_bytes(content)
    table = PixelTable.open(to)
    with to.open("r+b") as file:
        file.seek(table.columns["lambda"].offset)
        file.write((table.read("lambda") - blueshift).astype(">f4").tobytes())
    return to


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Four exposures at four rotator angles."""
    return write_tables(tmp_path_factory.mktemp("tables"), 4, 72_000, ifus=2)


def offsets_of(
    tables: list[Path], ra: tuple[float, ...], dec: tuple[float, ...], scale: tuple[float, ...]
) -> OffsetList:
    dates = tuple(str(PixelTable.open(path).header["DATE-OBS"]) for path in tables)
    return OffsetList(dates, (0.0,) * len(dates), ra, dec, scale)


def test_pointings_side_by_side_make_the_recipe_s_mosaic(tables: list[Path], tmp_path: Path) -> None:
    """Four fields, turned, one beside the next, half on another, and one apart; with offsets and flux scales."""
    step = 1 / 3600
    places = [(0.0, 0.0), (40 * step, 3 * step), (-20 * step, 30 * step), (95 * step, -70 * step)]
    files = [
        edited(path, tmp_path / path.name, RA=RA + x / math.cos(math.radians(DEC)), DEC=DEC + y)
        for path, (x, y) in zip(tables, places, strict=True)
    ]
    listed = offsets_of(files, (0.0, 1e-4, -5e-5, 2e-4), (0.0, -3e-5, 1e-4, 7e-5), (np.nan, 1.1, 0.9, np.nan))
    listed.write(tmp_path / "OFFSET_LIST.fits")
    frames = [(path, "PIXTABLE_REDUCED") for path in files] + [(tmp_path / "OFFSET_LIST.fits", "OFFSET_LIST")]
    theirs = run_recipe("muse_exp_combine", frames, output=tmp_path / "eso").products
    ours = combine(files, listed, output=tmp_path / "C.fits", checks=False)
    assert min(ours.shape[1:]) > 500
    assert_same_cube(theirs["DATACUBE_FINAL"][0], ours.path)
    assert_same_image(theirs["IMAGE_FOV"][0], ours.images["white"])
    same_keywords(theirs["DATACUBE_FINAL"][0], ours.path)
    same_keywords(theirs["IMAGE_FOV"][0], ours.images["white"])
    header = fits.getheader(ours.path)
    assert header["EXPTIME"] == 4 * 60, "all exposures', where the recipe writes the first one's"
    for number, path in enumerate(files, 1):
        own = fits.getheader(path)
        assert header[f"ESO DRS MUSE EXP{number} POSANG"] == own["ESO INS DROT POSANG"]
        assert header[f"ESO DRS MUSE EXP{number} EXPTIME"] == own["EXPTIME"]
        assert header[f"ESO DRS MUSE EXP{number} DATE-OBS"] == own["DATE-OBS"]
        assert header[f"ESO DRS MUSE OFFSET{number} DRA"] == listed.ra_offset[number - 1]
        assert header[f"ESO DRS MUSE OFFSET{number} DDEC"] == listed.dec_offset[number - 1]
        assert header[f"ESO DRS MUSE EXP{number} WEIGHT"] == 1.0


OTHERS = ("CHECKSUM", "DATASUM", "DATAMD5", "ESO QC ", "ESO PRO ")  # what says who made the file


def same_keywords(theirs: Path, ours: Path) -> None:
    """What the recipe's headers say, ours say, too; who made the file, when, and EXPTIME are ours to say."""
    with fits.open(theirs) as a, fits.open(ours) as b:
        for one, other in zip(a, b, strict=False):
            for key, value in one.header.items():
                if key.startswith(OTHERS) or key in ("EXPTIME", "DATE", "PIPEFILE", "COMMENT", ""):
                    continue
                said = other.header.get(key)
                assert said == (pytest.approx(value, rel=1e-6) if isinstance(value, float) else value), key


@pytest.mark.parametrize(
    ("blueshift", "wanted"),
    [(240.0, ("white", "Johnson_V", "Cousins_R", "SDSS_r")), (-1200.0, ("Cousins_R", "Cousins_I"))],
    ids=["V and R", "R and I"],
)
def test_images_through_the_filters_of_a_list_are_the_recipe_s(
    tables: list[Path], night: Night, tmp_path: Path, blueshift: float, wanted: tuple[str, ...]
) -> None:
    files = [edited(path, tmp_path / path.name, blueshift) for path in tables[:2]]
    listed = night.folder / "calib" / "FILTER_LIST.fits"
    frames = [(path, "PIXTABLE_REDUCED") for path in files] + [(listed, "FILTER_LIST")]
    theirs = run_recipe("muse_exp_combine", frames, {"filter": ",".join(wanted)}, output=tmp_path / "eso").products
    ours = combine(files, output=tmp_path / "C.fits", filters=wanted, filter_list=listed, checks=False)
    made = {fits.getheader(path)["ESO DRS MUSE FILTER NAME"]: path for path in theirs["IMAGE_FOV"]}
    assert set(made) == set(wanted)
    for name in wanted:
        header, theirs_ = fits.getheader(ours.images[name]), fits.getheader(made[name])
        assert header["ESO DRS MUSE FILTER NAME"] == name
        assert header["ESO DRS MUSE FILTER FRACTION"] == pytest.approx(
            theirs_["ESO DRS MUSE FILTER FRACTION"], rel=1e-3
        )
        assert header["OBJECT"] == theirs_["OBJECT"]
        assert_same_image(made[name], ours.images[name])
    short = {"V": "Johnson_V", "R": "Cousins_R", "I": "Cousins_I"}
    asked = [name for name in short if short[name] in wanted]
    again = combine(files, output=tmp_path / "S.fits", filters=asked, filter_list=listed, checks=False)
    for name in asked:
        assert_same_image(made[short[name]], again.images[name])


@dataclass(frozen=True)
class Positioned:
    """What muse_scipost made of two exposures with an OFFSET_LIST, a list for each kind."""

    offsets: Path
    cubes: list[Path]
    reduced: list[Path]
    positioned: list[Path]


@pytest.fixture(scope="module")
def positioned(night: Night, tmp_path_factory: pytest.TempPathFactory) -> Positioned:
    """Two exposures, at 0 and 90 degrees, three IFUs of each."""
    folder = tmp_path_factory.mktemp("positioned")
    calib = find_calibrations(night.folder / "calib")
    found: dict[str, list[Path]] = {}
    made = [reduce(raw, calib, folder, ifus=[11, 12, 13], sky="none", keep=True) for raw in night.raw[:2]]
    listed = offsets_of([one.pixtable_reduced for one in made], (1e-4, -2e-4), (5e-5, 1.5e-4), (np.nan, 1.1))
    listed.write(folder / "OFFSET_LIST.fits")
    for one in made:
        frames = [(path, "PIXTABLE_OBJECT") for path in sorted(one.folder.glob("PIXTABLE_OBJECT_*"))]
        frames += [*calib.for_scipost(), (folder / "OFFSET_LIST.fits", "OFFSET_LIST")]
        how = {"save": "positioned,individual,cube", "skymethod": "none", "lambdamin": 6450, "lambdamax": 6530}
        products = run_recipe("muse_scipost", frames, how, output=one.folder / "again").products
        for kind in ("DATACUBE_FINAL", "PIXTABLE_REDUCED", "PIXTABLE_POSITIONED"):
            found.setdefault(kind, []).extend(products[kind])
    return Positioned(folder / "OFFSET_LIST.fits", *found.values())


def test_tables_that_the_recipes_save_as_binary_tables_give_the_same_cube(
    positioned: Positioned, night: Night, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MUSE_PIXTABLE_SAVE_AS_TABLE", "1")
    frames = [(path, "PIXTABLE_OBJECT") for path in sorted(positioned.offsets.parent.glob("*/PIXTABLE_OBJECT_*"))[:3]]
    frames += [*find_calibrations(night.folder / "calib").for_scipost(), (positioned.offsets, "OFFSET_LIST")]
    how = {"save": "positioned,individual", "skymethod": "none", "lambdamin": 6450, "lambdamax": 6530}
    products = run_recipe("muse_scipost", frames, how, output=tmp_path / "eso").products
    for kind, image in (("REDUCED", positioned.reduced[0]), ("POSITIONED", positioned.positioned[0])):
        (table,) = products[f"PIXTABLE_{kind}"]
        assert (PixelTable.open(table).form, PixelTable.open(image).form) == ("bintable", "image")
        one, other = (
            cube(path, output=tmp_path / f"{kind}{n}.fits", checks=False) for n, path in enumerate((table, image))
        )
        with fits.open(one.path) as a, fits.open(other.path) as b:
            assert a["DATA"].data.tobytes() == b["DATA"].data.tobytes()
            assert a["STAT"].data.tobytes() == b["STAT"].data.tobytes()


def test_a_positioned_table_gives_the_cube_of_muse_scipost(positioned: Positioned, tmp_path: Path) -> None:
    for number, (table, theirs) in enumerate(zip(positioned.positioned, positioned.cubes, strict=True)):
        ours = cube(table, output=tmp_path / f"{number}.fits", checks=False)
        assert_same_cube(theirs, ours.path)
        header, original = fits.getheader(ours.path), fits.getheader(table)
        for key in ("DRA", "DDEC", "DATE-OBS"):
            assert header[f"ESO DRS MUSE OFFSET1 {key}"] == original[f"ESO DRS MUSE OFFSET1 {key}"]


def test_a_positioned_table_gives_the_cube_of_muse_scipost_make_cube(positioned: Positioned, tmp_path: Path) -> None:
    """On its grid, which the recipe takes from limits that it rounded to 7 digits when it saved the table."""
    for number, table in enumerate(positioned.positioned):
        made = run_recipe("muse_scipost_make_cube", [(table, "PIXTABLE_OBJECT")], output=tmp_path / f"eso{number}")
        theirs = made.products["DATACUBE_FINAL"][0]
        ours = cube(table, output=tmp_path / f"{number}.fits", grid=theirs, checks=False)
        assert_same_cube(theirs, ours.path)


def test_positioned_tables_give_the_cube_that_muse_exp_combine_makes_of_the_reduced_ones(
    positioned: Positioned, tmp_path: Path
) -> None:
    """The recipe itself refuses to combine positioned ones."""
    frames = [(path, "PIXTABLE_REDUCED") for path in positioned.reduced] + [(positioned.offsets, "OFFSET_LIST")]
    theirs = run_recipe("muse_exp_combine", frames, output=tmp_path / "eso").products["DATACUBE_FINAL"][0]
    assert_same_cube(theirs, combine(positioned.reduced, positioned.offsets, output=tmp_path / "R.fits").path)
    ours = combine(positioned.positioned, output=tmp_path / "P.fits", checks=False)
    assert_same_cube(theirs, ours.path)
    assert not any("no offsets" in note for note in ours.findings)
    with pytest.raises(MuseError, match=r"PIXTABLE_POSITIONED_0001.fits has its offset applied already"):
        combine(positioned.positioned, positioned.offsets, output=tmp_path / "twice.fits")
