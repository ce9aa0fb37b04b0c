"""The static picture of a cube viewer: the image with its regions, and the spectra below it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from muse_nb.widgets.cube.described import readable
from muse_nb.widgets.cube.looks import Picture
from muse_nb.widgets.cube.shapes import Drawn
from muse_nb.widgets.shared import picture as pictures
from muse_nb.widgets.shared.limits import limits

__all__ = ["Curve", "draw"]

WIDTH, PLOT, ROOM = 900, 250, 78  # pixels: of the page, height of the plot, left of its axis
SIDE = 480
Curve = tuple[str, NDArray[Any]]
"""Colour and flux."""


def draw(
    shown: list[Picture],
    waves: NDArray[Any],
    curves: list[Curve],
    shapes: list[Drawn],
    unit: str,
    settings: dict[str, Any],
) -> bytes:
    """PNG of images (three are red, green and blue) and of spectra.

    Parameters
    ----------
    shown
        The images.
    waves, curves
        Wavelengths [Angstrom], and the spectra.
    shapes
        Regions, as they are drawn.
    unit
        Of the first spectrum.
    settings
        stretch, limits (mode), cut, cmap, causes (colours by code).
    """
    from PIL import Image, ImageDraw

    rgb = _coloured(shown, settings)
    ny, nx = rgb.shape[:2]
    zoom = SIDE / max(nx, ny)
    image = Image.fromarray(rgb[::-1]).resize((round(nx * zoom), round(ny * zoom)), Image.Resampling.NEAREST)
    page = Image.new("RGB", (WIDTH, image.height + 30 + PLOT), pictures.PAPER)
    left = (WIDTH - image.width) // 2
    page.paste(image, (left, 0))
    pen = ImageDraw.Draw(page)
    for shape in shapes:
        corners = [(left + (x + 0.5) * zoom, image.height - (y + 0.5) * zoom) for x, y in _outline(shape)]
        pen.line([*corners, corners[0]], fill=pictures.rgb(shape.get("colour", "#e69f00")), width=2)
    caption = f"{shown[0].label}   [{readable(shown[0].unit)}]" if shown[0].unit else shown[0].label
    pen.text((left, image.height + 5), caption, fill=pictures.INK, font=_font(13))
    _plot(pen, image.height + 34, waves, curves, unit)
    return pictures.as_png(page.quantize(256, dither=Image.Dither.NONE))


def _font(size: int) -> Any:
    """DejaVu Sans, which matplotlib brings along: Pillow's own font lacks Å and raised digits."""
    import matplotlib
    from PIL import ImageFont

    path = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    return ImageFont.truetype(path, size) if path.exists() else pictures.font(size)


def _ticks(low: float, high: float, wanted: int) -> list[float]:
    """Round numbers inside a range."""
    rough = (high - low) / wanted
    power = 10.0 ** math.floor(math.log10(rough)) if rough > 0 else 1.0
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= rough)
    return [step * n for n in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _coloured(shown: list[Picture], settings: dict[str, Any]) -> NDArray[np.uint8]:
    if len(shown) == 3:
        parts = []
        for one in shown:
            low, high = limits(one.data)[settings["limits"]]
            q = pictures.stretched(one.data, low, high, settings["stretch"])
            parts.append(np.where(np.isfinite(q), 255 * q, 64).astype(np.uint8))
        return np.stack(parts, axis=-1)
    data = np.asarray(shown[0].data, float)
    data = np.where(np.isfinite(data), data, np.nan)
    ends = settings["cut"] if len(settings["cut"]) == 2 else limits(data)[settings["limits"]]
    rgb = pictures.coloured(data, ends, settings["stretch"], settings["cmap"])
    if shown[0].causes is not None:
        for code, colour in settings["causes"].items():
            rgb = pictures.marked(rgb, shown[0].causes == code, colour, 1.0)
    return rgb


def _outline(shape: Drawn) -> list[tuple[float, float]]:
    """Points of a region's edge [spaxel]; of an annulus the outer one."""
    if shape["kind"] == "polygon":
        return [(float(x), float(y)) for x, y in shape["points"]]
    x, y, a, b = (float(shape[name]) for name in ("x", "y", "a", "b"))
    turn = math.radians(float(shape.get("angle", 0)))
    if shape["kind"] == "rectangle":
        corners = [(a, b), (-a, b), (-a, -b), (a, -b)]
    else:
        a, b = {"circle": (a, a), "annulus": (b, b)}.get(shape["kind"], (a, b))
        corners = [(a * math.cos(t), b * math.sin(t)) for t in np.linspace(0, 2 * math.pi, 48)]
    return [
        (x + u * math.cos(turn) - v * math.sin(turn), y + u * math.sin(turn) + v * math.cos(turn)) for u, v in corners
    ]


def _plot(pen: Any, top: int, waves: NDArray[Any], curves: list[Curve], unit: str) -> None:
    """Spectra in a frame with a few ticks."""
    right, bottom, font = WIDTH - 14, top + PLOT - 52, _font(12)
    pen.rectangle((ROOM, top, right, bottom), outline=pictures.SOFT)
    values = np.concatenate([curve[np.isfinite(curve)] for _, curve in curves]) if curves else np.zeros(0)
    if not values.size:
        pen.text((ROOM + 12, top + 8), "no spectrum: click a spaxel or draw a region", fill=pictures.SOFT, font=font)
        return
    low, high = np.percentile(values, (0.5, 100))
    room = 0.08 * (high - low) or 1.0
    low, high = float(low - room), float(high + room)
    first, last = float(waves.min()), float(waves.max())
    span = last - first or 1.0
    for tick in _ticks(first, last, 6):
        at = ROOM + (tick - first) / span * (right - ROOM)
        pen.line((at, bottom, at, bottom + 4), fill=pictures.SOFT)
        pen.text((at, bottom + 6), f"{tick:.0f}", fill=pictures.INK, font=font, anchor="ma")
    for tick in _ticks(low, high, 4):
        at = bottom - (tick - low) / (high - low) * (bottom - top)
        pen.text((ROOM - 5, at), f"{tick:.6g}", fill=pictures.INK, font=font, anchor="rm")
    pen.text(((ROOM + right) / 2, bottom + 24), "wavelength [Å]", fill=pictures.INK, font=font, anchor="ma")
    pen.text((ROOM + 6, top + 4), readable(unit), fill=pictures.INK, font=font)
    for colour, curve in curves:
        x = ROOM + (waves - first) / span * (right - ROOM)
        y = bottom - (np.clip(curve, low, high) - low) / (high - low) * (bottom - top)
        good = np.isfinite(y)
        for piece in np.split(np.arange(len(y)), np.flatnonzero(np.diff(good.astype(int))) + 1):
            if good[piece[0]] and len(piece) > 1:
                pen.line(
                    list(zip(x[piece].tolist(), y[piece].tolist(), strict=True)), fill=pictures.rgb(colour), width=1
                )
