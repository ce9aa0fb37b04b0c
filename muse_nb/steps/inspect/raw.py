"""Raw frames, channel by channel: light above the overscan, read-out noise, saturation. No slices, no variances."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from muse_nb.core.robust import mad_sigma, median
from muse_nb.products.fits.blocks import Hdu
from muse_nb.products.fits.planes import read_image
from muse_nb.products.header import number_of

__all__ = ["RAW_CHANNEL", "RawChannel", "raw_channels", "raw_faults"]

RAW_CHANNEL = re.compile(r"CHAN(\d\d)$")
FULL = 65500  # counts: where muse_scibasic calls a pixel saturated
MAX_BIAS = 5000.0  # counts: a higher overscan is no bias level
OVERSCAN_IGNORED = 3  # columns next to the data, where charge leaks
MIN_SIBLINGS = 3  # channels of a frame, to say what the light should be
MIN_LIGHT = 0.2  # counts above the overscan in the siblings, for a dark one to be odd
STEP = 4  # every fourth pixel is enough for a mean


@dataclass(frozen=True)
class RawChannel:
    """What is measured in a channel of a raw frame.

    Attributes
    ----------
    ifu, kind
        IFU, and DPR TYPE of the frame.
    trimmed
        Counts above the overscan, without pre- and overscan, float32; None of an empty channel.
    light
        Mean of them [count].
    constant
        The one value that all pixels have; None where they differ.
    full
        Share of the pixels at the end of the scale.
    saturated
        Their number.
    noise
        Scatter of the overscan over what the header says (OUTn RON / GAIN), the worst of the quadrants; NaN unknown.
    """

    ifu: int
    kind: str
    trimmed: NDArray[np.float32] | None
    light: float = float("nan")
    constant: float | None = None
    full: float = 0.0
    saturated: int = 0
    noise: float = float("nan")


def raw_channels(path: Path, units: Sequence[Hdu]) -> Iterator[RawChannel]:
    """Measure the channels of a raw frame, one after the other; those without pixels too."""
    kind = str(units[0].cards.get("ESO DPR TYPE") or "").strip()
    for number, unit in enumerate(units):
        match = RAW_CHANNEL.match(unit.name)
        if not match or number == 0:
            continue
        if len(unit.shape) != 2 or 0 in unit.shape:
            yield RawChannel(int(match[1]), kind, None)
        else:
            yield _measured(int(match[1]), kind, read_image(path, number, unit.name), unit.cards)


def _measured(ifu: int, kind: str, raw: NDArray[np.generic], cards: dict[str, object]) -> RawChannel:
    counts = raw.astype(np.float32)
    edges = [int(number_of(cards.get(f"ESO DET OUT1 {name}")) or 0) for name in ("PRSCY", "OVSCY", "PRSCX", "OVSCX")]
    trimmed, ratios = counts, []
    ny, nx = (length // 2 for length in counts.shape)
    if all(edges) and ny > sum(edges[:2]) and nx > sum(edges[2:]):
        rows, columns = [], []
        for top in (0, 1):
            rows.append(slice(edges[0], ny - edges[1]) if not top else slice(ny + edges[1], 2 * ny - edges[0]))
        for right in (0, 1):
            columns.append(slice(edges[2], nx - edges[3]) if not right else slice(nx + edges[3], 2 * nx - edges[2]))
        trimmed = np.block([[counts[r, c] for c in columns] for r in rows])
        half = [length // 2 for length in trimmed.shape]
        for n, (right, top) in enumerate(((0, 0), (1, 0), (1, 1), (0, 1)), 1):
            first = nx if right else nx - edges[3] + OVERSCAN_IGNORED
            over = counts[rows[top], first : first + edges[3] - OVERSCAN_IGNORED]
            level = float(np.mean(over))
            trimmed[top * half[0] : (top + 1) * half[0], right * half[1] : (right + 1) * half[1]] -= (
                level if level < MAX_BIAS else 0
            )
            noise, gain = (number_of(cards.get(f"ESO DET OUT{n} {name}")) or np.nan for name in ("RON", "GAIN"))
            ratios.append(mad_sigma(over) / (noise / gain))
    full = int((counts >= FULL).sum())
    same = float(counts.flat[0]) if counts.min() == counts.max() else None
    worst = max(ratios, key=lambda ratio: abs(np.log(max(ratio, 1e-9))), default=float("nan"))
    light = float(trimmed[::STEP, ::STEP].mean())
    return RawChannel(ifu, kind, trimmed, light, same, full / counts.size, full, worst)


def raw_faults(channels: Sequence[RawChannel], limit: dict[str, float]) -> dict[int, list[tuple[str, float, str]]]:
    """Say what is wrong with the channels of a frame: by IFU, name of the limit, value and the rest of a sentence."""
    found: dict[int, list[tuple[str, float, str]]] = defaultdict(list)
    known = [one.light for one in channels if one.constant is None and one.full < limit["raw_full"]]
    usual = median(known) if len(known) >= MIN_SIBLINGS else float("nan")
    for one in channels:
        faults = found[one.ifu]
        if one.trimmed is None:
            faults.append(("missing_ifu", 0.0, "its channel is empty, the exposure lacks it: fetch the frame again"))
        elif one.constant is not None and one.constant < FULL:
            faults.append(
                ("raw_dark", 0.0, f"all pixels read {one.constant:g}: the channel is dark, it was not read out")
            )
        elif one.full > limit["raw_full"]:
            text = f"{100 * one.full:.3g} % of the pixels are saturated (limit {100 * limit['raw_full']:g} %)"
            faults.append(("raw_full", one.full, text))
        elif "OBJECT" in one.kind and one.saturated > limit["saturated"]:
            text = f"{one.saturated} pixels are saturated (limit {limit['saturated']:.0f})"
            faults.append(("saturated", one.saturated, text))
        elif usual > MIN_LIGHT and one.light < limit["raw_dark"] * usual:
            text = f"the channel is dark: {one.light:.3g} counts above the overscan where its siblings have {usual:.3g}"
            faults.append(("raw_dark", one.light / usual, f"{text} (limit {limit['raw_dark']:g} of it)"))
        elif not 1 / limit["raw_noise"] <= (one.noise if np.isfinite(one.noise) else 1.0) <= limit["raw_noise"]:
            text = f"the overscan scatters {one.noise:.2f} times what the header's read-out noise says"
            faults.append(("raw_noise", one.noise, f"{text} (limit a factor {limit['raw_noise']:g})"))
    return found
