"""What a figure of the report shows, as plain arrays: checks fill it, `figures` draws it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Bars", "Curve", "Curves", "Map", "Mark", "Panel", "Stamps"]

Array = NDArray[np.floating]


@dataclass(frozen=True)
class Curve:
    """A line or points over a common x.

    Attributes
    ----------
    x, y : numpy.ndarray
        Shape (n,).
    label : str
        For the legend, empty for none.
    style : str
        ``line``, ``points`` or ``limit`` (dashed).
    error : numpy.ndarray or None
        Of y, shape (n,).
    """

    x: Array
    y: Array
    label: str = ""
    style: str = "line"
    error: Array | None = None


@dataclass(frozen=True)
class Curves:
    """Curves with the names and units of their axes; `marks` are vertical lines with a name."""

    xlabel: str
    ylabel: str
    curves: Sequence[Curve]
    marks: Sequence[tuple[float, str]] = ()
    span: tuple[float, float] | None = None


@dataclass(frozen=True)
class Bars:
    """One value a name, and the limits that it must lie between."""

    names: Sequence[str]
    values: Sequence[float]
    ylabel: str
    limits: Sequence[float] = ()


@dataclass(frozen=True)
class Mark:
    """A place on a map [spaxel from 0]; with x2 and y2 a line that ends there."""

    x: float
    y: float
    label: str = ""
    x2: float | None = None
    y2: float | None = None


@dataclass(frozen=True)
class Map:
    """An image of the field.

    Attributes
    ----------
    values : numpy.ndarray
        Shape (ny, nx).
    label : str
        With the unit.
    diverging : bool
        Zero is the middle of the colours.
    north, east : tuple of float or None
        Directions in pixels, None where the header does not say.
    """

    values: Array
    label: str
    diverging: bool = False
    marks: Sequence[Mark] = ()
    north: tuple[float, float] | None = None
    east: tuple[float, float] | None = None


@dataclass(frozen=True)
class Stamps:
    """Small images side by side, a title each; the artefact is in the middle."""

    images: Sequence[Array]
    titles: Sequence[str]
    label: str


Panel = Curves | Bars | Map | Stamps
