"""Files that the archive has, as a list to look at and to choose from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from html import escape
from typing import TYPE_CHECKING, Any

from muse_nb.core.html import Shown, findings_html, table_html
from muse_nb.core.text import printable

if TYPE_CHECKING:
    from astropy.table import Table

__all__ = ["TYPICAL", "ArchiveFile", "Listing", "size_text"]

TYPICAL = 350_000_000  # bytes of a full raw frame, tile-compressed
HEAD = ("file", "type", "mode", "start (UT)", "time [s]", "size", "release", "object", "serves")


@dataclass(frozen=True)
class ArchiveFile:
    """One file of the archive; None where it does not say.

    Attributes
    ----------
    dp_id : str
        Its name there.
    category : str
        DPR CATG: SCIENCE or CALIB.
    type : str
        DPR TYPE, or what the archive calls the calibration.
    mode : str or None
        INS MODE.
    date_obs : str or None
        DATE-OBS.
    exposure : float or None
        Exposure time [s].
    bytes : int or None
        Size, as the archive estimates it [byte].
    release : str or None
        Date from which it is public.
    serves : tuple of str
        The files whose calibration it is.
    object, programme, datalink : str or None
    """

    dp_id: str
    category: str
    type: str
    mode: str | None = None
    date_obs: str | None = None
    exposure: float | None = None
    bytes: int | None = None
    release: str | None = None
    serves: tuple[str, ...] = ()
    object: str | None = None
    programme: str | None = None
    datalink: str | None = None


@dataclass(frozen=True)
class Listing(Shown):
    """What was found.

    Attributes
    ----------
    files : tuple of ArchiveFile
        Science first, in time order; then calibrations.
    notes : tuple of str
        What the archive said of them, and what to know, a sentence each.
    truncated : bool
        Whether there are more than were asked for.
    """

    files: tuple[ArchiveFile, ...]
    notes: tuple[str, ...] = ()
    truncated: bool = False

    @property
    def findings(self) -> tuple[str, ...]:
        """The notes."""
        return self.notes

    @property
    def bytes(self) -> int:
        """Size of those whose size is known [byte]."""
        return sum(file.bytes or 0 for file in self.files)

    @property
    def science(self) -> list[ArchiveFile]:
        """Those that are no calibrations."""
        return [file for file in self.files if not file.serves]

    def chosen(self, dp_ids: Iterable[str]) -> Listing:
        """Keep some files, and the calibrations that serve them alone.

        Parameters
        ----------
        dp_ids
            Names of science exposures; names of calibrations keep those, too.
        """
        wanted = set(dp_ids)
        kept = []
        for file in self.files:
            serves = tuple(name for name in file.serves if name in wanted)
            if file.dp_id in wanted or serves:
                kept.append(replace(file, serves=serves or file.serves))
        return replace(self, files=tuple(kept))

    def summary(self) -> dict[str, Any]:
        """Everything as plain lists and dictionaries, as ``muse-nb fetch --list --json`` prints it."""
        names = ("dp_id", "category", "type", "mode", "date_obs", "exposure", "bytes", "release")
        files = []
        for file in self.files:
            facts = asdict(file)
            files.append({name: facts[name] for name in names} | {"for": list(file.serves), "object": file.object})
        return {"files": files, "bytes": self.bytes, "truncated": self.truncated, "notes": list(self.notes)}

    @property
    def table(self) -> Table:
        """The files, a row each; EXPTIME [s], size [byte]."""
        from astropy.table import MaskedColumn, Table

        found = Table()
        for name in ("dp_id", "category", "type", "mode", "date_obs", "release", "object"):
            found[name] = [getattr(file, name) or "" for file in self.files] or MaskedColumn([], dtype="U1")
        for name, unit in (("exposure", "s"), ("bytes", "byte")):
            values = [getattr(file, name) for file in self.files]
            blank = [value is None for value in values]
            found[name] = MaskedColumn(
                [v or 0 for v in values], mask=blank, unit=unit, dtype=float if unit == "s" else int
            )
        return found

    def cells(self, file: ArchiveFile) -> list[str]:
        """A file's row as text, under `HEAD`."""
        return [
            printable(file.dp_id),
            printable(file.type),
            printable(file.mode or "?"),
            printable((file.date_obs or "?")[:19]),
            "?" if file.exposure is None else f"{file.exposure:g}",
            "?" if file.bytes is None else size_text(file.bytes),
            printable((file.release or "?")[:10]),
            printable(file.object or ""),
            f"{len(file.serves)} exposure{'s' * (len(file.serves) != 1)}" if file.serves else "",
        ]

    @property
    def headline(self) -> str:
        """Numbers and size in a sentence."""
        kinds = Counter(file.type for file in self.files)
        unknown = sum(file.bytes is None for file in self.files)
        guess = f" and {unknown} of unknown size" if unknown else ""
        said = ", ".join(f"{number} {printable(kind)}" for kind, number in kinds.most_common())
        number = len(self.files)
        return f"{number} file{'s' * (number != 1)}, {size_text(self.bytes)}{guess}" + (f": {said}" if said else "")

    def __str__(self) -> str:
        """Tell it in lines, a line a file."""
        widths = [max(len(row[k]) for row in [HEAD, *map(self.cells, self.files)]) for k in range(len(HEAD))]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in ([list(HEAD)] + [self.cells(file) for file in self.files] if self.files else [])
        ]
        return "\n".join([*lines, self.headline, *(f"note: {printable(text)}" for text in self.notes)])

    def _repr_html_(self) -> str:
        notes = findings_html(printable(text) for text in self.notes)
        return f"<p>{escape(self.headline)}</p>{table_html(HEAD, map(self.cells, self.files), kind='archive')}{notes}"


def size_text(number: int) -> str:
    """Write a size with a unit.

    Examples
    --------
    >>> size_text(350_000_000)
    '350 MB'
    """
    for unit, size in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if number >= size:
            return f"{number / size:.0f} {unit}" if number >= 100 * size else f"{number / size:.3g} {unit}"
    return f"{number} byte{'s' * (number != 1)}"
