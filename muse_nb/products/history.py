"""How a product was made: the recipes in its header's PRO REC keywords, read and written."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial

from muse_nb.products.fits.cards import card

__all__ = ["RecipeRun", "history", "history_cards", "next_number", "run_keyword"]

_RECORD = re.compile(r"ESO PRO REC([1-9][0-9]*) (?:(ID|PIPE ID)|(RAW|CAL|PARAM)([1-9][0-9]*) NAME)$")


@dataclass(frozen=True)
class RecipeRun:
    """A recipe that worked on a product, or on what went into it.

    Attributes
    ----------
    recipe : str
        Its name.
    pipeline : str
        Package and version, empty where the header does not say.
    parameters : dict of str to object
        As the header has them: the recipes write numbers as text.
    raw, calibrations : tuple of (str, str)
        Names and ESO PRO CATG (or DPR type) of the files it was given.
    """

    recipe: str
    pipeline: str = ""
    parameters: Mapping[str, object] = field(default_factory=dict)
    raw: tuple[tuple[str, str], ...] = ()
    calibrations: tuple[tuple[str, str], ...] = ()

    @property
    def inputs(self) -> tuple[tuple[str, str], ...]:
        """Names and categories of all files it was given."""
        return self.raw + self.calibrations


def history(cards: Mapping[str, object]) -> list[RecipeRun]:
    """Read the recipes that made a product, the last one last.

    Parameters
    ----------
    cards
        Primary header: keyword to value, without the word ``HIERARCH``.

    Returns
    -------
    list of RecipeRun
        Numbers 1, 2, ... as far as they follow on each other; empty for raw frames.
    """
    named: dict[int, dict[str, list[tuple[int, str]]]] = {}
    for keyword in cards:
        if found := _RECORD.match(keyword):
            of_run = named.setdefault(int(found[1]), {})
            of_run.setdefault(found[2] or found[3], []).append((int(found[4] or 0), keyword))
    runs: list[RecipeRun] = []
    while "ID" in (here := named.get(len(runs) + 1, {})):
        runs.append(_run(cards, here))
    return runs


def _run(cards: Mapping[str, object], named: Mapping[str, list[tuple[int, str]]]) -> RecipeRun:
    def of(kind: str) -> list[str]:
        return [keyword for _, keyword in sorted(named.get(kind, []))]

    def files(kind: str) -> tuple[tuple[str, str], ...]:
        return tuple((_text(cards, name), _text(cards, name.removesuffix("NAME") + "CATG")) for name in of(kind))

    values = {_text(cards, name): _value(cards, name.removesuffix("NAME") + "VALUE") for name in of("PARAM")}
    pipeline = "".join(_text(cards, keyword) for keyword in of("PIPE ID"))
    return RecipeRun(_text(cards, of("ID")[0]), pipeline, values, files("RAW"), files("CAL"))


def _value(cards: Mapping[str, object], keyword: str) -> object:
    value = cards.get(keyword)
    return "" if value is None or type(value).__name__ == "Undefined" else value


def _text(cards: Mapping[str, object], keyword: str) -> str:
    return str(_value(cards, keyword)).strip()


def next_number(keywords: Iterable[str]) -> int:
    """Return the number of the next run in a header with these keywords, above all that are there."""
    found = (re.match(r"ESO PRO REC([0-9]+)( |$)", keyword) for keyword in keywords)
    return 1 + max((int(match[1]) for match in found if match), default=0)


def run_keyword(number: int, what: str) -> str:
    """Name a keyword of a run, as in ``ESO PRO REC2 RAW1 NAME``."""
    return f"ESO PRO REC{number} {what}"


def history_cards(number: int, run: RecipeRun) -> list[str]:
    """Write a run in the recipes' manner, as cards of 80 characters.

    Parameters
    ----------
    number
        From `next_number`.
    run
        Its parameters' values are written as text.
    """
    key = partial(run_keyword, number)
    cards = [card(key("ID"), run.recipe, "What made this file"), card(key("PIPE ID"), run.pipeline, "Its version")]
    for kind, what, files in (("RAW", "raw", run.raw), ("CAL", "calibration", run.calibrations)):
        for index, (name, category) in enumerate(files, 1):
            cards.append(card(key(f"{kind}{index} NAME"), name, f"File name of {what} frame"))
            cards.append(card(key(f"{kind}{index} CATG"), category, f"Category of {what} frame"))
    for index, (name, value) in enumerate(run.parameters.items(), 1):
        cards.append(card(key(f"PARAM{index} NAME"), name))
        cards.append(card(key(f"PARAM{index} VALUE"), str(value)))
    return cards
