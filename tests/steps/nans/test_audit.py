"""Every NaN has one cause: on cubes of any form without pixel tables, and exactly on the recipes' cubes with them."""

from __future__ import annotations

import json
from html import escape
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

import numpy as np
import pytest
from astropy.io import fits
from slabs import (
    Plant,
    combine,
    every_fourth_slice,
    half_of_the_columns,
    inf_with_dq_0,
    make_cube,
    missing_ifu,
    missing_slices,
    nan_and_random_flags,
    nan_with_dq_0,
    negative_variance,
    offset_list,
    one_quadrant,
    random_flags,
    slab,
    zero_weight,
)

import muse_nb
from muse_nb.cli import main
from muse_nb.core.errors import MuseError
from muse_nb.core.html import FINDINGS_MIME
from muse_nb.products.pixtable import PixelTable, write_pixtable
from muse_nb.steps.nans.audit import audit_nans
from muse_nb.steps.nans.causes import CODES, Cause
from muse_nb.steps.nans.result import NanAudit
from muse_nb.steps.nans.story import pixel_voxels, story, voxel_pixels

if TYPE_CHECKING:
    from muse_nb.recipes.reduce import Reduction
    from muse_nb.simulator.night import Night


def adds_up(audit: NanAudit) -> bool:
    """One cause for each voxel, in the totals, in the table and in the planes."""
    planes = sum(int((audit.cause_plane(k) > 0).sum()) for k in range(audit.shape[0]))
    return sum(audit.totals().values()) == int(audit.table["voxels"].sum()) == planes == audit.voxels


def small_cube() -> np.ndarray:
    cube = np.random.default_rng(0).normal(100, 1, (6, 12, 15)).astype(np.float32)
    cube[:, :, :2] = np.nan  # outside the field
    cube[0, 4:6] = np.nan  # beyond the range of these spaxels
    cube[3, 6, 7] = np.nan
    cube[:, 8, 9] = np.nan
    return cube


def hdus(data: np.ndarray, **extra: np.ndarray) -> fits.HDUList:
    units = [fits.ImageHDU(data, name="DATA"), *(fits.ImageHDU(array, name=name) for name, array in extra.items())]
    units[0].header.update(CRVAL3=7000.0, CRPIX3=1.0, CD3_3=1.25, CD1_1=-5.6e-5, CD2_2=5.6e-5)
    return fits.HDUList([fits.PrimaryHDU(), *units])


def check_small(audit: NanAudit) -> None:
    assert adds_up(audit)
    assert audit.totals() == {
        "outside the field": 6 * 12 * 2,
        "outside the wavelength range": 2 * 13,
        "unknown": 1 + 6,
    }
    assert (audit.dead_spaxels, audit.dead_planes) == (1, 0)
    assert audit.cause_plane(3)[6, 7] == CODES[Cause.UNKNOWN]
    assert audit.fraction_map()[8, 9] == 1


def test_a_cube_without_tables_tells_what_it_can(tmp_path: Path) -> None:
    hdus(small_cube()).writeto(tmp_path / "cube.fits")
    audit = audit_nans(tmp_path / "cube.fits")
    check_small(audit)
    assert "cannot be told apart" in audit.findings[-1]
    shown = audit._repr_mimebundle_()
    assert shown[FINDINGS_MIME] == {"findings": audit.findings}
    assert all(escape(text) in shown["text/html"] for text in audit.findings)


@pytest.mark.parametrize("form", ["with_dq", "doubles", "compressed", "gzipped", "in_primary"])
def test_a_cube_of_any_form_gives_the_same(form: str, tmp_path: Path) -> None:
    data, path = small_cube(), tmp_path / "cube.fits"
    if form == "with_dq":
        hdus(data, STAT=data, DQ=np.isnan(data).astype(np.int32)).writeto(path)
    elif form == "doubles":
        hdus(data.astype(np.float64)).writeto(path)
    elif form == "compressed":
        path = tmp_path / "cube.fits.fz"
        header = hdus(data)["DATA"].header
        unit = fits.CompImageHDU(data, header, name="DATA", compression_type="GZIP_1", quantize_level=0)
        fits.HDUList([fits.PrimaryHDU(), unit]).writeto(path)
    elif form == "gzipped":
        path = tmp_path / "cube.fits.gz"
        hdus(data).writeto(path)
    else:
        fits.PrimaryHDU(data).writeto(path)
    check_small(audit_nans(path))


