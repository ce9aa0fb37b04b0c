"""How masters are made: the keywords of `muse_nb.calibrate` as one frozen object."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TypedDict, Unpack

from muse_nb.core.errors import MuseError

__all__ = ["CalibrateOptions", "CalibrateSettings"]


class CalibrateOptions(TypedDict, total=False):
    """Keywords of `muse_nb.calibrate`; `CalibrateSettings` says what each means."""

    static: str | Path | None
    dark: bool
    ifus: Iterable[int] | None
    parameters: Mapping[str, Mapping[str, object]]
    jobs: int
    memory: float | None
    timeout: float | None
    backend: str | None
    scheduler: str | None
    workers: int


@dataclass(frozen=True)
class CalibrateSettings:
    """How masters are made.

    Attributes
    ----------
    static : str, pathlib.Path or None
        Folder with static calibrations; None: those in the folder with the raw frames, in ``static`` beside it, and
        what is missing then from an installed pipeline.
    dark : bool
        Make and use MASTER_DARKs, where there are dark frames.
    ifus : iterable of int or None
        None: all that are in the raw frames.
    parameters : mapping of str to mapping
        Recipe to its parameters, as in ``{"muse_lsf": {"line_quality": 3}}``.
    jobs : int
        Recipes side by side, as far as the memory goes.
    memory : float or None
        What they may take together [byte]; None: nine tenths of what is free.
    timeout : float or None
        Time limit of each recipe [s]; None: twenty times what it is expected to take, ten minutes at least.
    backend : str or None
        ``python-cpl`` or ``esorex``; None: what is there.
    scheduler : str or None
        Address of a dask scheduler whose workers see the same disk.
    workers : int
        A dask cluster of so many processes on this machine, where there is no scheduler; 0: none.
    """

    static: str | Path | None = None
    dark: bool = False
    ifus: Iterable[int] | None = None
    parameters: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    jobs: int = 2
    memory: float | None = None
    timeout: float | None = None
    backend: str | None = None
    scheduler: str | None = None
    workers: int = 0

    @classmethod
    def of(cls, function: str, /, **options: Unpack[CalibrateOptions]) -> CalibrateSettings:
        """Make settings of a function's keywords.

        Raises
        ------
        TypeError
            There is no such keyword.
        MuseError
            A number is out of its range.
        """
        known = {field.name for field in fields(cls)}
        for name in options:
            if name not in known:
                raise TypeError(f"{function}() got an unexpected keyword argument {name!r}")
        made = cls(**options)
        if made.jobs < 1 or made.workers < 0:
            raise MuseError("jobs is 1 or more and workers 0 or more: how many recipes run side by side")
        for name in ("memory", "timeout"):
            value = getattr(made, name)
            if value is not None and not value > 0:
                raise MuseError(f"{name} is {value:g}: give a number above 0, or leave it out")
        if made.ifus is not None:
            numbers = tuple(sorted(set(made.ifus)))
            if not numbers or not all(1 <= number <= 24 for number in numbers):
                raise MuseError(f"ifus is {list(numbers)}: name IFUs between 1 and 24")
            made = replace(made, ifus=numbers)
        return made
