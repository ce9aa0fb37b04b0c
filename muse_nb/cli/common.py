"""What commands have in common: arguments, sizes, JSON, figures, and warnings as one line."""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from muse_nb.core.text import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "add_force",
    "add_json",
    "memory_size",
    "print_error",
    "print_json",
    "save_figure",
    "warnings_as_lines",
    "without_warnings",
]

UNITS = {"k": 1e3, "m": 1e6, "g": 1e9, "t": 1e12}
DPI = 150  # of figures


def add_force(parser: argparse.ArgumentParser, text: str = "replace outputs that are there") -> None:
    """Declare ``--force``."""
    parser.add_argument("--force", action="store_true", help=text)


def add_json(parser: argparse.ArgumentParser, text: str = "print the result for scripts") -> None:
    """Declare ``--json``."""
    parser.add_argument("--json", action="store_true", help=text)


def memory_size(text: str) -> float:
    """Read a size such as ``4GB``, ``500M`` or ``2e9`` [byte].

    Raises
    ------
    argparse.ArgumentTypeError
        It is no size, or not above 0.
    """
    word = text.strip().lower().removesuffix("b").removesuffix("i")
    factor = UNITS.get(word[-1:], 1.0)
    try:
        size = float(word.rstrip("".join(UNITS))) * factor
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no size: write 4GB or 500MB") from None
    if not size > 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not above 0")
    return size


def print_json(result: object, *, indent: int | None = 1, allow_nan: bool = True) -> None:
    """Print a result for scripts: numbers of numpy as Python's, paths and the like as text."""
    print(json.dumps(result, default=_plain, indent=indent, allow_nan=allow_nan))


def _plain(value: object) -> object:
    return value.item() if hasattr(value, "item") else str(value)


def save_figure(draw: Callable[[], Axes], path: str | Path, *, force: bool) -> None:
    """Draw, and write the figure of the axes that are returned as PNG.

    Raises
    ------
    MuseError
        The file is there already, or cannot be written.
    """
    import matplotlib as mpl

    from muse_nb.core.atomic import atomic_write

    mpl.use("Agg")
    with atomic_write(path, force=force) as part:
        draw().figure.savefig(part, dpi=DPI, format="png")  # type: ignore[union-attr]


def print_error(command: str, error: object) -> None:
    """Print one line to stderr, whatever the text holds."""
    print(f"muse-nb {command}: {printable(' '.join(str(error).split()))}", file=sys.stderr)


@contextmanager
def without_warnings() -> Iterator[None]:
    """Leave out warnings about the data, because the result that is printed holds them."""
    from muse_nb.core.errors import MuseWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MuseWarning)
        yield


@contextmanager
def warnings_as_lines(command: str) -> Iterator[None]:
    """Print warnings about the data as one line each, at the end."""
    from muse_nb.core.errors import MuseWarning

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", MuseWarning)
        yield
    for warning in caught:
        print_error(command, warning.message)
