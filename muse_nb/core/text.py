"""Text that is not ours (file names, header values), and numbers, made fit for a line, a sentence or a table."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["listed", "printable", "signed"]


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


def signed(value: float, digits: int = 1) -> str:
    r"""Write a number with its sign, a minus as wide as the plus.

    Examples
    --------
    >>> ascii(signed(-227.72))
    "'\\u2212227.7'"
    """
    return f"{value:+.{digits}f}".replace("-", "\u2212")
