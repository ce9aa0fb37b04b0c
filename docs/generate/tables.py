"""Tables of facts that have their home in the package: what each DQ bit and each cause of NaN means."""

from __future__ import annotations

from pathlib import Path

from muse_nb.products.dq import MEANING as DQ_MEANING
from muse_nb.steps.nans.causes import MEANING as CAUSE_MEANING

__all__ = ["write"]


def write(folder: Path) -> None:
    """Write both, for pages to include."""
    folder.mkdir(parents=True, exist_ok=True)
    bits = [f"| {flag.bit_length() - 1} | {flag.value} | {flag.name} | {text} |" for flag, text in DQ_MEANING.items()]
    (folder / "dq.md").write_text("\n".join(["| bit | value | name | meaning |", "|---|---|---|---|", *bits, ""]))
    causes = [f"| {cause.value} | {text} |" for cause, text in CAUSE_MEANING.items()]
    (folder / "causes.md").write_text("\n".join(["| cause | |", "|---|---|", *causes, ""]))