def test_scaled_integers_with_blanks(tmp_path: Path) -> None:
    data = small_cube()
    scaled = np.where(np.isnan(data), -32768, np.round((np.nan_to_num(data) - 100) / 0.01)).astype(np.int16)
    unit = fits.ImageHDU(scaled, name="DATA")
    unit.header.update(BSCALE=0.01, BZERO=100.0, BLANK=-32768)
    unit.header["CRVAL3"], unit.header["CD3_3"] = 7000.0, 1.25
    fits.HDUList([fits.PrimaryHDU(), unit]).writeto(tmp_path / "cube.fits")
    check_small(audit_nans(tmp_path / "cube.fits"))


def test_one_plane_and_only_nan(tmp_path: Path) -> None:
    hdus(small_cube()[3:4]).writeto(tmp_path / "one.fits")
    assert adds_up(audit_nans(tmp_path / "one.fits"))
    hdus(np.full((3, 4, 5), np.nan, np.float32)).writeto(tmp_path / "nan.fits")
    audit = audit_nans(tmp_path / "nan.fits")
    assert (audit.nan_fraction, audit.nan_fraction_in_field, audit.dead_spaxels, audit.dead_planes) == (1, 1, 20, 3)
    assert audit.findings == ["All 60 voxels are NaN: the cube is empty."]


