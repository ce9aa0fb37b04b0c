"""What must be right before exposures are combined: the recipes combine all the same, and wrongly."""

from __future__ import annotations

from muse_nb.products.errors import MuseError
from muse_nb.products.header import need
from muse_nb.products.offset_list import OffsetList
from muse_nb.products.pixtable import PixelTable

__all__ = ["check_offsets", "check_tables"]

_NEEDED = ("RA", "DEC", "EXPTIME", "DATE-OBS")
_NEEDED_NATIVE = ("CD1_1", "CD2_2", "CTYPE1")
_FAR = 0.01  # deg; an offset list whose values exceed it is in arcsec or of another field


def check_tables(tables: list[PixelTable]) -> list[str]:
    """Hold the exposures against each other.

    Returns
    -------
    list of str
        What is odd but can be combined, a sentence each.

    Raises
    ------
    MuseError
        A keyword is missing without which the cube would be wrong, an exposure is there twice, or modes are mixed.
    """
    if not tables:
        raise MuseError("no pixel tables: name at least one PIXTABLE_REDUCED")
    seen: dict[str, PixelTable] = {}
    for table in tables:
        for keyword in (*_NEEDED, *(_NEEDED_NATIVE if table.kind == "rad" else ())):
            need(table.header, keyword, table.path, "the cube would be wrong; reduce the exposure again")
        for keyword in ("RA", "DEC", "EXPTIME"):
            if not isinstance(table.header[keyword], (int, float)) or isinstance(table.header[keyword], bool):
                raise MuseError(f"{table.path}: {keyword} is {table.header[keyword]!r}, not a number: reduce it again")
        date = str(table.header["DATE-OBS"])[:23]
        if date in seen:
            raise MuseError(
                f"{table.path} has the DATE-OBS {date} of {seen[date].path}: offsets could not tell them apart;"
                " leave one out"
            )
        seen[date] = table
    modes = {str(table.header.get("ESO INS MODE") or "") for table in tables}
    if len(modes - {""}) > 1:
        raise MuseError(f"the exposures are of different INS MODEs ({', '.join(sorted(modes))}): combine them apart")
    notes = []
    if "" in modes:
        names = ", ".join(table.path.name for table in tables if not table.header.get("ESO INS MODE"))
        notes.append(f"{names} lacks ESO INS MODE: it cannot be told whether the exposures belong together")
    kinds = {table.kind for table in tables}
    if len(kinds) > 1:
        raise MuseError("the pixel tables are of different kinds: combine PIXTABLE_REDUCED, or POSITIONED, not both")
    return notes


def check_offsets(tables: list[PixelTable], offsets: OffsetList | None, *, allow_missing: bool = False) -> list[str]:
    """Hold an offset list against the exposures.

    Returns
    -------
    list of str
        What is odd, a sentence each.

    Raises
    ------
    MuseError
        An exposure has no row (unless `allow_missing`), or an offset is too large to be one.
    """
    if offsets is None:
        return ["no offsets were given: stars will be smeared by the derotator's wobble"] if len(tables) > 1 else []
    missing = offsets.missing(str(table.header["DATE-OBS"]) for table in tables)
    if missing and not allow_missing:
        raise MuseError(
            f"the offset list has no row for {len(missing)} of {len(tables)} exposures ({', '.join(missing[:3])}"
            f"{', ...' if len(missing) > 3 else ''}): measure all of them, or combine without these on purpose with"
            " --allow-missing"
        )
    notes = [f"{date} was combined without an offset" for date in missing]
    for date, ra, dec in zip(offsets.date_obs, offsets.ra_offset, offsets.dec_offset, strict=True):
        if abs(dec) > _FAR or abs(ra) > 36 * _FAR:
            raise MuseError(
                f"the offset of {date} is ({ra:g}, {dec:g}) deg, more than {3600 * _FAR:.0f} arcsec: offsets are in"
                " degrees; divide those in arcsec by 3600"
            )
    scaled = [
        date for date, scale in zip(offsets.date_obs, offsets.flux_scale, strict=True) if scale == scale and scale != 1
    ]
    if scaled:
        notes.append(f"FLUX_SCALE changes the flux of {len(scaled)} exposures, the first {scaled[0]}")
    return notes
