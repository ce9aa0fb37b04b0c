"""How exposures are combined: the keywords of `muse_nb.combine` as one frozen object, and what is refused in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TypedDict, Unpack

from muse_nb.core.errors import MuseError
from muse_nb.resample.stream import EXTENSIONS, Settings, default_threads

__all__ = ["AS_NEEDED", "CombineOptions", "CombineSettings"]

AS_NEEDED = -1  # ranges of wavelength: as many as the memory asks for

ENGINES = ("stream", "eso")
METHODS = ("drizzle", "nearest")
CRTYPES = ("median", "others")


class CombineOptions(TypedDict, total=False):
    """Keywords of `muse_nb.combine` and `muse_nb.cube`; `CombineSettings` says what each means."""

    engine: str
    resample: str
    pixfrac: float | tuple[float, float]
    crsigma: float
    crtype: str
    weight: str
    lambdamin: float
    lambdamax: float
    filters: Sequence[str]
    filter_list: str | Path | None
    extensions: Sequence[str]
    memory: float | None
    threads: int | None
    grid: str | Path | None
    split: int
    scheduler: str | None
    workers: int
    checks: bool
    allow_missing: bool
    force: bool


@dataclass(frozen=True)
class CombineSettings:
    """How to combine, with the defaults of muse_exp_combine.

    Attributes
    ----------
    engine : str
        ``stream``, or ``eso`` for muse_exp_combine.
    resample : str
        ``drizzle``, or ``nearest``: each voxel is the row that lies closest to its centre.
    pixfrac : float or tuple of float
        Size of a drop over that of a voxel; one number, or one on the sky and one in wavelength.
    crsigma : float
        Threshold of the rejection of cosmic rays, times the MAD; 0 for none.
    crtype : str
        ``median`` or ``others``.
    weight : str
        ``exptime``, ``fwhm``, ``header`` or ``none``.
    lambdamin, lambdamax : float
        Wavelength limits [Angstrom].
    filters : sequence of str
        Images to make.
    filter_list : path or None
        FILTER_LIST.
    extensions : sequence of str
        ``EXPMAP``, ``DQ``: what the cube says of its voxels beside DATA and STAT.
    memory : float or None
        Of the stream engine [byte].
    threads : int or None
        By default, the processors at hand.
    grid : path or None
        OUTPUT_WCS or cube whose grid is taken.
    split : int
        Ranges of wavelength for ``eso``; `AS_NEEDED`: as the memory asks for.
    scheduler : str or None
        Address of a dask scheduler.
    workers : int
        Processes on this machine that make the slabs.
    checks : bool
        Hold the cube against its exposures afterwards.
    allow_missing : bool
        Combine an exposure that the offset list lacks, without an offset.
    force : bool
        Replace a cube that is there, and run ``eso`` though memory or disk are short.
    """

    engine: str = "stream"
    resample: str = "drizzle"
    pixfrac: float | tuple[float, float] = 0.6
    crsigma: float = 10.0
    crtype: str = "median"
    weight: str = "exptime"
    lambdamin: float = 4000.0
    lambdamax: float = 10000.0
    filters: Sequence[str] = ("white",)
    filter_list: str | Path | None = None
    extensions: Sequence[str] = ()
    memory: float | None = None
    threads: int | None = None
    grid: str | Path | None = None
    split: int = 0
    scheduler: str | None = None
    workers: int = 0
    checks: bool = True
    allow_missing: bool = False
    force: bool = False

    @classmethod
    def of(cls, function: str, /, **options: Unpack[CombineOptions]) -> CombineSettings:
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

    def check(self) -> None:
        """Hold the settings against each other.

        Raises
        ------
        MuseError
            There is no such choice, or two of them exclude each other.
        """
        unknown = sorted(set(self.extensions) - set(EXTENSIONS))
        if unknown:
            raise MuseError(f"there is no extension {unknown[0]!r}: choose from {', '.join(EXTENSIONS)}")
        for what, value, choices in (
            ("engine", self.engine, ENGINES),
            ("resampling", self.resample, METHODS),
            ("crtype", self.crtype, CRTYPES),
        ):
            if value not in choices:
                raise MuseError(f"there is no {what} {value!r}: choose {' or '.join(choices)}")
        if self.engine == "eso":
            self._check_eso()
        fractions = self.resampling().pixfrac
        if not all(0 < fraction <= 1 for fraction in fractions):
            raise MuseError(f"pixfrac is {fractions}: it is above 0 and at most 1")
        if self.split and self.engine != "eso":
            raise MuseError("only muse_exp_combine needs to be split: the stream engine keeps to --memory by itself")
        if not self.lambdamin < self.lambdamax:
            limits = f"{self.lambdamin:g} and {self.lambdamax:g}"
            raise MuseError(f"there is nothing between {limits} Angstrom: swap the limits")

    def _check_eso(self) -> None:
        if self.crtype == "others":
            raise MuseError("muse_exp_combine has no crtype 'others': take the stream engine")
        if self.extensions:
            names = " or ".join(self.resampling().extensions)
            raise MuseError(f"muse_exp_combine makes no {names}: take the stream engine")
        if self.scheduler or self.workers:
            raise MuseError("muse_exp_combine cannot run on a cluster: take the stream engine")

    def resampling(self) -> Settings:
        """What of it the resampling needs."""
        return Settings(
            pixfrac=self.pixfrac if isinstance(self.pixfrac, tuple) else (self.pixfrac, self.pixfrac),
            crsigma=self.crsigma,
            low=self.lambdamin,
            high=self.lambdamax,
            memory=self.memory,
            threads=self.threads or default_threads(),
            resample=self.resample,
            crtype=self.crtype,
            extensions=tuple(name for name in EXTENSIONS if name in self.extensions),
        )

    def images(self, cube: Path) -> dict[str, Path]:
        """Names of the images beside a cube, by filter."""
        return {name: cube.with_name(f"{cube.stem}_IMAGE_FOV_{_for_a_name(name)}.fits") for name in self.filters}


def _for_a_name(text: str) -> str:
    return "".join(c if c.isalnum() or c in "-_" else "_" for c in text)