@pytest.mark.parametrize("name", ["minicube.fits", "subcub_mosaic.fits"])
def test_real_cubes_run_without_tables(mpdaf_data: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    cube = mpdaf_data / "sdetect" / name
    with fits.open(cube) as opened:
        expected = float(np.isnan(opened["DATA"].data).mean())
    assert main(["nans", str(cube), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["nan_fraction"] == pytest.approx(expected)
    assert set(result) >= {"nan_fraction_in_field", "dead_spaxels", "dead_planes", "causes"}


def test_a_cancelled_audit_stops_at_once(mpdaf_data: Path) -> None:
    cancel, seen = Event(), []

    def stop_soon(what: str, done: int, total: int) -> None:
        seen.append((what, done, total))
        if done == 5:
            cancel.set()

    with pytest.raises(MuseError, match="was cancelled: nothing was written"):
        audit_nans(mpdaf_data / "sdetect" / "minicube.fits", progress=stop_soon, cancel=cancel)
    assert seen[-1] == ("planes read", 5, 3681)


ODD = {
    "vacuum": {"CTYPE1": "RA---TAN", "CTYPE3": "WAVE", "CRVAL1": 1.0},
    "logarithmic": {"CTYPE1": "RA---TAN", "CTYPE3": "AWAV-LOG"},
    "metres": {"CTYPE1": "RA---TAN", "CTYPE3": "AWAV", "CUNIT3": "m"},
    "without_a_step": {"CTYPE1": "RA---TAN", "CTYPE3": "AWAV", "CRVAL1": 1.0, "CRVAL2": 1.0, "CD3_3": "none"},
}


@pytest.mark.parametrize("odd", ODD)
def test_an_odd_axis_is_no_matter_without_tables_and_one_sentence_with_them(
    odd: str, night: Night, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = next((night.folder / "reduced").glob("*/PIXTABLE_REDUCED_0001.fits"))
    path = tmp_path / "cube.fits"
    opened = hdus(small_cube())
    opened["DATA"].header.update({"CRPIX1": 1.0, "CRPIX2": 1.0} | ODD[odd])
    opened.writeto(path)
    assert main(["nans", str(path), "--json", "--plot", str(tmp_path / "nans.png")]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["causes"][-1] == {
        "cause": "unknown",
        "dq": None,
        "ifu": None,
        "slice": None,
        "voxels": 7,
        "fraction": 7 / 177,
    }
    assert main(["nans", str(path), "--pixtable", str(table)]) == 1
    said = capsys.readouterr().err
    assert len(said.splitlines()) == 1
    assert "leave" in said


def test_an_image_is_refused_in_one_sentence(
    mpdaf_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fits.PrimaryHDU(np.zeros((4, 4))).writeto(tmp_path / "image.fits")
    assert main(["nans", str(tmp_path / "image.fits")]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1
    cube = str(mpdaf_data / "sdetect" / "minicube.fits")
    assert main(["nans", cube, "--pixtable", cube]) == 1


# ---- with the recipes ------------------------------------------------------------------------------------------------


PLANTED: dict[Plant, tuple[Cause, str]] = {
    random_flags: (Cause.FLAGGED, "DEADPIXEL"),
    half_of_the_columns: (Cause.FLAGGED, "HOTPIXEL"),
    one_quadrant: (Cause.FLAGGED, "DARKPIXEL"),
    every_fourth_slice: (Cause.FLAGGED, "DEADPIXEL"),
    nan_with_dq_0: (Cause.NOT_FINITE, ""),
    inf_with_dq_0: (Cause.NOT_FINITE, ""),
    zero_weight: (Cause.ZERO_WEIGHT, ""),
    missing_ifu: (Cause.MISSING_IFU, ""),
    missing_slices: (Cause.MISSING_SLICE, ""),
}
BYSTANDERS = (Cause.REJECTED, Cause.OUTSIDE_RANGE, Cause.OUTSIDE_FIELD)  # with fewer rows, more of them


@pytest.fixture(scope="module")
def unharmed(recipe_night: list[Reduction], tmp_path_factory: pytest.TempPathFactory) -> NanAudit:
    """The audit of a slab without a planted defect."""
    folder = tmp_path_factory.mktemp("unharmed")
    table = slab(recipe_night[0].pixtable_reduced, folder / "table.fits")
    audit = audit_nans(make_cube(table, folder), table)
    assert adds_up(audit)
    assert Cause.UNEXPLAINED not in audit.totals()
    return audit


@pytest.mark.eso
@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.__name__)
def test_a_planted_defect_explains_all_that_it_cost(
    plant: Plant, unharmed: NanAudit, recipe_night: list[Reduction], tmp_path: Path
) -> None:
    table = slab(recipe_night[0].pixtable_reduced, tmp_path / "table.fits", plant)
    bad = audit_nans(make_cube(table, tmp_path), table)
    assert adds_up(bad)
    before, after = unharmed.totals(), bad.totals()
    assert Cause.UNEXPLAINED not in after
    cause, flag = PLANTED[plant]
    rows = bad.table[(bad.table["cause"] == cause) & (bad.table["dq"] == flag)]
    aside = sum(abs(after.get(c, 0) - before.get(c, 0)) for c in BYSTANDERS)
    assert int(rows["voxels"].sum()) > 0
    assert int(rows["voxels"].sum()) == pytest.approx(bad.voxels - unharmed.voxels, abs=aside + before.get(cause, 0))
    if plant in (one_quadrant, missing_ifu, missing_slices):
        assert set(rows["ifu"]) == {12}


@pytest.mark.eso
@pytest.mark.filterwarnings("ignore::muse_nb.core.errors.MuseWarning")  # of data that are not finite
@pytest.mark.parametrize("plant", [nan_and_random_flags, missing_ifu, negative_variance], ids=lambda p: p.__name__)
def test_our_engine_leaves_nothing_unexplained_either(
    plant: Plant, recipe_night: list[Reduction], tmp_path: Path
) -> None:
    tables = [slab(red.pixtable_reduced, tmp_path / f"{n}.fits", plant) for n, red in enumerate(recipe_night)]
    for made in (
        muse_nb.cube(tables[0], output=tmp_path / "cube.fits"),
        muse_nb.combine(tables, offset_list(tables, tmp_path / "o.fits"), output=tmp_path / "combined.fits"),
    ):
        audit = audit_nans(made.path, tables[: made.exposures])
        assert adds_up(audit)
        assert Cause.UNEXPLAINED not in audit.totals()
        assert (Cause.NOT_FINITE in audit.totals()) == (plant is nan_and_random_flags)


@pytest.mark.eso
@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"pixfrac": "0.4,0.9", "crsigma": 3},
        {"dlambda": 2.5, "dx": 0.3, "dy": 0.3, "lambdamin": 6465.0, "lambdamax": 6490.0},
        {"crtype": "iraf", "dlambda": 0.8},
    ],
    ids=str,
)
def test_the_combine_leaves_nothing_unexplained(
    parameters: dict[str, object], recipe_night: list[Reduction], tmp_path: Path
) -> None:
    plants = (half_of_the_columns, nan_with_dq_0)
    tables = [
        slab(red.pixtable_reduced, tmp_path / f"{n}.fits", plant)
        for n, (red, plant) in enumerate(zip(recipe_night, plants, strict=True))
    ]
    made = combine(tables, tmp_path, offset_list(tables, tmp_path / "OFFSET_LIST.fits"), **parameters)
    audit = audit_nans(made, tables)
    assert adds_up(audit)
    assert Cause.UNEXPLAINED not in audit.totals()
    assert audit.totals()[Cause.NOT_FINITE] > 10
    assert audit.totals()[Cause.FLAGGED] > 10


@pytest.mark.eso
@pytest.mark.filterwarnings("ignore")  # mpdaf's, of units and of a file that it leaves open
def test_a_combined_table_and_a_piece_of_its_cube(recipe_night: list[Reduction], tmp_path: Path) -> None:
    mpdaf_obj = pytest.importorskip("mpdaf.obj")
    plants = (half_of_the_columns, every_fourth_slice)
    tables = [
        slab(red.pixtable_reduced, tmp_path / f"{n}.fits", plant)
        for n, (red, plant) in enumerate(zip(recipe_night, plants, strict=True))
    ]
    made = combine(tables, tmp_path, save="cube,combined", crsigma=3)
    whole, joined = audit_nans(made, tables), audit_nans(made, made.with_name("PIXTABLE_COMBINED.fits"))
    assert adds_up(joined)
    assert Cause.UNEXPLAINED not in joined.totals()
    assert joined.voxels == whole.voxels
    pixel = voxel_pixels(joined, 30, 30, 10)[0]
    assert (pixel["ifu"], pixel["x"], pixel["y"]) == tuple(voxel_pixels(whole, 30, 30, 10)[0][["ifu", "x", "y"]])
    planes, rows, columns = slice(5, 30), slice(10, 60), slice(20, 70)
    mpdaf_obj.Cube(str(made))[planes, rows, columns].write(str(tmp_path / "piece.fits"), savemask="nan")
    piece = audit_nans(tmp_path / "piece.fits", tables)
    assert adds_up(piece)
    for k in range(25):
        of_whole = whole.cause_plane(k + 5)[rows, columns]
        assert (piece.cause_plane(k) == of_whole).all()


@pytest.mark.eso
def test_the_flags_of_the_bad_pixel_table_are_told_from_others(recipe_night: list[Reduction], night: Night) -> None:
    red = recipe_night[0]
    badpix = night.folder / "calib" / "BADPIX_TABLE.fits"
    audit = audit_nans(red.cube, red.pixtable_reduced, badpix)
    assert adds_up(audit)
    assert Cause.UNEXPLAINED not in audit.totals()
    assert audit.totals()[Cause.BADPIX] == audit_nans(red.cube, red.pixtable_reduced).totals()[Cause.FLAGGED]
    with pytest.raises(MuseError, match="made from"):
        audit_nans(recipe_night[1].cube, slab_far_away(red.pixtable_reduced, audit.cube.path.parent))


def slab_far_away(table: Path, folder: Path) -> Path:
    """A table of another field."""
    import tempfile

    path = Path(tempfile.mkdtemp()) / "far.fits"
    opened = PixelTable.open(table)
    header = fits.getheader(table)
    header["RA"] = header["RA"] + 1.0
    columns = {name: opened.read(name, 0, 100000) for name in opened.columns}
    write_pixtable(path, header, columns, {name: column.unit for name, column in opened.columns.items()})
    return path


@pytest.mark.eso
def test_the_pixels_of_a_voxel_make_its_value(recipe_night: list[Reduction], tmp_path: Path) -> None:
    table = slab(recipe_night[0].pixtable_reduced, tmp_path / "slab.fits")
    audit = audit_nans(make_cube(table, tmp_path / "cube"), table)
    nz, ny, nx = audit.shape
    random = np.random.default_rng(3)
    compared = 0
    for _ in range(40):
        x, y, z = (int(random.integers(2, n - 2)) for n in (nx, ny, nz))
        value = audit.cube.plane(z)[y, x]
        pixels = voxel_pixels(audit, x, y, z)
        good = pixels[pixels["dq"] == 0]
        mean = (good["weight"] * good["data"]).sum() / good["weight"].sum()
        compared += bool(abs(mean / value - 1) < 1e-5)  # but for voxels with rejected cosmic rays
        fed = pixel_voxels(audit, pixels["ifu"][0], pixels["x"][0], pixels["y"][0])
        back = fed[(fed["x"] == x) & (fed["y"] == y) & (fed["z"] == z)]
        assert back["weight"][0] == pytest.approx(pixels["weight"][0])
    assert compared >= 36
    hole = audit.holes.index[audit.holes.cause == CODES[Cause.FLAGGED]][0]
    z, rest = divmod(int(hole), ny * nx)
    assert "flagged" in story(audit, rest % nx, rest // nx, z)
