"""Get picks, offsets and parameters back out of a shared page."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from muse_nb.core.atomic import atomic_write
from muse_nb.core.errors import MuseError
from muse_nb.products.offset_list import OffsetList

__all__ = ["extract"]

_ISLAND = re.compile(r'<script type="application/json" id="provenance">(.*?)</script>', re.S)


def extract(page: str | Path, output: str | Path, *, force: bool = False) -> list[Path]:
    """Write what a page carries to a folder.

    Parameters
    ----------
    page
        An HTML file made by `muse_nb.share`.
    output
        Folder for ``parameters.json``, ``picks.ecsv`` and ``OFFSET_LIST.fits``, those that the page carries.
    force
        Replace files that are there.

    Returns
    -------
    list of pathlib.Path
        What was written.

    Raises
    ------
    MuseError
        The page cannot be read or carries nothing, or a file is there already.
    """
    page, folder = Path(page), Path(output)
    try:
        found = _ISLAND.search(page.read_text(encoding="utf-8"))
        facts: dict[str, Any] = json.loads(found[1]) if found else {}
    except (OSError, ValueError) as error:
        raise MuseError(f"{page} cannot be read ({error}): is it a page made by muse-nb share?") from error
    if not facts:
        raise MuseError(f"{page} carries no provenance: is it a page made by muse-nb share?")
    written = [folder / "parameters.json"]
    with atomic_write(written[0], force=force) as part:
        part.write_text(json.dumps(facts.get("parameters", {}), indent=1))
    if facts.get("picks"):
        written.append(folder / "picks.ecsv")
        with atomic_write(written[-1], force=force) as part:
            part.write_text(facts["picks"])
    if rows := facts.get("offsets"):
        written.append(folder / "OFFSET_LIST.fits")
        try:
            offsets = _offsets(rows)
        except (KeyError, TypeError, ValueError) as error:
            raise MuseError(f"the offsets in {page} are damaged ({error}): ask its author for another") from error
        offsets.write(written[-1], force=force)
    return written


def _offsets(rows: list[dict[str, Any]]) -> OffsetList:
    def column(name: str) -> tuple[float, ...]:
        return tuple(float("nan") if row.get(name) is None else float(row[name]) for row in rows)

    dates = tuple(str(row["date_obs"]) for row in rows)
    return OffsetList(dates, *(column(n) for n in ("mjd_obs", "ra_offset_deg", "dec_offset_deg", "flux_scale")))
