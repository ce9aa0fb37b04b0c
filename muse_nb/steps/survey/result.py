"""What a survey found: exposures, files and findings; its table for the notebook, its manifest."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from muse_nb.core.atomic import refuse_existing
from muse_nb.core.errors import MuseError
from muse_nb.core.html import Html, Shown, findings_html, table_html
from muse_nb.core.progress import Progress
from muse_nb.core.reading import looking_around
from muse_nb.core.text import listed, printable
from muse_nb.products.manifest import Entry, sha256, write_manifest
from muse_nb.steps.survey.classify import FileFacts
from muse_nb.steps.survey.exposures import Exposure
from muse_nb.steps.survey.files import PACKAGE, relative, told_in_bytes

if TYPE_CHECKING:
    from astropy.table import Table
    from matplotlib.axes import Axes

__all__ = ["Survey", "cells", "headings", "write_surveys"]


@dataclass(frozen=True)
class Survey(Shown):
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
    def logged(self) -> bool:
        """Whether a night log says something of an exposure."""
        return any(exposure.seeing is not None or exposure.sky for exposure in self.exposures)

    @property
    def pointings(self) -> int:
        """Number of pointings."""
        return max((exposure.pointing for exposure in self.exposures), default=0)

    def files_of(self, category: str) -> list[Path]:
        """List the files of a category over all exposures, in time order."""
        return [path for exposure in self.exposures for path in exposure.files(category)]

    def calibrations(self, category: str) -> list[Path]:
        """List the files of a category that belong to no exposure, as TRACE_TABLE; of each IFU the last by name."""
        found = {fact.ifus: fact.path for fact in sorted(self.facts, key=_name) if fact.category == category}
        return sorted(found.values())

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

    def write(self, path: str | Path, *, force: bool = False, progress: Progress | None = None) -> None:
        """Write the manifest, with the sha256 of every file.

        Parameters
        ----------
        path
            CSV file to make.
        force
            Replace one that is there.
        progress
            Told of the bytes that were read, of those of all files.

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
        found = findings_html(self.findings)
        head = [printable(name) for name in headings(self)]
        size = sum(fact.size for fact in self.facts)
        return (
            f"<p><b>{len(self.exposures)} exposures</b>, {self.pointings} pointing{'s' * (self.pointings != 1)},"
            f" {len(self.facts)} files, {size / 1e9:.2f} GB</p>"
            + table_html(
                head, [_row(e, self.categories, self.logged) for e in self.exposures], style="white-space:nowrap"
            )
            + (f"<p>Look at this:</p>{found}" if found else "<p>✓ Nothing is missing or out of place.</p>")
        )

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
            archive=fact.archive if _is_in_archive(fact) else "",
        )


def write_surveys(
    path: str | Path,
    surveys: Sequence[Survey],
    *,
    force: bool = False,
    progress: Progress | None = None,
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
    read = told_in_bytes(progress, "bytes hashed", sum(fact.size for found in surveys for fact in found.facts))
    rows = []
    for found in surveys:
        packaged = found.source.startswith(PACKAGE)
        seen_from = found.source if packaged else Path(os.path.relpath(found.folder.absolute(), home)).as_posix()
        with looking_around():
            rows += [found._entry(fact, seen_from, sha256(fact.path, read)) for fact in found.facts]
    write_manifest(path, rows, force=force)


def _is_in_archive(fact: FileFacts) -> bool:
    """Whether the archive's name is the file's own, not that of a frame that it was made from."""
    plain = fact.path.name.replace("_", ":")
    return fact.category.startswith("RAW") or bool(fact.archive and plain.startswith(fact.archive))


def headings(survey: Survey) -> list[str]:
    """Name the columns: those of every exposure, what night logs say of it, then one a category of files."""
    logged = ["seeing [″]", "sky"] if survey.logged else []
    return ["exposure", "object", "pointing", "angle [°]", "time [s]", "mode", "IFUs", *logged, *survey.categories]


def cells(exposure: Exposure, categories: Sequence[str], *, logged: bool = False) -> list[str]:
    """Give an exposure's row, as text; ``?`` where headers and night log do not say."""
    counts = exposure.categories
    return [
        exposure.label or printable(exposure.date_obs),
        printable(exposure.object),
        str(exposure.pointing or "?"),
        "?" if exposure.posang is None else f"{exposure.posang:.4g}",
        "?" if exposure.exptime is None else f"{exposure.exptime:.4g}",
        printable(exposure.ins_mode) or "?",
        str(len(exposure.ifus) or "–"),
        *(["?" if exposure.seeing is None else f"{exposure.seeing:.2f}", printable(exposure.sky) or "?"] * logged),
        *(str(counts.get(name, "–")) for name in categories),
    ]


def _row(exposure: Exposure, categories: Sequence[str], logged: bool) -> list[str]:
    """Add to an exposure's cells an arrow to where the field's top points: POSANG from north through east."""
    row = cells(exposure, categories, logged=logged)
    if exposure.posang is not None:
        turned = f"display:inline-block;transform:rotate({-exposure.posang:.0f}deg)"
        row[3] = Html(f"{escape(row[3])} <span style='{turned}'>↑</span>")
    return row


def _name(fact: FileFacts) -> str:
    return fact.path.name


def _text(value: float | None) -> str:
    return "" if value is None else f"{value:.10g}"
