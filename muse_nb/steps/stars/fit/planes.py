"""All planes of a cube, fitted slab by slab: fluxes of all stars, what their errors rest on, and what was left out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from muse_nb.core.progress import Progress
from muse_nb.kernels.crowd import Mesh, Stamps, fit_planes
from muse_nb.products.cube_file import CubeFile
from muse_nb.steps.stars.fit.bins import Bins
from muse_nb.steps.stars.fit.profile import stamps_of
from muse_nb.steps.stars.fit.shape import Stars
from muse_nb.steps.stars.fit.shapes import Shapes

__all__ = ["Planes", "fit_cube"]

Array = NDArray[np.float64]
Single = NDArray[np.float32]
SLAB, VOXELS = 32, 6_000_000  # planes fitted with one set of profiles, voxels that are held at once
CLIP, TOLERANCE, ROUNDS = 5.0, 0.3, 3  # of what is left out: see `muse_nb.kernels.crowd.fit_planes`
ROUGH = 3.0  # scatters beyond which a voxel's STAT does not tell how noise grows with light


@dataclass(frozen=True)
class Planes:
    """What the fits of all planes found, shape (K, planes) or (planes,).

    Attributes
    ----------
    flux, information, share, chi2, missing
        See `muse_nb.kernels.crowd.Fitted`.
    ground : ndarray of float32, shape (planes,)
        Mean of the background.
    scatter : ndarray, shape (planes,)
        Of the residuals over what STAT says; NaN where there is no STAT.
    rejected : ndarray of int32, shape (planes,)
        Voxels that were left out.
    """

    flux: Single
    information: Single
    share: Single
    chi2: Single
    missing: Single
    ground: Single
    scatter: Array
    rejected: NDArray[np.int32]


def fit_cube(
    cube: CubeFile, bins: Bins, stars: Stars, shapes: Shapes, mesh: Mesh, *, threads: int, step: Progress
) -> Planes:
    """Fit all planes of a cube.

    Raises
    ------
    MuseError
        It cannot be read, or the work was cancelled.
    """
    nz, ny, nx = cube.shape
    many = np.full((5, len(stars.x), nz), np.nan, np.float32)
    ground, scatter, rejected = np.full(nz, np.nan, np.float32), np.full(nz, np.nan), np.zeros(nz, np.int32)
    for first, data, stat in _slabs(cube, mesh.x.shape[1], shapes.steady(SLAB)):
        here = slice(first, first + len(data))
        middle = first + (len(data) - 1) / 2
        shift = shapes.shift(middle)
        at = stars.x + shift[0], stars.y + shift[1]
        stamps = stamps_of(*at, stars.reach, shapes.profile(middle), (ny, nx), threads=threads)
        if stat is None:
            variance = _constant(data, bins.noise[here])
        else:
            variance = _law(stat, stamps, shapes.flux(middle))
            data[~((stat > 0) & np.isfinite(stat))] = np.nan
        found = fit_planes(data, stamps, mesh, variance, clip=CLIP, tolerance=TOLERANCE, rounds=ROUNDS, threads=threads)
        for to, part in zip(many, (found.flux, found.information, found.share, found.chi2, found.missing), strict=True):
            to[:, here] = part.T
        ground[here], rejected[here] = found.ground.mean(1), found.rejected
        if stat is not None:
            scatter[here] = found.scatter
        step("planes fitted", here.stop, nz)
    flux, information, share, chi2, missing = many
    return Planes(flux, information, share, chi2, missing, ground, scatter, rejected)


def _slabs(cube: CubeFile, wide: int, thick: int) -> Iterator[tuple[int, Single, Single | None]]:
    """First plane, DATA and STAT of each slab, `wide` columns wide; data that are not finite are NaN."""
    nz, ny, nx = cube.shape
    thick = max(1, min(thick, VOXELS // (ny * wide)))
    names = ("DATA", "STAT") if cube.has("STAT") else ("DATA",)
    streams = [cube.planes(name) for name in names]
    for first in range(0, nz, thick):
        slabs = [np.full((min(thick, nz - first), ny, wide), np.nan, np.float32) for _ in names]
        for k in range(len(slabs[0])):
            for slab, stream in zip(slabs, streams, strict=True):
                slab[k, :, :nx] = next(stream)
        slabs[0][~np.isfinite(slabs[0])] = np.nan
        yield first, slabs[0], slabs[1] if len(slabs) > 1 else None


def _constant(data: Single, noise: Array) -> tuple[Single, Single, Array]:
    """The same variance for all voxels of a plane, where no STAT tells."""
    known = np.isfinite(noise) & (noise > 0)
    level = np.where(known, noise, np.median(noise[known]) if known.any() else 1.0) ** 2
    one = np.ones(data.shape[1:], np.float32)
    one[:, :] = np.isfinite(data).any(0)
    return one, np.zeros_like(one), np.c_[level, np.zeros(len(level))]


def _law(stat: Single, stamps: Stamps, flux: Array) -> tuple[Single, Single, Array]:
    """How the variance goes with the place and the stars' light, and how much of both there is in each plane.

    A voxel's own STAT knows its own noise: weights from it would make fluxes too faint. The mean of a slab's planes
    hardly does, and each plane only says how much it has of the noise without stars and of that of the stars.
    """
    good = np.isfinite(stat) & (stat > 0)
    number = good.sum(0)
    mean = np.where(good, stat, 0).sum(0) / np.maximum(number, 1)
    light = np.maximum(stamps.light(flux), 0)
    sampled = number > 0
    if not sampled.any():
        return np.zeros_like(light), np.zeros_like(light), np.zeros((len(stat), 2))
    floor, slope = _line(light[sampled].astype(float), mean[sampled].astype(float))
    place = np.where(sampled, mean / (floor + slope * light), 0).astype(np.float32)
    base, more = (floor * place).astype(np.float32), (slope * place * light).astype(np.float32)
    level = np.ones((len(stat), 2))
    both = np.stack([base[sampled], more[sampled]]).astype(float)
    for k in range(len(stat)):
        there = good[k][sampled]
        if there.sum() < 10:
            continue
        part = both[:, there] / both[:, there].sum(0)
        normal = part @ part.T
        right = part @ (stat[k][sampled][there] / both[:, there].sum(0))
        one = float(right.sum() / normal.sum())
        if slope > 0 and np.linalg.cond(normal) < 1e8:
            level[k] = np.linalg.solve(normal, right)
        if not slope > 0 or (level[k] <= 0).any():
            level[k] = one
    return base, more, level


def _line(light: Array, mean: Array) -> tuple[float, float]:
    """Variance without light, and by how much light raises it; robust."""
    use = np.ones(len(light), bool)
    floor, slope = float(np.median(mean)), 0.0
    for _ in range(4):
        weight = use / (floor + slope * light) ** 2
        w, wx, wxx = weight.sum(), (weight * light).sum(), (weight * light**2).sum()
        wy, wxy = (weight * mean).sum(), (weight * light * mean).sum()
        determinant = w * wxx - wx**2
        if not determinant > 1e-9 * w * wxx:
            return floor, 0.0
        slope = max(float((w * wxy - wx * wy) / determinant), 0.0)
        floor = float((wy - slope * wx) / w)
        if not floor > 0:
            return float(np.median(mean)), 0.0
        ratio = mean / (floor + slope * light)
        middle = np.median(ratio)
        use = np.abs(ratio - middle) < ROUGH * 1.5 * np.median(np.abs(ratio - middle)) + 1e-6
    return floor, slope
