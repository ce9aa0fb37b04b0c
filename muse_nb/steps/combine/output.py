"""What both engines write: the cube on its grid, and the images beside it."""

from __future__ import annotations

from dataclasses import replace

from muse_nb.core.errors import MuseError
from muse_nb.resample.cube_header import primary
from muse_nb.resample.cube_writer import CubeWriter, Images, write_image
from muse_nb.resample.grid import CubeGrid, drop_size, lay_out
from muse_nb.resample.inputs import Inputs
from muse_nb.resample.slices import slices_table
from muse_nb.steps.combine.job import Job

__all__ = ["grid_of", "open_cube", "write_images"]


def grid_of(job: Job, inputs: Inputs) -> CubeGrid:
    """Take the grid that is given, or lay out the recipes', and refer the exposures to it.

    Raises
    ------
    MuseError
        No exposure reaches into the grid that is given.
    """
    if job.grid is None:
        return lay_out(inputs.exposures)
    grid = replace(job.grid, drop=drop_size(inputs.exposures[0].table.header))
    inputs.refer_to(*grid.crval[:2])
    return grid


def open_cube(job: Job, inputs: Inputs, grid: CubeGrid) -> CubeWriter:
    """Open the cube's file.

    Raises
    ------
    MuseError
        The cube is there already, cannot be written, or a table does not say the unit of its data.
    """
    first = job.tables[0]
    data, stat = (first.columns[name].unit for name in ("data", "stat"))
    for name, unit in (("data", data), ("stat", stat)):
        if not unit:
            raise MuseError(f"{first.path}: BUNIT of {name} is missing: reduce the exposure again")
    recipe: dict[str, object] = {
        "inputs": [e.fingerprint() for e in inputs.exposures],
        "grid": [*grid.shape, *grid.crval, *grid.crpix],
        "parameters": job.parameters,
    }
    more, tail = job.resampling.extensions, b""
    if more:
        recipe["extensions"] = list(more)
    if "DQ" in more:
        tail = slices_table(inputs, grid, job.resampling)
    cards = primary(inputs.exposures, job.output.name, "DATACUBE_FINAL", job.parameters, job.calibrations)
    target = str(first.header.get("OBJECT") or "")
    force = job.settings.force
    return CubeWriter(job.output, cards, grid, (data, stat), target, recipe, more=more, tail=tail, force=force)


def write_images(job: Job, inputs: Inputs, grid: CubeGrid, images: Images) -> None:
    """Write the images beside the cube.

    Raises
    ------
    MuseError
        One is there already, or cannot be written.
    """
    unit = job.tables[0].columns["data"].unit
    for number, (name, path) in enumerate(job.images.items()):
        cards = primary(inputs.exposures, path.name, "IMAGE_FOV", job.parameters, job.calibrations, name)
        through = (name, images.fraction(number))
        write_image(path, cards, grid, through, unit, images.image(number), force=job.settings.force)
