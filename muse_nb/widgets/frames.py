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
from muse_nb.widgets import transport

__all__ = ["BIT_COLOURS", "LIMITS", "Cache", "LoadedFrame", "limits", "signal_to_noise"]

LIMITS = {"zscale": "zscale", "90": "90 %", "98": "98 %", "99.5": "99.5 %", "99.9": "99.9 %", "all": "min–max"}
NOISY = 20.0  # times the median sigma
PERCENTILES = [mode for mode in LIMITS if mode[0].isdigit()]
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


def limits(values: NDArray[Any]) -> dict[str, list[float]]:
    """Lower and upper limit of each mode of `LIMITS` for some values; 0 and 1 where none is finite."""
    values = np.asarray(values[np.isfinite(values)], dtype=np.float64)
    if values.size == 0:
        return {mode: [0.0, 1.0] for mode in LIMITS}
    from astropy.visualization import ZScaleInterval

    tails = [(100 - float(mode)) / 2 for mode in PERCENTILES]
    found = np.percentile(values, [0, 100, *tails, *(100 - tail for tail in tails)])
    pairs = {"zscale": ZScaleInterval().get_limits(values)} | dict(
        zip(PERCENTILES, zip(found[2:], found[2 + len(tails) :], strict=False), strict=True)
    )
    pairs["all"] = (found[0], found[1])
    return {mode: [float(low), float(high)] for mode, (low, high) in pairs.items()}


@dataclass(frozen=True)
class LoadedFrame:
    """DATA, DQ and STAT of one IFU of one exposure (anything with `data`, `dq`, `stat`), and where its slices lie."""

    name: str
    source: Any
    geometry: Any = None
    unit: str = "count"

    @cached_property
    def data(self) -> NDArray[np.float32]:
        """DATA, as it lies in the file: thumbnails need not read all of it."""
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
    def bins(self) -> int:
        """Pixels per pixel of the thumbnail."""
        return transport.thumb_bins(self.data.shape)

    @cached_property
    def indexed(self) -> transport.Indexed | None:
        """The DQ plane as an index of its values."""
        return None if self.dq is None else transport.index_values(self.dq)

    @cached_property
    def codes(self) -> tuple[float, float, float, float]:
        """Offset and scale of DATA, then of STAT, as half floats."""
        return (*transport.code(self.data), *((0.0, 1.0) if self.stat is None else transport.code(self.stat)))

    @cached_property
    def limits(self) -> dict[str, dict[str, list[float]]]:
        """Limits by layer and mode, from a sample of the pixels that are not flagged (of all, where none is good).

        Pixels far noisier than most have no say either: beside the slices the flat field has no light, and what was
        divided by it makes the best of frames look ugly.
        """
        step = max(1, int(np.sqrt(self.data.size / transport.SAMPLE)))
        grid = np.s_[step // 2 :: step, step // 2 :: step]
        good = np.ones(self.data[grid].shape, bool) if self.dq is None else self.dq[grid] == 0
        if self.stat is not None and (good & (self.stat[grid] > 0)).any():
            good &= self.stat[grid] < NOISY**2 * np.nanmedian(self.stat[grid][good & (self.stat[grid] > 0)])
        good = good if good.any() else ~good
        found = {"DATA": limits(self.data[grid][good])}
        if self.stat is not None:
            found["STAT"] = limits(self.stat[grid][good])
            found["S/N"] = limits(signal_to_noise(self.data[grid], self.stat[grid])[good])
        return found

    @cached_property
    def bits(self) -> list[dict[str, Any]]:
        """Each named bit that occurs: name, meaning, colour, number of pixels and their fraction."""
        if self.indexed is None:
            return []
        table, counts = self.indexed.table, self.indexed.counts
        found = []
        for bit in quality.DQ:
            here = int(counts[(table & int(bit)) != 0].sum())
            if here:
                colour = BIT_COLOURS.get(str(bit.name), "#ffffff")
                found.append(
                    {"name": bit.name, "value": int(bit), "meaning": quality.MEANING[bit], "colour": colour}
                    | {"count": here, "fraction": here / self.data.size}
                )
        return found

    def plane(self, name: str, bins: int = 1) -> NDArray[Any] | None:
        """A plane as the browser gets it, whole or as a thumbnail: half floats, or for DQ the index."""
        if name == "DQ":
            if self.indexed is None:
                return None
            return self.indexed.index if bins == 1 else self.indexed.index[bins // 2 :: bins, bins // 2 :: bins]
        image = {"DATA": self.data, "STAT": self.stat}[name]
        if image is None:
            return None
        where = 0 if name == "DATA" else 2
        image = image if bins == 1 else transport.thumbnail(image, bins)
        return transport.halves(image, *self.codes[where : where + 2])

    def read(self, x: int, y: int) -> dict[str, Any]:
        """What is known of one pixel (0-based): value, sigma, S/N, DQ with its names, slice, wavelength."""
        ny, nx = self.data.shape
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
