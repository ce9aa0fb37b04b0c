"""From numbers and limits to sentences. Good masters give none."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from muse_nb.core.text import listed, printable
from muse_nb.products.calibrations.masters import Master
from muse_nb.steps.masters.parts.limits import Limit, Limits
from muse_nb.steps.masters.parts.measured import Measured, Quantity

__all__ = ["Finding", "judge", "number_text", "unknown"]

MOST = 4  # places that a sentence names
TINY = 1e-9  # below which a number is 0
Indices = NDArray[np.intp]


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


def judge(measured: Measured, limits: Limits, name: str) -> list[Finding]:
    """Say what of a master lies outside of its limits: a sentence a quantity and side.

    Parameters
    ----------
    measured
        The master with its numbers.
    limits
        By name.
    name
        What the sentences call the file.
    """
    found = []
    for quantity in measured.quantities:
        limit = limits[quantity.name]
        for edge, beyond in ((limit.low, quantity.values < limit.low), (limit.high, quantity.values > limit.high)):
            if beyond.any():
                found.append(_finding(measured.master, name, quantity, limit, np.flatnonzero(beyond), edge))
    return found


def unknown(measured: Measured, limits: Limits) -> list[str]:
    """Say which numbers a master should have given and did not: the rests of sentences that start with the file."""
    said = []
    for quantity in measured.quantities:
        if (lost := np.flatnonzero(~np.isfinite(quantity.values))).size:
            places = _named([quantity.places[n] for n in lost.tolist()], len(quantity.places))
            said.append(f"gave no number for the {limits[quantity.name].what}{f' ({places[0]})' if places else ''}")
    return said


def number_text(value: float, unit: str = "") -> str:
    """Write a number with its unit: four digits, no exponent before a million, nothing of rounding errors."""
    digits = f"{value:.0f}" if 1e4 <= abs(value) < 1e6 else f"{value if abs(value) > TINY else 0.0:.4g}"
    return f"{digits} {unit}" if unit else digits


def _finding(master: Master, name: str, quantity: Quantity, limit: Limit, beyond: Indices, edge: float) -> Finding:
    values = quantity.values[beyond]
    worst = int(beyond[np.argmax(np.abs(values - edge))])
    value, place = float(quantity.values[worst]), quantity.places[worst]
    where = [printable(name), *([f"IFU {master.ifu}"] if master.ifu else [])]
    where += _named([quantity.places[n] for n in beyond.tolist()], len(quantity.places))
    counted = limit.what.startswith("number of ")  # its unit stands in the words
    told = f"{limit.what} is {number_text(value, '' if counted else limit.unit)}"
    told += f" in {place}, the worst" if beyond.size > 1 else ""
    real = f"; a real night had {limit.real_text}" if limit.real_text else ""
    text = f"{', '.join(where)}: {told} (limit {edge:g}{real})"
    if consequence := limit.below if edge == limit.low else limit.above:
        text += f": {consequence}"
    return Finding(str(master.path), master.kind, master.ifu or None, place, limit.name, value, edge, text)


def _named(places: Sequence[str], of: int) -> list[str]:
    """Name places: ``slice 3``, ``slices 3, 7, 9, 12 and 5 more``, ``all 48 slices``."""
    places = [place for place in places if place]
    parts = [m for place in places if (m := re.fullmatch(r"(slice|quadrant|frame|plane|lamp|line|IFU) (\S+)", place))]
    if len(places) < 2 or len(parts) < len(places):
        return [listed(places, MOST)] if places else []
    noun = f"{parts[0][1]}s"
    return [f"all {of} {noun}" if len(places) == of else f"{noun} {listed([part[2] for part in parts], MOST)}"]
