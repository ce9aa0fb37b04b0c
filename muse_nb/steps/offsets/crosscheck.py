"""Four ways to the same offsets, side by side; and an OFFSET_LIST from elsewhere against the exposures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from muse_nb.core.errors import MuseError
from muse_nb.core.html import Shown, table_html
from muse_nb.core.text import signed
from muse_nb.products.image_fov import ImageFov
from muse_nb.products.offset_list import OffsetList
from muse_nb.steps.offsets.measure import measure_offsets
from muse_nb.steps.offsets.measurement import Measurement
from muse_nb.steps.offsets.result import Offsets
from muse_nb.steps.offsets.starfit.arrays import Floats, Ints
from muse_nb.steps.offsets.starfit.correlate import correlate
from muse_nb.steps.offsets.wobble import fit_wobble

if TYPE_CHECKING:
    from astropy.table import Table

__all__ = ["CrossCheck", "check_offset_list", "cross_check", "list_notes"]

METHODS = ("clicked", "automatic", "correlation", "muse_exp_align")
MAX_DEVIATION = 5.0  # errors between two methods
METHOD_ERROR = {
    "clicked": 0.01,
    "automatic": 0.0,
    "correlation": 0.1,
    "muse_exp_align": 0.05,
}  # arcsec beyond known errors
FEW_MATCHED = 2  # stars with which muse_exp_align is often wrong
ANGLE_ERROR = 0.01  # deg that a list made elsewhere may be off beside the errors of the measured angles
LIST_ERROR = 0.1  # arcsec that a list made elsewhere may be off beside the errors of the measured offsets


@dataclass(frozen=True)
class CrossCheck(Shown):
    """Offsets by several methods and a verdict on each exposure.

    Attributes
    ----------
    table : astropy.table.Table
        date_obs; for each method that ran NAME_ra and NAME_dec [arcsec, times cos dec]; where muse_exp_align ran,
        how many stars it matched (n_matched); verdict and why.
    methods : tuple of str
        Those that ran.
    notes : tuple of str
        Why the others did not, and what is suspicious in general.
    """

    table: Table = field(repr=False)
    methods: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def findings(self) -> list[str]:
        """Nothing: the verdicts stand in the table."""
        return []

    def rows(self) -> list[dict[str, object]]:
        """One dictionary an exposure, for JSON."""
        rows = []
        for row in self.table:
            methods = {}
            for name in self.methods:
                values = [float(row[f"{name}_{axis}"]) for axis in ("ra", "dec")]
                methods[name] = values if np.isfinite(values).all() else None
            found: dict[str, object] = {
                "verdict": str(row["verdict"]),
                "why": str(row["why"]),
                "offsets_arcsec": methods,
            }
            if "n_matched" in self.table.colnames:
                found["muse_exp_align_matched"] = int(row["n_matched"]) if row["n_matched"] >= 0 else None
            rows.append(found)
        return rows

    def lines(self) -> list[str]:
        """As text."""
        lines = ["", "cross-check (RA, Dec in mas): " + ", ".join(self.methods)]
        for row in self.table:
            cells = [f"{1e3 * row[f'{name}_ra']:+8.1f} {1e3 * row[f'{name}_dec']:+8.1f}" for name in self.methods]
            lines.append(f"{row['date_obs']}  {'  |  '.join(cells)}  {row['verdict']} {row['why']}".rstrip())
        return [*lines, *self.notes]

    def _repr_html_(self) -> str:
        rows = [
            [
                str(row["date_obs"]),
                *(
                    ",\u00a0".join(signed(1e3 * row[f"{name}_{axis}"]) for axis in ("ra", "dec"))
                    for name in self.methods
                ),
                f"{row['verdict']} {row['why']}".strip(),
            ]
            for row in self.table
        ]
        notes = "".join(f"<p>{escape(note)}</p>" for note in self.notes)
        head = ["exposure", *(f"{name} [mas]" for name in self.methods), "verdict"]
        return table_html(head, rows, kind="judged") + notes


def cross_check(
    images: Measurement | Iterable[str | Path | ImageFov],
    offsets: Offsets | None = None,
    picks: Table | None = None,
    eso: bool = True,
) -> CrossCheck:
    """Measure the offsets by every method there is and say where they disagree.

    Parameters
    ----------
    images
        IMAGE_FOVs or a `Measurement` of them.
    offsets
        If measured already: automatic ones, or those of clicked stars.
    picks
        Clicked stars, if `offsets` are not theirs.
    eso
        Also run muse_exp_align where ESO's recipes are installed.

    Examples
    --------
    >>> images = muse_nb.survey("night").files_of("IMAGE_FOV")
    >>> checked = muse_nb.cross_check(images, eso=False)
    >>> checked.methods, checked.findings
    (('automatic', 'correlation'), [])
    """
    from astropy.table import Table

    measurement = images if isinstance(images, Measurement) else Measurement(images)
    n = len(measurement.images)
    known = offsets is not None and "picks" in offsets.table["method"]
    clicked = (
        offsets if known else measure_offsets(measurement, picks=picks) if picks is not None and len(picks) else None
    )
    automatic = offsets if offsets is not None and not known else measure_offsets(measurement)
    base = int(np.argmax(automatic.accepted))
    found: dict[str, tuple[Floats, Floats]] = {"automatic": _of(automatic)}
    notes: list[str] = []
    if clicked is not None:
        found["clicked"] = _of(clicked)
    found["correlation"] = _correlated(measurement, base)
    matched = np.full(n, -1)
    if eso:
        try:
            theirs, matched = _muse_exp_align(measurement, automatic.dec)
            found["muse_exp_align"] = theirs, np.zeros((n, 2))
        except MuseError as failure:
            reason = str(failure).rsplit("; its log is", 1)[0]  # which went with the scratch folder
            notes.append(f"muse_exp_align: {reason}")
    methods = tuple(name for name in METHODS if name in found)
    columns: dict[str, object] = {"date_obs": measurement.date_obs}
    for name in methods:
        offset, error = found[name]
        found[name] = offset - offset[base], error
        columns[f"{name}_ra"], columns[f"{name}_dec"] = found[name][0].T
    if "muse_exp_align" in found:
        columns["n_matched"] = matched
    odd = _wobble_outliers(automatic)
    verdicts = [_verdict(automatic, i, found, int(matched[i]), odd) for i in range(n)]
    columns["verdict"], columns["why"] = [v for v, _ in verdicts], [why for _, why in verdicts]
    return CrossCheck(Table(columns), methods, tuple(notes))


def _of(offsets: Offsets) -> tuple[Floats, Floats]:
    keep = offsets.accepted[:, None]
    offset = np.c_[offsets.table["ra_offset"], offsets.table["dec_offset"]].astype(float)
    error = np.c_[offsets.table["ra_error"], offsets.table["dec_error"]].astype(float)
    return np.where(keep, offset, np.nan), np.where(keep, error, np.nan)


def _correlated(measurement: Measurement, base: int) -> tuple[Floats, Floats]:
    n, frames = len(measurement.images), measurement.solution.frames
    offset, error = np.full((n, 2), np.nan), np.full((n, 2), np.nan)
    offset[base] = error[base] = 0
    for i in range(n):
        if i != base:
            shift = correlate(frames[base], frames[i], measurement.radius)
            if shift is not None:
                offset[i], error[i] = shift.offset, shift.error
    return offset, error


def _muse_exp_align(measurement: Measurement, dec: float) -> tuple[Floats, Ints]:
    """Offsets [arcsec] of the recipe and how many stars it matched in each exposure, -1 where it does not say."""
    from muse_nb.core.work import scratch_folder
    from muse_nb.products.header import read_all
    from muse_nb.recipes.joining import align

    with scratch_folder() as folder:
        result = align([image.path for image in measurement.images], folder)
        path = result.products["OFFSET_LIST"][0]
        theirs = OffsetList.read(path)
        headers = read_all(path)
    quality = next((header for header in headers if "ESO QC EXPALIGN NMATCH MIN" in header), headers[0])
    least = quality.get("ESO QC EXPALIGN NMATCH MIN", -1)
    counts = [quality.get(f"ESO QC EXPALIGN NMATCH{k}", least) for k in range(1, len(measurement.images) + 1)]
    rows = [theirs.of(name) or (np.nan, np.nan, np.nan) for name in measurement.date_obs]
    offset = np.array([[ra * 3600 * np.cos(np.radians(dec)), north * 3600] for ra, north, _ in rows])
    return offset, np.array(counts, int)


def _wobble_outliers(offsets: Offsets) -> set[str]:
    try:
        wobble = fit_wobble(offsets)
    except MuseError:
        return set()
    return {str(name) for name, odd in zip(wobble.table["date_obs"], wobble.table["outlier"], strict=True) if odd}


def _verdict(
    automatic: Offsets, i: int, found: dict[str, tuple[Floats, Floats]], matched: int, odd: set[str]
) -> tuple[str, str]:
    row = automatic.table[i]
    best = "clicked" if "clicked" in found and np.isfinite(found["clicked"][0][i]).all() else "automatic"
    offset, error = found[best][0][i], found[best][1][i]
    if not np.isfinite(offset).all():
        return "refuse", str(row["why"])
    reasons = [str(row["why"])] if row["verdict"] == "check" else []
    for name, (other, other_error) in found.items():
        if name == best or not np.isfinite(other[i]).all():
            continue
        apart = np.hypot(*(other[i] - offset))
        allowed = MAX_DEVIATION * np.hypot(*np.hypot(error, other_error[i])) + METHOD_ERROR[name] + METHOD_ERROR[best]
        if apart > allowed:
            reasons.append(f"{name} is {1e3 * apart:.0f} mas away")
    if 0 <= matched <= FEW_MATCHED:
        reasons.append(
            f"muse_exp_align matched only {matched} star{'s' * (matched != 1)}: with so few it is often wrong"
        )
    if str(row["date_obs"]) in odd:
        reasons.append("far from where the wobble would put it")
    return ("check", "; ".join(reasons)) if reasons else ("agree", "")


def check_offset_list(
    offset_list: OffsetList | str | Path, exposures: Sequence[str] | Offsets, radius: float = 20.0
) -> list[str]:
    """Say what is wrong with an OFFSET_LIST made elsewhere, before a combine.

    Parameters
    ----------
    offset_list
        The list or its file.
    exposures
        DATE-OBS of the exposures to combine, or their measured offsets: then sign, cos(dec) and units are checked too.
    radius
        Offsets larger than this [arcsec] are suspicious.

    Returns
    -------
    list of str
        One sentence a finding; empty when all is well.

    Examples
    --------
    >>> offsets = muse_nb.measure_offsets(muse_nb.survey("night").files_of("IMAGE_FOV"))
    >>> muse_nb.check_offset_list("OFFSET_LIST.fits", offsets)
    []
    """
    given = offset_list if isinstance(offset_list, OffsetList) else OffsetList.read(offset_list)
    measured = exposures if isinstance(exposures, Offsets) else None
    dates = [str(d) for d in measured.table["date_obs"]] if measured is not None else [str(d) for d in exposures]  # type: ignore[union-attr]
    findings = []
    missing = given.missing(dates)
    if missing:
        findings.append(
            f"the list has no row for {', '.join(missing)}: muse_exp_combine would combine them without an offset"
        )
    ours = {name[:23] for name in dates}
    extra = [name for name in given.date_obs if name[:23] not in ours]
    if extra:
        findings.append(f"the list names {', '.join(extra)}, which are not among the exposures")
    dec = measured.dec if measured is not None else 0.0
    size = np.hypot(np.array(given.ra_offset) * np.cos(np.radians(dec)), given.dec_offset) * 3600
    if size.size and np.nanmax(size) > radius:
        findings.append(
            f"the largest offset is {np.nanmax(size):.4g} arcsec: are the columns in degrees, as the recipe wants them?"
        )
    if measured is not None:
        findings += _against(given, measured) + _angles_against(given, measured)
    return findings


def list_notes(offset_list: str | Path, exposures: Offsets) -> list[str]:
    """Say what of an OFFSET_LIST muse_exp_combine leaves aside: the angles of exposures that are turned."""
    given = OffsetList.read(offset_list)
    dates = [str(name) for name in exposures.table["date_obs"]]
    turned = [f"{name} by {given.angle_of(name):+.4f} deg" for name in dates if given.angle_of(name)]
    if not turned:
        return []
    return [
        f"its ROTANGLE turns {', '.join(turned)}: the stream engine applies it, muse_exp_combine does not (add it to"
        " ESO INS DROT POSANG of the PIXTABLE_OBJECTs and run muse_scipost again)"
    ]


def _angles_against(given: OffsetList, measured: Offsets) -> list[str]:
    """Compare ROTANGLE, which has the sign of POSANG, with the angles that the stars tell."""
    findings = []
    table = measured.table
    if "turned" not in table.colnames:
        return []
    zero = given.angle_of(str(table["date_obs"][int(np.argmin(np.abs(np.nan_to_num(table["rotation"]))))]))
    for name, rotation, error in zip(table["date_obs"], table["rotation"], table["rotation_error"], strict=True):
        if given.of(str(name)) is None or not np.isfinite(rotation):
            continue
        angle, allowed = given.angle_of(str(name)) - zero, ANGLE_ERROR + MAX_DEVIATION * error
        if abs(angle + rotation) <= allowed:
            continue
        what = f"ROTANGLE of {name} is {angle:+.4f} deg, the stars tell {-rotation:+.4f} ± {error:.4f}"
        if abs(angle - rotation) <= allowed:
            what += ": it has the wrong sign, it must hold the true angle minus the header's, from north towards east"
        findings.append(what)
    return findings


def _against(given: OffsetList, measured: Offsets) -> list[str]:
    """Compare with measured offsets under the usual mistakes."""
    offset, error = _of(measured)
    rows = [(i, given.of(str(name))) for i, name in enumerate(measured.table["date_obs"])]
    rows = [(i, row) for i, row in rows if row is not None and np.isfinite(offset[i]).all()]
    if len(rows) < 2:
        return []
    index = np.array([i for i, _ in rows])
    theirs = np.array([[row[0], row[1]] for _, row in rows if row is not None]) * 3600
    want = offset[index] - offset[index[0]]
    cosine = np.cos(np.radians(measured.dec))
    allowed = LIST_ERROR + MAX_DEVIATION * np.hypot(*np.nan_to_num(error[index]).T)

    def fits(scale_ra: float, scale: float) -> bool:
        shifted = (theirs - theirs[0]) * [scale_ra, scale]
        return bool((np.hypot(*(shifted - want).T) < allowed).all())

    if fits(cosine, 1.0) or (np.hypot(*want.T) < allowed).all():
        return [] if fits(cosine, 1.0) else ["the list's offsets differ from those measured"]
    mistakes = {
        "the list has the wrong sign: it must hold the header's position minus the true one": (-cosine, -1.0),
        "RA_OFFSET was multiplied by cos(dec): it must be a plain difference of right ascensions": (1.0, 1.0),
        "the offsets are in arcsec: the recipe wants degrees": (cosine / 3600, 1 / 3600),
        "the offsets are in arcsec, RA_OFFSET times cos(dec): the recipe wants degrees": (1 / 3600, 1 / 3600),
        "RA_OFFSET has the wrong sign": (-cosine, 1.0),
        "the list has the wrong sign, and RA_OFFSET was multiplied by cos(dec)": (-1.0, -1.0),
    }
    for sentence, scales in mistakes.items():
        if fits(*scales):
            return [sentence]
    apart = np.hypot(*((theirs - theirs[0]) * [cosine, 1.0] - want).T)
    worst = int(np.argmax(apart))
    name = measured.table["date_obs"][index[worst]]
    return [f"the list is {apart[worst]:.3g} arcsec from the measured offset of {name}"]
