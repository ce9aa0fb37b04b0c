"""What a product's header says and is not so."""

from __future__ import annotations

from collections.abc import Iterator

from muse_nb.products.header import number_of
from muse_nb.recipes.checks.faults import Fault, Reads, Run, Severity, check

__all__ = ["SUMMED", "exposure_time"]

SUMMED = "ESO DRS MUSE EXPTIME SUM"  # true in a header whose EXPTIME was made the sum after the recipe

_ROUNDING = 1.01  # ratio of two exposure times that are the same


@check(Reads.HEADERS)
def exposure_time(run: Run) -> Iterator[Fault]:
    """EXPTIME of a combined cube is that of its first exposure."""
    times = [number_of(frame.cards.get("EXPTIME")) for frame in run.tagged("PIXTABLE_REDUCED", "PIXTABLE_POSITIONED")]
    if run.recipe != "muse_exp_combine" or max(len(times), run.exposures) < 2:
        return
    total = sum(time for time in times if time is not None)
    remedy = f"take {total:g} s, the sum of its {len(times)} exposures" if total else "take the sum of its exposures"
    for frame in (*run.made("DATACUBE_FINAL"), *run.made("IMAGE_FOV")):
        told = None if frame.cards.get(SUMMED) is True else number_of(frame.cards.get("EXPTIME"))
        if told is not None and (not total or total > _ROUNDING * told):
            what = f"has an EXPTIME of {told:g} s, that of its first exposure alone"
            yield Fault("exposure_time", (frame.path,), what, "counts and limits would be off", remedy, Severity.FLAG)
