"""Every NaN has one cause: on cubes of any form without pixel tables, and exactly on the recipes' cubes with them."""

from __future__ import annotations

import json
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

import mpdaf
import numpy as np
import pytest
from astropy.io import fits
from slabs import (
    Plant,
    combine,
    every_fourth_slice,
    half_of_the_columns,
    make_cube,
    missing_ifu,
    missing_slices,
    nan_with_dq_0,
    offset_list,
    one_quadrant,
    random_flags,
    slab,
)

from muse_nb.cli import main
from muse_nb.products.errors import MuseError
from muse_nb.products.pixtable import PixelTable, write_pixtable
from muse_nb.steps.nan_causes import CODES, Cause
from muse_nb.steps.nans import NanAudit, audit_nans
from muse_nb.steps.provenance import pixel_voxels, story, voxel_pixels

if TYPE_CHECKING:
    from muse_nb.recipes.reduce import Reduction
    from muse_nb.simulator.night import Night

REAL = Path(mpdaf.__file__).parent / "data" / "sdetect"


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
def test_real_cubes_run_without_tables(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with fits.open(REAL / name) as opened:
        expected = float(np.isnan(opened["DATA"].data).mean())
    assert main(["nans", str(REAL / name), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["nan_fraction"] == pytest.approx(expected)
    assert set(result) >= {"nan_fraction_in_field", "dead_spaxels", "dead_planes", "causes"}


def test_a_cancelled_audit_stops_at_once() -> None:
    cancel, seen = Event(), []

    def stop_soon(what: str, done: int, total: int) -> None:
        seen.append((what, done, total))
        if done == 5:
            cancel.set()

    with pytest.raises(MuseError, match="was cancelled: nothing was written"):
        audit_nans(REAL / "minicube.fits", progress=stop_soon, cancel=cancel)
    assert seen[-1] == ("planes read", 5, 3681)


def test_an_image_is_refused_in_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fits.PrimaryHDU(np.zeros((4, 4))).writeto(tmp_path / "image.fits")
    assert main(["nans", str(tmp_path / "image.fits")]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert main(["nans", str(REAL / "minicube.fits"), "--pixtable", str(REAL / "minicube.fits")]) == 1


# ---- with the recipes ------------------------------------------------------------------------------------------------


PLANTED: dict[Plant, tuple[Cause, str]] = {
    random_flags: (Cause.FLAGGED, "DEADPIXEL"),
    half_of_the_columns: (Cause.FLAGGED, "HOTPIXEL"),
    one_quadrant: (Cause.FLAGGED, "DARKPIXEL"),
    every_fourth_slice: (Cause.FLAGGED, "DEADPIXEL"),
    nan_with_dq_0: (Cause.NOT_FINITE, ""),
    missing_ifu: (Cause.MISSING_IFU, ""),
    missing_slices: (Cause.MISSING_SLICE, ""),
}


@pytest.mark.eso
@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.__name__)
def test_a_planted_defect_explains_all_that_it_cost(
    plant: Plant, recipe_night: list[Reduction], tmp_path: Path
) -> None:
    before = slab(recipe_night[0].pixtable_reduced, tmp_path / "before.fits")
    after = slab(recipe_night[0].pixtable_reduced, tmp_path / "after.fits", plant)
    good = audit_nans(make_cube(before, tmp_path / "good"), before)
    bad = audit_nans(make_cube(after, tmp_path / "bad"), after)
    for audit in (good, bad):
        assert adds_up(audit)
        assert Cause.UNEXPLAINED not in audit.totals()
    cause, flag = PLANTED[plant]
    rows = bad.table[(bad.table["cause"] == cause) & (bad.table["dq"] == flag)]
    ends = sum(abs(bad.totals().get(c, 0) - good.totals().get(c, 0)) for c in (Cause.REJECTED, Cause.OUTSIDE_RANGE))
    assert int(rows["voxels"].sum()) == pytest.approx(bad.voxels - good.voxels, abs=ends + good.totals().get(cause, 0))
    if plant in (one_quadrant, missing_ifu, missing_slices):
        assert set(rows["ifu"]) == {12}


@pytest.mark.eso
def test_the_combine_with_offsets_leaves_nothing_unexplained(recipe_night: list[Reduction], tmp_path: Path) -> None:
    tables = [
        slab(reduction.pixtable_reduced, tmp_path / f"{number}.fits", plant)
        for number, (reduction, plant) in enumerate(
            zip(recipe_night, (half_of_the_columns, nan_with_dq_0), strict=True)
        )
    ]
    offsets = offset_list(tables, tmp_path / "OFFSET_LIST.fits")
    audit = audit_nans(combine(tables, tmp_path / "comb", offsets), tables)
    assert adds_up(audit)
    assert Cause.UNEXPLAINED not in audit.totals()
    assert audit.totals()[Cause.NOT_FINITE] > 100


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
