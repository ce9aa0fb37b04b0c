"""Where the rows of pixel tables fall in a cube: the recipe's own formulas, in the recipe's own precision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from muse_nb.core.errors import MuseError
from muse_nb.kernels.nans import Grid, Place, Rows, place_rows
from muse_nb.products.axes.sky import SkyAxes
from muse_nb.products.header import need
from muse_nb.products.history import RecipeRun, history
from muse_nb.products.pixtable import PixelTable
from muse_nb.products.spectral_axis import SpectralAxis

__all__ = ["OURS", "Placement", "Resampling", "read_resampling"]

DEG = 180 / np.pi
PIXEL_STEP = 1.25  # Angstrom: what the recipes take a detector pixel for, whatever the cube's step
OURS = "muse_nb"  # as the recipe's ID in the header of a cube that this package made
RESAMPLERS = {"muse_scipost": 15.0, "muse_scipost_make_cube": 15.0, "muse_exp_combine": 10.0}  # default crsigma


@dataclass(frozen=True)
class Resampling:
    """How a cube was resampled, as the history in its header says.

    Attributes
    ----------
    recipe : str
        The last recipe that resampled; "" when the header names none.
    method : str
        "drizzle", "nearest", ...
    pixfrac : tuple of float
        Drop size over pixel size, in x, y and wavelength.
    crtype, crsigma
        Cosmic-ray rejection: statistics and threshold (0: off).
    lambda_range : tuple of float
        Rows outside this range [Angstrom] were not loaded.
    spreads : bool
        Data that are not finite though their dq is 0 spoil all voxels near them, as by the recipes; muse_nb leaves
        such rows out.
    """

    recipe: str = ""
    method: str = "drizzle"
    pixfrac: tuple[float, float, float] = (0.8, 0.8, 0.8)
    crtype: str = "median"
    crsigma: float = 15.0
    lambda_range: tuple[float, float] = (0.0, np.inf)
    spreads: bool = True


def read_resampling(primary: Mapping[str, Any], tables: int) -> Resampling:
    """Read how a cube was made from its primary header; the recipes' defaults where it does not say."""
    combined = tables > 1
    found = Resampling(pixfrac=(0.6, 0.6, 0.6) if combined else (0.8, 0.8, 0.8), crsigma=10.0 if combined else 15.0)
    for run in history(primary):
        if run.recipe in RESAMPLERS or run.recipe == OURS:
            found = _resampling(run)
    return found


