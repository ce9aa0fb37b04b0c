"""Regions on the sky as spaxels, each with the fraction of it that lies inside."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from muse_nb.core.errors import MuseError
from muse_nb.products.cube_file import CubeFile

if TYPE_CHECKING:
    from regions import Region

__all__ = ["Aperture", "circle", "read_region", "ring", "spaxel"]


@dataclass(frozen=True)
class Aperture:
    """Spaxels of a region.

    Attributes
    ----------
    rows, columns : slice
        Box of spaxels that holds all of it that lies in the cube.
    fraction : numpy.ndarray
        Share of each spaxel of the box that lies inside, shape (rows, columns), 0 to 1.
    area : float
        Of the region [spaxel], with what of it lies off the cube.
    ra, dec : float
        Its centre [deg].
    """

    rows: slice
    columns: slice
    fraction: NDArray[np.float64]
    area: float
    ra: float
    dec: float

    @classmethod
    def of(cls, region: Region, cube: CubeFile) -> Aperture:
        """Lay a region of the package ``regions``, in sky or pixel coordinates, on a cube.

        Raises
        ------
        MuseError
            The region has no area, or none of it lies on the cube.
        """
        wcs = cube.celestial
        pixel: Any = region.to_pixel(wcs) if hasattr(region, "to_pixel") else region
        whole, (y, x) = _fractions(pixel, region)
        _, ny, nx = cube.shape
        y0, y1 = max(y, 0), min(y + whole.shape[0], ny)
        x0, x1 = max(x, 0), min(x + whole.shape[1], nx)
        inside = whole[max(y0 - y, 0) : max(y1 - y, 0), max(x0 - x, 0) : max(x1 - x, 0)]
        if y1 <= y0 or x1 <= x0 or not inside.any():
            raise MuseError(f"the region lies off {cube.path}: check its coordinates")
        centre = pixel.vertices if hasattr(pixel, "vertices") else pixel.center
        ra, dec = wcs.pixel_to_world_values(np.mean(centre.x), np.mean(centre.y))
        return cls(slice(y0, y1), slice(x0, x1), inside, float(whole.sum()), float(ra), float(dec))


def _fractions(pixel: Any, region: Region) -> tuple[NDArray[np.float64], tuple[int, int]]:
    """Share of each spaxel inside a pixel region, and the row and column of the first."""
    try:
        outer, *inner = _parts(pixel)
        mask = outer.to_mask(mode="exact")
    except (NotImplementedError, ValueError, AttributeError) as error:
        raise MuseError(f"a {type(region).__name__} has no area to sum over: draw a circle or a polygon") from error
    share, y, x = np.array(mask.data, float), int(mask.bbox.iymin), int(mask.bbox.ixmin)
    for hole in inner:
        taken = hole.to_mask(mode="exact")
        rows, columns = taken.bbox.iymin - y, taken.bbox.ixmin - x
        ny, nx = taken.data.shape
        share[rows : rows + ny, columns : columns + nx] -= taken.data
    return np.clip(share, 0, 1), (y, x)


def _parts(pixel: Any) -> list[Any]:
    """Split an annulus into its outer and its inner shape; everything else is one."""
    import regions as shapes

    if isinstance(pixel, shapes.CircleAnnulusPixelRegion):
        return [shapes.CirclePixelRegion(pixel.center, radius) for radius in (pixel.outer_radius, pixel.inner_radius)]
    for kind, part in (
        (shapes.EllipseAnnulusPixelRegion, shapes.EllipsePixelRegion),
        (shapes.RectangleAnnulusPixelRegion, shapes.RectanglePixelRegion),
    ):
        if isinstance(pixel, kind):
            sizes = ((pixel.outer_width, pixel.outer_height), (pixel.inner_width, pixel.inner_height))
            return [part(pixel.center, width, height, pixel.angle) for width, height in sizes]
    return [pixel]


def circle(ra: float, dec: float, radius: float) -> Region:
    """Circle on the sky: centre [deg] and radius [arcsec]."""
    import astropy.units as u
    from astropy.coordinates import SkyCoord
    from regions import CircleSkyRegion

    if not radius > 0:
        raise MuseError(f"a circle of {radius:g} arcsec holds nothing: give a radius above 0")
    return CircleSkyRegion(_sky(ra, dec, SkyCoord), radius * u.arcsec)


def ring(ra: float, dec: float, inner: float, outer: float) -> Region:
    """Ring on the sky: centre [deg], inner and outer radius [arcsec]."""
    import astropy.units as u
    from astropy.coordinates import SkyCoord
    from regions import CircleAnnulusSkyRegion

    if not 0 < inner < outer:
        raise MuseError(f"a ring from {inner:g} to {outer:g} arcsec holds nothing: give 0 < inner < outer")
    return CircleAnnulusSkyRegion(_sky(ra, dec, SkyCoord), inner * u.arcsec, outer * u.arcsec)


def spaxel(x: int, y: int) -> Region:
    """One spaxel, its x and y counted from 1 as in FITS."""
    from regions import PixCoord, RectanglePixelRegion

    return RectanglePixelRegion(PixCoord(x - 1, y - 1), 1, 1)


def read_region(path: str | Path) -> Region:
    """Read the region of a file: ds9's, CRTF or FITS.

    Raises
    ------
    MuseError
        The file cannot be read, or does not hold one region.
    """
    from regions import Regions

    try:
        found = Regions.read(str(path))
    except Exception as error:  # readers of text raise anything
        raise MuseError(
            f"{path} cannot be read as regions ({error}): save them as ds9 or astropy's regions do"
        ) from error
    if len(found) != 1:
        raise MuseError(f"{path} holds {len(found)} regions: give a file with one")
    return found[0]


def _sky(ra: float, dec: float, sky_coord: Any) -> Any:
    if not -90 <= dec <= 90:
        raise MuseError(f"a declination of {dec:g} degrees is none: give RA and DEC in degrees")
    return sky_coord(ra, dec, unit="deg")
