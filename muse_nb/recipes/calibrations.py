"""The calibrations in a folder: found by what their headers say they are, what is missing."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass, field
from pathlib import Path

from muse_nb.core.errors import MuseError, MuseWarning
from muse_nb.products.fits.blocks import hdus

__all__ = ["Calibrations", "find_calibrations"]

PER_IFU = ("MASTER_BIAS", "MASTER_FLAT", "TRACE_TABLE", "WAVECAL_TABLE")
SCIBASIC = ("GEOMETRY_TABLE", "TWILIGHT_CUBE")
SCIPOST = ("ASTROMETRY_WCS", "STD_RESPONSE", "STD_TELLURIC", "EXTINCT_TABLE", "FILTER_LIST")
_NEEDED = (*PER_IFU, "GEOMETRY_TABLE")
_USED = {*PER_IFU, *SCIBASIC, *SCIPOST, "BADPIX_TABLE"}


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
    """

    folder: Path
    per_ifu: dict[tuple[str, int], Path] = field(default_factory=dict)
    common: dict[str, Path] = field(default_factory=dict)

    @property
    def ifus(self) -> list[int]:
        """The IFUs that have all they need."""
        every = {ifu for _, ifu in self.per_ifu}
        return sorted(ifu for ifu in every if all((tag, ifu) in self.per_ifu for tag in PER_IFU))

    def for_scibasic(self, ifu: int, badpix: Path | None) -> list[tuple[Path, str]]:
        """List the frames of muse_scibasic for one IFU, with or without a bad-pixel table."""
        pairs = [(self.per_ifu[tag, ifu], tag) for tag in PER_IFU]
        pairs += [(self.common[tag], tag) for tag in SCIBASIC if tag in self.common]
        return pairs + ([(badpix, "BADPIX_TABLE")] if badpix else [])

    def for_scipost(self) -> list[tuple[Path, str]]:
        """List the frames of muse_scipost."""
        return [(self.common[tag], tag) for tag in SCIPOST if tag in self.common]

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
    found = Calibrations(folder)
    for path in sorted([*folder.glob("*.fits"), *folder.glob("*.fits.fz")]):
        units = hdus(path)
        cards = units[0].cards
        tag = str(cards.get("ESO PRO CATG") or "")
        if tag not in _USED:
            continue
        channel = next((m for unit in units if (m := re.match(r"CHAN(\d\d)", unit.name))), None)
        if tag in PER_IFU:
            if channel is None:
                raise MuseError(f"{path} is a {tag} but its EXTNAME does not say of which IFU: make it again")
            found.per_ifu[tag, int(channel[1])] = path
        elif tag not in found.common or path.name.split(".")[0] == tag:
            found.common[tag] = path
    return found
