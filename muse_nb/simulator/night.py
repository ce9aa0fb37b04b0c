"""``muse_nb.simulate``: a night on a globular cluster, with all that the recipes need and the truth beside it."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from html import escape
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.io import fits

from muse_nb.products.errors import MuseError
from muse_nb.products.whole import whole
from muse_nb.simulator.calibrations import MasterFlat, master_flat, write_chip_calibrations
from muse_nb.simulator.detector import Chip, expose, illumination_flat
from muse_nb.simulator.headers import chip_header, label, lamp_header, observation_header
from muse_nb.simulator.instrument import Instrument
from muse_nb.simulator.layouts import Layout, layout_named
from muse_nb.simulator.plan import Pointing, pointing
from muse_nb.simulator.product_headers import product_files
from muse_nb.simulator.rendering import slice_profiles
from muse_nb.simulator.scene import cluster
from muse_nb.simulator.static import STATIC, write_static
from muse_nb.simulator.truth import check_same_night, exposure_table, offset_table, write_truth

if TYPE_CHECKING:
    from astropy.table import Table

__all__ = ["Night", "disk_needed", "simulate"]

CHIP_CALIBRATIONS = ("MASTER_BIAS", "MASTER_FLAT", "TRACE_TABLE", "WAVECAL_TABLE")
CACHED_PIXELS = 5e7  # chips are kept in memory for a layout with fewer pixels than this in all its IFUs


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

    @property
    def labels(self) -> list[str]:
        """Names of the exposures, in time order."""
        return [str(name) for name in self.exposures["label"]]

    def _repr_html_(self) -> str:
        facts = f"{len(self.exposures)} exposures, layout {self.layout.name} ({self.layout.text}), seed {self.seed}"
        return f"<p><b>{escape(str(self.folder))}</b>: {escape(facts)}</p>{self.exposures._repr_html_()}"

    def plot(self, ax: Any = None) -> Any:
        """Draw the true offsets of the exposures: the derotator's wobble; return the axes."""
        from muse_nb.simulator.truth import plot_offsets

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
    workers: int | None = None,
    force: bool = False,
    progress: Callable[[Iterable[Any]], Iterable[Any]] | None = None,
) -> Night:
    """Simulate a night of MUSE exposures of a globular cluster like NGC 6397.

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
    workers
        Threads; as many as the machine has cores, at most 4, when None.
    force
        Make every file again.
    progress
        Wraps the list of tasks, like `tqdm.tqdm`; by default a bar on stderr when that is a terminal.

    Returns
    -------
    Night

    Raises
    ------
    MuseError
        Unknown layout, a number out of range, another night in `folder`, or not enough room on the disk.
    """
    if exposures < 1 or exposures > 500:
        raise MuseError(f"{exposures} exposures cannot be simulated: choose a number from 1 to 500")
    if seed < 0:
        raise MuseError(f"seed {seed} is negative: choose 0 or more")
    if not 0 < exptime <= 3600:
        raise MuseError(f"an exposure time of {exptime} s cannot be simulated: choose 0 to 3600 s")
    job = _Job(Path(folder), layout_named(layout), seed, exposures, exptime, force)
    job.check(raw=raw, products=products)
    tasks = [*job.calibration_tasks(), *job.exposure_tasks(raw=raw, products=products)]
    workers = workers or min(4, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2)
    _run(tasks, workers, progress or _bar)
    return job.night(raw=raw, products=products, made=job.made)


def _bar(tasks: Iterable[Any]) -> Iterable[Any]:
    from tqdm import tqdm

    return tqdm(tasks, desc="simulate", unit="step", disable=not sys.stderr.isatty())


def _run(tasks: list[Callable[[], None]], workers: int, progress: Callable[[Iterable[Any]], Iterable[Any]]) -> None:
    """Run tasks in threads: numpy and FITS spend their time outside the interpreter's lock."""
    if not tasks:
        return
    with ThreadPoolExecutor(workers, thread_name_prefix="simulate") as pool:
        futures = [pool.submit(task) for task in tasks]
        try:
            for future in progress(futures):
                future.result()
        except BaseException:
            for future in futures:
                future.cancel()
            raise


