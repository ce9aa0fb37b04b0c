"""The raw files and static calibrations of a night, from the headers of a folder or from a table as the archive's."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from muse_nb.core.errors import MuseError
from muse_nb.core.reading import looking_around
from muse_nb.core.text import listed, printable
from muse_nb.products.fits.blocks import hdus
from muse_nb.products.night.clock import evening, mjd_of
from muse_nb.steps.calibrate.associate.rules import SERVES, STATIC
from muse_nb.steps.survey.files import fits_files, relative

__all__ = ["RawFile", "from_folder", "from_table", "read_file", "told"]

COLUMNS = ("DPR_TYPE", "INS_MODE", "TPL_START", "MJD_OBS")
_LAMPS = 6
# What a static calibration's OBJECT says where its table has no PRO CATG.
_OBJECTS = {
    "WAVE,MASK": "GEOMETRY_TABLE",
    "WAVE,LSF": "LSF_PROFILE",
    "(ASTROMETRY)": "ASTROMETRY_WCS",
    "VIGNETTED": "VIGNETTING_MASK",
    "LINE_CATALOG": "LINE_CATALOG",
    "BADPIX_TABLE": "BADPIX_TABLE",
}


@dataclass(frozen=True)
class RawFile:
    """One file.

    Attributes
    ----------
    name : str
        As in the folder or the table.
    kind : str
        DPR TYPE of a raw frame; empty for a calibration.
    tag : str
        PRO CATG of a calibration, ``?`` where it cannot be told; empty for a raw frame.
    mjd : float
        Of its start; NaN where it is not known.
    mode, readout, optics : str
        INS MODE, DET READ CURNAME, INS OPTI2 NAME; empty where they are not known.
    template : str
        TPL START.
    night : str
        Date of the evening.
    exptime, temperature : float
        EXPTIME [s] and INS TEMP7 VAL [degree C]; NaN where they are not known.
    lamps : tuple of str or None
        Arc lamps that burnt; None where the headers do not say.
    """

    name: str
    kind: str
    tag: str
    mjd: float
    mode: str
    readout: str
    optics: str
    template: str
    night: str
    exptime: float
    temperature: float
    lamps: tuple[str, ...] | None = None


def from_table(path: Path) -> list[RawFile]:
    """Read a table with the archive's columns, a file a row.

    Raises
    ------
    MuseError
        It cannot be read, or lacks a column.
    """
    try:
        with path.open(newline="", encoding="utf-8", errors="replace") as file:
            reader = csv.DictReader(file)
            rows = [{str(key).strip(): str(value or "").strip() for key, value in row.items()} for row in reader]
            names = [str(name).strip() for name in reader.fieldnames or ()]
    except (OSError, csv.Error) as error:
        raise MuseError(f"{path} cannot be read as a table ({error}): name a folder or a CSV file") from error
    lacking = [name for name in COLUMNS if name not in names]
    if lacking or not {"filename", "ARCFILE"} & set(names):
        missing = lacking or ["filename"]
        raise MuseError(f"{path} has no column {', '.join(missing)}: it should list raw files, one a row")
    return [_file(row.get("filename") or row.get("ARCFILE") or f"row {n}", row) for n, row in enumerate(rows, 2)]


def read_file(name: str, path: Path) -> RawFile:
    """Read what the headers of a file say of it.

    Raises
    ------
    MuseError
        It cannot be read.
    """
    return _file(name, _cards(path))


def from_folder(
    folder: Path, progress: Callable[[str, int, int], object] | None = None, without: Path | None = None
) -> tuple[list[RawFile], list[str]]:
    """Read the headers of a folder's FITS files; what cannot be read is left out, a sentence each.

    Parameters
    ----------
    folder
        With its subfolders.
    progress
        Told of the headers that were read.
    without
        A subfolder that is not looked into: what was made of these files earlier.

    Raises
    ------
    MuseError
        The folder is not there.
    """
    paths, said = fits_files(folder)
    if without is not None:
        made = without.resolve()
        paths = [path for path in paths if not path.resolve().is_relative_to(made)]
    found = []
    for number, path in enumerate(paths, 1):
        try:
            with looking_around():
                found.append(read_file(relative(path, folder), path))
        except MuseError as error:
            said.append(f"{printable(error)}: it is left out of the plan")
        if progress is not None:
            progress("headers read", number, len(paths))
    return found, said


def _cards(path: Path) -> dict[str, str]:
    """Keywords by the names of the table's columns; of the first extension where the primary lacks them."""
    units = hdus(path)
    cards: dict[str, object] = {}
    for unit in reversed(units[:2]):
        cards |= unit.cards
    cards["ESO PRO CATG"] = units[0].cards.get("ESO PRO CATG")
    row = {re.sub(r"[ -]", "_", key.removeprefix("ESO ")): value for key, value in cards.items()}
    return {key: "" if value is None else str(value).strip() for key, value in row.items()}


def _file(name: str, row: Mapping[str, str]) -> RawFile:
    category = row.get("PRO_CATG", "")
    kind = "" if category else row.get("DPR_TYPE", "").upper()
    mode = row.get("INS_MODE", "")
    mjd = _number(row.get("MJD_OBS"))
    if not math.isfinite(mjd):
        mjd = mjd_of(row.get("DATE_OBS", ""))
    return RawFile(
        name=name,
        kind=kind,
        tag=category or ("" if kind else _tag(row.get("OBJECT", ""), name)),
        mjd=mjd,
        mode=mode,
        readout=row.get("DET_READ_CURNAME", ""),
        optics=row.get("INS_OPTI2_NAME", "")[:3] or mode[:3],
        template=row.get("TPL_START", ""),
        night=row.get("night", "") or evening(mjd),
        exptime=_number(row.get("EXPTIME")),
        temperature=_number(row.get("INS_TEMP7_VAL")),
        lamps=tuple(_lamps(row)) if any(row.get(f"INS_LAMP{n}_ST") for n in range(1, _LAMPS + 1)) else None,
    )


def _tag(text: str, name: str) -> str:
    """What a static calibration is, by its OBJECT or by its name."""
    words = f"{text} {name}".upper()
    known = {tag: tag for tag in (*STATIC, *SERVES)} | _OBJECTS
    return next((tag for sign, tag in known.items() if sign in words), "?")


def _lamps(row: Mapping[str, str]) -> Iterable[str]:
    """Lamps that were on and whose shutter was open."""
    for lamp in range(1, _LAMPS + 1):
        on, open_ = (row.get(f"INS_{part}{lamp}_ST", "").upper() in ("TRUE", "T", "1") for part in ("LAMP", "SHUT"))
        if on and open_:
            yield row.get(f"INS_LAMP{lamp}_NAME") or f"lamp {lamp}"


def _number(text: object) -> float:
    try:
        return float(str(text))
    except ValueError:
        return math.nan


def told(files: Iterable[RawFile]) -> str:
    """Name a few files for a sentence."""
    return listed([file.name for file in files])
