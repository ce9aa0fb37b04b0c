"""What the combine heals: which holes of an exposure other dithers fill, and which stay."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from muse_nb.core.atomic import write_table
from muse_nb.core.errors import MuseError
from muse_nb.core.html import Shown, findings_html, table_html
from muse_nb.core.progress import Progress, watched
from muse_nb.products.badpix_table import BadpixTable
from muse_nb.products.offset_list import OffsetList
from muse_nb.products.pixtable import PixelTable
from muse_nb.resample.grid import CubeGrid, lay_out
from muse_nb.resample.inputs import Inputs
from muse_nb.resample.stream import Settings, default_threads, planes
from muse_nb.resample.weights import exposure_weights
from muse_nb.steps.combine.before import check_offsets, check_tables
from muse_nb.steps.nans.causes import CODES, Cause, NanPlanes, causes_of_plane
from muse_nb.steps.nans.layout import border, explain_empty
from muse_nb.steps.nans.placement import OURS, Placement, Resampling
from muse_nb.steps.nans.reach import Tables, coverage_of
from muse_nb.steps.nans.trace import trace

if TYPE_CHECKING:
    from astropy.table import Table
    from matplotlib.axes import Axes

__all__ = ["Dither", "Healing", "heal_nans"]


@dataclass(frozen=True)
class Dither:
    """The holes of one exposure on the grid of the combined cube.

    Attributes
    ----------
    date_obs : str
        DATE-OBS.
    voxels : int
        Of its field.
    holes, healed : dict
        Cause to the number of its NaN inside its field, and of those that other exposures fill.
    fraction : numpy.ndarray
        NaN over all planes, float32, shape (ny, nx); NaN outside its field.
    """

    date_obs: str
    voxels: int
    holes: dict[Cause, int] = field(repr=False)
    healed: dict[Cause, int] = field(repr=False)
    fraction: NDArray[np.float32] = field(repr=False)

    @property
    def missing(self) -> float:
        """NaN over the voxels of its field."""
        return sum(self.holes.values()) / max(1, self.voxels)

    @property
    def staying(self) -> float:
        """NaN that no other exposure fills, over the voxels of its field."""
        return (sum(self.holes.values()) - sum(self.healed.values())) / max(1, self.voxels)


@dataclass(frozen=True)
class Healing(Shown):
    """What a combine heals; the field of an exposure ends a spaxel before its ragged edge.

    Attributes
    ----------
    grid : CubeGrid
        Of the combined cube.
    dithers : tuple of Dither
        The exposures, in the order of time.
    nan : NanPlanes
        Where the combined cube is NaN, voxel by voxel.
    fraction : numpy.ndarray
        NaN of the combined cube over all planes, float32, shape (ny, nx); NaN outside all fields.
    notes : tuple of str
        What is odd about the exposures, a sentence each.
    """

    grid: CubeGrid
    dithers: tuple[Dither, ...]
    nan: NanPlanes = field(repr=False)
    fraction: NDArray[np.float32] = field(repr=False)
    notes: tuple[str, ...] = ()

    @property
    def remaining(self) -> int:
        """NaN of the combined cube inside the field of any exposure."""
        inside = self.fraction[np.isfinite(self.fraction)].astype(np.float64)
        return round(float(inside.sum()) * self.grid.shape[0])

    @property
    def remaining_fraction(self) -> float:
        """The same over all voxels inside the field of any exposure."""
        return self.remaining / max(1, int(np.isfinite(self.fraction).sum()) * self.grid.shape[0])

    @property
    def table(self) -> Table:
        """Columns exposure, cause, voxels (NaN inside its field), healed, stays, healed_fraction; most voxels first."""
        from astropy.table import Table

        rows = []
        for dither in self.dithers:
            for cause, number in sorted(dither.holes.items(), key=lambda item: -item[1]):
                healed = dither.healed[cause]
                rows.append((dither.date_obs, cause.value, number, healed, number - healed, healed / number))
        names = ("exposure", "cause", "voxels", "healed", "stays", "healed_fraction")
        table = Table(rows=rows or None, names=names, dtype=(str, str, int, int, int, float))
        table["healed_fraction"].info.format = ".4f"
        return table

    def totals(self) -> dict[Cause, tuple[int, int]]:
        """NaN and healed by cause, summed over the exposures; most NaN first."""
        sums: dict[Cause, tuple[int, int]] = {}
        for dither in self.dithers:
            for cause, number in dither.holes.items():
                before = sums.get(cause, (0, 0))
                sums[cause] = (before[0] + number, before[1] + dither.healed[cause])
        return dict(sorted(sums.items(), key=lambda item: -item[1][0]))

    @property
    def findings(self) -> list[str]:
        """What to know, one sentence each."""
        totals = self.totals()
        holes, healed = (sum(numbers[part] for numbers in totals.values()) for part in (0, 1))
        voxels = sum(dither.voxels for dither in self.dithers)
        said = [note[0].upper() + note[1:] + "." for note in self.notes]
        said.append(
            f"{holes / max(1, voxels):.2%} of the field is NaN in one exposure of {len(self.dithers)} on average; the"
            f" others fill {healed / max(1, holes):.1%} of it, and {self.remaining_fraction:.2%} of the combined field"
            f" ({self.remaining} voxels) stays NaN."
        )
        for cause, (number, filled) in totals.items():
            left = f"{number - filled} stay" if number > filled else "none stays"
            name = cause[0].upper() + cause[1:]
            said.append(f"{name}: {number} voxels in all exposures, {filled} are filled, {left}.")
        worst = max(self.dithers, key=lambda dither: dither.staying)
        if worst.staying > 0 and len(self.dithers) > 1:
            text = f"The most stays of {worst.date_obs}: {worst.staying:.2%} of its field, of {worst.missing:.2%}."
            said.append(text)
        return said

    def plot(self, axes: Sequence[Axes] | None = None) -> Sequence[Axes]:
        """Draw the worst exposure, the combined cube, and what stays of every exposure's holes, on three axes."""
        from muse_nb.steps.nans.figures import plot_healing

        worst = max(self.dithers, key=lambda dither: dither.missing)
        maps = (
            (f"{worst.date_obs[:19]}: {worst.missing:.2%} NaN", worst.fraction),
            (f"combined: {self.remaining_fraction:.2%} NaN", self.fraction),
        )
        stays = np.array([100 * dither.staying for dither in self.dithers])
        filled = np.array([100 * (dither.missing - dither.staying) for dither in self.dithers])
        times = [dither.date_obs[11:19] for dither in self.dithers]
        return plot_healing(maps, dict(self.grid.cards()), times, filled, stays, axes)

    def summary(self) -> dict[str, object]:
        """Everything as plain numbers and lists, as ``muse-nb nans --heal --json`` prints it."""
        return {
            "shape": list(self.grid.shape),
            "nan_in_field": self.remaining,
            "nan_fraction_in_field": self.remaining_fraction,
            "exposures": [
                {
                    "exposure": dither.date_obs,
                    "nan_fraction_in_field": dither.missing,
                    "staying_fraction_in_field": dither.staying,
                    "causes": [
                        {
                            "cause": cause.value,
                            "voxels": number,
                            "healed": dither.healed[cause],
                            "stays": number - dither.healed[cause],
                        }
                        for cause, number in dither.holes.items()
                    ],
                }
                for dither in self.dithers
            ],
            "findings": self.findings,
        }

    def write(self, path: str | Path, *, force: bool = False) -> Path:
        """Write the table as CSV (or in any form that astropy knows from the ending); return its path."""
        return write_table(self.table, path, force=force)

    def __str__(self) -> str:
        """Tell the findings as text."""
        return "\n".join(f"- {text}" for text in self.findings)

    def _repr_html_(self) -> str:
        rows = [(cause, number, healed, number - healed) for cause, (number, healed) in self.totals().items()]
        return findings_html(self.findings) + table_html(("cause", "voxels", "healed", "stay"), rows)