class _Job:
    """The files of one night and how each is made."""

    def __init__(self, folder: Path, layout: Layout, seed: int, exposures: int, exptime: float, force: bool) -> None:
        self.folder, self.layout, self.seed, self.force = folder, layout, seed, force
        self.instrument = Instrument(layout, seed)
        self.pointings = [pointing(k, seed, exptime) for k in range(exposures)]
        low, high = self.instrument.limits
        self.stars = cluster(float(np.hypot(*(high - low)) / 2 * 0.2 + 4), seed)
        self.made = 0
        self._chips: dict[int, Chip] = {}
        self._flats: dict[int, MasterFlat] = {}
        self._lock = Lock()

    def check(self, *, raw: bool, products: bool) -> None:
        """Refuse a folder with another night and a disk that is too small; write the truth first."""
        tables = self.truth()
        if not self.force:
            check_same_night(self.folder / "truth" / "exposures.ecsv", tables["exposures"])
        self.folder.mkdir(parents=True, exist_ok=True)
        need = disk_needed(self.layout.name, len(self.pointings), raw=raw, products=products)
        free = shutil.disk_usage(self.folder).free
        there = sum(path.stat().st_size for path in self.folder.rglob("*.fits") if path.is_file())
        if need - there > free:
            raise MuseError(
                f"{self.folder} has {free / 1e9:.1f} GB free and the night takes {need / 1e9:.1f} GB:"
                " choose a smaller layout or fewer exposures"
            )
        self.made += write_truth(self.folder / "truth", tables)

    def truth(self) -> dict[str, Table]:
        """The tables of the truth by file name."""
        return {
            "stars": self.stars,
            "offsets": offset_table(self.pointings),
            "exposures": exposure_table(self.pointings, self.layout, self.seed),
        }

    def chip(self, ifu: int) -> Chip:
        """The chip of one IFU: kept for small layouts, worked out again for large ones."""
        with self._lock:
            chip = self._chips.get(ifu)
        if chip is None:  # two threads may both work it out: they get the same
            chip = Chip(self.instrument, ifu)
            if self.layout.nx * self.layout.ny * len(self.layout.ifus) <= CACHED_PIXELS:
                with self._lock:
                    chip = self._chips.setdefault(ifu, chip)
        return chip

    def flat(self, chip: Chip) -> MasterFlat:
        """The master flat of a chip, kept like the chips."""
        with self._lock:
            flat = self._flats.get(chip.ifu)
        if flat is None:
            flat = master_flat(chip)
            if self._chips:
                with self._lock:
                    flat = self._flats.setdefault(chip.ifu, flat)
        return flat

    def chip_files(self, ifu: int) -> dict[str, Path]:
        """Calibrations of one IFU by category."""
        return {name: self.folder / "calib" / f"{name}-{ifu:02d}.fits" for name in CHIP_CALIBRATIONS}

    def calibration_tasks(self) -> list[Callable[[], None]]:
        """What remains to be done for the calibrations."""
        tasks: list[Callable[[], None]] = []
        for ifu in self.layout.ifus:
            missing = {name: path for name, path in self.chip_files(ifu).items() if self.missing(path)}
            if missing:
                tasks.append(partial(self._chip_calibrations, ifu, missing))
        for name in STATIC:
            path = self.folder / "calib" / f"{name}.fits"
            if self.missing(path):
                tasks.append(partial(self._static, name, path))
        illum = self.folder / "calib" / "ILLUM.fits"
        if self.missing(illum):
            tasks.append(partial(self._illum, illum))
        return tasks

    def missing(self, path: Path) -> bool:
        """Whether a file has to be made."""
        return self.force or not path.exists()

    def _chip_calibrations(self, ifu: int, missing: dict[str, Path]) -> None:
        for name, path in missing.items():
            with whole(path, force=self.force) as part:
                write_chip_calibrations(self.chip(ifu), {name: part})
        self._count(len(missing))

    def _static(self, name: str, path: Path) -> None:
        levels = {}
        if name == "TWILIGHT_CUBE":
            levels = {ifu: self.flat(self.chip(ifu)).level for ifu in self.layout.ifus}
        with whole(path, force=self.force) as part:
            write_static(name, self.instrument, levels, part)
        self._count(1)

    def _illum(self, path: Path) -> None:
        frames = {ifu: illumination_flat(self.chip(ifu)) for ifu in self.layout.ifus}
        with whole(path, force=self.force) as part:
            _write_raw(part, lamp_header(self.layout), self.layout, frames)
        self._count(1)

    def raw_file(self, exposure: Pointing) -> Path:
        """Raw frame of one exposure."""
        return self.folder / "raw" / f"MUSE.{label(exposure.date_obs)}.fits"

    def exposure_tasks(self, *, raw: bool, products: bool) -> list[Callable[[], None]]:
        """What remains to be done for the exposures."""
        tasks: list[Callable[[], None]] = []
        for exposure in self.pointings:
            raw_wanted = raw and self.missing(self.raw_file(exposure))
            files = self.product_files(exposure).values()
            products_wanted = products and any(self.missing(path) for paths in files for path in paths)
            if raw_wanted or products_wanted:
                tasks.append(partial(self._expose, exposure, raw=raw_wanted, products=products_wanted))
        return tasks

    def product_files(self, exposure: Pointing) -> dict[str, list[Path]]:
        """Products of one exposure by category."""
        return product_files(self.folder / "reduced" / label(exposure.date_obs), self.layout)

    def _expose(self, exposure: Pointing, *, raw: bool, products: bool) -> None:
        profiles = slice_profiles(self.instrument, self.stars, exposure)
        frames = {ifu: expose(self.chip(ifu), profiles[ifu], exposure) for ifu in self.layout.ifus}
        if raw:
            with whole(self.raw_file(exposure), force=self.force) as part:
                _write_raw(part, observation_header(self.layout, exposure), self.layout, frames)
            self._count(1)
        if products:
            from muse_nb.simulator.products import write_products

            chips = {ifu: self.chip(ifu) for ifu in self.layout.ifus}
            flats = {ifu: self.flat(chip) for ifu, chip in chips.items()}
            folder = self.folder / "reduced" / label(exposure.date_obs)
            self._count(write_products(folder, chips, flats, frames, exposure, force=self.force))

    def _count(self, files: int) -> None:
        with self._lock:
            self.made += files

    def reduced(self) -> dict[str, list[Path]]:
        """Products of all exposures by category."""
        found: dict[str, list[Path]] = {}
        for exposure in self.pointings:
            for category, paths in self.product_files(exposure).items():
                found.setdefault(category, []).extend(paths)
        return found

    def night(self, *, raw: bool, products: bool, made: int) -> Night:
        """Describe what is on disk."""
        tables = self.truth()
        chips = [self.chip_files(ifu) for ifu in self.layout.ifus]
        calibrations = {name: [files[name] for files in chips] for name in CHIP_CALIBRATIONS}
        calibrations |= {name: [self.folder / "calib" / f"{name}.fits"] for name in (*STATIC, "ILLUM")}
        return Night(
            folder=self.folder,
            layout=self.layout,
            seed=self.seed,
            raw=[self.raw_file(exposure) for exposure in self.pointings] if raw else [],
            calibrations=calibrations,
            reduced=self.reduced() if products else {},
            made=made,
            **tables,
        )


def _write_raw(path: Path, header: fits.Header, layout: Layout, frames: dict[int, np.ndarray]) -> None:
    extensions = [fits.ImageHDU(frame, header=chip_header(layout, ifu)) for ifu, frame in frames.items()]
    fits.HDUList([fits.PrimaryHDU(header=header), *extensions]).writeto(path, overwrite=True)
