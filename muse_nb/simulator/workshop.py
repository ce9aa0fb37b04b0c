"""Which files a night consists of, and how each of them is made."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np
from astropy.io import fits

from muse_nb.core.atomic import atomic_write
from muse_nb.simulator.calibrations import CHIP_CALIBRATIONS, write_chip_calibration
from muse_nb.simulator.chips import Chips
from muse_nb.simulator.detector import expose, illumination_flat
from muse_nb.simulator.headers import chip_header, label, lamp_header, observation_header
from muse_nb.simulator.instrument import Instrument
from muse_nb.simulator.layouts import Layout
from muse_nb.simulator.plan import Pointing
from muse_nb.simulator.product_headers import FILES, product_files
from muse_nb.simulator.rendering import slice_profiles
from muse_nb.simulator.static import STATIC, write_static

if TYPE_CHECKING:
    from astropy.table import Table

__all__ = ["Task", "Workshop"]

Task = Callable[[], None]
ILLUM = "ILLUM"


class Workshop:
    """Makes the files of one night that are not there, in tasks that may run side by side.

    Parameters
    ----------
    folder
        The night's.
    instrument, light, pointings
        What is simulated.
    force
        Make every file, there or not.
    """

    def __init__(
        self, folder: Path, instrument: Instrument, light: Table, pointings: list[Pointing], *, force: bool = False
    ) -> None:
        self.folder, self.instrument, self.light, self.pointings = folder, instrument, light, pointings
        self.force = force
        self.made = 0
        self._chips = Chips(instrument)
        self._lock = Lock()

    @property
    def _layout(self) -> Layout:
        return self.instrument.layout

    def raw_file(self, exposure: Pointing) -> Path:
        """Raw frame of one exposure."""
        return self.folder / "raw" / f"MUSE.{label(exposure.date_obs)}.fits"

    def product_files(self, exposure: Pointing) -> dict[str, list[Path]]:
        """Products of one exposure by category."""
        return product_files(self._reduced(exposure), self._layout)

    def calibration_files(self) -> dict[str, list[Path]]:
        """Calibrations by tag; BADPIX_TABLE_zealous is the other BADPIX_TABLE."""
        folder, ifus = self.folder / "calib", self._layout.ifus
        files = {name: [folder / f"{name}-{ifu:02d}.fits" for ifu in ifus] for name in CHIP_CALIBRATIONS}
        return files | {name: [folder / f"{name}.fits"] for name in (*STATIC, ILLUM)}

    def clear(self) -> None:
        """Remove the frames of another night, and what was made of them."""
        for path in (self.folder / "raw").glob("MUSE.*.fits"):
            path.unlink()
        for product in FILES.values():
            for path in (self.folder / "reduced").glob(f"*/{product.format(ifu=0).replace('00', '??')}"):
                path.unlink()

    def tasks(self, *, raw: bool, products: bool) -> list[Task]:
        """What remains to be done, calibrations first."""
        tasks: list[Task] = []
        for name, paths in self.calibration_files().items():
            for k, path in enumerate(paths):
                if not self._missing(path):
                    continue
                if name in CHIP_CALIBRATIONS:
                    tasks.append(partial(self._chip_calibration, name, self._layout.ifus[k], path))
                else:
                    tasks.append(partial(self._illum if name == ILLUM else partial(self._static, name), path))
        for exposure in self.pointings:
            make_raw = raw and self._missing(self.raw_file(exposure))
            files = [path for paths in self.product_files(exposure).values() for path in paths]
            make_products = products and any(self._missing(path) for path in files)
            if make_raw or make_products:
                tasks.append(partial(self._expose, exposure, raw=make_raw, products=make_products))
        return tasks

    def _reduced(self, exposure: Pointing) -> Path:
        return self.folder / "reduced" / label(exposure.date_obs)

    def _missing(self, path: Path) -> bool:
        return self.force or not path.exists()

    def _count(self, files: int) -> None:
        with self._lock:
            self.made += files

    def _chip_calibration(self, name: str, ifu: int, path: Path) -> None:
        with atomic_write(path, force=self.force) as part:
            write_chip_calibration(name, self._chips, ifu, part)
        self._count(1)

    def _static(self, name: str, path: Path) -> None:
        with atomic_write(path, force=self.force) as part:
            write_static(name, self._chips, part)
        self._count(1)

    def _illum(self, path: Path) -> None:
        frames = {ifu: illumination_flat(self._chips.chip(ifu)) for ifu in self._layout.ifus}
        self._write_raw(path, lamp_header(self._layout), frames)

    def _expose(self, exposure: Pointing, *, raw: bool, products: bool) -> None:
        profiles = slice_profiles(self.instrument, self.light, exposure)
        frames = {ifu: expose(self._chips.chip(ifu), profiles[ifu], exposure) for ifu in self._layout.ifus}
        if raw:
            self._write_raw(self.raw_file(exposure), observation_header(self._layout, exposure), frames)
        if products:
            from muse_nb.simulator.products import write_products

            self._count(write_products(self._reduced(exposure), self._chips, frames, exposure, force=self.force))

    def _write_raw(self, path: Path, header: fits.Header, frames: dict[int, np.ndarray]) -> None:
        extensions = [fits.ImageHDU(frame, header=chip_header(self._layout, ifu)) for ifu, frame in frames.items()]
        with atomic_write(path, force=self.force) as part:
            fits.HDUList([fits.PrimaryHDU(header=header), *extensions]).writeto(part, overwrite=True)
        self._count(1)
