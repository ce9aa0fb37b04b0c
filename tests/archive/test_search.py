"""Protects the search of the archive: questions become ADQL that the archive understands, answers become lists."""

from __future__ import annotations

import json

import pytest
from holdings import BIAS, ELSEWHERE, FLAT, GEOMETRY, SCIENCE, row
from server import Server, State, tree

import muse_nb
from muse_nb.archive.search import Question
from muse_nb.cli import main
from muse_nb.core.errors import MuseError


def names(server: Server, **words: object) -> list[str]:
    return [file.dp_id for file in muse_nb.list_archive(archive=server.url, **words).files]


@pytest.mark.parametrize(
    "words",
    [
        {"target": "NGC 6397"},
        {"target": "ngc-6397"},
        {"target": "NGC6397 core"},
        {"position": (265.2, -53.7, 0.1)},
        {"programme": "60.A-9100(C)"},
        {"programme": "60.A-9100"},
        {"night": "2014-07-26"},
        {"night": "2014-07-26", "mode": "wfm-noao-n", "target": "NGC6397"},
    ],
)
def test_each_way_to_ask_finds_the_night(server: Server, words: dict[str, object]) -> None:
    assert names(server, **words) == list(SCIENCE)


@pytest.mark.parametrize(
    "words",
    [
        {"target": "NGC 639"},
        {"target": "GC 6397"},
        {"target": "x' OR 1=1 --"},
        {"programme": "60.A-91"},
        {"mode": "NFM-AO-N", "target": "NGC 6397"},
    ],
)
def test_what_does_not_match_is_not_found(server: Server, words: dict[str, object]) -> None:
    assert names(server, **words) == []


def test_a_night_runs_from_noon_to_noon_in_chile(server: Server, state: State) -> None:
    """Noon is at 16:00 UT in July (UTC-4) and at 15:00 UT in January (UTC-3)."""
    for moment in ("2014-07-26T16:00:00.000", "2014-07-27T15:59:59.999", "2014-07-27T16:00:00.000"):
        state.rows.append(row(f"MUSE.{moment}", target="edge"))
    state.rows.append(row("MUSE.2015-01-26T15:00:00.000", target="edge"))
    assert names(server, night="2014-07-26", target="edge") == [
        "MUSE.2014-07-26T16:00:00.000",
        "MUSE.2014-07-27T15:59:59.999",
    ]
    assert names(server, night="2015-01-26") == ["MUSE.2015-01-26T15:00:00.000"]


def test_questions_that_cannot_be_are_refused_before_anybody_is_asked() -> None:
    for question, said in (
        (Question(), "say what to look for"),
        (Question(night="yesterday"), "give the evening's date"),
        (Question(position=(400.0, 0.0, 1.0)), "is not RA"),
        (Question(position=(float("nan"), 0.0, 1.0)), "is not RA"),
        (Question(target="--"), "no name of a target"),
    ):
        with pytest.raises(MuseError, match=said):
            question.adql()


def test_more_than_the_limit_is_noticed_and_not_fetched(server: Server, state: State, tmp_path) -> None:
    found = muse_nb.list_archive(target="NGC 6397", limit=1, archive=server.url)
    assert found.truncated
    assert [file.dp_id for file in found.files] == [SCIENCE[0]]
    assert "more than 1 exposures match" in found.notes[0]
    assert any("MAXREC" not in query for query in state.queries)
    with pytest.raises(MuseError, match="narrow the search"):
        muse_nb.fetch(tmp_path, found, archive=server.url)
    state.most = 1  # the archive's own limit
    assert muse_nb.list_archive(target="NGC 6397", archive=server.url).truncated


