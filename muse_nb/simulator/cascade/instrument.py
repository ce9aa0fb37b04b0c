"""The instrument of the cascade: soft edges of slices, as tracing needs them, and a field that holds a star's image."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property

import numpy as np

from muse_nb.simulator.instrument import SLICE_PITCH, Instrument, SliceGeometry
from muse_nb.simulator.layouts import SLICES

__all__ = ["CascadeInstrument"]

EDGE = 0.6  # sigma of the blur across a slice's edge [pix]
FIELD_OF_VIEW = 70.0  # slices longer than this are those of a real IFU [spaxel]


class CascadeInstrument(Instrument):
    """Instrument whose slices have edges blurred by 0.6 pixels, and whose real IFUs see 15 x 10 arcsec each.

    muse_flat fits the derivative at a slice's edge: it finds hard edges to 0.07 pixels only. A real IFU sees 60 x 2.4
    arcsec, in four stacks of 12 slices: too low for muse_standard, which measures the star in a box that keeps 5
    spaxels from the field's edge. As the GEOMETRY_TABLE is given, the 48 slices of an IFU lie in one stack, a spaxel
    apart: were they further apart, a row of a cube made of one exposure would repeat its neighbour here and there, and
    a star there would be up to 4 % too bright or too faint.
    """

    soft = 2

    @cached_property
    def geometry(self) -> dict[int, list[SliceGeometry]]:
        """As of `Instrument`; a real IFU's slices lie one above the other."""
        table = dict(super().geometry)
        if self.layout.spaxels < FIELD_OF_VIEW:
            return table
        length, ifus = self.layout.spaxels + 0.1, self.layout.ifus
        for k, ifu in enumerate(ifus):
            above = ((len(ifus) - 1) / 2 - k) * SLICES
            table[ifu] = [
                replace(
                    one,
                    x=one.x - ((one.sky - 1) // 12 - 1.5) * length,
                    y=above + 24.5 - one.sky + self._jitter(one),
                )
                for one in table[ifu]
            ]
        return table

    @staticmethod
    def _jitter(one: SliceGeometry) -> float:
        """How far a slice lies from its place, as for `Instrument` [spaxel]."""
        place = (12.5 - one.ifu) * 12 + 5.5 - (one.sky - 1) % 12
        return one.y - place * SLICE_PITCH

    def _coverage(self, x: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        from scipy.special import erf

        blur = EDGE * np.sqrt(2)
        coverage: np.ndarray = 0.5 * (erf((x - left) / blur) - erf((x - right) / blur))
        coverage[coverage < 1e-4] = 0
        return coverage

    def _slice_pixels(self, ifu: int, slice_: int) -> tuple[np.ndarray, ...]:
        column, row, number, along, wavelength, coverage, inside = super()._slice_pixels(ifu, slice_)
        end = np.float32(self.layout.spaxels / 2 + 0.9)  # the field is rendered to one spaxel beyond a slice's ends
        return column, row, number, np.clip(along, -end, end), wavelength, coverage, inside
