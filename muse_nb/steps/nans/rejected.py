"""Did the resampler reject every good pixel of a voxel as a cosmic ray? Its own test, made again where it matters."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from muse_nb.products.dq import DQ
from muse_nb.steps.nans.reach import Reach, Tables

__all__ = ["rejected"]

MARGIN = 4  # cells around the cube
WIDEST = 1 << 20  # cells along an axis
MIN_COMPARED = 3  # values in the cells around: with fewer, the resampler rejects none
MAX_TURN = 5.0  # degrees from a quarter turn up to which slices lie along an axis of the cube
DATA, FLAGS, RA, DEC, WAVELENGTH, STAT, WEIGHT = range(7)  # columns of the rows of a cell
Cell = tuple[int, int, int]  # x, y, z


def rejected(source: Tables, reach: Reach, index: NDArray[np.int64]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Make the resampler's cosmic-ray test again for some voxels.

    Parameters
    ----------
    source, reach
        The pixel tables of the cube, and what they reach.
    index
        Voxels (z * ny + y) * nx + x that good rows overlap, shape (n,).

    Returns
    -------
    rejected, spoiled : numpy.ndarray of bool, shape (n,)
        All good rows that overlap the voxel fail the test; a value in the test was not finite.
    """
    grid, how = source.placement.grid, source.placement.resampling
    _, ny, nx = grid.shape
    answer, spoiled = np.zeros((2, len(index)), bool)
    if how.crsigma <= 0:
        return answer, spoiled
    z, rest = np.divmod(index, ny * nx)
    y, x = np.divmod(rest, nx)
    near = _neighbourhood(np.stack([x, y, z], axis=1))
    cells = _rows_of_cells(source, reach, near)
    direction = _direction(source.placement.posang)
    limits: dict[Cell, float] = {}
    for number, (i, j, k) in enumerate(zip(x.tolist(), y.tolist(), z.tolist(), strict=True)):
        reached = lost = 0
        for cell in _around(i, j, k, None):
            rows = cells.get(cell)
            if rows is None:
                continue
            good = (rows[:, FLAGS] == 0) & (rows[:, WEIGHT] > 0) & _overlaps(source, rows, i, j, k)
            if not good.any():
                continue
            if how.crtype == "others":  # its test needs every exposure; what else would take good rows is ruled out
                reached, lost = reached + int(good.sum()), lost + int(good.sum())
                continue
            if cell not in limits:
                limits[cell] = _limit(cells, cell, direction, how.crtype, how.crsigma)
            reached += int(good.sum())
            lost += int((rows[good, DATA] > limits[cell]).sum())
            spoiled[number] |= bool(np.isnan(limits[cell]))
        answer[number] = reached > 0 and lost == reached
    return answer, spoiled


