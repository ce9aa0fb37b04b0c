"""With the bad-pixel table and without: what it costs, what it keeps out, and what to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from muse_nb.core.errors import MuseError
from muse_nb.core.progress import Progress
from muse_nb.products.cube_file import CubeFile
from muse_nb.steps.badpix.repair import Repair, repair
from muse_nb.steps.inspect.slices import MAD
from muse_nb.steps.nans.audit import NanAudit, audit_nans

if TYPE_CHECKING:
    from astropy.table import Table

__all__ = ["BadpixComparison", "Gain", "Side", "compare_badpix"]

SIGMA = 8.0  # a voxel that differs by more from its neighbours in wavelength is an outlier
COSTLY = 0.001  # of the field: a table that loses less may stay as it is


@dataclass(frozen=True)
class Side:
    """One of the two reductions."""

    name: str
    cube: Path
    pixtable: Path
    badpix: Path | None
    audit: NanAudit = field(repr=False)


@dataclass(frozen=True)
class Gain:
    """Voxels that only the second reduction has, against those that both have.

    Attributes
    ----------
    gained, lost : int
        Voxels that are NaN in the first only, in the second only.
    field : int
        Voxels of the field.
    noise_common, noise_gained : float
        Robust scatter against the neighbours in wavelength over what STAT predicts.
    outliers_common, outliers_gained : float
        Part of the voxels further than 8 sigma from their neighbours.
    """

    gained: int
    lost: int
    field: int
    noise_common: float
    noise_gained: float
    outliers_common: float
    outliers_gained: float


@dataclass(frozen=True)
class BadpixComparison:
    """Two reductions of an exposure side by side.

    Attributes
    ----------
    first, second : Side
        Usually with and without the table.
    gain : Gain
        What the second has that the first has not.
    repair : Repair or None
        Rows of the first table that are good pixels.
    """

    first: Side
    second: Side
    gain: Gain
    repair: Repair | None = field(repr=False)

    @property
    def table(self) -> Table:
        """NaN voxels by cause in both, and the difference."""
        from astropy.table import Table

        one, two = self.first.audit.totals(), self.second.audit.totals()
        causes = sorted(set(one) | set(two), key=lambda cause: -abs(one.get(cause, 0) - two.get(cause, 0)))
        return Table(
            {
                "cause": causes,
                self.first.name: [one.get(cause, 0) for cause in causes],
                self.second.name: [two.get(cause, 0) for cause in causes],
                "difference": [two.get(cause, 0) - one.get(cause, 0) for cause in causes],
            }
        )

    @property
    def advice(self) -> str:
        """One sentence, with the numbers behind it."""
        gain = self.gain
        share = gain.gained / max(1, gain.field)
        name = self.first.badpix.name if self.first.badpix else self.first.name
        worse = gain.outliers_gained > 3 * gain.outliers_common + 0.01
        text = f"{name} takes {share:.2%} of the field; of what it takes, {gain.outliers_gained:.1%} are outliers"
        text += f" (of the rest, {gain.outliers_common:.2%}) and the noise is {gain.noise_gained:.2f} of the expected"
        text += f" ({gain.noise_common:.2f})"
        if share < COSTLY:
            return f"{text}: it costs next to nothing, keep it."
        if worse and (self.repair is None or self.repair.drop.mean() < 0.2):
            return f"{text}: keep it, it keeps bad pixels out."
        if self.repair is not None and self.repair.drop.mean() < 0.98:
            good = int(self.repair.drop.sum())
            return f"{text}: repair it, {good} of its {len(self.repair.badpix)} pixels are good (repair().write(...))."
        return f"{text}: nothing is gained by it, drop it."

    @property
    def findings(self) -> list[str]:
        """What to know, one sentence each."""
        one, two = (side.audit.nan_fraction_in_field for side in (self.first, self.second))
        said = [f"NaN inside the field: {one:.2%} {self.first.name}, {two:.2%} {self.second.name}."]
        said.append(f"{self.gain.gained} voxels come back, {self.gain.lost} go.")
        return [*said, *(self.repair.findings if self.repair else []), self.advice]

    def plot(self, axes: Any = None) -> Any:
        """Draw both maps of NaN, and the causes side by side."""
        from muse_nb.steps.nans.figures import plot_comparison

        return plot_comparison(self, axes)

    def __str__(self) -> str:
        """Tell the findings as text."""
        return "\n".join(f"- {text}" for text in self.findings)

    def _repr_html_(self) -> str:
        items = "".join(f"<li>{escape(text)}</li>" for text in self.findings)
        head = "".join(f"<th>{escape(name)}</th>" for name in self.table.colnames)
        rows = "".join("<tr>" + "".join(f"<td>{escape(str(v))}</td>" for v in row) + "</tr>" for row in self.table)
        return f"<ul>{items}</ul><table><tr>{head}</tr>{rows}</table>"


def compare_badpix(
    exposure: str | Path | Sequence[str | Path],
    calibrations: str | Path | None = None,
    tables: tuple[bool | str | Path, bool | str | Path] = (True, False),
    output: str | Path = "badpix",
    *,
    names: tuple[str, str] = ("with", "without"),
    progress: Progress | None = None,
    **options: Any,
) -> BadpixComparison:
    """Reduce an exposure with a bad-pixel table and without (or with two tables) and compare.

    Parameters
    ----------
    exposure
        The raw frame; or two folders that hold reductions of it already (DATACUBE_FINAL and PIXTABLE_REDUCED).
    calibrations
        Folder of the calibrations; not needed with two folders.
    tables
        For each reduction: True for the BADPIX_TABLE of the calibrations, False for none, or a table. With two folders,
        the tables that went into them, where they are known.
    output
        Folder for the two reductions; what is there is not made again.
    names
        What to call the two.
    progress
        As of `muse_nb.recipes.reduce.reduce`.
    **options
        Go to `muse_nb.recipes.reduce.reduce`.

    Raises
    ------
    MuseError
        A file is missing, the recipes are not installed or fail.
    """
    if isinstance(exposure, str | Path):
        if calibrations is None:
            raise MuseError(f"{exposure} cannot be reduced without calibrations: give their folder, or two reductions")
        folders = _reduce(Path(exposure), Path(calibrations), tables, Path(output), names, progress, options)
        known = [_table_of(table, Path(calibrations)) for table in tables]
    else:
        folders = [Path(folder) for folder in exposure]
        if len(folders) != 2:
            raise MuseError(f"{len(folders)} folders given: a comparison needs two reductions")
        known = [Path(table) if isinstance(table, str | Path) else None for table in tables]
    sides = [_side(name, folder, table) for name, folder, table in zip(names, folders, known, strict=True)]
    first, second = sides
    judged = repair(first.badpix, [first.pixtable]) if first.badpix is not None else None
    return BadpixComparison(first, second, compare_cubes(first, second), judged)


def _reduce(
    raw: Path,
    calibrations: Path,
    tables: tuple[bool | str | Path, bool | str | Path],
    output: Path,
    names: tuple[str, str],
    progress: Progress | None,
    options: dict[str, Any],
) -> list[Path]:
    from muse_nb.recipes.reduce import reduce

    made = [
        reduce(raw, calibrations, output / name, badpix=table, progress=progress, **options)
        for name, table in zip(names, tables, strict=True)
    ]
    return [reduction.folder for reduction in made]


def _table_of(table: bool | str | Path, calibrations: Path) -> Path | None:
    if not isinstance(table, bool):
        return Path(table)
    if not table:
        return None
    found = sorted(calibrations.glob("BADPIX_TABLE.fits")) or sorted(calibrations.glob("BADPIX_TABLE*.fits"))
    return found[0] if found else None


def _side(name: str, folder: Path, badpix: Path | None) -> Side:
    cubes = sorted(folder.glob("DATACUBE_FINAL*.fits"))
    tables = sorted(folder.glob("PIXTABLE_REDUCED*.fits"))
    if not cubes or not tables:
        what = "DATACUBE_FINAL" if not cubes else "PIXTABLE_REDUCED"
        raise MuseError(f"{folder} holds no {what}: reduce the exposure with save=cube,individual")
    audit = audit_nans(cubes[0], tables, badpix)
    return Side(name, cubes[0], tables[0], badpix, audit)


def compare_cubes(first: Side, second: Side) -> Gain:
    """Compare two cubes of the same exposure, plane by plane.

    Raises
    ------
    MuseError
        They are not on the same grid.
    """
    one, two = first.audit.cube, second.audit.cube
    if one.shape != two.shape:
        raise MuseError(f"{one.path} and {two.path} have different sizes: reduce both with the same parameters")
    gained = lost = 0
    common_values: list[np.ndarray] = []
    gained_values: list[np.ndarray] = []
    for k, here, there, deviation in _deviations(one, two):
        new = np.isnan(here) & np.isfinite(there)
        gained += int(new.sum())
        lost += int((np.isfinite(here) & np.isnan(there)).sum())
        known = np.isfinite(deviation)
        gained_values.append(deviation[new & known])
        if k % 4 == 0:  # a quarter of the others is enough
            common_values.append(deviation[np.isfinite(here) & known])
    both, only = (np.concatenate(values) if values else np.zeros(0) for values in (common_values, gained_values))
    inside = int(second.audit.empty.inside.sum()) * two.shape[0]
    return Gain(gained, lost, inside, _scatter(both), _scatter(only), _outliers(both), _outliers(only))


def _deviations(one: CubeFile, two: CubeFile) -> Any:
    """Planes of both cubes, and of the second its deviation from the planes beside it [sigma of STAT]."""
    nz = two.shape[0]
    with one.reader() as first, two.reader() as second, two.reader("STAT" if two.has("STAT") else "DATA") as variance:
        for k in range(1, nz - 1):
            before, here, after = second(k - 1), second(k), second(k + 1)
            stat = variance(k) if two.has("STAT") else np.ones_like(here)
            with np.errstate(invalid="ignore", divide="ignore"):
                deviation = (here - 0.5 * (before + after)) / np.sqrt(1.5 * stat)
            yield k, first(k), here, deviation


def _scatter(values: np.ndarray) -> float:
    return float(MAD * np.median(np.abs(values))) if values.size else float("nan")


def _outliers(values: np.ndarray) -> float:
    return float((np.abs(values) > SIGMA).mean()) if values.size else 0.0
