"""The cube's grid: north up, 0.2 arcsec and 1.25 Angstrom, as large as the exposures, as the recipes lay it out."""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass

from muse_nb.core.errors import MuseError
from muse_nb.kernels.structs import Grid
from muse_nb.products.header import number_of
from muse_nb.resample.inputs import Input, nearest_turn

__all__ = ["CubeGrid", "drop_size", "lay_out"]

STEP = 0.2 / 3600  # deg
FINE_STEP = 0.025 / 3600  # deg, of the narrow-field mode
LAMBDA_STEP = 1.25  # Angstrom
_LARGEST = 20_000  # spaxels along an axis: beyond a degree, tables do not belong together


@dataclass(frozen=True)
class CubeGrid:
    """A cube's shape and world coordinates.

    Attributes
    ----------
    shape : tuple of int
        (nz, ny, nx).
    crval : tuple of float
        RA, DEC [deg] and first wavelength [Angstrom].
    crpix : tuple of float
        Of the same, 1-based.
    step : float
        Spaxel [deg].
    lambda_step : float
        Plane [Angstrom].
    drop : tuple of float
        Size of a whole drop along RA and DEC [deg]: of a detector pixel on the sky, as the first exposure's CD says.
    """

    shape: tuple[int, int, int]
    crval: tuple[float, float, float]
    crpix: tuple[float, float, float]
    step: float = STEP
    lambda_step: float = LAMBDA_STEP
    drop: tuple[float, float] = (STEP, STEP)

    def wavelength(self, plane: float) -> float:
        """Return the wavelength [Angstrom] of a plane, counted from 0."""
        return self.crval[2] + (plane + 1 - self.crpix[2]) * self.lambda_step

    def cards(self) -> list[tuple[str, float | str]]:
        """List the WCS keywords in the recipes' order."""
        return [
            ("CRPIX1", self.crpix[0]),
            ("CD1_1", -self.step),
            ("CTYPE1", "RA---TAN"),
            ("CUNIT1", "deg"),
            ("CRPIX2", self.crpix[1]),
            ("CD2_2", self.step),
            ("CTYPE2", "DEC--TAN"),
            ("CUNIT2", "deg"),
            ("CD1_2", 0.0),
            ("CD2_1", 0.0),
            ("CRVAL1", self.crval[0]),
            ("CRVAL2", self.crval[1]),
            ("CTYPE3", "AWAV"),
            ("CUNIT3", "Angstrom"),
            ("CD3_3", self.lambda_step),
            ("CRPIX3", self.crpix[2]),
            ("CRVAL3", self.crval[2]),
            ("CD1_3", 0.0),
            ("CD2_3", 0.0),
            ("CD3_1", 0.0),
            ("CD3_2", 0.0),
        ]

    def kernel(self, pixfrac: tuple[float, float], limits: tuple[float, float], *, swap: bool) -> Grid:
        """Give the grid to the kernels.

        Parameters
        ----------
        pixfrac
            Size of a drop over that of a detector pixel, on the sky and in wavelength.
        limits
            Rows outside these wavelengths [Angstrom] are left out.
        swap
            Keep cells with y as the fast axis.

        Raises
        ------
        MuseError
            Drops would be larger than voxels.
        """
        nz, ny, nx = self.shape
        size = [pixfrac[0] * drop / self.step for drop in self.drop] + [pixfrac[1] * LAMBDA_STEP / self.lambda_step]
        if max(size) > 1.02:  # pixels of the detector are not quite 0.2 arcsec
            raise MuseError(
                f"drops would be {max(size):.2f} times the voxels of this grid: make pixfrac at most"
                f" {min(pixfrac) / max(size):.2f}, or take a coarser grid"
            )
        dec = math.radians(self.crval[1])
        return Grid(
            nx=nx,
            ny=ny,
            nz=nz,
            swap=swap,
            ra=self.crval[0],
            dec=self.crval[1],
            sin_dec=math.sin(dec),
            cos_dec=math.cos(dec),
            crpix_x=self.crpix[0],
            crpix_y=self.crpix[1],
            step=self.step,
            lambda_min=self.wavelength(0),
            lambda_step=self.lambda_step,
            drop_ra=size[0],
            drop_dec=size[1],
            drop_lambda=size[2],
            lambda_low=limits[0],
            lambda_high=limits[1],
        )


