"""The keywords of a combine: one frozen object inside, keyword for keyword outside, and no other is taken."""

from __future__ import annotations

import inspect
from dataclasses import FrozenInstanceError
from typing import get_type_hints

import pytest

from muse_nb import combine, cube
from muse_nb.core.errors import MuseError
from muse_nb.steps.combine.settings import CombineOptions, CombineSettings


@pytest.mark.parametrize("function", [combine, cube])
def test_an_unknown_keyword_is_refused_by_name(function) -> None:
    with pytest.raises(TypeError, match=rf"{function.__name__}\(\).*'pixfraction'"):
        function([], output="C.fits", pixfraction=0.5)


def test_the_object_and_the_door_have_the_same_keywords() -> None:
    assert get_type_hints(CombineOptions) == get_type_hints(CombineSettings)


@pytest.mark.parametrize("function", [combine, cube])
def test_every_keyword_is_documented(function) -> None:
    doc = inspect.getdoc(function) or ""
    headings = [line for line in doc.splitlines() if line and not line.startswith(" ")]
    named = {word.strip() for line in headings for word in line.split(",")}
    assert set(get_type_hints(CombineOptions)) <= named


def test_settings_stay_as_they_are_made() -> None:
    settings = CombineSettings()
    with pytest.raises(FrozenInstanceError):
        settings.crsigma = 3.0  # type: ignore[misc]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"engine": "fast"}, "no engine 'fast': choose stream or eso"),
        ({"resample": "linear"}, "no resampling 'linear'"),
        ({"crtype": "mean"}, "no crtype 'mean'"),
        ({"extensions": ["DQ", "SKY"]}, "no extension 'SKY': choose from DQ, EXPMAP"),
        ({"pixfrac": 0.0}, "above 0 and at most 1"),
        ({"pixfrac": (0.6, 1.1)}, r"pixfrac is \(0\.6, 1\.1\)"),
        ({"lambdamin": 7000.0, "lambdamax": 6000.0}, "nothing between 7000 and 6000 Angstrom"),
        ({"split": 2}, "only muse_exp_combine needs to be split"),
        ({"engine": "eso", "crtype": "others"}, "has no crtype 'others'"),
        ({"engine": "eso", "extensions": ["EXPMAP", "DQ"]}, "makes no DQ or EXPMAP"),
        ({"engine": "eso", "workers": 2}, "cannot run on a cluster"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(options: CombineOptions, reason: str) -> None:
    with pytest.raises(MuseError, match=reason):
        CombineSettings.of("combine", **options).check()
