"""The silent failures of the recipes, a row each: how to make one, what is said of it, and which check says so."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits

from benchmarks.tables import DEC, write_tables
from muse_nb import combine, measure_offsets, reduce
from muse_nb.products.offset_list import OffsetList
from muse_nb.recipes.checks.every import refuse
from muse_nb.recipes.joining import align

ROWS = 8 * 2 * 3600  # 8 planes of 2 IFUs


@dataclass(frozen=True)
class Row:
    """A fault.

    `make` puts it into an empty folder; `says` is a pattern of the doctor's sentence; `check` the name of the check;
    `act` does what the fault spoils, and must refuse it or tell of it (None: only a look at what was made can);
    `command` is the same as words of ``muse-nb``; `after`: the recipes run, and it is told with their result.
    """

    name: str
    make: Callable[[Path, Any], object]
    says: str
    check: str
    act: Callable[[Path, Any], object] | None = None
    command: Callable[[Path, Any], list[object]] | None = None
    after: bool = False


def edit(path: Path, **cards: object) -> Path:
    """Change keywords of a file's primary header, two underscores for a blank; None removes one."""
    with fits.open(path, mode="update") as opened:
        for name, value in cards.items():
            keyword = name.replace("__", " ").replace("DATE_OBS", "DATE-OBS")
            if value is None:
                del opened[0].header[keyword]
            else:
                opened[0].header[f"HIERARCH {keyword}" if keyword.startswith("ESO ") else keyword] = value
    return path


def tables(folder: Path) -> list[Path]:
    return write_tables(folder, 2, ROWS, ifus=2)


def changed_table(**cards: object) -> Callable[[Path, Any], object]:
    return lambda folder, night: edit(tables(folder)[1], **cards)


def changed_raw(**cards: object) -> Callable[[Path, Any], object]:
    return lambda folder, night: edit(Path(shutil.copy(night.raw[1], folder)), **cards)


def combining(folder: Path, night: Any, **options: Any) -> object:
    given = next(folder.glob("OFFSET_LIST*.fits"), None)
    paths = sorted(folder.glob("PIXTABLE_*.fits"))
    return combine(paths, given, output=folder / "out" / "C.fits", filters=(), **options)


def combine_words(folder: Path, night: Any) -> list[object]:
    given = next(folder.glob("OFFSET_LIST*.fits"), None)
    words: list[object] = ["combine", *sorted(folder.glob("PIXTABLE_*.fits")), "-o", folder / "out" / "C.fits"]
    return [*words, *(["--offsets", given] if given else [])]


def reducing(folder: Path, night: Any) -> object:
    calib = folder / "calib"
    raw = next(folder.glob("MUSE*.fits"), night.raw[0])
    return reduce(raw, calib if calib.is_dir() else night.folder / "calib", folder / "out", ifus=[12], sky="none")


def reduce_words(folder: Path, night: Any) -> list[object]:
    calib = folder / "calib"
    raw = next(folder.glob("MUSE*.fits"), night.raw[0])
    words = ["reduce", raw, "--calib", calib if calib.is_dir() else night.folder / "calib", "-o", folder / "out"]
    return [*words, "--ifu", "12", "--sky", "none"]


def dates(paths: list[Path]) -> tuple[str, ...]:
    return tuple(str(fits.getheader(path)["DATE-OBS"]) for path in paths)


def listed(path: Path, names: tuple[str, ...], ra: float = 2e-5, dec: float = 3e-5, scale: float = np.nan) -> None:
    n = len(names)
    OffsetList(names, (0.0,) * n, (0.0, ra)[:n], (0.0, dec)[:n], (np.nan, scale)[:n]).write(path)


def with_list(**values: float) -> Callable[[Path, Any], object]:
    return lambda folder, night: listed(folder / "OFFSET_LIST.fits", dates(tables(folder)), **values)


def list_of_another_form(folder: Path, night: Any) -> None:
    names = dates(tables(folder))
    columns = [fits.Column("DATE", "23A", array=names), fits.Column("DRA", "D", array=[0.0, 1e-5])]
    fits.BinTableHDU.from_columns(columns).writeto(folder / "OFFSET_LIST.fits")


def list_in_an_image(folder: Path, night: Any) -> None:
    tables(folder)
    fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(np.zeros((2, 5)))]).writeto(folder / "OFFSET_LIST.fits")


