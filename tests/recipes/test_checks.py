"""Checks of runs that have been know their parameters from a header, where numbers are text."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.tables import write_tables
from muse_nb.recipes.checks.faults import Frame, Run
from muse_nb.recipes.checks.sets import cosmics


@pytest.mark.parametrize(
    ("value", "number"), [("4750", 4750.0), ("4750.", 4750.0), (9, 9.0), ("none", None), ("nan", None), ("", None)]
)
def test_a_parameter_is_a_number_whether_given_as_one_or_as_a_headers_text(value: object, number: float | None) -> None:
    assert Run("muse_scipost", (), {"lambdamin": value}).number("lambdamin") == number
    assert Run("muse_scipost", ()).number("lambdamin") is None


def test_a_cube_made_without_a_search_for_cosmic_rays_is_not_said_to_be_searched_wrongly(tmp_path: Path) -> None:
    frames = tuple(Frame.open(path, "PIXTABLE_REDUCED") for path in write_tables(tmp_path, 2, 8 * 2 * 3600, ifus=2))
    assert list(cosmics(Run("muse_exp_combine", frames, {"crsigma": "10"}))), "at two angles"
    assert not list(cosmics(Run("muse_exp_combine", frames, {"crsigma": "0"})))
