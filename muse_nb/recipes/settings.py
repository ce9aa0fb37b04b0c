"""How exposures are reduced: the keywords of `muse_nb.reduce` as one frozen object."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TypedDict, Unpack

__all__ = ["ReduceOptions", "ReduceSettings"]


class ReduceOptions(TypedDict, total=False):
    """Keywords of `muse_nb.reduce` and `muse_nb.reduce_all`; `ReduceSettings` says what each means."""

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
    def of(cls, function: str, /, **options: Unpack[ReduceOptions]) -> ReduceSettings:
        """Make settings of a function's keywords.

        Raises
        ------
        TypeError
            There is no such keyword.
        """
        known = {field.name for field in fields(cls)}
        for name in options:
            if name not in known:
                raise TypeError(f"{function}() got an unexpected keyword argument {name!r}")
        return cls(**options)

    @property
    def of_scipost(self) -> dict[str, object]:
        """Parameters of muse_scipost, but for the wavelength limits."""
        return {"save": "cube,individual", "filter": ",".join(self.filters), "skymethod": self.sky}
