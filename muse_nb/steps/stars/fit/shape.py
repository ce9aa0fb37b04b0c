"""The profile of an image's stars and their places, by least squares with all fluxes and the background let go."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from muse_nb.kernels.crowd import Fitted, Mesh, Stamps, fit_planes, profiles
from muse_nb.steps.stars.fit.profile import CORE, STEP, Profile, stamps_of

__all__ = ["MISFIT", "Fit", "Image", "Stars", "fit_image", "improve", "recentre"]

Array = NDArray[np.float64]
Single = NDArray[np.float32]
MISFIT = 0.02  # of the stars' light: what a profile may miss before it is known
TELLING = 60  # bright stars that the profile is measured on
STRONG = 30.0  # sigma of a star that tells
AROUND = 3.0  # FWHM about them that are looked at
WILD = 3.0  # sigma of a residual that counts by half
STEPS = np.array([0.02, 0.02, 0.02, 0.1, *[0.02] * CORE])  # of the derivatives
LOOSE = np.array([1.0, 0.1, 0.1, 1.0, *[0.05] * CORE])  # how far each may go, as far as the data do not know better
CENTRE = np.array([0.0, 0.0, 0.0, 2.5, *[0.0] * CORE])
SHIFT = 0.05  # pixel, of the derivatives by place
FARTHEST = 0.4  # pixel that a star is moved at once
TOGETHER, MOST_TOGETHER = 1.6, 12  # FWHM between stars that are moved together; so many at most
REACH = 2.0  # FWHM about them that tell where they are


@dataclass(frozen=True)
class Image:
    """An image (ny, nx) with its variance, stored in the stamps' columns, and the mesh of its background."""

    data: Single
    variance: Single
    shape: tuple[int, int]
    mesh: Mesh

    @classmethod
    def of(cls, data: Array, variance: Array, mesh: Mesh) -> Image:
        """Store an image; NaN, or a variance that is none, is left out."""
        ny, nx = data.shape
        wide = mesh.x.shape[1]
        stored = np.full((2, ny, wide), np.nan, np.float32)
        stored[0, :, :nx], stored[1, :, :nx] = data, variance
        stored[1][~(np.isfinite(stored[1]) & (stored[1] > 0) & np.isfinite(stored[0]))] = 0
        return cls(stored[0], stored[1], (ny, nx), mesh)


@dataclass(frozen=True)
class Stars:
    """Places of stars [pixel from 0] and how far each is drawn, shape (K,)."""

    x: Array
    y: Array
    reach: Array

    def stamps(self, image: Image, profile: Profile, shift: tuple[float, float] = (0.0, 0.0)) -> Stamps:
        """Draw them all."""
        return stamps_of(self.x + shift[0], self.y + shift[1], self.reach, profile, image.shape)

    def take(self, which: NDArray[np.intp]) -> Stars:
        """Those of an index."""
        return Stars(self.x[which], self.y[which], self.reach[which])


