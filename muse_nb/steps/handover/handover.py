"""``muse_nb.hand_over``: a galaxy from a cube to GalPaK3D."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.io import fits

from muse_nb.core.atomic import atomic_write, refuse_existing
from muse_nb.core.errors import MuseError
from muse_nb.core.progress import Progress, watched
from muse_nb.products.cube_file import CubeFile
from muse_nb.products.spectral_axis import SpectralAxis
from muse_nb.steps.handover.checks import checks_of
from muse_nb.steps.handover.noise import SharedNoise, own_noise_out, shared_noise
from muse_nb.steps.handover.result import HandOver
from muse_nb.steps.handover.script import galpak_script
from muse_nb.steps.handover.sharpness import BETAS, Width, line_spread, star_profile
from muse_nb.steps.handover.spikes import find_spikes
from muse_nb.steps.handover.subcube import Emission, Subcube, cut, emission
from muse_nb.steps.look.headers import fits_unit, sky_axes, unit_of

if TYPE_CHECKING:
    from astropy.table import Table

    from muse_nb.core.process import Stop

__all__ = ["hand_over"]

NAMES = ("source.fits", "run_galpak.py", "source.json")
PSF_LIMITS = (0.01, 5.0)  # FWHM [arcsec]


def hand_over(
    cube: str | Path | CubeFile,
    source: tuple[float, float],
    line: str | float,
    redshift: float,
    output: str | Path,
    *,
    size: float = 6.0,
    velocities: float = 500.0,
    psf: tuple[float, float] | Table | None = None,
    lsf: float | str | Path | None = None,
    force: bool = False,
    progress: Progress | None = None,
    cancel: Stop | None = None,
) -> HandOver:
    """Cut a source out of a cube for GalPaK3D, with all that its fit needs to know.

    Parameters
    ----------
    cube
        DATACUBE_FINAL or any cube with wavelengths; of one without STAT the scatter beside the line is taken.
    source
        RA and Dec [deg].
    line
        Its name, as ``Halpha`` or ``[OII]`` (a doublet), or its wavelength at rest in air [Angstrom].
    redshift
        Of the source.
    output
        Folder for source.fits (DATA less the continuum, STAT), run_galpak.py and source.json.
    size
        Side of the box [arcsec].
    velocities
        How far the line reaches to either side [km/s].
    psf
        FWHM [arcsec] and beta of a Moffat, as the slow-guiding images tell; or a table with wavelength [Angstrom],
        fwhm and beta (`StarSpectra.psf`); by default fitted to the stars of the field.
    lsf
        FWHM [Angstrom], or an LSF_PROFILE; by default that of sky lines nearby, else a published polynomial.
    force
        Replace what is there.
    progress, cancel
        Told of every step; stops when set.

    Returns
    -------
    HandOver

    Raises
    ------
    MuseError
        The cube cannot be read, source or line lie off it, no star tells the PSF, or it was cancelled.

    Examples
    --------
    >>> made = muse_nb.hand_over("CUBE.fits", (265.175, -53.674), "Halpha", 0.0, "galaxy", psf=(0.7, 2.8))
    >>> print(made)
    Halpha at z = 0, 6562.8 Angstrom (air), in galaxy/source.fits
    PSF: FWHM 0.700 arcsec, beta 2.80 (as given)
    ...
    """
    opened = cube if isinstance(cube, CubeFile) else CubeFile.open(cube)
    folder = Path(output)
    for name in NAMES:
        refuse_existing(folder / name, force=force, inputs=[opened.path])
    step = watched(progress, cancel, f"the source in {opened.path}")
    axis = SpectralAxis.of(opened.header, opened.path)
    if axis.logarithmic:
        raise MuseError(f"{opened.path} has a logarithmic axis, which GalPaK3D does not take: resample it")
    scale, place = _geometry(opened, source, size)
    wanted = emission(line, redshift, axis.medium)
    side = round(size / scale)
    step("source", 0, 4)
    sub = cut(opened, axis, place, wanted, side, velocities)
    ends = float(sub.wavelength[0]), float(sub.wavelength[-1])
    middle = float(np.mean(wanted.observed))
    step("stars", 1, 4)
    blur = _psf(opened, axis, psf, ends, place, side, scale)
    box = (slice(sub.rows.start, sub.rows.stop), slice(sub.columns.start, sub.columns.stop))
    spread = line_spread(lsf, opened, axis, middle, box)
    step("noise", 2, 4)
    spikes = find_spikes(sub.data, np.sqrt(sub.variance), blur.fwhm / scale, blur.beta)
    sub = replace(
        sub, data=np.where(spikes, np.nan, sub.data), variance=np.where(spikes, np.nan, sub.variance), spikes=spikes
    )
    variance, slope = own_noise_out(sub.data, sub.variance)
    sub = replace(sub, variance=variance)
    noise = shared_noise(sub.beside, sub.beside_error, blur.fwhm / scale, spread.fwhm / abs(axis.step))
    here = place[0] - sub.columns.start, place[1] - sub.rows.start
    checks = checks_of(sub, wanted, noise, blur, spread, here, scale)
    step("files", 3, 4)
    made = HandOver(
        folder, opened.path, folder / NAMES[0], folder / NAMES[1], wanted.name, redshift, wanted.observed,
        "vacuum" if axis.medium == "vacuum" else "air", *source, here[0] + 1, here[1] + 1, blur.fwhm, blur.beta,
        blur.source, spread.fwhm, spread.source, noise.inflation, checks, _notes(axis, sub, slope > 0),
    )  # fmt: skip
    _write(made, opened, axis, sub, noise, wanted, scale, force)
    step("files", 4, 4)
    return made


def _geometry(cube: CubeFile, source: tuple[float, float], size: float) -> tuple[float, tuple[float, float]]:
    """Size of a spaxel [arcsec], and the place of the source [spaxel from 0]."""
    ra, dec = source
    if not (np.isfinite(ra) and -90 <= dec <= 90):
        raise MuseError(f"RA {ra:g} and Dec {dec:g} are no place on the sky: give both in degrees")
    matrix = cube.celestial.pixel_scale_matrix
    scale = float(np.sqrt(abs(np.linalg.det(matrix))) * 3600)
    if not 5 * scale <= size <= 60:
        raise MuseError(f"a box of {size:g} arcsec holds no source in spaxels of {scale:.3f}: give some 6 arcsec")
    x, y = cube.celestial.world_to_pixel_values(ra, dec)
    if not (np.isfinite(x) and np.isfinite(y)):
        raise MuseError(f"the source lies off {cube.path}: give its RA and DEC in degrees")
    return scale, (float(x), float(y))


def _psf(
    cube: CubeFile, axis: SpectralAxis, given: tuple[float, float] | Table | None, ends: tuple[float, float],
    place: tuple[float, float], side: int, scale: float,
) -> Width:  # fmt: skip
    """Profile of a star at the line: as given, by a table, or fitted."""
    if given is None:
        found = star_profile(cube, axis, ends, place, side, scale)
        if isinstance(found, str):
            raise MuseError(f"{cube.path}: {found}: give FWHM and beta (--psf FWHM BETA), as slow guiding tells them")
        return found
    if not isinstance(given, tuple):
        missing = {"wavelength", "fwhm", "beta"} - set(given.colnames)
        if missing:
            raise MuseError(f"the table of the PSF lacks {', '.join(sorted(missing))}: give StarSpectra.psf")
        order = np.argsort(np.asarray(given["wavelength"]))
        at = np.asarray(given["wavelength"], float)[order]
        fwhm, beta = (float(np.interp(np.mean(ends), at, np.asarray(given[n], float)[order])) for n in ("fwhm", "beta"))
        told = "the stars' spectra"
    else:
        (fwhm, beta), told = (float(value) for value in given), "as given"
    if not (PSF_LIMITS[0] < fwhm < PSF_LIMITS[1] and BETAS[0] < beta < BETAS[1]):
        raise MuseError(f"a PSF of FWHM {fwhm:g} arcsec and beta {beta:g} is none: give those of a Moffat")
    return Width(fwhm, beta, told)


def _notes(axis: SpectralAxis, sub: Subcube, tied: bool) -> tuple[str, ...]:
    notes = []
    if tied:
        notes.append("STAT rises with the noise of its own voxel, which draws fits low: that was taken out of it")
    if axis.medium == "unknown":
        notes.append("CTYPE3 does not say whether wavelengths are in air or vacuum: they are taken for air's")
    if not sub.slope:
        notes.append("the continuum beside the line is known on one side only: a constant was taken off")
    if not sub.has_stat:
        notes.append("there is no STAT: the variance is the scatter of each spaxel beside the line")
    return tuple(notes)


def _write(
    made: HandOver, cube: CubeFile, axis: SpectralAxis, sub: Subcube, noise: SharedNoise, line: Emission,
    scale: float, force: bool,
) -> None:  # fmt: skip
    """Write subcube, script and JSON."""
    header = _header(cube, axis, sub)
    unit = fits_unit(unit_of(cube))
    primary = fits.PrimaryHDU()
    for key, value, text in (
        ("RA", made.ra, "[deg] source"),
        ("DEC", made.dec, "[deg] source"),
        ("HIERARCH MUSE_NB LINE", line.name, "line"),
        ("HIERARCH MUSE_NB REDSHIFT", made.redshift, "redshift of the source"),
        ("HIERARCH MUSE_NB STAT FACTOR", round(noise.inflation, 4), "STAT was multiplied by, for shared noise"),
    ):
        primary.header[key] = (value, text)
    header["BUNIT"] = unit
    data = fits.ImageHDU(sub.data.astype(np.float32), header, name="DATA")
    header["BUNIT"] = fits_unit(f"({unit_of(cube)})**2") if unit else ""
    stat = fits.ImageHDU((sub.variance * noise.inflation).astype(np.float32), header, name="STAT")
    with atomic_write(made.subcube, force=force, inputs=[made.cube]) as part:
        fits.HDUList([primary, data, stat]).writeto(part, overwrite=True)
    with atomic_write(made.script, force=force) as part:
        part.write_text(galpak_script(_facts(made, cube, axis, line, scale)), encoding="utf-8")
    with atomic_write(made.folder / NAMES[2], force=force) as part:
        part.write_text(json.dumps(made.summary(), indent=1), encoding="utf-8")


def _header(cube: CubeFile, axis: SpectralAxis, sub: Subcube) -> fits.Header:
    """The cube's axes, moved to the box; wavelengths in Angstrom, air unless the cube says vacuum."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of dates that WCS would rather write otherwise
        header = sky_axes(cube)
    header["WCSAXES"] = 3
    header["CRPIX1"] = float(header["CRPIX1"]) - sub.columns.start
    header["CRPIX2"] = float(header["CRPIX2"]) - sub.rows.start
    header["CTYPE3"] = "WAVE" if axis.medium == "vacuum" else "AWAV"
    header["CUNIT3"], header["CRPIX3"], header["CRVAL3"] = "Angstrom", 1.0, float(sub.wavelength[0])
    header["CD3_3"] = header["CDELT3"] = axis.step
    for key in ("CD1_3", "CD2_3", "CD3_1", "CD3_2"):
        header[key] = 0.0
    return header


def _facts(made: HandOver, cube: CubeFile, axis: SpectralAxis, line: Emission, scale: float) -> dict[str, object]:
    """What the script is told."""
    rest = [round(at / (1 + made.redshift), 4) for at in line.observed]
    doublet: dict[str, Any] | None = None
    if line.ratio is not None:
        doublet = {"wave": rest, "ratio": [line.ratio, 1.0]}
    matrix = cube.celestial.pixel_scale_matrix
    up = float(np.degrees(np.arctan2(matrix[0, 1], matrix[1, 1])))  # of +y, north through east
    return {
        "name": line.name,
        "redshift": made.redshift,
        "cube": made.cube.name,
        "subcube": made.subcube.name,
        "line": doublet,
        "psf_fwhm": round(made.psf_fwhm, 4),
        "psf_beta": round(made.psf_beta, 3),
        "psf_source": made.psf_source,
        "lsf": round(made.lsf, 4),
        "lsf_source": made.lsf_source,
        "spaxel": round(scale, 5),
        "step": axis.step,
        "up": round(up, 4),
        "turns": 1 if np.linalg.det(matrix) < 0 else -1,
        "flux_unit": f"{unit_of(cube)} Angstrom".strip(),
    }
