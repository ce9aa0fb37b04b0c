"""From what the fits found to the spectra: errors, masks, magnitudes, and what there is to say of them."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from muse_nb.products.cube_file import CubeFile
from muse_nb.products.filters import Filter
from muse_nb.products.spectral_axis import SpectralAxis
from muse_nb.steps.look.headers import unit_of, wavelength_axis
from muse_nb.steps.stars import quality
from muse_nb.steps.stars.fit.bins import Bins
from muse_nb.steps.stars.fit.blends import Blends
from muse_nb.steps.stars.fit.field import Field
from muse_nb.steps.stars.fit.misfit import common_errors
from muse_nb.steps.stars.fit.planes import Planes
from muse_nb.steps.stars.fit.shape import Image
from muse_nb.steps.stars.fit.shapes import Shapes
from muse_nb.steps.stars.magnitudes import Magnitude, flux_scale, magnitudes
from muse_nb.steps.stars.positions import Placed
from muse_nb.steps.stars.result import StarSpectra
from muse_nb.steps.stars.table import judged, star_table

if TYPE_CHECKING:
    from astropy.table import Table

__all__ = ["Fitted", "spectra_of"]

Array = NDArray[np.float64]
Single = NDArray[np.float32]
Bools = NDArray[np.bool_]
COVERED, CORE_COVERED = 0.5, 0.5  # of a profile's square, and of its core, that must have data in a plane
HONEST = 0.05  # by which the scatter of voxels may differ from STAT before errors follow the scatter
WORTH_TELLING = 0.02  # error that all planes of a star share


@dataclass(frozen=True)
class Fitted:
    """All that was measured of a cube."""

    cube: CubeFile
    bins: Bins
    placed: Placed
    white: Image
    field: Field
    shapes: Shapes
    planes: Planes
    blends: Blends


def spectra_of(
    fitted: Fitted, axis: SpectralAxis, filters: Sequence[str], curves: dict[str, Filter] | None
) -> StarSpectra:
    """Make the spectra of the stars that were asked for; see `muse_nb.steps.stars.extract.extract_stars`."""
    cube, planes, asked = fitted.cube, fitted.planes, fitted.placed.asked
    wavelength = axis.wavelengths(cube.shape[0])
    known = bool(np.isfinite(planes.scatter).any())
    notes = list(fitted.placed.notes)
    flux, share = planes.flux[asked], planes.share[asked]
    overlaps = Blends(*(getattr(fitted.blends, field.name)[asked] for field in fields(Blends)))
    factor = _honest(fitted, notes) if known else np.nan
    with np.errstate(divide="ignore", invalid="ignore"):
        error = (factor * np.sqrt(overlaps.together[:, None] / planes.information[asked])).astype(np.float32)
        mask = ~np.isfinite(flux) | ~(share > COVERED) | ~(planes.missing[asked] < 1 - CORE_COVERED)
        snr = _middle(flux / error, mask)
    chi2 = planes.chi2[asked] if known else np.full_like(flux, np.nan)
    bits = judged(overlaps, snr, _middle(share, mask), _middle(chi2, mask), mask)
    common = common_errors(fitted.field, fitted.white)[asked]
    scale = flux_scale(unit_of(cube))
    found: list[Magnitude] = []
    if scale is not None:
        found = magnitudes(
            filters, curves, wavelength, flux, error, mask, scale=scale, along=fitted.bins.along, common=common
        )
    columns = {
        "snr": (snr, None),
        "fwhm": (np.full(len(asked), _width(fitted)), "arcsec"),
        "quality": (bits, None),
        "group": (_renumbered(overlaps.group), None),
        "neighbours": (overlaps.neighbours, None),
        "crowding": (np.sqrt(overlaps.together / overlaps.alone), None),
        "chi2": (_middle(chi2, mask), None),
        "common_error": (common, None),
        "rejected": (np.where(mask, 0, planes.missing[asked]).sum(1) / np.maximum((~mask).sum(1), 1), None),
    }
    return StarSpectra(
        cube=cube.path,
        stars=star_table(fitted.placed.name, _sky(fitted), _pixels(fitted), found, columns),
        wavelength=wavelength,
        flux=flux,
        error=error,
        mask=mask,
        chi2=chi2,
        psf=_psf(fitted, wavelength),
        unit=unit_of(cube),
        medium=axis.medium,
        axis=wavelength_axis(axis),
        notes=(*notes, *_notes(fitted, known, float(np.median(common)) if len(common) else 0.0)),
        findings=tuple(_findings(bits)),
    )


def _middle(values: Single, mask: Bools) -> Array:
    """Median of each star's good planes; NaN where there is none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return np.asarray(np.nanmedian(np.where(mask, np.nan, values), axis=1), float)


