"""Weights of exposures, by the recipes' names."""

from __future__ import annotations

from muse_nb.core.errors import MuseError
from muse_nb.products.header import need, number_of
from muse_nb.products.pixtable import PixelTable

__all__ = ["WEIGHTS", "exposure_weights", "weight_notes"]

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
        ``exptime``: by exposure time; ``fwhm``: by exposure time over seeing, the autoguider's or else the DIMM's,
        whichever all exposures have, and where they have neither by exposure time (see `weight_notes`);
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
    seeing = _seeing(tables) if kind == "fwhm" else None
    if seeing:
        weights = [weight * seeing[0] / value for weight, value in zip(weights, seeing, strict=True)]
    if kind == "header":
        weights = [weight * _positive(table, _OWN) for weight, table in zip(weights, tables, strict=True)]
    return weights


def _positive(table: PixelTable, keyword: str) -> float:
    value = need(table.header, keyword, table.path, "choose another weight")
    if not isinstance(value, (int, float)) or not value > 0:
        raise MuseError(f"{table.path}: {keyword} is {value!r}, not a positive number: choose another weight")
    return float(value)


def weight_notes(tables: list[PixelTable], kind: str) -> list[str]:
    """Say where weights are not those asked for: without the seeing they are exposure times, as the recipe's are."""
    if kind != "fwhm" or not tables or _seeing(tables):
        return []
    lacking = [table.path.name for table in tables if not _measured(table, _AMBIENT)]
    return [
        f"{', '.join(lacking)} lack{'s' * (len(lacking) == 1)} the seeing ({' and '.join(_AMBIENT)}, or the"
        " autoguider's): all exposures are weighted by exposure time alone, as by muse_exp_combine"
    ]


def _seeing(tables: list[PixelTable]) -> list[float]:
    """Seeing of all exposures by one and the same instrument; none where neither has measured all of them."""
    for keywords in (_SEEING, _AMBIENT):
        found = [_measured(table, keywords) for table in tables]
        if all(found):
            return found
    return []


def _measured(table: PixelTable, keywords: tuple[str, str]) -> float:
    """Mean of two measurements; 0 where one is missing or not positive."""
    values = [number_of(table.header.get(keyword)) or 0.0 for keyword in keywords]
    return sum(values) / 2 if min(values) > 0 else 0.0