def short_list(folder: Path, night: Any) -> None:
    listed(folder / "OFFSET_LIST.fits", dates(tables(folder))[:1])


def list_of_few_stars(folder: Path, night: Any) -> None:
    with_list()(folder, night)
    with fits.open(folder / "OFFSET_LIST.fits", mode="update") as opened:
        opened[0].header["HIERARCH ESO QC EXPALIGN NMATCH MIN"] = 2


def list_of_mistakes(ra: float, dec: float) -> Callable[[Path, Any], object]:
    def make(folder: Path, night: Any) -> None:
        images = night.reduced["IMAGE_FOV"]
        for number, path in enumerate(images):
            shutil.copy(path, folder / f"IMAGE_FOV_{number:04d}.fits")
        right = measure_offsets(images).offset_list()
        columns = (tuple(ra * x for x in right.ra_offset), tuple(dec * x for x in right.dec_offset))
        OffsetList(right.date_obs, right.mjd_obs, *columns, right.flux_scale).write(folder / "OFFSET_LIST.fits")

    return make


def against_the_stars(folder: Path, night: Any) -> object:
    from muse_nb import check_offset_list

    measured = measure_offsets(sorted(folder.glob("IMAGE_FOV*.fits")))
    return "; ".join(check_offset_list(folder / "OFFSET_LIST.fits", measured))


def not_finite(value: float) -> Callable[[Path, Any], object]:
    def make(folder: Path, night: Any) -> None:
        with fits.open(tables(folder)[0], mode="update") as opened:
            rows = np.flatnonzero(opened["dq"].data[:, 0] == 0)[2000:2010]
            opened["data"].data[rows, 0] = value

    return make


def cube(path: Path, first: float = 1.0, **cards: object) -> None:
    data = np.random.default_rng(1).normal(10, 1, (40, 12, 13)).astype("f4")
    data[0] *= first
    header = fits.Header({"CRVAL3": 5000.0, "CD3_3": 1.25, "CRPIX3": 1.0, "CTYPE3": "AWAV", "CUNIT3": "Angstrom"})
    primary = fits.PrimaryHDU()
    primary.header["HIERARCH ESO PRO CATG"] = "DATACUBE_FINAL"
    primary.header["EXPTIME"] = 60.0
    for keyword, value in cards.items():
        primary.header["HIERARCH ESO PRO " + keyword.replace("__", " ")] = value
    parts = [primary, *(fits.ImageHDU(data, header, name=name) for name in ("DATA", "STAT"))]
    fits.HDUList(parts).writeto(path)


def dark_below(folder: Path, wavelength: float) -> None:
    """Two exposures; the second is 0 with variance 0 where a flat-field spectrum did not reach."""
    with fits.open(tables(folder)[1], mode="update") as opened:
        rows = opened["lambda"].data[:, 0] < wavelength
        for name in ("data", "stat"):
            opened[name].data[rows, 0] = 0


def short_flat(folder: Path, night: Any) -> None:
    """A PIXTABLE_OBJECT whose flat-field spectrum ends before its data."""
    (path,) = write_tables(folder, 1, ROWS, ifus=2)
    path = path.rename(folder / "PIXTABLE_OBJECT_0001-12.fits")
    with fits.open(path, mode="update") as opened:
        opened[0].header["HIERARCH ESO PRO CATG"] = "PIXTABLE_OBJECT"
        wavelength = opened["lambda"].data[:, 0]
        points = np.linspace(np.median(wavelength), wavelength.max(), 50)
        columns = [fits.Column(name, "D", array=a) for name, a in (("lambda", points), ("data", np.ones(50)))]
        opened.append(fits.BinTableHDU.from_columns(columns, name="PIXTABLE_FLAT_FIELD"))


def odd_cube(change: Callable[[np.ndarray, np.ndarray], object]) -> Callable[[Path, Any], object]:
    """A cube whose DATA and STAT are changed."""

    def make(folder: Path, night: Any) -> None:
        cube(folder / "C.fits")
        with fits.open(folder / "C.fits", mode="update") as opened:
            change(opened["DATA"].data, opened["STAT"].data)

    return make


