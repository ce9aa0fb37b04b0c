"""Files that do not belong together, which the recipes take all the same."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from muse_nb.core.errors import MuseError
from muse_nb.core.text import listed
from muse_nb.products.fits.blocks import hdus
from muse_nb.products.header import number_of
from muse_nb.products.offset_list import MATCHED, OffsetList
from muse_nb.recipes.checks.faults import Fault, Frame, Reads, Run, Severity, check

__all__ = ["cosmics", "judge_offsets", "modes", "nearest", "offsets", "stars", "twice"]

_TABLES = ("PIXTABLE_REDUCED", "PIXTABLE_POSITIONED")
_OF_A_MODE = (
    *("MASTER_FLAT", "TRACE_TABLE", "WAVECAL_TABLE", "GEOMETRY_TABLE", "TWILIGHT_CUBE", "ASTROMETRY_WCS"),
    *("STD_RESPONSE", "STD_TELLURIC", "BADPIX_TABLE", "MASTER_BIAS"),
)
_MAX_OFFSET = 0.01  # deg; an offset list whose values exceed it is in arcsec or of another field
_MAX_OFFSET_RA = 36 * _MAX_OFFSET  # deg; a difference of right ascensions is larger near a pole
_MAX_STARS_OF_FAILURES = 2  # matched; every failure that was seen had that or less, every success 5 or more
_SAME_AXIS = 5  # deg between two rotator angles


@check(Reads.HEADERS)
def twice(run: Run) -> Iterator[Fault]:
    """Two tables have one DATE-OBS: the second is ignored."""
    if run.recipe != "muse_exp_combine":
        return
    seen: dict[str, list[Path]] = defaultdict(list)
    for frame in run.tagged(*_TABLES):
        if (date := frame.cards.get("DATE-OBS")) is not None:
            seen[str(date)[:MATCHED]].append(frame.path)
    for date, paths in seen.items():
        if len(paths) > 1:
            what = f"have the same DATE-OBS {date}"
            yield Fault("twice", tuple(paths), what, "muse_exp_combine would ignore all but the first", "leave one out")


@check(Reads.HEADERS)
def modes(run: Run) -> Iterator[Fault]:
    """Calibrations are of another INS MODE than the exposure, or exposures of several."""
    exposures = {str(m): f.path for f in run.tagged("OBJECT", "PIXTABLE_OBJECT", *_TABLES) if (m := _mode(f))}
    if len(exposures) > 1:
        what = f"are of different INS MODEs ({', '.join(exposures)})"
        yield Fault("modes", tuple(exposures.values()), what, "they do not fit on each other", "combine them apart")
        return
    others: dict[str, list[Path]] = defaultdict(list)
    for frame in run.tagged(*_OF_A_MODE):
        if exposures and (own := _mode(frame)) and own not in exposures:
            others[own].append(frame.path)
    for own, paths in others.items():
        what = f"{'are' if len(paths) > 1 else 'is'} of INS MODE {own}, the exposure of {', '.join(exposures)}"
        yield Fault("modes", tuple(paths), what, "its light would be put elsewhere", "use calibrations of its own mode")


def _mode(frame: Frame) -> str:
    return str(frame.cards.get("ESO INS MODE") or "")


@check(Reads.HEADERS)
def offsets(run: Run) -> Iterator[Fault]:
    """The offset list is of the wrong form, lacks an exposure, is in arcsec, or changes fluxes."""
    if run.recipe != "muse_exp_combine":
        return
    dates = [str(frame.cards.get("DATE-OBS")) for frame in run.tagged(*_TABLES)]
    for frame in run.tagged("OFFSET_LIST"):
        try:
            given = OffsetList.read(frame.path)
        except MuseError as error:
            what = str(error).removeprefix(f"{frame.path} ").removeprefix(f"{frame.path}: ")
            yield Fault("offsets", (frame.path,), *_parted(what))
            continue
        yield from judge_offsets(given, dates, frame.path)


def _parted(sentence: str) -> tuple[str, str, str]:
    """Part a reader's sentence into what is wrong and what to do."""
    what, _, remedy = sentence.rpartition(": ")
    return what or sentence, "muse_exp_combine would ignore the offsets", remedy or "write it again"


