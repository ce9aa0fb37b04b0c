"""All IFUs of all exposures on one sheet, coloured by a statistic; a click opens the frame."""

from __future__ import annotations

from typing import Any

import numpy as np
import traitlets
from numpy.typing import NDArray

from muse_nb.products.header import label
from muse_nb.steps.inspect import Inspection
from muse_nb.widgets import picture
from muse_nb.widgets.base import Viewer, colour_map, guarded
from muse_nb.widgets.object_red import ObjectRedViewer
from muse_nb.widgets.static import module

__all__ = ["STATISTICS", "Mosaic", "spans", "statistics"]

TILE = (16, 40)  # rows and columns of a tile's picture: 456 of them are 0.3 MB
STATISTICS = {
    "noise": "noise over expected noise",
    "background": "background [count]",
    "flagged": "flagged pixels [%]",
    "cosmic": "cosmic rays [%]",
    "saturated": "saturated pixels",
    "findings": "findings",
}


class Mosaic(Viewer):
    """IFUs of every exposure as MUSE stacks them on the sky, coloured by a statistic.

    Parameters
    ----------
    inspection
        What `muse_nb.inspect` measured.
    viewer
        Where a click on a tile opens its frame; default: nowhere, but `chosen` tells.
    **options
        `statistic` (noise, background, flagged, cosmic, saturated, findings).

    Attributes
    ----------
    chosen : list
        Label of the exposure and IFU that was clicked last.
    """

    _esm = module("mosaic")

    statistic = traitlets.Enum(tuple(STATISTICS), "noise").tag(sync=True)
    chosen = traitlets.List().tag(sync=True)
    exposures = traitlets.List(traitlets.Unicode()).tag(sync=True)
    ifus = traitlets.List(traitlets.Int()).tag(sync=True)
    statistics = traitlets.Dict(help="What each statistic is called.").tag(sync=True)
    spans = traitlets.Dict(help="Range of the colours of each statistic.").tag(sync=True)
    tiles = traitlets.List(help="Place, numbers and findings of each frame.").tag(sync=True)
    pictures = traitlets.Bytes(help="One byte a pixel, tile after tile.").tag(sync=True)
    tile_shape = traitlets.List(traitlets.Int(), list(TILE)).tag(sync=True)

    def __init__(self, inspection: Inspection, viewer: ObjectRedViewer | None = None, **options: Any) -> None:
        self.inspection, self.viewer = inspection, viewer
        frames = inspection.frames
        exposures = sorted({frame.exposure for frame in frames})
        super().__init__(
            exposures=[label(name) or name for name in exposures],
            ifus=sorted({frame.ifu or 0 for frame in frames}, reverse=True),
            statistics=STATISTICS,
            spans=spans(inspection),
            tiles=[
                {"exposure": exposures.index(frame.exposure), "ifu": frame.ifu or 0, **values}
                for frame, values in zip(frames, statistics(inspection), strict=True)
            ],
            pictures=np.stack([small(frame.thumbnail) for frame in frames]).tobytes() if frames else b"",
            **options,
        )
        self.observe(self._opened, ["chosen"])

    @guarded
    def _opened(self, _: Any) -> None:
        if self.viewer is not None and len(self.chosen) == 2:
            self.viewer.show(exposure=str(self.chosen[0]), ifu=int(self.chosen[1]))

    def picture(self) -> bytes:
        """PNG of the sheet: exposures from left to right, IFUs stacked as on the sky."""
        rows, columns = len(self.ifus) or 1, len(self.exposures) or 1
        high, wide = TILE[0] + 2, TILE[1] + 4
        sheet = np.full((rows * high, columns * wide, 3), picture.PAPER, np.uint8)
        values = [tile[self.statistic] for tile in self.tiles]
        low, top = self.spans[self.statistic]
        table = np.frombuffer(colour_map("cividis"), np.uint8).reshape(256, 3)
        pixels = np.frombuffer(self.pictures, np.uint8).reshape(-1, *TILE)
        for tile, value, image in zip(self.tiles, values, pixels, strict=True):
            place = 0 if value is None else int(np.clip(255 * (value - low) / (top - low), 0, 255))
            shade = np.array(picture.NAN_COLOUR) if value is None else table[place]
            y, x = self.ifus.index(tile["ifu"]) * high, tile["exposure"] * wide
            sheet[y : y + TILE[0], x : x + TILE[1]] = (image[..., None] / 255 * 0.6 + 0.4) * shade
        caption = f"{STATISTICS[self.statistic]}: {low:.4g} (blue) to {top:.4g} (yellow)"
        return picture.png(sheet, caption if sheet.shape[1] > 300 else "")


def statistics(inspection: Inspection) -> list[dict[str, Any]]:
    """Numbers that colour a tile, one dictionary a frame; None where a number cannot be had."""
    found = []
    for frame, record in zip(inspection.frames, inspection.records(), strict=True):
        pixels = float(np.prod(frame.shape))
        levels = [value for value in record["background"].values() if value is not None]
        dq = record["dq"]
        found.append(
            {
                "noise": record["noise_ratio"],
                "background": float(np.mean(levels)) if levels else None,
                "flagged": None if dq is None else 100 * frame.flagged / pixels,
                "cosmic": None if dq is None else 100 * dq.get("COSMICRAY", 0) / pixels,
                "saturated": record["saturated"],
                "findings": len(record["findings"]),
                "said": record["findings"],
            }
        )
    return found


def small(image: NDArray[np.float32]) -> NDArray[np.uint8]:
    """A tile's picture: nearest pixels of a frame's thumbnail, asinh between its 2nd and 99th percentile."""
    rows = (np.arange(TILE[0])[::-1] + 0.5) * image.shape[0] / TILE[0]
    columns = (np.arange(TILE[1]) + 0.5) * image.shape[1] / TILE[1]
    part = image[rows.astype(int)[:, None], columns.astype(int)]
    good = part[np.isfinite(part)]
    low, high = np.percentile(good, [2, 99]) if good.size else (0.0, 1.0)
    return np.asarray(255 * np.nan_to_num(picture.stretched(part, float(low), float(high), "asinh")), np.uint8)


def spans(inspection: Inspection) -> dict[str, list[float]]:
    """Range of the colours of each statistic: at least what is still called good, so that good frames look alike."""
    limits, tiles = inspection.limits, statistics(inspection)
    levels = [tile["background"] for tile in tiles if tile["background"] is not None]
    middle = float(np.median(levels)) if levels else 1.0
    reach = max(1e-3, abs(middle) * limits.get("ifu_background", 0.6))
    good = {
        "noise": [limits.get("noise_low", 0.8), limits.get("noise_high", 1.25)],
        "background": [middle - reach, middle + reach],
        "flagged": [0.0, 100 * limits.get("flagged", 0.25)],
        "cosmic": [0.0, 1.0],
        "saturated": [0.0, max(1.0, limits.get("saturated", 12.0))],
        "findings": [0.0, 3.0],
    }
    known = {name: [tile[name] for tile in tiles if tile[name] is not None] for name in good}
    return {name: [min([low, *known[name]]), max([high, *known[name]])] for name, (low, high) in good.items()}
