"""Protects fetching: whole files under the archive's names, resumed, checked, never twice; what fails is a sentence."""

from __future__ import annotations

import ast
import errno
import json
import re
import threading
from pathlib import Path

import ncompress
import pytest
from holdings import BIAS, FLAT, GEOMETRY, SCIENCE, frame
from server import Remote, Server, State

import muse_nb
from muse_nb.cli import main
from muse_nb.core.errors import MuseError
from muse_nb.products.manifest import read_manifest

ALL = [*SCIENCE, BIAS, FLAT, GEOMETRY]


def fetch(server: Server, folder: Path, **words: object) -> muse_nb.archive.result.Fetched:
    return muse_nb.fetch(folder, target="NGC 6397", archive=server.url, **words)


def hidden(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.startswith(".")]


def same(state: State, folder: Path, names: list[str]) -> bool:
    return all((folder / f"{name}.fits.fz").read_bytes() == state.files[name].content for name in names)


def test_a_night_with_its_calibrations_and_logs(server: Server, state: State, tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    found = fetch(server, tmp_path / "raw", calibrations="raw", progress=lambda *words: told.append(words))
    assert not found.failed
    assert same(state, tmp_path / "raw", ALL)
    assert {path.name for path in found.files if path.suffix == ".txt"} == {f"{name}.NL.txt" for name in SCIENCE}
    assert hidden(tmp_path / "raw") == []
    assert told[-1][0] == "fetching"
    assert found.bytes == sum(state.sent[name] for name in ALL)


def test_nothing_is_fetched_twice(server: Server, state: State, tmp_path: Path) -> None:
    fetch(server, tmp_path, calibrations="raw")
    before = dict(state.sent)
    again = fetch(server, tmp_path, calibrations="raw")
    assert state.sent == before
    assert again.files == []
    assert len(again.kept) == 7
    assert again.bytes == 0


def test_the_command_writes_a_manifest_with_the_archives_names(
    server: Server, state: State, tmp_path: Path, capsys
) -> None:
    words = ["fetch", "--target", "NGC 6397", "--archive", server.url, "-o", str(tmp_path / "raw"), "--json"]
    assert main(words) == 0
    assert len(json.loads(capsys.readouterr().out)["fetched"]) == 4
    entries = {entry.archive: entry for entry in read_manifest(tmp_path / "raw" / "data_manifest.csv")}
    assert set(entries) == set(SCIENCE)
    manifest = tmp_path / "raw" / "data_manifest.csv"
    manifest.write_text("".join(manifest.read_text().splitlines(keepends=True)[:2]))  # as before a run that was killed
    assert main(words) == 0
    assert len(json.loads(capsys.readouterr().out)["kept"]) == 4
    assert len(read_manifest(manifest)) == 2
    manifest.write_text("mine")
    assert main(words) == 0
    assert "it is left as it is" in capsys.readouterr().err
    assert manifest.read_text() == "mine"
    with pytest.raises(SystemExit) as caught:
        main(["fetch", "--target", "NGC 6397"])
    assert caught.value.code == 2


@pytest.mark.parametrize("etag", ['"0"', ""])
def test_a_broken_connection_is_gone_on_from(server: Server, state: State, tmp_path: Path, etag: str) -> None:
    state.files[SCIENCE[0]].etag = etag
    state.breaks[SCIENCE[0]] = [50_000, 20_000, 0, 30_000]
    found = fetch(server, tmp_path)
    assert not found.failed
    assert same(state, tmp_path, list(SCIENCE))
    asked = [h.get("Range") for _, path, h in state.requests if path == f"/dataPortal/file/{SCIENCE[0]}"]
    assert asked == [None, "bytes=50000-", "bytes=70000-", "bytes=70000-", "bytes=100000-"]
    assert state.sent[SCIENCE[0]] == state.files[SCIENCE[0]].size


def test_a_file_that_breaks_again_and_again_is_told_and_kept_for_the_next_run(
    server: Server, state: State, tmp_path: Path
) -> None:
    state.breaks[SCIENCE[0]] = [40_000] + [0] * 6
    found = fetch(server, tmp_path)
    assert list(found.failed) == [SCIENCE[0]]
    assert "breaks off at byte 40000" in found.failed[SCIENCE[0]]
    assert same(state, tmp_path, [SCIENCE[1]])
    state.breaks.clear()
    assert not fetch(server, tmp_path).failed
    assert same(state, tmp_path, list(SCIENCE))
    assert state.sent[SCIENCE[0]] == state.files[SCIENCE[0]].size
    assert hidden(tmp_path) == []


def test_an_archive_without_ranges_begins_again(server: Server, state: State, tmp_path: Path) -> None:
    state.ranges = False
    state.breaks[SCIENCE[0]] = [50_000]
    assert not fetch(server, tmp_path).failed
    assert same(state, tmp_path, list(SCIENCE))


@pytest.mark.parametrize("if_range", [True, False])
def test_a_file_that_was_replaced_meanwhile_is_not_mixed(
    server: Server, state: State, tmp_path: Path, if_range: bool
) -> None:
    state.if_range = if_range
    state.breaks[SCIENCE[0]] = [50_000] + [0] * 6
    fetch(server, tmp_path)
    state.breaks.clear()
    state.files[SCIENCE[0]] = Remote(f"{SCIENCE[0]}.fits.fz", frame(SCIENCE[0], 99), etag='"new"')
    assert not fetch(server, tmp_path).failed
    assert same(state, tmp_path, list(SCIENCE))


def test_packed_files_are_unpacked_and_lose_their_z(server: Server, state: State, tmp_path: Path) -> None:
    plain = frame(SCIENCE[0], 0)
    state.files[SCIENCE[0]] = Remote(f"{SCIENCE[0]}.fits.Z", ncompress.compress(plain))
    assert not fetch(server, tmp_path).failed
    assert (tmp_path / f"{SCIENCE[0]}.fits").read_bytes() == plain
    assert hidden(tmp_path) == []
    assert len(fetch(server, tmp_path).kept) == 4


def test_without_a_name_the_archives_is_taken(server: Server, state: State, tmp_path: Path) -> None:
    state.names = False
    assert not fetch(server, tmp_path).failed
    assert sorted(path.name for path in tmp_path.glob("*.fits*")) == [f"{name}.fits.fz" for name in SCIENCE]


@pytest.mark.parametrize("name", ["../../evil.fits", "/etc/evil.fits", ".bashrc", "a\x1b[2Jb.fits"])
def test_a_name_never_leads_out_of_the_folder(server: Server, state: State, tmp_path: Path, name: str) -> None:
    state.files[SCIENCE[0]].name = name
    folder = tmp_path / "raw"
    fetch(server, folder)
    assert [path.name for path in tmp_path.iterdir() if path.name != "home"] == ["raw"]
    assert all(path.name.isprintable() and not path.name.startswith(".") for path in folder.iterdir())


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"<html>maintenance</html>", "is not a FITS file"),
        (frame(SCIENCE[0], 0)[:40_000], "is truncated"),
        (b"", "is empty"),
        (b"\x1f\x9d\x90" + b"\xff" * 5000, "arrives broken"),
    ],
)
def test_a_broken_file_is_tried_again_and_then_told(
    server: Server, state: State, tmp_path: Path, content: bytes, said: str
) -> None:
    state.files[SCIENCE[0]] = Remote(f"{SCIENCE[0]}.fits.fz", content)
    found = fetch(server, tmp_path)
    assert said in found.failed[SCIENCE[0]]
    assert str(tmp_path) not in found.failed[SCIENCE[0]]
    assert sum(path.endswith(SCIENCE[0]) for _, path, _ in state.requests) >= 3
    assert hidden(tmp_path) == []
    assert not list(tmp_path.glob(f"{SCIENCE[0]}.fits*"))
    assert same(state, tmp_path, [SCIENCE[1]])


