"""A large night: 500 exposures surveyed, in a manifest, verified, looked at by the doctor; 24 x 19 full frames
inspected; 1000 widget updates.

The frames take 5 GB of disk. Clicks among 200 stars in 45 exposures: ``python -m benchmarks.picker``.
"""

from __future__ import annotations

import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.frames import exposure, full_frame
from benchmarks.tables import write_tables

EXPOSURES = 500
NIGHT = 19  # exposures of 24 full frames
UPDATES = 1000


def timed(name: str, call: Callable[[], Any]) -> Any:
    """Run a call, and print its CPU time and the process's peak memory."""
    cpu = time.process_time()
    answer = call()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{name:42s} {time.process_time() - cpu:7.2f} s of CPU {peak:7.0f} MB at most")
    return answer


def resident() -> float:
    """Memory of this process now [MB]."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1e6


def main() -> None:
    """Measure."""
    from muse_nb import ExposureTable, doctor, survey
    from muse_nb.steps.survey.verify import verify

    with tempfile.TemporaryDirectory(prefix="load-") as name:
        folder, manifest = Path(name) / "night", Path(name) / "m.csv"
        write_tables(folder, EXPOSURES, 7200, ifus=1)
        found = timed(f"survey of {EXPOSURES} exposures", lambda: survey(folder))
        timed("its manifest written", lambda: found.write(manifest))
        timed("and verified", lambda: verify(manifest))
        timed("its table in the notebook", lambda: (found._repr_html_(), ExposureTable(found)))
        diagnosis = timed("doctor, values too", lambda: doctor(folder, data=True))
        timed("doctor, headers only", lambda: doctor(folder, data=False))
        print(f"{len(found.exposures)} exposures, {len(diagnosis.findings)} findings")
    frames()
    updates()


def frames() -> None:
    """Inspect the frames of a night: those of one exposure, by as many names as there are exposures."""
    from muse_nb import inspect

    with tempfile.TemporaryDirectory(prefix="load-") as name:
        first = Path(name) / "OBJECT_RED_0001-12.fits"
        full_frame(first)
        paths = exposure(Path(name), first)
        for number in range(2, NIGHT + 1):
            for path in paths[:24]:
                paths.append(path.with_name(path.name.replace("0001", f"{number:04d}")))
                paths[-1].hardlink_to(path)
        found = timed(f"{len(paths)} full frames inspected", lambda: inspect(paths))
        timed("and shown", found._repr_html_)


def updates() -> None:
    """Show progress in a widget for as long as a kernel may live."""
    from muse_nb import RecipeRunner

    runner = RecipeRunner(lambda progress: [progress(f"line {n}") for n in range(UPDATES)], title="updates")
    start = None
    for _ in range(3):
        runner.start()
        runner.wait()
        for _ in range(UPDATES):
            runner._show()
        start = start or resident()
    print(f"{3 * UPDATES} updates of RecipeRunner: {resident() - start:+.1f} MB after the first {UPDATES}")


if __name__ == "__main__":
    main()
