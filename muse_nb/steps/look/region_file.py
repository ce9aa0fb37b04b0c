"""Regions that are kept beside a cube, a ds9 file: each with its name, its colour and what is made of its spaxels."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from muse_nb.core.atomic import atomic_write
from muse_nb.core.errors import MuseError
from muse_nb.products.cube_file import CubeFile
from muse_nb.steps.look.result import Extraction
from muse_nb.steps.look.spectrum import extract
from muse_nb.steps.look.sums import HOWS

if TYPE_CHECKING:
    from regions import Region

__all__ = ["KeptRegion", "read_regions", "spectra", "write_regions"]

PRECISION = 12  # decimals of a degree: 1e-8 spaxels


@dataclass(frozen=True)
class KeptRegion:
    """A region and what is made of it.

    Attributes
    ----------
    region : regions.Region
        On the sky.
    name : str
    colour : str
        As ``#rrggbb``.
    how : str
        ``sum``, ``mean``, ``median`` or ``psf``.
    background : tuple of float or None
        Radii of the ring whose median is taken off [arcsec].
    """

    region: Region
    name: str
    colour: str = "#e69f00"
    how: str = "sum"
    background: tuple[float, float] | None = None


def read_regions(path: str | Path) -> list[KeptRegion]:
    """Read a file of regions, ds9's, with what a viewer has noted in its tags.

    Raises
    ------
    MuseError
        It cannot be read.
    """
    from regions import Regions

    try:
        found = Regions.read(str(path), format="ds9")
    except Exception as error:  # readers of text raise anything
        raise MuseError(
            f"{path} cannot be read as regions ({error}): save them as ds9 does, or move it away"
        ) from error
    return [_kept(region, number) for number, region in enumerate(found, 1)]


def _kept(region: Any, number: int) -> KeptRegion:
    tags = dict(str(tag).partition("=")[::2] for tag in region.meta.get("tag", []))
    how = tags.get("how", "sum")
    try:
        inner, outer = (float(value) for value in tags["ring"].split(","))
        background = (inner, outer) if 0 < inner < outer else None
    except (KeyError, ValueError):
        background = None
    colour = str(region.visual.get("edgecolor") or region.visual.get("color") or "")
    known = len(colour) == 7 and colour.startswith("#")
    return KeptRegion(
        region,
        str(region.meta.get("text") or number),
        colour if known else KeptRegion.colour,
        how if how in (*HOWS, "psf") else "sum",
        background,
    )


def write_regions(path: str | Path, regions: Iterable[KeptRegion], *, force: bool = False) -> Path:
    """Write regions as a ds9 file, whole or not at all; return its path.

    Raises
    ------
    MuseError
        The file is there already, or cannot be written.
    """
    from regions import Regions, RegionVisual

    noted = []
    for kept in regions:
        tags = [f"how={kept.how}"]
        if kept.background is not None:
            tags.append("ring={:.9g},{:.9g}".format(*kept.background))
        region = kept.region.copy()
        text = "".join(letter for letter in kept.name if letter.isprintable() and letter not in "{}#;")
        region.meta.update({"text": text, "tag": tags})
        region.visual = RegionVisual({"color": kept.colour})
        noted.append(region)
    with atomic_write(path, force=force) as part:
        part.write_text(Regions(noted).serialize(format="ds9", precision=PRECISION) if noted else "# no regions\n")
    return Path(path)


def spectra(cube: str | Path | CubeFile, regions: str | Path) -> dict[str, Extraction]:
    """Take the spectra of all regions of a file, as the viewer that kept it shows them.

    Parameters
    ----------
    cube
        DATACUBE_FINAL or any cube with wavelengths.
    regions
        A ds9 file; what is made of each region, and the ring around it, stand in its tags.

    Returns
    -------
    dict
        Name of the region to its spectrum; a name that occurs again has a number behind it.

    Raises
    ------
    MuseError
        A file cannot be read, or a region lies off the cube.

    Examples
    --------
    >>> from pathlib import Path
    >>> written = Path("regions.reg").write_text('fk5\\ncircle(265.175, -53.674, 1") # text={middle}\\n')
    >>> list(muse_nb.spectra("CUBE.fits", "regions.reg"))
    ['middle']
    """
    opened = cube if isinstance(cube, CubeFile) else CubeFile.open(cube)
    found: dict[str, Extraction] = {}
    for number, kept in enumerate(read_regions(regions), 1):
        name = kept.name if kept.name not in found else f"{kept.name} {number}"
        found[name] = extract(opened, kept.region, background=kept.background, how=kept.how)
    return found