def test_a_busy_archive_is_waited_for_as_it_asks(server: Server, state: State, tmp_path: Path, monkeypatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr("muse_nb.archive.session.Archive.wait", lambda _, seconds, why: waited.append(seconds))
    state.faults["/dataPortal/file"] = [(429, {"Retry-After": "7"}), (503, {}), (0, {})]
    state.faults["/tap_obs"] = [(500, {}), (429, {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"})]
    assert not fetch(server, tmp_path, workers=1).failed
    assert same(state, tmp_path, list(SCIENCE))
    assert 7.0 in waited
    assert len(waited) == 5


def test_an_archive_that_stays_busy_is_a_sentence(server: Server, state: State, tmp_path: Path, capsys) -> None:
    state.faults["/dataPortal/file/" + SCIENCE[0]] = [(500, {})] * 50
    words = ["fetch", "--target", "NGC 6397", "--archive", server.url, "-o", str(tmp_path), "--no-manifest"]
    assert main(words) == 1
    said = capsys.readouterr()
    assert said.err.startswith("muse-nb fetch: 1 of 2 files could not be had: ")
    assert said.err.count("\n") == 1
    assert "is out of order (500): try again later" in said.out
    assert same(state, tmp_path, [SCIENCE[1]])


def test_a_file_that_the_archive_does_not_have(server: Server, state: State, tmp_path: Path) -> None:
    del state.files[SCIENCE[1]]
    found = fetch(server, tmp_path)
    assert found.failed == {SCIENCE[1]: f"the archive has no file {SCIENCE[1]}"}
    assert same(state, tmp_path, [SCIENCE[0]])


def test_too_small_a_disk_is_told_before(server: Server, state: State, tmp_path: Path) -> None:
    state.rows[0]["access_estsize"] = 10**13
    with pytest.raises(MuseError, match=r"are to be fetched and .* has room for"):
        fetch(server, tmp_path)
    assert not any("/dataPortal" in path for _, path, _ in state.requests)


def test_a_disk_that_gets_full_is_a_sentence_and_what_is_there_is_kept(
    server: Server, state: State, tmp_path: Path, monkeypatch
) -> None:
    import muse_nb.archive.one_file as one_file

    whole = one_file._write
    left = [1]

    def write(answer, file, count, archive):
        if left and left.pop():
            file.write(answer.raw.read(30_000))
            count(30_000)
            raise OSError(errno.ENOSPC, "No space left on device")
        return whole(answer, file, count, archive)

    monkeypatch.setattr(one_file, "_write", write)
    with pytest.raises(MuseError, match="is full: make room"):
        fetch(server, tmp_path, workers=1)
    fetch(server, tmp_path)
    assert same(state, tmp_path, list(SCIENCE))
    assert state.sent[SCIENCE[0]] < 2 * state.files[SCIENCE[0]].size


def test_a_cancel_keeps_what_is_there(server: Server, state: State, tmp_path: Path) -> None:
    cancel = threading.Event()
    state.pace = 0.01

    def progress(what: str, done: int, total: int) -> None:
        cancel.set()

    with pytest.raises(MuseError, match="was cancelled: what is there is kept"):
        fetch(server, tmp_path, progress=progress, cancel=cancel, workers=1)
    state.pace = 0.0
    fetch(server, tmp_path)
    assert same(state, tmp_path, list(SCIENCE))


def test_two_at_one_folder_fetch_each_file_once(server: Server, state: State, tmp_path: Path) -> None:
    state.pace = 0.01
    threads = [threading.Thread(target=fetch, args=(server, tmp_path)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert same(state, tmp_path, list(SCIENCE))
    assert all(state.sent[name] == state.files[name].size for name in SCIENCE)
    assert hidden(tmp_path) == []


def test_a_users_file_is_never_replaced(server: Server, state: State, tmp_path: Path) -> None:
    mine = tmp_path / f"{SCIENCE[0]}.fits.fz"
    mine.write_text("mine")
    fetch(server, tmp_path)
    assert mine.read_text() == "mine"


def test_a_folder_that_cannot_be_made_is_a_sentence(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(MuseError, match="cannot be made"):
        fetch(server, tmp_path / "file" / "raw")


def test_the_network_is_opened_by_this_room_alone() -> None:
    """SECURITY.md says so: no other module imports what opens it."""
    package = Path(muse_nb.__file__).parent
    doors = {"requests", "pyvo", "httpx", "urllib3", "keyring"}
    for path in package.rglob("*.py"):
        text = path.read_text()
        if path.relative_to(package).parts[0] == "archive" or not re.search("|".join([*doors, "http", "urllib"]), text):
            continue
        for node in ast.walk(ast.parse(text)):
            named = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            named += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not {name.split(".")[0] for name in named} & doors, path
            assert not {"urllib.request", "http.client"} & set(named), path
