"""OBJECT_RED: a detector frame of one IFU with its quality and its variance, as muse_scibasic writes it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from muse_nb.core.atomic import atomic_write
from muse_nb.core.errors import MuseError
from muse_nb.products.fits.blocks import hdus
from muse_nb.products.fits.planes import mapped, read_image
from muse_nb.products.header import read_all

if TYPE_CHECKING:
    from astropy.io.fits import Header

__all__ = ["ObjectRed", "open_object_red", "write_object_red"]

_CHANNEL = re.compile(r"CHAN(\d\d)$")


@dataclass(frozen=True)
class ObjectRed:
    """One IFU's frame; its pixels are read when they are first asked for.

    Attributes
    ----------
    path : pathlib.Path
    ifu : int
        1 to 24; 0 where the file does not say.
    header : astropy.io.fits.Header
        Primary header; of a merged file, with the IFU's own keywords added.
    shape : tuple of int
        (ny, nx) of the trimmed detector.
    extensions : dict of str to int
        DATA, DQ, STAT to the number of the HDU; what the file lacks is not in it.

    Examples
    --------
    >>> from muse_nb.products.object_red import open_object_red
    >>> frame = open_object_red(muse_nb.survey("night").exposure(0).files("OBJECT_RED")[0])[0]
    >>> frame.ifu, sorted(frame.extensions), frame.data.shape == frame.shape
    (10, ['DATA', 'DQ', 'STAT'], True)
    """

    path: Path
    ifu: int
    header: Header
    shape: tuple[int, int]
    extensions: dict[str, int]

    @cached_property
    def data(self) -> NDArray[np.float32]:
        """Counts [electron], shape (ny, nx)."""
        return self._read("DATA").astype(np.float32, copy=False)

    @cached_property
    def dq(self) -> NDArray[np.integer] | None:
        """Quality bits, shape (ny, nx), see `muse_nb.products.dq`; None where the file has none."""
        return self._flags() if "DQ" in self.extensions else None

    @cached_property
    def stat(self) -> NDArray[np.float32] | None:
        """Variance [electron^2], shape (ny, nx); None where the file has none."""
        return self._read("STAT").astype(np.float32, copy=False) if "STAT" in self.extensions else None

    def _flags(self) -> NDArray[np.integer]:
        """DQ as 32 bits, whatever its width in the file."""
        flags = self._read("DQ")
        if flags.dtype.kind not in "iu" or (flags.dtype.itemsize > 4 and int(flags.max(initial=0)) >= 1 << 32):
            raise MuseError(f"{self.path}: DQ holds {flags.dtype}, not flags of 32 bits: make the file again")
        return flags if flags.dtype.itemsize == 4 else flags.astype(np.uint32).view(np.int32)

    def every(self, name: str, step: int) -> NDArray[Any]:
        """Read every `step`-th pixel along both axes of DATA, DQ or STAT, the others only where they are packed.

        Raises
        ------
        MuseError
            The file cannot be read.
        """
        found = mapped(self.path, hdus(self.path)[self.extensions[name]])
        if found is not None and found.shape == self.shape:
            return np.asarray(found[::step, ::step]).astype(found.dtype.newbyteorder("="))
        return np.asarray(getattr(self, name.lower()))[::step, ::step]  # this says what is wrong, where it is

    def _read(self, name: str) -> NDArray[Any]:
        array = read_image(self.path, self.extensions[name], name)
        if array.shape != self.shape:
            raise MuseError(f"{self.path}: {name} has shape {array.shape}, DATA {self.shape}: make the file again")
        return array


def open_object_red(path: str | Path) -> list[ObjectRed]:
    """Open an OBJECT_RED in any of its forms: one IFU a file, merged, compressed (.fits.fz), extensions in any order.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    list of ObjectRed
        One for each IFU in the file, by IFU.

    Raises
    ------
    MuseError
        The file is not readable or holds no DATA.
    """
    path = Path(path)
    headers = read_all(path)
    groups: dict[str, dict[str, int]] = {}
    for number, header in enumerate(headers):
        name = str(header.get("EXTNAME", "")).strip()
        channel, _, kind = name.rpartition(".")
        if kind in ("DATA", "DQ", "STAT"):
            groups.setdefault(channel, {})[kind] = number
    groups = {channel: found for channel, found in groups.items() if "DATA" in found}
    if not groups:
        raise MuseError(f"{path} has no DATA extension: is it an OBJECT_RED?")
    frames = [_frame(path, headers, channel, found) for channel, found in groups.items()]
    return sorted(frames, key=lambda frame: frame.ifu)


def _frame(path: Path, headers: list[Header], channel: str, extensions: dict[str, int]) -> ObjectRed:
    primary, data = headers[0], headers[extensions["DATA"]]
    prefix = "Z" if data.get("ZIMAGE") else ""
    try:
        shape = (int(data[f"{prefix}NAXIS2"]), int(data[f"{prefix}NAXIS1"]))
        if (data.get("XTENSION") != "IMAGE" and not prefix) or data[f"{prefix}NAXIS"] != 2 or 0 in shape:
            raise ValueError("not an image")
    except (KeyError, TypeError, ValueError):
        raise MuseError(f"{path}: DATA is not a two-dimensional image: is it an OBJECT_RED?") from None
    header = primary.copy()
    if channel:  # of a merged file: what differs from IFU to IFU is in its extensions
        for card in data.cards:
            if card.keyword.startswith("ESO "):
                header[f"HIERARCH {card.keyword}"] = (card.value, card.comment)
    found = next(
        (m for text in (channel, data.get("EXTNAME"), primary.get("EXTNAME")) if (m := _CHANNEL.match(str(text)))), None
    )
    return ObjectRed(path, int(found[1]) if found else 0, header, shape, extensions)


_EURO3D = [
    ("HDUCLASS", "ESO", "class name (ESO format)"),
    ("HDUDOC", "DICD", "document with class description"),
    ("HDUVERS", "DICD version 6", "version number"),
    ("HDUCLAS1", "IMAGE", "image data format"),
]
_OWN: dict[str, list[tuple[str, object]]] = {
    "DATA": [("HDUCLAS2", "DATA"), ("ERRDATA", "STAT"), ("QUALDATA", "DQ"), ("BUNIT", "count")],
    "DQ": [
        ("HDUCLAS2", "QUALITY"),
        ("HDUCLAS3", "FLAG32BIT"),
        ("QUALMASK", 4294967295),
        ("SCIDATA", "DATA"),
        ("ERRDATA", "STAT"),
    ],
    "STAT": [
        ("HDUCLAS2", "ERROR"),
        ("HDUCLAS3", "MSE"),
        ("SCIDATA", "DATA"),
        ("QUALDATA", "DQ"),
        ("BUNIT", "(count)**2"),
    ],
}


def write_object_red(
    path: str | Path,
    header: Header,
    data: NDArray[np.floating],
    dq: NDArray[np.integer] | None,
    stat: NDArray[np.floating] | None,
    *,
    force: bool = False,
) -> None:
    """Write the frame of one IFU as the recipe does: DATA f4, DQ i4, STAT f4 behind a header-only primary.

    Parameters
    ----------
    path
        The file to make.
    header
        Primary header, with EXTNAME CHANnn.
    data, dq, stat
        Counts [electron], quality bits, variance [electron^2], shape (ny, nx); DQ and STAT may be left out.
    force
        Replace a file that is there.

    Raises
    ------
    MuseError
        The file is there, or cannot be written.
    """
    from astropy.io import fits

    units = [fits.PrimaryHDU(header=header)]
    for name, array in (("DATA", data), ("DQ", dq), ("STAT", stat)):
        if array is None:
            continue
        values = np.asarray(array)
        if name == "DQ":
            values = values.astype(np.int64).astype(np.uint32).view(np.int32)
        unit = fits.ImageHDU(values.astype(">i4" if name == "DQ" else ">f4"))
        unit.header["EXTNAME"] = name
        for keyword, value, comment in _EURO3D:
            unit.header[keyword] = (value, comment)
        unit.header.update(dict(_OWN[name]))
        units.append(unit)
    with atomic_write(path, force=force) as part:
        fits.HDUList(units).writeto(part, overwrite=True)