def lay_out(exposures: list[Input]) -> CubeGrid:
    """Lay out the recipes' grid for a set of exposures.

    Its last bits depend on the recipes' own rounding: limits are float32 in absolute degrees, and the tangent plane is
    computed through arcsine and tangent.

    Raises
    ------
    MuseError
        The exposures lie too far apart for one cube.
    """
    first = exposures[0]
    step = spaxel_of(first.table.header)
    low_ra, high_ra, low_dec, high_dec = _corners(exposures)
    x1, y1 = _tangent_plane(_f4(low_ra + first.ra), _f4(low_dec + first.dec), first.ra, first.dec)
    x2, y2 = _tangent_plane(_f4(high_ra + first.ra), _f4(high_dec + first.dec), first.ra, first.dec)
    shortest = min(exposure.kernel.limit[4] for exposure in exposures)
    longest = max(exposure.kernel.limit[5] for exposure in exposures)
    nx = math.floor(abs(x2 - x1) / step + 0.5) + 1
    ny = math.floor(abs(y2 - y1) / step + 0.5) + 1
    nz = math.ceil((longest - shortest) / LAMBDA_STEP) + 1
    if max(nx, ny) > _LARGEST:
        raise MuseError(
            f"the exposures span {max(nx, ny) * step:.1f} deg, too much for one cube: check RA and DEC of"
            f" {first.table.path} and the others, and the offsets"
        )
    # the recipe starts from the table's own CRPIX and moves it by the smallest pixel that a corner falls on
    table_crpix = [number_of(first.table.header.get(key)) or 0.0 for key in ("CRPIX1", "CRPIX2")]
    own = (table_crpix[0] + (1 + nx) / 2, table_crpix[1] + (1 + ny) / 2)
    px = [step * x / (-step * step) + own[0] for x in (x1, x2)]
    py = [-step * y / (-step * step) + own[1] for y in (y1, y2)]
    crpix = (own[0] - (min(px) - 1), own[1] - (min(py) - 1), 1.0)
    return CubeGrid((nz, ny, nx), (first.ra, first.dec, shortest), crpix, step, drop=drop_size(first.table.header))


def drop_size(header: Mapping[str, object]) -> tuple[float, float]:
    """Return the size of a detector pixel along both axes [deg], that of the mode where the table does not say."""
    cd = [[number_of(header.get(f"CD{i}_{j}")) or 0.0 for j in (1, 2)] for i in (1, 2)]
    x, y = (math.hypot(*row) for row in cd)
    usual = spaxel_of(header)
    return (x or usual, y or usual)


def spaxel_of(header: Mapping[str, object]) -> float:
    """Spaxel [deg] that the recipes make in the mode of an exposure: 0.2 arcsec, 0.025 in the narrow-field mode."""
    return FINE_STEP if str(header.get("ESO INS MODE") or "").startswith("NFM") else STEP


def _corners(exposures: list[Input]) -> tuple[float, float, float, float]:
    first = exposures[0]
    low: list[tuple[float, float]] = []
    high: list[tuple[float, float]] = []
    for e in exposures:
        shift = (nearest_turn(e.ra - first.ra), e.dec - first.dec)
        limit = list(e.kernel.limit)
        if e.table.kind == "rad":
            limit[:2] = [math.degrees(math.atan(value)) for value in limit[:2]]
            limit[2:4] = [math.degrees(math.asin(_sine(value + e.kernel.sin_dec, e))) - e.dec for value in limit[2:4]]
        if not all(map(math.isfinite, limit)):
            raise _damaged(e)
        for side, ends in ((low, (limit[0], limit[2])), (high, (limit[1], limit[3]))):
            side.append((_f4(_f4(ends[0]) + shift[0]), _f4(_f4(ends[1]) + shift[1])))
    return (min(c[0] for c in low), max(c[0] for c in high), min(c[1] for c in low), max(c[1] for c in high))


def _sine(value: float, exposure: Input) -> float:
    """Take off what rounding adds to a sine; refuse what is none."""
    if not abs(value) < 1 + 1e-6:
        raise _damaged(exposure)
    return max(-1.0, min(1.0, value))


def _damaged(exposure: Input) -> MuseError:
    return MuseError(f"{exposure.table.path} has rows beyond the sky or at no wavelength: reduce the exposure again")


def _tangent_plane(ra: float, dec: float, ra0: float, dec0: float) -> tuple[float, float]:
    """Gnomonic projection [deg] by way of native coordinates (FITS paper II), x to the west."""
    turn = 180 / math.pi
    a, d, a0, d0 = ra / turn, dec / turn, ra0 / turn, dec0 / turn
    west = -math.cos(d) * math.sin(a - a0)
    north = math.sin(d) * math.cos(d0) - math.cos(d) * math.sin(d0) * math.cos(a - a0)
    phi = math.atan2(west, north) + math.pi
    sine = math.sin(d) * math.sin(d0) + math.cos(d) * math.cos(d0) * math.cos(a - a0)
    radius = turn / math.tan(math.asin(max(-1.0, min(1.0, sine))))
    return radius * math.sin(phi), -radius * math.cos(phi)


def _f4(value: float) -> float:
    return float(struct.unpack("f", struct.pack("f", value))[0])
