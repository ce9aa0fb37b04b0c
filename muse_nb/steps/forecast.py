"""What a combine will take, from the headers alone: rows, disk, memory and time of both engines."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from pathlib import Path

from muse_nb.products.pixtable import PixelTable

__all__ = ["Forecast", "forecast"]

# Measured with pipeline 2.8.7 on two cores: bytes and CPU seconds a row.
_ESO_BYTES, _ESO_SECONDS = 46.0, 2.6e-6
_STREAM_LEAST, _STREAM_MOST, _STREAM_BYTES, _STREAM_SECONDS = 100e6, 1e9, 3.0, 2e-7
_ROW_ON_DISK = 28


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
    """

    exposures: int
    rows: int
    input_bytes: int
    memory_eso: float
    memory_stream: float
    seconds_eso: float
    seconds_stream: float
    memory_free: float

    @property
    def eso_fits(self) -> bool:
        """Whether muse_exp_combine has the memory it needs."""
        return self.memory_eso < self.memory_free

    def __str__(self) -> str:
        """Say it in two sentences."""
        fits = "fits" if self.eso_fits else "does not fit"
        return (
            f"{self.exposures} exposures with {self.rows / 1e6:.1f} million rows ({self.input_bytes / 1e9:.2f} GB)."
            f" muse_exp_combine needs {self.memory_eso / 1e9:.1f} GB of memory, which {fits} into the"
            f" {self.memory_free / 1e9:.1f} GB that are free, and {self.seconds_eso / 60:.1f} min of CPU;"
            f" the stream engine {self.memory_stream / 1e9:.2f} GB and {self.seconds_stream / 60:.1f} min."
        )

    def _repr_html_(self) -> str:
        return f"<p>{escape(str(self))}</p>"


def forecast(pixtables: Iterable[str | Path]) -> Forecast:
    """Forecast a combine.

    Parameters
    ----------
    pixtables
        The exposures; only their headers are read.

    Raises
    ------
    MuseError
        One is no pixel table.
    """
    tables = [PixelTable.open(path) for path in pixtables]
    rows = sum(table.nrow for table in tables)
    return Forecast(
        exposures=len(tables),
        rows=rows,
        input_bytes=rows * _ROW_ON_DISK,
        memory_eso=rows * _ESO_BYTES,
        memory_stream=min(max(rows * _STREAM_BYTES, _STREAM_LEAST), _STREAM_MOST),
        seconds_eso=rows * _ESO_SECONDS,
        seconds_stream=rows * _STREAM_SECONDS,
        memory_free=_free_memory(),
    )


def _free_memory() -> float:
    """Memory that is available, no more than a container's limit [byte]."""
    import psutil

    free = float(psutil.virtual_memory().available)
    limit = Path("/sys/fs/cgroup/memory.max")
    try:
        text = limit.read_text().strip()
        used = float(Path("/sys/fs/cgroup/memory.current").read_text())
        return min(free, float(text) - used) if text != "max" else free
    except (OSError, ValueError):
        return free
