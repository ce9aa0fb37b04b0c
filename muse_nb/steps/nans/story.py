"""From a voxel to the detector pixels that reach it, in numbers and in words, and back."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from muse_nb.core.errors import MuseError
from muse_nb.kernels.nans import Rows
from muse_nb.products import dq as flags
from muse_nb.steps.nans.causes import CAUSE_OF_CODE, MEANING, Cause
from muse_nb.steps.nans.reach import Reach, Tables
from muse_nb.steps.nans.result import NanAudit

if TYPE_CHECKING:
    from astropy.table import Table

__all__ = ["pixel_voxels", "story", "voxel_pixels"]

COLUMNS = ("exposure", "ifu", "slice", "x", "y", "wavelength", "data", "dq", "flags", "weight", "file", "row")


def voxel_pixels(audit: NanAudit, x: int, y: int, z: int) -> Table:
    """List the detector pixels whose drops overlap a voxel.

    Parameters
    ----------
    audit
        Made with the pixel tables.
    x, y, z
        0-based voxel.

    Returns
    -------
    astropy.table.Table
        exposure (DATE-OBS), ifu, slice, x and y on the detector (1-based, borders trimmed, as in OBJECT_RED),
        wavelength [Angstrom], data, dq, flags (names), weight (overlap over the volume of a drop), file and row of the
        pixel table; the largest weight first.

    Raises
    ------
    MuseError
        The audit has no pixel tables, or there is no such voxel.
    """
    from astropy.table import Table

    source, reach = _tables_of(audit)
    nz, ny, nx = audit.shape
    if not (0 <= x < nx and 0 <= y < ny and 0 <= z < nz):
        raise MuseError(f"{audit.cube.path} has no voxel x {x}, y {y}, z {z}: its size is {nx} x {ny} x {nz}")
    rows: list[tuple[object, ...]] = []
    for number, start, stop in reach.runs((x, y, z)):
        placed = source.place(number, start, stop)
        weight = _weights(source, placed, np.array([x]), np.array([y]), np.array([z]))
        near = (np.abs(placed.cell - (x, y, z)) <= 1).all(axis=1) & source.loaded(placed)
        use = np.flatnonzero((weight > 0) & near)
        rows += _pixels(source, number, start, use, weight)
    table = Table(
        rows=rows or None, names=COLUMNS, dtype=(str, int, int, int, int, float, float, int, str, float, str, int)
    )
    table.sort("weight", reverse=True)
    for name, form in (("wavelength", ".2f"), ("data", ".4g"), ("weight", ".3f")):
        table[name].info.format = form
    return table


def _tables_of(audit: NanAudit) -> tuple[Tables, Reach]:
    """Pixel tables of an audit, and what they reach; refuse one that was made without."""
    if audit.source is None or audit.reach is None:
        raise MuseError(
            f"{audit.cube.path} was audited without pixel tables: give them with pixtables=... (--pixtable)"
        )
    return audit.source, audit.reach


def _weights(
    source: Tables, rows: Rows, x: NDArray[np.integer], y: NDArray[np.integer], z: NDArray[np.integer]
) -> NDArray[np.float64]:
    """Overlap of drops with voxels over the volume of a drop; rows and voxels broadcast against each other."""
    grid = source.placement.grid
    centre = (z + 1 - grid.crpix3) * grid.cd33 + grid.crval3
    ra, dec = rows.a.astype(np.float64) + grid.ra0, rows.b.astype(np.float64) + grid.dec0  # in float32: 0.3 spaxels off
    parts = (
        (np.abs(grid.ra[y, x] - ra) * grid.cosdec[y, x], grid.drop_x, grid.size_x),
        (np.abs(grid.dec[y, x] - dec), grid.drop_y, grid.size_y),
        (np.abs(centre - rows.wavelength), grid.drop_z, grid.size_z),
    )
    weight = np.ones(np.broadcast(x, rows.a).shape)
    for distance, drop, size in parts:
        weight *= np.clip(0.5 * (drop + size) - distance, 0, min(drop, size)) / drop
    return weight


def _pixels(
    source: Tables, number: int, start: int, use: NDArray[np.int64], weight: NDArray[np.float64]
) -> list[tuple[object, ...]]:
    """Rows `use` of those from `start` on as the columns of `voxel_pixels`; `weight` is of all of them."""
    if not len(use):
        return []
    table = source.tables[number]
    low, high = start + int(use[0]), start + int(use[-1]) + 1
    part = use - use[0]
    data, dq, origin, wavelength = (table.read(name, low, high)[part] for name in ("data", "dq", "origin", "lambda"))
    ifu, slice_, x, y = source.detector(number, origin, start + use)
    exposure = str(table.header.get("DATE-OBS", "")).strip()
    return [
        (
            exposure,
            int(ifu[i]),
            int(slice_[i]),
            int(x[i]),
            int(y[i]),
            float(wavelength[i]),
            float(data[i]),
            int(dq[i]),
            "+".join(flags.names(int(dq[i]))),
            float(weight[use[i]]),
            str(table.path),
            int(start + use[i]),
        )
        for i in range(len(use))
    ]


def story(audit: NanAudit, x: int, y: int, z: int) -> str:
    """Tell in words why a voxel (from 0) is NaN, or what it is made of; the words count from 1, as FITS does."""
    nz = audit.shape[0]
    value = float(audit.cube.plane(z)[y, x])
    where = f"Voxel x {x + 1}, y {y + 1}, plane {z + 1}"
    with suppress(MuseError):
        where += f" ({float(audit.cube.wavelength(z)):.2f} Angstrom)"
    cause = CAUSE_OF_CODE.get(int(audit.cause_plane(z)[y, x]))
    said = [f"{where} is {value:.4g}." if cause is None else f"{where} is NaN: {cause} - {MEANING[cause]}."]
    if cause is Cause.OUTSIDE_RANGE:
        said.append(f"This spaxel has data from plane {audit.first[y, x] + 1} to {audit.last[y, x] + 1} of {nz}.")
    if cause in (Cause.MISSING_IFU, Cause.MISSING_SLICE):
        ifu, slice_ = int(audit.empty.ifu[y, x]), int(audit.empty.slice[y, x])
        said.append(f"It is IFU {ifu}{f', slice {slice_}' if slice_ else ''} that should look there.")
    if audit.source is None:
        return " ".join(said)
    pixels = voxel_pixels(audit, x, y, z)
    said.append(f"{len(pixels)} detector pixels overlap it, {int((pixels['dq'] == 0).sum())} of them good.")
    for pixel in pixels[:3]:
        text = f"IFU {pixel['ifu']} slice {pixel['slice']}, detector pixel ({pixel['x']}, {pixel['y']})"
        text += f" of {pixel['exposure']}, {pixel['wavelength']:.2f} Angstrom, weight {pixel['weight']:.2f}"
        said.append(text + (f": flagged {pixel['flags']}." if pixel["dq"] else f": {pixel['data']:.4g}."))
    return " ".join(said)


def pixel_voxels(audit: NanAudit, ifu: int, x: int, y: int, exposure: str | None = None) -> Table:
    """List the voxels that a detector pixel feeds.

    Parameters
    ----------
    audit
        Made with the pixel tables.
    ifu, x, y
        IFU and detector pixel (1-based, as in OBJECT_RED).
    exposure
        DATE-OBS; all exposures when None.

    Returns
    -------
    astropy.table.Table
        exposure, x, y, z (0-based voxel), wavelength of its plane [Angstrom], weight, nan; empty when the pixel is
        in no slice or outside the cube.

    Raises
    ------
    MuseError
        The audit has no pixel tables.
    """
    from astropy.table import Table

    source, reach = _tables_of(audit)
    found: list[tuple[object, ...]] = []
    for number, table in enumerate(source.tables):
        date = str(table.header.get("DATE-OBS", "")).strip()
        if exposure is not None and exposure != date:
            continue
        for start, stop in [(chunk.start, chunk.stop) for chunk in reach.chunks if chunk.table == number]:
            origin = table.read("origin", start, stop)
            hits = np.flatnonzero(((origin >> 6 & 0x1F) == ifu) & ((origin >> 11 & 0x1FFF) == y))
            if len(hits):
                hits = hits[source.detector(number, origin[hits], start + hits)[2] == x]
            for hit in hits.tolist():
                found += [(date, *voxel) for voxel in _voxels_of_row(audit, source, number, start + hit)]
    names = ("exposure", "x", "y", "z", "wavelength", "weight", "nan")
    return Table(rows=found or None, names=names, dtype=(str, int, int, int, float, float, bool))


def _voxels_of_row(audit: NanAudit, source: Tables, number: int, row: int) -> list[tuple[object, ...]]:
    """Voxels that a row feeds: x, y, z, wavelength, weight, whether it is NaN."""
    placed = source.place(number, row, row + 1)
    steps = np.stack(np.meshgrid([-1, 0, 1], [-1, 0, 1], [-1, 0, 1], indexing="ij"), axis=-1).reshape(-1, 3)
    voxels = placed.cell[0] + steps
    nz, ny, nx = audit.shape
    voxels = voxels[((voxels >= 0) & (voxels < (nx, ny, nz))).all(axis=1)]
    weight = _weights(source, placed, *voxels.T)
    planes = {z: audit.cube.plane(z) for z in np.unique(voxels[weight > 0, 2]).tolist()}
    return [
        (x, y, z, float(audit.cube.wavelength(z)), float(w), bool(np.isnan(planes[z][y, x])))
        for (x, y, z), w in zip(voxels.tolist(), weight, strict=True)
        if w > 0
    ]
