"""From the field to electrons on the chips to raw counts: throughput, photon noise, cosmic rays, defects, bias."""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass

import numpy as np

from muse_nb.products.dq import DQ, NOTCH
from muse_nb.simulator import spectra
from muse_nb.simulator.instrument import Instrument, PixelMap
from muse_nb.simulator.layouts import PRESCAN, SLICES, Layout
from muse_nb.simulator.light import template
from muse_nb.simulator.night_sky import line_spectrum
from muse_nb.simulator.plan import Pointing
from muse_nb.simulator.rendering import STEP, Profiles, nodes, profile_length
from muse_nb.simulator.seeds import generator

__all__ = ["GAIN", "Chip", "Defect", "amplifiers", "chip_defects", "cosmic_rays", "quadrant_slices"]

GAIN = (1.10, 1.13, 1.09, 1.12)  # [electron/count], quadrants from bottom left, anticlockwise
READ_NOISE = (2.5, 2.6, 2.4, 2.7)  # [electron]
BIAS = (1000.0, 1010.0, 990.0, 1005.0)  # [count]
QUADRANTS = ((0, 0), (1, 0), (1, 1), (0, 1))  # right, top
GRID = 0.25  # step of the spectra that pixels are interpolated in [Angstrom]
FASTEST = 1000.0  # mean velocity of the light in a pixel, where there is hardly any [km/s]
COSMIC_RATE = 0.4  # hits per second and million pixels: a few times Paranal's, so that small layouts have some


