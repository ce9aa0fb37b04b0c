"""What is in a folder of MUSE files: exposures, pointings, calibrations, and what is missing or out of place."""

from __future__ import annotations

import math
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from muse_nb.products.errors import MuseError
from muse_nb.products.header import label as label_of
from muse_nb.products.manifest import Entry, read_manifest, sha256, write_manifest
from muse_nb.steps.classify import FileFacts, readable

if TYPE_CHECKING:
    from astropy.table import Table
    from matplotlib.axes import Axes

__all__ = ["Exposure", "Survey", "survey", "verify"]

_SUFFIXES = (".fits", ".fits.fz", ".fits.gz", ".fit", ".fts")
_POINTING = 30.0 / 3600  # deg; exposures closer than this are dithers of one pointing


@dataclass(frozen=True)
class Exposure:
    """One exposure and its files.

    Attributes
    ----------
    date_obs, label : str
    pointing : int
        From 1; exposures within half an arcminute belong together.
    ra, dec, posang, exptime : float or None
        [deg], [deg], [deg], [s].
    ins_mode, object : str
    """

    date_obs: str
    label: str
    pointing: int
    ra: float | None
    dec: float | None
    posang: float | None
    exptime: float | None
    ins_mode: str
    object: str
    facts: tuple[FileFacts, ...] = field(repr=False)

    def files(self, category: str) -> list[Path]:
        """List the exposure's files of a category, as in ``OBJECT_RED``, by name."""
        return sorted(fact.path for fact in self.facts if fact.category == category)

    @property
    def ifus(self) -> list[int]:
        """The IFUs of its OBJECT_REDs."""
        return sorted({ifu for fact in self.facts if fact.category == "OBJECT_RED" for ifu in fact.ifus})


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
    """

    folder: Path
    facts: tuple[FileFacts, ...] = field(repr=False)
    exposures: tuple[Exposure, ...]
    findings: list[str]

    @property
    def files(self) -> Table:
        """All files: name relative to the folder, category, DATE-OBS, IFUs and size [byte]."""
        from astropy.table import Table

        rows = [
            (_relative(f.path, self.folder), f.category, f.date_obs, " ".join(map(str, f.ifus)), f.path.stat().st_size)
            for f in self.facts
        ]
        names = ("file", "category", "date_obs", "ifus", "size")
        return Table(rows=rows, names=names) if rows else Table(names=names, dtype=("U1", "U1", "U1", "U1", "i8"))

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
        raise MuseError(f"{self.folder} has no exposure {name!r}: it has {', '.join(e.label for e in self.exposures)}")

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
        pointing = {exposure.date_obs: str(exposure.pointing) for exposure in self.exposures}
        rows = [
            Entry(
                file=_relative(f.path, self.folder),
                category=f.category,
                date_obs=f.date_obs,
                ifu=" ".join(map(str, f.ifus)),
                pointing=pointing.get(f.date_obs, ""),
                posang=_text(f.posang) if f.date_obs else "",
                ins_mode=f.ins_mode,
                exptime=_text(f.exptime),
                size=f.path.stat().st_size,
                sha256=sha256(f.path, progress),
                recipe=f.recipe,
                inputs=" ".join(f.inputs),
            )
            for f in self.facts
            if f.path.absolute() != Path(path).absolute()
        ]
        write_manifest(path, rows, force=force)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the night: where the exposures pointed, north up, coloured by rotator angle."""
        from muse_nb.steps.survey_plot import plot_pointings

        return plot_pointings(self.exposures, ax)

    def _repr_html_(self) -> str:
        categories = [c for c, _ in Counter(f.category for e in self.exposures for f in e.facts).most_common()]
        head = ["exposure", "object", "pointing", "angle [°]", "time [s]", "mode", "IFUs", *categories]
        rows = []
        for e in self.exposures:
            numbers = [len(e.files(category)) or "–" for category in categories]
            angle = "?" if e.posang is None else f"{e.posang:.0f}"
            seconds = "?" if e.exptime is None else f"{e.exptime:.0f}"
            rows.append([e.label, e.object, e.pointing, angle, seconds, e.ins_mode, len(e.ifus), *numbers])
        table = "".join(f"<tr>{''.join(f'<td>{escape(str(cell))}</td>' for cell in row)}</tr>" for row in rows)
        titles = "".join(f"<th>{escape(name)}</th>" for name in head)
        items = "".join(f"<li>{escape(text)}</li>" for text in self.findings) or "<li>nothing is missing</li>"
        return (
            f"<p>{len(self.exposures)} exposures, {len(self.facts)} files</p>"
            f"<table><thead><tr>{titles}</tr></thead><tbody>{table}</tbody></table><ul>{items}</ul>"
        )


