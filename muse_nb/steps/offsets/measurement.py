"""The images of a field, prepared once, so that offsets can be measured again after every click."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import numpy as np

from muse_nb.core.errors import MuseError
from muse_nb.core.progress import Progress, silent
from muse_nb.products.image_fov import ImageFov
from muse_nb.steps.offsets.starfit.arrays import Floats
from muse_nb.steps.offsets.starfit.begin import Attempt, begin
from muse_nb.steps.offsets.starfit.catalogue import StarShifts, star_shifts
from muse_nb.steps.offsets.starfit.click import centre, listed
from muse_nb.steps.offsets.starfit.filled import without_fill
from muse_nb.steps.offsets.starfit.frame import Frame
from muse_nb.steps.offsets.starfit.geometry import Plane, from_tangent, to_tangent
from muse_nb.steps.offsets.starfit.noise import core_chi2
from muse_nb.steps.offsets.starfit.prepare import prepare
from muse_nb.steps.offsets.starfit.solve import Solution, complete

__all__ = ["Measurement", "damage_told", "open_images"]

MIN_PIXEL_WIDTH = 1e-3  # of a pixel's length on the sky
MAX_STARS_AT_ONCE = 250  # of an exposure that answer a click at once: more take too long to invert


def open_images(images: Iterable[str | Path | ImageFov]) -> list[ImageFov]:
    """Open IMAGE_FOVs and put them in time order.

    Raises
    ------
    MuseError
        There are fewer than two, or two are of the same exposure.
    """
    if isinstance(images, str | Path | ImageFov):
        images = [images]
    opened = [image if isinstance(image, ImageFov) else ImageFov.open(image) for image in images]
    if len(opened) < 2:
        what = f"{opened[0].path} is the only image" if opened else "no image was given"
        raise MuseError(f"{what}: an offset lies between exposures, give at least two IMAGE_FOVs")
    opened.sort(key=lambda image: (image.date_obs, str(image.path)))
    for one, two in pairwise(opened):
        if _moment(one.date_obs) == _moment(two.date_obs):
            raise MuseError(
                f"{one.path} and {two.path} have the same DATE-OBS {one.date_obs}: the recipe matches offsets by it "
                "and would use one of them only; give each exposure once"
            )
    return opened


@contextmanager
def damage_told(paths: Iterable[Path]) -> Iterator[None]:
    """Say in a sentence that the fit of some images failed."""
    try:
        yield
    except np.linalg.LinAlgError as error:
        names = ", ".join(path.name for path in paths)
        raise MuseError(f"the stars of {names} cannot be fitted ({error}): one of the images is damaged") from error


class Measurement:
    """Images of one field, their noise, background and stars; everything is computed once, when first needed.

    Parameters
    ----------
    images
        IMAGE_FOVs, paths or opened.
    radius
        Largest offset looked for [arcsec].
    progress
        Told a line of text at every stage.
    """

    def __init__(
        self,
        images: Iterable[str | Path | ImageFov],
        radius: float = 6.0,
        progress: Progress | None = None,
    ) -> None:
        self.images = open_images(images)
        self.radius, self.progress = radius, progress or silent
        self.origin = _centre(self.images[0])
        self.planes = [_plane(image, self.origin) for image in self.images]

    @cached_property
    def date_obs(self) -> list[str]:
        """Names of the exposures, in time order."""
        return [image.date_obs for image in self.images]

    def index(self, date_obs: str) -> int:
        """Number of an exposure."""
        for i, name in enumerate(self.date_obs):
            if name[:23] == date_obs[:23]:
                return i
        raise MuseError(f"no exposure has DATE-OBS {date_obs}: they are {', '.join(self.date_obs)}")

    @property
    def frames(self) -> tuple[Frame, ...]:
        """Images as the fit begins; light that fills the field turns the background to one that follows it."""
        return self._begun.frames

    @cached_property
    def solution(self) -> Solution:
        """Offsets from all stars.

        Raises
        ------
        MuseError
            The stars cannot be fitted.
        """
        with damage_told(image.path for image in self.images):
            return complete(self._begun, self.progress)

    @cached_property
    def star_shifts(self) -> StarShifts:
        """Of every star of the solution in every exposure it placed, errors scaled by how well the cores fit.

        Raises
        ------
        ValueError
            The solution has no fit.
        """
        fit = self.solution.fit
        if fit is None:
            raise ValueError("no star could be fitted")
        shifts = star_shifts(fit, fit.linearized()[1], most=MAX_STARS_AT_ONCE)
        scale = np.array([max(1.0, core_chi2(frame)) for frame in fit.frames])
        return StarShifts(shifts.shift, shifts.covariance * scale[:, None, None, None])

    @cached_property
    def _begun(self) -> Attempt:
        """Prepared images after the first round of their fit, which tells what background they need."""
        frames = []
        for image, plane in zip(self.images, self.planes, strict=True):
            self.progress(f"preparing {image.date_obs}", 0, 0)
            frames.append(prepare(without_fill(np.asarray(image.data, float)), plane))
        with damage_told(image.path for image in self.images):
            return begin(frames, self.radius, self.progress)

    def sky(self, i: int, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        """RA and Dec [deg] that exposure `i` assigns to its 0-based pixels."""
        return from_tangent(self.planes[i].sky(np.stack([x, y], axis=-1)), self.origin)

    def pixel(self, i: int, ra: Floats, dec: Floats) -> tuple[Floats, Floats]:
        """0-based pixel of exposure `i` where its header puts a position."""
        x, y = np.moveaxis(self.planes[i].pixel(to_tangent(ra, dec, self.origin)), -1, 0)
        return x, y

    def star_near(self, i: int, x: float, y: float) -> tuple[float, float] | None:
        """0-based pixel of the star that a click on exposure `i` means: of the fit, or else one seen there; or None."""
        return listed(self.solution, i, x, y) or self.peak_near(i, x, y)

    def peak_near(self, i: int, x: float, y: float) -> tuple[float, float] | None:
        """0-based pixel of what looks like a star next to a click on exposure `i`, whether the fit has it or not."""
        return centre(self.solution.frames[i], x, y)


def _plane(image: ImageFov, origin: tuple[float, float]) -> Plane:
    """Map of an image's pixels, if they do cover an area of the sky."""
    plane = Plane.of(image.wcs, image.data.shape, origin)
    if np.isfinite(plane.matrix).all():
        longest, shortest = np.linalg.svd(plane.matrix, compute_uv=False)
        if shortest > MIN_PIXEL_WIDTH * longest:
            return plane
    raise MuseError(
        f"{image.path}: its WCS (CD1_1, CD1_2, CD2_1, CD2_2) puts all pixels on a line of the sky: make the image again"
    )


def _moment(date_obs: str) -> np.datetime64 | str:
    """DATE-OBS to the millisecond, however many digits it is written with."""
    try:
        return np.datetime64(date_obs[:23], "ms")
    except ValueError:
        return date_obs[:23]


def _centre(image: ImageFov) -> tuple[float, float]:
    ny, nx = image.data.shape
    ra, dec = image.wcs.wcs_pix2world([(nx - 1) / 2], [(ny - 1) / 2], 0)
    if not (np.isfinite(ra[0]) and np.isfinite(dec[0])):
        raise MuseError(f"{image.path}: its WCS gives no sky position: make the image again with muse_scipost")
    return float(ra[0]), float(dec[0])
