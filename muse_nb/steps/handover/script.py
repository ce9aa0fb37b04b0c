"""run_galpak.py: the script that fits a handed-over source with GalPaK3D."""

from __future__ import annotations

from importlib.resources import files
from string import Template

from muse_nb import __version__

__all__ = ["ITERATIONS", "galpak_script"]

ITERATIONS = 1500


def galpak_script(facts: dict[str, object]) -> str:
    """Fill in the script; every fact is written as Python has it, so that no text from a header becomes code."""
    text = (files("muse_nb.steps.handover") / "run_galpak.txt").read_text(encoding="utf-8")
    plain = {"name", "redshift", "cube", "subcube", "psf_source", "lsf_source", "flux_unit"}
    safe = {key: _words(value) if key in plain else repr(value) for key, value in facts.items()}
    return Template(text).substitute(safe, version=__version__, iterations=ITERATIONS)


def _words(value: object) -> str:
    """Text that neither ends a string nor a comment."""
    return "".join(c for c in str(value) if c.isprintable() and c not in "\"\\'")
