"""One exposure's image on its way through the fit."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from muse_nb.kernels.psf import discs
from muse_nb.steps.offsets.starfit import background, psf
from muse_nb.steps.offsets.starfit.geometry import Plane
from muse_nb.steps.offsets.starfit.matched_filter import Map, Peaks, filter_map, find_peaks
from muse_nb.steps.offsets.starfit.one_thread import one_thread
from muse_nb.steps.offsets.starfit.small import middle

if TYPE_CHECKING:
    from muse_nb.steps.offsets.starfit.drift import Drift

__all__ = ["Frame"]

FINEST, LIMIT = 3e-3, 1e-5  # of the peaks of strong stars, and of the brightest: no profile fits better
QUIET = 3.0  # sigma of the matched filter below which a pixel shows no star
CROWD = 0.25  # of the pixels above the background: 0.1 in clusters whose stars can be told apart, 0.3 where they cannot


@dataclass
class Frame:
    """An image, what is masked in it, its noise and PSF, and the model of its stars. The fit changes it in place.

    Attributes
    ----------
    raw, plane
        The image (ny, nx) and its map from the sky.
    ok : ndarray of bool
        Finite and no cosmic ray at first sight.
    data : ndarray
        `raw` minus the background; 0 where not `ok`.
    floor, slope : float
        Variance of a pixel = floor + slope * (model + galaxy).
    grain : float
        How much larger the noise is in a sum over a star than it would be if its pixels were independent.
    galaxy, halo : ndarray
        Smooth light that adds noise but is in the background; of it, what was very bright stars' wings in `raw`.
    psf, level
        a, b, c, beta of the Moffat; what is left of the background.
    amplitude : ndarray, shape (K,)
        Peak of each star.
    gain, drift
        Of the light that all exposures share, where there is any: its scale, and how it moves.
    leverage : ndarray
        Share of each pixel's noise that the fit has taken up: residuals are smaller by sqrt(1 - leverage).
    clipped, edge, wing : ndarray of bool
        Outliers in the residuals; light of no listed star; wings of stars whose core is not in the data.
    """

    raw: NDArray
    plane: Plane
    box: int = 24
    ok: NDArray = field(init=False)
    data: NDArray = field(init=False)
    ground: NDArray = field(init=False)
    galaxy: NDArray = field(init=False)
    floor: float = field(init=False)
    grain: float = field(init=False)
    slope: float = field(init=False, default=0.0)
    width: float = field(init=False, default=4.0)
    map: Map = field(init=False)
    peaks: Peaks = field(init=False)
    gain: float = field(init=False, default=1.0)
    drift: Drift | None = field(init=False, default=None)

    @one_thread()
    def __post_init__(self) -> None:
        """Prepare the image: background, noise, cosmic rays, seeing, sources."""
        self.finite = np.isfinite(self.raw)
        self.galaxy, self.halo = np.zeros((2, *self.raw.shape))
        self.ok = self.finite
        self._subtract(np.where(self.finite, self.raw, 0.0), first=True)
        noise, self.grain = background.pixel_noise(self.data, self.ok)
        if not noise > 0:  # an image of constants
            noise = float(np.std(self.data[self.ok])) if self.ok.any() else 1.0
        data, noise = self.data, noise or 1.0
        rough = self._clean(data, noise)
        self.least = _least_noise(rough, self.width)
        if noise < self.least:
            rough = self._clean(data, self.least)
        if self.ok.any():
            self.width = psf.first_width(self.data, self.ok, rough.position, rough.significance)
            self.map = self.filtered()
            self._noise_between_stars()
        self.peaks = find_peaks(self.map, 5.0)
        self.clipped, self.edge, self.wing = np.zeros((3, *self.raw.shape), bool)
        self.first_psf = self.psf = psf.round_psf(self.width)
        self.reach = 16.0  # FWHM: how far out the brightest stars are drawn
        self.level, self.leverage = 0.0, np.zeros(self.raw.shape)
        self.amplitude = np.zeros(0)
        self.model, self.residual = np.zeros(self.raw.shape), self.data
        self.weight = self.ok / self.star_floor

    def _clean(self, data: NDArray, noise: float) -> Peaks:
        """Take the image without its cosmic rays; what stands out in it at first sight."""
        self.floor = self.first_floor = noise**2
        self.ok = self.finite & ~background.cosmic_rays(data, self.finite, noise)
        self.data = np.where(self.ok, data, 0.0)
        self.width = 4.5
        self.map = self.filtered()
        return find_peaks(self.map, 7.0)

    def _noise_between_stars(self) -> None:
        """Measure the noise again where no star is seen, if that is enough of the image."""
        quiet = self.ok & (np.abs(self.map.significance) < QUIET)
        before = self.star_floor
        if quiet.sum() > 0.3 * self.ok.sum():
            noise, grain = background.pixel_noise(self.data, quiet)
            if noise > self.least:
                self.floor, self.grain = noise**2, grain
                self.first_floor = self.floor
                self.map = self.map.scaled(before / self.star_floor)

    @property
    def shape(self) -> tuple[int, int]:
        """(ny, nx)."""
        return self.raw.shape

    @cached_property
    def to_hole(self) -> NDArray:
        """From each pixel to the nearest without a value [pixel]."""
        if self.finite.all():
            return np.full(self.shape, np.inf)
        return ndimage.distance_transform_edt(self.finite)

    @property
    def seeing(self) -> float:
        """FWHM of the stars [arcsec]."""
        return self.width * self.plane.scale

    @property
    def information(self) -> float:
        """How well the frame can be placed at first sight: sum of squared significances over the seeing's square."""
        return float((np.minimum(self.peaks.significance, 20) ** 2).sum() / self.width**2)

    def filtered(self) -> Map:
        """Matched-filter map of the data."""
        return filter_map(self.data, self.ok / self.star_floor, self.width, sharp=not self.box)

    def left(self) -> Map:
        """Matched-filter map of what the model leaves."""
        return filter_map(self.residual, self.weight, self.width, sharp=not self.box)

    def fluxes_at(self, sky: NDArray, seen: Map) -> tuple[NDArray, NDArray]:
        """Fluxes that a map of the frame shows at sky positions, its offset added, and their inverse variances.

        Parameters
        ----------
        sky : ndarray, shape (K, 2)
            In arcsec.
        seen
            Matched-filter map of the data, or of what the model leaves.

        Returns
        -------
        flux, weight : ndarray, shape (K,)
            In a unit that all exposures share; 0 off the data.
        """
        flux, weight = np.zeros((2, len(sky)))
        x, y = np.round(self.plane.pixel(sky)).astype(int).T
        inside = (x >= 0) & (y >= 0) & (x < self.shape[1]) & (y < self.shape[0])
        gain = self.seeing**-2  # amplitude of the same flux
        weight[inside] = gain**2 * seen.denominator[y[inside], x[inside]]
        flux[inside] = gain * seen.numerator[y[inside], x[inside]]
        return np.where(weight > 0, flux / np.maximum(weight, 1e-300), 0.0), weight

    @property
    def star_floor(self) -> float:
        """Variance of a pixel without light as a sum over a star has it."""
        return self.grain**2 * self.floor

    def star_variance(self, amplitude: NDArray) -> NDArray:
        """Variance of a pixel at the peak of a star of that amplitude as a sum over the star has it."""
        return self.grain**2 * (self.floor + self.slope * amplitude)

    def variance(self, floor_fraction: float = 0.0) -> NDArray:
        """Variance of every pixel under the current model, with a share of the model as its own uncertainty."""
        light = np.maximum(self.model, 0)
        return self.floor + self.slope * (light + self.galaxy) + (floor_fraction * light) ** 2

    def used(self) -> NDArray:
        """Pixels that the fit uses."""
        return self.ok & ~self.clipped & ~self.edge & ~self.wing

    def refine_background(self) -> None:
        """Measure the background again on what the stars leave."""
        left = np.where(self.ok, self.data - self.model, 0.0)
        self._subtract(left, first=False)
        self.data = np.where(self.ok, self.data, 0.0)

    def set_ground(self, ground: NDArray) -> None:
        """Take another background (ny, nx)."""
        self.ground, self.level = ground, 0.0
        self._set_galaxy()
        self.data = np.where(self.ok, self.raw - ground, 0.0)

    def take_out(self, halo: NDArray) -> None:
        """Take light (ny, nx) out of the image that no star of the fit has; its noise stays."""
        before, self.halo = self.halo, np.maximum(self.halo + halo, 0)
        self.galaxy = self.galaxy + self.halo - before
        self.raw = self.raw - halo
        self.data = np.where(self.ok, self.data - halo, 0.0)
        self.residual = np.where(self.used(), self.residual - halo, 0.0)

    @property
    def sky(self) -> float:
        """Level of the darkest fifth of the background."""
        return middle(self.ground[self.ok], 0.2) if self.ok.any() else 0.0

    def _set_galaxy(self) -> None:
        self.galaxy = np.maximum(self.ground - self.sky, 0) + self.halo

    def _subtract(self, left: NDArray, first: bool) -> None:
        use = self.ok if first else self.used()
        if self.box:
            more = background.mesh_background(left, use, self.box)
        else:
            more = background.ring_background(left, use, 5.0 if first else self.width)
        self.ground = more if first else self.ground + more
        self.data = np.where(self.ok, (self.raw if first else self.data) - more, 0.0)
        if not self.box and use.any():
            self._set_galaxy()

    def structured(self) -> bool:
        """Whether light that no single star gives changes within a mesh cell as much as matters: a galaxy, a crowd."""
        noise = np.sqrt(self.floor)
        if self.ok.any() and np.mean(self.data[self.ok] > 3 * noise) > CROWD:
            return True
        wing = np.maximum((self.peaks.amplitude / noise) ** (1 / psf.BETA) - 1, 1.0)  # where they sink into it, squared
        free = self.ok & ~discs(self.peaks.position, self.width * np.minimum(np.sqrt(wing / 1.28), 5), self.shape)
        if free.sum() < 0.05 * self.ok.sum() or not len(self.peaks):
            return False
        count = ndimage.uniform_filter(free.astype(float), 7)
        light = ndimage.uniform_filter(np.where(free, self.data, 0.0), 7) / np.maximum(count, 1e-9)
        matters = max(noise, 0.02 * float(np.median(self.peaks.amplitude[:10])))
        return bool(np.mean(np.abs(light[free & (count > 0.3)]) > matters) > 0.1)


def _least_noise(peaks: Peaks, width: float) -> float:
    """Noise of an image below which its stars' profile is less known than its pixels: of a simulation without noise."""
    least = LIMIT * float(peaks.amplitude.max(initial=0.0))
    stars = peaks.apart(width)
    return max(least, FINEST * float(stars.amplitude[max(stars.strong, 2)])) if len(stars) > 2 else least
