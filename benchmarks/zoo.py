"""Nights of every kind, judged: false findings on good ones, and planted faults that were missed on bad ones.

Survey, doctor and inspect look at each night, at its raw frames and at products made without the recipes.
``python -m benchmarks zoo`` takes some minutes, ``ZOO=small`` one, ``ZOO=all`` adds larger layouts. One line a night.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from muse_nb.core.progress import silent
from muse_nb.products.object_red import open_object_red, write_object_red
from muse_nb.simulator.night import Night, simulate
from muse_nb.simulator.world import MODES, World
from muse_nb.steps.doctor.doctor import doctor
from muse_nb.steps.inspect.inspect import inspect
from muse_nb.steps.survey.survey import survey

FIELDS = ("cluster", "few", "galaxy", "nebula", "bare-nebula", "deep", "bright", "moon")
SATURATED = ("bright",)  # a finding of saturated pixels is true there
DEMO = World()


@dataclass(frozen=True)
class Kind:
    """A night of the zoo."""

    world: World = DEMO
    layout: str = "micro"
    seed: int = 1
    exposures: int = 3
    exptime: float = 60.0

    @property
    def name(self) -> str:
        """What it is, in words."""
        special = " ".join(f"{key}={value}" for key, value in self.world.words.items())
        return f"{self.layout} seed {self.seed}, {self.exposures} x {self.exptime:g} s {special}".strip()


SMALL = (
    Kind(World(field="nebula", real=True, short=True, angle=33.0), exposures=3),
    Kind(World("WFM-AO-N", "galaxy", real=True), seed=2, exposures=1),
    Kind(World("NFM-AO-N", "few", turned=0.3), seed=3, exposures=2),
)
USUAL = tuple(
    Kind(World(mode, field, real=True, short=n % 2 == 0, angle=(0.0, 37.5)[n % 2], turned=(0.0, 0.2)[n % 2]), seed=seed)
    for n, field in enumerate(FIELDS)
    for seed, mode in ((2, MODES[n % len(MODES)]), (3, "WFM-NOAO-N"))
)
LARGE = tuple(
    Kind(World(mode, field, real=True), layout, seed, 3, 300.0 if field == "deep" else 60.0)
    for layout in ("mini", "fov")
    for seed in (2, 3)
    for mode, field in (
        ("WFM-NOAO-N", "few"), ("WFM-AO-E", "nebula"), ("WFM-NOAO-E", "deep"), ("WFM-AO-N", "cluster"),
        ("NFM-AO-N", "few"),
    )
)  # fmt: skip

Layers = tuple[np.ndarray, np.ndarray, np.ndarray]
Plant = Callable[[Layers], None]


def _dead_quadrant(layers: Layers) -> None:
    data = layers[0]
    half = data.shape[0] // 2, data.shape[1] // 2
    data[: half[0], : half[1]] = np.random.default_rng(0).normal(0, 2.5, half)


def _gain_of_a_quadrant(layers: Layers) -> None:
    data, _, stat = layers
    part = slice(data.shape[0] // 2), slice(data.shape[1] // 2, None)
    data[part] *= 1.6
    stat[part] *= 2.56


def _wrong_gain(layers: Layers) -> None:
    layers[0][:] *= 1.6


def _dark_slice(layers: Layers) -> None:
    data, width = layers[0], layers[0].shape[1] // 48
    part = slice(24 * width, 27 * width)
    data[:, part] = np.random.default_rng(1).normal(0, 2.5, data[:, part].shape)


def _saturated(layers: Layers) -> None:
    layers[0][100:140, 300:303], layers[1][100:140, 300:303] = 72000, 4096


def _not_finite(layers: Layers) -> None:
    layers[0][50:53, 100:103], layers[1][50:53, 100:103] = np.nan, 0


def _stripes(layers: Layers) -> None:
    layers[0][::2] += 6


def _flagged(layers: Layers) -> None:
    layers[1][: layers[1].shape[0] // 2] |= 8192


PLANTS: dict[str, Plant] = {
    "quadrant_dark": _dead_quadrant,
    "quadrant_step": _gain_of_a_quadrant,
    "noise_high": _wrong_gain,
    "slice_dark": _dark_slice,
    "saturated": _saturated,
    "nonfinite": _not_finite,
    "stripe": _stripes,
    "flagged": _flagged,
}


NEED_SKY = {"quadrant_dark", "quadrant_step", "slice_dark"}  # spaxels of 0.025 arcsec have a 64th of the sky's light


def faults_of(kind: Kind) -> tuple[str, ...]:
    """Name the faults that can be known on such a night: nobody sees a dark slice where there is no light."""
    dark = kind.world.mode.startswith("NFM")
    return tuple(name for name in PLANTS if not (dark and name in NEED_SKY))


def object_reds(night: Night) -> list[Path]:
    """List the detector frames of a night."""
    return sorted((night.folder / "reduced").glob("*/OBJECT_RED_*.fits"))


def false_findings(kind: Kind, night: Night) -> list[str]:
    """Judge a good night by survey, doctor and inspect, and give what they find wrong with it."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        judged = inspect([*object_reds(night)])
        raw = inspect(night.raw)
        found = [
            text
            for one, text in zip((*judged.verdicts, *raw.verdicts), (*judged.findings, *raw.findings), strict=True)
            if not (one.name == "saturated" and kind.world.field in SATURATED)
        ]
        found += survey(night.folder).findings
        found += doctor(night.folder).findings
    return found


def missed_faults(night: Night, folder: Path, plants: Sequence[str]) -> list[str]:
    """Plant each fault in a frame of the middle and give those that inspect does not find."""
    paths = object_reds(night)
    path = paths[len(paths) // (2 * len(night.exposures))]
    (red,) = open_object_red(path)
    missed = []
    for name in plants:
        layers = red.data.copy(), red.dq.copy(), red.stat.copy()
        PLANTS[name](layers)
        planted = folder / path.name
        write_object_red(planted, red.header, *layers, force=True)
        if name not in {finding.name for finding in inspect(planted).verdicts}:
            missed.append(name)
    return missed


def visit(kind: Kind, folder: Path) -> tuple[list[str], list[str]]:
    """Simulate a night and give its false findings and the faults that were missed."""
    night = simulate(
        folder / "night",
        kind.exposures,
        kind.layout,
        kind.seed,
        products=True,
        exptime=kind.exptime,
        workers=1,
        progress=silent,
        world=kind.world,
    )
    return false_findings(kind, night), missed_faults(night, folder, faults_of(kind))


def main() -> None:
    """Visit the nights, and print what was said of each."""
    asked = os.environ.get("ZOO", "")
    kinds = SMALL if asked == "small" else USUAL + (LARGE if asked == "all" else ())
    false = missed = 0
    for kind in kinds:
        start, folder = time.process_time(), Path(tempfile.mkdtemp(prefix="zoo-"))
        try:
            wrong, lost = visit(kind, folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        false, missed = false + len(wrong), missed + len(lost)
        print(f"{kind.name}: {len(wrong)} false, {len(lost)} missed ({time.process_time() - start:.0f} s)", flush=True)
        for text in (*wrong[:8], *(f"missed: {name}" for name in lost)):
            print(f"    {text}", flush=True)
    planted = sum(len(faults_of(kind)) for kind in kinds)
    print(f"{len(kinds)} nights: {false} false findings, {missed} of {planted} planted faults missed")
    sys.exit(1 if false or missed else 0)


if __name__ == "__main__":
    main()
