"""How pages lead to each other: the one before, the next, and the index of all."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Link", "links_of"]


@dataclass(frozen=True)
class Link:
    """Where a page leads.

    Attributes
    ----------
    kind : str
        ``previous``, ``index``, ``next`` or ``step``, the notebook after this one where the next page is of the same.
    href, title : str
    """

    kind: str
    href: str
    title: str


def links_of(steps: Sequence[Sequence[tuple[Path, str]]], index: Path) -> dict[Path, tuple[Link, ...]]:
    """Link the pages of a set.

    Parameters
    ----------
    steps
        Page and title of each notebook, in their order; several where it was run for several exposures.
    index
        The page that lists them.

    Returns
    -------
    dict
        Links of each page.
    """
    filled = [step for step in steps if step]
    found = {}
    for k, step in enumerate(filled):
        for j, (page, _) in enumerate(step):
            before = step[j - 1] if j else filled[k - 1][0] if k else None
            after = step[j + 1] if j + 1 < len(step) else filled[k + 1][0] if k + 1 < len(filled) else None
            further = filled[k + 1][0] if j + 1 < len(step) and k + 1 < len(filled) else None
            all_ = (("previous", before), ("index", (index, "All pages")), ("next", after), ("step", further))
            found[page] = tuple(Link(kind, _href(page, to[0]), to[1]) for kind, to in all_ if to is not None)
    return found


def _href(page: Path, to: Path) -> str:
    return Path(os.path.relpath(to.absolute(), page.absolute().parent)).as_posix()