def heal_nans(
    pixtables: Iterable[str | Path],
    offsets: str | Path | OffsetList | None = None,
    badpix: str | Path | None = None,
    *,
    pixfrac: float = 0.6,
    crsigma: float = 10.0,
    lambdamin: float = 4000.0,
    lambdamax: float = 10000.0,
    allow_missing: bool = False,
    threads: int | None = None,
    progress: Progress | None = None,
    cancel: Event | None = None,
) -> Healing:
    """Find which holes of each exposure other dithers fill in the combine, and which stay.

    The grid and the NaN are those of the cube that `muse_nb.combine` and muse_exp_combine make of the same tables with
    the same parameters; it need not be there. Only data that are not finite though their dq is 0 are spread to their
    neighbours by the recipe, and left out here.

    Parameters
    ----------
    pixtables
        PIXTABLE_REDUCED of each exposure.
    offsets
        OFFSET_LIST, or the file.
    badpix
        BADPIX_TABLE that went into the reduction, to tell its flags from those that the recipes set.
    pixfrac, crsigma, lambdamin, lambdamax, allow_missing
        As of `muse_nb.combine`.
    threads
        By default, the processors at hand.
    progress
        Called with what is done, how much of it, and of how much.
    cancel
        Stops when set.

    Raises
    ------
    MuseError
        The exposures or the offsets are not fit to be combined, a file cannot be read, or it was cancelled.

    Examples
    --------
    >>> tables = muse_nb.survey("night").files_of("PIXTABLE_REDUCED")[:2]
    >>> healing = muse_nb.heal_nans(tables, "OFFSET_LIST.fits", lambdamin=6300, lambdamax=6350)
    >>> len(healing.dithers)
    2
    """
    step = watched(progress, cancel, "the search for what the combine heals")
    tables = sorted((PixelTable.open(path) for path in pixtables), key=lambda t: str(t.header.get("DATE-OBS")))
    listed = OffsetList.read(offsets) if isinstance(offsets, str | Path) else offsets
    notes = check_tables(tables) + check_offsets(tables, listed, allow_missing=allow_missing)
    known = None if badpix is None else BadpixTable.open(badpix)
    settings = Settings(
        pixfrac=(pixfrac, pixfrac),
        crsigma=crsigma,
        low=lambdamin,
        high=lambdamax,
        threads=threads or default_threads(),
    )
    how = Resampling(
        recipe=OURS,
        pixfrac=(pixfrac, pixfrac, pixfrac),
        crsigma=crsigma,
        lambda_range=(lambdamin, lambdamax),
        spreads=False,
    )
    with Inputs(tables, listed, exposure_weights(tables, "exptime"), lambdamin, lambdamax, settings.threads) as inputs:
        if len(inputs.exposures) > len(tables):
            raise MuseError("a PIXTABLE_COMBINED holds several exposures: give the PIXTABLE_REDUCED of each")
        grid = lay_out(inputs.exposures)
        combined = NanPlanes.collect(grid.shape, _nan_planes(inputs, grid, settings, "planes combined", step))
        dithers = []
        for number, table in enumerate(tables):
            what = f"planes of {table.path.parent.name}"
            alone = NanPlanes.collect(grid.shape, _nan_planes(inputs.only(number), grid, settings, what, step))
            moved = inputs.exposures[number].offset, inputs.exposures[number].angle
            place: tuple[float, ...] = (*moved[0], moved[1]) if moved[1] else moved[0]
            offset = {str(table.header["DATE-OBS"])[:23]: place}
            angle = abs(float(str(table.header.get("ESO INS DROT POSANG", 0.0))))
            placement = Placement.on(dict(grid.cards()), grid.shape, how, offset, tables[0], angle)
            dithers.append(_dither(Tables([table], placement, known), alone, combined, step))
    inside = np.logical_or.reduce([np.isfinite(dither.fraction) for dither in dithers])
    inside &= ~border(inside)
    fraction = np.where(inside, combined.count() / np.float32(grid.shape[0]), np.nan).astype(np.float32)
    return Healing(grid, tuple(dithers), combined, fraction, tuple(notes))


