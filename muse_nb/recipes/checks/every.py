"""The list of all that the recipes get wrong without a word: before a run, and on its products."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from muse_nb.core.errors import MuseError
from muse_nb.recipes.checks import badpix as check_badpix
from muse_nb.recipes.checks import calibrating as check_calibrating
from muse_nb.recipes.checks import data as check_data
from muse_nb.recipes.checks import flat as check_flat
from muse_nb.recipes.checks import headers as check_headers
from muse_nb.recipes.checks import products as check_products
from muse_nb.recipes.checks import sets as check_sets
from muse_nb.recipes.checks import values as check_values
from muse_nb.recipes.checks import wavelengths as check_wavelengths
from muse_nb.recipes.checks.faults import Check, Fault, Frame, Reads, Run, Severity

__all__ = ["AFTER", "BEFORE", "CALIBRATING", "DATA", "examine", "examine_file", "refuse"]

BEFORE: dict[str, Check] = {
    "position": check_headers.position,
    "projection": check_headers.projection,
    "time": check_headers.time,
    "date": check_headers.date,
    "mode": check_headers.mode,
    "angle": check_headers.angle,
    "numbers": check_headers.numbers,
    "twice": check_sets.twice,
    "modes": check_sets.modes,
    "offsets": check_sets.offsets,
    "stars": check_sets.stars,
    "nearest": check_sets.nearest,
    "cosmics": check_sets.cosmics,
    "badpix": check_badpix.badpix,
    "lambda_shift": check_wavelengths.lambda_shift,
    "lambda_range": check_wavelengths.lambda_range,
    "lambda_rows": check_wavelengths.lambda_rows,
    "flat_reach": check_flat.flat_reach,
    "zero_rows": check_flat.zero_rows,
    "not_finite": check_data.not_finite,
    "row_variance": check_values.row_variance,
    "runaway_image": check_data.runaway_image,
}
CALIBRATING: dict[str, Check] = {
    "few_frames": check_calibrating.few_frames,
    "two_of_a_lamp": check_calibrating.two_of_a_lamp,
    "arc_lamps": check_calibrating.arc_lamps,
    "line_catalogue": check_calibrating.line_catalogue,
}
"""Of raw calibrations: not silent failures, but such as say nothing of the remedy, or never end."""
AFTER: dict[str, Check] = {
    "stars": check_sets.stars,
    "date": check_headers.date,
    "exposure_time": check_products.exposure_time,
    "lambda_shift": check_wavelengths.lambda_shift,
    "lambda_range": check_wavelengths.lambda_range,
    "lambda_rows": check_wavelengths.lambda_rows,
    "lambda_planes": check_wavelengths.lambda_planes,
    "runaway_cube": check_data.runaway_cube,
    "zero_planes": check_flat.zero_planes,
    "cube_variance": check_values.cube_variance,
    "zero_voxels": check_values.zero_voxels,
}
DATA = frozenset(name for name, check in (BEFORE | AFTER).items() if check.reads is Reads.PIXELS)
"""Checks that open more than headers: what is not to be done where headers alone are to be read."""
_OF_ANY_FILE = ("date", "lambda_shift", "lambda_range", "lambda_planes")


def examine(run: Run, checks: Mapping[str, Check] = BEFORE, without: Collection[str] = ()) -> list[Fault]:
    """List the faults of a run, the worst first."""
    found = [fault for name, check in checks.items() if name not in without for fault in check(run)]
    return sorted(found, key=lambda fault: -fault.severity)


def examine_file(frame: Frame) -> list[Fault]:
    """List what cannot be right in a file, whatever it is for, by its headers alone."""
    every = BEFORE | AFTER
    run = Run("", (frame,), products=(frame,))
    return list(dict.fromkeys(examine(run, {name: every[name] for name in _OF_ANY_FILE if name in every})))


def refuse(recipe: str, frames: list[tuple[Path, str]], parameters: Mapping[str, object] | None = None) -> list[Fault]:
    """Refuse frames from which a recipe is known to crash or to make a wrong product with exit status 0.

    Returns
    -------
    list of Fault
        What is odd but no reason to refuse.

    Raises
    ------
    MuseError
        Something is wrong; the message is the first such sentence.
    """
    run = Run(recipe, tuple(Frame.open(path, tag) for path, tag in frames), parameters or {})
    found = examine(run, BEFORE | CALIBRATING)
    if found and found[0].severity is Severity.REFUSE:
        raise MuseError(str(found[0]))
    return found
