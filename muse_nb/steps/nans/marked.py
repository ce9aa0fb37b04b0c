"""holes.ecsv: voxels that a reader of a cube marked, to be looked at again, and what each of them is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from muse_nb.core.atomic import write_table
from muse_nb.core.errors import MuseError
from muse_nb.products.cube_file import CubeFile
from muse_nb.steps.nans.causes import CAUSE_OF_CODE
from muse_nb.steps.nans.result import NanAudit
from muse_nb.steps.nans.story import story

if TYPE_CHECKING:
    from astropy.table import Table

__all__ = ["MarkedHoles", "Voxel", "check_holes", "read_holes", "tell_holes"]

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


def check_holes(cube: CubeFile, holes: Iterable[Voxel]) -> None:
    """Refuse voxels that a cube does not have.

    Raises
    ------
    MuseError
        It has no such voxel: the holes are those of another cube.
    """
    nz, ny, nx = cube.shape
    for x, y, k in holes:
        if not (0 <= x < nx and 0 <= y < ny and 0 <= k < nz):
            raise MuseError(f"there is no voxel {x}, {y}, {k} in {cube.path}, a cube of {nx} x {ny} x {nz}")


@dataclass(frozen=True)
class MarkedHoles:
    """What each marked voxel is.

    Attributes
    ----------
    cube : pathlib.Path
    table : astropy.table.Table
        x, y, plane (from 0), wavelength [Angstrom] (NaN where the cube has none), value (NaN in a hole), cause (empty
        where there is a value) and story, the same sentences as in the NanViewer; in the order of the marks.
    """

    cube: Path
    table: Table

    def summary(self) -> dict[str, object]:
        """Everything as plain numbers and texts, as ``muse-nb nans --holes --json`` prints it."""
        rows = [{name: row[name].item() for name in self.table.colnames} for row in self.table]
        return {
            "cube": str(self.cube),
            "holes": [{name: None if value != value else value for name, value in row.items()} for row in rows],
        }

    def write(self, path: str | Path, *, force: bool = False) -> Path:
        """Write the table as CSV (or in any form that astropy knows from the ending); return its path."""
        return write_table(self.table, path, force=force, inputs=[self.cube])

    def __str__(self) -> str:
        """Tell the stories as text."""
        holes = sum(bool(cause) for cause in self.table["cause"])
        head = f"{self.cube}: {len(self.table)} marked, {holes} of them NaN"
        return "\n".join([head, *(f"- {text}" for text in self.table["story"])])

    def _repr_html_(self) -> str:
        head, *stories = str(self).splitlines()
        items = "".join(f"<li>{escape(text.removeprefix('- '))}</li>" for text in stories)
        return f"<p><b>{escape(head)}</b></p><ul>{items}</ul>"


def tell_holes(audit: NanAudit, holes: str | Path | Iterable[Voxel]) -> MarkedHoles:
    """Say what each marked voxel is.

    Parameters
    ----------
    audit
        Of the cube in which they were marked; with pixel tables every cause is known.
    holes
        Voxels (x, y, plane) from 0, or the file in which a reader of a shared page marked them.

    Raises
    ------
    MuseError
        The file cannot be read, or the cube has no such voxel.

    Examples
    --------
    >>> holes = muse_nb.tell_holes(muse_nb.audit_nans("CUBE.fits"), [(0, 0, 0)])
    >>> print(holes.table["cause"][0])
    outside the wavelength range
    """
    from astropy.table import Table

    voxels = read_holes(holes) if isinstance(holes, (str, Path)) else [(int(x), int(y), int(k)) for x, y, k in holes]
    check_holes(audit.cube, voxels)
    rows = []
    for x, y, k in voxels:
        cause = CAUSE_OF_CODE.get(int(audit.cause_plane(k)[y, x]))
        try:
            wavelength = float(audit.cube.wavelength(k))
        except MuseError:  # the cube does not say
            wavelength = float("nan")
        value = float(audit.cube.plane(k)[y, x])
        rows.append((x, y, k, wavelength, value, cause.value if cause else "", story(audit, x, y, k)))
    names = ("x", "y", "plane", "wavelength", "value", "cause", "story")
    table = Table(rows=rows or None, names=names, dtype=(int, int, int, float, float, str, str))
    return MarkedHoles(audit.cube.path, table)
