"""All IFUs of all exposures on one sheet, as MUSE tiles the field, coloured by a statistic; a click opens the frame."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import traitlets
from astropy.table import Table
from numpy.typing import NDArray

from muse_nb.products.field import CHANNEL, compass
from muse_nb.steps.inspect.result import Inspection
from muse_nb.steps.inspect.tiles import STATISTICS, channels_shown, common_scale, exposure_name, spans, stretch
from muse_nb.widgets.shared import picture
from muse_nb.widgets.shared.base import Viewer, colour_map, guarded
from muse_nb.widgets.shared.bundle import module

__all__ = ["Mosaic"]

ACROSS, DEEP, HEAD, GAP = 192, 8, 18, 10  # pixels of the static picture: a tile's size, an exposure's head, between two
PER_ROW = 4
LETTERS = 12  # pixels: height of a number
DARKEST = 0.6  # of a tile's colour, where there is least light: the colour stays readable
FRAMED = (213, 94, 0)


class Mosaic(Viewer):
    """IFUs of every exposure as MUSE stacks them in the field, coloured by a statistic.

    Each exposure is one field: its IFUs from above, in each the four stacks of twelve slices side by side, drawn from
    the mean over wavelength of a few hundred rows of the frame. Frames with findings have a border.

    Parameters
    ----------
    inspection
        What `muse_nb.inspect` measured.
    on_open
        Called with the label of an exposure and an IFU when their tile is clicked, as `ObjectRedViewer.mosaic` does to
        show the frame; `chosen` tells of it in any case.
    **options
        `statistic` (noise, background, flagged, cosmic, saturated, findings).

    Attributes
    ----------
    chosen : list
        Label of the exposure and IFU that was clicked last.
    table : astropy.table.Table
        The numbers of all frames; `write` saves them as CSV.
    """

    _esm = module("mosaic/mosaic")

    statistic = traitlets.Enum(tuple(STATISTICS), "noise").tag(sync=True)
    chosen = traitlets.List().tag(sync=True)
    exposures = traitlets.List(traitlets.Unicode()).tag(sync=True)
    compasses = traitlets.List(help="North and east in each exposure's field; empty where not known.").tag(sync=True)
    ifus = traitlets.List(traitlets.Int(), help="From above.").tag(sync=True)
    statistics = traitlets.Dict(help="What each statistic is called.").tag(sync=True)
    spans = traitlets.Dict(help="Range of the colours of each statistic.").tag(sync=True)
    tiles = traitlets.List(help="Place, numbers and findings of each frame.").tag(sync=True)
    pictures = traitlets.Bytes(help="One byte a pixel, tile after tile.").tag(sync=True)
    tile_shape = traitlets.List(traitlets.Int(), list(CHANNEL)).tag(sync=True)

    def __init__(
        self, inspection: Inspection, on_open: Callable[[str, int], object] | None = None, **options: Any
    ) -> None:
        self.inspection, self._show_frame = inspection, on_open
        angles = {exposure_name(frame): frame.posang for frame in inspection.frames}
        names = sorted(angles)
        super().__init__(
            exposures=names,
            compasses=[[*compass(angles[name])] if np.isfinite(angles[name]) else [] for name in names],
            ifus=channels_shown(inspection.frames),
            statistics=STATISTICS,
            spans=spans(inspection.tiles, inspection.limits),
            tiles=[
                {
                    "exposure": names.index(exposure_name(frame)),
                    "ifu": frame.ifu or 0,
                    **tile.numbers,
                    "said": list(tile.findings),
                }
                for frame, tile in zip(inspection.frames, inspection.tiles, strict=True)
            ],
            pictures=_pictures(inspection).tobytes(),
            error=" ".join(inspection.without_ifu),
            **options,
        )
        self.observe(self._opened, ["chosen"])

    @property
    def table(self) -> Table:
        """Numbers of all frames, one row each."""
        return self.inspection.table

    def write(self, path: str | Path, *, force: bool = False) -> Path:
        """Write the table as CSV; return its path."""
        return self.inspection.write(path, force=force)

    @guarded
    def _opened(self, _: Any) -> None:
        if self._show_frame is not None and len(self.chosen) == 2:
            self._show_frame(str(self.chosen[0]), int(self.chosen[1]))

    def picture(self) -> bytes:
        """PNG of the sheet."""
        from PIL import Image, ImageDraw

        per_row = min(PER_ROW, max(1, len(self.exposures)))
        high, wide = HEAD + DEEP * len(self.ifus) + GAP, ACROSS + GAP
        page = Image.new("RGB", (36 + wide * per_row, 24 + high * -(-len(self.exposures) // per_row)), picture.PAPER)
        pen, small = ImageDraw.Draw(page), picture.font(11)
        corners = [(36 + n % per_row * wide, n // per_row * high + HEAD) for n in range(len(self.exposures))]
        for (x, y), name in zip(corners, self.exposures, strict=True):
            pen.text((x, y - HEAD + 2), name, fill=picture.INK, font=small)
        for y in {y for _, y in corners}:
            for k, ifu in list(enumerate(self.ifus))[:: -(-LETTERS // DEEP)]:
                pen.text((30, y + DEEP * k + DEEP // 2), str(ifu), fill=picture.SOFT, font=small, anchor="rm")
        pixels = np.frombuffer(self.pictures, np.uint8).reshape(-1, *CHANNEL)
        for tile, image in zip(self.tiles, pixels, strict=True):
            x, y = corners[tile["exposure"]]
            y += DEEP * self.ifus.index(tile["ifu"])
            page.paste(Image.fromarray(self._coloured(tile, image)).resize((ACROSS, DEEP - 1)), (x, y))
            if tile["findings"]:
                pen.rectangle((x - 1, y - 1, x + ACROSS, y + DEEP - 1), outline=FRAMED)
        low, top = self.spans[self.statistic]
        text = f"{STATISTICS[self.statistic]}: {low:.4g} (blue) to {top:.4g} (yellow)"
        pen.text((6, page.size[1] - 18), self.error or text, fill=picture.INK, font=picture.font(12))
        return picture.as_png(page)

    def _coloured(self, tile: dict[str, Any], image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """RGB of a tile: its colour, darker where there is less light."""
        value, (low, top) = tile[self.statistic], self.spans[self.statistic]
        table = np.frombuffer(colour_map("cividis"), np.uint8).reshape(256, 3)
        shade = picture.NAN_COLOUR if value is None else table[int(np.clip(255 * (value - low) / (top - low), 0, 255))]
        return np.asarray((image[..., None] / 255 * (1 - DARKEST) + DARKEST) * np.array(shade), dtype=np.uint8)


def _pictures(inspection: Inspection) -> NDArray[np.uint8]:
    """Tiles' pictures, one byte a pixel, all in one stretch so that a faint IFU looks faint."""
    frames = inspection.frames
    scale = common_scale([frame.channel for frame in frames], [frame.level for frame in frames])
    stretched = [np.nan_to_num(stretch(frame.channel, *scale)) for frame in frames]
    return (255 * np.array(stretched)).astype(np.uint8)
