"""Making a night: what is asked for is made once, whole, and never over something else."""

from __future__ import annotations

import json
import shutil
from collections import namedtuple
from pathlib import Path

import pytest

from muse_nb.cli import main
from muse_nb.core.errors import MuseError
from muse_nb.core.progress import silent
from muse_nb.simulator import workshop
from muse_nb.simulator.night import Night, disk_needed, simulate


@pytest.fixture
def copy(night: Night, tmp_path: Path) -> Path:
    """The shared night's calibrations, truth and first raw frame, to change."""
    for name in ("calib", "truth"):
        shutil.copytree(night.folder / name, tmp_path / name)
    (tmp_path / "raw").mkdir()
    shutil.copy(night.raw[0], tmp_path / "raw")
    return tmp_path


def stamps(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def test_a_second_call_makes_nothing(night: Night) -> None:
    before = stamps(night.folder)
    again = simulate(night.folder, len(night.raw), products=True)
    assert again.made == 0
    assert stamps(night.folder) == before
    assert again.raw == night.raw


def test_only_what_is_missing_is_made(copy: Path, night: Night) -> None:
    (copy / "calib" / "TRACE_TABLE-12.fits").unlink()
    before = stamps(copy)
    again = simulate(copy, 2, progress=silent)
    assert again.made == 2  # the table and the second raw frame
    after = stamps(copy)
    assert {path: after[path] for path in before} == before
    assert (copy / "calib" / "TRACE_TABLE-12.fits").read_bytes() == night.calibrations["TRACE_TABLE"][2].read_bytes()
    assert again.raw[1].read_bytes() == night.raw[1].read_bytes()


def test_another_night_is_not_mixed_in(copy: Path) -> None:
    before = stamps(copy)
    with pytest.raises(MuseError, match="holds another night"):
        simulate(copy, 1, seed=9)
    assert stamps(copy) == before


def test_force_replaces_all_of_another_night(copy: Path, night: Night) -> None:
    shutil.copy(night.raw[3], copy / "raw")
    again = simulate(copy, 1, seed=9, force=True, progress=silent)
    assert list((copy / "raw").iterdir()) == again.raw
    assert again.raw[0].read_bytes() != night.raw[0].read_bytes()
    assert len(again.exposures) == 1
    assert simulate(copy, 1, seed=9).made == 0


def test_a_failure_leaves_no_part_of_a_file(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(name: str, chips: object, path: Path) -> None:
        path.write_bytes(b"half a file")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(workshop, "write_static", broken)
    (copy / "calib" / "GEOMETRY_TABLE.fits").unlink()
    with pytest.raises(MuseError, match="No space left"):
        simulate(copy, 1)
    assert not (copy / "calib" / "GEOMETRY_TABLE.fits").exists()
    assert not list(copy.rglob(".part-*"))


def test_a_small_disk_is_refused_beforehand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10, 0, 50_000_000))
    with pytest.raises(MuseError, match=r"0\.1 GB free and the night takes 0\.2 GB"):
        simulate(tmp_path / "new", 19)
    assert not list(tmp_path.rglob("*.fits"))


def test_the_forecast_of_the_disk_is_right(night: Night) -> None:
    written = sum(path.stat().st_size for path in night.folder.rglob("*.*") if path.is_file())
    assert disk_needed("micro", len(night.raw), raw=True, products=True) == pytest.approx(written, rel=0.05)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"layout": "huge"}, "no layout 'huge'"),
        ({"exposures": 0}, "0 exposures"),
        ({"seed": -1}, "seed -1"),
        ({"exptime": float("nan")}, "exposure time"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments: dict[str, object], reason: str, tmp_path: Path) -> None:
    with pytest.raises(MuseError, match=reason):
        simulate(tmp_path / "new", **arguments)  # type: ignore[arg-type]
    assert not (tmp_path / "new").exists()


def test_the_command_prints_what_is_there(night: Night, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", str(night.folder), "--exposures", "4", "--products", "--json"]) == 0
    out = json.loads(capsys.readouterr().out)
    assert out["raw"] == [str(path) for path in night.raw]
    assert out["made"] == 0
    assert out["exposures"] == night.labels
    assert all(Path(path).exists() for paths in out["calibrations"].values() for path in paths)


def test_the_command_gives_a_reason(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", str(tmp_path), "--layout", "huge"]) == 1
    assert "there is no layout 'huge'" in capsys.readouterr().err


def test_a_night_shows_itself(night: Night) -> None:
    assert night.labels[0] in night._repr_html_()
    assert night.layout.name == "micro"
