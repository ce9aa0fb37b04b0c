"""Files of what a cube viewer shows."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from muse_nb.core.errors import MuseError
from muse_nb.products.cube_file import CubeFile
from muse_nb.steps.look.headers import sky_axes
from muse_nb.steps.look.line_maps import LineMaps
from muse_nb.steps.look.region_file import write_regions
from muse_nb.steps.look.result import Band
from muse_nb.widgets.cube.looks import Picture
from muse_nb.widgets.cube.shapes import Drawn, kept

__all__ = ["free_name", "part_of", "save_image", "save_maps", "save_regions"]


ENDINGS = {"image": ".fits", "maps": ".fits", "spectrum": ".fits", "table": ".ecsv", "regions": ".reg"}


def part_of(what: str, shown: str, line: str, region: int) -> str:
    """Say in a file's name what it holds.

    Raises
    ------
    MuseError
        That cannot be saved.
    """
    if what not in ENDINGS:
        raise MuseError(f"{what!r} cannot be saved: one of {', '.join(ENDINGS)} can")
    return {"image": shown, "maps": line, "regions": "regions"}.get(what, f"spectrum_{region}")


def free_name(folder: Path, cube: Path, what: str, part: str) -> Path:
    """Name in a folder that is not there yet: a number behind it where it is."""
    name = f"{cube.name.removesuffix('.gz').removesuffix('.fits')}_{part}"
    safe = "".join(letter if letter.isalnum() or letter in "-_.+" else "_" for letter in name).strip("._") or "cube"
    path, number = folder / f"{safe}{ENDINGS[what]}", 1
    while path.exists():
        number += 1
        path = folder / f"{safe}_{number}{ENDINGS[what]}"
    return path


def save_image(cube: CubeFile, picture: Picture, path: Path, force: bool) -> Path:
    """Write an image with its error and its WCS as FITS.

    Raises
    ------
    MuseError
        It is not of all planes yet, or cannot be written.
    """
    if not picture.exact:
        raise MuseError("white light is still of a sample of the planes: wait a moment, then save it")
    error = None if picture.error is None else np.asarray(picture.error, float)
    made = Band(cube.path, np.asarray(picture.data, float), error, picture.unit, 1, sky_axes(cube))
    return made.write(path, force=force)


def save_maps(maps: LineMaps | None, path: Path, force: bool) -> Path:
    """Write the maps of a line.

    Raises
    ------
    MuseError
        There are none, or they cannot be written.
    """
    if maps is None:
        raise MuseError("there are no maps of a line: make them first")
    return maps.write(path, force=force)


def save_regions(cube: CubeFile, shapes: Iterable[Drawn], path: Path, force: bool) -> Path:
    """Write regions as ds9 has them."""
    return write_regions(path, [kept(shape, cube) for shape in shapes], force=force)