def _honest(fitted: Fitted, notes: list[str]) -> float:
    """What errors are to be multiplied by: the scatter of voxels over STAT, where they differ."""
    ratio = fitted.bins.ratio
    if not np.isfinite(ratio) or ratio <= 0 or abs(ratio - 1) < HONEST:
        return 1.0
    notes.append(f"voxels scatter {ratio:.2f} times as much as STAT says: the errors follow the scatter")
    return ratio


def _scale(fitted: Fitted) -> float:
    """Arcsec of a pixel."""
    return float(np.sqrt(abs(np.linalg.det(fitted.cube.celestial.pixel_scale_matrix))) * 3600)


def _width(fitted: Fitted) -> float:
    return fitted.shapes.profile((fitted.cube.shape[0] - 1) / 2).fwhm * _scale(fitted)


def _pixels(fitted: Fitted) -> tuple[Array, Array]:
    """Places in the middle of the wavelengths, FITS pixels from 1."""
    asked, stars = fitted.placed.asked, fitted.field.stars
    x, y = fitted.shapes.shift((fitted.cube.shape[0] - 1) / 2)
    return stars.x[asked] + x + 1, stars.y[asked] + y + 1


def _sky(fitted: Fitted) -> tuple[Array, Array]:
    x, y = _pixels(fitted)
    ra, dec = fitted.cube.celestial.pixel_to_world_values(x - 1, y - 1)
    return np.asarray(ra, float), np.asarray(dec, float)


def _renumbered(group: NDArray[np.int64]) -> NDArray[np.int64]:
    """Groups from 1, in the order of the stars."""
    first: dict[int, int] = {}
    return np.array([first.setdefault(int(one), len(first) + 1) for one in group], np.int64)


def _psf(fitted: Fitted, wavelength: Array) -> Table:
    """The profile by wavelength, at the bins' middles and both ends."""
    from astropy.table import Table

    last = len(wavelength) - 1
    planes = np.unique(np.r_[0.0, fitted.shapes.middle, float(last)])
    profiles = [fitted.shapes.profile(plane) for plane in planes]
    shifts = np.array([fitted.shapes.shift(plane) for plane in planes])
    return Table(
        {
            "wavelength": np.interp(planes, np.arange(last + 1), wavelength),
            "fwhm": [profile.fwhm * _scale(fitted) for profile in profiles],
            "beta": [profile.beta for profile in profiles],
            "ellipticity": [float(np.hypot(*profile.ellipticity)) for profile in profiles],
            "dx": shifts[:, 0],
            "dy": shifts[:, 1],
        },
        units={"wavelength": "Angstrom", "fwhm": "arcsec", "dx": "pixel", "dy": "pixel"},
    )


def _notes(fitted: Fitted, known: bool, common: float) -> list[str]:
    """What was done, in numbers."""
    cube, planes = fitted.cube, fitted.planes
    first, last = (fitted.shapes.profile(plane) for plane in (0.0, cube.shape[0] - 1.0))
    scale = _scale(fitted)
    notes = [
        f"profile: a Moffat of FWHM {first.fwhm * scale:.2f} arcsec at the first plane and {last.fwhm * scale:.2f} at"
        f" the last, beta {first.beta:.2f} and {last.beta:.2f}"
        + (", its core corrected" if np.any(fitted.shapes.core) else "")
    ]
    others = len(fitted.field.stars.x) - len(fitted.placed.asked)
    if others > 0:
        notes.append(f"{others} more star{'s' * (others != 1)} that the white light shows were fitted along")
    holes = int(planes.rejected.sum())
    notes.append(f"{holes} voxels that no star explains, cosmic rays or other residuals, and all NaN were left out")
    if not known:
        notes.append(f"{cube.path.name} has no STAT: errors, S/N and residuals in sigma are not known")
    else:
        wide = float(np.sqrt(np.median(fitted.blends.alone)))
        notes.append(f"neighbouring voxels share noise: errors are {wide:.2f} times those of independent voxels")
    if common > WORTH_TELLING:
        notes.append(
            f"single stars differ from the common profile: their fluxes may be off by {100 * common:.1f} %, the same in"
            " all planes; errors of magnitudes have it, errors of spectra do not"
        )
    return notes


def _findings(bits: NDArray[np.int64]) -> list[str]:
    """How many stars have which flaw."""
    told = []
    for bit, text in quality.WORDS.items():
        number = int(np.count_nonzero(bits & bit))
        if number:
            told.append(f"{number} star{'s' * (number != 1)}: {text}")
    return told
