"""Images of the sky as an astronomer wants to see them: north marked, in arcseconds, stretched to show the stars."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from muse_nb.products.image_fov import ImageFov

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plot_image", "plot_images"]


def plot_image(image: str | Path | ImageFov, ax: Axes | None = None, *, title: str | None = None) -> Axes:
    """Draw an image with an asinh stretch, in arcseconds from its centre, with arrows to north and east.

    Parameters
    ----------
    image
        IMAGE_FOV, path or opened.
    ax
        Where to draw; by default a new figure.
    title
        By default the exposure's DATE-OBS.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    MuseError
        The image cannot be read.
    """
    import matplotlib.pyplot as plt
    from astropy.visualization import AsinhStretch, ImageNormalize

    opened = image if isinstance(image, ImageFov) else ImageFov.open(image)
    if ax is None:
        _, ax = plt.subplots(figsize=(5.2, 4.6), layout="constrained")
    data = opened.data
    good = data[np.isfinite(data)]
    low, high = np.percentile(good, [5, 99.8]) if good.size else (0.0, 1.0)
    norm = ImageNormalize(vmin=low, vmax=max(high, low + 1e-30), stretch=AsinhStretch(0.05), invalid=None)
    north, east, scale = _directions(opened)
    ny, nx = data.shape
    extent = np.array([-nx / 2, nx / 2, -ny / 2, ny / 2]) * scale
    cmap = plt.get_cmap("gray_r").with_extremes(bad="#7fb2d6")  # no data: not a grey of the stretch
    ax.imshow(data, origin="lower", norm=norm, cmap=cmap, extent=tuple(extent), interpolation="nearest")
    _compass(ax, north, east, float(min(nx, ny) * scale))
    ax.set_xlabel("x [arcsec]")
    ax.set_ylabel("y [arcsec]")
    ax.set_title(title if title is not None else opened.date_obs, fontsize=10)
    return ax


def plot_images(images: Mapping[str, str | Path | ImageFov]) -> Figure:
    """Draw several images side by side under their titles."""
    import matplotlib.pyplot as plt

    columns = len(images) if len(images) < 4 else 2
    rows = -(-len(images) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(4.2 * columns, 4.0 * rows), layout="constrained", squeeze=False)
    for ax in axes.flat[len(images) :]:
        ax.set_axis_off()
    for ax, (title, image) in zip(axes.flat, images.items(), strict=False):
        plot_image(image, ax, title=title)
    return figure


def _directions(image: ImageFov) -> tuple[Any, Any, float]:
    """Unit vectors to north and east in pixels, and the pixel's size [arcsec]."""
    matrix = image.wcs.pixel_scale_matrix * 3600
    scale = float(np.sqrt(abs(np.linalg.det(matrix))))
    to_pixels = np.linalg.inv(matrix)
    north, east = to_pixels @ np.array([0.0, 1.0]), to_pixels @ np.array([1.0, 0.0])
    return north / np.hypot(*north), east / np.hypot(*east), scale


def _compass(ax: Axes, north: Any, east: Any, side: float) -> None:
    length = 0.13 * side
    corner = np.array([0.38, -0.40]) * side
    for name, way in (("N", north), ("E", east)):
        tip_x, tip_y = corner + length * way
        text_x, text_y = corner + 1.28 * length * way
        style = {"arrowstyle": "-|>", "color": "#d55e00", "lw": 1.6}
        ax.annotate("", (tip_x, tip_y), (corner[0], corner[1]), arrowprops=style)
        ax.text(text_x, text_y, name, color="#d55e00", ha="center", va="center", fontsize=10)