def _resampling(run: RecipeRun) -> Resampling:
    recipe, values = run.recipe, {name: str(value).strip() for name, value in run.parameters.items()}
    combined = "combine" in recipe
    drops = [float(part) for part in values.get("pixfrac", "0.6" if combined else "0.8").split(",")]
    return Resampling(
        recipe=recipe,
        method=values.get("resample", "drizzle"),
        pixfrac=(drops[0], drops[len(drops) // 3], drops[-1]),  # one number, sky and wavelength, or three axes
        crtype=values.get("crtype", "median"),
        crsigma=float(values.get("crsigma", RESAMPLERS.get(recipe, 10.0 if combined else 15.0))),
        # muse_scipost cuts before it corrects the velocity: the table it saves is what it resampled
        lambda_range=(0.0, np.inf)
        if recipe == "muse_scipost"
        else (float(values.get("lambdamin", 0)), float(values.get("lambdamax", "inf"))),
        spreads=recipe != OURS,
    )


@dataclass(frozen=True)
class Placement:
    """A cube's grid, and the offsets with which each exposure was put on it.

    Attributes
    ----------
    grid : Grid
        Voxels and drops.
    offsets : dict
        DATE-OBS to the (RA, DEC) offset [deg] that the recipe subtracted, from the cube's header.
    resampling : Resampling
        How the cube was made.
    posang : float
        Rotator angle of the first exposure [deg]: the direction in which cosmic rays are searched.
    """

    grid: Grid
    offsets: dict[str, tuple[float, ...]]
    resampling: Resampling
    posang: float
    _wcs: dict[str, float] = field(repr=False)

    @classmethod
    def of(
        cls,
        header: Mapping[str, Any],
        primary: Mapping[str, Any],
        shape: tuple[int, int, int],
        path: str | Path,
        tables: Sequence[PixelTable],
    ) -> Placement:
        """Read the placement from the headers of a cube.

        Raises
        ------
        MuseError
            The cube is not on a tangent plane with a linear axis of wavelengths in air, in Angstrom.
        """
        try:
            sky, wave = SkyAxes.of(header, path), SpectralAxis.of(header, path)
        except MuseError as error:
            raise MuseError(f"{error}; the pixel tables cannot be placed on it: leave them out") from error
        if not sky.on_tangent_plane or wave.medium != "air" or wave.logarithmic:
            axes = ", ".join(repr(str(header.get(f"CTYPE{axis}", "")).strip()) for axis in (1, 2, 3))
            raise MuseError(
                f"{path}: CTYPE1, CTYPE2, CTYPE3 are {axes}, not RA---TAN, DEC--TAN, AWAV, so that the pixel tables"
                " cannot be placed on it: leave them out"
            )
        how = read_resampling(primary, len(tables))
        if how.method != "drizzle":
            raise MuseError(
                f"{path} was resampled with {how.method!r}: NaN are traced for drizzle only, leave the pixel tables out"
            )
        first = next((t for t in tables if t.header.get("DATE-OBS") == primary.get("DATE-OBS")), tables[0])
        posang = abs(float(primary.get("ESO INS DROT POSANG", 0.0)))
        return cls.on(header, shape, how, _offsets(primary, len(tables)), first, posang, path)

    @classmethod
    def on(
        cls,
        header: Mapping[str, Any],
        shape: tuple[int, int, int],
        how: Resampling,
        offsets: dict[str, tuple[float, ...]],
        first: PixelTable,
        posang: float,
        path: str | Path = "the grid",
    ) -> Placement:
        """Make the placement on a grid.

        Parameters
        ----------
        header
            The grid's WCS.
        shape
            (nz, ny, nx).
        how, offsets, posang
            As the attributes.
        first
            The pixel table that the size of the drops is taken from.
        path
            The file of the grid, for messages.
        """
        sky, wave = SkyAxes.of(header, path), SpectralAxis.of(header, path)
        wcs = {"CRVAL1": sky.ra, "CRVAL2": sky.dec, "CRPIX1": sky.x, "CRPIX2": sky.y}
        wcs |= {f"CD{i + 1}_{j + 1}": float(value) for (i, j), value in np.ndenumerate(sky.matrix)}
        ra, dec = _spaxel_centres(wcs, shape[1:])
        pixel = _pixel_scales(first)
        grid = Grid(
            shape=shape,
            crval3=wave.start,
            cd33=wave.step,
            crpix3=wave.reference,
            drop_x=how.pixfrac[0] * pixel[0],
            drop_y=how.pixfrac[1] * pixel[1],
            drop_z=how.pixfrac[2] * PIXEL_STEP,
            size_x=sky.scale[0] / 3600,
            size_y=sky.scale[1] / 3600,
            size_z=abs(wave.step),
            ra=ra,
            dec=dec,
            cosdec=np.cos(dec / DEG),
            ra0=wcs["CRVAL1"],
            dec0=wcs["CRVAL2"],
        )
        return cls(grid, offsets, how, posang, wcs)

    def place(self, table: PixelTable, start: int, stop: int, cut: int) -> Rows:
        """Place rows `start` to `stop` of a pixel table (PIXTABLE_REDUCED, _POSITIONED or _COMBINED).

        `cut` says at which sides the cube was cut out of a larger one: bits as of `muse_nb.kernels.nans.Place`.
        """
        if table.kind == "pix":
            raise MuseError(
                f"{table.path} has positions in pixels: give PIXTABLE_REDUCED, whose positions are on the sky"
            )
        columns = [table.read(name, start, stop) for name in ("xpos", "ypos", "lambda")]
        turn = self.offsets.get(str(table.header.get("DATE-OBS", "")).strip()[:23], (0.0, 0.0))[2:]
        if any(turn) and table.kind == "rad":  # native longitudes run from south over east
            columns[0] = columns[0] - np.radians(turn[0])
        wcs = self._wcs
        place = Place(
            table.kind == "rad",
            *self.pointing(table),
            (wcs["CRVAL1"], wcs["CRVAL2"]),
            (wcs["CRPIX1"], wcs["CRPIX2"]),
            (wcs["CD1_1"], wcs["CD1_2"], wcs["CD2_1"], wcs["CD2_2"]),
            cut,
        )
        return place_rows(self.grid, place, *(np.ascontiguousarray(column, dtype=np.float32) for column in columns))

    def pointing(self, table: PixelTable) -> tuple[float, float]:
        """RA and DEC [deg] that the positions of a table are relative to, its offset applied."""
        if table.kind == "deg":
            keys = ("CRVAL1", "CRVAL2")
            ra, dec = (float(need(table.header, key, table.path)) for key in keys)
            return ra, dec
        ra, dec = (float(need(table.header, key, table.path)) for key in ("RA", "DEC"))
        offset = self.offsets.get(str(table.header.get("DATE-OBS", "")).strip()[:23], (0.0, 0.0))
        return ra - offset[0], dec - offset[1]


def _offsets(primary: Mapping[str, Any], tables: int) -> dict[str, tuple[float, ...]]:
    """Read the offsets that were applied: DATE-OBS to (RA, DEC) [deg], and the angle of a field that was turned."""
    found: dict[str, tuple[float, ...]] = {}
    for number in range(1, 10000):
        date = primary.get(f"ESO DRS MUSE OFFSET{number} DATE-OBS")
        if date is None and number > tables:
            break
        if date is not None:
            axes = ("DRA", "DDEC", "ROTANGLE")
            moved = [float(primary.get(f"ESO DRS MUSE OFFSET{number} {axis}", 0.0)) for axis in axes]
            found[str(date).strip()[:23]] = tuple(moved if moved[2] else moved[:2])
    return found


def _pixel_scales(table: PixelTable) -> tuple[float, float]:
    """Pixel size in x and y [deg] from the CD matrix of a table, which the recipe takes its drops from."""
    cd = [float(need(table.header, f"CD{i}_{j}", table.path)) for i in (1, 2) for j in (1, 2)]
    return float(np.hypot(cd[0], cd[1])), float(np.hypot(cd[2], cd[3]))


def _spaxel_centres(
    wcs: Mapping[str, float], shape: tuple[int, ...]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """RA and DEC of the centres of all spaxels [deg]."""
    py, px = np.mgrid[1 : shape[0] + 1, 1 : shape[1] + 1].astype(np.float64)
    x = wcs["CD1_1"] * (px - wcs["CRPIX1"]) + wcs["CD1_2"] * (py - wcs["CRPIX2"])
    y = wcs["CD2_2"] * (py - wcs["CRPIX2"]) + wcs["CD2_1"] * (px - wcs["CRPIX1"])
    phi = np.arctan2(x, -y)
    with np.errstate(divide="ignore"):
        theta = np.arctan(DEG / np.hypot(x, y))
    dec = wcs["CRVAL2"] / DEG
    ra = wcs["CRVAL1"] + DEG * np.arctan2(
        np.cos(theta) * np.sin(phi), np.sin(theta) * np.cos(dec) + np.cos(theta) * np.sin(dec) * np.cos(phi)
    )
    delta = DEG * np.arcsin(np.sin(theta) * np.sin(dec) - np.cos(theta) * np.cos(dec) * np.cos(phi))
    return np.ascontiguousarray(ra), np.ascontiguousarray(delta)
