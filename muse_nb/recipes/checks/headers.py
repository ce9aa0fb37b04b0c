"""Keywords without which the recipes crash or go wrong with exit status 0."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime

from muse_nb.products.fits.blocks import hdus
from muse_nb.recipes.checks.faults import Fault, Frame, Reads, Run, Severity, check

__all__ = ["angle", "date", "mode", "numbers", "position", "projection", "time"]

_REMEDY = {"OBJECT": "get the raw frame from the archive again"}
_AGAIN = "reduce the exposure again from a complete raw frame"
_EXPOSURES = ("OBJECT", "PIXTABLE_OBJECT", "PIXTABLE_REDUCED")
_ANGLE = "ESO INS DROT POSANG"
_READ = {"RA": Severity.REFUSE, "DEC": Severity.REFUSE, "EXPTIME": Severity.REFUSE, _ANGLE: Severity.FLAG}


@check(Reads.HEADERS)
def position(run: Run) -> Iterator[Fault]:
    """RA or DEC is missing: the cube lies elsewhere."""
    for frame in run.tagged(*_EXPOSURES):
        yield from _lacking(frame, ("RA", "DEC"), f"{run.recipe} would make a wrong cube without a word")


@check(Reads.HEADERS)
def projection(run: Run) -> Iterator[Fault]:
    """The CD matrix is missing; tables that are on the sky already need none."""
    for frame in run.tagged("PIXTABLE_REDUCED"):
        found = list(_lacking(frame, ("CD1_1", "CD2_2"), f"{run.recipe} would make a wrong cube without a word"))
        if found and _unit(frame) != "deg":
            yield from found


@check(Reads.HEADERS)
def time(run: Run) -> Iterator[Fault]:
    """The exposure's time or its name is missing."""
    for frame in run.tagged("OBJECT", "PIXTABLE_REDUCED"):
        keywords = ("EXPTIME", "DATE-OBS", *(["MJD-OBS"] if frame.tag == "OBJECT" else []))
        yield from _lacking(frame, keywords, "weights, offsets and the correction to the barycentre need it")


@check(Reads.HEADERS)
def date(run: Run) -> Iterator[Fault]:
    """DATE-OBS, by which exposures are told apart, put in order and matched with their offsets, is no date."""
    for frame in {frame.path: frame for frame in (*run.frames, *run.products)}.values():
        value = frame.cards.get("DATE-OBS")
        if value is None or _is_date(value):
            continue
        what = f"has DATE-OBS = {str(value)!r}, no date (YYYY-MM-DDThh:mm:ss.sss)"
        consequence = "its place in time and its offset cannot be told"
        remedy = _REMEDY.get(frame.tag, "write the date of its raw frame into it")
        yield Fault("date", (frame.path,), what, consequence, remedy, Severity.FLAG)


def _is_date(value: object) -> bool:
    text = str(value).strip()
    if re.fullmatch(r"(0[1-9]|[12]\d|3[01])/(0[1-9]|1[0-2])/\d\d", text):  # as FITS wrote dates until 1999
        return True
    whole = re.fullmatch(r"(\d{4}-\d\d-\d\d)(?:T(\d\d:\d\d:)(\d\d)(\.\d*)?Z?)?", text)
    if whole is None:
        return False
    day, clock, second, _ = whole.groups()
    second = "59" if second == "60" else second  # a leap second
    try:
        datetime.fromisoformat(f"{day}T{clock}{second}" if clock else day)
    except ValueError:
        return False
    return True


@check(Reads.HEADERS)
def mode(run: Run) -> Iterator[Fault]:
    """INS MODE is missing: muse_scipost ends in a segmentation fault."""
    for frame in run.tagged("OBJECT", "PIXTABLE_OBJECT"):
        if run.recipe != "muse_scipost_make_cube":
            yield from _lacking(frame, ("ESO INS MODE",), "muse_scipost would crash")


@check(Reads.HEADERS)
def angle(run: Run) -> Iterator[Fault]:
    """The rotator's angle or mode is missing: the recipes go on with an angle of 0."""
    for frame in run.tagged(*_EXPOSURES):
        keywords = (_ANGLE, "ESO INS DROT MODE")
        yield from _lacking(frame, keywords, "the angle of its cube will be wrong", Severity.FLAG)


@check(Reads.HEADERS)
def numbers(run: Run) -> Iterator[Fault]:
    """A number is stored in a form that the recipes do not read, a whole number or text: it counts as missing."""
    for frame in run.tagged(*_EXPOSURES):
        for keyword, severity in _READ.items():
            value = frame.cards.get(keyword)
            if value is None or isinstance(value, float):
                continue
            yield Fault(
                "numbers",
                (frame.path,),
                f"has {keyword} = {value!r}, not a number with a decimal point",
                f"{run.recipe} does not read it and goes on as if it were 0",
                f"write it as {float(value)!r}" if isinstance(value, int) else _REMEDY.get(frame.tag, _AGAIN),
                severity,
            )


def _lacking(
    frame: Frame, keywords: tuple[str, ...], consequence: str, severity: Severity = Severity.REFUSE
) -> Iterator[Fault]:
    for keyword in keywords:
        if frame.cards.get(keyword) is None:
            remedy = _REMEDY.get(frame.tag, _AGAIN)
            yield Fault("keywords", (frame.path,), f"lacks {keyword}", consequence, remedy, severity)


def _unit(frame: Frame) -> str:
    """Unit of the positions in a pixel table."""
    for hdu in hdus(frame.path)[1:]:
        if hdu.name == "xpos":
            return str(hdu.cards.get("BUNIT") or "")
    return ""
