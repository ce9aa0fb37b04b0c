"""Combine: CPU and memory beside muse_exp_combine, memory against the number of exposures, and one large run.

usage: python -m benchmarks.combine [--rows N] [--large N] [--parts sides exposures large] [--folder FOLDER]

Needs 16 x N rows of disk, then 8 x LARGE rows, 28 bytes each: 4.5 and 13 GB. Tables are written slice by slice.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.tables import write_tables

BYTES = 28  # of a row
SAME_MEMORY = "300MB"  # for any number of exposures
PARTS = ("sides", "exposures", "large")

Run = dict[str, float]  # rows, cpu [s], memory [byte], wall [s]


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=float, default=10e6, help="of a table")
    parser.add_argument("--large", type=float, default=60e6, help="of a table of the large run")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--folder", help="for temporary files")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="muse_nb-bench-", dir=args.folder) as name:
        folder = Path(name)
        small = 16 if "exposures" in args.parts else 8
        if {"sides", "exposures"} & set(args.parts) and _room(folder, small * args.rows):
            tables = write_tables(folder, small, int(args.rows))
            if "sides" in args.parts:
                side_by_side(tables[:8], folder)
            if "exposures" in args.parts:
                against_exposures(tables, folder)
            for table in tables:
                table.unlink()
        if "large" in args.parts and _room(folder, 8 * args.large):
            large(write_tables(folder, 8, int(args.large)), folder)


def side_by_side(tables: list[Path], folder: Path) -> None:
    """Both engines on the same tables, beside reading these once."""
    print(f"\n{len(tables)} exposures              CPU       ns a row   peak memory", flush=True)
    floor = _read_once(tables)
    for title, ours, theirs in (
        ("crsigma 10", (), {}),
        ("rejection off", ("--crsigma", "0"), {"crsigma": 0.0}),
    ):
        mine = _stream(tables, folder, "--no-checks", *ours)
        print(
            f"stream, {title:14}{_numbers(mine)}   {mine['cpu'] / floor['cpu']:.0f} x reading the input once",
            flush=True,
        )
        eso = _eso(tables, folder, theirs)
        if eso is None:
            print("muse_exp_combine: not run, the recipes are not here or their memory is not")
            continue
        print(f"eso,    {title:14}{_numbers(eso)}")
        cpu, memory = eso["cpu"] / mine["cpu"], eso["memory"] / mine["memory"]
        print(f"        ratio         {cpu:8.1f}               {memory:8.1f}")
        print(
            f"        voxels in a million that disagree: {_disagree(folder / 'C.fits', folder / 'eso'):.2f}", flush=True
        )
        shutil.rmtree(folder / "eso")
    print(f"stream, and its checks{_numbers(_stream(tables, folder))}")
    print(f"reading the input once{_numbers(floor)}")


def against_exposures(tables: list[Path], folder: Path) -> None:
    """Memory and time of 2, 4, 8 and 16 exposures, all told to stay within the same memory."""
    print(f"\n--memory {SAME_MEMORY}\nexposures   rows      CPU      ns a row   peak memory")
    for exposures in (2, 4, 8, 16):
        if exposures <= len(tables):
            run = _stream(tables[:exposures], folder, "--no-checks", "--memory", SAME_MEMORY)
            print(_line(str(exposures), run), flush=True)


def large(tables: list[Path], folder: Path) -> None:
    """One run whose input does not fit into memory."""
    print("\nlarge, --memory 1GB\nexposures   rows      CPU      ns a row   peak memory")
    print(_line(str(len(tables)), _stream(tables, folder, "--no-checks", "--memory", "1GB")), flush=True)
    print(_line("read", _read_once(tables)), flush=True)


def _room(folder: Path, rows: float) -> bool:
    need = rows * BYTES * 1.2
    fits = shutil.disk_usage(folder).free > need
    if not fits:
        print(f"{rows / 1e6:.0f} million rows: need {need / 1e9:.0f} GB of temporary disk (TMPDIR), skipped")
    return fits


def _stream(tables: list[Path], folder: Path, *more: str) -> Run:
    command = [sys.executable, "-m", "muse_nb", "combine", *map(str, tables), "-o", str(folder / "C.fits")]
    start = time.monotonic()
    process = subprocess.Popen([*command, "--force", "--json", *more], stdout=subprocess.PIPE, stderr=sys.stderr)
    assert process.stdout
    printed = process.stdout.read()
    _, status, use = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"muse-nb combine ended with status {process.returncode}")
    answer, wall = json.loads(printed), time.monotonic() - start
    return {"rows": answer["rows"], "cpu": use.ru_utime + use.ru_stime, "memory": answer["peak_memory"], "wall": wall}


def _eso(tables: list[Path], folder: Path, parameters: dict[str, object]) -> Run | None:
    from muse_nb.core.errors import MuseError
    from muse_nb.recipes.joining import exp_combine
    from muse_nb.steps.combine.forecast import forecast

    try:
        ahead = forecast(tables)
        if not ahead.eso_fits:
            return None
        made = exp_combine(tables, None, folder / "eso", parameters=parameters)
    except MuseError as error:
        print(error)
        return None
    return {"rows": ahead.rows, "cpu": made.cpu_seconds, "memory": made.peak_memory, "wall": made.seconds}


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


def _read_once(tables: list[Path]) -> Run:
    wall, cpu = time.monotonic(), time.process_time()
    block, size = bytearray(1 << 20), 0
    for table in tables:
        with table.open("rb", buffering=0) as file:
            while got := file.readinto(block):
                size += got
    spent = {"cpu": time.process_time() - cpu, "wall": time.monotonic() - wall}
    return {"rows": size // BYTES, "memory": float(len(block)), **spent}


def _numbers(run: Run) -> str:
    return f"{run['cpu']:8.1f} s {1e9 * run['cpu'] / run['rows']:9.0f}  {run['memory'] / 1e6:10.0f} MB"


def _line(title: str, run: Run) -> str:
    return f"{title:>6} {run['rows'] / 1e6:9.1f}M {_numbers(run)}   wall {run['wall']:.1f} s"


if __name__ == "__main__":
    main()
