"""Static pictures of what a viewer shows, with NumPy and Pillow alone; the same formulas as in the shaders."""

from __future__ import annotations

import io
from collections.abc import Container, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from muse_nb.widgets.shared.base import colour_map
from muse_nb.widgets.shared.limits import ASINH, LOG

__all__ = ["as_png", "coloured", "font", "marked", "of_table", "part_seen", "png", "rgb", "stretched"]

_PICTURED = 40  # rows of a table's picture
_ROW, _SPACE = 20, 22  # its pixels
NAN_COLOUR, PAPER, INK, SOFT = (64, 64, 71), (22, 23, 27), (225, 225, 225), (165, 168, 176)


def stretched(values: NDArray[Any], low: float, high: float, stretch: str) -> NDArray[np.float64]:
    """Values between limits to 0..1, by one of `STRETCHES`."""
    q = np.clip((np.asarray(values, dtype=np.float64) - low) / max(high - low, 1e-9), 0, 1)
    if stretch == "asinh":
        return np.asarray(np.arcsinh(ASINH * q) / np.arcsinh(ASINH))
    if stretch == "log":
        return np.asarray(np.log1p(LOG * q) / np.log(1 + LOG))
    return np.asarray(q)


def coloured(values: NDArray[Any], limits: Sequence[float], stretch: str, name: str) -> NDArray[np.uint8]:
    """RGB picture of an image; NaN is grey."""
    table = np.frombuffer(colour_map(name), np.uint8).reshape(256, 3)
    q = stretched(values, limits[0], limits[1], stretch)
    bad = ~np.isfinite(q)
    picture: NDArray[np.uint8] = table[np.rint(np.where(bad, 0, q) * 255).astype(np.uint8)]
    picture[bad] = NAN_COLOUR
    return picture


def rgb(colour: str) -> tuple[int, int, int]:
    """Red, green, blue of ``#rrggbb``."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def marked(
    picture: NDArray[np.uint8], where: NDArray[np.bool_], colour: str, opacity: float = 0.75
) -> NDArray[np.uint8]:
    """Lay a colour over the marked pixels of a picture."""
    new = picture.copy()
    new[where] = picture[where] * (1 - opacity) + opacity * np.array(rgb(colour))
    return new


def part_seen(image: NDArray[Any], view: Sequence[float], width: int, height: int) -> NDArray[Any]:
    """The part of an image that a view ``[x, y, pixels per pixel]`` shows, north up as a picture; NaN outside."""
    x, y, scale = view
    columns = np.rint(x + (np.arange(width) + 0.5 - width / 2) / scale).astype(int)
    rows = np.rint(y - (np.arange(height) + 0.5 - height / 2) / scale).astype(int)
    inside = ((rows >= 0) & (rows < image.shape[0]))[:, None] & ((columns >= 0) & (columns < image.shape[1]))
    part = image[np.clip(rows, 0, image.shape[0] - 1)[:, None], np.clip(columns, 0, image.shape[1] - 1)]
    return np.where(inside, part, np.nan if part.dtype.kind == "f" else 0)


def png(picture: NDArray[np.uint8], caption: str = "") -> bytes:
    """PNG of an RGB picture (first row on top), with a line of text under it."""
    from PIL import Image, ImageDraw

    height, width = picture.shape[:2]
    foot = 22 if caption else 0
    page = Image.new("RGB", (width, height + foot), PAPER)
    page.paste(Image.fromarray(picture), (0, 0))
    if caption:
        ImageDraw.Draw(page).text((6, height + 4), caption, fill=INK, font=font(12))
    return as_png(page.quantize(256, dither=Image.Dither.NONE))  # a noisy frame in full colour is 3 times as large


def font(size: int) -> Any:
    """The font of all text in pictures."""
    from PIL import ImageFont

    return ImageFont.load_default(size=size)


def as_png(page: Any) -> bytes:
    """PNG file of a Pillow image."""
    stream = io.BytesIO()
    page.save(stream, "PNG", compress_level=6)
    return stream.getvalue()


def of_table(
    columns: Sequence[str], rows: Sequence[Sequence[str]], chosen: Container[str], notes: Sequence[str]
) -> bytes:
    """PNG of a table's first rows, those marked whose first cell is chosen, and lines below it."""
    from PIL import Image, ImageDraw, ImageFont

    written = ImageFont.load_default(size=12)
    lines = [list(columns), *rows[:_PICTURED]]
    widths = [max(written.getlength(line[k]) for line in lines) + _SPACE for k in range(len(columns))]
    left = len(rows) - _PICTURED
    below = ([f"and {left} more"] if left > 0 else []) + list(notes)
    width = max(sum(widths), *(written.getlength(text) + _SPACE for text in below), 1.0)
    page = Image.new("RGB", (int(width), _ROW * (len(lines) + len(below)) + 8), PAPER)
    pen = ImageDraw.Draw(page)
    for number, line in enumerate(lines):
        if number and line[0] in chosen:
            pen.rectangle((0, number * _ROW + 2, page.width, (number + 1) * _ROW + 2), fill=(30, 60, 100))
        for k, text in enumerate(line):
            place = (int(sum(widths[:k])) + _SPACE // 2, number * _ROW + 4)
            pen.text(place, text, fill=INK if number else SOFT, font=written)
    for number, text in enumerate(below, len(lines)):
        pen.text((_SPACE // 2, number * _ROW + 4), text, fill=SOFT, font=written)
    return as_png(page)
