"""Chips that the cascade of recipes can take, whole or in part."""

from __future__ import annotations

from dataclasses import replace

from muse_nb.core.errors import MuseError
from muse_nb.simulator.layouts import LAYOUTS, Layout

__all__ = ["CASCADE_LAYOUTS", "cascade_layout"]

# Widths of 75.9 pixels and gaps of 7.1 in the median, as on a real night.
_FULL = replace(LAYOUTS["full"], real=True, width=76.15, pitch=83.2, first_column=48.0)

CASCADE_LAYOUTS = {
    layout.name: layout
    for layout in (
        replace(_FULL, name="cascade", ifus=(1,), text="one IFU at full size, every recipe: 0.5 GB"),
        replace(_FULL, name="cascade-two", ifus=(1, 2), text="two IFUs at full size, every recipe: 1 GB"),
        replace(
            _FULL,
            name="cascade-half",
            ifus=(1,),
            quadrant=(2048, 1028),
            lambda_first=5600.0,
            text="one IFU, half of the rows, 5600-8170 A: no muse_wavecal",
        ),
        replace(
            _FULL,
            name="cascade-short",
            ifus=(1,),
            quadrant=(2048, 200),
            lambda_first=6220.0,
            text="one IFU, a tenth of the rows, 6220-6720 A: no muse_wavecal, no muse_lsf",
        ),
        replace(
            LAYOUTS["micro"],
            name="cascade-micro",
            ifus=tuple(range(1, 7)),
            real=True,
            text="six IFUs with slices of 19 pixels, 6250-6730 A: no tracing, no muse_wavecal, no muse_lsf",
        ),
    )
}
"""By name. What the smaller ones leave out, and why:

* tracing needs 48 slices, the first 72.2 to 82.2 pixels wide and none nearer than 72.2 pixels to the next: those of
  ``cascade-micro`` are refused as too narrow (``muse_flat --trace=false`` makes its MASTER_FLAT all the same);
* muse_wavecal refuses chips of fewer than 4000 rows;
* muse_lsf fits the width from 4650 to 9300 Angstrom by a cubic: with a tenth of the range it returns nonsense;
* muse_twilight scales all IFUs to the first: every layout has IFU 1.

The simulator's own TRACE_TABLE and WAVECAL_TABLE (`muse_nb.simulator.calibrations`) stand in for what cannot be made.
"""


def cascade_layout(name: str) -> Layout:
    """Return a layout by name.

    Raises
    ------
    MuseError
        There is none of that name.
    """
    if name not in CASCADE_LAYOUTS:
        raise MuseError(f"there is no layout {name!r} of raw calibrations: choose one of {', '.join(CASCADE_LAYOUTS)}")
    return CASCADE_LAYOUTS[name]
