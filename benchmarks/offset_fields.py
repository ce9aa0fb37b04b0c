"""Simulated IMAGE_FOVs of every kind of field, with their true offsets and the photon-noise bound."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS
from numpy.typing import NDArray
from scipy.signal import fftconvolve

from muse_nb.kernels.psf import Stamps, moffat_stamps
from muse_nb.steps.offsets.starfit.geometry import Plane
from muse_nb.steps.offsets.starfit.psf import kernel, round_psf

SCALE = 0.2  # arcsec per pixel
FLOOR, SLOPE = 1.0, 0.05  # variance = FLOOR + SLOPE * light, so that amplitudes are in units of the sky's noise
CORE, HALO, HALO_BETA = 0.9, 2.6, 1.8  # of a PSF that is no Moffat: share of the core, width and beta of the halo


@dataclass(frozen=True)
class Kind:
    """What a field holds: number of stars, peak amplitudes (power law between two), side in pixels."""

    stars: int
    faint: float
    bright: float
    side: int = 150
    exposures: int = 6
    dec: float = -30.0
    galaxy: float = 0.0
    moffat: bool = True
    concentration: float = 0.0
    slope: float = 0.8
    resampled: bool = False  # pixels share their light with the next, as after drizzling
    trail: bool = False  # of a satellite, in the third exposure


KINDS = {
    "cluster": Kind(700, 1.0, 400.0, side=300, concentration=18.0),
    "crowded core": Kind(2200, 0.5, 400.0, side=150, concentration=9.0),
    "forty stars": Kind(40, 3.0, 300.0, side=300),
    "three faint": Kind(3, 3.0, 6.0),
    "one star": Kind(1, 4.0, 30.0),
    "galaxy": Kind(15, 5.0, 80.0, galaxy=60.0),
    "empty": Kind(0, 1.0, 1.0),
    "not a Moffat": Kind(40, 3.0, 300.0, side=200, moffat=False),
    "declination -75": Kind(30, 3.0, 200.0, side=150, dec=-75.0),
    "45 exposures": Kind(40, 3.0, 200.0, side=120, exposures=45),
    "resampled": Kind(40, 3.0, 300.0, side=200, resampled=True),
    "few and a trail": Kind(8, 5.0, 60.0, resampled=True, trail=True),
}


@dataclass(frozen=True)
class Field:
    """A simulated field: files, true offsets (n, 2) [arcsec, first 0] and the bound on each exposure's (n, 2).

    `chance` (n, 2) is the error that the noise of these very pixels gives to a fit that knows all else.
    """

    files: list[Path]
    offset: NDArray
    bound: NDArray
    chance: NDArray


@dataclass(frozen=True)
class Drawn:
    """One exposure as it was drawn: peaks (K,), PSF, inverse variance (0 where no data) and noise, each (ny, nx)."""

    plane: Plane
    amplitude: NDArray
    psf: NDArray
    width: float
    weight: NDArray
    noise: NDArray
    share: NDArray  # of its light that a pixel gives to the next, along x and y

    def pixel(self, sky: NDArray) -> NDArray:
        """Where stars are before pixels share their light."""
        return self.plane.pixel(sky) - self.share


def make(kind: Kind, seed: int, folder: Path) -> Field:
    """Write the exposures of one field to `folder`."""
    rng = np.random.default_rng(seed)
    origin = (150.1, kind.dec)
    half = kind.side * SCALE / 2
    sky = rng.uniform(-half - 1, half + 1, (kind.stars, 2))
    if kind.concentration:
        sky = np.clip(rng.standard_t(3, (kind.stars, 2)) * kind.concentration / 2, -half - 1, half + 1)
    elif kind.stars < 5:
        sky *= 0.7
    u = rng.random(kind.stars)
    ends = kind.faint**-kind.slope, kind.bright**-kind.slope
    flux = (ends[0] + u * (ends[1] - ends[0])) ** (-1 / kind.slope)
    n = kind.exposures
    angle = 90.0 * (np.arange(n) % 4)
    turn = np.radians(angle) + rng.uniform(0, 6.28)
    offset = 0.3 * np.c_[np.cos(turn), np.sin(turn)] + rng.normal(0, 0.15, (n, 2))
    offset -= offset[0]
    missing = rng.integers(0, 4)
    folder.mkdir(parents=True, exist_ok=True)
    files, frames = [], []
    for i in range(n):
        header = _wcs(kind, origin, rng.uniform(-2, 2, 2) if i else np.zeros(2))
        plane = Plane.of(WCS(header), (kind.side,) * 2, origin)
        width, seeing_flux = rng.uniform(0.6, 1.1) / SCALE, rng.uniform(0.8, 1.1)
        amplitude = flux * seeing_flux * (4.0 / width) ** 2
        share = np.full(2, 0.5 if kind.resampled else 0.0)
        light, psf = _draw(kind, plane.pixel(sky + offset[i]) - share, amplitude, width, rng)
        light += kind.galaxy * _galaxy(plane, kind.side, offset[i], width)
        variance = FLOOR + SLOPE * light
        noise = rng.normal(0, np.sqrt(variance))
        image = light + 20 + noise
        _cosmic_rays(image, rng)
        trail = _trail(kind.side, rng) if kind.trail and i == 2 else np.zeros(image.shape)
        image = _resampled(image + trail, share)
        blank = _blank(kind.side, angle[i], missing)
        image[blank] = np.nan
        lost = blank | (trail > np.sqrt(FLOOR))
        files.append(folder / f"IMAGE_FOV_{i + 1:04d}.fits")
        _write(files[-1], image, header, i, angle[i], origin)
        frames.append(Drawn(plane, amplitude, psf, width, np.where(lost, 0, 1 / variance), noise, share))
    return Field(files, offset, *bound(kind, frames, sky, offset))


def _wcs(kind: Kind, origin: tuple[float, float], dither: NDArray) -> fits.Header:
    header = fits.Header()
    header["CRPIX1"] = header["CRPIX2"] = (kind.side + 1) / 2
    header["CRVAL1"] = origin[0] + dither[0] / 3600 / np.cos(np.radians(origin[1]))
    header["CRVAL2"] = origin[1] + dither[1] / 3600
    header["CD1_1"], header["CD1_2"], header["CD2_1"], header["CD2_2"] = -SCALE / 3600, 0.0, 0.0, SCALE / 3600
    header["CTYPE1"], header["CTYPE2"] = "RA---TAN", "DEC--TAN"
    header["CUNIT1"] = header["CUNIT2"] = "deg"
    return header


def _draw(kind: Kind, position: NDArray, amplitude: NDArray, width: float, rng: np.random.Generator) -> tuple:
    radius = np.full(len(position), int(9 * width))
    psf = round_psf(width, rng.uniform(2.2, 2.9))
    stretch = rng.normal(0, 0.02, 2)
    psf[:3] += psf[0] * np.array([stretch[0], stretch[1], -stretch[0]])
    return _stars(kind, position, amplitude, radius, psf, width, (kind.side,) * 2).model, psf


def _stars(
    kind: Kind,
    position: NDArray,
    amplitude: NDArray,
    radius: NDArray,
    psf: NDArray,
    width: float,
    shape: tuple[int, int],
    matrix: NDArray | None = None,
) -> Stamps:
    """Stamps of a Moffat or, where the kind says so, of a narrow core on a wide halo."""
    core = moffat_stamps(position, amplitude, radius, psf, shape, matrix)
    if kind.moffat:
        return core
    halo = moffat_stamps(position, amplitude, radius, round_psf(HALO * width, HALO_BETA), shape, matrix)

    def mixed(name: str) -> NDArray:
        return CORE * getattr(core, name) + (1 - CORE) * getattr(halo, name)

    return Stamps(core.box, core.start, *map(mixed, ("value", "east", "north", "model", "shape")))


def _galaxy(plane: Plane, side: int, offset: NDArray, width: float) -> NDArray:
    """An exponential disc with some structure, moved with the stars and seen through the same seeing."""
    reach = int(np.ceil(2 * width))
    y, x = np.mgrid[-reach : side + reach, -reach : side + reach]
    east, north = np.moveaxis(plane.sky(np.stack([x, y], -1)) - offset, -1, 0)
    disc = np.exp(-np.hypot(east, north / 0.6) / 4.0) * (1 + 0.05 * np.sin(east * 1.3))
    return fftconvolve(disc, kernel(width) / kernel(width).sum(), mode="valid")


def _cosmic_rays(image: NDArray, rng: np.random.Generator) -> None:
    for _ in range(rng.poisson(image.size * 4e-4)):
        y, x = rng.integers(0, image.shape[0]), rng.integers(0, image.shape[1])
        length, axis = rng.integers(1, 4), rng.integers(0, 2)
        cut = np.s_[y : y + (length if axis else 1), x : x + (1 if axis else length)]
        image[cut] += rng.exponential(60)


def _trail(side: int, rng: np.random.Generator) -> NDArray:
    """A line of light as wide as a star, through the middle half of the image."""
    y, x = np.indices((side, side)) - side / 2
    angle = rng.uniform(0, np.pi)
    return 25 * np.exp(-((x * np.cos(angle) + y * np.sin(angle) - rng.uniform(-0.25, 0.25) * side) ** 2) / 6)


def _resampled(image: NDArray, share: NDArray) -> NDArray:
    for axis, part in zip((1, 0), share, strict=True):
        image = (1 - part) * image + part * np.roll(image, 1, axis)
    return image


def _blank(side: int, angle: float, missing: int) -> NDArray:
    """The border without data, and one missing slice stack that turns with the field."""
    blank = np.zeros((side, side), bool)
    width = side // 4
    blank[missing * width + width // 2 : missing * width + width // 2 + 5, side // 2 :] = True
    blank[:3] = blank[-2:] = blank[:, :2] = True
    return np.rot90(blank, int(angle // 90))


def _write(path: Path, image: NDArray, wcs: fits.Header, i: int, angle: float, origin: tuple[float, float]) -> None:
    primary = fits.PrimaryHDU()
    start = np.datetime64("2014-07-27T03:00:00.000") + np.timedelta64(97 * i, "s")
    primary.header["DATE-OBS"], primary.header["MJD-OBS"] = str(start), 56865.125 + 97 * i / 86400
    primary.header["RA"], primary.header["DEC"], primary.header["EXPTIME"] = *origin, 60.0
    primary.header["INSTRUME"], primary.header["OBJECT"] = "MUSE", "NGC 6397"
    primary.header["HIERARCH ESO INS DROT POSANG"], primary.header["HIERARCH ESO INS DROT MODE"] = angle, "SKY"
    primary.header["HIERARCH ESO INS MODE"] = "WFM-NOAO-N"
    primary.header["HIERARCH ESO PRO CATG"] = "IMAGE_FOV"
    primary.header["HIERARCH ESO DRS MUSE FILTER NAME"] = "white"
    data = fits.ImageHDU(image.astype(np.float32), wcs, name="DATA")
    data.header["BUNIT"] = "10**(-20)*erg/s/cm**2/Angstrom"
    fits.HDUList([primary, data]).writeto(path, overwrite=True)


def bound(kind: Kind, frames: list[Drawn], sky: NDArray, offset: NDArray) -> tuple[NDArray, NDArray]:
    """Cramer-Rao bound (n, 2) [arcsec] on the offsets against the first exposure, and what chance makes of them (n, 2).

    Fluxes (of each exposure) and positions of all stars above 5 sigma in the stack are free; PSF, galaxy, cosmic rays
    and fainter stars are known. The same least squares, linear about the truth, turn the noise into errors of the
    offsets.
    """
    n, stars = len(frames), len(sky)
    worth = sum(frame.amplitude**2 * np.pi * 4 / (FLOOR + SLOPE * frame.amplitude) for frame in frames)
    seen = np.flatnonzero(worth > 25) if stars else np.zeros(0, int)
    k = seen.size
    if not k:
        return np.full((n, 2), np.inf), np.full((n, 2), np.nan)
    total, cross, own = np.zeros((2 * k, 2 * k)), np.zeros((n, 2 * k, 2)), np.zeros((n, 2, 2))
    pull, pulls = np.zeros(2 * k), np.zeros((n, 2))
    for i, frame in enumerate(frames):
        position, gradient = _positions(kind, frame, frame.pixel(sky[seen] + offset[i]), frame.amplitude[seen])
        total += position
        pull += gradient
        cross[i] = np.c_[position[:, :k].sum(1), position[:, k:].sum(1)]
        own[i] = np.array([[cross[i][:k].sum(0)], [cross[i][k:].sum(0)]]).reshape(2, 2)
        pulls[i] = gradient[:k].sum(), gradient[k:].sum()
    total += 1e-3 * np.eye(2 * k)
    information = np.zeros((n, 2, n, 2))
    solved = np.linalg.solve(total, cross.transpose(1, 0, 2).reshape(2 * k, -1)).reshape(2 * k, n, 2)
    for i in range(n):
        information[i, :, i] += own[i]
        information[i] -= np.einsum("ka,kjb->ajb", cross[i], solved)
    pulls -= np.einsum("kjb,k->jb", solved, pull)
    small = information.reshape(2 * n, 2 * n)[2:, 2:] + 1e-9 * np.eye(2 * n - 2)
    inverse = np.linalg.inv(small)
    chance = (inverse @ pulls.ravel()[2:]).reshape(-1, 2)
    first = np.zeros((1, 2))
    return np.r_[first, np.sqrt(np.diag(inverse)).reshape(-1, 2)], np.r_[first, chance]


def _positions(kind: Kind, frame: Drawn, pixel: NDArray, amplitude: NDArray) -> tuple[NDArray, NDArray]:
    """Normal equations (2k, 2k) of the stars' positions, east first, fluxes eliminated, and the noise's side (2k,)."""
    k = len(pixel)
    radius = np.full(k, int(4 * np.sqrt(1 / frame.psf[0])))
    stamps = _stars(kind, pixel, amplitude, radius, frame.psf, frame.width, frame.weight.shape, frame.plane.matrix)
    row, column = stamps.pairs()
    block = stamps.blocks(frame.weight, row, column)
    owner = np.repeat(np.arange(k), np.diff(row))
    dense = np.zeros((3, k, 3, k))
    dense[:, owner, :, column] = block
    dense = dense.reshape(3 * k, 3 * k)
    side = stamps.border(frame.weight, frame.noise)[0].T.ravel()
    flux = dense[:k, :k] + 1e-9 * np.eye(k)
    free = np.linalg.solve(flux, np.c_[dense[:k, k:], side[:k]])
    return dense[k:, k:] - dense[k:, :k] @ free[:, :-1], side[k:] - dense[k:, :k] @ free[:, -1]


__all__ = ["KINDS", "Field", "Kind", "bound", "make"]
