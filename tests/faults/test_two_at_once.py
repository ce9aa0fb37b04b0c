"""Two processes at one output, manifest or table of picks: nothing is lost, and who comes second is told."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from astropy.io import fits
from rows import ROWS

from benchmarks.kills import hidden
from benchmarks.tables import write_tables
from muse_nb.products.manifest import read_manifest
from muse_nb.steps.offsets.picks import read_picks

TOLD = ("is already there", "another process", "is being made")


def together(*codes: str, folder: Path) -> list[tuple[int, str]]:
    """Run pieces of Python as processes that start at one word; give their exit statuses and what they say."""
    given = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    running = [subprocess.Popen([sys.executable, "-c", code], cwd=folder, **given) for code in codes]  # type: ignore[call-overload]
    for process in running:
        process.stdout.readline()
    for process in running:
        process.stdin.write("go\n")
        process.stdin.flush()
    ended = [process.communicate(timeout=120) for process in running]
    return [(process.returncode, err) for process, (_, err) in zip(running, ended, strict=True)]


def command(*words: object) -> str:
    """Code that waits, then runs ``muse-nb``."""
    step = "survey.survey" if words[0] == "survey" else "combine.combine"
    return (
        f"import sys, muse_nb.steps.{step}; from muse_nb.cli import load, main; load('{words[0]}');"
        "print('ready', flush=True); sys.stdin.readline();"
        f"sys.exit(main({[str(word) for word in words]}))"
    )


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return write_tables(tmp_path_factory.mktemp("tables"), 4, ROWS, ifus=2)


@pytest.mark.parametrize("force", [False, True], ids=["", "force"])
def test_one_manifest(tables: list[Path], tmp_path: Path, force: bool) -> None:
    words = ["survey", tables[0].parent, "-o", tmp_path / "m.csv", *(["--force"] if force else [])]
    ended = together(*[command(*words)] * 3, folder=tmp_path)
    won = [status for status, _ in ended if status == 0]
    assert len(won) == 3 if force else len(won) == 1
    assert all(any(word in err for word in TOLD) for status, err in ended if status)
    assert len(read_manifest(tmp_path / "m.csv")) == len(tables)
    assert [path.name for path in tmp_path.iterdir()] == ["m.csv"]


@pytest.mark.parametrize("force", [False, True], ids=["", "force"])
def test_one_cube(tables: list[Path], tmp_path: Path, force: bool) -> None:
    """Whoever wins, the cube is whole, and made of the winner's exposures alone."""
    more = ["-o", tmp_path / "C.fits", "--threads", "1", "--no-checks", *(["--force"] if force else [])]
    ended = together(command("combine", *tables[:2], *more), command("combine", *tables[2:], *more), folder=tmp_path)
    won = [number for number, (status, _) in enumerate(ended) if status == 0]
    assert won
    assert force or len(won) == 1
    assert all(any(word in err for word in TOLD) for status, err in ended if status)
    header = fits.getheader(tmp_path / "C.fits")
    assert header["DATE-OBS"] in [fits.getheader(tables[2 * number])["DATE-OBS"] for number in won]
    fits.getdata(tmp_path / "C.fits", "STAT").sum()
    assert hidden(tmp_path) == []


def test_one_table_of_picks(tmp_path: Path) -> None:
    """Each adds its stars one by one, as two open notebooks do; all are there at the end."""
    code = (
        "import sys; from muse_nb.steps.offsets.picks import PickFile; print('ready', flush=True);"
        "sys.stdin.readline();"
        "file = PickFile('picks.ecsv'); picks = file.picks.copy(); start = {start}\n"
        "for number in range(start, start + 12):\n"
        "    picks.add_row([len(picks) + 1, 10 + number / 100, -30, '', float('nan'), float('nan'), False])\n"
        "    picks = file.save(picks).copy()\n"
    )
    ended = together(*[code.format(start=start) for start in (0, 12, 24)], folder=tmp_path)
    assert [status for status, _ in ended] == [0, 0, 0], ended
    picks = read_picks(tmp_path / "picks.ecsv")
    assert sorted(round(100 * (ra - 10)) for ra in picks["ra"]) == list(range(36))
    assert len(set(picks["star"])) == 36
