"""Static calibrations: where they are looked for, and where ESO ships those that are missing."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

from muse_nb.core.errors import MuseError
from muse_nb.core.reading import looking_around
from muse_nb.products.fits.blocks import hdus
from muse_nb.steps.calibrate.associate.rows import RawFile, read_file
from muse_nb.steps.calibrate.associate.rules import SERVES, STATIC
from muse_nb.steps.survey.files import fits_files

__all__ = ["SHIPPED", "static_files"]

BESIDE = ("static", "../static")  # of the folder with the raw frames
_PIPELINE = (  # where packages and ESO's kit put them
    "/usr/share/esopipes/datastatic/muse-*",
    "/usr/share/cpl-plugins/muse-*/cal",
    "/usr/local/share/esopipes/datastatic/muse-*",
    "/opt/local/share/esopipes/datastatic/muse-*",
)
_KIT = (
    "ESO's pipeline kit has it among its static calibrations (muse-calib), https://www.eso.org/sci/software/pipelines"
)
_ARCHIVE = "ESO's archive associates the one of the date with every exposure (muse-nb fetch --calibrations master)"
SHIPPED = {
    **dict.fromkeys(("LINE_CATALOG", "STD_FLUX_TABLE", "EXTINCT_TABLE", "FILTER_LIST", "SKY_LINES"), _KIT),
    **dict.fromkeys(("ASTROMETRY_REFERENCE", "BADPIX_TABLE", "VIGNETTING_MASK"), _KIT),
    **dict.fromkeys(("GEOMETRY_TABLE", "ASTROMETRY_WCS"), _ARCHIVE),
}
"""By tag: where a static calibration that is missing can be had."""


def static_files(folder: Path, given: Path | None, there: Collection[str]) -> list[RawFile]:
    """Read the static calibrations outside of the folder with the raw frames.

    Parameters
    ----------
    folder
        The one with the raw frames; a folder ``static`` beside it is looked into, too.
    given
        Folder to look into instead.
    there
        Tags that the folder itself has: of what comes with an installed pipeline only the others are taken.

    Returns
    -------
    list of RawFile
        Named by absolute paths.

    Raises
    ------
    MuseError
        `given` is not a folder.
    """
    if given is not None and not given.is_dir():
        raise MuseError(f"{given} is not a folder: name the one with the static calibrations")
    places = [given] if given is not None else [p for name in BESIDE if (p := folder / name).is_dir()]
    places = [place.resolve() for place in places]
    root = folder.resolve()
    found = _calibrations(place for place in places if not place.is_relative_to(root))
    known = {*there, *(file.tag for file in found)}
    installed = sorted(path for pattern in _PIPELINE for path in Path("/").glob(pattern.lstrip("/")))
    return found + [file for file in _calibrations(installed[-1:]) if file.tag not in known]


def _calibrations(folders: Iterable[Path]) -> list[RawFile]:
    found = []
    for folder in folders:
        for path in fits_files(folder)[0]:
            try:
                with looking_around():
                    file = read_file(str(path), path)
                    hdus(path)
            except MuseError:  # no calibration that a recipe could read
                continue
            if file.tag in (*STATIC, *SERVES):
                found.append(file)
    return found
