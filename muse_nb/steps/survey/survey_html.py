"""A survey as a table for the notebook: one row an exposure, header text escaped."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from muse_nb.core.html import findings_html
from muse_nb.core.text import printable

if TYPE_CHECKING:
    from muse_nb.steps.survey.exposures import Exposure
    from muse_nb.steps.survey.survey import Survey

__all__ = ["cells", "headings", "survey_html"]

_ANGLE = "display:inline-block;transform:rotate({:.0f}deg)"


def headings(survey: Survey) -> list[str]:
    """Name the columns: those of every exposure, then one a category of files."""
    return ["exposure", "object", "pointing", "angle [°]", "time [s]", "mode", "IFUs", *survey.categories]


def cells(exposure: Exposure, categories: list[str]) -> list[str]:
    """Give an exposure's row, as text; ``?`` where the headers do not say."""
    counts = exposure.categories
    return [
        exposure.label or printable(exposure.date_obs),
        printable(exposure.object),
        str(exposure.pointing or "?"),
        "?" if exposure.posang is None else f"{exposure.posang:.4g}",
        "?" if exposure.exptime is None else f"{exposure.exptime:.4g}",
        printable(exposure.ins_mode) or "?",
        str(len(exposure.ifus) or "–"),
        *(str(counts.get(name, "–")) for name in categories),
    ]


def survey_html(survey: Survey) -> str:
    """Write exposures and findings as HTML."""
    names = survey.categories
    titles = "".join(f"<th>{escape(printable(name))}</th>" for name in headings(survey))
    rows = []
    for exposure in survey.exposures:
        row = [f"<td>{escape(cell)}</td>" for cell in cells(exposure, names)]
        if exposure.posang is not None:  # where the field's top points: POSANG from north through east, east left
            row[3] = f"<td>{row[3][4:-5]} <span style='{_ANGLE.format(-exposure.posang)}'>↑</span></td>"
        rows.append(f"<tr>{''.join(row)}</tr>")
    findings = findings_html(survey.findings)
    total = sum(fact.size for fact in survey.facts)
    return (
        f"<p><b>{len(survey.exposures)} exposures</b>, {survey.pointings} pointing{'s' * (survey.pointings != 1)},"
        f" {len(survey.facts)} files, {total / 1e9:.2f} GB</p>"
        f"<table style='white-space:nowrap'><thead><tr>{titles}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
        + (f"<p>Look at this:</p>{findings}" if findings else "<p>✓ Nothing is missing or out of place.</p>")
    )
