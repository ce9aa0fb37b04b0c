"""Damaged and hostile files at the commands: right, or one sentence; no traceback, hang, half file, changed input."""

from __future__ import annotations

import io
import os
import shutil
import signal
import warnings
from collections import Counter
from pathlib import Path

import pytest
from astropy.io import fits
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from inputs import Good, good_files

from muse_nb.cli import main
from muse_nb.core.errors import MuseError
from muse_nb.products.fits.blocks import hdus

EXAMPLES = int(os.environ.get("MUSE_NB_FUZZ", "12"))  # of each kind of file; `python -m benchmarks fuzz` takes more
LIMIT = 30  # seconds for one command
CARD = 80
KINDS = 22
NASTY = [
    *("1000000000000", "-1", "0", "1.5", "T", "'text'", "", "NaN", "9" * 60, "1E999", "'unclosed", "8", "-32", "64"),
    *("1 / 2 / 3", "(1, 2)", "'\xe9\xff'", "\x1b[2J", "\x00\x00", "99", "'BINTABLE'", "'1000000000E'", "'0A'"),
    *("'RA---TAN'", "'../../x'", "'=1+1'", "'<script>'", "265", "'2014-07-27T00:00:00.000'", "-1E30", "'deg'"),
]
WORDS = [
    b"=1+1,",
    b'"',
    b"\x00",
    b"\xff\xfe",
    b"nan",
    b"1e999",
    b"-9",
    b"'",
    b"\n",
    b"../../etc/passwd",
    b"%s",
    b"," * 30,
]
TRIED: Counter[str] = Counter()


@pytest.fixture(scope="module")
def kinds(night, tmp_path_factory: pytest.TempPathFactory) -> list[Good]:
    made = good_files(night, tmp_path_factory.mktemp("good"))
    assert len(made) == KINDS
    return made


@st.composite
def damages(draw: st.DrawFn) -> list[tuple]:
    """What to do to a file, in parts of its length."""
    kind = st.sampled_from(["cut", "value", "value", "value", "blank", "card", "bytes", "word", "grow", "zero"])
    where = st.floats(0, 1, exclude_max=True)
    text = st.sampled_from(NASTY) | st.text(max_size=30)
    raw = st.binary(min_size=1, max_size=64) | st.sampled_from(WORDS)
    return draw(st.lists(st.tuples(kind, where, text, raw), min_size=1, max_size=3))


def damage(path: Path, content: bytes, how: list[tuple]) -> bytes:
    """Do it."""
    cards = (
        [h.start + CARD * k for h in hdus(path) for k in range(len(h.text) // CARD)] if path.suffix == ".fits" else []
    )
    whole = bytearray(content)
    for kind, part, text, raw in how:
        at = int(part * len(whole))
        card = cards[int(part * len(cards))] if cards else at
        if kind == "cut":
            del whole[at:]
        elif kind == "value" and cards:
            whole[card + 10 : card + CARD] = text.encode("latin-1", "replace")[:70].ljust(70)
        elif kind in ("blank", "card") and cards:
            whole[card : card + CARD] = (b" " if kind == "blank" else raw).ljust(CARD)[:CARD]
        elif kind == "grow":
            whole[at:at] = raw
        elif kind == "zero":
            whole[at : at + 4000] = bytes(len(whole[at : at + 4000]))
        else:
            whole[at : at + len(raw)] = raw
    return bytes(whole)


class TooLong(BaseException):
    """Not an error that a command may catch."""


def tried(words: list[object], out: Path, capsys: pytest.CaptureFixture[str]) -> int:
    """Run a command in this process, hold it to its promises, and give its exit status."""

    def stop(*_: object) -> None:
        raise TooLong(words)

    old = signal.signal(signal.SIGALRM, stop)
    signal.alarm(LIMIT)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # astropy has much to say about such headers
            status = main([str(word) for word in words])
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, old)
    stdout, stderr = capsys.readouterr()
    TRIED["tried"] += 1
    TRIED["done" if status == 0 else "refused"] += 1
    told = stderr.strip().splitlines()
    assert status in (0, 1)
    assert "Traceback" not in stderr
    assert not (status == 1 and not told and not stdout), "refused without a word"
    if status == 1 and words[0] not in ("doctor", "survey", "reduce", "masters"):
        assert len(told) == 1
        assert not [path for path in out.rglob("*") if path.is_file()]
    assert not [path for path in out.rglob(".*") if path.is_file()], "a temporary file is left"
    return status


@pytest.mark.parametrize("number", range(KINDS))
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate],
)
@given(how=damages())
def test_a_damaged_file_is_read_or_refused(kinds, number: int, capsys, how: list[tuple]) -> None:
    good: Good = kinds[number]
    path, bad = good.path, damage(good.path, good.content, how)
    out = path.parent.parent / "out"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    try:
        path.write_bytes(bad)
        tried(good.words(path, out), out, capsys)
        assert path.read_bytes() == bad
    finally:
        path.write_bytes(good.content)


