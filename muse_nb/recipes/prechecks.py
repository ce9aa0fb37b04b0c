"""What the recipes get wrong without a word: frames that must be refused before a recipe sees them."""

from __future__ import annotations

from pathlib import Path

from muse_nb.products.blocks import hdus
from muse_nb.products.errors import MuseError
from muse_nb.products.header import need

__all__ = ["refuse"]

_WRONG_CUBE = "the recipe would make a wrong cube without a word; reduce the exposure again from a complete raw file"
_RAW = "get the raw frame from the archive again"
_POSITION = dict.fromkeys(("RA", "DEC"), _WRONG_CUBE)
_PLACED = _POSITION | dict.fromkeys(("CD1_1", "CD2_2", "EXPTIME", "DATE-OBS"), _WRONG_CUBE)
_CRASH = {"ESO INS MODE": f"muse_scipost would crash; {_RAW}"}
_NEEDED = {
    ("muse_scibasic", "OBJECT"): _CRASH
    | dict.fromkeys(("RA", "DEC", "EXPTIME", "MJD-OBS", "DATE-OBS"), f"the cube would be wrong; {_RAW}"),
    ("muse_scipost", "PIXTABLE_OBJECT"): _CRASH | _POSITION,
    ("muse_scipost_make_cube", "PIXTABLE_OBJECT"): _POSITION,
    ("muse_exp_combine", "PIXTABLE_REDUCED"): _PLACED,
}


def refuse(recipe: str, frames: list[tuple[Path, str]]) -> None:
    """Refuse frames from which a recipe is known to crash or to make a wrong product with exit status 0.

    Raises
    ------
    MuseError
        A keyword is missing, or two exposures have the same DATE-OBS.
    """
    seen: dict[str, Path] = {}
    for path, tag in frames:
        for keyword, remedy in _NEEDED.get((recipe, tag), {}).items():
            cards = hdus(path)[0].cards
            need(cards, keyword, path, remedy)
            if keyword == "DATE-OBS" and recipe == "muse_exp_combine":
                date = str(cards[keyword])
                if date in seen:
                    raise MuseError(
                        f"{path} has the DATE-OBS of {seen[date]}: muse_exp_combine would ignore it, leave one out"
                    )
                seen[date] = path
