"""``muse_nb.judge_cube``: is this cube good?"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from muse_nb.core.errors import MuseError
from muse_nb.core.progress import Progress, watched
from muse_nb.core.robust import median
from muse_nb.core.text import printable
from muse_nb.products.cube_file import CubeFile
from muse_nb.products.pixtable import PixelTable
from muse_nb.products.spectral_axis import SpectralAxis
from muse_nb.steps.judge.holes import check_holes
from muse_nb.steps.judge.marks import check_marks
from muse_nb.steps.judge.noise import check_noise
from muse_nb.steps.judge.parts.places import Places
from muse_nb.steps.judge.parts.reading import Sample, read_sample
from muse_nb.steps.judge.parts.tables import Exposure, read_tables
from muse_nb.steps.judge.reference import check_catalogue, check_image
from muse_nb.steps.judge.result import Check, Judgement, Section
from muse_nb.steps.judge.seams import check_seams
from muse_nb.steps.judge.sky import check_sky
from muse_nb.steps.judge.stars import check_stars, measure_stars
from muse_nb.steps.judge.wavelengths import check_wavelengths
from muse_nb.steps.nans.dq_causes import slice_centres

if TYPE_CHECKING:
    from astropy.table import Table

    from muse_nb.core.process import Stop

__all__ = ["judge_cube"]

SEEING = 0.8  # arcsec, where no star tells


def judge_cube(
    cube: str | Path | CubeFile,
    pixtables: str | Path | Iterable[str | Path] | None = None,
    *,
    reference: str | Path | None = None,
    catalogue: Table | str | Path | None = None,
    progress: Progress | None = None,
    cancel: Stop | None = None,
) -> Judgement:
    """Judge a cube: what is left of the sky, wavelengths, seams, stars, noise, depth, NaN, trails and artefacts.

    It is read twice, plane by plane: a cube of many GB needs a few hundred MB of memory.

    Parameters
    ----------
    cube
        DATACUBE_FINAL or any cube with wavelengths.
    pixtables
        The pixel tables it was made from: they tell more of single IFUs and slices. A cube that was combined with
        ``extensions=["DQ"]`` tells where these are without them.
    reference
        An image of the field with a celestial WCS, to hold fluxes and positions against.
    catalogue
        A table of stars with ra and dec [deg], as Gaia's; pmra, pmdec and ref_epoch are used where they are there.
    progress, cancel
        Told of every piece; stops when set.

    Returns
    -------
    Judgement
        Checks with value, limit and a sentence; ``good`` is None where something could not be known.

    Raises
    ------
    MuseError
        A file cannot be read, the image or the table is of another field, or it was cancelled.

    Examples
    --------
    >>> judgement = muse_nb.judge_cube("CUBE.fits")
    >>> judgement.good, judgement.findings
    (True, [])
    """
    opened = cube if isinstance(cube, CubeFile) else CubeFile.open(cube)
    axis = SpectralAxis.of(opened.header, opened.path)
    step = watched(progress, cancel, f"the judgement of {opened.path}")
    paths = [pixtables] if isinstance(pixtables, str | Path) else list(pixtables or [])
    tables = [PixelTable.open(path) for path in paths]
    sample = read_sample(opened, axis, step)
    given = [path for path in (reference, catalogue) if isinstance(path, str | Path)]
    inputs = (opened.path, *(Path(path) for path in (*paths, *given)))
    holes = check_holes(sample)
    if not np.isfinite(sample.white).any():
        return Judgement(opened.path, (holes,), tuple(_facts(sample, len(tables), "")), inputs)
    exposures, places, note = _whereabouts(sample, tables, step)
    stars = measure_stars(sample)
    width = SEEING if isinstance(stars, str) else median(stars.fwhm)
    parts: list[tuple[str, Callable[[], Section]]] = [
        ("Sky", lambda: check_sky(sample, places, exposures)),
        ("Wavelengths", lambda: check_wavelengths(sample, places, exposures)),
        ("Seams", lambda: check_seams(sample, places, exposures, width)),
        ("Stars", lambda: check_stars(sample, stars)),
        ("Noise and depth", lambda: check_noise(sample, stars)),
    ]
    if reference is not None:
        parts.append(("Reference", lambda: check_image(sample, stars, reference)))
    if catalogue is not None:
        parts.append(("Catalogue", lambda: check_catalogue(sample, stars, catalogue)))
    parts.append(("Trails and artefacts", lambda: check_marks(sample)))
    sections = []
    for number, (name, make) in enumerate(parts, 1):
        with np.errstate(all="ignore"):
            sections.append(make())
        step(f"checks: {name}", number, len(parts))
    if reference is None and catalogue is None:
        text = "no image of the field and no catalogue was given: flux and position were not compared with anything"
        sections.append(Section("Flux and position", (Check.unknown("reference", text),)))
    return Judgement(opened.path, (*sections, holes), tuple(_facts(sample, len(tables), note)), inputs)


def _whereabouts(sample: Sample, tables: list[PixelTable], step: Progress) -> tuple[list[Exposure], Places | None, str]:
    """What tells the IFUs and slices behind the spaxels: the tables, else the cube's own SLICES; and a note."""
    covered = sample.count > 0
    exposures: list[Exposure] = []
    note = ""
    if tables:
        try:
            exposures = read_tables(tables, sample, step)
        except MuseError as error:
            if "cancelled" in str(error):
                raise
            note = f"the pixel tables were not used: {error}"
        if exposures and not any(exposure.centres[..., 0].any() for exposure in exposures):
            raise MuseError(f"no row of the pixel tables falls on {sample.cube.path}: give those it was made from")
    centres = np.array([exposure.centres for exposure in exposures]) if exposures else slice_centres(sample.cube.path)
    return exposures, Places.of(centres, covered), note


def _facts(sample: Sample, tables: int, note: str) -> list[str]:
    nz, ny, nx = sample.cube.shape
    primary = sample.cube.primary
    first, last = sample.wavelength[0], sample.wavelength[-1]
    size = f"{nx} x {ny} spaxels" + (f" of {sample.scale:.3g} arcsec" if np.isfinite(sample.scale) else "")
    medium = {"air": "in air", "vacuum": "in vacuum"}.get(sample.axis.medium, "in an unknown medium")
    said = [f"{size}, {nz} planes from {first:.1f} to {last:.1f} Angstrom {medium}"]
    told = [f"{key} {printable(primary[key])}" for key in ("OBJECT", "DATE-OBS", "ESO INS MODE") if primary.get(key)]
    said += [", ".join(told)] if told else []
    used = f"{tables} pixel table{'s' * (tables != 1)}" if tables else "the cube alone"
    said.append(f"Judged with {used}.")
    return said + ([note] if note else [])
