"""The demo's notebooks as pages: one for each step, one for each exposure, and the index."""

from __future__ import annotations

import json
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from muse_nb.core.errors import MuseError
from muse_nb.core.progress import Progress
from muse_nb.demo.work import Demo
from muse_nb.products.offset_list import OffsetList
from muse_nb.sharing.exposures import exposure_columns
from muse_nb.sharing.index import Row, index_page
from muse_nb.sharing.share import Page, Task, linked, render, write_page

if TYPE_CHECKING:
    from muse_nb.steps.survey.survey import Survey

__all__ = ["render_demo"]

STEPS = ("00-night", "02-bad-pixels", "03-offsets", "04-combine", "05-cube", "07-stars")
EXPOSURE = "01-exposure"


def render_demo(work: Demo, notebooks: Path, progress: Progress) -> None:
    """Render what is not there yet, then the index.

    Raises
    ------
    MuseError
        A notebook failed; the index says which and why.
    """
    night = work.survey()
    html = work.folder / "html"
    places = {"night": str(work.night.absolute()), "products": str(work.products.absolute())}
    tasks = {name: Task(notebooks / f"{name}.ipynb", html / f"{name}.html", places) for name in STEPS}
    for exposure in night.exposures:
        page = html / f"{EXPOSURE}-{exposure.label}.html"
        tasks[exposure.label] = Task(notebooks / f"{EXPOSURE}.ipynb", page, {**places, "exposure": exposure.label})
    tasks = dict(zip(tasks, linked(list(tasks.values()), work.folder / "index.html"), strict=True))
    notes = html / "pages.json"
    known: dict[str, Any] = json.loads(notes.read_text()) if notes.exists() else {}
    todo = {name: task for name, task in tasks.items() if name not in known or not task.page.exists()}
    pages = render(list(todo.values()), jobs=work.jobs, folder=work.folder.absolute(), progress=progress)
    failed = [page for page in pages if page.error]
    rows = {name: known[name] for name in tasks if name in known and name not in todo}
    rows |= {name: _facts(page) for name, page in zip(todo, pages, strict=True) if not page.error}
    write_page(notes, json.dumps(rows))
    rows |= {name: _facts(page) for name, page in zip(todo, pages, strict=True) if page.error}
    _write_index(work, night, rows)
    told = f"  {len(pages)} pages rendered, {len(tasks) - len(todo)} were there, {len(failed)} failed"
    progress(told, 0, 0)
    if failed:
        raise MuseError(f"{failed[0].path.name} failed: {failed[0].error}")


def _facts(page: Page) -> dict[str, Any]:
    return {
        "title": page.title,
        "file": page.path.name,
        "picture": page.picture,
        "seconds": page.seconds,
        "size": page.size,
        "error": page.error,
        "findings": page.findings,
    }


def _write_index(work: Demo, night: Survey, rows: dict[str, dict[str, Any]]) -> None:
    def row(name: str, title: str | None = None, more: dict[str, Any] | None = None) -> Row:
        facts = rows[name]
        href = f"html/{facts['file']}" if facts["size"] else ""
        told = {name: facts[name] for name in ("picture", "seconds", "size", "error", "findings")}
        return Row(title or facts["title"], href, **told, more=more or {})

    offsets = OffsetList.read(work.offset_list)
    steps = [row(name) for name in STEPS if name in rows]
    exposures = [row(e.label, e.label, exposure_columns(e, offsets)) for e in night.exposures if e.label in rows]
    n = work.numbers
    lead = (
        f"<p>{len(night.exposures)} simulated exposures of a globular cluster, "
        + ("reduced by ESO's recipes." if work.engine == "eso" else "with the project's own engine.")
        + f" Offsets: {n['offsets_rms_mas']:.2f} mas rms from the truth. Stars: {n['fwhm_single']:.3f}″ in the single"
        f" exposures, {n['fwhm_combined']:.3f}″ combined, {n['fwhm_without_offsets']:.3f}″ combined without offsets."
        f"</p><p class='note'>{escape(_engines(n))}</p>"
    )
    groups = [("The steps", steps), ("The exposures", exposures)]
    write_page(work.folder / "index.html", index_page("A night of MUSE", groups, lead=lead))


def _engines(numbers: dict[str, float]) -> str:
    ppm = numbers.get("engines_differ_ppm")
    return "" if ppm is None else f"Our stream engine and muse_exp_combine differ in {ppm:.2f} voxels in a million."
