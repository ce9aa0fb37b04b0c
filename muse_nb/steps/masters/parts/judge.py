"""From numbers and limits to sentences. Good masters give none."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from muse_nb.core.text import listed, printable
from muse_nb.products.calibrations.masters import Master
from muse_nb.steps.masters.parts.limits import Limit, Limits
from muse_nb.steps.masters.parts.measured import Measured, Quantity

__all__ = ["Finding", "judge"]

MOST = 4  # places that a sentence names


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong with a master, or that moved from another night.

    Attributes
    ----------
    file : str
        Path.
    kind : str
        PRO CATG.
    ifu : int or None
        None of the whole field.
    place : str
        The slice, quadrant, lamp or frame that is worst; empty of the whole.
    name : str
        Of the limit.
    value, limit : float
        Worst value, and what it passed.
    text : str
        The sentence.
    """

    file: str
    kind: str
    ifu: int | None
    place: str
    name: str
    value: float
    limit: float
    text: str

    def __str__(self) -> str:
        """Tell the sentence."""
        return self.text


def judge(measured: Measured, limits: Limits) -> list[Finding]:
    """Say what of a master lies outside of its limits: a sentence a quantity and side, its worst place named first."""
    found = []
    for quantity in measured.quantities:
        limit = limits[quantity.name]
        for low in (True, False):
            beyond = np.flatnonzero(quantity.values < limit.low if low else quantity.values > limit.high)
            if beyond.size:
                found.append(_finding(measured.master, quantity, limit, beyond, low=low))
    return found


def _finding(master: Master, quantity: Quantity, limit: Limit, beyond: np.ndarray, *, low: bool) -> Finding:
    values = quantity.values[beyond]
    order = np.argsort(values if low else -values, kind="stable")
    worst = int(beyond[order[0]])
    value = float(quantity.values[worst])
    places = [quantity.places[n] for n in beyond[order].tolist()]
    where = [printable(master.name), *([f"IFU {master.ifu}"] if master.ifu else []), *_named(places)]
    unit = f" {limit.unit}" if limit.unit else ""
    more = f" in the worst of {len(places)}" if len(places) > 1 else ""
    real = f"; a real night had {limit.real_text}" if limit.real_text else ""
    told = f"{limit.what} is {value:.4g}{unit}{more} (limit {limit.low if low else limit.high:g}{real})"
    consequence = limit.below if low else limit.above
    text = f"{', '.join(where)}: {told}{': ' + consequence if consequence else ''}"
    edge = limit.low if low else limit.high
    file = str(master.path)
    return Finding(file, master.kind, master.ifu or None, quantity.places[worst], limit.name, value, edge, text)


def _named(places: Sequence[str]) -> list[str]:
    """Name places: ``slice 3``, ``slices 3, 7 and 9``, ``slices 3, 7, 9, 12 and 5 more``."""
    places = [place for place in places if place]
    if not places:
        return []
    parts = [re.fullmatch(r"(slice|quadrant|frame|plane|lamp|line|IFU) (\S+)", place) for place in places]
    if len(places) == 1 or not all(parts) or len({part[1] for part in parts if part}) > 1:
        return [listed(places, MOST)]
    words = [part for part in parts if part]
    return [f"{words[0][1]}s {listed([part[2] for part in words], MOST)}"]