def survey(folder: str | Path, *, progress: Callable[[int, int], object] | None = None) -> Survey:
    """Look through a folder and its subfolders for MUSE files.

    Parameters
    ----------
    folder
        Links that lead out of it are not followed.
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
    folder = Path(folder)
    if not folder.is_dir():
        raise MuseError(f"{folder} is not a folder: check its name")
    paths = sorted(_fits_files(folder))
    facts, findings = [], []
    for number, path in enumerate(paths, 1):
        found = readable(path)
        if isinstance(found, MuseError):
            findings.append(str(found))
        else:
            facts.append(found)
        if progress is not None:
            progress(number, len(paths))
    exposures = _group(facts)
    from muse_nb.steps.survey_findings import judge

    return Survey(folder, tuple(facts), exposures, findings + judge(folder, facts, exposures))


def verify(
    manifest: str | Path, folder: str | Path | None = None, *, progress: Callable[[int], object] | None = None
) -> list[str]:
    """Hold a manifest against the files.

    Parameters
    ----------
    manifest
        A manifest written by `Survey.write`.
    folder
        The folder it was made of; by default the one the manifest lies in.
    progress
        Called with the bytes of each piece that was read.

    Returns
    -------
    list of str
        A sentence for every file that was changed, is lost, or is new; empty where all is as it was.
    """
    root = Path(folder) if folder is not None else Path(manifest).absolute().parent
    entries = {entry.file: entry for entry in read_manifest(manifest)}
    differences = []
    for name, entry in entries.items():
        path = root / name
        if not path.is_file():
            differences.append(f"{name} is lost")
        elif path.stat().st_size != entry.size:
            differences.append(f"{name} was changed: it has {path.stat().st_size} bytes, not {entry.size}")
        elif sha256(path, progress) != entry.sha256:
            differences.append(f"{name} was changed: its sha256 is another")
    there = {_relative(path, root) for path in _fits_files(root)} if root.is_dir() else set()
    return differences + [f"{name} is new" for name in sorted(there - set(entries))]


def _fits_files(folder: Path) -> Iterator[Path]:
    root = folder.resolve()
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in names:
            path = Path(place) / name
            if name.startswith(".") or not name.lower().endswith(_SUFFIXES):
                continue
            if path.is_symlink() and not path.resolve().is_relative_to(root):
                continue
            if path.is_file():
                yield path


def _group(facts: list[FileFacts]) -> tuple[Exposure, ...]:
    groups: dict[str, list[FileFacts]] = defaultdict(list)
    for fact in facts:
        if fact.date_obs:
            groups[fact.date_obs].append(fact)
    centres: list[tuple[float, float]] = []
    exposures = []
    for date in sorted(groups):
        own = groups[date]
        known: Any = lambda name, own=own: next((v for f in own if (v := getattr(f, name)) not in (None, "")), None)  # noqa: E731
        ra, dec = known("ra"), known("dec")
        exposures.append(
            Exposure(
                date,
                label_of(date),
                _pointing(centres, ra, dec),
                ra,
                dec,
                known("posang"),
                known("exptime"),
                known("ins_mode") or "",
                known("object") or "",
                tuple(own),
            )
        )
    return tuple(exposures)


def _pointing(centres: list[tuple[float, float]], ra: float | None, dec: float | None) -> int:
    """Number of the pointing that a position belongs to; 0 where it is unknown."""
    if ra is None or dec is None:
        return 0
    for number, (ra0, dec0) in enumerate(centres, 1):
        east = ((ra - ra0 + 180) % 360 - 180) * math.cos(math.radians(dec0))
        if math.hypot(east, dec - dec0) < _POINTING:
            return number
    centres.append((ra, dec))
    return len(centres)


def _relative(path: Path, folder: Path) -> str:
    try:
        return path.relative_to(folder).as_posix()
    except ValueError:
        return path.absolute().relative_to(folder.absolute()).as_posix()


def _text(value: float | None) -> str:
    return "" if value is None else f"{value:g}"
