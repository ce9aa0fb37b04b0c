"""The truth of a simulated night, read back from its tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from muse_nb.core.errors import MuseError
from muse_nb.simulator.cascade.layouts import cascade_layout

if TYPE_CHECKING:
    from astropy.table import Row, Table

__all__ = ["Truth"]

_TABLES = ("frames", "detector", "traces", "wavelengths", "lsf", "illumination", "response", "tellurics", "stars")


@dataclass(frozen=True)
class Truth:
    """What the recipes should find.

    Attributes
    ----------
    tables
        By name, as `muse_nb.simulator.cascade.truth` describes them.
    """

    tables: Mapping[str, Table]

    @classmethod
    def read(cls, folder: Path) -> Truth:
        """Read the truth of a night.

        Raises
        ------
        MuseError
            A table is missing or damaged.
        """
        return cls({name: _read(folder / "truth" / f"{name}.ecsv") for name in _TABLES})

    def __getitem__(self, name: str) -> Table:
        """Return a table."""
        return self.tables[name]

    def of_ifu(self, name: str, ifu: int | None) -> Table:
        """Return the rows of one IFU."""
        table = self.tables[name]
        rows: Table = table[table["ifu"] == ifu]
        return rows

    @property
    def rows(self) -> int:
        """Rows of a trimmed chip."""
        return cascade_layout(str(self.tables["frames"].meta["layout"])).ny

    @property
    def exposure(self) -> Row | None:
        """The science exposure; None where there is none."""
        return next((row for row in self.tables["frames"] if row["tag"] == "OBJECT"), None)


def _read(path: Path) -> Table:
    from astropy.table import Table

    try:
        return Table.read(path, format="ascii.ecsv")
    except Exception as error:  # whatever a missing or damaged text file makes the reader raise
        raise MuseError(
            f"{path} cannot be read ({error}): name the folder that muse-nb simulate --cascade wrote"
        ) from error
