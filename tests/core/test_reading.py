"""A survey's looks at files are told from reading inputs, in the thread that surveys alone."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from threading import Thread

import pytest

import muse_nb
from muse_nb.core.reading import is_looking_around, looking_around
from muse_nb.steps.survey import survey as surveys


def test_only_what_is_read_inside_is_looked_at() -> None:
    elsewhere: list[bool] = []
    with looking_around():
        with suppress(RuntimeError), looking_around():
            raise RuntimeError
        assert is_looking_around()
        thread = Thread(target=lambda: elsewhere.append(is_looking_around()))
        thread.start()
        thread.join()
    assert not is_looking_around()
    assert elsewhere == [False]


def test_a_survey_looks_around(night, monkeypatch: pytest.MonkeyPatch) -> None:
    classify, looked = surveys.classify, []

    def noted(path: Path) -> object:
        looked.append(is_looking_around())
        return classify(path)

    monkeypatch.setattr(surveys, "classify", noted)
    muse_nb.survey(night.folder / "reduced")
    assert looked
    assert all(looked)
    assert not is_looking_around()
