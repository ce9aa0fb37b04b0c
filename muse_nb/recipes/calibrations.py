"""The calibrations in a folder: found by what their headers say they are, what is missing."""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from muse_nb.core.errors import MuseError, MuseWarning
from muse_nb.products.fits.blocks import Hdu, hdus
from muse_nb.products.header import ExposureHeader, number_of

__all__ = ["INDEX", "Calibrations", "channels_of", "find_calibrations", "masters_like"]

INDEX = "calibrations.json"
"""In a folder with calibrations of several times: which of them serve which exposure, by the exposure's label."""

PER_IFU = ("MASTER_BIAS", "MASTER_FLAT", "TRACE_TABLE", "WAVECAL_TABLE")
SCIBASIC = ("GEOMETRY_TABLE", "TWILIGHT_CUBE")
SCIPOST = ("ASTROMETRY_WCS", "STD_RESPONSE", "STD_TELLURIC", "EXTINCT_TABLE", "FILTER_LIST")
SKY_MODEL = ("SKY_LINES", "SKY_CONTINUUM")  # and the LSF_PROFILEs: what --skymethod=model takes
_MORE_PER_IFU = ("MASTER_DARK", "LSF_PROFILE")
_NEEDED = (*PER_IFU, "GEOMETRY_TABLE")
_OF_IFUS = {*PER_IFU, *_MORE_PER_IFU}
_FOUND = {*PER_IFU, "LSF_PROFILE", *SCIBASIC, *SCIPOST, *SKY_MODEL, "BADPIX_TABLE"}
_MODEL = "model"


@dataclass(frozen=True)
class Calibrations:
    """Calibration files by tag.

    Attributes
    ----------
    folder : pathlib.Path
    per_ifu : dict
        (tag, IFU) to file, for what there is one of for each IFU.
    common : dict
        Tag to file.
    others : dict
        (tag, IFU) to all the files that there are, where there are several.
    index : mapping
        Label of an exposure to what serves it: tag to files.
    """

    folder: Path
    per_ifu: dict[tuple[str, int], Path] = field(default_factory=dict)
    common: dict[str, Path] = field(default_factory=dict)
    others: dict[tuple[str, int], list[Path]] = field(default_factory=dict, repr=False)
    index: Mapping[str, Mapping[str, Sequence[Path]]] = field(default_factory=dict, repr=False)

    def serving(self, exposure: ExposureHeader) -> Calibrations:
        """Choose what serves an exposure: as the folder's index says, else of several the nearest in time of its mode.

        Of an exposure that is in the index, a master that is not is left out: it is there, but could not be made again.

        Raises
        ------
        MuseError
            A file that the index names is not there.
        """
        listed = exposure.label in self.index
        per_ifu, common = {} if listed else dict(self.per_ifu), dict(self.common)
        for key, paths in self.others.items() if not listed else ():
            per_ifu[key] = min(paths, key=lambda path: (*_unlike(path, exposure), path.name))
        for tag, files in self.index.get(exposure.label, {}).items():
            for path in files:
                if not path.exists():
                    raise MuseError(
                        f"{path} is not there, which {self.folder / INDEX} names: run muse-nb calibrate again"
                    )
                if tag in _OF_IFUS:
                    per_ifu |= {(tag, ifu): path for ifu in channels_of(hdus(path))}
                else:
                    common[tag] = path
        return replace(self, per_ifu=per_ifu, common=common)

    @property
    def ifus(self) -> list[int]:
        """The IFUs that have all they need."""
        every = {ifu for _, ifu in self.per_ifu}
        return sorted(ifu for ifu in every if all((tag, ifu) in self.per_ifu for tag in PER_IFU))

    def for_scibasic(self, ifu: int, badpix: Path | None) -> list[tuple[Path, str]]:
        """List the frames of muse_scibasic for one IFU, with or without a bad-pixel table."""
        pairs = [(self.per_ifu[tag, ifu], tag) for tag in PER_IFU]
        if (dark := self.per_ifu.get(("MASTER_DARK", ifu))) is not None:
            pairs.append((dark, "MASTER_DARK"))
        pairs += [(self.common[tag], tag) for tag in (*SCIBASIC, "ILLUM") if tag in self.common]
        return pairs + ([(badpix, "BADPIX_TABLE")] if badpix else [])

    def for_scipost(self, sky: str = "", ifus: Iterable[int] = ()) -> list[tuple[Path, str]]:
        """List the frames of muse_scipost.

        Parameters
        ----------
        sky
            Its skymethod: ``model`` takes SKY_LINES and the LSF_PROFILEs too.
        ifus
            IFUs of the exposure.

        Raises
        ------
        MuseError
            They are wanted and not there.
        """
        pairs = [(self.common[tag], tag) for tag in SCIPOST if tag in self.common]
        if sky != _MODEL:
            return pairs
        numbers = list(ifus)
        lacking = [name for name in ("SKY_LINES",) if name not in self.common]
        lacking += [f"LSF_PROFILE of IFU {n}" for n in numbers if ("LSF_PROFILE", n) not in self.per_ifu][:1]
        if lacking:
            raise MuseError(
                f"{self.folder} has no {' and no '.join(lacking)}, which skymethod model needs: make them with muse-nb"
                " calibrate, or take skymethod simple"
            )
        profiles = dict.fromkeys(self.per_ifu["LSF_PROFILE", n] for n in numbers)
        pairs += [(path, "LSF_PROFILE") for path in profiles]
        return pairs + [(self.common[tag], tag) for tag in SKY_MODEL if tag in self.common]

    def badpix(self, wanted: bool | str | Path) -> Path | None:
        """Choose the bad-pixel table: the one at hand, none, or the one that is named.

        Raises
        ------
        MuseError
            The named file is no BADPIX_TABLE.

        Warns
        -----
        MuseWarning
            There is none at hand.
        """
        if isinstance(wanted, bool):
            table = self.common.get("BADPIX_TABLE") if wanted else None
            if wanted and table is None:
                warnings.warn(
                    f"{self.folder} has no BADPIX_TABLE: defects of the detectors are not flagged",
                    MuseWarning,
                    stacklevel=3,
                )
            return table
        path = Path(wanted)
        if (category := hdus(path)[0].cards.get("ESO PRO CATG")) != "BADPIX_TABLE":
            raise MuseError(f"{path} is no BADPIX_TABLE, its PRO CATG is {category}: name another file")
        return path

    def check(self) -> None:
        """Refuse calibrations that lack something.

        Raises
        ------
        MuseError
            They do.
        """
        tags = {tag for tag, _ in self.per_ifu} | set(self.common)
        missing = [tag for tag in _NEEDED if tag not in tags]
        if missing:
            raise MuseError(f"{self.folder} lacks {', '.join(missing)}: muse_scibasic needs them, copy them there")