def _nan_planes(
    inputs: Inputs, grid: CubeGrid, settings: Settings, what: str, step: Progress
) -> Iterator[NDArray[np.bool_]]:
    """Planes of a cube, True where it is NaN."""
    for plane in planes(inputs, grid, settings):
        step(what, plane.number + 1, grid.shape[0])
        yield np.isnan(plane.data)


def _dither(source: Tables, alone: NanPlanes, combined: NanPlanes, step: Progress) -> Dither:
    """Count the holes of one exposure by cause, all and those that are filled."""
    reach = coverage_of(source, step)
    empty = explain_empty(reach.last >= 0, reach.centres)
    holes = trace(alone, replace(source, cut=reach.cut), reach, step)
    inside = empty.inside & ~border(empty.inside)  # it is ragged there
    counts = np.zeros((2, len(Cause) + 1), np.int64)
    missing = np.zeros(inside.shape, np.int64)
    for k, (nan, left) in enumerate(zip(alone, combined, strict=True)):
        codes = causes_of_plane(k, nan & inside, reach.first, reach.last, empty.cause, holes)
        missing += codes > 0
        counts[0] += np.bincount(codes.reshape(-1), minlength=len(Cause) + 1)
        counts[1] += np.bincount(codes[~left], minlength=len(Cause) + 1)
    found = {cause: (int(counts[0, code]), int(counts[1, code])) for cause, code in CODES.items() if counts[0, code]}
    nz = alone.shape[0]
    return Dither(
        date_obs=str(source.tables[0].header["DATE-OBS"]).strip(),
        voxels=int(inside.sum()) * nz,
        holes={cause: number for cause, (number, _) in found.items()},
        healed={cause: healed for cause, (_, healed) in found.items()},
        fraction=np.where(inside, missing / nz, np.nan).astype(np.float32),
    )