def amplifiers(layout: Layout, ifu: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Read-out noise [electron] and bias level [count] of the quadrants of a chip; real ones scatter."""
    if not layout.real:
        return READ_NOISE, BIAS
    random = generator(0, "amplifiers", ifu)
    noise, bias = np.clip(random.normal(2.46, 0.3, 4), 1.95, 3.5), np.clip(random.normal(1201, 3, 4), 1197, 1208)
    return tuple(np.round(noise, 3).tolist()), tuple(np.round(bias, 1).tolist())


@dataclass(frozen=True)
class Defect:
    """A rectangle of bad pixels; 1-based, inclusive, on the trimmed chip."""

    status: DQ
    x: tuple[int, int]
    y: tuple[int, int]

    @property
    def box(self) -> tuple[slice, slice]:
        """Index of the rectangle in a trimmed image."""
        return slice(self.y[0] - 1, self.y[1]), slice(self.x[0] - 1, self.x[1])


def chip_defects(instrument: Instrument, ifu: int) -> list[Defect]:
    """Draw the true defects of a chip: hot and dead columns up to the read-out's edge, hot and dark pixels."""
    layout = instrument.layout
    random = generator(instrument.seed, "defects", ifu)
    defects = []
    for k in range(max(2, layout.nx // 350)):
        x = int(random.integers(30, layout.nx - 30))
        y = int(random.integers(1, layout.ny))
        last = layout.ny // 2 if y <= layout.ny // 2 else layout.ny
        status = DQ.HOTPIXEL if k % 2 else DQ.DEADPIXEL
        defects.append(Defect(status, (x, x + (k % 3 == 0)), (y, last)))
    for k in range(max(40, layout.nx * layout.ny // 10000)):
        x, y = (int(random.integers(2, n - 2)) for n in (layout.nx, layout.ny))
        defects.append(Defect(DQ.DARKPIXEL if k % 3 == 0 else DQ.HOTPIXEL, (x, x), (y, y)))
    return defects


class Chip:
    """One IFU's spectrograph and chip as a linear operator: profiles of the field in, expected electrons out.

    `slices` are those that it has; all of them take 100 bytes of memory a pixel.
    """

    def __init__(self, instrument: Instrument, ifu: int, slices: range = range(1, SLICES + 1)) -> None:
        self.instrument, self.ifu, self.slices = instrument, ifu, slices
        layout = instrument.layout
        self.map: PixelMap = instrument.pixels(ifu, slices)
        pixels = self.map
        self.flat_index = pixels.row * layout.nx + pixels.column
        self.shape = layout.ny, layout.nx
        relative = instrument.throughput(ifu, pixels.slice) * pixels.coverage
        self.response = instrument.pixel_response(ifu).ravel()[self.flat_index] * relative.astype(np.float32)
        grid = np.arange(layout.lambda_first - 60, layout.lambda_last + 60, GRID)
        self._grid_index = (pixels.wavelength - grid[0]) / GRID
        # Electrons per second in a pixel of 1.25 Angstrom for one unit of flux.
        self._scale = spectra.sensitivity(grid) * spectra.FLUX_UNIT * layout.dispersion
        open_ = ~spectra.notched(grid, layout.mode) if layout.mode in NOTCH else 1
        self._open_scale = self._scale * open_
        self.grid = grid
        self._throughput = self.on_pixels(self._open_scale) * self.response
        self._sky = self._sky_on_pixels()
        self.telluric = self.on_pixels(spectra.telluric(grid)) if spectra.telluric(grid).min() < 0.999 else None
        points = profile_length(layout)
        along = (pixels.along + (layout.spaxels + 2) / 2) / STEP
        node = nodes(layout)
        place = (pixels.wavelength - node[0]) / (node[1] - node[0])
        below = np.floor(along).astype(np.int32)
        plane = np.floor(place).astype(np.int32)
        self._index = plane * (points * SLICES) + (pixels.slice - 1) * points + below
        self._points = points * SLICES
        self._along_weight = (along - below).astype(np.float32)
        self._node_weight = (place - plane).astype(np.float32)

    def _sky_on_pixels(self) -> tuple[np.ndarray, np.ndarray]:
        """Give electrons a second in each pixel of the sky's continuum and of its lines, of unit strength."""
        layout, grid = self.instrument.layout, self.grid
        area = (layout.spaxel / 0.2) ** 2
        continuum = self.on_pixels(spectra.sky_continuum(grid) * area * self._open_scale)
        if not layout.real:
            lines = self.on_pixels(spectra.sky_lines(grid) * area * self._open_scale)
        else:
            lines = np.empty(self.map.slice.size, np.float32)
            for number, where in self.each_slice():
                spectrum = line_spectrum(grid, self.instrument.line_width(self.ifu, number)) * area
                lines[where] = self.on_pixels(spectrum * self._open_scale, where)
        return continuum * self.response, lines * self.response

    def each_slice(self) -> Iterator[tuple[int, slice]]:
        """Give the number of each slice and where its pixels are in the order of `map`."""
        for number in self.slices:
            first, end = np.searchsorted(self.map.slice, [number, number + 1])
            yield number, slice(int(first), int(end))

    def on_pixels(self, spectrum: np.ndarray, where: slice = slice(None)) -> np.ndarray:
        """Value of a spectrum on `grid` at each pixel's wavelength, in the order of `map`."""
        return self._at(spectrum, self._grid_index[where])

    @staticmethod
    def _at(spectrum: np.ndarray, place: np.ndarray) -> np.ndarray:
        """Interpolate a spectrum on the grid at places counted in its steps."""
        index = place.astype(np.int32)
        weight: np.ndarray = (place - index).astype(np.float32)
        values: np.ndarray = spectrum.astype(np.float32)
        between: np.ndarray = values[index] * (1 - weight) + values[index + 1] * weight
        return between

    def expected(self, profiles: Profiles, pointing: Pointing) -> np.ndarray:
        """Electrons expected in every illuminated pixel, float32, in the order of `map`."""
        wavelengths = nodes(self.instrument.layout)
        air = pointing.transparency * 10 ** (-0.4 * pointing.airmass * spectra.extinction(wavelengths))
        u, index = self._along_weight, self._index
        flux = np.zeros(self.map.slice.size, np.float32)
        for name, profile in profiles:
            light = (profile * air[:, None].astype(np.float32)).ravel()
            near, far = (light[index + step] * (1 - u) + light[index + step + 1] * u for step in (0, self._points))
            here = near + (far - near) * self._node_weight
            flux += here.real * self._moving(template(name, self.grid), here, pointing)
        continuum, lines = self._sky_of(pointing)
        electrons: np.ndarray = flux * self._throughput
        electrons += continuum * pointing.sky + lines * pointing.lines
        if self.telluric is not None:
            electrons *= self.telluric**pointing.airmass
        return electrons * np.float32(pointing.exptime)

    def _moving(self, spectrum: np.ndarray, light: np.ndarray, pointing: Pointing) -> np.ndarray:
        """Give a spectrum in each pixel, moved by the mean velocity of the light there and by the exposure's drift."""
        with np.errstate(divide="ignore", invalid="ignore"):
            velocity = light.imag / light.real
        velocity = np.clip(np.nan_to_num(velocity, posinf=0, neginf=0), -FASTEST, FASTEST)
        shift = self.map.wavelength * (velocity / spectra.C_KM_S) + pointing.drift
        return self._at(spectrum, self._grid_index - shift / GRID)

    def _sky_of(self, pointing: Pointing) -> tuple[np.ndarray, np.ndarray]:
        """Give the sky of an exposure whose wavelengths have drifted away from the arcs'."""
        if not pointing.drift:
            return self._sky
        other = copy(self)
        other._grid_index = self._grid_index - pointing.drift / GRID
        return other._sky_on_pixels()

    def lamp(self) -> np.ndarray:
        """Relative illumination by a continuum lamp, in the order of `map`: the flat field before normalisation."""
        light: np.ndarray = self.on_pixels(self._scale / self._scale.mean()) * self.response
        return light

    def image(self, values: np.ndarray, dtype: type = np.float32) -> np.ndarray:
        """Put values in the order of `map` on an otherwise empty trimmed image."""
        image: np.ndarray = np.zeros(self.shape, dtype)
        image.ravel()[self.flat_index] = values
        return image


def cosmic_rays(instrument: Instrument, ifu: int, number: int, exptime: float) -> np.ndarray:
    """Draw the cosmic rays of one chip and exposure: an image of electrons."""
    layout = instrument.layout
    random = generator(instrument.seed, "cosmic rays", number, ifu)
    image = np.zeros((layout.ny, layout.nx), np.float32)
    hits = random.poisson(COSMIC_RATE * exptime * image.size / 1e6)
    for _ in range(hits):
        length, angle = random.exponential(6) + 1, random.uniform(0, 2 * np.pi)
        charge = random.exponential(600) + 150
        x, y = random.uniform(0, layout.nx), random.uniform(0, layout.ny)
        steps = np.arange(0, length, 0.7)
        i, j = (x + steps * np.cos(angle)).astype(int), (y + steps * np.sin(angle)).astype(int)
        keep = (i >= 0) & (i < layout.nx) & (j >= 0) & (j < layout.ny)
        np.add.at(image, (j[keep], i[keep]), (charge * random.uniform(0.5, 1.2, steps.size))[keep])
    return image


def quadrant_slices(layout_shape: tuple[int, int]) -> list[tuple[tuple[slice, slice], tuple[slice, slice]]]:
    """For the four quadrants: where its pixels are on the trimmed chip, and where on the raw frame."""
    ny, nx = layout_shape[0] // 2, layout_shape[1] // 2
    pairs = []
    for right, top in QUADRANTS:
        trimmed = slice(top * ny, (top + 1) * ny), slice(right * nx, (right + 1) * nx)
        y, x = PRESCAN + top * (ny + 2 * PRESCAN), PRESCAN + right * (nx + 2 * PRESCAN)
        pairs.append((trimmed, (slice(y, y + ny), slice(x, x + nx))))
    return pairs


def read_out(instrument: Instrument, ifu: int, electrons: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Read an image of electrons out through four amplifiers: raw counts, uint16, prescans and overscans around."""
    layout = instrument.layout
    noise, bias = amplifiers(layout, ifu)
    rows, columns = layout.raw_shape
    raw = random.standard_normal((rows, columns), dtype=np.float32)
    half = rows // 2, columns // 2
    drift = 2 * np.exp(-np.arange(half[0], dtype=np.float32) / 200)[:, None]  # the bias settles while it reads
    for k, (right, top) in enumerate(QUADRANTS):
        part = raw[top * half[0] : (top + 1) * half[0], right * half[1] : (right + 1) * half[1]]
        part *= noise[k] / GAIN[k]
        part += bias[k] + (drift[::-1] if top else drift)
    for k, (trimmed, place) in enumerate(quadrant_slices(electrons.shape)):
        raw[place] += electrons[trimmed] / np.float32(GAIN[k])
    return np.clip(np.rint(raw), 0, 65535).astype(np.uint16)


def expose(chip: Chip, profiles: Profiles, pointing: Pointing) -> np.ndarray:
    """Take one frame with one chip: raw counts."""
    instrument, ifu = chip.instrument, chip.ifu
    random = generator(instrument.seed, "photons", pointing.number, ifu)
    electrons = chip.image(random.poisson(np.maximum(chip.expected(profiles, pointing), 0)).astype(np.float32))
    damage(instrument, ifu, electrons, pointing.exptime)
    electrons += cosmic_rays(instrument, ifu, pointing.number, pointing.exptime)
    return read_out(instrument, ifu, electrons, random)


def damage(instrument: Instrument, ifu: int, electrons: np.ndarray, exptime: float) -> None:
    """Let a chip's defects act on an image of electrons, in place."""
    for defect in chip_defects(instrument, ifu):
        if defect.status == DQ.HOTPIXEL:
            electrons[defect.box] += 30.0 * exptime
        else:
            electrons[defect.box] *= 0.02 if defect.status == DQ.DEADPIXEL else 0.3


def illumination_flat(chip: Chip) -> np.ndarray:
    """Take a lamp flat (ILLUM): raw counts."""
    random = generator(chip.instrument.seed, "illum", chip.ifu)
    lamp = chip.image(random.poisson(np.maximum(chip.lamp(), 0) * 15000.0).astype(np.float32))
    damage(chip.instrument, chip.ifu, lamp, 0.35)
    return read_out(chip.instrument, chip.ifu, lamp, random)
