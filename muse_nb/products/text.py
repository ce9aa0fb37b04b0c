"""Text that is not ours (file names, header values) made fit for one line of a terminal or a sentence."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["listed", "printable"]


def printable(text: object) -> str:
    r"""Write line breaks, escape sequences and undecodable bytes as ``\n``, ``\x1b``, ``\udcff``; the rest as it is."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in str(text))


def listed(names: Sequence[object], most: int = 3) -> str:
    """Name the first few and count the rest.

    Examples
    --------
    >>> listed(["a", "b", "c", "d", "e"])
    'a, b, c and 2 more'
    """
    few = names if len(names) <= most + 1 else names[:most]
    rest = f" and {len(names) - len(few)} more" if len(few) < len(names) else ""
    return ", ".join(printable(name) for name in few) + rest