def judge_offsets(given: OffsetList, dates: Sequence[str], path: str | Path = "the offset list") -> Iterator[Fault]:
    """Hold an offset list against the DATE-OBS of the exposures."""
    files = (Path(path),)
    missing = given.missing(dates)
    if missing:
        what = f"has no row for {len(missing)} of {len(dates)} exposures ({listed(missing)})"
        remedy = "measure all of them, or combine without these on purpose with --allow-missing"
        yield Fault("offsets", files, what, "they would be combined without an offset", remedy)
    for date, ra, dec in zip(given.date_obs, given.ra_offset, given.dec_offset, strict=True):
        if abs(dec) > _MAX_OFFSET or abs(ra) > _MAX_OFFSET_RA:
            what = f"has an offset of ({ra:g}, {dec:g}) deg for {date}, more than {3600 * _MAX_OFFSET:.0f} arcsec"
            remedy = "offsets are in degrees; divide those in arcsec by 3600"
            yield Fault("offsets", files, what, "the exposure would lie elsewhere", remedy)
            break
    factors = zip(given.date_obs, given.flux_scale, strict=True)  # both engines leave 0
    scaled = [date for date, scale in factors if math.isfinite(scale) and scale not in (0.0, 1.0)]
    if scaled:
        what = f"has a FLUX_SCALE for {len(scaled)} exposures, the first {scaled[0]}"
        remedy = "set it to NaN unless that is meant"
        yield Fault("offsets", files, what, "their flux would be multiplied", remedy, Severity.FLAG)


@check(Reads.HEADERS)
def stars(run: Run) -> Iterator[Fault]:
    """muse_exp_align matched too few stars for its offsets to be right."""
    for frame in (*run.tagged("OFFSET_LIST"), *run.made("OFFSET_LIST")):
        matched = [number_of(hdu.cards.get("ESO QC EXPALIGN NMATCH MIN")) for hdu in hdus(frame.path)]
        for number in matched:
            if number is not None and number <= _MAX_STARS_OF_FAILURES:
                what = f"is of muse_exp_align, which matched only {number:.0f} stars in one of the images"
                consequence, remedy = "its offsets are not to be trusted", "measure them with muse-nb offsets"
                yield Fault("stars", (frame.path,), what, consequence, remedy, Severity.FLAG)
                break


@check(Reads.HEADERS)
def nearest(run: Run) -> Iterator[Fault]:
    """The nearest-neighbour resampling of pipeline 2.8.7 picks the wrong row."""
    if str(run.parameters.get("resample", "")).strip() == "nearest":
        files = tuple(frame.path for frame in run.made("DATACUBE_FINAL"))
        consequence = "stars move by up to half a spaxel"
        what = "resample = nearest takes the wrong row of several (pipeline 2.8.7)"
        yield Fault("nearest", files, what, consequence, "use resample = drizzle", Severity.FLAG)


@check(Reads.HEADERS)
def cosmics(run: Run) -> Iterator[Fault]:
    """Cosmic rays are searched along the first exposure's axis though the others have another."""
    if run.recipe != "muse_exp_combine" or run.number("crsigma") == 0:
        return
    angles = [
        angle
        for frame in run.tagged(*_TABLES)
        if (angle := number_of(frame.cards.get("ESO INS DROT POSANG"))) is not None
    ]
    across = [angle for angle in angles if _between_axes(angle, angles[0]) > _SAME_AXIS]
    if across:
        yield Fault(
            "cosmics",
            tuple(frame.path for frame in run.made("DATACUBE_FINAL")),
            f"cosmic rays are searched along the axis of the first exposure, at {angles[0]:g} deg",
            f"{len(across)} of {len(angles)} exposures, at other angles, are searched along the wrong one",
            "search them with crtype 'others' of our stream engine, or look at the cube for what is left of them",
            Severity.NOTE,
        )


def _between_axes(one: float, other: float) -> float:
    """Angle between two axes [deg]."""
    return abs((one - other + 90) % 180 - 90)
