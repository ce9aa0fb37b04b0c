"""What a FITS file is: raw frame, product or calibration, of which exposure and which IFU, by its headers alone."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from muse_nb.products.blocks import Hdu, hdus
from muse_nb.products.errors import MuseError
from muse_nb.products.header import read_all

__all__ = ["EXPOSURE_PRODUCTS", "FileFacts", "classify", "readable"]

EXPOSURE_PRODUCTS = frozenset(
    ["OBJECT_RED", "PIXTABLE_OBJECT", "PIXTABLE_REDUCED", "PIXTABLE_POSITIONED", "DATACUBE_FINAL", "IMAGE_FOV"]
)


@dataclass(frozen=True)
class FileFacts:
    """What the headers of a file say.

    Attributes
    ----------
    path : pathlib.Path
    category : str
        PRO CATG of a product, ``RAW `` with DPR TYPE of a raw frame, or CUBE, IMAGE, TABLE, OTHER by structure.
    date_obs : str
        Of the exposure; empty for calibrations, and for what was made of several exposures.
    ifus : tuple of int
        Those it holds.
    ra, dec, posang, exptime : float or None
        [deg], [deg], [deg], [s].
    ins_mode, object : str
    recipe : str
        The last that worked on it.
    inputs : tuple of str
        File names that recipe was given.
    missing : tuple of str
        Keywords without which the recipes go wrong.
    exposures : int
        How many it was made of.
    """

    path: Path
    category: str
    date_obs: str = ""
    ifus: tuple[int, ...] = ()
    ra: float | None = None
    dec: float | None = None
    posang: float | None = None
    exptime: float | None = None
    ins_mode: str = ""
    object: str = ""
    recipe: str = ""
    inputs: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    exposures: int = 1


def classify(path: Path) -> FileFacts:
    """Read what a file is.

    Raises
    ------
    MuseError
        It cannot be read as FITS.
    """
    units = _units(path)
    cards = units[0].cards
    category = _category(units)
    science = category in EXPOSURE_PRODUCTS or category == "RAW OBJECT"
    recipe, inputs = _history(cards)
    several = _number(cards, "ESO PRO DATANCOM") if recipe.endswith("combine") else None
    count = int(several) if several else 1
    whole = science and count == 1
    return FileFacts(
        path=path,
        category=category,
        date_obs=str(cards.get("DATE-OBS") or "") if whole else "",
        ifus=_ifus(units),
        ra=_number(cards, "RA"),
        dec=_number(cards, "DEC"),
        posang=_number(cards, "ESO INS DROT POSANG"),
        exptime=_number(cards, "EXPTIME"),
        ins_mode=str(cards.get("ESO INS MODE") or ""),
        object=str(cards.get("OBJECT") or ""),
        recipe=recipe,
        inputs=inputs,
        missing=_missing(cards) if whole else (),
        exposures=count,
    )


def _units(path: Path) -> list[Hdu]:
    if path.suffix != ".gz":
        return hdus(path)
    return [Hdu(str(h.get("EXTNAME", "PRIMARY")), dict(h.items()), "", 0, 0, 0) for h in read_all(path)]


def _category(units: list[Hdu]) -> str:
    cards = units[0].cards
    if product := str(cards.get("ESO PRO CATG") or "").strip():
        return product
    kind = str(cards.get("ESO DPR TYPE") or "").strip()
    if kind:
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
    names = [str(unit.cards.get("EXTNAME") or "") for unit in units]
    return tuple(sorted({int(m[1]) for name in names if (m := re.match(r"CHAN(\d\d)", name))}))


def _history(cards: dict[str, object]) -> tuple[str, tuple[str, ...]]:
    """Name the last recipe and the files it was given."""
    number = 0
    while f"ESO PRO REC{number + 1} ID" in cards:
        number += 1
    if not number:
        return "", ()
    pattern = re.compile(rf"ESO PRO REC{number} (RAW|CAL)\d+ NAME$")
    inputs = tuple(str(value) for key, value in cards.items() if pattern.match(key))
    return str(cards[f"ESO PRO REC{number} ID"]), inputs


def _missing(cards: dict[str, object]) -> tuple[str, ...]:
    needed = ("DATE-OBS", "RA", "DEC", "EXPTIME", "ESO INS MODE", "ESO INS DROT POSANG")
    return tuple(key for key in needed if cards.get(key) is None)


def _number(cards: dict[str, object], keyword: str) -> float | None:
    value = cards.get(keyword)
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def readable(path: Path) -> FileFacts | MuseError:
    """Classify, or return what is wrong: a survey goes on after a damaged file."""
    try:
        return classify(path)
    except MuseError as error:
        return error
