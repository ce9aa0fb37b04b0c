"""Images of the sky as an astronomer wants to see them: north marked, in arcseconds, stretched to show the stars."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from muse_nb.core.errors import MuseError
from muse_nb.core.text import printable
from muse_nb.products.axes.sky import SkyAxes
from muse_nb.products.image_fov import ImageFov

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw_map", "plot_image", "plot_images"]

_BAR = (1.03, 0.25, 0.05, 0.75)  # of the colour bar beside an image: left, bottom, width, height [axes]
_COMPASS = (38.0, 4.0)  # from the image's lower right corner to the compass below the bar [points]
_ARROW = 26.0  # length of its arrows, letters included [points]


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

    Examples
    --------
    >>> axes = muse_nb.plot_image(muse_nb.survey("night").files_of("IMAGE_FOV")[0])
    >>> axes.figure.savefig("image.png")
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
    shown = ax.imshow(data, origin="lower", norm=norm, cmap=cmap, extent=tuple(extent), interpolation="nearest")
    bar = ax.figure.colorbar(shown, cax=ax.inset_axes(_BAR))
    bar.set_label(_unit(opened), fontsize=8)
    bar.ax.tick_params(labelsize=7)
    _compass(ax, north, east)
    ax.set_xlabel(f"x [arcsec] from {_centre(opened)}", fontsize=9)
    ax.set_ylabel("y [arcsec]", fontsize=9)
    ax.set_title(title if title is not None else opened.date_obs, fontsize=10)
    return ax


def plot_images(images: Mapping[str, str | Path | ImageFov], *, close_up: float = 0.0) -> Figure:
    """Draw several images side by side under their titles.

    Parameters
    ----------
    images
        By title.
    close_up
        Half a side [arcsec] of the part around the brightest pixel that is shown, with the line of half its height over
        the image's median: how wide a star is can be seen. 0 for the whole images.

    Raises
    ------
    MuseError
        There are no images, or one cannot be read.

    Examples
    --------
    >>> images = muse_nb.survey("night").files_of("IMAGE_FOV")
    >>> figure = muse_nb.plot_images({"at 0 deg": images[0], "at 90 deg": images[1]}, close_up=1.2)
    >>> figure.savefig("images.png")
    """
    import matplotlib.pyplot as plt

    if not images:
        raise MuseError("no image was given: an IMAGE_FOV is needed to draw")
    columns = len(images) if len(images) < 4 else 2
    rows = -(-len(images) // columns)
    figure: Figure
    figure, axes = plt.subplots(rows, columns, figsize=(4.2 * columns, 4.0 * rows), layout="constrained", squeeze=False)
    for ax in axes.flat[len(images) :]:
        ax.set_axis_off()
    for ax, (title, image) in zip(axes.flat, images.items(), strict=False):
        plot_image(image, ax, title=title)
        if close_up > 0:
            _close_up(ax, close_up)
    return figure


def _close_up(ax: Axes, half: float) -> None:
    """Show the surroundings of the brightest pixel that lies far enough from the edge, and its half height."""
    left, right, bottom, top = ax.images[0].get_extent()
    drawn = ax.images[0].get_array()
    if drawn is None:
        return
    data = np.asarray(np.ma.filled(drawn, np.nan))
    ny, nx = data.shape
    x = left + (np.arange(nx) + 0.5) * (right - left) / nx
    y = bottom + (np.arange(ny) + 0.5) * (top - bottom) / ny
    inside = (abs(x) < right - half)[None] & (abs(y) < top - half)[:, None] & np.isfinite(data)
    if not inside.any():
        return
    j, i = np.unravel_index(np.argmax(np.where(inside, data, -np.inf)), data.shape)
    height = (data[j, i] + np.nanmedian(data)) / 2
    ax.contour(x, y, np.nan_to_num(data), levels=[height], colors="#d55e00", linewidths=1.2)
    ax.set(xlim=(x[i] - half, x[i] + half), ylim=(y[j] - half, y[j] + half))


def _centre(image: ImageFov) -> str:
    """RA and Dec of the image's centre, in words."""
    from astropy.coordinates import Angle

    ny, nx = image.shape
    ra, dec = (float(value[0]) for value in image.wcs.wcs_pix2world([(nx - 1) / 2], [(ny - 1) / 2], 0))
    if not (np.isfinite(ra) and np.isfinite(dec)):
        return "the centre"
    east, north = Angle(ra, "deg").to_string("hour", sep=":", precision=1, pad=True), Angle(dec, "deg")
    return f"RA {east}, Dec {north.to_string('deg', sep=':', precision=0, pad=True, alwayssign=True)}"


def _unit(image: ImageFov) -> str:
    unit = str(image.header.get("BUNIT", ""))
    for written, read in (("10**(-20)*", "10⁻²⁰ "), ("**2", "²"), ("Angstrom", "Å")):
        unit = unit.replace(written, read)
    return printable(unit)


def _directions(image: ImageFov) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Unit vectors to north and east in pixels, and the pixel's size [arcsec]."""
    axes = SkyAxes.of(image.header, image.path)
    return axes.north, axes.east, float(np.sqrt(axes.scale[0] * axes.scale[1]))


def _compass(ax: Axes, north: NDArray[np.float64], east: NDArray[np.float64]) -> None:
    """Arrows to the north and the east beside the image, below its colour bar: they cover nothing."""
    from matplotlib.transforms import offset_copy

    start = offset_copy(ax.transAxes, ax.get_figure(root=True), *_COMPASS, units="points")
    for name, way in (("N", north), ("E", east)):
        ax.annotate(
            name,
            xy=(1.0, 0.0),
            xycoords=start,
            xytext=tuple(_ARROW * way / np.hypot(*way)),
            textcoords="offset points",
            ha="center",
            va="center",
            fontsize=9,
            annotation_clip=False,
            arrowprops={"arrowstyle": "<|-", "lw": 1.2, "color": "black", "shrinkA": 0, "shrinkB": 0},
        )


def draw_map(
    ax: Axes,
    values: NDArray[np.floating],
    header: Mapping[str, Any],
    top: float = 1.0,
    *,
    low: float = 0.0,
    label: str = "NaN [fraction of planes]",
    cmap: str = "cividis",
) -> None:
    """Draw a map (shape (ny, nx)) from `low` to `top`, with the sky's directions from the WCS."""
    ny, nx = values.shape
    scale = _arcsec(header)
    extent = (-0.5 * nx * scale[0], 0.5 * nx * scale[0], -0.5 * ny * scale[1], 0.5 * ny * scale[1])
    image = ax.imshow(values, origin="lower", extent=extent, cmap=cmap, vmin=low, vmax=top)
    ax.figure.colorbar(image, cax=ax.inset_axes(_BAR), label=label)
    unit = "arcsec" if scale != (1, 1) else "pixel"
    ax.set(xlabel=f"x [{unit}]", ylabel=f"y [{unit}]")
    try:
        sky = SkyAxes.of(header, "")
    except MuseError:  # nothing is said of directions then
        return
    _compass(ax, sky.north, sky.east)


def _arcsec(header: Mapping[str, Any]) -> tuple[float, float]:
    """Size of a spaxel [arcsec]; (1, 1) when the header does not say."""
    try:
        return SkyAxes.of(header, "").scale
    except MuseError:
        return 1, 1
