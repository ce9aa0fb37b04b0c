"""Where the stars are: as a list has them, as the cube's own light shows them, or both."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from muse_nb.core.errors import MuseError
from muse_nb.core.robust import mad_sigma
from muse_nb.products.cube_file import CubeFile
from muse_nb.products.header import number_of
from muse_nb.steps.offsets.absolute import common_shift
from muse_nb.steps.offsets.starfit.geometry import Plane, to_tangent
from muse_nb.steps.offsets.starfit.known import at_epoch, read_catalogue
from muse_nb.steps.stars.fit.field import Field
from muse_nb.steps.stars.fit.shape import Stars

if TYPE_CHECKING:
    from astropy.table import Table

__all__ = ["Listed", "Placed", "field_plane", "listed", "placed"]

Array = NDArray[np.float64]
NAMES = ("id", "source_id", "source", "gaia", "name", "star", "number")  # columns that say which star it is
PICKED = {"star", "exposure", "dropped"}  # columns of picks.ecsv
MARGIN = 2.0  # arcsec about the field in which listed stars matter
BRIGHT = 150  # of the cube's stars, that tell how a list is off
TOLD = 4  # of a list's stars in the field: more, and the cube's must be among them
SAME = 0.5  # FWHM between a listed star and the light that is it
NEAR = 1.3  # FWHM between listed stars whose light cannot be told apart by its peak
CLEAR = 1.6  # FWHM from listed stars, of others: nearer ones are looked for when the list has been fitted
SURE = 0.1  # pixel: error of a place measured that is better than a list's
PICK = 0.6  # arcsec that a click may be off
LINEAR = 15  # pairs that tell turn and scale as well


@dataclass(frozen=True)
class Listed:
    """Stars of a list: names, ra and dec [deg], shape (n,); whether they were picked on this field."""

    what: str
    name: list[str]
    ra: Array
    dec: Array
    picked: bool


@dataclass(frozen=True)
class Placed:
    """Stars to be fitted.

    Attributes
    ----------
    stars : Stars
        All of them.
    asked : ndarray of int
        Of those, the stars that were asked for; others are fitted along.
    name : list of str
        What these are called.
    notes : list of str
    """

    stars: Stars
    asked: NDArray[np.intp]
    name: list[str]
    notes: list[str]


def field_plane(cube: CubeFile) -> tuple[Plane, tuple[float, float]]:
    """The cube's pixels on a tangent plane [arcsec], and the ra and dec where that touches [deg]."""
    _, ny, nx = cube.shape
    ra, dec = cube.celestial.pixel_to_world_values((nx - 1) / 2, (ny - 1) / 2)
    origin = float(ra), float(dec)
    return Plane.of(cube.celestial, (ny, nx), origin), origin


def listed(stars: Table | str | Path | Any, cube: CubeFile) -> Listed:
    """Read picks, a catalogue, or a table of either.

    Raises
    ------
    MuseError
        It cannot be read, lacks ra and dec, or none of its stars lies in the field.
    """
    what = str(stars) if isinstance(stars, str | Path) else "the list of stars"
    table = read_catalogue(stars, what)
    columns = {name.lower(): name for name in table.colnames}
    picked = set(columns) >= PICKED
    if picked:
        keep = [not bool(row["dropped"]) and str(row["exposure"]) in ("", "--") for row in table]
        table = table[np.array(keep, bool)]
    mjd = number_of(cube.primary.get("MJD-OBS") or cube.header.get("MJD-OBS"))
    ra, dec, rows = at_epoch(table, 57388.0 if mjd is None else mjd, what)  # else Gaia DR3's epoch
    column = next((columns[name] for name in NAMES if name in columns), None)
    every = [str(k + 1) for k in range(len(table))] if column is None else [str(value) for value in table[column]]
    name = [text for text, there in zip(every, rows, strict=True) if there]
    plane, origin = field_plane(cube)
    inside = _inside(plane.pixel(to_tangent(ra, dec, origin)), cube, MARGIN / plane.scale)
    if not inside.any():
        raise MuseError(
            f"none of the {len(ra)} stars of {what} lies in the field of {cube.path} (about RA {origin[0]:.4f}, Dec"
            f" {origin[1]:.4f}): is it a list of this field, in degrees?"
        )
    return Listed(
        what, [text for text, there in zip(name, inside, strict=True) if there], ra[inside], dec[inside], picked
    )


def _inside(pixel: Array, cube: CubeFile, margin: float) -> NDArray[np.bool_]:
    _, ny, nx = cube.shape
    with np.errstate(invalid="ignore"):
        return np.asarray(
            (pixel[:, 0] > -margin) & (pixel[:, 0] < nx - 1 + margin)
            & (pixel[:, 1] > -margin) & (pixel[:, 1] < ny - 1 + margin)
        )  # fmt: skip


