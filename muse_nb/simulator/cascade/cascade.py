"""``muse_nb.simulate_cascade``: a night from which the recipes make all their masters, and a cube."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from muse_nb.core.atomic import atomic_write
from muse_nb.core.errors import MuseError
from muse_nb.core.progress import Progress, on_terminal
from muse_nb.simulator.cascade.faults import checked
from muse_nb.simulator.cascade.frames import write_frames
from muse_nb.simulator.cascade.instrument import CascadeInstrument
from muse_nb.simulator.cascade.layouts import cascade_layout
from muse_nb.simulator.cascade.result import Cascade
from muse_nb.simulator.cascade.schedule import schedule
from muse_nb.simulator.cascade.stars import field_of
from muse_nb.simulator.cascade.tables import STATIC, write_table
from muse_nb.simulator.cascade.truth import truth_tables
from muse_nb.simulator.room import check_disk
from muse_nb.simulator.truth import write_truth

if TYPE_CHECKING:
    from astropy.table import Table

__all__ = ["RECIPE_PARAMETERS", "cascade_disk", "simulate_cascade"]

RECIPE_PARAMETERS = {"muse_standard": {"profile": "circle"}}
"""What a recipe should be told about these frames: in so small a field an aperture finds more of the truth than the
smoothed Moffat fit, which is 2 % off at some wavelengths."""


def simulate_cascade(
    folder: str | Path,
    *,
    layout: str = "cascade",
    seed: int = 1,
    dark: bool = False,
    science: bool = True,
    faults: Iterable[str] = (),
    force: bool = False,
    progress: Progress | None = None,
) -> Cascade:
    """Simulate the raw calibrations of a night, a standard star and an exposure of a globular cluster.

    With nothing but the static calibrations beside them the frames make every master: three biases, three darks (on
    wish), three lamp flats, an arc of each of three lamps, three twilights, an attached flat (ILLUM), a standard star,
    an astrometric field, and the exposure. Levels, noise and times are those of a real night in June 2017, and so is
    how slices, line widths and wavelengths scatter. The same arguments give the same bytes; what is drawn for a frame
    depends on its name. Files that are there are kept; the raw frames appear together, at the end.

    Parameters
    ----------
    folder
        Where to write ``raw``, ``static`` and ``truth``.
    layout
        One of `muse_nb.simulator.cascade.layouts.CASCADE_LAYOUTS`, which tells which recipes cannot take the smaller
        ones.
    seed
        Draws the instrument, the cluster, the weather and the noise.
    dark
        Also take darks (3 of 30 minutes).
    science
        Also take the exposure of the cluster and the astrometric field.
    faults
        Names of what goes wrong without a word in any header (`muse_nb.simulator.cascade.faults.FAULTS`).
    force
        Make every file again, and replace another night.
    progress
        Told of the frames; by default a bar on stderr when that is a terminal.

    Returns
    -------
    Cascade

    Raises
    ------
    MuseError
        Unknown layout or fault, a negative seed, another night in `folder`, or not enough room on the disk.

    Examples
    --------
    >>> made = muse_nb.simulate_cascade("cascade", layout="cascade-micro", science=False)
    >>> sorted(made.raw)
    ['ARC', 'BIAS', 'FLAT', 'ILLUM', 'SKYFLAT', 'STD']
    """
    wrong = checked(faults)
    if seed < 0:
        raise MuseError(f"seed {seed} is negative: choose 0 or more")
    folder, instrument = Path(folder), CascadeInstrument(cascade_layout(layout), seed)
    everything = schedule(science=True, faults=wrong)
    fields = {frame.tag: field_of(frame, instrument) for frame in everything if frame.on_sky}
    frames = schedule(dark=dark, science=science, faults=wrong)
    asked = {"layout": layout, "seed": seed, "dark": dark, "science": science, "faults": list(wrong)}
    tables = truth_tables(instrument, frames, fields, asked)
    same = _same_night(folder, tables["frames"])
    if not same and not force:
        raise MuseError(f"{folder} holds another night: choose another folder, or replace it with --force (force=True)")
    check_disk(folder, cascade_disk(layout, len(frames)), "choose a smaller layout")
    if not same:
        _clear(folder)
    made = write_truth(folder / "truth", tables, force=force)
    static = {tag: folder / "static" / f"{tag}.fits" for tag in STATIC}
    for tag, path in static.items():
        if force or not path.exists():
            with atomic_write(path, force=True) as part:
                write_table(tag, instrument, fields, part)
            made += 1
    missing = [frame for frame in frames if force or not (folder / "raw" / frame.name).exists()]
    if missing:
        with on_terminal("frame") as bar:
            write_frames(folder / "raw", instrument, missing, fields, progress or bar)
        made += len(missing)
    raw: dict[str, list[Path]] = {}
    for frame in frames:
        raw.setdefault(frame.tag, []).append(folder / "raw" / frame.name)
    truth = {name: folder / "truth" / f"{name}.ecsv" for name in tables}
    return Cascade(folder, instrument.layout, seed, raw, static, truth, tables["frames"], made)


def cascade_disk(layout: str, frames: int = 14) -> int:
    """Bytes that so many raw frames of a layout take, and the tables beside them (good to a few per cent)."""
    size = cascade_layout(layout)
    return frames * len(size.ifus) * (int(np.prod(size.raw_shape)) * 2 + 15_000) + 3_000_000


def _same_night(folder: Path, wanted: Table) -> bool:
    """Whether `folder` holds nothing else."""
    from astropy.table import Table

    path = folder / "truth" / "frames.ecsv"
    if not path.exists():
        return not any((folder / "raw").glob("*.fits"))
    try:
        there = Table.read(path, format="ascii.ecsv")
    except Exception:  # whatever a damaged text file makes the reader raise
        return False
    return bool(
        there.meta == wanted.meta and there.colnames == wanted.colnames and list(there["file"]) == list(wanted["file"])
    )


def _clear(folder: Path) -> None:
    """Remove the frames of another night."""
    for path in (folder / "raw").glob("MUSE.*.fits"):
        path.unlink()
