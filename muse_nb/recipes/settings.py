"""How an exposure is to be reduced: the settings that `muse_nb.reduce` takes as keywords."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TypedDict

__all__ = ["ReduceKeywords", "ReduceSettings"]


class ReduceKeywords(TypedDict, total=False):
    """`ReduceSettings` as keywords, each of which may be left out."""

    badpix: bool | str | Path
    ifus: Iterable[int] | None
    lambdamin: float | None
    lambdamax: float | None
    filters: Sequence[str]
    sky: str
    keep: bool
    backend: str | None
    timeout: float | None


@dataclass(frozen=True)
class ReduceSettings:
    """How an exposure is reduced.

    Attributes
    ----------
    badpix : bool, str or pathlib.Path
        True: with the BADPIX_TABLE at hand; False: without; or a table to use.
    ifus : iterable of int or None
        None: all that have calibrations and are in the frame.
    lambdamin, lambdamax : float or None
        Wavelength limits [Angstrom] of muse_scipost. None: 30 Angstrom are cut from both ends of a short range.
    filters : sequence of str
        Names for the images; ``white``, or names in FILTER_LIST.
    sky : str
        muse_scipost's skymethod: ``simple`` or ``none`` need no further calibrations; ``none`` is much quicker.
    keep : bool
        Keep the PIXTABLE_OBJECTs, too.
    backend : str or None
        ``python-cpl`` or ``esorex``; None: what is there.
    timeout : float or None
        Time limit of each recipe [s].
    """

    badpix: bool | str | Path = True
    ifus: Iterable[int] | None = None
    lambdamin: float | None = None
    lambdamax: float | None = None
    filters: Sequence[str] = ("white",)
    sky: str = "simple"
    keep: bool = False
    backend: str | None = None
    timeout: float | None = None

    @classmethod
    def of(cls, keywords: ReduceKeywords) -> ReduceSettings:
        """Take keywords.

        Raises
        ------
        TypeError
            One of them is unknown.
        """
        known = [field.name for field in fields(cls)]
        unknown = [name for name in keywords if name not in known]
        if unknown:
            raise TypeError(f"there is no setting {unknown[0]!r} of a reduction: choose from {', '.join(known)}")
        return cls(**keywords)

    @property
    def of_scipost(self) -> dict[str, object]:
        """Parameters of muse_scipost, but for the wavelength limits."""
        return {"save": "cube,individual", "filter": ",".join(self.filters), "skymethod": self.sky}
