"""Gauss-Newton on all images at once: star positions and offsets in common, fluxes and PSF of each exposure."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from muse_nb.kernels.psf import Stamps, moffat_stamps, weigh
from muse_nb.steps.offsets.starfit import psf
from muse_nb.steps.offsets.starfit.diffuse import DiffuseLight
from muse_nb.steps.offsets.starfit.frame import Frame
from muse_nb.steps.offsets.starfit.normal import Equations, FrameEquations, Step

__all__ = ["Fit"]

# how far the PSF may go from a round Moffat at first (stage 0) and later: ellipticity, beta, width
PRIORS = ((0.01, 0.05, 0.15), (0.1, 0.3, 0.5))


class Fit:
    """The common star list and the offsets, fitted to all frames.

    Parameters
    ----------
    frames
        Exposures; their PSF, amplitudes and masks change with the fit.
    offsets : ndarray, shape (n, 2)
        First offsets [arcsec]; that of frame `reference` stays.
    sky : ndarray, shape (K, 2)
        First positions of the stars [arcsec].
    amplitude : ndarray, shape (K,)
        Their peaks at FWHM `width` arcsec.
    """

    def __init__(
        self, frames: list[Frame], offsets: NDArray, sky: NDArray, amplitude: NDArray, width: float, reference: int = 0
    ) -> None:
        self.frames, self.offsets, self.sky = frames, np.array(offsets, float), np.array(sky, float)
        self.reference, self.stage = reference, 0
        self.active = np.zeros((len(frames), len(sky)), bool)
        self.rejected = np.zeros((0, 2))  # sky positions of what is wider than a star
        self.light: DiffuseLight | None = None  # that all frames share
        self.ignored = np.zeros((len(frames), 0), bool)
        for frame in frames:
            frame.amplitude = amplitude * (width / frame.seeing) ** 2
            frame.amplitude = np.maximum(frame.amplitude, 0.05 * np.sqrt(frame.floor))

    @property
    def tied(self) -> NDArray:
        """Frames (n,) that show something that another one shows, too: a star, or the light that all share."""
        shared = self.active if self.light is not None else self.active & (self.active.sum(0) > 1)
        return np.any(shared, axis=1)

    def refer_to(self, reference: int) -> None:
        """Have another frame keep its offset, which becomes 0; positions follow."""
        zero = self.offsets[reference].copy()
        self.offsets -= zero
        self.sky += zero
        self.rejected += zero
        self.reference = reference

    def stamps(self, i: int) -> tuple[NDArray, Stamps]:
        """Stars of the list that reach into frame `i`, and their stamps."""
        frame = self.frames[i]
        position = frame.plane.pixel(self.sky + self.offsets[i])
        width, noise = psf.fwhm(frame.psf), np.sqrt(frame.floor)
        # as far out as the wing is 0.3 of the noise
        reach = (np.maximum(frame.amplitude, 0) / (0.3 * noise)) ** (1 / frame.psf[3]) - 1
        reach = np.sqrt(psf.scale(frame.psf) * np.maximum(reach, 0))
        radius = np.clip(np.ceil(reach), np.ceil(1.8 * width), np.ceil(frame.reach * width)).astype(np.int64)
        ny, nx = frame.shape
        inside = (position > -radius[:, None]).all(1) & (position < radius[:, None] + [nx - 1, ny - 1]).all(1)
        near = np.flatnonzero(inside)
        return near, moffat_stamps(
            position[near], frame.amplitude[near], radius[near], frame.psf, frame.shape, frame.plane.matrix
        )

    def draw(self, i: int, drawn: tuple[NDArray, Stamps] | None = None) -> Stamps:
        """Set model, residual and weights of frame `i`; give up stars with less than half their core in the data.

        Returns the stamps of the stars that are left, in the order of the list. `drawn` is what `stamps` gave, where
        but the data and masks changed since.
        """
        frame = self.frames[i]
        near, stamps = drawn or self.stamps(i)
        bright = np.maximum(frame.amplitude[near], 0)
        frame.model = stamps.model + frame.level
        lost = stamps.core(frame.ok & ~frame.edge) < 0.5 * psf.core_area(frame.psf)
        frame.wing = stamps.above(np.where(lost, 0.7 * np.sqrt(frame.floor) / np.maximum(bright, 1e-300), np.inf))
        law = frame.star_floor, frame.grain**2 * frame.slope
        frame.weight, frame.residual = weigh(frame.used(), frame.data, frame.model, frame.galaxy, *law)
        square, seen = stamps.support(frame.weight)
        keep = ~lost & (seen > 0.1 * square / frame.star_variance(bright))
        # what the star's own flux, and its share of the common position, take out of the residuals
        share = (1 + 2 / len(self.frames)) * keep / np.maximum(seen, 1e-300)
        frame.leverage = stamps.squares(share) * frame.weight
        self.active[i] = False
        self.active[i, near[keep]] = True
        return stamps.take(keep)

    def significance(self) -> NDArray:
        """Peak of every star in every exposure (n, K) over its noise; 0 where it is not fitted."""
        height = np.array([frame.amplitude for frame in self.frames])
        variance = [frame.star_variance(frame.amplitude) / psf.core_area(frame.psf) for frame in self.frames]
        return np.where(self.active, height / np.sqrt(variance), 0.0)

    def fluxes(self) -> None:
        """Linear fluxes at the present positions and PSF: the fit's start."""
        for i in range(len(self.frames)):
            self._fluxes(i)

    def _fluxes(self, i: int) -> None:
        from scipy.sparse import csr_matrix
        from scipy.sparse.linalg import cg

        frame = self.frames[i]
        frame.level = 0.0
        stamps = self.draw(i)
        row, column = stamps.pairs()
        block = stamps.blocks(frame.weight, row, column)[:, 0, 0]
        if not len(block):
            return
        normal = csr_matrix((block, column, row), shape=(len(stamps.box),) * 2)
        gradient, _ = stamps.border(frame.weight, frame.data)
        diagonal = np.sqrt(normal.diagonal())
        scaled = normal.multiply(1 / diagonal[:, None]).multiply(1 / diagonal).tocsr()
        found = cg(scaled, gradient[:, 0] / diagonal, rtol=1e-2, maxiter=60)[0] / diagonal
        frame.amplitude[self.active[i]] = np.maximum(found, 0.05 * np.sqrt(frame.floor))

    def parts(self) -> list[FrameEquations]:
        """Normal equations of each frame at the present parameters."""
        return [self.frame_equations(i) for i in range(len(self.frames))]

    def equations(self, parts: list[FrameEquations] | None = None) -> Equations:
        """Normal equations of all frames together."""
        moving = len(self.sky) + (self.light is not None)
        return Equations(self.parts() if parts is None else parts, moving, self.reference)

    def frame_equations(self, i: int) -> FrameEquations:
        """Normal equations of frame `i` alone."""
        frame = self.frames[i]
        stamps = self.draw(i)
        active = np.flatnonzero(self.active[i])
        drift = frame.drift if self.light is not None else None
        if drift is not None:  # it moves as one more star
            stamps, active = stamps.with_whole(*drift.structure), np.r_[active, len(self.sky)]
        row, column = stamps.pairs()
        block = stamps.blocks(frame.weight, row, column)
        gradient, border = stamps.border(frame.weight, frame.residual)
        if drift is not None:
            drift.temper(row, column, block, gradient, border)
        shape_block, shape_gradient = stamps.shape_products(frame.weight, frame.residual)
        self._prior(frame, shape_block, shape_gradient)
        return FrameEquations(active, row, column, block, border, gradient, shape_block, shape_gradient)

    def _prior(self, frame: Frame, block: NDArray, gradient: NDArray) -> None:
        """Keep the PSF near a round Moffat of the first width with beta 2.5, as far as the data do not know better."""
        ellipticity, beta, width = PRIORS[min(self.stage, 1) if frame.box else 0]
        curvature = frame.first_psf[0]
        size = 1 / psf.scale(frame.psf)
        strength = (
            np.array([1 / (2 * width * curvature), 1 / (ellipticity * size), 1 / (2 * width * curvature), 1 / beta])
            ** 2
        )
        index = np.arange(4)
        block[index, index] += strength
        gradient[:4] += strength * (frame.first_psf - frame.psf)
        difference = np.array([1.0, 0, -1, 0, 0])
        stretch = (2 * ellipticity * size) ** -2
        block += stretch * np.outer(difference, difference)
        gradient -= stretch * difference * (frame.psf[0] - frame.psf[2])

    def step(self, limit: float) -> float:
        """Gauss-Newton step of at most `limit` pixel for any position; the largest offset's change [arcsec]."""
        step = self.equations().step()
        sky, offset = step.sky, step.frame[:, 5:]
        largest = limit * min(frame.plane.scale for frame in self.frames)
        sky *= np.minimum(1, largest / np.maximum(np.hypot(*sky.T), 1e-12))[:, None]
        offset *= np.minimum(1, largest / np.maximum(np.hypot(*offset.T), 1e-12))[:, None]
        for i, frame in enumerate(self.frames):
            self._advance(i, frame, step)
            if self.light is not None and frame.drift is not None:
                frame.drift.move(frame, offset[i] + sky[-1])
        sky = sky[: len(self.sky)]
        self.sky += sky
        self.offsets += offset
        return float(np.abs(offset).max())

    def _advance(self, i: int, frame: Frame, step: Step) -> None:
        amplitude = frame.amplitude + np.where(self.active[i], step.amplitude[i, : len(self.sky)], 0.0)
        frame.amplitude = np.maximum(amplitude, 0.02 * np.sqrt(frame.floor))
        change, size = step.frame[i, :4], 1 / psf.scale(frame.psf)
        low, high = np.array([-0.3, -0.15, -0.3, -0.4]), np.array([0.4, 0.15, 0.4, 0.4])
        unit = np.array([size, size, size, 1.0])
        frame.psf = frame.psf + np.clip(change, low * unit, high * unit)
        frame.psf[3] = np.clip(frame.psf[3], 1.5, 6.0)
        if frame.psf[0] * frame.psf[2] <= 1.05 * frame.psf[1] ** 2:  # no profile: start again
            frame.psf = psf.round_psf(frame.width)
        frame.level += step.frame[i, 4]
        frame.width = psf.fwhm(frame.psf)

    def keep_stars(self, keep: NDArray, more: NDArray, amplitude: NDArray, width: float) -> None:
        """Go on with the stars of mask `keep` and new ones at sky positions `more`, seen at FWHM `width` arcsec."""
        self.sky = np.r_[self.sky[keep], more]
        self.active = np.c_[self.active[:, keep], np.zeros((len(self.frames), len(more)), bool)]
        for frame in self.frames:
            new = amplitude * (width / frame.seeing) ** 2
            frame.amplitude = np.r_[frame.amplitude[keep], np.maximum(new, 0.05 * np.sqrt(frame.floor))]
