"""Commands killed by ``kill -9`` at random moments: nothing is lost or left, and a rerun makes the same bytes.

``python -m benchmarks.kills [KILLS] [SEED]``. One process imports everything and forks for each command, which saves
the imports; it never starts a thread.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path

if __name__ == "__main__":  # before NumPy starts its threads; who imports from here keeps the environment
    os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MPLBACKEND": "Agg"}

from benchmarks.tables import write_tables
from muse_nb.cli import load

KILLS = 600
SHARE = {"survey": 4, "inspect": 2, "nans": 4, "offsets": 2, "combine": 6, "cube": 8, "doctor": 6}
SHARE |= {
    "fetch": 4,
    "share": 1,
    "simulate": 0.5,
    "reduce": 0.5,
    "combine eso": 0.5,
}  # of the kills: the slow ones get fewer
AT_A_TIME = 20  # kills before the rerun
HIDDEN = re.compile(r"\.(part|muse_nb|combine|fetch)-")
VARIES = re.compile(rb"(DATE    |CHECKSUM|DATASUM |PIPEFILE|DATAMD5 )= .{70}")
STAMP = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[.\d]*|\d\d:\d\d:\d\d|\d+(\.\d+)? s\b")


@dataclass
class Trial:
    """A command: its words for an output folder, and what it made undisturbed."""

    name: str
    words: Callable[[Path], list[object]]
    seconds: float = 0.0
    made: dict[str, bytes] = field(default_factory=dict)


@dataclass
class Counts:
    """What happened."""

    kills: int = 0
    too_late: int = 0
    reruns: int = 0
    lost: list[str] = field(default_factory=list)
    orphans: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    differ: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        """Whether nothing was lost or left."""
        return not (self.lost or self.orphans or self.left or self.differ or self.failed)


def fork(words: list[object], log: Path) -> int:
    """Start a command in a child of this process, in a session of its own."""
    sys.stdout.flush()
    child = os.fork()
    if child:
        return child
    status = 99
    try:
        os.setsid()
        sink = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        for stream in (1, 2):
            os.dup2(sink, stream)
        from muse_nb.cli import main

        status = main([str(word) for word in words])
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(status)


def session(leader: int) -> list[int]:
    """Processes of a child's session, of recipes and other grandchildren, too."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError, ValueError):
                text = (entry / "stat").read_text()
                state, _, _, own = text.rpartition(")")[2].split()[:4]
                environment = (entry / "environ").read_bytes()
                if (
                    state != "Z"
                    and (int(own) == leader or MARK.encode() in environment)
                    and int(entry.name) != os.getpid()
                ):
                    found.append(int(entry.name))
    return found


MARK = f"MUSE_NB_KILLS={os.getpid()}-{time.time_ns()}"


def content(folder: Path) -> dict[str, bytes]:
    """Bytes of all files but logs, without the moments at which they were made."""
    made = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix != ".log":
            pattern = VARIES if path.suffix == ".fits" else STAMP
            made[str(path.relative_to(folder))] = pattern.sub(b"", path.read_bytes())
    return made


def hidden(*folders: Path) -> list[str]:
    """Names of temporary files and folders."""
    return [str(p) for folder in folders for p in folder.rglob(".*") if HIDDEN.match(p.name)]


