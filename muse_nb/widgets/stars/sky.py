"""The exposures of a field side by side, north up: how each lies on the sky, its thumbnail, and where stars fall."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from muse_nb.products.header import label
from muse_nb.steps.offsets.measurement import Measurement
from muse_nb.steps.offsets.starfit.geometry import Plane, to_tangent
from muse_nb.widgets.shared import picture, transport
from muse_nb.widgets.shared.limits import limits
from muse_nb.widgets.stars import picking

if TYPE_CHECKING:
    from astropy.table import Table

__all__ = ["Sheet", "SkyFrame"]

THUMB_BYTES = 500_000  # of all thumbnails together, in a saved notebook
TILE, HEAD = 190, 32  # pixels of a tile in the static picture, and of the text over it


@dataclass(frozen=True)
class SkyFrame:
    """One exposure's image and its place on the sky."""

    name: str
    image: NDArray[np.float32]
    plane: Plane
    posang: float | None

    @cached_property
    def coding(self) -> tuple[float, float]:
        """Offset and scale of its half floats."""
        return transport.code(self.image)

    @cached_property
    def halves(self) -> NDArray[np.float16]:
        """The image as the browser gets it."""
        return transport.halves(self.image, *self.coding)

    @cached_property
    def limits(self) -> dict[str, list[float]]:
        """Limits of its display by mode."""
        return limits(self.image)

    def affine(self, scale: float, shift: NDArray[np.float64] | tuple[float, float] = (0.0, 0.0)) -> list[float]:
        """Map from the view (west to the right, north up, pixels of `scale` arcsec) to 0-based pixels: a b c d e f."""
        turn = self.plane.matrix @ np.diag([-scale, scale])
        zero = self.plane.zero + self.plane.matrix @ np.asarray(shift, float)
        return [float(v) for v in (turn[0, 0], turn[1, 0], turn[0, 1], turn[1, 1], *zero)]


