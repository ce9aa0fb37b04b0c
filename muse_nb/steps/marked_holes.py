"""holes.ecsv: voxels that a reader of a cube marked, to be looked at again."""

from __future__ import annotations

from pathlib import Path

from muse_nb.products.errors import MuseError

__all__ = ["Voxel", "read_holes"]

Voxel = tuple[int, int, int]
COLUMNS = ("x", "y", "plane")


def read_holes(path: str | Path) -> list[Voxel]:
    """Read the voxels that were marked in a shared page.

    Parameters
    ----------
    path
        A table (ECSV) with the columns x, y and plane, all counted from 0.

    Raises
    ------
    MuseError
        The file is not there, is no ECSV, lacks a column, or holds something else than numbers of voxels.
    """
    from astropy.table import Table

    path, again = Path(path), "mark the holes again"
    try:
        table = Table.read(path, format="ascii.ecsv")
    except OSError as error:
        raise MuseError(f"{path} cannot be read: {error.strerror or error}") from error
    except Exception as error:
        first = (str(error).splitlines() or ["unknown format"])[0]
        raise MuseError(f"{path} is no table of holes ({first}): {again}") from error
    if missing := [name for name in COLUMNS if name not in table.colnames]:
        raise MuseError(f"{path} lacks the column {', '.join(missing)}: {again}")
    if any(table[name].dtype.kind not in "iu" or hasattr(table[name], "mask") for name in COLUMNS):
        raise MuseError(f"{path} holds something else than whole numbers in x, y and plane: {again}")
    return [(int(row["x"]), int(row["y"]), int(row["plane"])) for row in table]
