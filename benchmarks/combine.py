"""Combine: CPU and memory beside muse_exp_combine, memory against the number of exposures, and one large run.

usage: python -m benchmarks.combine [ROWS]      rows of a table, 10 million unless told
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.tables import write_tables

LARGE = 60e6
BYTES = 28  # of a row


def main(rows: float = 10e6) -> None:
    """Print the tables."""
    with tempfile.TemporaryDirectory(prefix="muse_nb-bench-") as name:
        folder = Path(name)
        if shutil.disk_usage(folder).free < 16 * rows * BYTES * 1.2:
            print(f"combine: needs {16 * rows * BYTES * 1.2 / 1e9:.0f} GB of temporary disk (TMPDIR), skipped")
            return
        tables = write_tables(folder, 16, int(rows))
        _side_by_side(tables[:8], folder)
        print("\nexposures   rows      CPU      ns a row   peak memory")
        for exposures in (2, 4, 8, 16):
            ours = _stream(tables[:exposures], folder)
            print(_line(str(exposures), ours))
        for table in tables:
            table.unlink()
        if shutil.disk_usage(folder).free < 8 * LARGE * BYTES * 1.1:
            print(f"8 x 60M rows: needs {8 * LARGE * BYTES / 1e9:.0f} GB of temporary disk, skipped")
            return
        tables = write_tables(folder, 8, int(LARGE))
        print("\n8 x 60M rows in 1 GB:")
        print(_line("8", _stream(tables, folder, "--memory", "1GB")))


def _side_by_side(tables: list[Path], folder: Path) -> None:
    print(f"\n{len(tables)} exposures           CPU       ns a row   peak memory")
    floor = _read_once(tables)
    for title, ours, theirs in (
        ("crsigma 10", (), {}),
        ("rejection off", ("--crsigma", "0"), {"crsigma": 0.0}),
    ):
        mine = _stream(tables, folder, *ours)
        print(f"stream, {title:14}{_numbers(mine)}")
        eso = _eso(tables, folder, theirs, int(mine["rows"]))
        if eso is None:
            print("muse_exp_combine: not run, the recipes are not here or their memory is not")
            continue
        print(f"eso,    {title:14}{_numbers(eso)}")
        cpu, memory = eso["cpu"] / mine["cpu"], eso["memory"] / mine["memory"]
        print(f"        ratio         {cpu:8.1f}               {memory:8.1f}")
        print(f"        voxels in a million that disagree: {_disagree(folder / 'C.fits', folder / 'eso'):.2f}")
        shutil.rmtree(folder / "eso")
    print(f"reading the input once: {floor:.2f} s of CPU, 1/{mine['cpu'] / floor:.0f} of the above")


def _stream(tables: list[Path], folder: Path, *more: str) -> dict[str, float]:
    command = [sys.executable, "-m", "muse_nb", "combine", *map(str, tables), "-o", str(folder / "C.fits")]
    start = time.monotonic()
    process = subprocess.Popen([*command, "--force", "--json", *more], stdout=subprocess.PIPE, stderr=sys.stderr)
    assert process.stdout
    answer = json.loads(process.stdout.read())
    _, status, use = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.monotonic() - start
    return {"rows": answer["rows"], "cpu": use.ru_utime + use.ru_stime, "memory": answer["peak_memory"], "wall": wall}


def _eso(tables: list[Path], folder: Path, parameters: dict[str, object], rows: int) -> dict[str, float] | None:
    from muse_nb.products.errors import MuseError
    from muse_nb.recipes.reduce import exp_combine
    from muse_nb.steps.forecast import forecast

    try:
        if not forecast(tables).eso_fits:
            return None
        made = exp_combine(tables, None, folder / "eso", parameters=parameters)
    except MuseError as error:
        print(error)
        return None
    return {"rows": rows, "cpu": made.cpu_seconds, "memory": made.peak_memory, "wall": made.seconds}


def _disagree(ours: Path, folder: Path) -> float:
    """Voxels in a million that differ in NaN or by more than 0.02 sigma, plane by plane."""
    import numpy as np

    from muse_nb.products.cube_file import CubeFile

    a, b = CubeFile.open(ours), CubeFile.open(folder / "DATACUBE_FINAL.fits")
    bad = 0
    for k in range(a.shape[0]):
        mine, theirs = a.plane(k), b.plane(k)
        with np.errstate(invalid="ignore"):
            off = np.abs(mine - theirs) > 0.02 * np.sqrt(b.plane(k, "STAT"))
        bad += int((off | (np.isnan(mine) != np.isnan(theirs))).sum())
    return 1e6 * bad / (a.shape[0] * a.shape[1] * a.shape[2])


def _read_once(tables: list[Path]) -> float:
    start = time.process_time()
    block = bytearray(1 << 20)
    for table in tables:
        with table.open("rb", buffering=0) as file:
            while file.readinto(block):
                pass
    return time.process_time() - start


def _numbers(run: dict[str, float]) -> str:
    return f"{run['cpu']:8.1f} s {1e9 * run['cpu'] / run['rows']:9.0f}  {run['memory'] / 1e6:10.0f} MB"


def _line(title: str, run: dict[str, float]) -> str:
    return f"{title:>6} {run['rows'] / 1e6:9.1f}M {_numbers(run)}   wall {run['wall']:.1f} s"


if __name__ == "__main__":
    main(*map(float, sys.argv[1:2]))
