"""``muse_nb.simulate``: a night on a globular cluster, with all that the recipes need and the truth beside it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from muse_nb.core.errors import MuseError
from muse_nb.core.progress import Progress, on_terminal
from muse_nb.core.waiting import result
from muse_nb.simulator.fields import draw_field
from muse_nb.simulator.instrument import Instrument
from muse_nb.simulator.layouts import Layout, layout_named
from muse_nb.simulator.plan import pointing
from muse_nb.simulator.room import check_disk
from muse_nb.simulator.truth import exposure_table, offset_table, same_night, write_truth
from muse_nb.simulator.workshop import Task, Workshop
from muse_nb.simulator.world import World

if TYPE_CHECKING:
    from astropy.table import Table
    from matplotlib.axes import Axes

__all__ = ["Night", "disk_needed", "simulate"]

DEMO = World()
MEMORY = 4e9  # that the exposures in work may take together [byte]
MAX_ROTATOR = 10.0  # deg
BYTES_PER_ROW = 150  # of memory while the pixel table of an exposure is made


@dataclass(frozen=True)
class Night:
    """A simulated night on disk.

    Attributes
    ----------
    folder
        Holds ``raw/``, ``calib/``, ``truth/`` and, with products, ``reduced/<label>/``.
    layout, seed
        What was asked for.
    raw
        Raw science frames in time order.
    calibrations
        Calibration files by tag, one or one for each IFU; BADPIX_TABLE_zealous is a second BADPIX_TABLE.
    reduced
        Products written without the recipes, by PRO CATG, in time order.
    stars, offsets, exposures
        The truth, as in ``truth/*.ecsv``.
    made
        How many files were written by this call; the others were there.
    galaxy
        The truth of the field's galaxy, where it has one.
    """

    folder: Path
    layout: Layout
    seed: int
    raw: list[Path]
    calibrations: dict[str, list[Path]]
    reduced: dict[str, list[Path]]
    stars: Table = field(repr=False)
    offsets: Table = field(repr=False)
    exposures: Table = field(repr=False)
    made: int = 0
    galaxy: Table | None = field(default=None, repr=False)

    @property
    def labels(self) -> list[str]:
        """Names of the exposures, in time order."""
        return [str(name) for name in self.exposures["label"]]

    def _repr_html_(self) -> str:
        facts = f"{len(self.exposures)} exposures, layout {self.layout.name} ({self.layout.text}), seed {self.seed}"
        return f"<p><b>{escape(str(self.folder))}</b>: {escape(facts)}</p>{self.exposures._repr_html_()}"

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the true offsets of the exposures: the derotator's wobble; return the axes."""
        from muse_nb.simulator.figures import plot_offsets

        return plot_offsets(self.offsets, ax)


def disk_needed(layout: str, exposures: int, *, raw: bool = True, products: bool = False) -> int:
    """Bytes that :func:`simulate` will write, from sizes alone (good to a few per cent)."""
    size = layout_named(layout)
    frame = int(np.prod(size.raw_shape)) * 2 + 12_000
    trimmed = size.nx * size.ny * 12 + 40_000
    calibrations = len(size.ifus) * (2 * trimmed + 80_000 + frame) + 1_000_000
    calibrations += len(size.ifus) * int(0.07 * size.nx * size.ny) * 16
    calibrations += int(size.spaxels * 4 + 3) * len(size.ifus) * 12 * 4 * (2 + int(size.ny * 1.25 / 250))
    total = calibrations
    if raw:
        total += exposures * len(size.ifus) * frame
    if products:
        total += exposures * (len(size.ifus) * trimmed + size.rows * 28 + 200_000)
    return total


def simulate(
    folder: str | Path,
    exposures: int = 19,
    layout: str = "micro",
    seed: int = 1,
    *,
    raw: bool = True,
    products: bool = False,
    exptime: float = 60.0,
    rotator: Sequence[float] = (),
    workers: int | None = None,
    force: bool = False,
    progress: Progress | None = None,
    world: World = DEMO,
) -> Night:
    """Simulate a night of MUSE exposures of a globular cluster like NGC 6397, or of another field.

    The exposures share one pointing at rotator angles 0, 90, 180, 270 in turn, with small dithers that the headers
    contain and pointing errors that they do not: a vector of 0.14 arcsec that turns with the rotator, plus scatter.
    The same arguments give the same bytes. Files that are there are kept and only missing ones are made.

    Parameters
    ----------
    folder
        Where to write ``raw``, ``calib``, ``truth`` and ``reduced``.
    exposures
        How many.
    layout
        micro, mini, fov or full (`muse_nb.simulator.layouts`).
    seed
        Draws the cluster, the instrument, the weather and the noise.
    raw
        Write raw frames.
    products
        Also write OBJECT_RED, PIXTABLE_REDUCED and IMAGE_FOV as the recipes would, without them.
    exptime
        [s]
    rotator
        By how much the rotator of each exposure is off, true angle minus ESO INS DROT POSANG [deg]; 0 beyond its end.
    workers
        Threads; as many as the machine has cores, at most 4, when None.
    force
        Make every file again.
    progress
        Called with the tasks done and all; by default a bar on stderr when that is a terminal.
    world
        Mode, field, how real the instrument is, angles; the demo's by default.

    Returns
    -------
    Night

    Raises
    ------
    MuseError
        Unknown layout, a number out of range, another night in `folder`, or not enough room on the disk.

    Examples
    --------
    >>> night = muse_nb.simulate("one", exposures=1, layout="micro")
    >>> len(night.raw), len(night.calibrations["MASTER_FLAT"])
    (1, 6)
    """
    off = _checked(exposures, seed, exptime, rotator)
    folder, instrument = Path(folder), Instrument(world.layout(layout_named(layout)), seed)
    scale = instrument.layout.spaxel / 0.2
    planned = [pointing(k, seed, exptime, off[k], scale=scale) for k in range(exposures)]
    pointings = [world.pointing(one, seed) for one in planned]
    drawn = draw_field(world.field, _radius(instrument), seed)
    truth = {
        "stars": drawn.stars,
        "offsets": offset_table(pointings),
        "exposures": exposure_table(pointings, instrument.layout, seed),
    }
    truth["exposures"].meta |= world.words
    if drawn.galaxy is not None:
        truth["galaxy"] = drawn.galaxy
    same = same_night(folder, truth["exposures"])
    if not same and not force:
        raise MuseError(f"{folder} holds another night: choose another folder, or replace it with --force (force=True)")
    check_disk(
        folder, disk_needed(layout, exposures, raw=raw, products=products), "choose a smaller layout or fewer exposures"
    )
    workshop = Workshop(folder, instrument, drawn.light, pointings, force=force)
    if not same:
        workshop.clear()
    written = write_truth(folder / "truth", truth, force=force)
    tasks = workshop.tasks(raw=raw, products=products)
    workers = workers or _workers(instrument.layout)
    if progress is not None:
        _run(tasks, workers, progress)
    else:
        with on_terminal("file") as bar:
            _run(tasks, workers, bar)
    reduced: dict[str, list[Path]] = {}
    for exposure in pointings if products else []:
        for category, paths in workshop.product_files(exposure).items():
            reduced.setdefault(category, []).extend(paths)
    return Night(
        folder=folder,
        layout=instrument.layout,
        seed=seed,
        raw=[workshop.raw_file(exposure) for exposure in pointings] if raw else [],
        calibrations=workshop.calibration_files(),
        reduced=reduced,
        made=workshop.made + written,
        **truth,
    )


def _checked(exposures: int, seed: int, exptime: float, rotator: Sequence[float]) -> list[float]:
    """Refuse what cannot be simulated; return by how much each exposure's rotator is off [deg]."""
    if not 1 <= exposures <= 500:
        raise MuseError(f"{exposures} exposures cannot be simulated: choose a number from 1 to 500")
    if seed < 0:
        raise MuseError(f"seed {seed} is negative: choose 0 or more")
    if not 0 < exptime <= 3600:
        raise MuseError(f"an exposure time of {exptime} s cannot be simulated: choose one up to 3600 s")
    off = [*rotator, *(exposures * [0.0])]
    if not all(abs(angle) <= MAX_ROTATOR for angle in off):
        raise MuseError(f"a rotator cannot be off by {max(off, key=abs):g} deg: choose up to {MAX_ROTATOR:g} deg")
    return off


def _radius(instrument: Instrument) -> float:
    """Radius within which stars shine into the field [arcsec]."""
    low, high = instrument.limits
    spaxel = instrument.layout.spaxel
    return float(np.hypot(*(high - low)) / 2 * spaxel + 4 * (spaxel / 0.2))


def _workers(layout: Layout) -> int:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(4, cores, int(MEMORY / (BYTES_PER_ROW * layout.rows))))


def _run(tasks: list[Task], workers: int, progress: Progress) -> None:
    """Run tasks in threads: numpy and FITS spend their time outside the interpreter's lock."""
    if not tasks:
        return
    with ThreadPoolExecutor(workers, thread_name_prefix="simulate") as pool:
        futures = [pool.submit(task) for task in tasks]
        try:
            for done, future in enumerate(futures, 1):
                result(future)
                progress("simulate", done, len(futures))
        except BaseException:
            for future in futures:
                future.cancel()
            raise
