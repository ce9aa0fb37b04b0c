"""Protects against every silent failure of the recipes: each is told at all doors, by the check that is meant to."""

from __future__ import annotations

import json
import re
import shutil
import warnings
from collections.abc import Callable
from html import unescape
from pathlib import Path

import pytest
from rows import SILENT, Row

from muse_nb import RecipeRunner, doctor, survey
from muse_nb.cli import main
from muse_nb.core.errors import MuseError, MuseWarning
from muse_nb.products.offset_list import OffsetList
from muse_nb.recipes.checks.every import AFTER, BEFORE
from muse_nb.recipes.checks.sets import judge_offsets
from muse_nb.steps.doctor import runs as doctor_runs

NOTES = ("mixed angles",)
Folders = Callable[[Row], Path]
every = pytest.mark.parametrize("row", SILENT, ids=lambda row: row.name)
pytestmark = pytest.mark.filterwarnings("ignore::muse_nb.core.errors.MuseWarning")


def told(row: Row, text: str) -> bool:
    return re.search(row.says, " ".join(text.split())) is not None


def having(what: str) -> pytest.MarkDecorator:
    """Rows with a step, or a command, of their own; those that only tell after the work need the recipes."""
    marks = {True: [pytest.mark.eso], False: []}
    rows = [pytest.param(r, id=r.name, marks=marks[r.after]) for r in SILENT if getattr(r, what) is not None]
    return pytest.mark.parametrize("row", rows)


@every
def test_the_function_tells(row: Row, spoiled: Folders) -> None:
    folder = spoiled(row)
    found = doctor(folder)
    assert told(row, str(found))
    assert bool(found.findings) != (row.name in NOTES)
    assert len(found.table) == len(found.findings) <= 3


@every
def test_the_command_tells(row: Row, spoiled: Folders, capsys: pytest.CaptureFixture[str]) -> None:
    folder = spoiled(row)
    status = 0 if row.name in NOTES else 1
    assert main(["doctor", str(folder)]) == status
    assert told(row, capsys.readouterr().out)
    assert main(["doctor", str(folder), "--json"]) == status
    answer = json.loads(capsys.readouterr().out)
    assert len(answer["findings"]) + len(answer["notes"]) >= 1


@every
def test_the_widget_tells(row: Row, spoiled: Folders) -> None:
    folder = spoiled(row)
    runner = RecipeRunner(doctor, folder)
    runner.start()
    shown = re.sub(r"<[^>]+>", " ", runner.wait(60)._repr_html_())
    assert all(word in shown for word in re.findall(r"[A-Za-z]{4,}", row.says))


@every
def test_nobody_tells_when_the_check_is_removed(row: Row, spoiled: Folders, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = spoiled(row)
    for name in row.check.split():
        for checks in (BEFORE, AFTER):
            if name in checks:
                monkeypatch.delitem(checks, name)
        if name == "signs":
            monkeypatch.setattr(doctor_runs, "check_against_stars", lambda *_: ())
    assert not told(row, str(doctor(folder)))


@having("act")
def test_the_step_itself_and_its_widget_refuse_or_tell(row: Row, spoiled: Folders, night) -> None:
    folder = spoiled(row)
    said, shown = sentences(row, folder, night)
    assert told(row, said)
    assert told(row, shown)
    assert not list((folder / "out").glob("*.fits")) or row.check in (
        "cosmics",
        "offsets",
        "not_finite",
        "stars",
        "zero_rows",
        "row_variance",
        "date",
    )


def sentences(row: Row, folder: Path, night) -> tuple[str, str]:
    """What a step says of the fault as error, warning or result, and what its widget shows."""
    shutil.rmtree(folder / "out", ignore_errors=True)
    runner = RecipeRunner(row.act, folder, night, title=row.name)  # type: ignore[arg-type]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", MuseWarning)
        runner.start()
        try:
            result = runner.wait(120)
        except MuseError as error:
            result = str(error)
    assert runner.state in ("done", "failed")
    said = [str(w.message) for w in caught] + ([result] if isinstance(result, str) else [])
    return "; ".join(said), unescape(re.sub(r"<[^>]+>", " ", runner._answer.value))


@having("command")
def test_the_steps_command_refuses_or_tells(
    row: Row, spoiled: Folders, night, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = spoiled(row)
    shutil.rmtree(folder / "out", ignore_errors=True)
    status = main([str(word) for word in row.command(folder, night)])
    out, err = capsys.readouterr()
    assert told(row, out + err)
    assert status == 0 or (len(err.strip().splitlines()) == 1 and "Traceback" not in err)


def test_a_survey_tells_of_wavelengths_that_no_header_should_have(spoiled: Folders) -> None:
    for row in SILENT:
        if row.check in ("lambda_shift", "lambda_range", "lambda_planes"):
            assert [text for text in survey(spoiled(row)).findings if told(row, text)], row.name


def test_a_good_night_has_no_findings(night) -> None:
    found = doctor(night.folder)
    assert found.findings == ()
    assert found.files > 50
    assert "nothing would go wrong" in found._repr_html_()


def test_a_folder_without_files_and_no_folder_are_one_sentence(tmp_path: Path, capsys) -> None:
    assert main(["doctor", str(tmp_path)]) == 1
    assert main(["doctor", str(tmp_path / "none")]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 2


@pytest.mark.parametrize(("scale", "faults"), [(0.0, 0), (float("nan"), 0), (1.0, 0), (1.2, 1)])
def test_a_flux_scale_that_both_engines_leave_is_no_finding(scale: float, faults: int) -> None:
    given = OffsetList(("2014-07-27T03:12:00.000",), (0.0,), (0.0,), (0.0,), (scale,))
    assert len(list(judge_offsets(given, given.date_obs))) == faults
