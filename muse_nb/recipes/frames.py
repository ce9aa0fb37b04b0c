"""A set of frames for a recipe: which file serves as what, checked before the recipe sees it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from muse_nb.core.errors import MuseError
from muse_nb.products.fits.blocks import hdus

__all__ = ["FrameSet", "check", "frame_list", "link"]

FrameSet = Mapping[str, "Iterable[str | Path] | str | Path"]


def frame_list(frames: FrameSet | Iterable[tuple[str | Path, str]]) -> list[tuple[Path, str]]:
    """Bring frames into one form.

    Parameters
    ----------
    frames
        Tag to one file or several, or pairs of file and tag, as in a set-of-frames file.

    Returns
    -------
    list of (pathlib.Path, str)
        Absolute path and tag.
    """
    pairs: list[tuple[str | Path, str]] = []
    if isinstance(frames, Mapping):
        for tag, paths in frames.items():
            several = [paths] if isinstance(paths, (str, Path)) else list(paths)
            pairs += [(path, tag) for path in several]
    else:
        pairs = list(frames)
    return [(Path(path).absolute(), tag) for path, tag in pairs]


def check(frames: list[tuple[Path, str]], recipe: str) -> None:
    """Look at every frame before the recipe does: is it there, is it FITS, is it whole?

    Raises
    ------
    MuseError
        There are no frames, or one is not there, is no FITS file or is truncated.
    """
    if not frames:
        raise MuseError(f"{recipe} got no frames: is the folder empty?")
    for path, tag in frames:
        if not path.exists():
            raise MuseError(f"{recipe}: {path} ({tag}) is not there: check its name")
        hdus(path)


def link(frames: list[tuple[Path, str]], folder: Path) -> list[tuple[Path, str]]:
    """Link every frame into `folder`, relative to its parent, under a plain name close to its own.

    The recipes write that name into their products; esorex's lists cannot hold blanks, and CPL takes ASCII only.
    """
    linked = []
    for number, (path, tag) in enumerate(frames):
        place = folder / f"{number:04d}"
        place.mkdir()
        name = place / re.sub(r"[^\w.+-]", "_", path.name, flags=re.ASCII)
        name.symlink_to(path)
        linked.append((name.relative_to(folder.parent), tag))
    return linked
