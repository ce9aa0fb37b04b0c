"""What is in a folder of MUSE files: exposures, pointings, calibrations, and what is missing or out of place."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from muse_nb.core.atomic import refuse_existing
from muse_nb.core.errors import MuseError
from muse_nb.core.text import listed, printable
from muse_nb.products.manifest import Entry, sha256, write_manifest
from muse_nb.steps.survey.classify import UNREADABLE, FileFacts, classify
from muse_nb.steps.survey.exposures import Exposure, group
from muse_nb.steps.survey.files import PACKAGE, fits_files, locate, relative
from muse_nb.steps.survey.findings import judge
from muse_nb.steps.survey.verify import Differences, verify

if TYPE_CHECKING:
    from astropy.table import Table
    from matplotlib.axes import Axes

__all__ = ["Differences", "Exposure", "Survey", "survey", "verify", "write_surveys"]


@dataclass(frozen=True)
class Survey:
    """A folder looked through.

    Attributes
    ----------
    folder : pathlib.Path
    facts : tuple of FileFacts
        All files, by name.
    exposures : tuple of Exposure
        In time order.
    findings : list of str
        What is missing or does not belong together, a sentence each.
    source : str
        The folder as it was asked for.
    """

    folder: Path
    facts: tuple[FileFacts, ...] = field(repr=False)
    exposures: tuple[Exposure, ...]
    findings: list[str]
    source: str = ""

    @property
    def files(self) -> Table:
        """All files, a row each: the manifest without the sha256; POSANG [deg], EXPTIME [s], size [byte]."""
        from astropy.table import MaskedColumn, Table

        pointing = {exposure.date_obs: exposure.pointing for exposure in self.exposures}
        facts = self.facts
        table = Table(masked=True)
        table["file"] = [relative(fact.path, self.folder) for fact in facts] or MaskedColumn([], dtype="U1")
        for name in ("category", "date_obs", "ins_mode", "object", "recipe"):
            table[name] = [getattr(fact, name) for fact in facts] or MaskedColumn([], dtype="U1")
        table["ifu"] = [" ".join(map(str, fact.ifus)) for fact in facts] or MaskedColumn([], dtype="U1")
        table["pointing"] = MaskedColumn([pointing.get(fact.date_obs, 0) for fact in facts], dtype=int)
        table["pointing"].mask = table["pointing"] == 0
        for name, unit in (("posang", "deg"), ("exptime", "s")):
            values = [getattr(fact, name) for fact in facts]
            table[name] = MaskedColumn(
                [0.0 if value is None else value for value in values],
                mask=[value is None for value in values],
                dtype=float,
                unit=unit,
            )
        table["size"] = MaskedColumn([fact.size for fact in facts], dtype=int, unit="byte")
        return table

    @property
    def categories(self) -> list[str]:
        """Categories of the exposures' files, raw frames first, by name."""
        names = {name for exposure in self.exposures for name in exposure.categories}
        return sorted(names, key=lambda name: (not name.startswith("RAW"), name))

    @property
    def pointings(self) -> int:
        """Number of pointings."""
        return max((exposure.pointing for exposure in self.exposures), default=0)

    def files_of(self, category: str) -> list[Path]:
        """List the files of a category over all exposures, in time order."""
        return [path for exposure in self.exposures for path in exposure.files(category)]

    def exposure(self, name: str | int) -> Exposure:
        """Return an exposure by its label, its DATE-OBS or its number from 0.

        Raises
        ------
        MuseError
            There is no such exposure.
        """
        if isinstance(name, int) and -len(self.exposures) <= name < len(self.exposures):
            return self.exposures[name]
        for exposure in self.exposures:
            if name in (exposure.label, exposure.date_obs):
                return exposure
        there = listed([exposure.label for exposure in self.exposures]) or "none"
        raise MuseError(f"{self.folder} has no exposure {name!r}: it has {there}")

    def write(self, path: str | Path, *, force: bool = False, progress: Callable[[int], object] | None = None) -> None:
        """Write the manifest, with the sha256 of every file.

        Parameters
        ----------
        path
            CSV file to make.
        force
            Replace one that is there.
        progress
            Called with the bytes of each piece that was read.

        Raises
        ------
        MuseError
            It is there, or a file cannot be read.
        """
        write_surveys(path, [self], force=force, progress=progress)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the night: where the exposures pointed, north up, and the rotator angle by time.

        With `ax`, the pointings alone are drawn there.
        """
        from muse_nb.steps.survey.figures import plot_night, plot_pointings

        return plot_night(self.exposures) if ax is None else plot_pointings(self.exposures, ax)

    def _repr_html_(self) -> str:
        from muse_nb.steps.survey.survey_html import survey_html

        return survey_html(self)

    def _entry(self, fact: FileFacts, seen_from: str, digest: str) -> Entry:
        pointing = next((e.pointing for e in self.exposures if e.date_obs == fact.date_obs), 0)
        return Entry(
            file=relative(fact.path, self.folder),
            category=fact.category,
            date_obs=fact.date_obs,
            ifu=" ".join(map(str, fact.ifus)),
            pointing=str(pointing or ""),
            posang=_text(fact.posang) if fact.date_obs else "",
            ins_mode=fact.ins_mode,
            exptime=_text(fact.exptime),
            size=fact.size,
            sha256=digest,
            recipe=fact.recipe,
            inputs=" ".join(fact.inputs),
            folder=seen_from,
        )


def survey(folder: str | Path, *, progress: Callable[[int, int], object] | None = None) -> Survey:
    """Look through a folder and its subfolders for MUSE files; only their headers are read.

    Parameters
    ----------
    folder
        Links in it are not followed. ``package:NAME/PATH`` is a folder of an installed Python package.
    progress
        Called with the files looked at and all.

    Returns
    -------
    Survey

    Raises
    ------
    MuseError
        The folder is not there.
    """
    place = locate(folder)
    paths, findings = fits_files(place)
    facts = []
    for number, path in enumerate(paths, 1):
        try:
            facts.append(classify(path))
        except MuseError as error:
            facts.append(FileFacts(path, UNREADABLE, _size(path)))
            findings.append(printable(str(error).replace(f"{place}{os.sep}", "", 1)))
        if progress is not None:
            progress(number, len(paths))
    exposures = group(facts)
    return Survey(place, tuple(facts), exposures, findings + judge(place, facts, exposures), str(folder))


def write_surveys(
    path: str | Path,
    surveys: Sequence[Survey],
    *,
    force: bool = False,
    progress: Callable[[int], object] | None = None,
) -> None:
    """Write one manifest of several folders; parameters as of `Survey.write`.

    Raises
    ------
    MuseError
        It is there, or a file cannot be read.
    """
    inputs = [fact.path for found in surveys for fact in found.facts]
    refuse_existing(path, force=force, inputs=inputs)  # before the files are read, not after
    home = Path(path).absolute().parent
    rows = []
    for found in surveys:
        packaged = found.source.startswith(PACKAGE)
        seen_from = found.source if packaged else Path(os.path.relpath(found.folder.absolute(), home)).as_posix()
        rows += [found._entry(fact, seen_from, sha256(fact.path, progress)) for fact in found.facts]
    write_manifest(path, rows, force=force)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _text(value: float | None) -> str:
    return "" if value is None else f"{value:.10g}"