@dataclass(frozen=True)
class Fit:
    """Fluxes of an image's stars, their errors (each alone), the residual (NaN where left out), the stars' light."""

    flux: Array
    error: Array
    share: Array
    chi2: Array
    residual: Single
    light: Single
    stamps: Stamps
    fitted: Fitted

    @property
    def significance(self) -> Array:
        """Flux over error, 0 where there is none."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.nan_to_num(self.flux / self.error, posinf=0, neginf=0)


def fit_image(image: Image, stamps: Stamps, light: Single | None = None, misfit: float = MISFIT) -> Fit:
    """Fit the fluxes of all stars and the background of one image.

    Parameters
    ----------
    image, stamps
        The image and its stars.
    light
        What the stars are known to give, of which the profile may miss the share `misfit`.
    misfit
        That share.
    """
    more = np.zeros_like(image.data) if light is None else (misfit * light) ** 2
    data = image.data.copy()[None]
    found = fit_planes(data, stamps, image.mesh, (image.variance, more, np.ones((1, 2))), rounds=0, residuals=True)
    flux = found.flux[0].astype(float)
    with np.errstate(divide="ignore"):
        error = 1 / np.sqrt(found.information[0].astype(float))
    drawn = stamps.light(np.nan_to_num(flux))
    return Fit(flux, error, found.share[0].astype(float), found.chi2[0].astype(float), data[0], drawn, stamps, found)


def improve(
    image: Image, stars: Stars, profile: Profile, fit: Fit, *, core: bool, shift: tuple[float, float] = (0.0, 0.0)
) -> tuple[Profile, Array, Array]:
    """One step towards the profile of least residuals.

    Parameters
    ----------
    image, stars, profile, fit
        What there is, and its fit.
    core
        Whether the correction of the core is let go, the Moffat's width and exponent held; else the other way.
    shift
        Of all stars [pixel], with which the fit was made.

    Returns
    -------
    profile : Profile
    shift : ndarray, shape (2,)
        By which all stars are off, in x and y [pixel].
    error : ndarray
        Of the profile's parameters that were let go, and of both shifts.
    """
    telling = np.argsort(-fit.significance)[:TELLING]
    enough = min(STRONG, fit.significance.max(initial=0) / 2)
    telling = telling[(fit.significance[telling] > enough) & (fit.share[telling] > 0.9)]
    free = np.r_[1:3, 4 : 4 + CORE] if core else np.arange(4)
    if not len(telling):
        return profile, np.zeros(2), np.full(len(free) + 2, np.inf)
    bright, flux = stars.take(telling), fit.flux[telling]
    bright = Stars(bright.x, bright.y, np.minimum(bright.reach, (AROUND + 1) * profile.fwhm))
    derivatives = np.empty((len(free) + 2, *image.data.shape), np.float32)
    for p, one in enumerate(free):
        change = np.zeros(4 + CORE)
        change[one] = STEPS[one]
        sides = [bright.stamps(image, profile.moved(s * change), shift).light(flux) for s in (1, -1)]
        derivatives[p] = (sides[0] - sides[1]) / (2 * STEPS[one])
    for axis in (0, 1):
        step = np.array([SHIFT * (axis == 0), SHIFT * (axis == 1)])
        sides = [
            bright.stamps(image, profile, (shift[0] + s * step[0], shift[1] + s * step[1])).light(flux) for s in (1, -1)
        ]
        derivatives[len(free) + axis] = (sides[0] - sides[1]) / (2 * SHIFT)
    there = np.isfinite(fit.residual)
    used = there & _near(bright, AROUND * profile.fwhm, image.data.shape)
    derivatives[:, ~there] = np.nan
    model = (MISFIT * fit.light) ** 2
    levels = np.ones((len(derivatives), 2))
    fit_planes(derivatives, fit.stamps, image.mesh, (image.variance, model, levels), rounds=0, residuals=True)
    residual = fit.residual[used].astype(float)
    variance = (image.variance[used] + model[used]).astype(float)
    weight = 1 / (
        variance * (1 + residual**2 / (WILD**2 * variance))
    )  # Cauchy's: a star that is not listed pulls little
    left = derivatives[:, used].astype(float)
    normal = (left * weight) @ left.T
    right = (left * weight) @ residual
    spring = np.diag(np.r_[1 / LOOSE[free] ** 2, 1e-6, 1e-6])
    centre = CENTRE[free].copy()
    if core:  # all of the profile higher is no change of it
        same = np.r_[0, 0, profile.like_moffat, 0, 0]
        spring += np.trace(normal) * np.outer(same, same)
    else:
        centre[0] = profile.parameters[0]
    pull = spring @ np.r_[centre - profile.parameters[free], 0, 0]
    inverse = np.linalg.inv(normal + spring)
    change = inverse @ (right + pull)
    step = np.zeros(4 + CORE)
    step[free] = change[:-2]
    return profile.moved(step), np.clip(change[-2:], -0.5, 0.5), np.sqrt(np.diag(inverse))


def _near(stars: Stars, radius: float, shape: tuple[int, int]) -> NDArray[np.bool_]:
    y, x = np.ogrid[: shape[0], : shape[1]]
    near = np.zeros(shape, bool)
    for at_x, at_y in zip(stars.x, stars.y, strict=True):
        box = np.s_[
            max(0, int(at_y - radius)) : max(0, int(at_y + radius) + 2),
            max(0, int(at_x - radius)) : max(0, int(at_x + radius) + 2),
        ]
        near[box] |= (x[:, box[1]] - at_x) ** 2 + (y[box[0]] - at_y) ** 2 <= radius**2
    return near


def recentre(
    image: Image, stars: Stars, profile: Profile, fit: Fit, which: NDArray[np.bool_] | None = None
) -> tuple[Stars, Array]:
    """One step of each star, or of some, towards where it leaves the least residual; and the errors of their places."""
    if which is not None and not which.any():
        return stars, np.full(len(stars.x), np.inf)
    stamps = fit.stamps
    sides = [
        profiles(
            stars.x + i,
            stars.y + j,
            stars.reach,
            profile.moffat,
            profile.table,
            STEP,
            profile.norm,
            stamps.box,
            stamps.start,
        )
        for i, j in ((SHIFT, 0), (-SHIFT, 0), (0, SHIFT), (0, -SHIFT))
    ]
    slope = np.stack([sides[0] - sides[1], sides[2] - sides[3]]) / (2 * SHIFT)
    there = np.isfinite(fit.residual)
    weight = np.where(there, 1 / (np.where(there, image.variance, 1) + (MISFIT * fit.light) ** 2), 0)
    residual = np.nan_to_num(fit.residual)
    x, y, error = stars.x.copy(), stars.y.copy(), np.full(len(stars.x), np.inf)
    seen = np.flatnonzero(fit.significance > 0)
    for group in _groups(stars.take(seen), TOGETHER * profile.fwhm):
        who = seen[group]
        if which is not None and not which[who].any():
            continue
        place = _around(stars.take(who), REACH * profile.fwhm, image.data.shape)
        parts = [_cut(stamps, values, int(k), place) for k in who for values in (stamps.value, slope[0], slope[1])]
        heights = np.repeat(fit.flux[who], 3)
        heights[::3] = 1
        part = np.array([values.ravel() for values in parts], float) * heights[:, None]
        w = weight[place].ravel().astype(float)
        normal = (part * w) @ part.T
        normal[np.diag_indices_from(normal)] *= 1 + 1e-6
        if not np.linalg.det(normal / np.diag(normal).clip(1e-300)) > 0:
            continue
        inverse = np.linalg.inv(normal)
        change = (inverse @ ((part * w) @ residual[place].ravel())).reshape(-1, 3)
        for k, (_, east, north), own in zip(who, change, np.diag(inverse).reshape(-1, 3), strict=True):
            far = max(float(np.hypot(east, north)), 1e-9)
            step = min(1.0, FARTHEST / far)
            x[k] += step * east
            y[k] += step * north
            error[k] = float(np.sqrt(own[1:].mean()))
    return Stars(x, y, stars.reach), error


def _groups(stars: Stars, radius: float) -> list[NDArray[np.intp]]:
    """Stars that lie together; of a crowd that has no end each alone."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components
    from scipy.spatial import cKDTree

    number = len(stars.x)
    if not number:
        return []
    pairs = cKDTree(np.c_[stars.x, stars.y]).query_pairs(radius, output_type="ndarray")
    graph = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(number, number))
    label = connected_components(graph, directed=False)[1]
    order = np.argsort(label, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(label[order])) + 1)
    return [part for group in groups for part in ([group] if len(group) <= MOST_TOGETHER else group[:, None])]


def _around(stars: Stars, radius: float, shape: tuple[int, int]) -> tuple[slice, slice]:
    """The box of a plane that holds what lies within a radius of some stars."""
    ends = [
        slice(int(np.clip(v.min() - radius, 0, n - 1)), int(np.clip(v.max() + radius + 1, 1, n)))
        for v, n in ((stars.y, shape[0]), (stars.x, shape[1]))
    ]
    return ends[0], ends[1]


def _cut(stamps: Stamps, values: Single, k: int, place: tuple[slice, slice]) -> Single:
    """What a star's stamp has in a box of the plane."""
    x0, y0, width, height = (int(v) for v in stamps.box[k])
    image = values[stamps.start[k] : stamps.start[k + 1]].reshape(height, width)
    cut = np.zeros((place[0].stop - place[0].start, place[1].stop - place[1].start), np.float32)
    y, x = max(y0, place[0].start), max(x0, place[1].start)
    end_y, end_x = min(y0 + height, place[0].stop), min(x0 + width, place[1].stop)
    if y < end_y and x < end_x:
        target = np.s_[y - place[0].start : end_y - place[0].start, x - place[1].start : end_x - place[1].start]
        cut[target] = image[y - y0 : end_y - y0, x - x0 : end_x - x0]
    return cut