def _neighbourhood(voxels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Keys of all cells within two of the voxels: their rows, and those their tests compare with."""
    steps = np.arange(-2, 3)
    around = voxels[:, None, :] + np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(1, -1, 3)
    return np.unique(_key(around.reshape(-1, 3)))


def _key(cells: NDArray[np.integer]) -> NDArray[np.int64]:
    """One number for each cell (x, y, z), those just outside the cube too."""
    x, y, z = (cells.astype(np.int64) + MARGIN).T
    return np.asarray((z * WIDEST + y) * WIDEST + x)


def _rows_of_cells(source: Tables, reach: Reach, wanted: NDArray[np.int64]) -> dict[Cell, NDArray[np.float64]]:
    """Rows of the cells in question, by cell; columns DATA to WEIGHT, RA and DEC [deg] less those of the grid."""
    low, high = int(wanted[0] // WIDEST**2) - MARGIN, int(wanted[-1] // WIDEST**2) - MARGIN
    found, keys = [], []
    for table, start, stop, lowest, highest in reach.chunks:
        if highest < low - 1 or lowest > high + 1:
            continue
        rows = source.place(table, start, stop)
        key = _key(rows.cell)
        place = np.minimum(np.searchsorted(wanted, key), len(wanted) - 1)
        use = np.flatnonzero((wanted[place] == key) & source.loaded(rows))
        if not len(use):
            continue
        opened = source.tables[table]
        if not source.placement.resampling.spreads:
            use = use[source.finite(table, start, stop)[use]]
        data, dq, stat = (opened.read(name, start, stop)[use] for name in ("data", "dq", "stat"))
        weight = opened.read("weight", start, stop)[use] if "weight" in opened.columns else np.ones(len(use))
        columns = (data, dq, rows.a[use], rows.b[use], rows.wavelength[use], stat, weight)
        found.append(np.stack([column.astype(np.float64) for column in columns], axis=1))
        keys.append(key[use])
    if not found:
        return {}
    every, key = np.concatenate(found), np.concatenate(keys)
    order = np.argsort(key, kind="stable")
    unique, begin = np.unique(key[order], return_index=True)
    parts = np.split(every[order], begin[1:])
    cells = np.stack([unique % WIDEST, unique // WIDEST % WIDEST, unique // WIDEST**2], axis=1) - MARGIN
    return {(x, y, z): part for (x, y, z), part in zip(cells.tolist(), parts, strict=True)}


def _overlaps(source: Tables, rows: NDArray[np.float64], i: int, j: int, k: int) -> NDArray[np.bool_]:
    """True for rows whose drops overlap the voxel (i, j, k)."""
    grid = source.placement.grid
    ra, dec, wavelength = rows[:, RA] + grid.ra0, rows[:, DEC] + grid.dec0, rows[:, WAVELENGTH]
    centre = (k + 1 - grid.crpix3) * grid.cd33 + grid.crval3
    inside = np.abs(grid.ra[j, i] - ra) * grid.cosdec[j, i] < 0.5 * (grid.drop_x + grid.size_x)
    inside &= np.abs(grid.dec[j, i] - dec) < 0.5 * (grid.drop_y + grid.size_y)
    inside &= np.abs(centre - wavelength) < 0.5 * (grid.drop_z + grid.size_z)
    return np.asarray(inside)


def _direction(posang: float) -> str | None:
    """Axis along which the slices lie next to each other, as the recipe takes it from the first exposure."""
    if min(abs(posang), abs(posang - 180), abs(posang - 360)) < MAX_TURN:
        return "y"
    return "x" if min(abs(posang - 90), abs(posang - 270)) < MAX_TURN else None


def _around(i: int, j: int, k: int, direction: str | None) -> list[Cell]:
    """Cells that are compared: all 27, or only the cell itself and those in other slices."""
    cells = [(i + a, j + b, k + c) for a in (-1, 0, 1) for b in (-1, 0, 1) for c in (-1, 0, 1)]
    if direction is None:
        return cells
    axis = 1 if direction == "y" else 0
    own = (i, j, k)
    return [cell for cell in cells if cell[axis] != own[axis] or cell == own]


def _limit(cells: dict[Cell, NDArray[np.float64]], cell: Cell, direction: str | None, kind: str, sigma: float) -> float:
    """Value above which a row of a cell is a cosmic ray: infinite with fewer than three to compare, NaN when one is."""
    rows = np.concatenate([cells[near] for near in _around(*cell, direction) if near in cells])
    usable = (rows[:, FLAGS] == 0) | (rows[:, FLAGS] == DQ.COSMICRAY)
    data, stat = rows[usable, DATA], rows[usable, STAT]
    if len(data) < MIN_COMPARED:
        return np.inf
    if not np.isfinite(data).all():
        return np.nan
    if kind == "iraf":
        return float(data.mean() + sigma * np.sqrt(stat.sum()) / len(data))
    if kind == "mean":
        return float(data.mean() + sigma * data.std(ddof=1))
    level = float(np.median(data))
    return level + sigma * float(np.median(np.abs(data - level)))  # the recipe's: the deviation is no sigma