def placed(field: Field | None, given: Listed | None, cube: CubeFile, width: float) -> Placed:
    """Bring a list and the cube's own stars together.

    Parameters
    ----------
    field
        Stars of the white light; None where it shows none.
    given
        A list; without one all stars of the white light are asked for.
    cube
        The cube.
    width
        FWHM of its stars [pixel].

    Raises
    ------
    MuseError
        There is no star, or a list is not of this field.
    """
    if given is None:
        return _own(field, cube)
    plane, origin = field_plane(cube)
    pixel = plane.pixel(to_tangent(given.ra, given.dec, origin))
    notes: list[str] = []
    own = np.zeros((0, 2)) if field is None else np.c_[field.stars.x, field.stars.y]
    if not given.picked:
        pixel = _aligned(pixel, own, field, given, plane, notes)
    from scipy.spatial import cKDTree

    x, y = pixel.T.copy()
    free = np.ones(len(own), bool)
    if len(own) and field is not None:
        alone = cKDTree(pixel).query(pixel, k=2)[0][:, 1] > NEAR * width if len(pixel) > 1 else np.ones(1, bool)
        distance, twin = cKDTree(own).query(pixel)
        reach = max(SAME * width, PICK / plane.scale) if given.picked else SAME * width
        for k in np.argsort(distance):
            j = int(twin[k])
            if distance[k] <= reach and free[j]:
                free[j] = False
                if (alone[k] and field.error[j] < SURE) or given.picked:
                    x[k], y[k] = own[j]
        free &= cKDTree(np.c_[x, y]).query(own)[0] > CLEAR * width
    keep = _inside(np.c_[x, y], cube, 0.5)
    if not keep.any():
        raise MuseError(
            f"none of the stars of {given.what} lies in the field of {cube.path}: is it a list of this field?"
        )
    others = np.flatnonzero(free)
    least = 3.5 * width if field is None else float(field.stars.reach.min())
    reach_of = np.full(keep.sum(), least)
    if field is not None and len(own):
        distance, twin = cKDTree(own).query(np.c_[x, y][keep])
        reach_of = np.where(distance < SAME * width, field.stars.reach[twin], least)
    stars = Stars(
        np.r_[x[keep], own[others, 0]],
        np.r_[y[keep], own[others, 1]],
        np.r_[reach_of, field.stars.reach[others] if field is not None else np.zeros(0)],
    )
    return Placed(stars, np.arange(int(keep.sum())), [n for n, k in zip(given.name, keep, strict=True) if k], notes)


def _own(field: Field | None, cube: CubeFile) -> Placed:
    if field is None:
        raise MuseError(
            f"no star stands out in the white light of {cube.path}: say where they are, by picks or a catalogue"
        )
    asked = np.flatnonzero(_inside(np.c_[field.stars.x, field.stars.y], cube, 0.5) & (field.fit.share > 0.3))
    if not len(asked):
        raise MuseError(f"all stars of {cube.path} lie off its edge: say where others are, by picks or a catalogue")
    order = asked[np.argsort(-field.fit.flux[asked])]
    return Placed(field.stars, order, [str(k + 1) for k in range(len(order))], [])


def _aligned(pixel: Array, own: Array, field: Field | None, given: Listed, plane: Plane, notes: list[str]) -> Array:
    """Move a list's places to where the cube's stars are: a shift, and with many pairs turn and scale."""
    from scipy.spatial import cKDTree

    many = len(pixel) >= TOLD and len(own) >= TOLD
    if field is None or not len(own):
        notes.append("the white light shows no star: the list's places were taken as they are")
        return pixel
    bright = own[np.argsort(-field.fit.flux)[:BRIGHT]]
    scale = plane.scale
    shift, error, count = common_shift(bright * scale, pixel * scale)
    if many and count < max(3, min(TOLD, len(pixel) // 20)):
        raise MuseError(
            f"{count} of the {len(pixel)} stars of {given.what} in the field agree with stars of the cube: is it a list"
            " of this field, its proper motions for the right epoch?"
        )
    if not many and count < 1:
        notes.append("no star of the cube lies where the list has one: its places were taken as they are")
        return pixel
    moved = pixel + shift / scale
    distance, twin = cKDTree(bright).query(moved)
    pair = distance < 1.5
    if pair.sum() >= LINEAR:
        design = np.c_[pixel[pair], np.ones(pair.sum())]
        use = np.ones(len(design), bool)
        for _ in range(4):
            line = np.linalg.lstsq(design[use], bright[twin[pair]][use], rcond=None)[0]
            off = np.hypot(*(bright[twin[pair]] - design @ line).T)
            use = off < max(3 * mad_sigma(off) + float(np.median(off)), 0.1)
        moved = np.c_[pixel, np.ones(len(pixel))] @ line
    notes.append(
        f"{count} stars of {given.what} were recognized; the cube's coordinates are off by"
        f" {float(np.hypot(*shift)):.2f} arcsec (+- {float(np.max(error)):.3f}), which was allowed for"
    )
    return np.asarray(moved)
