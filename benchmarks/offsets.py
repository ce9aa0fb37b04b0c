"""Offsets against the photon-noise bound and muse_exp_align, on simulated fields of every kind.

python benchmarks/offsets.py [--seeds 10] [--kinds cluster "one star"] [--no-eso]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from shutil import which

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray
from offset_fields import KINDS, Field, make

from muse_nb.steps.measurement import Measurement
from muse_nb.steps.offsets import measure_offsets

AT_BOUND = 0.5e-3  # arcsec: an rms below counts as at the bound


def ours(field: Field) -> tuple[NDArray, NDArray, float]:
    """Offsets and errors (n, 2), NaN where refused, and CPU seconds an exposure."""
    start = time.process_time()
    table = measure_offsets(Measurement(field.files)).table
    spent = time.process_time() - start
    known = (table["verdict"] != "refuse")[:, None]
    offset = np.where(known, np.c_[table["ra_offset"], table["dec_offset"]], np.nan)
    return offset, np.c_[table["ra_error"], table["dec_error"]], spent / len(field.files)


def esos(field: Field, dec: float) -> tuple[NDArray | None, float]:
    """Offsets (n, 2) of muse_exp_align, None where it fails, and seconds an exposure."""
    import resource

    folder = field.files[0].parent
    (folder / "align.sof").write_text("".join(f"{file} IMAGE_FOV\n" for file in field.files))
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = ["esorex", "muse_exp_align", "--iterations=1000", "align.sof"]
    run = subprocess.run(command, cwd=folder, capture_output=True, timeout=600, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / len(field.files)
    if run.returncode or not (folder / "OFFSET_LIST.fits").exists():
        return None, spent
    table = Table.read(folder / "OFFSET_LIST.fits", hdu=1, unit_parse_strict="silent")
    if len(table) != len(field.files):
        return None, spent
    ra = np.asarray(table["RA_OFFSET"]) * 3600 * np.cos(np.radians(dec))
    offset = np.c_[ra, np.asarray(table["DEC_OFFSET"]) * 3600]
    return np.where(np.isfinite(offset), offset, np.nan), spent


def judge(name: str, seeds: int, eso: bool) -> str:
    """One line of the table."""
    ratios, pulls, wrong, refused, seconds = [], [], 0, 0, []
    theirs, their_seconds, failed, worse = [], [], 0, 0
    for seed in range(seeds):
        with tempfile.TemporaryDirectory() as folder:
            field = make(KINDS[name], seed, Path(folder))
            offset, error, spent = ours(field)
            seconds.append(spent)
            miss = (offset - offset[0] - field.offset)[1:]
            known = np.isfinite(miss).all(1)
            refused += int((~known).sum())
            rms = np.sqrt(np.mean(miss[known] ** 2)) if known.any() else np.nan
            if known.any():
                bound = np.sqrt(np.mean(field.bound[1:][known] ** 2))
                ratios.append(rms / bound if rms > AT_BOUND else min(rms / bound, 1.0))
                pull = miss[known] / np.maximum(error[1:][known], 1e-9)
                pulls.append(pull.ravel())
                wrong += int((np.abs(pull) > 5).any(1).sum())
            if eso:
                found, spent = esos(field, KINDS[name].dec)
                their_seconds.append(spent)
                their = np.nan
                if found is not None:
                    their = float(np.sqrt(np.mean((found - field.offset)[1:][known if known.any() else ~known] ** 2)))
                if not np.isfinite(their) or their > 0.5:
                    failed += 1
                elif known.any():
                    theirs.append(their / bound)
                    worse += int(rms > their)
    all_pulls = np.concatenate(pulls) if pulls else np.zeros(0)
    line = f"{name:16s} {seeds:5d} {_median(ratios):8.2f} {_share(ratios):6.0f} % {_rms(all_pulls):6.2f} {wrong:8d} "
    line += f"{refused:8d} {np.median(seconds):8.2f}"
    if eso:
        line += f" | {_median(theirs):8.1f} {failed:6d} {worse:8d} {np.median(their_seconds):8.2f}"
    return line


def _median(values: list[float]) -> float:
    return float(np.median(values)) if values else np.nan


def _share(values: list[float]) -> float:
    return 100 * float(np.mean(np.array(values) < 1.5)) if values else np.nan


def _rms(values: NDArray) -> float:
    return float(np.sqrt(np.mean(values**2))) if values.size else np.nan


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--kinds", nargs="+", default=list(KINDS), choices=list(KINDS))
    parser.add_argument("--no-eso", action="store_true")
    args = parser.parse_args()
    eso = which("esorex") is not None and not args.no_eso
    head = f"{'field':16s} seeds rms/bound  < 1.5    pull  > 5 sig  refused    s/exp"
    print(head + (" | muse_exp_align: rms/bound, failed fields, better than ours, s/exp" if eso else ""))
    for name in args.kinds:
        print(judge(name, args.seeds, eso), flush=True)


if __name__ == "__main__":
    sys.exit(main())