def test_the_files_are_good_before_they_are_damaged(kinds, tmp_path: Path, capsys) -> None:
    for good in kinds:
        words = good.words(good.path, tmp_path / good.name)
        (tmp_path / good.name).mkdir()
        expected = 1 if words[0] in ("reduce", "combine") and good.name != "OFFSET_LIST" else 0
        assert tried(words, tmp_path / good.name, capsys) == expected, good.name


@pytest.mark.parametrize(
    "name", ["a b.fits", 'it\'s "quoted".fits', "new\nline.fits", "=1+1.fits", "-o.fits", "$(id).fits", "é\udcff.fits"]
)
def test_odd_names_are_names(kinds, tmp_path: Path, capsys, name: str) -> None:
    table = next(good.content for good in kinds if good.name == "pixel table")
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / name).write_bytes(table)
    before = sorted(tmp_path.rglob("*"))
    assert main(["doctor", str(folder)]) == 0
    assert main(["cube", str(folder / name), "-o", str(tmp_path / "C.fits"), "--threads", "1"]) == 0
    assert main(["survey", str(folder), "-o", str(tmp_path / "m.csv")]) == 0
    assert main(["survey", "--verify", str(tmp_path / "m.csv")]) == 0
    assert not any(line.startswith("=") for line in (tmp_path / "m.csv").read_text(errors="replace").splitlines())
    new = {path.name for path in tmp_path.rglob("*")} - {path.name for path in before}
    assert new == {"C.fits", "C_IMAGE_FOV_white.fits", "m.csv"}


def test_links_out_of_the_folder_are_not_followed(kinds, tmp_path: Path, capsys) -> None:
    path = next(good.path for good in kinds if good.name == "pixel table")
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "link.fits").symlink_to(path)
    (folder / "loop").symlink_to(folder)
    shutil.copy(path, folder / "own.fits")
    for command in (["doctor", str(folder)], ["survey", str(folder)]):
        main(command)
        out = capsys.readouterr().out
        assert "own.fits" in out or "1 files" in out or "1 exposures, 1 files" in out


def test_a_library_call_raises_our_error_only(kinds) -> None:
    from muse_nb import doctor

    with pytest.raises(MuseError):
        doctor(kinds[0].path)  # a file, not a folder


LOOKUP = {"PS1_0": "DATA", "PS1_1": "COORDS", "PS2_0": "DATA", "PS2_1": "COORDS"}  # in the image itself


@pytest.mark.parametrize(
    "cards",
    [
        {"CTYPE1": "RA---TAB", "CTYPE2": "DEC--TAB", **LOOKUP},
        {"CTYPE1": "RA---TAN", "CTYPE2": "RA---TAN"},
        {"CTYPE1": "GLON-CAR", "CTYPE2": "DEC--TAN"},
        {"CTYPE1": None, "CTYPE2": None, "CD1_1": None, "CD2_2": None},
        {"CD1_1": 0.0, "CD1_2": 0.0, "CD2_1": 0.0, "CD2_2": 0.0},
        {"CRPIX1": 1e300, "CRVAL2": -400.0},
        {"CD1_1": 1e-30, "CD2_2": 1e30},
        {"WCSAXES": 9, "LONPOLE": 1e9, "LATPOLE": -1e9},
    ],
    ids=lambda cards: "-".join(cards)[:30],
)
@pytest.mark.parametrize("kind", ["IMAGE_FOV", "cube", "IMAGE_FOV, doctor"])
def test_a_wcs_that_goes_round_in_circles_or_nowhere(kinds, kind: str, capsys, cards: dict, tmp_path: Path) -> None:
    good: Good = next(one for one in kinds if one.name == kind)
    with fits.open(io.BytesIO(good.content)) as opened:
        for name, value in cards.items():
            if value is None:
                opened["DATA"].header.remove(name, ignore_missing=True)
            else:
                opened["DATA"].header[name] = value
        opened.writeto(good.path, overwrite=True, output_verify="ignore")
    bad = good.path.read_bytes()
    try:
        tried(good.words(good.path, tmp_path), tmp_path, capsys)
        assert good.path.read_bytes() == bad
    finally:
        good.path.write_bytes(good.content)


def test_what_was_tried_is_told(record_property) -> None:
    """The last of this file; the terminal summary prints it."""
    text = "fuzz: {tried} damaged inputs tried, {refused} refused in a sentence, {done} read, nothing lost"
    record_property("counted", text.format(**TRIED))
    assert TRIED["tried"] == TRIED["refused"] + TRIED["done"] >= 0
