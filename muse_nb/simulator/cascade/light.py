"""Expected electrons of every kind of light, as images of a chip: lamps, arcs, twilight, stars."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from muse_nb.simulator import spectra
from muse_nb.simulator.cascade.arcs import ELECTRONS, arc_lines
from muse_nb.simulator.cascade.stars import Field
from muse_nb.simulator.detector import Chip
from muse_nb.simulator.fields import light_of
from muse_nb.simulator.instrument import Instrument
from muse_nb.simulator.layouts import SLICES
from muse_nb.simulator.rendering import slice_profiles

__all__ = ["Light", "arc", "expected_images", "illumination", "lamp", "stars", "twilight"]

Light = Callable[[Chip], np.ndarray]
"""Electrons in a chip's pixels, in the order of its map."""

SLICES_AT_ONCE = 12  # a chip's map and weights take 100 bytes a pixel, its images 4
LAMP_LEVEL = 28_500.0  # mean of a flat inside the slices [electron]
SKY_LEVEL = 22_900.0  # and of a twilight


def lamp(chip: Chip) -> np.ndarray:
    """Light of the continuum lamp."""
    return chip.lamp() * np.float32(LAMP_LEVEL)


def arc(name: str) -> Light:
    """Light of an arc lamp, ``HgCd``, ``Ne`` or ``Xe``, as the spectrographs blur it."""

    def glow(chip: Chip) -> np.ndarray:
        instrument, dispersion = chip.instrument, chip.instrument.layout.dispersion
        electrons = np.empty(chip.map.slice.size, np.float32)
        for number, where in chip.each_slice():
            width = line_width(instrument, chip.ifu, number)
            spectrum = np.zeros_like(chip.grid)
            for line in arc_lines(name):
                first, end = np.searchsorted(chip.grid, [line.wavelength - 4 * width, line.wavelength + 4 * width])
                profile = spectra.line(chip.grid[first:end], line.wavelength, width)
                spectrum[first:end] += ELECTRONS * line.brightness * profile
            electrons[where] = chip.on_pixels(spectrum * dispersion, where)
        return electrons * chip.response

    return glow


def line_width(instrument: Instrument, ifu: int, slice_: int) -> float:
    """FWHM of the line spread function of a slice [Angstrom]."""
    return instrument.line_width(ifu, slice_) if instrument.layout.real else spectra.LSF


def twilight(chip: Chip) -> np.ndarray:
    """Light of the twilight sky: the lamp's spectrum, and the field lit as the telescope lights it."""
    return chip.lamp() * lit(chip) * np.float32(SKY_LEVEL)


def illumination(instrument: Instrument, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Illumination of field positions [spaxel] by the sky, relative to its mean: what the TWILIGHT_CUBE should find.

    Along y it is the same above and below the centre: muse_twilight takes what differs between IFUs for throughput.
    """
    low, high = instrument.limits
    u, v = (2 * (p - c) / size for p, c, size in zip((x, y), instrument.centre, high - low, strict=True))
    relative: np.ndarray = (1 + 0.04 * u - 0.03 * (v**2 - 1 / 3)).astype(np.float32)
    return relative


def lit(chip: Chip) -> np.ndarray:
    """Illumination of a chip's pixels by the sky, in the order of its map."""
    return illumination(chip.instrument, *chip.instrument.field_position(chip.ifu, chip.map))


def stars(field: Field, instrument: Instrument) -> Light:
    """Light of a field: its stars, the sky, its emission lines, through the air."""
    profiles = slice_profiles(instrument, light_of(field.stars), field.pointing)
    return lambda chip: chip.expected(profiles[chip.ifu], field.pointing) * lit(chip)


def expected_images(instrument: Instrument, ifu: int, lights: Mapping[str, Light]) -> dict[str, np.ndarray]:
    """Images of the electrons that are expected of each light on one chip, float32; a few slices at a time."""
    layout = instrument.layout
    images = {name: np.zeros((layout.ny, layout.nx), np.float32) for name in lights}
    for first in range(1, SLICES + 1, SLICES_AT_ONCE):
        chip = Chip(instrument, ifu, range(first, first + SLICES_AT_ONCE))
        for name, light in lights.items():
            images[name].ravel()[chip.flat_index] += np.maximum(light(chip), 0)
    return images
