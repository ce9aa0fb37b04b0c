"""OBJECT_RED frames as a viewer needs them: limits, thumbnails, named bits, the reading of a pixel, a small cache."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from muse_nb.products import dq as quality
from muse_nb.products.object_red import ObjectRed
from muse_nb.widgets.shared import transport
from muse_nb.widgets.shared.front_end import for_a_page
from muse_nb.widgets.shared.limits import limits

__all__ = ["BIT_COLOURS", "Cache", "LoadedFrame", "signal_to_noise"]

NOISY = 20.0  # times the median sigma
BIT_COLOURS = {  # Okabe and Ito's colours first, for the bits that one meets
    "COSMICRAY": "#e69f00",
    "HOTPIXEL": "#d55e00",
    "DARKPIXEL": "#0072b2",
    "DEADPIXEL": "#cc79a7",
    "SATURATED": "#f0e442",
    "LOWQEPIXEL": "#56b4e9",
    "BADOTHER": "#009e73",
    "OUTLIER": "#ff8fb0",
    "MISSDATA": "#9a9a9a",
    "OUTSDRANGE": "#b59a6a",
    "TELLURIC": "#8c7ae6",
    "TELLCOR": "#b8a9f5",
    "NOTCH_NAD": "#ffd37a",
    "MUSE_TRAP": "#7bc8a4",
    "OBJECT": "#dddddd",
}


@dataclass(frozen=True)
class LoadedFrame:
    """DATA, DQ and STAT of one IFU of one exposure, and where its slices lie.

    A first look takes every few pixels straight from the file; the planes are read when they are asked for.
    `side` is the largest side of its thumbnail [pixel], where it is not the usual one.
    """

    name: str
    source: ObjectRed
    geometry: Any = None
    unit: str = "count"
    side: int | None = None

    @cached_property
    def data(self) -> NDArray[np.float32]:
        """DATA, shape (ny, nx)."""
        return np.asarray(self.source.data)

    @cached_property
    def dq(self) -> NDArray[np.integer[Any]] | None:
        """DQ, or None where the frame has none."""
        return None if self.source.dq is None else np.asarray(self.source.dq)

    @cached_property
    def stat(self) -> NDArray[np.float32] | None:
        """STAT, or None where the frame has none."""
        return None if self.source.stat is None else np.asarray(self.source.stat)

    @cached_property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.source.shape

    @cached_property
    def bins(self) -> int:
        """Pixels per pixel of the thumbnail."""
        return transport.thumb_bins(self.shape, self.side)

    @cached_property
    def step(self) -> int:
        """Every how many pixels one is taken for the first look; all, where it is the last."""
        if for_a_page() and self.side is None:
            return 1
        return self.bins // 4 if self.bins % 4 == 0 else 1

    def has(self, name: str) -> bool:
        """Whether the file has DATA, DQ or STAT."""
        return name in self.source.extensions

    def sampled(self, name: str) -> NDArray[Any] | None:
        """Every `step`-th pixel of DATA, DQ or STAT, without reading the rest; None where the file lacks it."""
        if name not in self._samples:
            self._samples[name] = self.source.every(name, self.step) if self.has(name) else None
        return self._samples[name]

    @cached_property
    def _samples(self) -> dict[str, NDArray[Any] | None]:
        return {}

    @cached_property
    def indexed(self) -> transport.Indexed | None:
        """The DQ plane as an index of its values."""
        return None if self.dq is None else transport.index_values(self.dq)

    @cached_property
    def thumb_index(self) -> transport.Indexed | None:
        """The same for a thumbnail: all bits that were looked at in each of its blocks."""
        flags, per = self.sampled("DQ"), self.bins // self.step
        return None if flags is None else transport.index_values(transport.flags_of_blocks(flags, per))

    @cached_property
    def codes(self) -> tuple[float, float, float, float]:
        """Offset and scale of DATA, then of STAT, as half floats."""
        data, stat = self.sampled("DATA"), self.sampled("STAT")
        assert data is not None
        return (*transport.code(data), *((0.0, 1.0) if stat is None else transport.code(stat)))

    @cached_property
    def limits(self) -> dict[str, dict[str, list[float]]]:
        """Limits by layer and mode, from a sample of the pixels that are not flagged (of all, where none is good).

        Pixels far noisier than most have no say either: beside the slices the flat field has no light, and what was
        divided by it makes the best of frames look ugly.
        """
        data, stat, flags = (self.sampled(name) for name in ("DATA", "STAT", "DQ"))
        assert data is not None
        step = max(1, int(np.sqrt(data.size / transport.SAMPLE)))
        grid = np.s_[step // 2 :: step, step // 2 :: step]
        good = np.ones(data[grid].shape, bool) if flags is None else flags[grid] == 0
        if stat is not None and (good & (stat[grid] > 0)).any():
            good &= stat[grid] < NOISY**2 * np.nanmedian(stat[grid][good & (stat[grid] > 0)])
        good = good if good.any() else ~good
        found = {"DATA": limits(data[grid][good])}
        if stat is not None:
            found["STAT"] = limits(stat[grid][good])
            found["S/N"] = limits(signal_to_noise(data[grid], stat[grid])[good])
        return found

    def bits(self, exact: bool = False) -> list[dict[str, Any]]:
        """Each named bit that occurs: name, meaning, colour, and fraction of the pixels; else from the first look."""
        flags = self.sampled("DQ") if not exact else None
        indexed = self.indexed if exact else None if flags is None else transport.index_values(flags)
        if indexed is None:
            return []
        total, found = int(indexed.counts.sum()), []
        for bit in quality.DQ:
            here = int(indexed.counts[(indexed.table & int(bit)) != 0].sum())
            if here:
                colour = BIT_COLOURS.get(str(bit.name), "#ffffff")
                found.append(
                    {"name": bit.name, "value": int(bit), "meaning": quality.MEANING[bit], "colour": colour}
                    | {"fraction": here / total}
                )
        return found

    def plane(self, name: str) -> NDArray[Any] | None:
        """A plane as the browser gets it: half floats, or for DQ the index."""
        if name == "DQ":
            return None if self.indexed is None else self.indexed.index
        image, where = (self.data, 0) if name == "DATA" else (self.stat, 2)
        return None if image is None else transport.halves(image, *self.codes[where : where + 2])

    def thumb(self, name: str) -> NDArray[Any] | None:
        """The same for the thumbnail, from the first look."""
        if name == "DQ":
            return None if self.thumb_index is None else self.thumb_index.index
        image, where = self.sampled(name), 0 if name == "DATA" else 2
        if image is None:
            return None
        return transport.halves(transport.thumbnail(image, self.bins // self.step), *self.codes[where : where + 2])

    def read(self, x: int, y: int) -> dict[str, Any]:
        """What is known of one pixel (0-based): value, sigma, S/N, DQ with its names, slice, wavelength."""
        ny, nx = self.shape
        if not (0 <= x < nx and 0 <= y < ny):
            return {}
        value, variance = float(self.data[y, x]), float("nan") if self.stat is None else float(self.stat[y, x])
        sigma = variance**0.5 if variance >= 0 else float("nan")
        flags = None if self.dq is None else int(self.dq[y, x]) & 0xFFFFFFFF
        found = {
            "x": x,
            "y": y,
            "value": _plain(value),
            "sigma": _plain(sigma),
            "snr": _plain(value / sigma if sigma > 0 else float("nan")),
            "dq": flags,
            "dq_names": [] if not flags else quality.names(flags),
            "unit": self.unit,
        }
        return found | ({} if self.geometry is None else self.geometry.at(x, y))


def signal_to_noise(data: NDArray[Any], stat: NDArray[Any] | None) -> NDArray[np.float32]:
    """DATA over the square root of STAT; NaN where STAT is not positive or absent."""
    if stat is None:
        return np.full(data.shape, np.nan, np.float32)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(data / np.sqrt(np.where(stat > 0, stat, np.nan)), dtype=np.float32)


def _plain(value: float) -> float | None:
    """A number that JSON can carry: NaN and infinities are None."""
    return value if np.isfinite(value) else None


Value = TypeVar("Value")


class Cache(Generic[Value]):
    """The few values used last, and the next one made in the background."""

    def __init__(self, make: Callable[[Hashable], Value], size: int = 3) -> None:
        self._make, self._size = make, size
        self._kept: OrderedDict[Hashable, Value] = OrderedDict()
        self._lock, self._busy = threading.Lock(), threading.Lock()

    def get(self, key: Hashable) -> Value:
        """The value of a key, made now if it is not there."""
        with self._busy:  # one reader at a time: a prefetch of the same key is waited for
            with self._lock:
                if key in self._kept:
                    self._kept.move_to_end(key)
                    return self._kept[key]
            value = self._make(key)
            with self._lock:
                self._kept[key] = value
                while len(self._kept) > self._size:
                    self._kept.popitem(last=False)
            return value

    def prefetch(self, key: Hashable) -> None:
        """Make a value in the background; what goes wrong will be said when it is asked for."""

        def work() -> None:
            try:
                self.get(key)
            except Exception:
                return

        if key not in self._kept:
            threading.Thread(target=work, daemon=True).start()
