"""The folder with the masters as `muse_nb.reduce` takes it: static calibrations, and what serves which exposure."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from muse_nb.core.atomic import atomic_write
from muse_nb.products.fits.blocks import hdus
from muse_nb.products.header import exposure
from muse_nb.recipes.calibrations import INDEX, masters_like
from muse_nb.steps.calibrate.associate.rows import RawFile
from muse_nb.steps.calibrate.associate.rules import STATIC
from muse_nb.steps.calibrate.making.jobs import Work
from muse_nb.steps.calibrate.making.record import Digests, Record
from muse_nb.steps.calibrate.tasks import Plan, Task

__all__ = ["copy_statics", "used_names", "write_index"]

_COPIED = (*STATIC, "GEOMETRY_TABLE", "ASTROMETRY_WCS", "SKY_LINES", "STD_RESPONSE", "STD_TELLURIC", "TWILIGHT_CUBE")


def copy_statics(
    files: Iterable[RawFile], folder: Path, output: Path, digests: Digests, used: Iterable[str]
) -> dict[str, str]:
    """Copy the calibrations at hand that something takes, so that the folder is whole; return name to copy's name.

    Parameters
    ----------
    files
        All that was planned with.
    folder
        That their names are relative to.
    output
        Where the copies go, under the tag's name; where there are several of a tag, the others under their own.
    digests
        What is there already and the same is left alone.
    used
        Names that the plan gives to tasks.

    Raises
    ------
    MuseError
        A file cannot be read or written.
    """
    wanted, taken, copied = set(used), set[str](), dict[str, str]()
    for file in files:
        if file.name not in wanted or file.tag not in _COPIED:
            continue
        source = folder / file.name
        ending = ".fits.fz" if source.name.endswith(".fz") else ".fits"
        name = f"{file.tag}{ending}" if file.tag not in taken else source.name
        taken.add(file.tag)
        place = output / name
        if not place.exists() or digests.of(place) != digests.of(source):
            with atomic_write(place, force=True, inputs=[source]) as part:
                shutil.copyfile(source, part)
        copied[file.name] = name
    return copied


def write_index(
    plan: Plan,
    folder: Path,
    output: Path,
    work: Work,
    records: Mapping[str, Record],
    copied: Mapping[str, str],
) -> list[str]:
    """Write which files serve which science exposure, by its label; return what one lacks, a sentence each.

    Parameters
    ----------
    plan
        All tasks, those of the science too.
    folder, output
        That names are relative to; where masters and index are.
    work, records
        The jobs, and what those that are done made.
    copied
        As of `copy_statics`.
    """
    tasks = {task.id: task for task in plan.tasks}
    told: dict[str, dict[str, list[str]]] = {}
    said = []
    for task in plan.tasks:
        if task.recipe != "muse_scipost":
            continue
        basic = tasks[task.inputs[0]]
        raw = folder / basic.inputs[0]
        label = exposure(hdus(raw)[0].cards, raw).label
        told[label], lacking = {}, []
        for tag, name in {**task.calibrations, **basic.calibrations}.items():
            found = _files_of(tag, name, folder, output, work, records, copied)
            if found:
                told[label][tag] = found
            else:
                lacking.append(f"{tag} ({name})")
        if lacking:
            said.append(f"{label}: {', '.join(lacking)} could not be made")
    with atomic_write(output / INDEX, force=True) as part:
        part.write_text(json.dumps({"exposures": told}, indent=1) + "\n")
    return said


def _files_of(
    tag: str,
    name: str,
    folder: Path,
    output: Path,
    work: Work,
    records: Mapping[str, Record],
    copied: Mapping[str, str],
) -> list[str]:
    """Names of files as seen from the output folder."""
    jobs = work.of_task(name)
    if jobs:
        return [file for job in jobs if job.id in records for file in records[job.id].of_tag(tag)]
    if name in copied:
        return [copied[name]]
    path = folder / name
    if not path.is_file():
        return []
    masters = masters_like(path, tag)
    return [str(other.absolute()) for other in dict.fromkeys(masters.values())] or [str(path.absolute())]


def used_names(tasks: Iterable[Task]) -> set[str]:
    """Files and tasks that serve something."""
    return {name for task in tasks for name in task.calibrations.values()}
