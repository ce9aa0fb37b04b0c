"""Flux and position against an image of the field or a table of stars."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from muse_nb.core.errors import MuseError
from muse_nb.core.robust import mad_sigma
from muse_nb.products.image_fov import ImageFov
from muse_nb.steps.judge.parts.lines import limits
from muse_nb.steps.judge.parts.panel import Curve, Curves
from muse_nb.steps.judge.parts.reading import Sample
from muse_nb.steps.judge.result import Check, Section
from muse_nb.steps.judge.stars import Stars
from muse_nb.steps.offsets.starfit.geometry import to_tangent

if TYPE_CHECKING:
    from astropy.table import Table

__all__ = ["check_catalogue", "check_image", "read_catalogue"]

Array = NDArray[np.float64]
RADIUS = 5.0  # arcsec: largest shift that is looked for
NEAR = 1.5  # arcsec about a star of the cube in which an image's is looked for
MATCH = 0.4  # arcsec, about the common shift
MIN_STARS = 3
NAMES = {"ra": ("ra", "raj2000", "ra_icrs", "_raj2000"), "dec": ("dec", "dej2000", "de_icrs", "_dej2000")}
MAGNITUDES = ("phot_rp_mean_mag", "rpmag", "phot_g_mean_mag", "gmag", "rmag", "mag")
GAIA = 2016.0  # epoch of Gaia DR3


def check_image(sample: Sample, stars: Stars | str, path: str | Path) -> Section:
    """Hold the stars of the cube against those of an image.

    Raises
    ------
    MuseError
        The image cannot be read.
    """
    image = ImageFov.open(path)
    wcs, data = image.wcs, np.asarray(image.data, float)
    name = Path(path).name
    if isinstance(stars, str):
        return _nothing("reference", f"{name}: {stars}")
    ra, dec = (
        np.array(values)
        for values in zip(*(sample.sky(x, y) for x, y in zip(stars.x, stars.y, strict=True)), strict=True)
    )
    x, y = wcs.all_world2pix(ra, dec, 0)
    scale = float(np.sqrt(abs(np.linalg.det(wcs.pixel_scale_matrix))) * 3600)
    ny, nx = data.shape
    inside = (x > 3) & (x < nx - 4) & (y > 3) & (y < ny - 4)
    if inside.sum() < 1:
        raise MuseError(f"{path} does not show the field of {sample.cube.path}: give an image of it")
    shifts: list[Array] = []
    fluxes: list[float] = []
    own: list[float] = []
    for k in np.flatnonzero(inside)[:40]:
        found = _peak(data, float(x[k]), float(y[k]), NEAR / scale)
        if found is not None:
            px, py, height = found
            r, d = wcs.all_pix2world(px, py, 0)
            shifts.append(to_tangent(np.array([float(r)]), np.array([float(d)]), (float(ra[k]), float(dec[k])))[0])
            fluxes.append(height)
            own.append(stars.flux[k])
    if not shifts:
        return _nothing("reference", f"no star of the cube is seen in {name}")
    checks = [_position("reference_position", name, -np.array(shifts))]
    checks.append(_ratio("reference_flux", name, np.array(own), np.array(fluxes)))
    panel = Curves(
        f"peak in {name}", "peak in the cube's white light", [Curve(np.array(fluxes), np.array(own), "", "points")]
    )
    return Section(f"Against {name}", tuple(checks), (panel,))


def _nothing(name: str, text: str) -> Section:
    return Section("Reference", (Check.unknown(f"{name}_position", text), Check.unknown(f"{name}_flux", text)))


def _peak(data: Array, x: float, y: float, radius: float) -> tuple[float, float, float] | None:
    """Centre and height of the brightest peak near a place, above what is around it."""
    half = int(np.clip(np.ceil(radius), 3, 60))
    row, column = round(y), round(x)
    part = data[max(0, row - half) : row + half + 1, max(0, column - half) : column + half + 1]
    if part.size < 25 or not np.isfinite(part).all():
        return None
    level, noise = float(np.median(part)), mad_sigma(part)
    j, i = np.unravel_index(np.argmax(part), part.shape)
    if not (0 < j < part.shape[0] - 1 and 0 < i < part.shape[1] - 1) or part[j, i] - level < 5 * noise:
        return None
    place = []
    for before, at, after in (
        (part[j, i - 1], part[j, i], part[j, i + 1]),
        (part[j - 1, i], part[j, i], part[j + 1, i]),
    ):
        bend = before - 2 * at + after
        place.append(0.5 * (before - after) / bend if bend < 0 else 0.0)
    return max(0, column - half) + i + place[0], max(0, row - half) + j + place[1], float(part[j, i] - level)


def _position(name: str, what: str, shifts: Array) -> Check:
    limit = limits()["position"]
    shift = np.median(shifts, axis=0)
    error = [mad_sigma(shifts[:, k]) / np.sqrt(len(shifts)) for k in (0, 1)]
    length = float(np.hypot(*shift))
    text = f"{len(shifts)} star{'s' * (len(shifts) != 1)} of {what}: the cube's coordinates are off by"
    text += f" {shift[0]:+.3f} arcsec to the east and {shift[1]:+.3f} to the north (+- {max(error):.3f})"
    return Check(name, length, limit, length <= limit, text)


def _ratio(name: str, what: str, own: Array, other: Array) -> Check:
    """Whether fluxes follow those of the reference: their scatter star by star, whatever the units."""
    limit = limits()["flux"]
    good = (own > 0) & (other > 0)
    if good.sum() < MIN_STARS:
        text = f"{int(good.sum())} stars of {what} are too few to compare their fluxes"
        return Check.unknown(name, text, limit)
    ratio = np.log(own[good] / other[good])
    scatter = 100 * mad_sigma(ratio)
    text = f"fluxes of {int(good.sum())} stars follow those of {what} to {scatter:.0f} %"
    text += " (up to a common factor: units and widths differ)"
    return Check(name, scatter, limit, scatter <= limit, text)


def read_catalogue(catalogue: Table | str | Path, year: float | None) -> tuple[Array, Array, Array, str]:
    """Positions [deg] at the epoch of observation, and magnitudes (NaN without), of a table as Gaia's or VizieR's.

    Raises
    ------
    MuseError
        It cannot be read, or has no ra and dec.
    """
    from astropy.table import Table

    name = Path(catalogue).name if isinstance(catalogue, str | Path) else "the catalogue"
    table: Any = catalogue
    if isinstance(catalogue, str | Path):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                table = Table.read(catalogue)
            except Exception as error:  # readers of tables raise anything
                reason = (str(error).splitlines() or ["unknown form"])[0]
                raise MuseError(f"{catalogue} cannot be read as a table ({reason}): give ECSV, CSV or FITS") from error
    columns = {column.lower(): column for column in table.colnames}

    def numbers(*names: str) -> Array | None:
        found = next((columns[n] for n in names if n in columns), None)
        if found is None:
            return None
        try:
            return np.array(np.ma.filled(np.ma.asarray(table[found], float), np.nan))
        except (TypeError, ValueError) as error:
            raise MuseError(f"{name}: column {found} holds no numbers ({error}): give degrees") from error

    ra, dec = numbers(*NAMES["ra"]), numbers(*NAMES["dec"])
    if ra is None or dec is None:
        raise MuseError(f"{name} lacks ra and dec in degrees: give a table that has them")
    motion = [numbers(key) for key in ("pmra", "pmdec")]
    epoch = numbers("ref_epoch")
    if year is not None and motion[0] is not None and motion[1] is not None:
        years = year - (np.nan_to_num(epoch, nan=GAIA) if epoch is not None else GAIA)
        ra = ra + np.nan_to_num(motion[0]) * years / 3.6e6 / np.cos(np.radians(dec))
        dec = dec + np.nan_to_num(motion[1]) * years / 3.6e6
    magnitude = numbers(*MAGNITUDES)
    return ra, dec, magnitude if magnitude is not None else np.full(len(ra), np.nan), name


def check_catalogue(sample: Sample, stars: Stars | str, catalogue: Table | str | Path) -> Section:
    """Hold the stars of the cube against a table of stars.

    Raises
    ------
    MuseError
        The table cannot be read, or is of another field.
    """
    from scipy.spatial import cKDTree

    mjd = sample.cube.primary.get("MJD-OBS")
    year = 2000 + (float(mjd) - 51544.5) / 365.25 if isinstance(mjd, int | float) else None
    ra, dec, magnitude, name = read_catalogue(catalogue, year)
    ny, nx = sample.white.shape
    origin = sample.sky((nx - 1) / 2, (ny - 1) / 2)
    known = to_tangent(ra, dec, origin)
    reach = np.hypot(nx, ny) * sample.scale / 2 + RADIUS
    near = np.isfinite(known).all(axis=1) & (np.hypot(*known.T) < reach)
    near &= np.cos(np.radians(ra - origin[0])) > 0.5
    if not near.any():
        raise MuseError(f"{name} has no star in the field of {sample.cube.path}: give a catalogue of it")
    if isinstance(stars, str):
        return _nothing("catalogue", f"{name}: {stars}")
    sky = np.array([sample.sky(x, y) for x, y in zip(stars.x, stars.y, strict=True)])
    own = to_tangent(sky[:, 0], sky[:, 1], origin)
    known, magnitude = known[near], magnitude[near]
    pairs = cKDTree(known).query_ball_point(own, RADIUS)
    differences = np.array([own[i] - known[j] for i, found in enumerate(pairs) for j in found]).reshape(-1, 2)
    if not len(differences):
        return _nothing("catalogue", f"no star of {name} lies within {RADIUS:g} arcsec of one in the cube")
    votes = [len(v) for v in cKDTree(differences).query_ball_point(differences, MATCH / 2)]
    shift = differences[int(np.argmax(votes))]
    distance, index = cKDTree(known + shift).query(own)
    matched = distance < MATCH
    if matched.sum() < min(MIN_STARS, len(own)):
        return _nothing(
            "catalogue", f"{int(matched.sum())} stars of {name} are recognized in the cube, and it takes {MIN_STARS}"
        )
    left = own[matched] - known[index[matched]]
    flux, light = stars.flux[matched], 10 ** (-0.4 * magnitude[index[matched]])
    good = np.isfinite(light)
    checks = [_position("catalogue_position", name, left), _ratio("catalogue_flux", name, flux[good], light[good])]
    panels = []
    if good.any():
        with np.errstate(invalid="ignore", divide="ignore"):
            ours = -2.5 * np.log10(flux[good])
        panels.append(
            Curves(
                f"magnitude in {name}",
                "-2.5 log peak in the cube [mag]",
                [Curve(magnitude[index[matched]][good], ours, "", "points")],
            )
        )
    return Section(f"Against {name}", tuple(checks), tuple(panels))
