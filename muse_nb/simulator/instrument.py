"""Where every detector pixel looks: traces, wavelengths, the field and the throughput of the simulated MUSE.

Positions are in trimmed, 1-based pixels of the chip, like in the pipeline's own tables; the formulae are those by
which the recipes turn the tables into a pixel table.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from muse_nb.products.field import SLICE_SKY
from muse_nb.simulator.layouts import SLICES, Layout
from muse_nb.simulator.seeds import generator

__all__ = ["Instrument", "PixelMap", "SliceGeometry"]

# 288 slices cover 60 arcsec. Rows that fell on whole spaxels would make every star of an image lie at the same place
# in its pixels, and the drizzle's systematic error of up to 0.1 pixel would not average out.
SLICE_PITCH = 300 / 288  # [spaxel]
BEND = 4.0  # bend of the outermost traces at the chip's top and bottom [pix]


@dataclass(frozen=True)
class SliceGeometry:
    """One row of the geometry table: centre [spaxel], angle [deg] and length [spaxel] of a slice in the field."""

    ifu: int
    slice: int
    sky: int
    x: float
    y: float
    angle: float
    width: float


@dataclass(frozen=True)
class PixelMap:
    """The illuminated pixels of one IFU, in the order of a pixel table: slice, then row, then column.

    Attributes
    ----------
    column, row
        0-based position on the trimmed chip.
    slice
        1 to 48.
    along
        Signed position along the slice, from its centre [spaxel].
    wavelength
        [Angstrom]
    coverage
        Fraction of the pixel inside the slice.
    inside
        True for the pixels that enter a pixel table.
    """

    column: np.ndarray
    row: np.ndarray
    slice: np.ndarray
    along: np.ndarray
    wavelength: np.ndarray
    coverage: np.ndarray
    inside: np.ndarray


class Instrument:
    """The simulated instrument of one layout; `seed` draws what differs between real IFUs."""

    soft = 0
    """How far beyond the edges of a slice light falls [pix]."""

    def __init__(self, layout: Layout, seed: int = 1) -> None:
        self.layout = layout
        self.seed = seed

    def trace(self, slice_: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Polynomials in y of the centre, left and right edge of a slice: coefficients of order 0 to 5 [pix]."""
        layout = self.layout
        middle = layout.ny / 2
        bend = BEND * ((slice_ - 24.5) / 23.5) / middle**2
        left = np.zeros(6)
        left[:3] = layout.first_column + layout.pitch * (slice_ - 1) + bend * middle**2, -2 * bend * middle, bend
        right = left.copy()
        right[0] += layout.width * (1 + 0.002 * np.cos((slice_ - 1) / 47 * 2 * np.pi))
        if layout.real:  # widths of 74.6 to 79.4, gaps of 4.6 to 9.2 of 84 pixels
            random = generator(self.seed, "traces", slice_)
            room = layout.pitch - layout.width
            narrow, move = np.clip(random.normal(0, 0.07, 2), -0.12, 0.12) * room
            lean = np.clip(random.normal(0, 0.004), -0.011, 0.011) * min(1.0, 0.3 * room / (0.011 * layout.ny))
            left += [move, lean, 0, 0, 0, 0]
            left[0] -= lean * middle
            right += [move - narrow, lean, 0, 0, 0, 0]
            right[0] -= lean * middle
        return (left + right) / 2, left, right

    def wavelength_polynomial(self, ifu: int, slice_: int) -> np.ndarray:
        """Coefficients [x order 0-2, y order 0-6] of the wavelength in Angstrom over column and row."""
        layout = self.layout
        middle = layout.ny / 2
        column = layout.first_column + layout.pitch * (slice_ - 1) + layout.width / 2
        bend, tilt, bow = 2.0 / middle**2, 0.02, 2e-4
        offset = ((slice_ - 1) % 3 - 1) * layout.stagger + 0.02 * (ifu - 12)
        if layout.real:  # lines lean by up to 5 Angstrom over a slice
            random = generator(self.seed, "wavelengths", ifu, slice_)
            tilt += np.clip(random.normal(0, 2.0), -4, 4) / layout.width
            offset += random.normal(0, 1.5)
        poly = np.zeros((3, 7))
        poly[0, 0] = (
            layout.lambda_first + offset - layout.dispersion + bend * middle**2 - tilt * column + bow * column**2
        )
        poly[0, 1] = layout.dispersion - 2 * bend * middle
        poly[0, 2] = bend
        poly[1, 0] = tilt - 2 * bow * column
        poly[2, 0] = bow
        return poly

    def line_width(self, ifu: int, slice_: int) -> float:
        """FWHM of the line spread function of a slice of a real instrument [Angstrom]."""
        random = generator(self.seed, "line spread", ifu, slice_)
        return float(np.clip(random.normal(2.56, 0.12), 1.97, 3.06))

    @cached_property
    def geometry(self) -> dict[int, list[SliceGeometry]]:
        """Every IFU's slices, the absent IFUs' too, as in a real geometry table."""
        table: dict[int, list[SliceGeometry]] = {}
        length = self.layout.spaxels
        for ifu in range(1, 25):
            random = generator(self.seed, "geometry", ifu)
            jitter = random.normal(0, [0.05, 0.03, 0.03], (SLICES, 3))
            table[ifu] = [
                SliceGeometry(
                    ifu=ifu,
                    slice=k + 1,
                    sky=int(sky),
                    x=((sky - 1) // 12 - 1.5) * (length + 0.1) + jitter[k, 0],
                    y=((12.5 - ifu) * 12 + 5.5 - (sky - 1) % 12) * SLICE_PITCH + jitter[k, 1],
                    angle=jitter[k, 2],
                    width=length,
                )
                for k, sky in enumerate(SLICE_SKY)
            ]
        return table

    def pixels(self, ifu: int, slices: range = range(1, SLICES + 1)) -> PixelMap:
        """Map the illuminated pixels of one IFU, or of some of its slices."""
        parts = [self._slice_pixels(ifu, slice_) for slice_ in slices]
        return PixelMap(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))

    def _slice_pixels(self, ifu: int, slice_: int) -> tuple[np.ndarray, ...]:
        layout = self.layout
        y = np.arange(1, layout.ny + 1, dtype=float)[:, None]
        _, left, right = self.trace(slice_)
        x_left, x_right = (np.polynomial.polynomial.polyval(y, edge) for edge in (left, right))
        first, last = int(x_left.min()) - 1 - self.soft, int(x_right.max()) + 2 + self.soft
        x = np.arange(max(1, first), min(layout.nx, last) + 1)[None, :]
        fraction = ((x_left + x_right) / 2 - x) / (x_right - x_left)  # the sky is reversed within a slice
        coverage = self._coverage(x, x_left, x_right)
        row, column = np.nonzero(coverage > 0)
        inside = (x >= np.ceil(x_left)) & (x <= np.floor(x_right))
        polynomial = self.wavelength_polynomial(ifu, slice_)
        wavelength = np.polynomial.polynomial.polygrid2d(x[0], y[:, 0], polynomial).T
        return (
            (x[0, column] - 1).astype(np.int32),
            row.astype(np.int32),
            np.full(row.size, slice_, np.int16),
            (fraction[row, column] * layout.spaxels).astype(np.float32),
            wavelength[row, column],
            coverage[row, column].astype(np.float32),
            inside[row, column],
        )

    def _coverage(self, x: np.ndarray, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """Fraction of the pixels in columns x that lies between the edges, row by row."""
        width = right - left
        fraction = ((left + right) / 2 - x) / width
        coverage: np.ndarray = np.clip((0.5 - np.abs(fraction)) * width + 0.5, 0, 1)
        return coverage

    def field_position(self, ifu: int, pixels: PixelMap) -> tuple[np.ndarray, np.ndarray]:
        """Field coordinates of pixels, the xpos and ypos of a PIXTABLE_OBJECT [spaxel], float32."""
        slices = self.geometry[ifu]
        angle = np.radians([s.angle for s in slices])[pixels.slice - 1]
        x = np.array([s.x for s in slices])[pixels.slice - 1] + pixels.along * np.cos(angle)
        y = np.array([s.y for s in slices])[pixels.slice - 1] + pixels.along * np.sin(angle)
        return x.astype(np.float32), y.astype(np.float32)

    @cached_property
    def limits(self) -> tuple[np.ndarray, np.ndarray]:
        """Lowest and highest (x, y) of the pixels in the field [spaxel]; the derotator turns about the centre."""
        corners = []
        for slice_ in range(1, SLICES + 1):
            _, left, right = self.trace(slice_)
            y = np.arange(1, self.layout.ny + 1, dtype=float)
            x_left, x_right = (np.polynomial.polynomial.polyval(y, edge) for edge in (left, right))
            centre, width = (x_left + x_right) / 2, x_right - x_left
            ends = [(centre - edge) / width for edge in (np.ceil(x_left), np.floor(x_right))]
            along = np.array([np.max(ends[0]), np.min(ends[1])]) * self.layout.spaxels
            for ifu in self.layout.ifus:
                s = self.geometry[ifu][slice_ - 1]
                angle = np.radians(s.angle)
                corners += [(s.x + u * np.cos(angle), s.y + u * np.sin(angle)) for u in along]
        low, high = np.min(corners, axis=0), np.max(corners, axis=0)
        return low.astype(np.float32).astype(float), high.astype(np.float32).astype(float)

    @cached_property
    def wavelengths(self) -> tuple[float, float]:
        """Wavelengths that every IFU covers, in some of its slices [Angstrom]."""
        lows, highs = [], []
        for ifu in self.layout.ifus:
            ends = []
            for slice_ in range(1, SLICES + 1):
                polynomial = self.wavelength_polynomial(ifu, slice_)
                _, left, right = self.trace(slice_)
                for y in (1.0, float(self.layout.ny)):
                    first, last = (np.polynomial.polynomial.polyval(y, edge) for edge in (left, right))
                    columns = np.array([np.ceil(first), np.floor(last)])
                    ends += list(np.polynomial.polynomial.polygrid2d(columns, [y], polynomial)[:, 0])
            lows.append(min(ends))
            highs.append(max(ends))
        return max(lows), min(highs)

    @property
    def centre(self) -> np.ndarray:
        """The field position (x, y) that lies on the pointing, as the recipes will find it [spaxel]."""
        low, high = self.limits
        middle: np.ndarray = (low + high) / 2
        return middle

    def throughput(self, ifu: int, slice_: np.ndarray) -> np.ndarray:
        """Throughput of slices relative to the instrument's mean; the lamp flat sees it too."""
        relative: np.ndarray = (1 + 0.04 * np.cos(2.3 * ifu)) * (1 + 0.06 * np.sin(1.7 * slice_ + ifu))
        return relative

    def pixel_response(self, ifu: int) -> np.ndarray:
        """Relative response of each pixel of the trimmed chip: 1 % rms."""
        random = generator(self.seed, "pixel response", ifu)
        shape = self.layout.ny, self.layout.nx
        return 1 + np.float32(0.01) * random.standard_normal(shape, dtype=np.float32)
