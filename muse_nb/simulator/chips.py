"""The chips of an instrument and their flats, for threads to share."""

from __future__ import annotations

from threading import Lock

import numpy as np

from muse_nb.simulator.detector import Chip
from muse_nb.simulator.flats import MasterFlat, flat_spectrum, master_flat
from muse_nb.simulator.instrument import Instrument

__all__ = ["Chips"]

KEPT_PIXELS = 5e7  # a layout with fewer pixels than this in all its IFUs is kept in memory, 50 bytes for each


class Chips:
    """Chips by IFU: kept for small layouts, worked out again whenever they are needed for large ones."""

    def __init__(self, instrument: Instrument) -> None:
        self.instrument = instrument
        layout = instrument.layout
        self._keep = layout.nx * layout.ny * len(layout.ifus) < KEPT_PIXELS
        self._chips: dict[int, Chip] = {}
        self._flats: dict[int, MasterFlat] = {}
        self._summaries: dict[int, tuple[float, np.ndarray]] = {}
        self._lock = Lock()

    # Two threads may both work out what is missing: they get the same, so the lock need not be held meanwhile.

    def chip(self, ifu: int) -> Chip:
        """Return the chip of one IFU."""
        with self._lock:
            chip = self._chips.get(ifu)
        if chip is None:
            chip = Chip(self.instrument, ifu)
            if self._keep:
                with self._lock:
                    chip = self._chips.setdefault(ifu, chip)
        return chip

    def flat(self, ifu: int, chip: Chip | None = None) -> MasterFlat:
        """Return the master flat of one IFU; `chip` saves working it out."""
        with self._lock:
            flat = self._flats.get(ifu)
        if flat is None:
            flat = master_flat(chip or self.chip(ifu))
            with self._lock:
                self._summaries[ifu] = flat.level, flat.spectrum
                if self._keep:
                    flat = self._flats.setdefault(ifu, flat)
        return flat

    def level(self, ifu: int) -> float:
        """Throughput of one IFU, by which its flat was divided."""
        return self._summary(ifu)[0]

    def lamp(self) -> np.ndarray:
        """Mean spectrum of the lamp over all IFUs: rows of wavelength [Angstrom] and relative flux."""
        return flat_spectrum([self._summary(ifu)[1] for ifu in self.instrument.layout.ifus])

    def _summary(self, ifu: int) -> tuple[float, np.ndarray]:
        if ifu not in self._summaries:
            self.flat(ifu)
        return self._summaries[ifu]
