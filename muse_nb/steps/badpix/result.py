"""What a comparison of two reductions tells: NaN by cause, what one gains over the other, and what to do."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from muse_nb.core.html import Shown, findings_html, table_html
from muse_nb.steps.badpix.repair import Repair
from muse_nb.steps.nans.audit import NanAudit

if TYPE_CHECKING:
    from astropy.table import Table

__all__ = ["COSTLY", "BadpixComparison", "Gain", "Side"]

COSTLY = 0.001  # of the field: a table that loses less may stay as it is
MIN_GOOD_PIXELS = 0.2  # of a table: with fewer it is not worth a repair where what it takes is worse than the rest
MAX_GOOD_PIXELS = 0.98  # of a table: with more nothing is left to keep out
MAX_OUTLIER_RATIO, MAX_OUTLIERS = 3.0, 0.01  # of what it takes, over the rest, and of all: more is worse than the rest


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
class BadpixComparison(Shown):
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
        changed = {cause: abs(one.get(cause, 0) - two.get(cause, 0)) for cause in sorted({*one, *two})}
        causes = sorted(changed, key=lambda cause: -changed[cause])
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
        worse = gain.outliers_gained > MAX_OUTLIER_RATIO * gain.outliers_common + MAX_OUTLIERS
        text = f"{name} takes {share:.2%} of the field; of what it takes, {gain.outliers_gained:.1%} are outliers"
        text += f" (of the rest, {gain.outliers_common:.2%}) and the noise is {gain.noise_gained:.2f} of the expected"
        text += f" ({gain.noise_common:.2f})"
        if share < COSTLY:
            return f"{text}: it costs next to nothing, keep it."
        if worse and (self.repair is None or self.repair.drop.mean() < MIN_GOOD_PIXELS):
            return f"{text}: keep it, it keeps bad pixels out."
        if self.repair is not None and self.repair.drop.mean() < MAX_GOOD_PIXELS:
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
        from muse_nb.steps.badpix.figures import NanMap, plot_comparison

        maps = []
        for side in (self.first, self.second):
            title = f"{side.name}: {side.audit.nan_fraction_in_field:.2%} NaN in the field"
            maps.append(NanMap(title, side.audit.fraction_map(), side.audit.cube.header))
        table = self.table
        voxels = [(side.name, np.asarray(table[side.name]).tolist()) for side in (self.first, self.second)]
        return plot_comparison(maps, list(table["cause"]), voxels, axes)

    def __str__(self) -> str:
        """Tell the findings as text."""
        return "\n".join(f"- {text}" for text in self.findings)

    def _repr_html_(self) -> str:
        return findings_html(self.findings) + table_html(self.table.colnames, self.table)
