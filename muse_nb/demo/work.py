"""A demo's folder: where each stage finds what the others made, and what was measured."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from muse_nb.core.errors import MuseError
from muse_nb.core.progress import Progress

if TYPE_CHECKING:
    from muse_nb.steps.survey.survey import Survey

__all__ = ["Demo", "check_room"]


@dataclass(frozen=True)
class Demo:
    """Where the demo's files are, and what it found.

    Attributes
    ----------
    folder : pathlib.Path
    engine : str
        ``eso`` or ``own``.
    exposures : int
    layout : str
    seed : int
    jobs : int
    numbers : dict of str to float
        What was measured, for the summary.
    seconds : dict
        Wall time of each stage [s].
    """

    folder: Path
    engine: str
    exposures: int
    layout: str
    seed: int
    jobs: int
    numbers: dict[str, float] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def night(self) -> Path:
        """Raw frames, calibrations, truth and reduced exposures."""
        return self.folder / "night"

    @property
    def products(self) -> Path:
        """What was made of several exposures."""
        return self.folder / "products"

    @property
    def frames(self) -> Path:
        """The verdict on each OBJECT_RED frame."""
        return self.products / "frames.csv"

    @property
    def offset_list(self) -> Path:
        """The measured offsets."""
        return self.products / "OFFSET_LIST.fits"

    @property
    def cube(self) -> Path:
        """The combined cube."""
        return self.products / "DATACUBE_FINAL.fits"

    @property
    def cube_without(self) -> Path:
        """The same exposures combined without offsets."""
        return self.products / "DATACUBE_without_offsets.fits"

    def survey(self) -> Survey:
        """What is in the night by now."""
        from muse_nb.steps.survey.survey import survey

        return survey(self.night)

    def after(self, stage: str, seconds: float, numbers: dict[str, float]) -> Demo:
        """The same with what a stage took [s] and measured."""
        return replace(self, seconds=self.seconds | {stage: seconds}, numbers=self.numbers | numbers)


def check_room(folder: Path, need: float, tell: Progress) -> None:
    """Make a demo's folder, and say what it takes of the disk, of `need` bytes in all.

    Raises
    ------
    MuseError
        The disk is too small.
    """
    folder.mkdir(parents=True, exist_ok=True)
    there = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    free = shutil.disk_usage(folder).free
    room = f"{there / 1e9:.1f} GB are there, {free / 1e9:.0f} GB free"
    tell(f"disk: about {need / 1e9:.1f} GB in {folder} ({room})", 0, 0)
    if need - there > free:
        raise MuseError(f"{folder} has {free / 1e9:.1f} GB left: free some, or choose another folder with -o")