def trials(work: Path, url: str) -> list[Trial]:
    """Write small inputs, and say which commands to try on them."""
    from muse_nb import simulate
    from muse_nb.core.progress import silent
    from muse_nb.recipes.backends import available

    night = simulate(work / "night", 2, products=True, progress=silent, workers=1)
    tables = write_tables(work / "tables", 2, 30_000, ifus=2)
    images = night.reduced["IMAGE_FOV"]
    reds = [path for path in night.reduced["OBJECT_RED"] if path.name.endswith("-12.fits")][:1]
    book = work / "book.ipynb"
    book.write_text(json.dumps(NOTEBOOK))
    found = [
        Trial("survey", lambda o: ["survey", work / "tables", "-o", o / "m.csv", "--force"]),
        Trial("doctor", lambda o: ["doctor", work / "tables", "--json"]),
        Trial("inspect", lambda o: ["inspect", *reds, "-o", o / "i.csv", "--force"]),
        Trial("offsets", lambda o: ["offsets", *images, "-o", o / "L.fits", "--force"]),
        Trial("combine", lambda o: ["combine", *tables, "-o", o / "C.fits", "--threads", "1", "--force"]),
        Trial("cube", lambda o: ["cube", tables[0], "-o", o / "C.fits", "--threads", "1", "--force"]),
        Trial("nans", lambda o: ["nans", work / "one.fits", "--pixtable", tables[0], "-o", o / "n.csv", "--force"]),
        Trial("simulate", lambda o: ["simulate", o / "night", "--exposures", "1", "--no-raw"]),
        Trial("fetch", lambda o: ["fetch", "--target", "NGC 6397", "--archive", url, "-o", o]),
        Trial("share", lambda o: ["share", book, "-o", o, "--no-run", "--force", "--jobs", "1"]),
    ]
    if any(way.usable for way in available().values()):
        raw, calib = night.raw[0], night.folder / "calib"
        quick = ["--ifu", "12", "--sky", "none", "--lambdamin", "6400", "--lambdamax", "6420"]
        found.append(Trial("reduce", lambda o: ["reduce", raw, "--calib", calib, "-o", o, *quick]))
        eso = ["--engine", "eso", "--threads", "1", "--force"]
        found.append(Trial("combine eso", lambda o: ["combine", *tables[:2], "-o", o / "C.fits", *eso]))
    for module in ("survey", "doctor", "inspect", "offsets", "combine", "cube", "nans", "simulate", "share", "reduce"):
        load(module)
    load("fetch")
    undisturbed(Trial("one", lambda o: ["cube", tables[0], "-o", work / "one.fits", "--threads", "1"]), work / "ones")
    warm_up()
    return found


NOTEBOOK = {
    "cells": [
        {
            "cell_type": "code",
            "execution_count": 1,
            "id": "a",
            "metadata": {},
            "source": "1 + 1",
            "outputs": [
                {"data": {"text/plain": "2"}, "execution_count": 1, "metadata": {}, "output_type": "execute_result"}
            ],
        }
    ],
    "metadata": {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}},
    "nbformat": 4,
    "nbformat_minor": 5,
}


def warm_up() -> None:
    """Import what the commands import when they run."""
    for name in (
        "astropy.table",
        "astropy.wcs",
        "astropy.io.ascii",
        "astropy.time",
        "scipy.ndimage",
        "scipy.optimize",
        "scipy.spatial",
    ):
        import_module(name)
    for name in (
        "combine.combine",
        "nans.audit",
        "offsets.measure",
        "inspect.inspect",
        "doctor.doctor",
        "survey.survey",
        "offsets.measurement",
        "offsets.table",
    ):
        import_module(f"muse_nb.steps.{name}")
    for name in (
        "muse_nb.sharing.share",
        "muse_nb.recipes.reduce",
        "muse_nb.steps.offsets.starfit.solve",
        "tqdm",
        "filelock",
        "muse_nb.archive.fetch",
        "pyvo",
    ):
        import_module(name)


def undisturbed(trial: Trial, folder: Path) -> None:
    """Run a command to its end, for its time and its output."""
    folder.mkdir(exist_ok=True)
    started = time.monotonic()
    child = fork(trial.words(folder), folder.with_suffix(".log"))
    _, status = os.waitpid(child, 0)
    trial.seconds = time.monotonic() - started
    if os.waitstatus_to_exitcode(status):
        raise SystemExit(f"{trial.name} fails undisturbed: {folder.with_suffix('.log').read_text()}")
    trial.made = content(folder)
    print(f"{trial.name}: {trial.seconds:.2f} s undisturbed", file=sys.stderr, flush=True)


