"""What a cube viewer shows of a cube: images of a plane, a band or all of it, and spectra of spaxels."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from muse_nb.core.errors import MuseError
from muse_nb.core.process import Stop
from muse_nb.products.cube_file import CubeFile
from muse_nb.products.spectral_axis import SpectralAxis
from muse_nb.products.voxels import Voxels
from muse_nb.steps.look import direct
from muse_nb.steps.look.band import image_of
from muse_nb.steps.look.headers import unit_of

if TYPE_CHECKING:
    from muse_nb.steps.look.line_maps import LineMaps
    from muse_nb.steps.nans.result import NanAudit

__all__ = ["Asked", "Looks", "Picture"]

Image = NDArray[Any]
SAMPLE = 24  # planes of the first white light
PIECE = 64  # planes between two looks at whether to stop
MEDIAN_PREVIEW = 25  # planes of a band whose median is quick enough to follow a hand


@dataclass(frozen=True)
class Asked:
    """Which image.

    Attributes
    ----------
    shown : str
        white, plane, band, rgb or map.
    layer : str
        DATA, STAT, S/N, NaN or an extension of the cube.
    wavelength : float
        Of the plane [Angstrom].
    band, continuum, rgb
        Ranges [Angstrom].
    how : str
        mean, sum or median.
    map : str
        Which map of a line.
    """

    shown: str = "white"
    layer: str = "DATA"
    wavelength: float = 0.0
    band: tuple[float, ...] = ()
    continuum: tuple[tuple[float, float], ...] = ()
    rgb: tuple[tuple[float, float], ...] = ()
    how: str = "mean"
    map: str = "FLUX"


@dataclass(frozen=True)
class Picture:
    """An image.

    Attributes
    ----------
    data : numpy.ndarray
        Shape (ny, nx).
    error : numpy.ndarray or None
        Of the data.
    unit, label : str
    causes : numpy.ndarray or None
        Cause of each NaN, shape (ny, nx).
    exact : bool
        False while it is only of a sample of the planes.
    """

    data: Image
    error: Image | None
    unit: str
    label: str
    causes: NDArray[np.int8] | None = None
    exact: bool = True


@dataclass
class Looks:
    """A cube that is looked at."""

    cube: CubeFile
    audit: NanAudit | None = None
    maps: LineMaps | None = None
    _white: Picture | None = field(default=None, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def __post_init__(self) -> None:
        """Read the axis, find the voxels."""
        self.axis = SpectralAxis.of(self.cube.header, self.cube.path)
        self.wavelengths = self.axis.wavelengths(self.cube.shape[0])
        self.data = Voxels(self.cube)
        self.stat = Voxels(self.cube, "STAT") if self.cube.has("STAT") else None
        self.unit = unit_of(self.cube)

    def plane(self, wavelength: float) -> int:
        """Plane nearest to a wavelength."""
        return int(np.clip(np.rint(self.axis.plane(wavelength)), 0, self.cube.shape[0] - 1))

    # ---- spectra
    def spaxel(self, x: int, y: int, error: bool) -> tuple[Image, Image | None]:
        """Spectrum of a spaxel and its error, float32, shape (nz,)."""
        nz, ny, nx = self.cube.shape
        if not (0 <= x < nx and 0 <= y < ny):
            raise MuseError(f"there is no spaxel {x + 1}, {y + 1}: the cube has {nx} x {ny}")
        box = (slice(0, nz), slice(y, y + 1), slice(x, x + 1))
        flux = self.data[box][:, 0, 0].astype("<f4")
        if not error or self.stat is None:
            return flux, None
        variance = self.stat[box][:, 0, 0].astype("<f4")
        return flux, np.sqrt(np.where(variance >= 0, variance, np.nan)).astype("<f4")

    # ---- images
    def white(self) -> Picture:
        """White light: of a sample of planes until `finish_white` has been through all of them."""
        with self._lock:
            if self._white is None:
                nz = self.cube.shape[0]
                some = np.unique(np.linspace(0.03, 0.97, SAMPLE) * (nz - 1)).astype(int)
                self._white = self._mean(np.unique(some), exact=nz <= SAMPLE and len(np.unique(some)) == nz)
            return self._white

    def finish_white(self, cancel: Stop | None = None) -> Picture | None:
        """Mean of all planes; None where it was cancelled."""
        made = self._mean(np.arange(self.cube.shape[0]), exact=True, cancel=cancel)
        if made is not None:
            with self._lock:
                self._white = made
        return made

    def _mean(self, planes: NDArray[np.int64], exact: bool, cancel: Stop | None = None) -> Any:
        _, ny, nx = self.cube.shape
        total, number = np.zeros((ny, nx)), np.zeros((ny, nx), np.int64)
        for start in range(0, len(planes), PIECE):
            if cancel is not None and cancel.is_set():
                return None
            part = planes[start : start + PIECE].tolist()
            if direct.possible(self.data, None):
                direct.add(self.data, None, part, (total, np.zeros((0, 0)), number))
                continue
            for plane in part:
                values = self.data[slice(plane, plane + 1), slice(0, ny), slice(0, nx)][0].astype(float)
                good = np.isfinite(values)
                total[good] += values[good]
                number += good
        mean = np.divide(total, number, out=np.full((ny, nx), np.nan), where=number > 0)
        label = "white light" if exact else f"white light of {len(planes)} planes"
        return Picture(mean, None, self.unit, label, exact=exact)

    def pictures(self, asked: Asked, preview: bool = False) -> list[Picture]:
        """One image, or three of red, green and blue.

        Parameters
        ----------
        asked
            Which.
        preview
            While a hand moves: without errors, and of a median the mean.
        """
        if asked.shown == "rgb" and len(asked.rgb) == 3:
            one = replace(asked, shown="band", layer="DATA", continuum=())
            return [self._band(replace(one, band=tuple(limits)), preview=True) for limits in asked.rgb]
        if asked.shown == "map" and self.maps is not None:
            data = self.maps[asked.map]
            error = self.maps.maps.get(f"{asked.map}_ERR")
            return [Picture(data, error, self.maps.units()[asked.map], f"{self.maps.line} {asked.map.lower()}")]
        if asked.layer == "NaN":
            return [self._causes(asked)]
        if asked.layer not in ("DATA", "STAT", "S/N"):
            return [self._extension(asked)]
        if asked.shown == "white" and asked.layer == "DATA":
            return [self.white()]
        ends = tuple(sorted((float(self.wavelengths[0]), float(self.wavelengths[-1]))))
        if asked.shown == "plane":
            made = self._plane(asked.wavelength)
        else:
            band = asked.band if asked.shown == "band" and len(asked.band) == 2 else ends
            windows = asked.continuum if asked.shown == "band" else ()
            made = self._band(replace(asked, band=band, continuum=windows), preview and asked.layer == "DATA")
        return [_layer(made, asked.layer)]

    def _plane(self, wavelength: float) -> Picture:
        _, ny, nx = self.cube.shape
        k = self.plane(wavelength)
        box = (slice(k, k + 1), slice(0, ny), slice(0, nx))
        error = None
        if self.stat is not None:
            variance = self.stat[box][0].astype(float)
            error = np.sqrt(np.where(variance >= 0, variance, np.nan))
        label = f"{self.wavelengths[k]:.2f} Å · plane {k + 1} of {len(self.wavelengths)}"
        return Picture(self.data[box][0].astype(float), error, self.unit, label)

    def _band(self, asked: Asked, preview: bool) -> Picture:
        low, high = sorted(asked.band)
        half = abs(self.axis.step) / 2
        first, last = sorted((float(self.wavelengths[0]), float(self.wavelengths[-1])))
        if high - low < 2 * half and first - half <= (low + high) / 2 <= last + half:  # narrower than a plane
            middle = float(self.wavelengths[self.plane((low + high) / 2)])
            low, high = middle - half / 2, middle + half / 2
        many = (high - low) / (2 * half) > MEDIAN_PREVIEW
        how = "mean" if preview and asked.how == "median" and many else asked.how
        made = image_of(self.cube, (low, high), continuum=asked.continuum, how=how, errors=not preview)
        what = f"{how} of {made.planes} planes, {low:.1f} to {high:.1f} Å"
        return Picture(made.data, made.error, made.unit, what + (" − continuum" if asked.continuum else ""))

    def _extension(self, asked: Asked) -> Picture:
        """A plane of another extension, or the mean of a sample of its planes (of DQ: all bits)."""
        _, ny, nx = self.cube.shape
        voxels, inside = Voxels(self.cube, asked.layer), range(len(self.wavelengths))
        if asked.shown == "plane":
            k = self.plane(asked.wavelength)
            values = voxels[slice(k, k + 1), slice(0, ny), slice(0, nx)][0]
            return Picture(
                values.astype(float), None, "", f"{asked.layer}, plane {k + 1} at {self.wavelengths[k]:.2f} Å"
            )
        if asked.shown == "band" and len(asked.band) == 2:
            inside = self.axis.within(min(asked.band), max(asked.band), len(self.wavelengths)) or inside
        some = np.unique(np.linspace(inside[0], inside[-1], min(len(inside), SAMPLE)).astype(int))
        planes = [voxels[slice(k, k + 1), slice(0, ny), slice(0, nx)][0] for k in map(int, some)]
        if asked.layer == "DQ":
            joined = np.bitwise_or.reduce([plane.astype(np.int64) for plane in planes])
            return Picture(joined.astype(float), None, "", f"DQ, bits of {len(some)} planes")
        mean = np.mean([plane.astype(float) for plane in planes], axis=0)
        return Picture(
            mean, None, "exposures" if asked.layer == "EXPMAP" else "", f"{asked.layer}, mean of {len(some)} planes"
        )

    def _causes(self, asked: Asked) -> Picture:
        """The plane with the cause of each of its NaN."""
        if self.audit is None:
            from muse_nb.steps.nans.audit import audit_nans

            self.audit = audit_nans(self.cube.path)
        made = self._plane(asked.wavelength)
        return replace(made, causes=self.audit.cause_plane(self.plane(asked.wavelength)))


def _layer(made: Picture, layer: str) -> Picture:
    """Variance or signal to noise of an image."""
    if layer == "DATA":
        return made
    if made.error is None:
        raise MuseError(f"this cube has no STAT: there is no {layer} to show")
    if layer == "STAT":
        unit = f"({made.unit})²" if made.unit else ""
        return replace(made, data=made.error**2, error=None, unit=unit, label=f"variance, {made.label}")
    with np.errstate(divide="ignore", invalid="ignore"):
        return replace(made, data=made.data / made.error, error=None, unit="σ", label=f"signal to noise, {made.label}")


def asked_of(values: Any, names: Sequence[str]) -> Asked:
    """Make an `Asked` of traits or of a message's settings, whatever of them is there."""
    found: dict[str, Any] = {}
    for name in names:
        value = values[name]
        found[name] = tuple(tuple(v) if isinstance(v, list) else v for v in value) if isinstance(value, list) else value
    return Asked(**found)
