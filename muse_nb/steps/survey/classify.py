"""What a FITS file is: raw frame, product or calibration, of which exposure and which IFU, by its headers alone."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from muse_nb.core.errors import MuseError
from muse_nb.products.fits.blocks import Hdu, hdus
from muse_nb.products.header import number_of
from muse_nb.products.history import history
from muse_nb.products.pixtable import COLUMNS
from muse_nb.recipes.checks.every import examine_file
from muse_nb.recipes.checks.faults import Frame

__all__ = ["EXPOSURE_PRODUCTS", "UNREADABLE", "FileFacts", "classify"]

EXPOSURE_PRODUCTS = frozenset(
    ["OBJECT_RED", "PIXTABLE_OBJECT", "PIXTABLE_REDUCED", "PIXTABLE_POSITIONED", "DATACUBE_FINAL", "IMAGE_FOV"]
)
UNREADABLE = "UNREADABLE"
NEEDED = ("DATE-OBS", "RA", "DEC", "EXPTIME", "ESO INS MODE", "ESO INS DROT POSANG")
_PARTS = {"OBJECT_RED": ("DATA", "DQ", "STAT"), "DATACUBE_FINAL": ("DATA", "STAT"), "IMAGE_FOV": ("DATA",)}
_CHANNEL = re.compile(r"CHAN\d\d$")
_OF_WHOLE_EXPOSURES = ("PIXTABLE_REDUCED", "PIXTABLE_POSITIONED", "PIXTABLE_COMBINED")


@dataclass(frozen=True)
class FileFacts:
    """What the headers of a file say.

    Attributes
    ----------
    path : pathlib.Path
    category : str
        PRO CATG of a product; ``RAW `` with DPR TYPE of a raw frame; CUBE, IMAGE, TABLE, OTHER by structure;
        UNREADABLE.
    size : int
        [byte].
    date_obs : str
        Of the exposure; empty for calibrations, and for what was made of several exposures.
    ifus : tuple of int
        Those it holds.
    ra, dec, posang, exptime : float or None
        [deg], [deg], [deg], [s].
    ins_mode, object, filter : str
    recipe : str
        The last that worked on it.
    inputs : tuple of str
        File names that recipe was given.
    missing : tuple of str
        Keywords without which the recipes go wrong.
    incomplete : tuple of str
        Extensions or columns that belong to its category and are not there.
    impossible : tuple of str
        What its headers say that cannot be, each the rest of a sentence that starts with its name.
    exposures : int
        How many it was made of.
    archive : str
        ARCFILE without its ending, or the archive's name as the file has it: the raw frame's, of a product.
    """

    path: Path
    category: str
    size: int = 0
    date_obs: str = ""
    ifus: tuple[int, ...] = ()
    ra: float | None = None
    dec: float | None = None
    posang: float | None = None
    exptime: float | None = None
    ins_mode: str = ""
    object: str = ""
    filter: str = ""
    recipe: str = ""
    inputs: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    incomplete: tuple[str, ...] = ()
    impossible: tuple[str, ...] = ()
    exposures: int = 1
    archive: str = ""


def classify(path: Path) -> FileFacts:
    """Read what a file is.

    Raises
    ------
    MuseError
        It cannot be read as FITS.
    """
    units = hdus(path)
    cards = units[0].cards
    category = _category(units)
    made = history(cards)
    inputs = made[-1].inputs if made else ()
    count = _exposures(cards, inputs)
    whole = count == 1 and (category in EXPOSURE_PRODUCTS or category == "RAW OBJECT")
    try:
        size = path.stat().st_size
    except OSError as error:
        raise MuseError(f"{path} cannot be read: {error.strerror}") from error
    return FileFacts(
        path=path,
        category=category,
        size=size,
        date_obs=_text(cards, "DATE-OBS") if whole else "",
        ifus=_ifus(units),
        ra=number_of(cards.get("RA")),
        dec=number_of(cards.get("DEC")),
        posang=number_of(cards.get("ESO INS DROT POSANG")),
        exptime=number_of(cards.get("EXPTIME")),
        ins_mode=_text(cards, "ESO INS MODE"),
        object=_text(cards, "OBJECT"),
        filter=_text(cards, "ESO DRS MUSE FILTER NAME"),
        recipe=made[-1].recipe if made else "",
        inputs=tuple(name for name, _ in inputs),
        missing=tuple(key for key in NEEDED if cards.get(key) is None) if whole else (),
        incomplete=_incomplete(category, units),
        impossible=tuple(fault.sentence for fault in examine_file(Frame(path, category, cards))),
        exposures=count,
        archive=_archive(cards, path),
    )


def _archive(cards: dict[str, object], path: Path) -> str:
    named = re.match(r"(?:M\.)?MUSE\.\d{4}-\d\d-\d\dT\d\d[:_]\d\d[:_]\d\d\.\d{3}", path.name)
    return _text(cards, "ARCFILE").removesuffix(".fits") or (named[0].replace("_", ":") if named else "")


def _text(cards: dict[str, object], keyword: str) -> str:
    value = cards.get(keyword)
    return "" if value is None else str(value).strip()


def _category(units: list[Hdu]) -> str:
    cards = units[0].cards
    if product := _text(cards, "ESO PRO CATG"):
        return product
    if kind := _text(cards, "ESO DPR TYPE") or _text(cards, "ESO DPR CATG"):
        return f"RAW {kind}"
    axes = [len([n for n in unit.shape if n > 1]) if _is_image(unit) else 0 for unit in units]
    if 3 in axes:
        return "CUBE"
    if 2 in axes:
        return "IMAGE"
    tables = any(unit.cards.get("XTENSION") in ("BINTABLE", "TABLE") for unit in units)
    return "TABLE" if tables else "OTHER"


def _is_image(unit: Hdu) -> bool:
    return unit.cards.get("XTENSION", "IMAGE") == "IMAGE" or unit.cards.get("ZIMAGE") is True


def _ifus(units: list[Hdu]) -> tuple[int, ...]:
    """IFUs that a file holds; an extension without pixels is none, a primary names that of the others."""
    real = [unit for n, unit in enumerate(units) if n == 0 or (unit.shape and 0 not in unit.shape)]
    return tuple(sorted({int(m[1]) for unit in real if (m := re.match(r"CHAN(\d\d)(?!\d)", unit.name))}))


def _exposures(cards: dict[str, object], inputs: tuple[tuple[str, str], ...]) -> int:
    """Count the exposures in a product; its DATE-OBS and its angle are the first's alone.

    ESO PRO DATANCOM counts frames, which may be the IFUs of one exposure, and so says nothing.
    """
    given = sum(category in _OF_WHOLE_EXPOSURES for _, category in inputs)
    channels = Counter(
        m[1] if (m := re.search(r"-(\d\d)\.fits", name)) else ""
        for name, category in inputs
        if category == "PIXTABLE_OBJECT"
    )
    offsets = {cards[key] for key in cards if re.fullmatch(r"ESO DRS MUSE OFFSET\d+ DATE-OBS", key)}
    combined = number_of(cards.get("ESO DRS MUSE PIXTABLE COMBINED")) or 1
    return max(1, given, max(channels.values(), default=1), len(offsets), int(combined))


def _incomplete(category: str, units: list[Hdu]) -> tuple[str, ...]:
    """Name what a product of this category should hold and does not: it may have been cut between two extensions."""
    if category.startswith("PIXTABLE_"):
        there = {unit.name for unit in units[1:]}
        there |= {str(value) for unit in units[1:2] for key, value in unit.cards.items() if key.startswith("TTYPE")}
        return tuple(name for name in COLUMNS if name not in there)
    there = {unit.name for unit in units[1:]}
    channels = {m[1] for name in there if (m := re.match(r"(CHAN\d\d\.)", name))} or {""}
    if category.startswith("RAW "):
        return tuple(unit.name for unit in units[1:] if _CHANNEL.match(unit.name) and 0 in (unit.shape or (0,)))
    parts = _PARTS.get(category, ())
    return tuple(f"{channel}{part}" for channel in sorted(channels) for part in parts if channel + part not in there)
