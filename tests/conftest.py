"""What every room's tests share: small simulated nights, made once, and the recipes or the reason why not."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from filelock import FileLock

import muse_nb
from muse_nb.core.progress import silent

if TYPE_CHECKING:
    from muse_nb.recipes.result import Reduction
    from muse_nb.simulator.cascade.result import Cascade
    from muse_nb.simulator.night import Night

EXPOSURES = 4  # one at each rotator angle

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # started in the background: the tests of Ctrl-C send it
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what needs ESO's recipes where there are none, and say so; in CI that is a failure."""
    if item.get_closest_marker("eso") is None:
        return
    from muse_nb.recipes.backends import available

    if any(backend.usable for backend in available().values()):
        return
    reason = next(iter(available().values())).detail
    if os.environ.get("CI"):
        pytest.fail(f"CI must not skip this test: {reason}")
    pytest.skip(reason)


def pytest_runtest_teardown() -> None:
    """Close the figures of a test: matplotlib warns where many are open."""
    if (pyplot := sys.modules.get("matplotlib.pyplot")) is not None:
        pyplot.close("all")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what tests have counted (`record_property("counted", text)`), by xdist's workers, too."""
    for reports in terminalreporter.stats.values():
        for report in reports:
            for name, text in getattr(report, "user_properties", ()):
                if name == "counted" and report.when == "call":
                    terminalreporter.write_line(text)


def kept(config: pytest.Config, name: str, *rooms: str) -> Path:
    """Folder that outlives the test run, emptied when the code of `rooms` changes."""
    digest = hashlib.sha256()
    package = Path(muse_nb.__file__).parent
    for path in sorted(path for room in rooms for path in (package / room).rglob("*.py")):
        digest.update(path.read_bytes())
    cache = getattr(config, "cache", None)
    base = Path(cache.mkdir("muse_nb")) if cache else Path(tempfile.gettempdir()) / "muse_nb-tests"
    base.mkdir(parents=True, exist_ok=True)
    folder = base / f"{name}-{digest.hexdigest()[:12]}"
    with FileLock(base / f"{name}.lock"):
        for old in base.glob(f"{name}-*"):
            if old != folder:
                shutil.rmtree(old, ignore_errors=True)
    return folder


@pytest.fixture(scope="session")
def mpdaf_data() -> Path:
    """Real MUSE files, those in mpdaf's package data. Read only."""
    return Path(pytest.importorskip("mpdaf").__file__).parent / "data"


@pytest.fixture(scope="session")
def night(request: pytest.FixtureRequest) -> Night:
    """Four micro exposures with raw frames, calibrations, and products made without the recipes. Read only."""
    folder = kept(request.config, "night", "simulator", "products")
    with FileLock(f"{folder}.lock"):  # one of the workers makes it, the others find it
        return muse_nb.simulate(folder, EXPOSURES, products=True, progress=silent)


@pytest.fixture(scope="session")
def cascade(request: pytest.FixtureRequest) -> Cascade:
    """Raw calibrations and science on a tenth of a real chip, with darks, nothing wrong. Read only."""
    folder = kept(request.config, "cascade", "simulator", "products")
    with FileLock(f"{folder}.lock"):
        return muse_nb.simulate_cascade(folder, layout="cascade-short", dark=True, progress=silent)


@pytest.fixture(scope="session")
def recipe_night(request: pytest.FixtureRequest, night: Night) -> list[Reduction]:
    """The first two exposures of `night` reduced by ESO's recipes (mark the test ``eso``). Read only."""
    folder = kept(request.config, "recipes", "simulator", "recipes")
    with FileLock(f"{folder}.lock"):
        return [muse_nb.reduce(raw, night.folder / "calib", folder) for raw in night.raw[:2]]