def kill_and_rerun(
    trial: Trial, times: int, work: Path, temporary: Path, chance: random.Random, counts: Counts
) -> None:
    """Kill a command several times, then let it finish; a file of the user's beside its output must stay."""
    folder = work / "killed"
    _fresh(folder)
    log = work / "killed.log"
    for _ in range(times):
        child = fork(trial.words(folder), log)
        time.sleep(chance.uniform(0, 0.8 * trial.seconds))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        counts.kills += 1
        counts.too_late += os.WIFEXITED(status)
        deadline = time.monotonic() + 10
        while (alive := session(child)) and time.monotonic() < deadline:
            time.sleep(0.02)
        for pid in alive:
            counts.orphans.append(f"{trial.name}: {pid}")
            os.kill(pid, signal.SIGKILL)
        for name, made in content(folder).items():
            if (
                not HIDDEN.match(Path(name).name)
                and "/." not in f"/{name}"
                and made not in (trial.made.get(name), b"mine")
            ):
                counts.lost.append(f"{trial.name}: {name} is half-written or changed")
        if os.WIFEXITED(status):  # some commands would find all made the next time
            shutil.rmtree(folder)
            _fresh(folder)
    child = fork(trial.words(folder), log)
    _, status = os.waitpid(child, 0)
    counts.reruns += 1
    if code := os.waitstatus_to_exitcode(status):
        counts.failed.append(f"{trial.name}: exit status {code}: {log.read_text()[-300:]}")
    made = content(folder)
    if made.pop("precious.txt", b"") != b"mine":
        counts.lost.append(f"{trial.name}: a file that was there")
    if made != trial.made:
        odd = sorted(set(made) ^ set(trial.made)) or [name for name in made if made[name] != trial.made[name]]
        counts.differ.append(f"{trial.name}: {', '.join(odd)}")
    counts.left += [f"{trial.name}: {name}" for name in hidden(folder, temporary)]
    shutil.rmtree(folder)


def _fresh(folder: Path) -> None:
    """Make a folder with a file of the user's."""
    folder.mkdir()
    (folder / "precious.txt").write_text("mine")


def run(kills: int, seed: int) -> Counts:
    """Spread kills over the commands."""
    chance, counts = random.Random(seed), Counts()
    key, _, value = MARK.partition("=")
    os.environ[key] = value
    with tempfile.TemporaryDirectory(prefix="kills-") as name:
        work = Path(name)
        temporary = work / "tmp"
        temporary.mkdir()
        os.environ["TMPDIR"] = tempfile.tempdir = str(temporary)
        command = [sys.executable, "-m", "benchmarks.archive", "serve"]
        unmarked = {name: text for name, text in os.environ.items() if name != key}  # it is nobody's orphan
        archive = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=unmarked)
        try:
            assert archive.stdout is not None
            url = archive.stdout.readline().strip()
            every = trials(work, url)
            inputs = {path: path.read_bytes() for path in work.rglob("*.fits") if path.stat().st_size < 1e8}
            for number, trial in enumerate(every):
                undisturbed(trial, work / f"right-{number}")
            total = sum(SHARE[trial.name] for trial in every)
            left = {trial.name: math.ceil(kills * SHARE[trial.name] / total) for trial in every}
            for trial in every:
                while left[trial.name] > 0:
                    times = min(AT_A_TIME, left[trial.name])
                    kill_and_rerun(trial, times, work, temporary, chance, counts)
                    left[trial.name] -= times
            counts.lost += [f"input {path.name}" for path, raw in inputs.items() if path.read_bytes() != raw]
        finally:
            archive.kill()
            archive.wait()
            tempfile.tempdir = None
    return counts


def main() -> None:
    """Kill, and print the counts."""
    kills = int(sys.argv[1]) if len(sys.argv) > 1 else KILLS
    started = time.monotonic()
    counts = run(kills, int(sys.argv[2]) if len(sys.argv) > 2 else 1)
    print(json.dumps(vars(counts) | {"seconds": round(time.monotonic() - started)}, indent=1))
    sys.exit(not counts.clean)


if __name__ == "__main__":
    main()
