"""What a combine will take, from the headers alone: rows, disk, memory and time of both engines."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from muse_nb.core.machine.room import free_disk, free_memory
from muse_nb.products.header import number_of
from muse_nb.products.pixtable import PixelTable
from muse_nb.resample.grid import LAMBDA_STEP, STEP
from muse_nb.resample.inputs import nearest_turn
from muse_nb.resample.stream import EXTENSIONS

__all__ = ["Forecast", "forecast"]

# Measured with pipeline 2.8.7 on two cores: bytes and CPU seconds a row.
_ESO_BYTES, _ESO_SECONDS = 46.0, 2.6e-6
_STREAM_BYTES, _STREAM_SECONDS = 4.0, 1.3e-7
_STREAM_MEMORY = (100e6, 1e9)  # at least and at most [byte]
_ROW_ON_DISK = 28  # bytes
_LIMITS = "ESO DRS MUSE PIXTABLE LIMITS"
_PIXELS = "ESO DRS MUSE PIXTABLE PREDAR LIMITS"
_FIELD_RADIUS = 45 / 3600  # of the wide field, where a header does not say [deg]
_FULL_RANGE = (4750.0, 9350.0)  # of the nominal mode [Angstrom]


@dataclass(frozen=True)
class Forecast:
    """What is ahead.

    Attributes
    ----------
    exposures, rows : int
    input_bytes : int
        The pixel tables' columns [byte].
    memory_eso, memory_stream : float
        Peak memory [byte].
    seconds_eso, seconds_stream : float
        CPU time [s].
    memory_free : float
        [byte], now.
    shape : tuple of int
        (nz, ny, nx) of the cube, about: as large as the headers' limits allow.
    disk : float
        The cube and its images [byte]. The unfinished cube is the same file under a hidden name; a cube that is
        replaced stays until the new one is whole.
    disk_free : float
        [byte], now, where the cube goes.
    """

    exposures: int
    rows: int
    input_bytes: int
    memory_eso: float
    memory_stream: float
    seconds_eso: float
    seconds_stream: float
    memory_free: float
    shape: tuple[int, int, int]
    disk: float
    disk_free: float

    @property
    def eso_fits(self) -> bool:
        """Whether muse_exp_combine has the memory it needs."""
        return self.memory_eso < self.memory_free

    @property
    def stream_fits(self) -> bool:
        """Whether the stream engine has the memory it needs."""
        return self.memory_stream < self.memory_free

    @property
    def disk_fits(self) -> bool:
        """Whether the cube has the room it needs."""
        return self.disk < self.disk_free

    def __str__(self) -> str:
        """Say it in a few sentences."""
        fits = "fits" if self.eso_fits else "does not fit"
        nz, ny, nx = self.shape
        return (
            f"{self.exposures} exposures with {self.rows / 1e6:.1f} million rows ({self.input_bytes / 1e9:.2f} GB)."
            f" muse_exp_combine needs {self.memory_eso / 1e9:.1f} GB of memory, which {fits} into the"
            f" {self.memory_free / 1e9:.1f} GB that are free, and {self.seconds_eso / 60:.1f} min of CPU;"
            f" the stream engine {self.memory_stream / 1e9:.2f} GB and {self.seconds_stream / 60:.1f} min."
            f" The cube has about {nx} x {ny} spaxels and {nz} planes: {self.disk / 1e9:.2f} GB, which"
            f" {'fit' if self.disk_fits else 'do not fit'} into the {self.disk_free / 1e9:.1f} GB free on its disk."
        )

    def _repr_html_(self) -> str:
        return f"<p>{escape(str(self))}</p>"


def forecast(
    pixtables: Iterable[str | Path],
    output: str | Path = ".",
    *,
    lambdamin: float = 4000.0,
    lambdamax: float = 10000.0,
    memory: float | None = None,
    extensions: Sequence[str] = (),
) -> Forecast:
    """Forecast a combine.

    Parameters
    ----------
    pixtables
        The exposures; only their headers are read.
    output
        The cube to make, or its folder.
    lambdamin, lambdamax
        Wavelength limits [Angstrom].
    memory
        Bytes that the stream engine is told to stay within.
    extensions
        That the stream engine adds to the cube, see `muse_nb.combine`.

    Raises
    ------
    MuseError
        One is no pixel table.

    Examples
    --------
    >>> ahead = muse_nb.forecast(muse_nb.survey("night").files_of("PIXTABLE_REDUCED"))
    >>> ahead.exposures, ahead.shape
    (4, (361, 78, 79))
    """
    tables = [PixelTable.open(path) for path in pixtables]
    least, most = _STREAM_MEMORY
    rows = sum(table.nrow for table in tables)
    shape = _shape(tables, lambdamin, lambdamax)
    bytes_per_voxel = 8 + sum(int(form[-1]) for name, form in EXTENSIONS.items() if name in extensions)
    return Forecast(
        exposures=len(tables),
        rows=rows,
        input_bytes=rows * _ROW_ON_DISK,
        memory_eso=rows * _ESO_BYTES,
        memory_stream=memory or min(max(rows * _STREAM_BYTES, least), most),
        seconds_eso=rows * _ESO_SECONDS,
        seconds_stream=rows * _STREAM_SECONDS,
        memory_free=free_memory(),
        shape=shape,
        disk=float(shape[1] * shape[2] * (bytes_per_voxel * shape[0] + 4)),
        disk_free=free_disk(Path(output)),
    )


def _shape(tables: list[PixelTable], low: float, high: float) -> tuple[int, int, int]:
    """Find a cube that holds all fields."""
    east, north, shortest, longest = [], [], [], []
    ra0, dec0 = (_number(tables[0], key, 0.0) for key in ("RA", "DEC")) if tables else (0.0, 0.0)
    for table in tables:
        half_x, half_y = _half_field(table)
        x = nearest_turn(_number(table, "RA", ra0) - ra0) * math.cos(math.radians(dec0))
        y = _number(table, "DEC", dec0) - dec0
        east += [x - half_x, x + half_x]
        north += [y - half_y, y + half_y]
        shortest.append(_number(table, f"{_LIMITS} LAMBDA LOW", _FULL_RANGE[0]))
        longest.append(_number(table, f"{_LIMITS} LAMBDA HIGH", _FULL_RANGE[1]))
    planes = (min(max(longest, default=0.0), high) - max(min(shortest, default=0.0), low)) / LAMBDA_STEP
    ny, nx = (math.ceil((max(side, default=0.0) - min(side, default=0.0)) / STEP) + 1 for side in (north, east))
    return max(math.ceil(planes) + 1, 1), ny, nx


def _half_field(table: PixelTable) -> tuple[float, float]:
    """Half the extent of an exposure along RA and DEC [deg]: of its pixels, or of the circle around its rows."""
    edges = [number_of(table.header.get(f"{_PIXELS} {end}")) for end in ("XLO", "XHI", "YLO", "YHI")]
    cd = [[number_of(table.header.get(f"CD{i}_{j}")) for j in (1, 2)] for i in (1, 2)]
    if None not in (*edges, *cd[0], *cd[1]):
        x, y = (max(abs(edges[i] or 0.0), abs(edges[i + 1] or 0.0)) for i in (0, 2))
        return tuple(abs(row[0] or 0.0) * x + abs(row[1] or 0.0) * y for row in cd)  # type: ignore[return-value]
    reach = -math.degrees(_number(table, f"{_LIMITS} Y LOW", 0.0)) if table.kind == "rad" else 0.0
    return (reach or _FIELD_RADIUS,) * 2


def _number(table: PixelTable, keyword: str, default: float) -> float:
    value = number_of(table.header.get(keyword))
    return default if value is None else value
