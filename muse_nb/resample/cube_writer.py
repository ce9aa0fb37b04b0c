"""A cube and its images written plane by plane; both appear whole or not at all."""

from __future__ import annotations

import math
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from muse_nb.core.atomic import atomic_write
from muse_nb.products.filters import Filter, covered, throughput
from muse_nb.products.fits.cards import card, header_block
from muse_nb.resample.cube_header import extension
from muse_nb.resample.grid import CubeGrid
from muse_nb.resample.stream import EXTENSIONS, Resampled
from muse_nb.resample.unfinished import Piece, Unfinished

__all__ = ["CubeWriter", "Images", "piece_of", "write_image"]

BLOCK = 2880


class Images:
    """Images of a cube in several filters, summed up plane by plane.

    Parameters
    ----------
    grid
        The cube's.
    filters
        ``white``, ``V``, ``R``, ``I``, or names in `curves`.
    curves
        Of a FILTER_LIST.
    """

    def __init__(self, grid: CubeGrid, filters: tuple[str, ...], curves: dict[str, Filter] | None = None) -> None:
        nz, ny, nx = grid.shape
        wavelength = grid.crval[2] + (np.arange(nz) + 1 - grid.crpix[2]) * grid.lambda_step
        self._covered = [covered(name, grid.wavelength(0), grid.wavelength(nz), curves) for name in filters]
        self._through = [throughput(name, wavelength, curves) for name in filters]
        self._sum = np.zeros((len(filters), ny, nx))
        self._weight = np.zeros((len(filters), ny, nx))
        self._term = np.empty((ny, nx))

    def add(self, number: int, data: NDArray[np.float32]) -> None:
        """Add a plane."""
        good = np.isfinite(data)
        known = np.where(good, data, 0)
        for through, total, weight in zip(self._through, self._sum, self._weight, strict=True):
            if through[number] > 0:
                total += np.multiply(known, through[number], out=self._term)
                weight += np.multiply(good, through[number], out=self._term)

    def image(self, number: int) -> NDArray[np.float32]:
        """Return the mean over a filter, NaN where there are no data."""
        with np.errstate(invalid="ignore", divide="ignore"):
            image: NDArray[np.float32] = (self._sum[number] / self._weight[number]).astype(np.float32)
        return image

    def fraction(self, number: int) -> float:
        """Return how much of a filter the cube covers [%]."""
        return self._covered[number]


class CubeWriter:
    """The cube's file.

    Parameters
    ----------
    path
        To make.
    primary
        Cards of the primary header.
    grid
        Its shape and WCS.
    units
        BUNIT of DATA and of STAT.
    object_name
        OBJECT of the first exposure.
    recipe
        All that the content depends on, for a rerun after an interruption.
    more
        Extensions of `muse_nb.resample.stream.EXTENSIONS` that its planes have.
    tail
        What follows behind the last extension, as it is in the file.
    force
        Replace a file that is there.
    """

    def __init__(
        self,
        path: Path,
        primary: list[str],
        grid: CubeGrid,
        units: tuple[str, str],
        object_name: str,
        recipe: dict[str, object],
        *,
        more: tuple[str, ...] = (),
        tail: bytes = b"",
        force: bool = False,
    ) -> None:
        self.shape = grid.shape
        self._forms = {"DATA": ">f4", "STAT": ">f4", **{name: EXTENSIONS[name] for name in more}}
        parts, at = [(0, header_block(primary))], len(header_block(primary))
        starts = []
        for (name, form), unit in zip(self._forms.items(), (*units, *("",) * len(more)), strict=True):
            parts.append((at, header_block(extension(name, self.shape, grid, unit, object_name, more))))
            starts.append(at + len(parts[-1][1]))
            at = starts[-1] + -(-math.prod(self.shape) * np.dtype(form).itemsize // BLOCK) * BLOCK
        self.start = tuple(starts)
        self.file = Unfinished(path, at + len(tail), recipe, force=force)
        try:
            for position, content in (*parts, (at, tail)):
                self.file.write(position, content)
        except BaseException as error:
            self.file.__exit__(type(error), error, None)
            raise

    def __enter__(self) -> CubeWriter:
        """Use as a context; see `Unfinished`."""
        return self

    def __exit__(self, kind: type | None, value: BaseException | None, trace: TracebackType | None) -> None:
        """Give the file its name."""
        self.file.__exit__(kind, value, trace)

    def plane(self, number: int) -> Resampled | None:
        """Return a plane that is in the file and is what the journal says, else None."""
        found = self.file.kept(str(number))
        if found is None:
            return None
        facts, blocks = found
        arrays = {
            name: np.frombuffer(block, form).astype(np.dtype(form).newbyteorder("=")).reshape(self.shape[1:])
            for (name, form), block in zip(self._forms.items(), blocks, strict=True)
        }
        rows = (facts["rows"], facts["flagged"], facts["not_finite"])
        return Resampled(number, arrays.pop("DATA"), arrays.pop("STAT"), *rows, arrays)  # type: ignore[arg-type]

    def missing(self) -> list[range]:
        """List the runs of planes that are not in the file."""
        gaps: list[range] = []
        for number in range(self.shape[0]):
            if self.file.kept(str(number)) is None:
                if gaps and gaps[-1].stop == number:
                    gaps[-1] = range(gaps[-1].start, number + 1)
                else:
                    gaps.append(range(number, number + 1))
        return gaps

    def write(self, plane: Resampled) -> None:
        """Write a plane."""
        self.file.note(piece_of(plane, self.start))

    def collect(self, note: dict[str, object]) -> bool:
        """Put down a plane that another process wrote into the file; False where it is not there as it should be."""
        return self.file.collect(note)


def piece_of(plane: Resampled, starts: tuple[int, ...]) -> Piece:
    """Turn a plane into bytes and where they go.

    Parameters
    ----------
    plane
        As resampled.
    starts
        Bytes at which DATA, STAT and what more there is begin in the file.
    """
    blocks = []
    for start, array in zip(starts, (plane.data, plane.stat, *plane.more.values()), strict=True):
        blocks.append((start + plane.number * array.nbytes, array.byteswap().data.cast("B")))
    return Piece(
        str(plane.number),
        blocks,
        {"rows": plane.rows, "flagged": plane.flagged, "not_finite": plane.not_finite},
    )


def write_image(
    path: Path,
    primary: list[str],
    grid: CubeGrid,
    through: tuple[str, float],
    unit: str,
    data: NDArray[np.float32],
    *,
    force: bool,
) -> None:
    """Write an IMAGE_FOV; `through` names its filter and how much of that the cube covers [%].

    Raises
    ------
    MuseError
        The file is there, or cannot be written.
    """
    name, fraction = through
    cards = [card("ESO DRS MUSE FILTER NAME", name, "filter name used")]
    cards.append(card("ESO DRS MUSE FILTER FRACTION", fraction, "[%] fraction of filter covered"))
    head = header_block([*primary, *cards])
    body = data.astype(">f4").tobytes()
    cards = [line for line in extension("DATA", data.shape, grid, unit, "") if not line.startswith("OBJECT")]
    with atomic_write(path, force=force) as part:
        part.write_bytes(head + header_block(cards) + body.ljust(-(-len(body) // BLOCK) * BLOCK, b"\0"))
