"""Master calibrations of any layout: one file an IFU, or one file with an extension for each; found by PRO CATG."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from muse_nb.core.errors import MuseError
from muse_nb.products.fits.blocks import hdus
from muse_nb.products.fits.planes import read_image
from muse_nb.products.header import axes_of, number_of, read_all

if TYPE_CHECKING:
    from astropy.io.fits import Header
    from astropy.table import Table

__all__ = ["OF_AN_IFU", "OF_THE_FIELD", "Master", "find_masters", "open_masters"]

OF_AN_IFU = (
    "MASTER_BIAS",
    "MASTER_DARK",
    "MASTER_FLAT",
    "TRACE_TABLE",
    "WAVECAL_TABLE",
    "WAVECAL_RESIDUALS",
    "LSF_PROFILE",
)
OF_THE_FIELD = ("TWILIGHT_CUBE", "STD_RESPONSE", "STD_TELLURIC", "ASTROMETRY_WCS")
_CHANNEL = re.compile(r"CHAN(\d\d)(?:\.(.+))?$")


@dataclass(frozen=True)
class Master:
    """A master calibration of one IFU, or of the whole field; pixels and tables are read on request.

    Attributes
    ----------
    path : pathlib.Path
    kind : str
        ESO PRO CATG, one of `OF_AN_IFU` or `OF_THE_FIELD`.
    ifu : int
        1 to 24; 0 of what is of the whole field.
    header : astropy.io.fits.Header
        The primary's, with the ESO keywords of the IFU's extensions where all IFUs are in one file.
    extensions : dict of str to int
        Name of an extension (DATA, DQ, ..., without CHANnn) to the number of its HDU; ``TABLE`` of a nameless table.
    """

    path: Path
    kind: str
    ifu: int
    header: Header = field(repr=False)
    extensions: Mapping[str, int] = field(repr=False)

    @property
    def name(self) -> str:
        """The file's name, with the IFU where it does not tell it."""
        told = not self.ifu or re.search(rf"-{self.ifu:02d}\.fits", self.path.name)
        return self.path.name if told else f"{self.path.name} [CHAN{self.ifu:02d}]"

    @property
    def mode(self) -> str:
        """ESO INS MODE, empty where the header does not say."""
        return str(self.header.get("ESO INS MODE") or "")

    def number(self, keyword: str) -> float:
        """Return a keyword's value as a number, NaN where there is none."""
        value = number_of(self.header.get(keyword))
        return float("nan") if value is None else value

    def shape(self, extension: str = "DATA") -> tuple[int, ...]:
        """Return an image's shape in Python's order, by its header alone; empty where there is none."""
        number = self.extensions.get(extension)
        return () if number is None else hdus(self.path)[number].shape

    def image(self, extension: str = "DATA") -> NDArray[Any] | None:
        """Read an image; None where the master has no such extension.

        Raises
        ------
        MuseError
            It cannot be read.
        """
        number = self.extensions.get(extension)
        return None if number is None else read_image(self.path, number, extension)

    def table(self) -> Table:
        """Read the table of the IFU.

        Raises
        ------
        MuseError
            There is none, or it cannot be read.
        """
        from astropy.table import Table

        number = next(iter(self.extensions.values()), None)
        if number is None:
            raise MuseError(f"{self.path} has no table of IFU {self.ifu}: make it again")
        try:
            return Table.read(self.path, hdu=number, unit_parse_strict="silent")
        except Exception as error:  # a damaged file can make astropy raise anything
            raise MuseError(f"{self.path} cannot be read as a table ({error}): make it again") from error

    def columns(self, *names: str) -> list[NDArray[np.float64]]:
        """Read columns of the table as numbers.

        Raises
        ------
        MuseError
            One is missing or holds no numbers.
        """
        table = self.table()
        for name in names:
            if name not in table.colnames or table[name].dtype.kind not in "iuf" or table[name].ndim != 1:
                raise MuseError(f"{self.path} is no {self.kind}: it lacks numbers in the column {name}")
        return [np.asarray(np.ma.filled(table[name].astype(float), np.nan), float) for name in names]


def find_masters(source: str | Path | Iterable[str | Path]) -> list[Master]:
    """Find master calibrations.

    Parameters
    ----------
    source
        A folder, looked through with its subfolders, where files of other kinds are passed over; or files, which all
        have to be masters.

    Returns
    -------
    list of Master
        By kind (in the order of `OF_AN_IFU`, `OF_THE_FIELD`), IFU and path.

    Raises
    ------
    MuseError
        The folder is not there, a file is damaged, is no master, or does not say of which IFU it is.
    """
    paths = [source] if isinstance(source, str | Path) else list(source)
    found: list[Master] = []
    for path in map(Path, paths):
        if path.is_dir():
            inside = sorted({*path.rglob("*.fits"), *path.rglob("*.fits.fz"), *path.rglob("*.fits.gz")})
            for file in inside:
                found += open_masters(file)
            continue
        masters = open_masters(path)
        if not masters:
            said = hdus(path)[0].cards.get("ESO PRO CATG")
            kinds = ", ".join((*OF_AN_IFU, *OF_THE_FIELD))
            raise MuseError(f"{path} is no master calibration, its PRO CATG is {said}: known are {kinds}")
        found += masters
    order = (*OF_AN_IFU, *OF_THE_FIELD)
    return sorted(found, key=lambda master: (order.index(master.kind), master.ifu, str(master.path)))


def open_masters(path: str | Path) -> list[Master]:
    """Open a file as the masters that it holds: one, or one for each IFU; none where it is of another kind.

    Raises
    ------
    MuseError
        The file is damaged, or does not say of which IFU it is.
    """
    path = Path(path)
    kind = str(hdus(path)[0].cards.get("ESO PRO CATG") or "").strip()
    if kind not in OF_AN_IFU and kind not in OF_THE_FIELD:
        return []
    headers = read_all(path)
    if kind in OF_THE_FIELD:
        names = {str(header.get("EXTNAME") or "TABLE").strip(): n for n, header in enumerate(headers) if n}
        return [Master(path, kind, 0, headers[0], names)]
    return list(_of_ifus(path, kind, headers))


def _of_ifus(path: Path, kind: str, headers: list[Header]) -> Iterator[Master]:
    named = [(n, _CHANNEL.match(str(header.get("EXTNAME") or "").strip())) for n, header in enumerate(headers)]
    merged: dict[int, dict[str, int]] = {}
    for n, match in named[1:]:
        if match and (axes_of(headers[n]) or headers[n].get("XTENSION") == "BINTABLE"):
            merged.setdefault(int(match[1]), {})[match[2] or "TABLE"] = n
    if merged:
        for ifu, extensions in sorted(merged.items()):
            header = headers[0].copy()
            for n in extensions.values():
                for card in headers[n].cards:
                    if card.keyword.startswith("ESO "):
                        header[f"HIERARCH {card.keyword}"] = (card.value, card.comment)
            yield Master(path, kind, ifu, header, extensions)
        return
    first = named[0][1] or re.search(r"-(\d\d)\.fits", path.name)
    if first is None:
        raise MuseError(f"{path} is a {kind} but does not say of which IFU: EXTNAME should be CHANnn, make it again")
    names = {str(header.get("EXTNAME") or "TABLE").strip(): n for n, header in enumerate(headers) if n}
    yield Master(path, kind, int(first[1]), headers[0], names)
