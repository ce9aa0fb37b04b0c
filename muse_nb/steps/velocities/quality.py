"""What may be wrong with a velocity: bits of a number, and their words."""

from __future__ import annotations

from muse_nb.steps.velocities.correlate import Correlation

__all__ = ["AMBIGUOUS", "AT_END", "FAINT", "MISFIT", "NO_DATA", "WORDS", "judge", "words"]

FAINT = 1
AMBIGUOUS = 2
AT_END = 4
MISFIT = 8
NO_DATA = 16

MIN_SIGNIFICANCE = 7.0  # of the lines
MIN_LEAD = 3.0  # sigma of the first peak above the second
MAX_SCATTER = 2.0  # root of chi2 by degree of freedom
STRENGTHS = (0.2, 3.0)  # of the lines over the template's

WORDS = {
    FAINT: "its lines hardly show",
    AMBIGUOUS: "another velocity is nearly as likely",
    AT_END: "at the end of the velocities that were tried",
    MISFIT: "no template fits",
    NO_DATA: "too few planes hold data",
}
"""Of each bit of the column quality."""


def judge(found: Correlation | None) -> int:
    """Bits of what is wrong; 0 where all is well."""
    if found is None:
        return NO_DATA
    lead = found.significance**2 - found.second**2
    misfit = found.scatter > MAX_SCATTER or not STRENGTHS[0] < found.strength < STRENGTHS[1]
    return (
        FAINT * (found.significance < MIN_SIGNIFICANCE)
        | AMBIGUOUS * (lead < MIN_LEAD**2)
        | AT_END * found.at_end
        | MISFIT * misfit
    )


def words(quality: int) -> str:
    """Say what the bits mean; nothing where all is well."""
    return ", ".join(text for bit, text in WORDS.items() if quality & bit)
