"""What the combine heals, in sentences and in figures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from muse_nb.steps.nans.figures import draw_map

if TYPE_CHECKING:
    from muse_nb.steps.nans.heal import Healing

__all__ = ["findings", "plot"]


def findings(healing: Healing) -> list[str]:
    """One sentence for everything that is worth knowing."""
    totals = healing.totals()
    holes, healed = (sum(numbers[part] for numbers in totals.values()) for part in (0, 1))
    voxels = sum(dither.voxels for dither in healing.dithers)
    said = [note[0].upper() + note[1:] + "." for note in healing.notes]
    said.append(
        f"{holes / max(1, voxels):.2%} of the field is NaN in one exposure of {len(healing.dithers)} on average; the"
        f" others fill {healed / max(1, holes):.1%} of it, and {healing.remaining_fraction:.2%} of the combined field"
        f" ({healing.remaining} voxels) stays NaN."
    )
    for cause, (number, filled) in totals.items():
        left = f"{number - filled} stay" if number > filled else "none stays"
        said.append(f"{cause[0].upper() + cause[1:]}: {number} voxels in all exposures, {filled} are filled, {left}.")
    worst = max(healing.dithers, key=lambda dither: dither.staying)
    if worst.staying > 0 and len(healing.dithers) > 1:
        said.append(f"The most stays of {worst.date_obs}: {worst.staying:.2%} of its field, of {worst.missing:.2%}.")
    return said


def plot(healing: Healing, axes: Any = None) -> Any:
    """Draw the map of NaN of the worst exposure and of the combined cube, and what is filled of each exposure.

    Parameters
    ----------
    axes
        Three axes; a new figure when None.
    """
    import matplotlib.pyplot as plt

    dithers = healing.dithers
    if axes is None:
        _, axes = plt.subplots(1, 3, figsize=(13, 4), layout="constrained", width_ratios=(1, 1, 1.1))
    header = dict(healing.grid.cards())
    worst = max(dithers, key=lambda dither: dither.missing)
    top = max(0.02, float(np.nanmax(worst.fraction)), float(np.nanmax(healing.fraction)))
    draw_map(axes[0], worst.fraction, header, top)
    axes[0].set_title(f"{worst.date_obs[:19]}: {worst.missing:.2%} NaN")
    draw_map(axes[1], healing.fraction, header, top)
    axes[1].set_title(f"combined: {healing.remaining_fraction:.2%} NaN")
    place = np.arange(len(dithers))[::-1]
    stays = np.array([100 * dither.staying for dither in dithers])
    filled = np.array([100 * (dither.missing - dither.staying) for dither in dithers])
    axes[2].barh(place, stays, color="#D55E00", label="stays")
    axes[2].barh(place, filled, left=stays, color="#56B4E9", label="filled by the others")
    axes[2].set_yticks(place, [dither.date_obs[11:19] for dither in dithers], fontsize=8)
    axes[2].set(xlabel="NaN in the field of the exposure [%]", title="holes of each exposure")
    axes[2].legend(frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.15), ncols=2)
    return axes
