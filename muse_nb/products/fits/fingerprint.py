"""What tells one state of a file's data from another, without reading the data where the header says it."""

from __future__ import annotations

import hashlib
from pathlib import Path

from muse_nb.core.errors import MuseError
from muse_nb.products.fits.blocks import CARD, hdus, open_bytes

__all__ = ["content_digest", "fingerprint"]

_VOLATILE = ("DATE    ", "PIPEFILE", "CHECKSUM", "DATASUM ", "DATAMD5 ")
_PIECE = 1 << 22  # bytes read at a time


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


def content_digest(path: str | Path) -> str:
    """Digest of all that a FITS file holds, but for when it was written: two runs of a recipe on the same files agree.

    Cards that change though nothing else does are left out: DATE, PIPEFILE, and the sums of header and data, which
    are not to be trusted once a file was edited.

    Parameters
    ----------
    path
        The file, which is read whole.

    Raises
    ------
    MuseError
        The file cannot be read.
    """
    path = Path(path)
    digest = hashlib.blake2b(digest_size=16)
    units = hdus(path)
    try:
        with open_bytes(path) as file:
            for unit in units:
                cards = [unit.text[at : at + CARD] for at in range(0, len(unit.text), CARD)]
                digest.update("".join(card for card in cards if not card.startswith(_VOLATILE)).encode("latin-1"))
                file.seek(unit.offset)
                left = unit.size
                while left and (piece := file.read(min(left, _PIECE))):
                    digest.update(piece)
                    left -= len(piece)
    except OSError as error:
        raise MuseError(f"{path} cannot be read: {error.strerror}") from error
    return digest.hexdigest()
