"""Finds the recipes' products in a folder, by what their headers say."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from muse_nb.core.errors import MuseError
from muse_nb.products.fits.blocks import hdus

__all__ = ["Product", "find_products"]


@dataclass(frozen=True)
class Product:
    """A product of a recipe.

    Attributes
    ----------
    path : pathlib.Path
    category : str
        PRO CATG.
    ifu : int or None
        Of a product of one IFU.
    cards : Mapping
        Of its primary header.
    """

    path: Path
    category: str
    ifu: int | None
    cards: Mapping[str, object]

    def number(self, keyword: str) -> float | None:
        """Return a number of the primary header; None where there is none."""
        value = self.cards.get(f"ESO {keyword}")
        return float(value) if isinstance(value, (int, float)) else None


def find_products(folder: Path, categories: set[str]) -> dict[str, list[Product]]:
    """Find the products of some categories anywhere below a folder; of several of one IFU the newest counts."""
    found: dict[tuple[str, int | None], Product] = {}
    for path in sorted(folder.rglob("*.fits"), key=lambda path: path.stat().st_mtime):
        for one in _read(path):
            if one.category in categories:
                found[one.category, one.ifu] = one
    products: dict[str, list[Product]] = {}
    for (category, _), one in sorted(found.items(), key=lambda item: (item[0][0], item[0][1] or 0)):
        products.setdefault(category, []).append(one)
    return products


def _read(path: Path) -> Iterator[Product]:
    try:
        cards = hdus(path)[0].cards
    except (MuseError, OSError):  # something else, or still being written
        return
    channel = re.fullmatch(r"CHAN(\d\d)", str(cards.get("EXTNAME", "")).strip())
    yield Product(path, str(cards.get("ESO PRO CATG", "")), int(channel[1]) if channel else None, cards)
