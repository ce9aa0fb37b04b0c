"""How the fit begins: exposures are placed, stars detected, and a first round tells which background they need."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from muse_nb.core.progress import Progress, silent
from muse_nb.steps.offsets.starfit import noise
from muse_nb.steps.offsets.starfit.arrays import Floats
from muse_nb.steps.offsets.starfit.coarse import Placement, Sources, place_all, stack_sources, straightened
from muse_nb.steps.offsets.starfit.fit import Fit
from muse_nb.steps.offsets.starfit.frame import Frame
from muse_nb.steps.offsets.starfit.geometry import nearest
from muse_nb.steps.offsets.starfit.one_thread import one_thread
from muse_nb.steps.offsets.starfit.prepare import prepare
from muse_nb.steps.offsets.starfit.small import middle
from muse_nb.steps.offsets.starfit.transients import fluxes, transient_masks, transients
from muse_nb.steps.offsets.starfit.turns import turned

__all__ = ["Attempt", "Effort", "begin", "fit_round", "fitted"]

CONVERGED = 3e-5  # arcsec, a tenth of the best offsets' errors
MAX_MISSED = 0.2  # of the starlight; noise alone is 0.14 at most, stars that crowd or lie on a galaxy 0.3 and more
MIN_MISSED_PIXELS = 20  # of an exposure that tell how much
EVIDENT_SIGMA = 50.0  # of a star that must not be missed by the first round
MAX_FLUX_RATIO = 1.3  # of a star in two exposures
CLEAR_MARGIN = 100.0  # in ln L, of a placement that nothing can better


@dataclass(frozen=True)
class Effort:
    """How many stars a fit may have, and Gauss-Newton steps in each of its rounds."""

    stars: int
    steps: tuple[int, ...]

    @classmethod
    def on(cls, frames: Sequence[Frame]) -> Effort:
        """What serves on the background of the frames: a light that they share takes what is left of faint stars."""
        return cls(900, (4, 3, 3)) if frames[0].box else cls(250, (3, 3))


@dataclass(frozen=True)
class Attempt:
    """A fit after its first round, or None where fewer than two of the frames could be placed; the frames after it."""

    frames: tuple[Frame, ...]
    placements: list[Placement]
    placed: list[int]
    fit: Fit | None

    @property
    def missed(self) -> float:
        """Share of the starlight that the fit misses, in the middle exposure; infinite where no star can tell.

        Not chi2: the noise law follows the residuals, and a bad model makes itself a chi2 of 1.
        """
        missed = []
        for frame in self.fit.frames if self.fit else []:
            light = frame.model - frame.level
            bright = frame.used() & (light > 5 * np.sqrt(frame.first_floor))
            if bright.sum() > MIN_MISSED_PIXELS:
                missed.append(middle(np.abs(frame.residual[bright]) / light[bright]))
        return float(np.median(missed)) if missed else np.inf

    @property
    def refined(self) -> list[Placement]:
        """Placements at the offsets that the fit found."""
        placements = list(self.placements)
        if self.fit is not None:
            zero = placements[self.placed[0]].offset
            for i, offset, frame in zip(self.placed, self.fit.offsets, self.fit.frames, strict=True):
                placements[i] = replace(placements[i], offset=zero + offset, angle=frame.plane.angle)
        return placements

    def better_than(self, other: Attempt) -> bool:
        """Whether it places more exposures, or as many and misses less of their light."""
        return (len(self.placed), -self.missed) > (len(other.placed), -other.missed)


def fitted(frames: Sequence[Frame], placed: Sequence[int], changed: Sequence[Frame]) -> tuple[Frame, ...]:
    """All frames, with those that were placed as the fit changed them."""
    every = list(frames)
    for i, frame in zip(placed, changed, strict=True):
        every[i] = frame
    return tuple(every)


@one_thread()
def begin(frames: Sequence[Frame], radius: float = 6.0, progress: Progress = silent) -> Attempt:
    """Make the first round of the fit: on a plain background, or on one that follows the light where that is better.

    Parameters
    ----------
    frames
        Exposures on a plain background.
    radius
        Largest offset looked for [arcsec].
    progress
        Told a line of text at every stage.
    """
    progress("placing the exposures", 0, 0)
    plain = None
    if not any(frame.structured() for frame in frames):
        plain = _attempt(frames, place_all(frames, radius), progress)
        if plain.fit is None or plain.missed < MAX_MISSED:
            return plain
    progress("light that is no single star's: trying a background that follows it", 0, 0)
    sharp = [prepare(frame.raw, frame.plane, box=0) for frame in frames]
    if plain is not None and len(plain.placed) == len(frames):
        placements = plain.refined
    else:  # a galaxy's middle places an exposure, or its stars do
        placements = place_all(sharp, radius)
        if _clarity(placements) < (len(frames), CLEAR_MARGIN):
            others = place_all(frames, radius) if plain is None else plain.refined
            placements = max(others, placements, key=_clarity)
    following = _attempt(sharp, placements, progress)
    if plain is None:
        if len(following.placed) == len(frames) and following.missed < MAX_MISSED:
            return following
        plain = _attempt(frames, placements, progress)
    return following if following.better_than(plain) else plain


def _clarity(placements: list[Placement]) -> tuple[int, float]:
    """How many exposures could be placed, and how well the worst."""
    return sum(placement.sure for placement in placements), min(placement.margin for placement in placements)


def _attempt(frames: Sequence[Frame], placements: list[Placement], progress: Progress) -> Attempt:
    """First round on the background that the frames have."""
    placed = [i for i, placement in enumerate(placements) if placement.sure]
    if len(placed) > 1:
        frames, placements = straightened(frames, placements, placed[0])
    sources = stack_sources(frames, placements) if len(placed) > 1 else None
    if sources is None or not len(sources.sky):
        return Attempt(tuple(frames), placements, [], None)
    first = np.array([placements[i].offset for i in placed])
    shown = [frames[i] for i in placed]
    maps = [frame.map for frame in shown]
    alone = transients(shown, list(first), sources.sky, maps)
    for i, mask in transient_masks(shown, list(first), maps).items():
        shown[i] = shown[i].masked(mask)
    sources = sources.take(np.flatnonzero(~alone.any(0))).first(Effort.on(frames).stars)
    sources = _with_overshone(shown, first, sources)
    if not len(sources.sky):
        return Attempt(fitted(frames, placed, shown), placements, [], None)
    fit = Fit.of(shown, first - first[0], sources.sky + first[0], sources.amplitude, sources.width)
    if not fit.frames[0].box:
        # a galaxy told from its stars before the fit, which would build what the background misses of it out of stars
        fit = fit.redrawn().with_light_shared(first=True)
    fit = fit_round(fit.with_fluxes(), 0, progress)
    return Attempt(fitted(frames, placed, fit.frames), placements, placed, fit)


def _with_overshone(frames: Sequence[Frame], offsets: Floats, sources: Sources) -> Sources:
    """Add stars that a few frames show, and the stack does not, beside brighter ones that more of them show."""
    wide = max(frame.seeing for frame in frames)
    for i, frame in enumerate(frames):
        peaks = frame.peaks.take(frame.peaks.significance > EVIDENT_SIGMA).apart(frame.width)
        sky = frame.plane.sky(peaks.position) - offsets[i]
        beside = nearest(sky, sources.sky) > wide
        if not beside.any():
            continue
        sky, amplitude = sky[beside], peaks.amplitude[beside] * (frame.seeing / sources.width) ** 2
        flux, _ = fluxes(frames, list(offsets), sky, [other.map for other in frames])
        alike = (flux > flux[i] / MAX_FLUX_RATIO) & (flux < flux[i] * MAX_FLUX_RATIO)
        new = alike.sum(0) > 1
        sources = Sources(np.r_[sources.sky, sky[new]], np.r_[sources.amplitude, amplitude[new]], sources.width)
    return sources


def fit_round(fit: Fit, stage: int, progress: Progress = silent) -> Fit:
    """Gauss-Newton steps under an unchanged list of stars; in later stages outliers are clipped more closely."""
    fit = replace(fit, stage=stage)
    progress(f"fitting {len(fit.sky)} stars in {len(fit.frames)} exposures", 0, 0)
    for step in range(Effort.on(fit.frames).steps[stage]):
        fit, moved, parts = fit.step(1.0 if stage == 0 and step < 3 else 0.5)
        if step:
            fit = turned(fit, parts)
            clipped = [noise.with_outliers_clipped(frame, stage) for frame in fit.frames]
            fit = replace(fit, frames=noise.with_noise_law(clipped))
        if step > 1 and moved < CONVERGED:
            break
    return fit
