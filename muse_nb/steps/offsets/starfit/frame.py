"""One exposure's image on its way through the fit."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy import ndimage

from muse_nb.kernels.psf import discs
from muse_nb.steps.offsets.starfit.arrays import Bools, Floats
from muse_nb.steps.offsets.starfit.background import smooth_background
from muse_nb.steps.offsets.starfit.geometry import Plane
from muse_nb.steps.offsets.starfit.light import Drift
from muse_nb.steps.offsets.starfit.matched_filter import Map, Peaks, filter_map
from muse_nb.steps.offsets.starfit.psf import BETA
from muse_nb.steps.offsets.starfit.small import middle

__all__ = ["Footprint", "Frame", "bright_light"]

MAX_BRIGHT_SHARE = 0.25  # of the pixels: 0.1 in clusters whose stars can be told apart, 0.3 where they cannot
BRIGHT_PIXEL = 3.0  # sigma above the background
MAX_STRUCTURED_SHARE = 0.1  # of the pixels without a star that may show light


@dataclass(frozen=True, eq=False, repr=False)
class Footprint:
    """Where an image has values."""

    finite: Bools

    @cached_property
    def to_hole(self) -> Floats:
        """From each pixel to the nearest without a value [pixel]."""
        if self.finite.all():
            return np.full(self.finite.shape, np.inf)
        return np.asarray(ndimage.distance_transform_edt(self.finite))


@dataclass(frozen=True, eq=False, repr=False)
class Frame:
    """An image, what is masked in it, its noise and PSF, and the model of its stars, at one stage of the fit.

    A value: a step of the fit makes new frames, which share the arrays that did not change. Nothing writes into them.

    Attributes
    ----------
    raw, plane, footprint
        The image (ny, nx), its map from the sky, and where it has values.
    box : int
        Mesh of its background [pixel]; 0 for a background that follows the light that is no star's.
    map, peaks
        Matched-filter map of the image, and the sources on it.
    ok : ndarray of bool
        Finite and no cosmic ray at first sight.
    data, ground : ndarray
        `raw` minus the background, 0 where not `ok`; the background.
    floor, slope : float
        Variance of a pixel = floor + slope * (model + galaxy). `first_floor` is from before the fit.
    grain : float
        How much larger the noise is in a sum over a star than it would be if its pixels were independent.
    galaxy, halo : ndarray
        Smooth light that adds noise but is in the background; of it, what was very bright stars' wings in `raw`.
    width : float
        FWHM of the stars [pixel].
    psf, first_psf : ndarray, shape (4,)
        a, b, c, beta of the Moffat; those that the fit is held to.
    amplitude : ndarray, shape (K,)
        Peak of each star.
    clipped, edge, wing : ndarray of bool
        Outliers in the residuals; light of no listed star; wings of stars whose core is not in the data.
    model, residual, weight : ndarray
        Stars and `level`; data minus model, 0 where not used; inverse variance of a pixel in a sum over a star.
    leverage : ndarray
        Share of each pixel's noise that the fit has taken up: residuals are smaller by sqrt(1 - leverage).
    level : float
        What is left of the background.
    reach : float
        How far out the brightest stars are drawn [FWHM].
    gain, drift
        Of the light that all exposures share, where there is any: its scale, and how it moves.
    """

    raw: Floats
    plane: Plane
    footprint: Footprint
    box: int
    map: Map
    peaks: Peaks
    ok: Bools
    data: Floats
    ground: Floats
    galaxy: Floats
    halo: Floats
    floor: float
    first_floor: float
    grain: float
    width: float
    psf: Floats
    first_psf: Floats
    amplitude: Floats
    clipped: Bools
    edge: Bools
    wing: Bools
    model: Floats
    residual: Floats
    weight: Floats
    leverage: Floats
    slope: float = 0.0
    level: float = 0.0
    reach: float = 16.0
    gain: float = 1.0
    drift: Drift | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """(ny, nx)."""
        ny, nx = self.raw.shape
        return ny, nx

    @property
    def seeing(self) -> float:
        """FWHM of the stars [arcsec]."""
        return self.width * self.plane.scale

    @property
    def information(self) -> float:
        """How well the frame can be placed at first sight: sum of squared significances over the seeing's square."""
        return float((np.minimum(self.peaks.significance, 20) ** 2).sum() / self.width**2)

    @property
    def sky(self) -> float:
        """Level of the darkest fifth of the background."""
        return _darkest(self.ground, self.ok)

    @property
    def star_floor(self) -> float:
        """Variance of a pixel without light as a sum over a star has it."""
        return self.grain**2 * self.floor

    def star_variance(self, amplitude: Floats) -> Floats:
        """Variance of a pixel at the peak of a star of that amplitude as a sum over the star has it."""
        return np.asarray(self.grain**2 * (self.floor + self.slope * amplitude))

    def variance(self, floor_fraction: float = 0.0) -> Floats:
        """Variance of every pixel under the current model, with a share of the model as its own uncertainty."""
        light = np.maximum(self.model, 0)
        return np.asarray(self.floor + self.slope * (light + self.galaxy) + (floor_fraction * light) ** 2)

    def used(self) -> Bools:
        """Pixels that the fit uses."""
        return np.asarray(self.ok & ~self.clipped & ~self.edge & ~self.wing)

    def left(self) -> Map:
        """Matched-filter map of what the model leaves."""
        return filter_map(self.residual, self.weight, self.width, sharp=not self.box)

    def fluxes_at(self, sky: Floats, seen: Map) -> tuple[Floats, Floats]:
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

    def turned(self, angle: float) -> Frame:
        """Turn what is sought in the frame by `angle` [rad]: its plane is the header's after that turn."""
        return replace(self, plane=self.plane.turned(angle)) if angle else self

    def masked(self, light: Bools) -> Frame:
        """Leave light (ny, nx) of no listed star out of the fit."""
        return replace(self, edge=self.edge | light)

    def with_background_refined(self) -> Frame:
        """Measure the background again on what the stars leave."""
        left, use = np.where(self.ok, self.data - self.model, 0.0), self.used()
        more = smooth_background(left, use, self.box, self.width)
        ground = self.ground + more
        follows = not self.box and use.any()
        galaxy = bright_light(ground, self.ok) + self.halo if follows else self.galaxy
        return replace(self, ground=ground, galaxy=galaxy, data=np.where(self.ok, self.data - more, 0.0))

    def on_ground(self, ground: Floats) -> Frame:
        """Take another background (ny, nx)."""
        galaxy = bright_light(ground, self.ok) + self.halo
        return replace(self, ground=ground, level=0.0, galaxy=galaxy, data=np.where(self.ok, self.raw - ground, 0.0))

    def with_light_moved(self, shift: Floats) -> Frame:
        """Move the light that all exposures share in the background by `shift` (2,) arcsec."""
        if self.drift is None:
            return self
        change = np.tensordot(shift, self.drift.slope, 1)
        return replace(self, ground=self.ground + change, data=np.where(self.ok, self.data - change, 0.0))

    def without(self, halo: Floats) -> Frame:
        """Take light (ny, nx) out of the image that no star of the fit has; its noise stays."""
        total = np.maximum(self.halo + halo, 0)
        return replace(
            self,
            halo=total,
            galaxy=self.galaxy + total - self.halo,
            raw=self.raw - halo,
            data=np.where(self.ok, self.data - halo, 0.0),
            residual=np.where(self.used(), self.residual - halo, 0.0),
        )

    def structured(self) -> bool:
        """Whether light that no single star gives changes within a mesh cell as much as matters: a galaxy, a crowd."""
        noise = np.sqrt(self.floor)
        if self.ok.any() and np.mean(self.data[self.ok] > BRIGHT_PIXEL * noise) > MAX_BRIGHT_SHARE:
            return True
        # squared radius at which the wings sink into the noise
        wing = np.maximum((self.peaks.amplitude / noise) ** (1 / BETA) - 1, 1.0)
        free = self.ok & ~discs(self.peaks.position, self.width * np.minimum(np.sqrt(wing / 1.28), 5), self.shape)
        if free.sum() < 0.05 * self.ok.sum() or not len(self.peaks):
            return False
        count = ndimage.uniform_filter(free.astype(float), 7)
        light = ndimage.uniform_filter(np.where(free, self.data, 0.0), 7) / np.maximum(count, 1e-9)
        matters = max(noise, 0.02 * float(np.median(self.peaks.amplitude[:10])))
        return bool(np.mean(np.abs(light[free & (count > 0.3)]) > matters) > MAX_STRUCTURED_SHARE)


def bright_light(ground: Floats, ok: Bools) -> Floats:
    """What of a background (ny, nx) lies above its darkest fifth: light that adds noise."""
    return np.maximum(ground - _darkest(ground, ok), 0)


def _darkest(ground: Floats, ok: Bools) -> float:
    return middle(ground[ok], 0.2) if ok.any() else 0.0
