"""What an engine is given: the exposures and the settings, checked, and how it says how far it is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from muse_nb.core.errors import MuseError
from muse_nb.core.process import Stop
from muse_nb.core.progress import Progress, silent
from muse_nb.products.filters import Filter
from muse_nb.products.offset_list import OffsetList
from muse_nb.products.pixtable import PixelTable
from muse_nb.resample.grid import CubeGrid
from muse_nb.resample.inputs import Inputs
from muse_nb.resample.stream import Settings
from muse_nb.resample.weights import exposure_weights
from muse_nb.steps.combine.settings import CombineSettings

__all__ = ["Cluster", "Job"]


@dataclass(frozen=True)
class Cluster:
    """Where the slabs of the stream engine are made.

    Attributes
    ----------
    scheduler : str or None
        Address of a dask scheduler; None: a cluster of processes on this machine.
    workers : int
        How many processes, where there is no scheduler.
    """

    scheduler: str | None = None
    workers: int = 0


@dataclass(frozen=True)
class Job:
    """All that an engine needs, checked.

    Attributes
    ----------
    tables : list of PixelTable
        In the order of time.
    offsets : OffsetList or None
    settings : CombineSettings
    resampling : Settings
        What of `settings` the resampling needs.
    output : pathlib.Path
        The cube.
    images : dict of str to pathlib.Path
        IMAGE_FOV by filter.
    curves : dict or None
        Of the FILTER_LIST.
    grid : CubeGrid or None
        The one that is asked for.
    calibrations : tuple
        Name and category of the files that go in beside the exposures.
    notes : list of str
        What is odd about the exposures, a sentence each.
    progress : Progress
    cancel : Stop or None
    """

    tables: list[PixelTable]
    offsets: OffsetList | None
    settings: CombineSettings
    resampling: Settings
    output: Path
    images: dict[str, Path]
    curves: dict[str, Filter] | None
    grid: CubeGrid | None
    calibrations: tuple[tuple[str, str], ...]
    notes: list[str]
    progress: Progress = silent
    cancel: Stop | None = None

    @property
    def cluster(self) -> Cluster | None:
        """Where the slabs are made, if not in this process."""
        scheduler, workers = self.settings.scheduler, self.settings.workers
        return Cluster(scheduler, workers) if scheduler or workers else None

    @property
    def parameters(self) -> dict[str, object]:
        """The recipe's names of the settings."""
        s = self.resampling
        return {
            "resample": s.resample,
            "pixfrac": f"{s.pixfrac[0]},{s.pixfrac[1]}",
            "crtype": s.crtype,
            "crsigma": s.crsigma,
            "weight": self.settings.weight,
            "lambdamin": s.low,
            "lambdamax": s.high,
        }

    def open_inputs(self) -> Inputs:
        """Open the exposures with their offsets and weights; to be closed by ``with``.

        Raises
        ------
        MuseError
            A table cannot be read.
        """
        s = self.resampling
        weights = exposure_weights(self.tables, self.settings.weight)
        return Inputs(self.tables, self.offsets, weights, s.low, s.high, s.threads)

    def stop_if_cancelled(self) -> None:
        """Raise a MuseError where the user wants it to end."""
        if self.cancel is not None and self.cancel.is_set():
            raise MuseError(f"the combine was cancelled: {self.output} was not written")

    def report(self, done: int, planes: int) -> None:
        """Say how many planes of the cube are made."""
        self.progress("planes made", done, planes)
