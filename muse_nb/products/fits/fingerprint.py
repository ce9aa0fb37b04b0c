"""What tells one state of a file's data from another, without reading the data where the header says it."""

from __future__ import annotations

from pathlib import Path

from muse_nb.products.fits.blocks import hdus

__all__ = ["fingerprint"]


def fingerprint(path: str | Path) -> str:
    """Give a mark of a FITS file's data: ESO's DATAMD5, else the DATASUMs, else when it was made and its size.

    Raises
    ------
    MuseError
        The file cannot be read.
    """
    path = Path(path)
    units = hdus(path)
    first = units[0].cards if units else {}
    if md5 := str(first.get("DATAMD5", "")).strip():
        return md5
    sums = [str(unit.cards["DATASUM"]).strip() for unit in units if unit.cards.get("DATASUM") is not None]
    return "+".join(sums[:9]) if sums else f"{str(first.get('DATE', '')).strip()} {path.stat().st_size}"