def test_the_list_as_json_names_what_each_calibration_serves(server: Server, capsys) -> None:
    words = ["fetch", "--target", "NGC 6397", "--calibrations", "raw", "--list", "--json", "--archive", server.url]
    assert main(words) == 0
    found = json.loads(capsys.readouterr().out)
    files = {file["dp_id"]: file for file in found["files"]}
    assert set(files) == {*SCIENCE, BIAS, FLAT, GEOMETRY}
    assert files[SCIENCE[0]] == {
        "dp_id": SCIENCE[0],
        "category": "SCIENCE",
        "type": "OBJECT",
        "mode": "WFM-NOAO-N",
        "date_obs": "2014-07-27T03:12:00.417",
        "exposure": 60.0,
        "bytes": 120_000,
        "release": "2015-07-27T00:00:00Z",
        "for": [],
        "object": "NGC6397-core",
    }
    assert files[BIAS]["for"] == list(SCIENCE)
    assert files[BIAS]["type"] == "BIAS"
    assert files[GEOMETRY]["type"] == "GEOMETRY_TABLE"  # no raw file: CalSelector's word
    assert files[GEOMETRY]["bytes"] is None
    assert found["bytes"] == 4 * 120_000
    assert ELSEWHERE not in files


@pytest.mark.parametrize("form", ["xml", "votable"])
def test_one_exposures_calibrations_in_each_form(server: Server, state: State, form: str) -> None:
    state.form = form
    state.rows = [r for r in state.rows if r["dp_id"] != SCIENCE[1]]
    state.associations[SCIENCE[0]] = tree(
        SCIENCE[0], [(BIAS, "BIAS")], certified="false", complete="false", messages="no arcs", message="no arcs"
    )
    found = muse_nb.list_archive(target="NGC 6397", calibrations="raw", archive=server.url)
    assert [file.dp_id for file in found.files] == [SCIENCE[0], BIAS]
    notes = "\n".join(found.notes)
    assert "are not certified" in notes
    assert "are not complete" in notes
    assert f"the archive on {SCIENCE[0]}: no arcs" in notes


def test_masters_are_asked_for_and_what_comes_instead_is_told(server: Server, state: State) -> None:
    found = muse_nb.list_archive(target="NGC 6397", calibrations="master", archive=server.url)
    assert "the archive gives Raw2Raw, not Raw2Master" in found.notes[0]


def test_exposures_without_calibrations_are_told(server: Server, state: State) -> None:
    del state.associations[SCIENCE[1]]
    found = muse_nb.list_archive(target="NGC 6397", calibrations="raw", archive=server.url)
    assert any(f"no calibrations for {SCIENCE[1]}" in note for note in found.notes)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("<association><mainFiles>", "was cut short"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><association/>', "defines its own entities"),
        ("<html/>", "holds no association"),
    ],
)
def test_odd_answers_of_calselector_are_a_sentence(server: Server, state: State, answer: str, said: str) -> None:
    state.associations = {SCIENCE[0]: answer}
    with pytest.raises(MuseError, match=said):
        muse_nb.list_archive(target="NGC 6397", calibrations="raw", archive=server.url)


def test_an_error_of_the_table_is_a_sentence(server: Server, state: State, monkeypatch) -> None:
    monkeypatch.setattr("muse_nb.archive.search.COLUMNS", ("no_such_column",))
    with pytest.raises(MuseError, match="no such column"):
        muse_nb.list_archive(target="NGC 6397", archive=server.url)


def test_nothing_there_is_a_sentence(monkeypatch, capsys) -> None:
    monkeypatch.setattr("muse_nb.archive.session.FIRST_PAUSE", 0.001)
    assert main(["fetch", "--night", "2014-07-26", "--list", "--archive", "http://127.0.0.1:9"]) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "127.0.0.1:9 cannot be reached" in said
    assert main(["fetch", "--night", "2014-07-26", "--list", "--archive", "ftp://x"]) == 1
    assert "is no address of an archive" in capsys.readouterr().err


def test_choosing_keeps_what_serves_the_chosen(server: Server) -> None:
    found = muse_nb.list_archive(target="NGC 6397", calibrations="raw", archive=server.url)
    some = found.chosen([SCIENCE[1]])
    assert {file.dp_id for file in some.files} == {SCIENCE[1], BIAS, FLAT, GEOMETRY}
    assert {file.serves for file in some.files} == {(), (SCIENCE[1],)}
    assert len(found.table) == 5
    assert "<script>" not in found.chosen([])._repr_html_()
