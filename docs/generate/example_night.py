"""The folder in which the examples of the reference are run: a small simulated night, its offsets and its cube."""

from __future__ import annotations

from pathlib import Path

import muse_nb

__all__ = ["make"]


def make(folder: Path) -> None:
    """Make the night of four exposures, then what the examples take as given: OFFSET_LIST.fits and CUBE.fits."""
    muse_nb.simulate(folder / "night", 4, products=True)
    night = muse_nb.survey(folder / "night")
    muse_nb.measure_offsets(night.files_of("IMAGE_FOV")).write(folder / "OFFSET_LIST.fits")
    tables = night.files_of("PIXTABLE_REDUCED")
    muse_nb.combine(tables, folder / "OFFSET_LIST.fits", output=folder / "CUBE.fits", extensions=["DQ", "EXPMAP"])
