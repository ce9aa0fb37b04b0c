"""Raw frames of which a channel is saturated, dark or not there: the recipes reduce what is left, exit status 0."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from muse_nb.recipes.checks.faults import Fault, Severity

__all__ = ["check_raw_frames"]


def check_raw_frames(paths: Sequence[Path]) -> Iterator[Fault]:
    """Look at the channels of raw science frames, and say which are of no use."""
    from muse_nb.steps.inspect.inspect import inspect

    for finding in inspect(paths).verdicts:
        what = f"has a channel that is of no use: {finding.text.replace(': ', ', ', 1)}"
        if finding.name == "missing_ifu":
            what = f"lacks IFU {finding.ifu}"
        consequence = "the cube would have a hole or wrong fluxes there"
        remedy = "fetch the frame again, or leave this channel out"
        yield Fault("channels", (Path(finding.file),), what, consequence, remedy, Severity.FLAG)
