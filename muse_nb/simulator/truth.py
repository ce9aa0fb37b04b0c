"""The truth beside the data: what a measurement should find."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from muse_nb.core.atomic import atomic_write
from muse_nb.simulator.headers import label
from muse_nb.simulator.layouts import Layout
from muse_nb.simulator.plan import Pointing, offset_from

if TYPE_CHECKING:
    from astropy.table import Table

__all__ = ["exposure_table", "offset_table", "same_night", "write_truth"]


def offset_table(pointings: list[Pointing]) -> Table:
    """True offsets relative to the first exposure.

    RA_OFFSET and DEC_OFFSET are in degrees and in the sign of an OFFSET_LIST, header minus true, RA_OFFSET without
    cos(Dec); east and north are the same offsets on the sky in arcsec.
    """
    from astropy.table import Table

    offsets = np.array([offset_from(pointings[0], other) for other in pointings])
    cosine = np.cos(np.radians([p.dec for p in pointings]))
    table = Table(
        {
            "DATE_OBS": [p.date_obs for p in pointings],
            "MJD_OBS": [p.mjd for p in pointings],
            "RA_OFFSET": offsets[:, 0] / 3600 / cosine,
            "DEC_OFFSET": offsets[:, 1] / 3600,
            "east": offsets[:, 0],
            "north": offsets[:, 1],
            "posang": [p.posang for p in pointings],
        }
    )
    table["RA_OFFSET"].unit = table["DEC_OFFSET"].unit = table["posang"].unit = "deg"
    table["east"].unit = table["north"].unit = "arcsec"
    table["MJD_OBS"].unit = "d"
    return table


def exposure_table(pointings: list[Pointing], layout: Layout, seed: int) -> Table:
    """One row for each exposure; the table's meta names the night."""
    from astropy.table import Table

    columns = ("date_obs", "posang", "seeing", "transparency", "sky", "lines", "airmass", "parang", "exptime")
    table = Table({name: [getattr(p, name) for p in pointings] for name in columns})
    table.add_column([label(p.date_obs) for p in pointings], name="label", index=0)
    for name in ("ra", "dec", "true_ra", "true_dec"):
        table[name] = [float(getattr(p, name)) for p in pointings]
        table[name].unit = "deg"
    table["seeing"].unit = "arcsec"
    table["posang"].unit = table["parang"].unit = "deg"
    table["exptime"].unit = "s"
    for name, unit in (("rotator", "deg"), ("drift", "Angstrom")):
        if any(getattr(p, name) for p in pointings):
            table[name] = [float(getattr(p, name)) for p in pointings]
            table[name].unit = unit
    table.meta = {"layout": layout.name, "seed": seed, "ifus": list(layout.ifus)}
    return table


def same_night(folder: Path, wanted: Table) -> bool:
    """Whether `folder` is empty or holds the night of `wanted`, more or fewer of its exposures."""
    from astropy.table import Table

    path = folder / "truth" / "exposures.ecsv"
    if not path.exists():
        return True
    try:
        there = Table.read(path, format="ascii.ecsv")
    except Exception:  # whatever a damaged text file makes the reader raise
        return False
    n = min(len(there), len(wanted))
    return (
        there.meta == wanted.meta
        and there.colnames == wanted.colnames
        and all(
            list(there[name][:n]) == list(wanted[name][:n])
            for name in ("label", "exptime", "true_ra", "rotator")
            if name in wanted.colnames
        )
    )


def write_truth(folder: Path, tables: dict[str, Table], *, force: bool = False) -> int:
    """Write the tables as ECSV where they are not there or shorter; return how many were written."""
    from astropy.table import Table

    written = 0
    for name, table in tables.items():
        path = folder / f"{name}.ecsv"
        if not force and path.exists() and len(Table.read(path, format="ascii.ecsv")) >= len(table):
            continue
        with atomic_write(path, force=True) as part:
            table.write(part, format="ascii.ecsv", overwrite=True)
        written += 1
    return written
