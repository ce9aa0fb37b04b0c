"""Good nights of other kinds have no findings at any door, and faults planted in them are found."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from benchmarks.zoo import SMALL, Kind, visit
from muse_nb.products.object_red import open_object_red, write_object_red
from muse_nb.steps.inspect.inspect import inspect
from muse_nb.steps.inspect.lines import line_shifts

if TYPE_CHECKING:
    from muse_nb.simulator.night import Night


@pytest.mark.parametrize("kind", SMALL, ids=lambda kind: kind.world.field)
def test_a_good_night_has_no_finding_and_a_bad_one_has(kind: Kind, tmp_path: Path) -> None:
    assert visit(kind, tmp_path) == ([], [])


def lines(shift: int, amount: float, seed: int) -> np.ndarray:
    """Spectra of 48 slices, lines in two groups 6 rows apart; slice 20 is moved by `shift` rows."""
    random = np.random.default_rng(seed)
    y, places = np.arange(400), np.random.default_rng(7).uniform(40, 360, 6)
    spectra = random.normal(0, 15, (48, 8, 400))
    for k in range(48):
        for place in places:
            row = place + 6 * (k % 2) + shift * (k == 19)
            spectra[k] += 15 * amount * np.exp(-0.5 * ((y - row) / 1.0) ** 2)
    return np.clip(np.rint(spectra), -120, 120).astype(np.int8)


@pytest.mark.parametrize("found", [range(48), range(0, 48, 2)], ids=["all", "every second"])
def test_lines_are_compared_slice_by_slice(
    found: range,
) -> None:
    """Which slices were found in the other frames does not matter: a median over them swapped two groups of slices."""
    every = [lines(0, 5.0, seed) for seed in (1, 2, 3)]
    every[1][[k for k in range(48) if k not in found]] = 0
    shift, _ = line_shifts(every)
    away = shift - np.nanmedian(shift, axis=0)
    assert np.nanmax(np.abs(away)) < 0.3
    assert np.isfinite(away[1]).sum() == len(found)


def test_a_moved_slice_is_told_and_noise_says_nothing() -> None:
    shift, error = line_shifts([lines(3 * (n == 1), 5.0, n) for n in range(3)])
    away = shift - np.nanmedian(shift, axis=0)
    assert away[1, 19] == pytest.approx(3, abs=0.3)
    assert np.nanmax(np.abs(np.delete(away, 19, axis=1))) < 0.3
    assert np.nanmax(error) < 0.3
    nothing, _ = line_shifts([lines(0, 0.0, n) for n in range(3)])
    assert np.isfinite(nothing).sum(axis=0).max() <= 1  # each is its own anchor alone


def test_an_ifu_of_another_level_is_found_and_a_bright_star_is_none(night: Night, tmp_path: Path) -> None:
    """An offset raises the faintest slice too, a star does not."""
    paths = sorted((night.folder / "reduced").glob(f"{night.labels[0]}/OBJECT_RED_*.fits"))
    assert inspect(paths).findings == []
    red = open_object_red(paths[2])[0]
    star = np.exp(-0.5 * ((np.arange(red.shape[1]) - 500) / 60) ** 2).astype(np.float32) * 200
    for name, light in (("star", star), ("offset", np.float32(60))):
        paths[2] = tmp_path / f"{name}.fits"
        write_object_red(paths[2], red.header, red.data + light, red.dq, red.stat + light)
        found = {finding.name for finding in inspect(paths).verdicts}
        assert ("ifu_background" in found) == (name == "offset"), name