def rows_without_variance(folder: Path, night: Any) -> None:
    with fits.open(tables(folder)[1], mode="update") as opened:
        opened["stat"].data[::50, 0] = 0


LIMITS = "ESO__DRS__MUSE__PIXTABLE__LIMITS__LAMBDA__"
LINE = 6300.304  # Angstrom, the sky line by whose own wavelength muse_scibasic moves the light


def moved_by_a_line(folder: Path, night: Any) -> None:
    """A PIXTABLE_OBJECT as muse_scibasic makes it where no pixel around the sky line is good."""
    moved_rows(folder, night)
    path = (folder / "PIXTABLE_REDUCED_0002.fits").rename(folder / "PIXTABLE_OBJECT_0001-02.fits")
    (folder / "PIXTABLE_REDUCED_0001.fits").unlink()
    limits = dict.fromkeys((f"{LIMITS}LOW", f"{LIMITS}HIGH"))  # so that the header's shift alone tells
    edit(path, ESO__PRO__CATG="PIXTABLE_OBJECT", ESO__QC__SCIBASIC__LAMBDA__SHIFT=LINE, **limits)


def moved_rows(folder: Path, night: Any) -> None:
    """Two exposures; the rows of an IFU of the second are moved, its header's limits are not."""
    path = tables(folder)[1]
    with fits.open(path, mode="update") as opened:
        rows = (opened["origin"].data[:, 0] >> 6 & 0x1F) == 2
        ends = [float(end) for end in (opened["lambda"].data.min(), opened["lambda"].data.max())]
        opened["lambda"].data[rows, 0] += LINE
    edit(path, **{f"{LIMITS}{name}": end for name, end in zip(("LOW", "HIGH"), ends, strict=True)})


def moved_limits(folder: Path, night: Any) -> None:
    """The same after muse_scipost, which brings the header's limits to the rows."""
    moved_rows(folder, night)
    edit(folder / "PIXTABLE_REDUCED_0002.fits", **{f"{LIMITS}HIGH": 6010.0 + LINE})


def moved_planes(folder: Path, night: Any) -> None:
    cube(folder / "C.fits")
    with fits.open(folder / "C.fits", mode="update") as opened:
        opened["DATA"].header["CD3_3"] = LINE / 39


def runaway_image(folder: Path, night: Any) -> None:
    for number, path in enumerate(night.reduced["IMAGE_FOV"][:2]):
        copy = Path(shutil.copy(path, folder / f"IMAGE_FOV_{number:04d}.fits"))
    with fits.open(copy, mode="update") as opened:
        opened["DATA"].data[5:8, 5:8] = 1e12


def bad_pixels(move: Callable[[np.ndarray, np.ndarray], tuple]) -> Callable[[Path, Any], object]:
    """A night's raw frame and calibrations, with the positions of the bad-pixel table changed."""

    def make(folder: Path, night: Any) -> None:
        shutil.copy(night.raw[0], folder)
        shutil.copytree(night.folder / "calib", folder / "calib")
        (folder / "calib" / "BADPIX_TABLE_zealous.fits").unlink()
        with fits.open(folder / "calib" / "BADPIX_TABLE.fits", mode="update") as opened:
            for hdu in opened[1:]:
                hdu.data["xpos"], hdu.data["ypos"] = move(hdu.data["xpos"].copy(), hdu.data["ypos"].copy())

    return make


