"""Products held against the truth: a number, its limit and a sentence each."""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape
from pathlib import Path

from muse_nb.core.html import Shown, findings_html, table_html
from muse_nb.core.text import printable

__all__ = ["Agreement", "Comparison"]

_WORD = {True: "agrees", False: "differs", None: "not known"}


@dataclass(frozen=True)
class Agreement:
    """One quantity of a product against the truth.

    Attributes
    ----------
    name : str
        The same from night to night.
    value : float
        Its difference from the truth; NaN where there is no product.
    limit : float
        The largest difference that counts as agreement.
    unit : str
        Of both.
    text : str
        A sentence with the numbers.
    """

    name: str
    value: float
    limit: float
    unit: str
    text: str

    @property
    def good(self) -> bool | None:
        """Whether it agrees; None where there was nothing to compare."""
        return None if math.isnan(self.value) else bool(self.value <= self.limit)


@dataclass(frozen=True)
class Comparison(Shown):
    """All that was compared.

    Attributes
    ----------
    folder, products : pathlib.Path
        The simulated night, and what the recipes made of it.
    agreements : tuple of Agreement
    """

    folder: Path
    products: Path
    agreements: tuple[Agreement, ...]

    @property
    def good(self) -> bool:
        """Whether something was compared, and all of that agrees."""
        known = [one.good for one in self.agreements if one.good is not None]
        return bool(known) and all(known)

    @property
    def complete(self) -> bool:
        """Whether every quantity could be compared."""
        return all(one.good is not None for one in self.agreements)

    @property
    def findings(self) -> tuple[str, ...]:
        """What differs, a sentence each."""
        return tuple(one.text for one in self.agreements if one.good is False)

    def __getitem__(self, name: str) -> Agreement:
        """Return an agreement by its name; KeyError if there is none."""
        for one in self.agreements:
            if one.name == name:
                return one
        raise KeyError(name)

    def summary(self) -> dict[str, object]:
        """Everything as plain lists and dictionaries; unknown numbers are None."""
        return {
            "folder": str(self.folder),
            "products": str(self.products),
            "agreements": [
                {
                    "name": one.name,
                    "value": None if one.good is None else one.value,
                    "limit": one.limit,
                    "unit": one.unit,
                    "good": one.good,
                    "text": one.text,
                }
                for one in self.agreements
            ],
        }

    def __str__(self) -> str:
        """Tell it in lines."""
        width = max((len(one.name) for one in self.agreements), default=0)
        return "\n".join(f"{_WORD[one.good]:9}  {one.name:{width}}  {printable(one.text)}" for one in self.agreements)

    def _repr_html_(self) -> str:
        rows = [
            [
                one.name,
                "–" if one.good is None else f"{one.value:.2g} {one.unit}".strip(),
                f"{one.limit:g} {one.unit}".strip(),
                _WORD[one.good],
                one.text,
            ]
            for one in self.agreements
        ]
        head = ["what", "differs by", "may differ by", "", "in words"]
        title = f"<p><b>{escape(printable(self.products))}</b> against the truth</p>"
        return title + table_html(head, rows, kind="truth") + findings_html(self.findings)