def find_calibrations(folder: str | Path) -> Calibrations:
    """Find calibrations by PRO CATG; of several tables of a kind the one whose file bears just the tag's name.

    Parameters
    ----------
    folder
        Looked through without its subfolders.

    Raises
    ------
    MuseError
        The folder is not there, or a file in it is damaged.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise MuseError(f"{folder} is not a folder: name the one with the calibrations")
    found = Calibrations(folder, index=_index(folder))
    every: dict[tuple[str, int], list[Path]] = {}
    for path in sorted([*folder.glob("*.fits"), *folder.glob("*.fits.fz")]):
        units = hdus(path)
        tag = str(units[0].cards.get("ESO PRO CATG") or "")
        if tag not in _FOUND:  # a MASTER_DARK is taken only where the index asks for it
            continue
        if tag in _OF_IFUS:
            ifus = channels_of(units)
            if not ifus:
                raise MuseError(f"{path} is a {tag} but its EXTNAME does not say of which IFU: make it again")
            for ifu in ifus:
                found.per_ifu[tag, ifu] = path
                every.setdefault((tag, ifu), []).append(path)
        elif tag not in found.common or path.name.split(".")[0] == tag:
            found.common[tag] = path
    found.others.update({key: paths for key, paths in every.items() if len(paths) > 1})
    return found


def channels_of(units: Iterable[Hdu]) -> list[int]:
    """IFUs in a file, one or all of them, by the names of its extensions."""
    names = [match for unit in units if (match := re.match(r"CHAN(\d\d)", unit.name))]
    return sorted({int(match[1]) for match in names})


def masters_like(path: Path, tag: str) -> dict[int, Path]:
    """Find the masters of the other IFUs that were made together with one: of its folder, INS MODE and MJD-OBS."""
    wanted = _of_template(hdus(path))
    found: dict[int, Path] = {}
    for other in sorted({*path.parent.glob("*.fits"), *path.parent.glob("*.fits.fz"), path}):
        units = hdus(other)
        if units[0].cards.get("ESO PRO CATG") == tag and _of_template(units) == wanted:
            found |= dict.fromkeys(channels_of(units), other)
    return found


def _of_template(units: Sequence[Hdu]) -> tuple[object, object]:
    return units[0].cards.get("ESO INS MODE"), units[0].cards.get("MJD-OBS")


def _unlike(path: Path, exposure: ExposureHeader) -> tuple[bool, float]:
    """How little a calibration is like an exposure: another mode, and days between them."""
    cards = hdus(path)[0].cards
    mode, mjd = str(cards.get("ESO INS MODE") or ""), number_of(cards.get("MJD-OBS"))
    other = bool(mode and exposure.ins_mode and mode != exposure.ins_mode)
    return other, 1e6 if mjd is None or exposure.mjd_obs is None else abs(mjd - exposure.mjd_obs)


def _index(folder: Path) -> dict[str, dict[str, list[Path]]]:
    """Read the index of a folder, where it has one.

    Raises
    ------
    MuseError
        It is damaged.
    """
    path = folder / INDEX
    if not path.exists():
        return {}
    try:
        told = json.loads(path.read_text())["exposures"]
        return {
            str(name): {str(tag): [folder / str(file) for file in files] for tag, files in serving.items()}
            for name, serving in told.items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise MuseError(f"{path} is damaged: remove it and run muse-nb calibrate again") from None