def without_borders(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    nx, ny = 1216 - 128, 512 - 128
    return tuple(np.where(p > 64 + n // 2, p - 96, p - 32) for p, n in ((x, nx), (y, ny)))  # type: ignore[return-value]


def another_mode(folder: Path, night: Any) -> None:
    shutil.copy(night.raw[0], folder)
    shutil.copytree(night.folder / "calib", folder / "calib")
    edit(folder / "calib" / "MASTER_FLAT-12.fits", ESO__INS__MODE="NFM-AO-N")


def asked_for_nearest(folder: Path, night: Any) -> object:
    frames = [(path, "PIXTABLE_REDUCED") for path in tables(folder / "in")]
    return "; ".join(map(str, refuse("muse_exp_combine", frames, {"resample": "nearest"})))


def scipost(folder: Path, night: Any) -> object:
    frames = [(path, "PIXTABLE_OBJECT") for path in folder.glob("PIXTABLE_OBJECT*.fits")]
    return "; ".join(map(str, refuse("muse_scipost", frames)))


def aligning(folder: Path, night: Any) -> object:
    return align(sorted(folder.glob("IMAGE_FOV*.fits")), folder / "out")


COS = float(np.cos(np.radians(DEC)))
TABLES = {"act": combining, "command": combine_words}
RAW = {"act": reducing, "command": reduce_words}
SILENT = [
    Row("RA missing", changed_table(RA=None), "lacks RA: .*wrong cube", "position", **TABLES),
    Row("DEC missing", changed_table(DEC=None), "lacks DEC: .*wrong cube", "position", **TABLES),
    Row("RA missing, raw", changed_raw(RA=None), "lacks RA: .*wrong cube", "position", **RAW),
    Row("RA a whole number", changed_raw(RA=265), "RA = 265, not a number with a decimal", "numbers", **RAW),
    Row("CD matrix missing", changed_table(CD1_1=None), "lacks CD1_1: .*wrong cube", "projection", **TABLES),
    Row("EXPTIME missing", changed_table(EXPTIME=None), "lacks EXPTIME", "time", **TABLES),
    Row(
        "DATE-OBS that is no date",
        changed_table(DATE_OBS="2014-13-45T99:00:00"),
        "DATE-OBS = '2014-13-45T99:00:00', no date",
        "date",
        **TABLES,
    ),
    Row(
        "DATE-OBS that is no date, raw",
        changed_raw(DATE_OBS="yesterday"),
        "DATE-OBS = 'yesterday', no date",
        "date",
        after=True,
        **RAW,
    ),
    Row(
        "one DATE-OBS twice",
        changed_table(DATE_OBS="2014-07-27T00:00:00.000"),
        "same DATE-OBS .*ignore all but the first",
        "twice",
        **TABLES,
    ),
    Row("list of another form", list_of_another_form, "lacks DATE_OBS, .*ignore", "offsets", **TABLES),
    Row("list in an image", list_in_an_image, "has no table .*ignore", "offsets", **TABLES),
    Row("list without a row", short_list, "no row for 1 of 2 exposures .*without an offset", "offsets", **TABLES),
    Row("offsets in arcsec", with_list(ra=0.07, dec=0.1), "in degrees; divide those in arcsec", "offsets", **TABLES),
    Row("offsets times cos(dec)", list_of_mistakes(COS, 1), r"cos\(dec\)", "signs", against_the_stars),
    Row("offsets of wrong sign", list_of_mistakes(-1, -1), "wrong sign", "signs", against_the_stars),
    Row("small offsets in arcsec", list_of_mistakes(3600, 3600), "arcsec", "offsets signs", against_the_stars),
    Row("FLUX_SCALE", with_list(scale=1.2), "FLUX_SCALE .*multiplied", "offsets", **TABLES),
    Row("few stars matched", list_of_few_stars, "matched only 2 stars", "stars", **TABLES),
    Row("data NaN", not_finite(np.nan), "10 rows .*not finite", "not_finite", **TABLES),
    Row("data infinite", not_finite(np.inf), "10 rows .*not finite", "not_finite", **TABLES),
    Row(
        "nearest",
        lambda folder, night: cube(
            folder / "C.fits", REC1__ID="muse_exp_combine", REC1__PARAM1__NAME="resample", REC1__PARAM1__VALUE="nearest"
        ),
        "nearest takes the wrong row",
        "nearest",
        asked_for_nearest,
    ),
    Row("mixed angles", lambda folder, night: tables(folder), "axis of the first exposure", "cosmics", **TABLES),
    Row("INS MODE missing", changed_raw(ESO__INS__MODE=None), "lacks ESO INS MODE: .*crash", "mode", **RAW),
    Row(
        "POSANG missing",
        changed_raw(ESO__INS__DROT__POSANG=None),
        "lacks .*POSANG: the angle",
        "angle",
        after=True,
        **RAW,
    ),
    Row(
        "DROT MODE missing",
        changed_raw(ESO__INS__DROT__MODE=None),
        "lacks .*DROT MODE: the angle",
        "angle",
        after=True,
        **RAW,
    ),
    Row(
        "POSANG a whole number",
        changed_raw(ESO__INS__DROT__POSANG=90),
        "POSANG = 90, not a number",
        "numbers",
        after=True,
        **RAW,
    ),
    Row(
        "runaway planes", lambda folder, night: cube(folder / "C.fits", 1e9), "absurd values.*lambdamin", "runaway_cube"
    ),
    Row(
        "infinite planes",
        lambda folder, night: cube(folder / "C.fits", np.inf),
        "absurd values.*lambdamin",
        "runaway_cube",
    ),
    Row("runaway image", runaway_image, "hardly come to an end.*lambdamin", "runaway_image", aligning),
    Row(
        "EXPTIME not summed",
        lambda folder, night: cube(
            folder / "C.fits",
            REC1__ID="muse_exp_combine",
            **{f"REC1__RAW{n}__{w}": f"PIXTABLE_REDUCED{v}" for n in (1, 2) for w, v in (("NAME", n), ("CATG", ""))},
        ),
        "EXPTIME of 60 s, that of its first exposure alone",
        "exposure_time",
    ),
    Row(
        "short flat",
        short_flat,
        "flat-field spectrum from .*writes 0 for about .. %.*--lambdamin 600",
        "flat_reach",
        scipost,
    ),
    Row(
        "rows of zeros",
        lambda folder, night: dark_below(folder, 6006.0),
        "data 0 with variance 0 and dq 0.*take the zeros for light.*lambdamin",
        "zero_rows",
        **TABLES,
    ),
    Row(
        "planes of zeros",
        lambda folder, night: cube(folder / "C.fits", 0.0),
        "zeros with variance 0 from 5000 to .*lambdamin",
        "zero_planes",
    ),
    Row(
        "a sky line without pixels",
        moved_by_a_line,
        "moved by 6300.3 Angstrom for a sky line .*run muse_scibasic again",
        "lambda_shift",
        scipost,
    ),
    Row(
        "wavelengths beyond the limits",
        moved_rows,
        "wavelengths from 6000 to 123.. Angstrom, its header says 6000 to 60.*wrong wavelengths",
        "lambda_rows",
        **TABLES,
    ),
    Row(
        "limits beyond MUSE",
        moved_limits,
        "reaches from 6000 to 12310 Angstrom, beyond what MUSE sees.*wrong wavelengths",
        "lambda_range",
        **TABLES,
    ),
    Row(
        "planes beyond MUSE",
        moved_planes,
        "has 40 planes from 5000 to 11300 Angstrom, beyond what MUSE sees",
        "lambda_planes",
    ),
    Row(
        "planes without variance",
        odd_cube(lambda data, stat: stat.__setitem__(slice(10, 15), 0)),
        "STAT that is 0 or negative in 5 planes with data, from 5012 to 5018 Angstrom",
        "cube_variance",
    ),
    Row(
        "planes of infinite variance",
        odd_cube(lambda data, stat: stat.__setitem__(slice(20, 22), np.inf)),
        "STAT that is infinite or NaN in 2 planes with data",
        "cube_variance",
    ),
    Row(
        "spaxels without variance",
        odd_cube(lambda data, stat: stat.__setitem__((slice(None), slice(3, 5), slice(4, 6)), -1)),
        "STAT that is 0 or negative in about 2.56 % of the voxels with data",
        "cube_variance",
    ),
    Row(
        "zeros for no data",
        odd_cube(lambda data, stat: data.__setitem__((slice(None), slice(0, 2), slice(0, 2)), 0)),
        "exactly 0 in about 2.56 % of its voxels: they look like no data",
        "zero_voxels",
    ),
    Row(
        "rows without variance",
        rows_without_variance,
        "stat 0 or negative in about [\\d.]+ % of its rows",
        "row_variance",
        **TABLES,
    ),
    Row("bad pixels, binned", bad_pixels(lambda x, y: (x // 2 + 1, y // 2 + 1)), "another binning", "badpix", **RAW),
    Row("bad pixels, unbinned", bad_pixels(lambda x, y: (2 * x, 2 * y)), "another binning", "badpix", **RAW),
    Row("bad pixels, trimmed", bad_pixels(without_borders), "borders of the raw frame", "badpix", **RAW),
    Row("calibrations of another mode", another_mode, "NFM-AO-N, the exposure of WFM-NOAO-N", "modes", **RAW),
]
