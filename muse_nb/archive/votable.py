"""VOTables of the archive as plain rows."""

from __future__ import annotations

import io
import warnings
from typing import Any

from muse_nb.core.errors import MuseError

__all__ = ["plain", "rows_of"]

LARGEST = 256 * 1024 * 1024  # bytes; a listing of thousands of files has a few


def rows_of(content: bytes, what: str) -> list[dict[str, Any]]:
    """Read the first table: a dictionary a row, by the columns' names in lower case.

    Raises
    ------
    MuseError
        It is no VOTable.
    """
    from astropy.io.votable import parse

    if len(content) > LARGEST:
        raise MuseError(f"{what}: the answer has {len(content)} bytes, more than a table of files can have")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            table = parse(io.BytesIO(content), verify="ignore").get_first_table()
    except Exception as error:  # whatever a foreign document makes a parser do
        raise MuseError(f"{what}: the answer is no VOTable ({type(error).__name__}): try again later") from None
    names = [field.name or field.ID for field in table.fields]
    return [{str(n).lower(): plain(v) for n, v in zip(names, row, strict=True)} for row in table.array]


def plain(value: Any) -> Any:
    """A cell as text, number or None."""
    import numpy as np

    if value is None or np.ma.is_masked(value):
        return None
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace").strip() or None
    if isinstance(value, str):
        return str(value).strip() or None
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and value != value:
        return None
    return value
