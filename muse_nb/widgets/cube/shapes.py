"""Regions as the browser draws them, and as the package ``regions`` has them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from muse_nb.core.errors import MuseError
from muse_nb.products.cube_file import CubeFile
from muse_nb.steps.look.aperture import Aperture
from muse_nb.steps.look.region_file import KeptRegion
from muse_nb.steps.look.sums import HOWS

if TYPE_CHECKING:
    from regions import PixelRegion

__all__ = ["COLOURS", "KINDS", "Drawn", "drawn", "kept", "pixel_region"]

KINDS = ("circle", "ellipse", "rectangle", "annulus", "polygon")
COLOURS = ("#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7")  # Okabe and Ito's
Drawn = dict[str, Any]
"""kind; x, y: centre [spaxel, from 0]; a, b: half axes, of an annulus inner and outer radius; angle [deg, from x to y];
points: of a polygon; id, name, colour, how, ring: radii [arcsec] of the background, or none."""


def pixel_region(shape: Drawn) -> PixelRegion:
    """Make the region, in pixels from 0.

    Raises
    ------
    MuseError
        It is none.
    """
    import astropy.units as u
    import regions

    try:
        kind, points = shape["kind"], [(float(x), float(y)) for x, y in shape.get("points") or []]
        x, y, a, b, turn = (float(shape.get(name) or 0) for name in ("x", "y", "a", "b", "angle"))
        if not all(map(math.isfinite, (x, y, a, b, turn))):
            raise ValueError("not finite")
        centre, angle = regions.PixCoord(x, y), turn * u.deg
        if kind == "circle":
            return regions.CirclePixelRegion(centre, a)
        if kind == "ellipse":
            return regions.EllipsePixelRegion(centre, 2 * a, 2 * b, angle)
        if kind == "rectangle":
            return regions.RectanglePixelRegion(centre, 2 * a, 2 * b, angle)
        if kind == "annulus":
            return regions.CircleAnnulusPixelRegion(centre, a, b)
        if kind == "polygon" and len(points) > 2:
            return regions.PolygonPixelRegion(regions.PixCoord(*map(list, zip(*points, strict=True))))
    except (KeyError, TypeError, ValueError) as error:
        raise MuseError(f"a region cannot be understood ({error}): give kind, x, y and its sizes") from error
    raise MuseError(f"{shape.get('kind')!r} is no region that is known here: {', '.join(KINDS)}")


def kept(shape: Drawn, cube: CubeFile) -> KeptRegion:
    """Make a drawn region one of the sky, as the file beside the cube holds it."""
    ring = [float(radius) for radius in shape.get("ring") or ()]
    background = (ring[0], ring[1]) if len(ring) == 2 and 0 < ring[0] < ring[1] else None
    how, colour = str(shape.get("how", "sum")), str(shape.get("colour", COLOURS[0]))
    return KeptRegion(
        pixel_region(shape).to_sky(cube.wcs.celestial),
        str(shape.get("name", "")),
        colour if len(colour) == 7 and colour.startswith("#") else COLOURS[0],
        how if how in (*HOWS, "psf") else "sum",
        background,
    )


def drawn(region: KeptRegion, number: int, cube: CubeFile) -> Drawn | None:
    """Make a kept region one to draw; None where it lies off the cube, or is of a kind that is not drawn."""
    sky: Any = region.region
    pixel: Any = sky.to_pixel(cube.wcs.celestial) if hasattr(sky, "to_pixel") else sky
    kind = (
        type(pixel).__name__.replace("PixelRegion", "").replace("Circle", "circle").replace("circleAnnulus", "annulus")
    )
    kind = kind.lower()
    if kind not in KINDS:
        return None
    try:
        Aperture.of(pixel, cube)
    except MuseError:
        return None
    shape: Drawn = {"id": number, "kind": kind, "angle": 0.0, "points": []}
    if kind == "polygon":
        points = [[float(x), float(y)] for x, y in zip(pixel.vertices.x, pixel.vertices.y, strict=True)]
        middle = [sum(values) / len(points) for values in zip(*points, strict=True)]
        shape |= {"x": middle[0], "y": middle[1], "a": 0.0, "b": 0.0, "points": points}
    else:
        sizes = {
            "circle": lambda: (pixel.radius, pixel.radius),
            "annulus": lambda: (pixel.inner_radius, pixel.outer_radius),
        }.get(kind, lambda: (pixel.width / 2, pixel.height / 2))()
        shape |= {"x": float(pixel.center.x), "y": float(pixel.center.y), "a": float(sizes[0]), "b": float(sizes[1])}
        if hasattr(pixel, "angle"):
            shape["angle"] = float(pixel.angle.to_value("deg"))
    ring = [] if region.background is None else list(region.background)
    return shape | {"name": region.name, "colour": region.colour, "how": region.how, "ring": ring}
