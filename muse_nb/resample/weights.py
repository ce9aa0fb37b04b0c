"""Weights of exposures, by the recipes' names."""

from __future__ import annotations

from muse_nb.products.errors import MuseError
from muse_nb.products.header import need
from muse_nb.products.pixtable import PixelTable

__all__ = ["WEIGHTS", "exposure_weights"]

WEIGHTS = ("exptime", "fwhm", "header", "none")
_SEEING = ("ESO OCS SGS AG FWHMX AVG", "ESO OCS SGS AG FWHMY AVG")  # by the autoguider
_AMBIENT = ("ESO TEL AMBI FWHM START", "ESO TEL AMBI FWHM END")
_OWN = "ESO DRS MUSE WEIGHT"


def exposure_weights(tables: list[PixelTable], kind: str) -> list[float]:
    """Return a weight for each exposure, relative to the first.

    Parameters
    ----------
    tables
        The exposures.
    kind
        ``exptime``: by exposure time; ``fwhm``: by exposure time over seeing, the autoguider's or else the DIMM's;
        ``header``: by exposure time and ESO DRS MUSE WEIGHT; ``none``: all alike.

    Raises
    ------
    MuseError
        There is no such kind, or a header does not say what it needs.
    """
    if kind not in WEIGHTS:
        raise MuseError(f"there is no weight {kind!r}: choose from {', '.join(WEIGHTS)}")
    if kind == "none":
        return [1.0] * len(tables)
    times = [_positive(table, "EXPTIME") for table in tables]
    weights = [time / times[0] for time in times]
    if kind == "fwhm":
        seeing = [_seeing(table) for table in tables]
        weights = [weight * seeing[0] / value for weight, value in zip(weights, seeing, strict=True)]
    if kind == "header":
        weights = [weight * _positive(table, _OWN) for weight, table in zip(weights, tables, strict=True)]
    return weights


def _positive(table: PixelTable, keyword: str) -> float:
    value = need(table.header, keyword, table.path, "choose another weight")
    if not isinstance(value, (int, float)) or not value > 0:
        raise MuseError(f"{table.path}: {keyword} is {value!r}, not a positive number: choose another weight")
    return float(value)


def _seeing(table: PixelTable) -> float:
    for keywords in (_SEEING, _AMBIENT):
        found = [v for k in keywords if isinstance(v := table.header.get(k), (int, float)) and v > 0]
        if found:
            return float(sum(found) / len(found))
    raise MuseError(f"{table.path} lacks {_AMBIENT[0]}: its seeing is unknown, choose another weight")
