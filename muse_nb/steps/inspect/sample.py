"""A frame thinned out to a few hundred thousand pixels, for statistics that do not need them all."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from muse_nb.core.errors import MuseError
from muse_nb.core.robust import median
from muse_nb.products.fits.blocks import Hdu, hdus
from muse_nb.products.fits.planes import mapped
from muse_nb.products.header import read_all
from muse_nb.products.object_red import open_object_red
from muse_nb.steps.inspect.raw import RAW_CHANNEL, RawChannel, raw_channels

if TYPE_CHECKING:
    from astropy.io.fits import Header

__all__ = ["QUADRANTS", "Frame", "Sample", "frames", "take_sample"]

QUADRANTS = ("BL", "BR", "TR", "TL")  # the order of MUSE's four read-out ports
_CHANNEL = re.compile(r"CHAN\d\d(\.|$)")
BLOCK_ROWS = 4  # neighbouring rows (planes of a cube) in each block: enough for second differences
SAMPLE_PIXELS = 300_000
MIN_BLOCKS = 24  # of a sample, however wide the frame is
MAX_QUIET_VARIANCE = 25.0  # times the signal, and the usual variance


@dataclass(frozen=True)
class Frame:
    """What the statistics need to know of an OBJECT_RED frame, an image or a cube.

    Attributes
    ----------
    path : pathlib.Path
        The file.
    ifu : int or None
        Number of the IFU; None when the file is not an OBJECT_RED.
    header : astropy.io.fits.Header
        Primary header.
    data, dq, stat : numpy.ndarray or None
        Shape (ny, nx) or (nz, ny, nx); `dq` and `stat` are None when the file has none.
    unit : str
        BUNIT of the data.
    assumed : bool
        Whether it is taken for an OBJECT_RED by its extensions alone: it has no PRO CATG.
    raw : RawChannel or None
        What was measured of a channel of a raw frame, whose data are then counts above the overscan.
    """

    path: Path
    ifu: int | None
    header: Header
    data: np.ndarray
    dq: np.ndarray | None
    stat: np.ndarray | None
    unit: str = "count"
    assumed: bool = False
    raw: RawChannel | None = None


def frames(path: str | Path) -> Iterator[Frame]:
    """Yield the frames of a file: one for each IFU of an OBJECT_RED or a raw frame, else its image or cube.

    Plain float and integer extensions are mapped, not read: the statistics look at each pixel once and keep none.

    Raises
    ------
    MuseError
        The file cannot be read, or holds no image and no cube.
    """
    path = Path(path)
    if path.suffix == ".gz":
        yield _plain(path)
        return
    units = hdus(path)
    names = [unit.name.rpartition(".")[2].upper() for unit in units]
    category = str(units[0].cards.get("ESO PRO CATG") or "").strip()
    assumed = not category and _has_channels(units)
    if (category == "OBJECT_RED" or assumed) and "DATA" in names:
        for red in open_object_red(path):
            arrays = [_array(path, units, red.extensions.get(name), red.shape) for name in ("DATA", "DQ", "STAT")]
            data, dq, stat = (
                getattr(red, name) if array is None else array
                for name, array in zip(("data", "dq", "stat"), arrays, strict=True)
            )
            yield Frame(path, red.ifu, red.header, data, dq, stat, assumed=assumed)
    elif not category and any(RAW_CHANNEL.match(unit.name) for unit in units[1:]):
        header = read_all(path)[0]
        for raw in raw_channels(path, units):
            data = np.zeros((1, 1), np.float32) * np.nan if raw.trimmed is None else raw.trimmed
            yield Frame(path, raw.ifu, header, data, None, None, unit="adu", raw=raw)
    else:
        yield _plain(path)


def _has_channels(units: list[Hdu]) -> bool:
    """Whether the names in a file are those of an OBJECT_RED: CHANnn, and DATA of two dimensions."""
    named = any(_CHANNEL.match(unit.name) for unit in units)
    return named and any(u.name.rpartition(".")[2].upper() == "DATA" and len(u.shape) == 2 for u in units)


def _array(path: Path, units: list[Hdu], number: int | None, shape: tuple[int, ...]) -> np.ndarray | None:
    """Map an extension that lies in the file as it is and has this shape."""
    return None if number is None or units[number].shape != shape else mapped(path, units[number])


def _plain(path: Path) -> Frame:
    """Read the first image or cube of any FITS file, with its DQ and STAT where they are there."""
    from astropy.io import fits

    headers = read_all(path)
    try:
        with warnings.catch_warnings(), fits.open(path, memmap=False) as opened:
            warnings.simplefilter("ignore")  # of keywords that do not matter here
            images = (fits.PrimaryHDU, fits.ImageHDU, fits.CompImageHDU)  # a damaged header makes none of these
            known = [hdu for hdu in opened if isinstance(hdu, images)]
            usable = [hdu for hdu in known if len(hdu.shape) in (2, 3) and 0 not in hdu.shape]
            by_name = {hdu.name.upper(): hdu for hdu in reversed(usable)}
            data = by_name.get("DATA", usable[0] if usable else None)
            if data is None:
                raise MuseError(f"{path} holds no image and no cube: inspect needs an OBJECT_RED, an image or a cube")
            others = [by_name.get(name) for name in ("DQ", "STAT")]
            dq, stat = (
                hdu.data if hdu is not None and hdu is not data and hdu.shape == data.shape else None for hdu in others
            )
            unit = str(data.header.get("BUNIT", "")).strip()
            return Frame(path, None, headers[0], data.data, dq, stat, unit)
    except (OSError, TypeError, ValueError) as error:
        raise MuseError(f"{path} cannot be read as FITS ({error}): make the file again") from error


@dataclass(frozen=True)
class Sample:
    """Blocks of neighbouring rows of a frame (or planes of a cube), spread evenly over it.

    Attributes
    ----------
    start : numpy.ndarray
        First row (plane) of each block, shape (nblock,).
    data, stat : numpy.ndarray
        float32, shape (nblock, BLOCK_ROWS, nx) or (nblock, BLOCK_ROWS, ny, nx); `stat` is None when the frame has none.
    good : numpy.ndarray
        True where dq is 0 and the data are finite; same shape.
    quadrant : numpy.ndarray
        Index into `QUADRANTS`, broadcasts against `data`.
    """

    start: np.ndarray
    data: np.ndarray
    stat: np.ndarray | None
    dq: np.ndarray | None
    good: np.ndarray
    quadrant: np.ndarray

    @property
    def quiet(self) -> np.ndarray:
        """True where the variance is not beyond measure, as it is between the slices, where the flat is about 0."""
        if self.stat is None:
            return np.ones(self.data.shape, bool)
        with np.errstate(invalid="ignore"):
            usual = median(self.stat[self.good])
            floor = usual if np.isfinite(usual) else 0
            return np.asarray(self.stat < MAX_QUIET_VARIANCE * np.maximum(self.data, floor))


def take_sample(frame: Frame, pixels: int = SAMPLE_PIXELS) -> Sample:
    """Copy runs of four rows out of a frame, about `pixels` in all, or all of its rows when it has fewer."""
    n = frame.data.shape[0]
    run = min(BLOCK_ROWS, n)
    blocks = max(MIN_BLOCKS, round(pixels / (run * frame.data[0].size)))
    start = np.unique(np.linspace(0, n - run, max(1, min(blocks, n // run))).astype(int))
    rows = start[:, None] + np.arange(run)
    data = np.asarray(frame.data[rows], dtype=np.float32)
    stat = None if frame.stat is None else np.asarray(frame.stat[rows], dtype=np.float32)
    dq = None if frame.dq is None else np.asarray(frame.dq[rows]).astype(np.int64)
    good = np.isfinite(data) if dq is None else (dq == 0) & np.isfinite(data)
    return Sample(start, data, stat, dq, good, _quadrants(frame.data.shape, rows))


def _quadrants(shape: tuple[int, ...], rows: np.ndarray) -> np.ndarray:
    nx = shape[-1]
    right = np.arange(nx) >= nx / 2
    top = (rows >= shape[0] / 2)[..., None] if len(shape) == 2 else (np.arange(shape[1]) >= shape[1] / 2)[:, None]
    return np.where(top, np.where(right, 2, 3), np.where(right, 1, 0)).astype(np.int8)