@dataclass(frozen=True)
class Sheet:
    """All exposures on one sky."""

    measurement: Measurement
    frames: list[SkyFrame]
    scale: float

    @classmethod
    def of(cls, measurement: Measurement) -> Sheet:
        """Lay out the images of a measurement."""
        frames = [
            SkyFrame(label(image.date_obs), np.asarray(image.data, np.float32), plane, image.posang)
            for image, plane in zip(measurement.images, measurement.planes, strict=True)
        ]
        return cls(measurement, frames, float(np.median([frame.plane.scale for frame in frames])))

    @cached_property
    def bins(self) -> int:
        """Pixels per pixel of the thumbnails."""
        pixels = sum(frame.image.size for frame in self.frames)
        return max(1, int(np.ceil(np.sqrt(2 * pixels / THUMB_BYTES))))

    def box(self) -> list[float]:
        """West, south, east, north borders of all exposures in the view's pixels."""
        corners = []
        for frame in self.frames:
            ny, nx = frame.image.shape
            ends = np.array([[-0.5, -0.5], [nx - 0.5, -0.5], [-0.5, ny - 0.5], [nx - 0.5, ny - 0.5]])
            corners.append(frame.plane.sky(ends) / self.scale * [-1, 1])
        all_ = np.concatenate(corners)
        return [float(v) for v in (*all_.min(0), *all_.max(0))]

    def described(self) -> list[dict[str, Any]]:
        """What the browser needs to know of each exposure."""
        box = self.box()
        return [
            {
                "name": frame.name,
                "posang": frame.posang,
                "nx": frame.image.shape[1],
                "ny": frame.image.shape[0],
                "bin": self.bins,
                "code": [*frame.coding, 0.0, 1.0],
                "limits": frame.limits,
                "affine": frame.affine(self.scale),
                "per_arcsec": [float(v) for v in frame.plane.matrix.T.ravel()],
                "box": box,
                "origin": [float(v) for v in self.measurement.origin],
            }
            for frame in self.frames
        ]

    def thumbs(self) -> bytes:
        """Thumbnails of all exposures, one after the other."""
        small = [transport.thumbnail(frame.image, self.bins) for frame in self.frames]
        parts = [transport.halves(image, *frame.coding) for image, frame in zip(small, self.frames, strict=True)]
        return b"".join(np.ascontiguousarray(part).tobytes() for part in parts)

    def places(self, picks: Table, shifts: NDArray[np.float64]) -> NDArray[np.float64]:
        """Where the picked stars fall in each exposure, (stars, exposures, 2) pixels; where one was put by hand, that.

        `shifts` are the exposures' offsets, (exposures, 2) arcsec east and north.
        """
        rows = picking.stars(picks)
        ra, dec = (np.asarray(rows[name], float) for name in ("ra", "dec"))
        sky = to_tangent(ra, dec, self.measurement.origin).reshape(-1, 2)
        pixels = [frame.plane.pixel(sky + shift) for frame, shift in zip(self.frames, shifts, strict=True)]
        found = np.stack(pixels, axis=1)
        number = {int(star): k for k, star in enumerate(rows["star"])}
        exposure = {date: i for i, date in enumerate(self.measurement.date_obs)}
        for row in picking.by_hand(picks):
            if row["star"] in number and row["exposure"] in exposure:
                found[number[row["star"]], exposure[row["exposure"]]] = row["x"], row["y"]
        return found

    def at_reference(self, i: int, pixel: tuple[float, float], shifts: NDArray[np.float64]) -> tuple[float, float]:
        """RA and Dec [deg], as the reference has them, of a pixel of exposure `i`."""
        moved = np.asarray(pixel, float) - self.frames[i].plane.matrix @ shifts[i]
        ra, dec = self.measurement.sky(i, moved[0], moved[1])
        return float(ra), float(dec)

    def picture(
        self, picks: Table, shifts: NDArray[np.float64], captions: Sequence[str], look: tuple[str, str, str]
    ) -> bytes:
        """PNG of all exposures, north up and east left, with the picked stars and a line of text each.

        `look` is the mode of the limits, the stretch and the colour map.
        """
        from PIL import Image, ImageDraw

        n, font = len(self.frames), picture.font(10)
        columns = min(n, max(2, min(5, int(np.ceil(np.sqrt(n))))))
        sheet = Image.new("RGB", (columns * (TILE + 4), -(-n // columns) * (TILE + HEAD + 4)), picture.PAPER)
        west, south, east, north = self.box()
        zoom = TILE / max(east - west, north - south)
        draw = ImageDraw.Draw(sheet)
        grid = (np.arange(TILE) + 0.5 - TILE / 2) / zoom
        right, up = np.meshgrid((west + east) / 2 + grid, (south + north) / 2 - grid)
        places, rows = self.places(picks, shifts), picking.stars(picks)
        for k, frame in enumerate(self.frames):
            a, b, c, d, e, f = frame.affine(self.scale, shifts[k])
            x, y = np.rint(a * right + c * up + e).astype(int), np.rint(b * right + d * up + f).astype(int)
            ny, nx = frame.image.shape
            inside = (x >= 0) & (x < nx) & (y >= 0) & (y < ny)
            seen = np.where(inside, frame.image[np.clip(y, 0, ny - 1), np.clip(x, 0, nx - 1)], np.nan)
            left, top = k % columns * (TILE + 4), k // columns * (TILE + HEAD + 4)
            shown = picture.coloured(seen, frame.limits[look[0]], *look[1:])
            shown[~inside] = picture.PAPER
            sheet.paste(Image.fromarray(shown), (left, top + HEAD))
            draw.text((left + 4, top + 2), frame.name, fill=picture.INK, font=font)
            draw.text((left + 4, top + 16), captions[k] if k < len(captions) else "", fill=picture.SOFT, font=font)
            inverse = np.linalg.inv(np.array([[a, c], [b, d]]))
            for at, dropped in zip(places[:, k], rows["dropped"], strict=True):
                q = (inverse @ (at - [e, f]) - [(west + east) / 2, (south + north) / 2]) * zoom
                centre = (left + TILE / 2 + q[0], top + HEAD + TILE / 2 - q[1])
                if abs(q).max() < TILE / 2 - 4:
                    colour = (140, 140, 140) if dropped else (86, 180, 233)
                    draw.ellipse([centre[0] - 5, centre[1] - 5, centre[0] + 5, centre[1] + 5], outline=colour)
        return picture.as_png(sheet)
