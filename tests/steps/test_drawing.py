"""Images of the sky: arrows to north and east, arcseconds on the axes, a stretch that no NaN or flat image breaks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
import pytest
from astropy import units as u
from astropy.io import fits

import muse_nb
from muse_nb.core.errors import MuseError
from muse_nb.products.image_fov import ImageFov
from muse_nb.steps.drawing import plot_image, plot_images

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from muse_nb.simulator.night import Night

mpl.use("agg")


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    import matplotlib.pyplot as plt

    plt.close("all")


@pytest.fixture(scope="module")
def images(night: Night) -> list[Path]:
    return muse_nb.survey(night.folder).files_of("IMAGE_FOV")


def with_data(path: Path, data: np.ndarray, copy: Path) -> Path:
    """Copy of an image file with other pixels."""
    with fits.open(path) as hdus:
        hdus[ImageFov.open(path).extension].data = data.astype("f4")
        hdus.writeto(copy)
    return copy


def arrow(ax: Axes, name: str) -> np.ndarray:
    """Where an arrow points, in points from its start."""
    (named,) = (text for text in ax.texts if text.get_text() == name)
    return np.array(named.get_position())


def test_the_arrows_point_where_the_sky_is(images: list[Path]) -> None:
    for path in images:
        opened = ImageFov.open(path)
        ny, nx = opened.data.shape
        here = opened.wcs.pixel_to_world(nx / 2, ny / 2)
        ax = plot_image(opened)
        for name, angle in (("N", 0), ("E", 90)):
            there = opened.wcs.world_to_pixel(here.directional_offset_by(angle * u.deg, 1 * u.arcsec))
            way = np.array([float(there[0]) - nx / 2, float(there[1]) - ny / 2])
            drawn = arrow(ax, name)
            cosine = way @ drawn / np.hypot(*way) / np.hypot(*drawn)
            assert cosine > 0.999, f"{name} of {path.name}"


def test_the_arrows_cover_nothing_of_the_image(images: list[Path]) -> None:
    ax = plot_image(images[0])
    ax.figure.canvas.draw()
    assert {text.get_text() for text in ax.texts} == {"N", "E"}
    assert not any(text.get_window_extent().overlaps(ax.get_window_extent()) for text in ax.texts)


def test_axes_are_in_arcseconds_from_the_centre(images: list[Path]) -> None:
    opened = ImageFov.open(images[0])
    ax = plot_image(opened)
    scale = np.sqrt(abs(np.linalg.det(opened.wcs.pixel_scale_matrix))) * 3600
    assert ax.get_xlim() == pytest.approx(np.array([-1, 1]) * opened.data.shape[1] * scale / 2)
    assert "arcsec" in ax.get_xlabel()
    assert "arcsec" in ax.get_ylabel()
    assert ax.get_title() == opened.date_obs


@pytest.mark.parametrize("value", [np.nan, 0.0])
def test_an_image_without_anything_on_it_is_drawn(images: list[Path], value: float, tmp_path: Path) -> None:
    data = np.full(ImageFov.open(images[0]).shape, value)
    plot_image(with_data(images[0], data, tmp_path / "flat.fits")).figure.canvas.draw()


def test_no_data_does_not_look_like_sky(images: list[Path], tmp_path: Path) -> None:
    data = np.nan_to_num(ImageFov.open(images[0]).data)
    data[:3] = np.nan
    colours = (
        plot_image(with_data(images[0], data, tmp_path / "edge.fits")).images[0].to_rgba(np.ma.masked_invalid(data))
    )
    assert len(set(colours[0, 0, :3])) > 1
    assert all(len(set(colour[:3])) == 1 for colour in colours[5])


def test_several_stand_side_by_side_under_their_titles(images: list[Path]) -> None:
    figure = plot_images({f"image {i}": images[0] for i in range(5)})
    assert [ax.get_title() for ax in figure.axes if ax.images] == [f"image {i}" for i in range(5)]


def test_a_file_that_is_no_image_is_said(tmp_path: Path) -> None:
    (tmp_path / "no.fits").write_bytes(b"no")
    with pytest.raises(MuseError, match=r"no\.fits"):
        plot_image(tmp_path / "no.fits")
