"""How a product was made, by its header: read from what recipes write, and written so that it reads the same."""

from __future__ import annotations

from astropy.io import fits

from muse_nb.products.fits.cards import card, keyword_of
from muse_nb.products.history import RecipeRun, history, history_cards, next_number

SCIPOST = RecipeRun(
    "muse_scipost",
    "muse/2.8.9",
    {"save": "cube", "lambdamin": "4000."},
    tuple((f"PIXTABLE_OBJECT_0001-{ifu:02d}.fits", "PIXTABLE_OBJECT") for ifu in range(1, 12)),
    (("STD_RESPONSE.fits", "STD_RESPONSE"),),
)


def header_of(lines: list[str]) -> fits.Header:
    return fits.Header.fromstring("".join(lines))


def test_what_is_written_is_read() -> None:
    first = RecipeRun("muse_scibasic", "muse/2.8.9", {}, (("MUSE.fits", "OBJECT"),))
    header = header_of(history_cards(1, first) + history_cards(2, SCIPOST))
    assert history(header) == [first, SCIPOST]
    assert history(dict(header)) == [first, SCIPOST]
    assert [name for name, _ in history(header)[1].inputs][-2:] == ["PIXTABLE_OBJECT_0001-11.fits", "STD_RESPONSE.fits"]


def test_numbers_that_do_not_follow_on_each_other_end_the_history() -> None:
    lines = history_cards(1, SCIPOST) + history_cards(3, SCIPOST)
    assert history(header_of(lines)) == [SCIPOST]
    assert next_number(map(keyword_of, lines)) == 4
    assert history({"OBJECT": "a raw frame"}) == []
    assert next_number(["OBJECT", "ESO PRO RECORD", "ESO PRO REC"]) == 1


def test_what_lacks_a_value_is_empty() -> None:
    lines = ["HIERARCH ESO PRO REC1 ID =".ljust(80), card("ESO PRO REC1 RAW1 NAME", "A.fits")]
    lines.append(card("ESO PRO REC1 PARAM1 NAME", "filter"))
    assert history(header_of(lines)) == [RecipeRun("", "", {"filter": ""}, (("A.fits", ""),))]
