"""Offsets against the photon-noise bound and muse_exp_align, on simulated fields of every kind.

python benchmarks/offsets.py [--seeds 30] [--first 0] [--kinds cluster "one star"] [--fields] [--jobs 2] [--no-eso]

Beside ours stands what chance does: the errors that the noise of the same pixels gives to a fit that knows all but the
stars' fluxes and positions; and the rms, over the bound, of what ours add to these.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray
from offset_fields import KINDS, Field, make

from muse_nb.recipes.backends import available, environment, esorex_command
from muse_nb.steps.offsets.measure import measure_offsets
from muse_nb.steps.offsets.measurement import Measurement

AT_BOUND = 0.5e-3  # arcsec: an rms below counts as at the bound
FAILED = 0.5  # arcsec: an rms above is no offset of these exposures


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
    command = [*esorex_command(), "muse_exp_align", "--iterations=1000", "align.sof"]
    run = subprocess.run(command, cwd=folder, env=environment(), capture_output=True, timeout=600, check=False)
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


@dataclass(frozen=True)
class Result:
    """One field: rms [arcsec], over the accepted exposures, of the bound and of errors: ours, by chance, the recipe's.

    `added` is the rms of what is in our errors beside chance.
    """

    seed: int
    bound: float
    ours: float
    chance: float
    added: float
    pull: NDArray  # (accepted exposures, 2)
    refused: int
    seconds: float
    theirs: float = np.nan
    their_seconds: float = np.nan

    def over(self, rms: float) -> float:
        """An rms over the bound."""
        return rms / self.bound if rms > AT_BOUND else min(rms / self.bound, 1.0)

    @property
    def right(self) -> bool:
        """Whether the recipe's offsets are those of these exposures, at least."""
        return self.theirs < FAILED

    @property
    def wrong(self) -> int:
        """Accepted exposures beyond 5 of their errors."""
        return int((np.abs(self.pull) > 5).any(1).sum())


def measure(name: str, eso: bool, seed: int) -> Result:
    """One field by us and, where asked for, by the recipe."""
    with tempfile.TemporaryDirectory() as folder:
        field = make(KINDS[name], seed, Path(folder))
        offset, error, seconds = ours(field)
        miss = offset - offset[0] - field.offset
        known = np.isfinite(miss).all(1)
        known[0] = False
        pull = miss[known] / np.maximum(error[known], 1e-9)
        rms = [_rms(values[known]) for values in (field.bound, miss, field.chance, miss - field.chance)]
        result = Result(seed, *rms, pull, int((~known[1:]).sum()), seconds)
        if not eso:
            return result
        found, spent = esos(field, KINDS[name].dec)
        use = known if known.any() else ~known
        theirs = np.nan if found is None else _rms((found - field.offset)[use])
        return replace(result, theirs=theirs, their_seconds=spent)


def line(name: str, results: list[Result], eso: bool) -> str:
    """One line of the table."""
    pull = np.concatenate([result.pull.ravel() for result in results])
    accepted = [result for result in results if len(result.pull)]
    text = f"{name:16s} {len(results):5d} {_ratios(r.over(r.ours) for r in accepted)} {_rms(pull):6.2f} "
    text += f"{sum(result.wrong for result in results):8d} {sum(result.refused for result in results):8d} "
    text += f"{np.median([result.seconds for result in results]):8.2f} | {_ratios(r.over(r.chance) for r in accepted)} "
    text += f"{_rms(np.array([r.added / r.bound for r in accepted])):6.2f}"
    if eso:
        right = [result for result in accepted if result.right]
        text += f" | {_median([r.over(r.theirs) for r in right]):8.1f} "
        text += f"{sum(not result.right for result in results):6d} "
        text += f"{sum(r.theirs < r.ours for r in right):6d} {sum(r.theirs < r.chance for r in right):6d} "
        text += f"{np.median([result.their_seconds for result in results]):8.2f}"
    return text


def _ratios(values: Iterable[float]) -> str:
    """Median, and share below 1.5."""
    ratios = list(values)
    share = 100 * float(np.mean(np.array(ratios) < 1.5)) if ratios else np.nan
    return f"{_median(ratios):8.2f} {share:6.0f} %"


def _median(values: list[float]) -> float:
    return float(np.median(values)) if values else np.nan


def _rms(values: NDArray) -> float:
    return float(np.sqrt(np.mean(values**2))) if values.size else np.nan


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10, help="fields of each kind")
    parser.add_argument("--first", type=int, default=0, help="seed of the first")
    parser.add_argument("--kinds", nargs="+", default=list(KINDS), choices=list(KINDS))
    parser.add_argument("--fields", action="store_true", help="a line for each field, too")
    parser.add_argument("--jobs", type=int, default=1, help="fields at once")
    parser.add_argument("--no-eso", action="store_true")
    args = parser.parse_args()
    eso = available()["esorex"].usable and not args.no_eso
    head = f"{'field':16s} seeds rms/bound  < 1.5    pull  > 5 sig  refused    s/exp | by chance  < 1.5  added"
    print(head + (" | muse_exp_align: rms/bound, failed, closer than ours, than chance, s/exp" if eso else ""))
    seeds = range(args.first, args.first + args.seeds)
    with ProcessPoolExecutor(args.jobs) as pool:
        for name in args.kinds:
            results = []
            for result in pool.map(partial(measure, name, eso), seeds):
                results.append(result)
                if args.fields:
                    print(f"  {name}, seed {result.seed}: {_one(result)}", flush=True)
            print(line(name, results, eso), flush=True)


def _one(result: Result) -> str:
    names = ("ours", "chance", "theirs")
    rms = ", ".join(f"{name} {result.over(getattr(result, name)):.2f}" for name in names)
    pull = f"pull {_rms(result.pull):.2f} (largest {np.abs(result.pull).max(initial=0):.1f})"
    return f"bound {1e3 * result.bound:.2f} mas, {rms}, added {result.added / result.bound:.2f}, {pull}"


if __name__ == "__main__":
    sys.exit(main())
