"""Gauss-Newton on all images at once: star positions and offsets in common, fluxes and PSF of each exposure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from muse_nb.kernels.psf import Stamps, moffat_stamps, weigh
from muse_nb.steps.offsets.starfit import psf
from muse_nb.steps.offsets.starfit.arrays import Bools, Floats, Ints
from muse_nb.steps.offsets.starfit.diffuse import DiffuseLight
from muse_nb.steps.offsets.starfit.frame import Frame
from muse_nb.steps.offsets.starfit.normal import Equations, FrameEquations

__all__ = ["Drawn", "Fit"]

# how far the PSF may go from a round Moffat at first (stage 0) and later: ellipticity, beta, width
PRIORS = ((0.01, 0.05, 0.15), (0.1, 0.3, 0.5))
FIRST_PEAK, MIN_PEAK = 0.05, 0.02  # of the sky's noise: of a star when its fit begins, and at any step
WING_NOISE, CORE_WING_NOISE = 0.3, 0.7  # of the sky's noise: a wing ends there; one without a core is masked above
MIN_CORE = 0.5  # of the area inside half maximum that must lie on data
MIN_SEEN = 0.1  # of the weight that all of a star would have


class Drawn(NamedTuple):
    """Frame `number` with its model, residual and weights; the stars that it shows (K,); their stamps."""

    number: int
    frame: Frame
    shown: Bools
    stamps: Stamps


@dataclass(frozen=True, eq=False, repr=False)
class Fit:
    """The common star list and the offsets, as fitted to all frames at one stage: a value, as its frames are.

    Attributes
    ----------
    frames : tuple of Frame, length n
        Exposures with their PSF, amplitudes and masks.
    offsets : ndarray, shape (n, 2)
        [arcsec]; that of frame `reference` is 0.
    sky : ndarray, shape (K, 2)
        Positions of the stars [arcsec].
    active : ndarray of bool, shape (n, K)
        Which stars each frame shows.
    rejected : ndarray, shape (m, 2)
        Positions of what is wider than a star [arcsec].
    reference, stage : int
        Frame that keeps its offset; round of the fit.
    light : DiffuseLight or None
        That all frames share.
    turning : frozenset of int
        Frames whose angle is an unknown of the fit, too; it is in their planes.
    """

    frames: tuple[Frame, ...]
    offsets: Floats
    sky: Floats
    active: Bools
    rejected: Floats
    reference: int = 0
    stage: int = 0
    light: DiffuseLight | None = None
    turning: frozenset[int] = frozenset()

    @classmethod
    def of(cls, frames: Sequence[Frame], offsets: Floats, sky: Floats, amplitude: Floats, width: float) -> Fit:
        """Begin at first offsets (n, 2) and positions (K, 2) [arcsec] and peaks (K,) seen at FWHM `width` arcsec."""
        begun = tuple(replace(frame, amplitude=_peaks(frame, amplitude, width)) for frame in frames)
        active = np.zeros((len(frames), len(sky)), bool)
        return cls(begun, np.array(offsets, float), np.array(sky, float), active, np.zeros((0, 2)))

    @property
    def tied(self) -> Bools:
        """Frames (n,) that show something that another one shows, too: a star, or the light that all share."""
        shared = self.active if self.light is not None else self.active & (self.active.sum(0) > 1)
        return np.asarray(np.any(shared, axis=1))

    def referred_to(self, reference: int) -> Fit:
        """Have another frame keep its offset, which becomes 0; positions follow."""
        zero = self.offsets[reference]
        moved = (self.offsets - zero, self.sky + zero, self.rejected + zero)
        held = self.turning - {reference}
        return replace(self, offsets=moved[0], sky=moved[1], rejected=moved[2], reference=reference, turning=held)

    def with_stars(self, keep: Bools, more: Floats, amplitude: Floats, width: float) -> Fit:
        """Go on with the stars of mask `keep` and new ones at sky positions `more`, seen at FWHM `width` arcsec."""
        frames = tuple(
            replace(frame, amplitude=np.r_[frame.amplitude[keep], _peaks(frame, amplitude, width)])
            for frame in self.frames
        )
        active = np.c_[self.active[:, keep], np.zeros((len(frames), len(more)), bool)]
        return replace(self, frames=frames, sky=np.r_[self.sky[keep], more], active=active)

    def with_light_shared(self, first: bool = False) -> Fit:
        """Fit the light that all share to what the stars leave and put it under every frame; see `DiffuseLight`."""
        light = self.light or DiffuseLight.over(self.frames, self.offsets)
        light, frames = light.shared(self.frames, self.offsets, first)
        return replace(self, light=light, frames=frames)

    def stamps(self, i: int) -> tuple[Ints, Stamps]:
        """Stars of the list that reach into frame `i`, and their stamps."""
        frame = self.frames[i]
        position = frame.plane.pixel(self.sky + self.offsets[i])
        width, noise = psf.fwhm(frame.psf), np.sqrt(frame.floor)
        reach = (np.maximum(frame.amplitude, 0) / (WING_NOISE * noise)) ** (1 / frame.psf[3]) - 1
        reach = np.sqrt(psf.scale(frame.psf) * np.maximum(reach, 0))
        radius = np.clip(np.ceil(reach), np.ceil(1.8 * width), np.ceil(frame.reach * width)).astype(np.int64)
        ny, nx = frame.shape
        inside = (position > -radius[:, None]).all(1) & (position < radius[:, None] + [nx - 1, ny - 1]).all(1)
        near = np.flatnonzero(inside)
        return near, moffat_stamps(
            position[near], frame.amplitude[near], radius[near], frame.psf, frame.shape, frame.plane.matrix
        )

    def draw(self, i: int, frame: Frame | None = None, stamps: tuple[Ints, Stamps] | None = None) -> Drawn:
        """Draw the model of a frame; a star with less than half its core in the data is given up there.

        Parameters
        ----------
        i
            Number of the frame.
        frame
            The same with other data, background or masks.
        stamps
            What `stamps` gave for it.
        """
        frame = self.frames[i] if frame is None else frame
        near, stars = stamps or self.stamps(i)
        bright = np.maximum(frame.amplitude[near], 0)
        lost = stars.core(frame.ok & ~frame.edge) < MIN_CORE * psf.core_area(frame.psf)
        visible = CORE_WING_NOISE * np.sqrt(frame.floor) / np.maximum(bright, 1e-300)
        frame = replace(frame, model=stars.model + frame.level, wing=stars.above(np.where(lost, visible, np.inf)))
        law = frame.star_floor, frame.grain**2 * frame.slope
        weight, residual = weigh(frame.used(), frame.data, frame.model, frame.galaxy, *law)
        square, seen = stars.support(weight)
        keep = ~lost & (seen > MIN_SEEN * square / frame.star_variance(bright))
        # what the star's own flux, and its share of the common position, take out of the residuals
        share = (1 + 2 / len(self.frames)) * keep / np.maximum(seen, 1e-300)
        shown = np.zeros(len(self.sky), bool)
        shown[near[keep]] = True
        frame = replace(frame, weight=weight, residual=residual, leverage=stars.squares(share) * weight)
        return Drawn(i, frame, shown, stars.take(keep))

    def redrawn(self, drawn: Iterable[Drawn] | None = None) -> Fit:
        """Take these frames, or by default all at the present parameters, as they were drawn."""
        frames, active = list(self.frames), self.active.copy()
        for one in map(self.draw, range(len(frames))) if drawn is None else drawn:
            frames[one.number], active[one.number] = one.frame, one.shown
        return replace(self, frames=tuple(frames), active=active)

    def significance(self) -> Floats:
        """Peak of every star in every exposure (n, K) over its noise; 0 where it is not fitted."""
        height = np.array([frame.amplitude for frame in self.frames])
        variance = [frame.star_variance(frame.amplitude) / psf.core_area(frame.psf) for frame in self.frames]
        return np.where(self.active, height / np.sqrt(variance), 0.0)

    def with_fluxes(self) -> Fit:
        """Linear fluxes at the present positions and PSF: the fit's start."""
        return self.redrawn(self._with_fluxes(i) for i in range(len(self.frames)))

    def _with_fluxes(self, i: int) -> Drawn:
        from scipy.sparse import csr_matrix
        from scipy.sparse.linalg import cg

        drawn = self.draw(i, replace(self.frames[i], level=0.0))
        frame, stamps = drawn.frame, drawn.stamps
        row, column = stamps.pairs()
        block = stamps.blocks(frame.weight, row, column)[:, 0, 0]
        if not len(block):
            return drawn
        normal = csr_matrix((block, column, row), shape=(len(stamps.box),) * 2)
        gradient, _ = stamps.border(frame.weight, frame.data)
        diagonal = np.sqrt(normal.diagonal())
        scaled = normal.multiply(1 / diagonal[:, None]).multiply(1 / diagonal).tocsr()
        found = cg(scaled, gradient[:, 0] / diagonal, rtol=1e-2, maxiter=60)[0] / diagonal
        amplitude = frame.amplitude.copy()
        amplitude[drawn.shown] = np.maximum(found, FIRST_PEAK * np.sqrt(frame.floor))
        return drawn._replace(frame=replace(frame, amplitude=amplitude))

    def linearized(self) -> tuple[Fit, list[FrameEquations]]:
        """The fit as it is drawn at the present parameters, and the normal equations of each frame there."""
        parts: list[FrameEquations] = []

        def drawn() -> Iterable[Drawn]:
            for i in range(len(self.frames)):
                one = self.draw(i)
                parts.append(self._equations(one))
                yield one

        return self.redrawn(drawn()), parts

    def equations(self, parts: list[FrameEquations]) -> Equations:
        """Normal equations of all frames together."""
        return Equations(parts, len(self.sky) + (self.light is not None), self.reference)

    def _equations(self, drawn: Drawn) -> FrameEquations:
        """Normal equations of one frame alone."""
        frame, stamps, active = drawn.frame, drawn.stamps, np.flatnonzero(drawn.shown)
        drift = frame.drift if self.light is not None else None
        if drift is not None:  # it moves as one more star
            stamps, active = stamps.with_whole(*drift.structure), np.r_[active, len(self.sky)]
        row, column = stamps.pairs()
        block = stamps.blocks(frame.weight, row, column)
        gradient, border = stamps.border(frame.weight, frame.residual)
        if drift is not None:
            block, gradient, border = drift.inflate_variance(row, column, block, gradient, border)
        shape_block, shape_gradient = stamps.shape_products(frame.weight, frame.residual)
        loose = PRIORS[min(self.stage, 1) if frame.box else 0]
        shape_block, shape_gradient = psf.held(shape_block, shape_gradient, frame.psf, frame.first_psf, loose)
        return FrameEquations(active, row, column, block, border, gradient, shape_block, shape_gradient)

    def step(self, limit: float) -> tuple[Fit, float, list[FrameEquations]]:
        """Gauss-Newton step of at most `limit` pixel for any position, at the angles that the frames have.

        Returns
        -------
        fit : Fit
        moved : float
            The largest offset's change [arcsec].
        parts : list of FrameEquations
            The normal equations that it came from.
        """
        drawn, parts = self.linearized()
        step = drawn.equations(parts).step()
        largest = limit * min(frame.plane.scale for frame in self.frames)
        sky, offset = (_shortened(move, largest) for move in (step.sky, step.frame[:, 5:]))
        frames = []
        for i, frame in enumerate(drawn.frames):
            amplitude = np.where(drawn.active[i], step.amplitude[i, : len(self.sky)], 0.0)
            moved = _advanced(frame, amplitude, step.frame[i])
            frames.append(moved if self.light is None else moved.with_light_moved(offset[i] + sky[-1]))
        sky = self.sky + sky[: len(self.sky)]
        fit = replace(drawn, frames=tuple(frames), sky=sky, offsets=self.offsets + offset)
        return fit, float(np.abs(offset).max()), parts


def _peaks(frame: Frame, amplitude: Floats, width: float) -> Floats:
    """Peaks in a frame of stars that have others at FWHM `width` arcsec: where their fit begins."""
    peaks = amplitude * (width / frame.seeing) ** 2
    return np.asarray(np.maximum(peaks, FIRST_PEAK * np.sqrt(frame.floor)))


def _shortened(moves: Floats, largest: float) -> Floats:
    """Moves (n, 2) in the same directions, none longer than `largest`."""
    return np.asarray(moves * np.minimum(1, largest / np.maximum(np.hypot(*moves.T), 1e-12))[:, None])


def _advanced(frame: Frame, amplitude: Floats, change: Floats) -> Frame:
    """A frame after a step of its peaks (K,) and of its PSF and background (5,); the model is as it was."""
    peaks = np.maximum(frame.amplitude + amplitude, MIN_PEAK * np.sqrt(frame.floor))
    shape = psf.moved(frame.psf, change[:4], frame.width)
    return replace(frame, amplitude=peaks, psf=shape, level=frame.level + change[4], width=psf.fwhm(shape))
