"""BADPIX_TABLE: bad pixels of each IFU, counted on the raw frame, looked up by the pixels of OBJECT_RED."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from muse_nb.core.atomic import atomic_write
from muse_nb.core.errors import MuseError
from muse_nb.products.header import read

__all__ = ["BadpixTable"]

BORDER = 32  # pixels of prescan, and of overscan, on each side of each quadrant


@dataclass(frozen=True)
class BadpixTable:
    """The rows of a BADPIX_TABLE.

    Attributes
    ----------
    path : pathlib.Path
        The file.
    ifu, x, y, status : numpy.ndarray
        int32, one entry for each bad pixel: IFU, position on the raw frame (1-based), DQ bits.
    """

    path: Path
    ifu: NDArray[np.int32]
    x: NDArray[np.int32]
    y: NDArray[np.int32]
    status: NDArray[np.int32]

    @classmethod
    def open(cls, path: str | Path) -> BadpixTable:
        """Read a BADPIX_TABLE: one extension CHANnn for each IFU, or a single one with the IFU in its EXTNAME.

        Raises
        ------
        MuseError
            The file cannot be read or is no BADPIX_TABLE.
        """
        from astropy.io import fits

        path = Path(path)
        read(path)
        parts: list[tuple[NDArray[np.int64], ...]] = []
        with fits.open(path, memmap=False) as hdus:
            for hdu in hdus[1:]:
                ifu = _channel(str(hdu.header.get("EXTNAME", hdus[0].header.get("EXTNAME", ""))))
                names = {name.lower(): name for name in getattr(hdu, "columns", fits.ColDefs([])).names}
                if ifu is None or not {"xpos", "ypos", "status"} <= set(names):
                    continue
                columns = [np.asarray(hdu.data[names[name]], dtype=np.int64) for name in ("xpos", "ypos", "status")]
                parts.append((np.full(len(columns[0]), ifu, np.int64), *columns))
        if not parts:
            raise MuseError(f"{path} has no extension CHANnn with xpos, ypos and status: it is no BADPIX_TABLE")
        ifu_, x, y, status = (np.concatenate(column) for column in zip(*parts, strict=True))
        return cls(
            path, ifu_.astype(np.int32), x.astype(np.int32), y.astype(np.int32), status.astype(np.uint32).view(np.int32)
        )

    def __len__(self) -> int:
        """Return the number of bad pixels."""
        return len(self.ifu)

    def trimmed(self, nx: int, ny: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Columns and rows (1-based) in a frame of nx by ny pixels without its borders; 0 for a pixel in a border."""
        return _trim(self.x, nx), _trim(self.y, ny)

    def lookup(self, nx: int, ny: int) -> Lookup:
        """Prepare the look-up of flags for frames of nx by ny pixels."""
        x, y = self.trimmed(nx, ny)
        use = (x > 0) & (y > 0)
        keys = _key(self.ifu[use], x[use], y[use])
        order = np.argsort(keys, kind="stable")
        keys, status = keys[order], self.status[use][order]
        unique, start = np.unique(keys, return_index=True)
        flags = np.bitwise_or.reduceat(status, start) if len(start) else status
        return Lookup(unique, flags)

    def write_without(self, path: str | Path, drop: NDArray[np.bool_], *, force: bool = False) -> None:
        """Write a copy of the table without the rows where `drop` is True (in the order of the arrays)."""
        from astropy.io import fits

        with fits.open(self.path, memmap=False) as hdus:
            done = 0
            for number, hdu in enumerate(hdus):
                ifu = _channel(str(hdu.header.get("EXTNAME", hdus[0].header.get("EXTNAME", ""))))
                names = {name.lower() for name in getattr(hdu, "columns", fits.ColDefs([])).names}
                if number == 0 or ifu is None or not {"xpos", "ypos", "status"} <= names:
                    continue
                keep = ~drop[done : done + len(hdu.data)]
                done += len(hdu.data)
                hdus[number] = fits.BinTableHDU(hdu.data[keep], header=hdu.header)
            removed = int(drop.sum())
            hdus[0].header.add_history(f"muse_nb removed {removed} of {len(self)} bad pixels")
            with atomic_write(path, force=force, inputs=[self.path]) as part:
                hdus.writeto(part, overwrite=True)


@dataclass(frozen=True)
class Lookup:
    """Flags of detector pixels."""

    keys: NDArray[np.int64]
    flags: NDArray[np.int32]

    def __call__(self, ifu: ArrayLike, x: ArrayLike, y: ArrayLike) -> NDArray[np.int32]:
        """Flags that the table gives to pixels (1-based, of the frame without its borders); 0 where it has none."""
        wanted = _key(ifu, x, y)
        if not len(self.keys):
            return np.zeros(wanted.shape, np.int32)
        index = np.minimum(np.searchsorted(self.keys, wanted), len(self.keys) - 1)
        return np.where(self.keys[index] == wanted, self.flags[index], 0).astype(np.int32)


def _channel(name: str) -> int | None:
    name = name.strip().upper()
    digits = name[4:6]
    return int(digits) if name.startswith("CHAN") and digits.isdigit() else None


def _trim(position: NDArray[np.int32], size: int) -> NDArray[np.int32]:
    half = size // 2
    low = (position > BORDER) & (position <= BORDER + half)
    high = (position > 3 * BORDER + half) & (position <= 3 * BORDER + size)
    return np.where(low, position - BORDER, np.where(high, position - 3 * BORDER, 0))


def _key(ifu: ArrayLike, x: ArrayLike, y: ArrayLike) -> NDArray[np.int64]:
    return (np.asarray(ifu, np.int64) << 32) | (np.asarray(y, np.int64) << 16) | np.asarray(x, np.int64)
