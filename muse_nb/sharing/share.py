"""Notebooks to HTML files that open anywhere: run side by side, each one file, an index for the set."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from muse_nb.core.atomic import atomic_write, refuse_existing
from muse_nb.core.errors import MuseError
from muse_nb.core.progress import Progress
from muse_nb.sharing.cells import findings_of, title_of
from muse_nb.sharing.clean import Places
from muse_nb.sharing.exposures import Night, asks_for_exposure, exposure_columns
from muse_nb.sharing.fill import fill_template
from muse_nb.sharing.index import Row, index_page, thumbnail_of
from muse_nb.sharing.links import Link, links_of
from muse_nb.sharing.page import notebook_page
from muse_nb.sharing.provenance import about
from muse_nb.sharing.running.run import Ran, read_notebook, run_notebook
from muse_nb.sharing.running.workers import side_by_side

__all__ = ["Page", "Shared", "Task", "linked", "render", "share"]

LARGEST = 15e6  # bytes of a live page; above it, pictures stand in for the largest views


@dataclass(frozen=True)
class Task:
    """A notebook to render.

    Attributes
    ----------
    notebook : pathlib.Path
    page : pathlib.Path
        The HTML file to make.
    parameters : dict
    pages : dict
        Notebooks by file name that become pages beside this one, and their names.
    links : tuple of Link
        To the page before, the next and the index.
    """

    notebook: Path
    page: Path
    parameters: dict[str, Any] = field(default_factory=dict)
    pages: dict[str, str] = field(default_factory=dict)
    links: tuple[Link, ...] = ()


@dataclass(frozen=True)
class Page:
    """A rendered notebook.

    Attributes
    ----------
    path : pathlib.Path
    title : str
    picture : str
        Thumbnail as a data URL.
    seconds : float
        Of its run [s].
    size : int
        [byte].
    live : bool
        Whether its views can be explored.
    error : str
        Why the notebook stopped; empty where it ran to its end.
    findings : list of str
        What its steps found wrong.
    """

    path: Path
    title: str
    picture: str
    seconds: float
    size: int
    live: bool
    error: str
    findings: list[str] = field(default_factory=list)

    def row(self, folder: Path, title: str = "", more: Mapping[str, Any] | None = None) -> Row:
        """Make the index's row, with columns of its own."""
        href = self.path.relative_to(folder).as_posix() if self.size else ""
        return Row(
            title or self.title, href, self.picture, self.seconds, self.size, self.error, self.findings, more or {}
        )


@dataclass(frozen=True)
class Shared:
    """A set of pages and their index.

    Attributes
    ----------
    index : pathlib.Path
    pages : list of Page
    """

    index: Path
    pages: list[Page]

    @property
    def failed(self) -> list[Page]:
        """Those whose notebook stopped with an error."""
        return [page for page in self.pages if page.error]

    def _repr_html_(self) -> str:
        return str(fill_template("shared.html", index=self.index, pages=self.pages))


def share(
    notebooks: str | Path | Iterable[str | Path],
    output: str | Path,
    *,
    parameters: Mapping[str, Any] | None = None,
    exposures: bool = False,
    run: bool = True,
    static: bool = False,
    jobs: int = 2,
    max_size: float = LARGEST,
    force: bool = False,
    progress: Progress | None = None,
) -> Shared:
    """Render notebooks, each to one HTML file that asks for nothing, and an index page.

    Parameters
    ----------
    notebooks
        One or several.
    output
        Folder for the pages.
    parameters
        For their cells tagged ``parameters``.
    exposures
        Run a notebook whose parameters have an ``exposure`` once for each exposure of the night.
    run
        Run them; otherwise show the outputs that they hold.
    static
        Pictures instead of live views.
    jobs
        How many side by side.
    max_size
        Bytes above which a page falls back to pictures.
    force
        Replace pages that are there.
    progress
        Told of every page that is done.

    Returns
    -------
    Shared
        A notebook that fails does not stop the others; its page shows how far it came.

    Raises
    ------
    MuseError
        A notebook cannot be read, two would have the same page, or a page is there already.

    Examples
    --------
    >>> import nbformat
    >>> book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# A night")])
    >>> nbformat.write(book, "night.ipynb")
    >>> shared = muse_nb.share("night.ipynb", "html", run=False)
    >>> [page.path.name for page in shared.pages]
    ['night.html']
    """
    paths = [Path(p) for p in ([notebooks] if isinstance(notebooks, (str, Path)) else notebooks)]
    folder = Path(output)
    for path in paths:
        read_notebook(path)
    tasks, of_exposures = _tasks(paths, folder, dict(parameters or {}), exposures=exposures)
    names = [task.page.name for task in tasks]
    if len(set(names)) < len(names):
        raise MuseError("two of the notebooks have the same name: share them to different folders")
    index = folder / "index.html"
    tasks = linked(tasks, index)
    for page in [*(task.page for task in tasks), index]:
        refuse_existing(page, force=force, inputs=paths)
    pages = render(tasks, run=run, static=static, jobs=jobs, max_size=max_size, progress=progress)
    rows = [page.row(folder) for page in pages if page.path not in of_exposures]
    each = [page.row(folder, *of_exposures[page.path]) for page in pages if page.path in of_exposures]
    write_page(index, index_page("Notebooks", [("Pages", rows), ("The exposures", each)]))
    return Shared(index, pages)


def _tasks(
    paths: list[Path], folder: Path, parameters: dict[str, Any], *, exposures: bool
) -> tuple[list[Task], dict[Path, tuple[str, dict[str, Any]]]]:
    """Plan the pages; those of single exposures with the title and the columns of their rows in the index."""
    several = [path for path in paths if exposures and asks_for_exposure(path)]
    pages = {path.name: "index.html" if path in several else f"{path.stem}.html" for path in paths}
    tasks = [Task(path, folder / pages[path.name], parameters, pages) for path in paths if path not in several]
    rows = {}
    for path in several:
        night = Night.of(path, parameters)
        for one in night.exposures:
            page = folder / f"{path.stem}-{one.label}.html"
            tasks.append(Task(path, page, parameters | {"exposure": one.label}, pages))
            rows[page] = (one.label, exposure_columns(one, night.offsets))
    return tasks, rows


def linked(tasks: Sequence[Task], index: Path) -> list[Task]:
    """Have pages lead to each other, in the order of their notebooks' names, and to the index."""
    steps: dict[Path, list[tuple[Path, str]]] = {}
    for task in sorted(tasks, key=lambda task: (task.notebook.name, task.page.name)):
        title = (
            str(task.parameters["exposure"]) if len(_same(tasks, task)) > 1 else title_of(read_notebook(task.notebook))
        )
        steps.setdefault(task.notebook, []).append((task.page, title))
    links = links_of(list(steps.values()), index)
    return [replace(task, links=links[task.page]) for task in tasks]


def _same(tasks: Sequence[Task], one: Task) -> list[Task]:
    return [task for task in tasks if task.notebook == one.notebook]


def render(
    tasks: Sequence[Task],
    *,
    run: bool = True,
    static: bool = False,
    jobs: int = 2,
    max_size: float = LARGEST,
    folder: Path | None = None,
    progress: Progress | None = None,
) -> list[Page]:
    """Render notebooks side by side, replacing pages that are there; `folder` is where their kernels work."""
    one = partial(_render_one, run=run, static=static, max_size=max_size, folder=folder)
    if jobs < 2 or len(tasks) < 2:
        pages = []
        for task in tasks:
            pages.append(one(task))
            if progress is not None:
                progress("pages", len(pages), len(tasks))
        return pages
    done = side_by_side(one, tasks, jobs, progress, "pages")
    return [_result(task, future, folder) for task, future in zip(tasks, done, strict=True)]


def _result(task: Task, future: Future[Page], folder: Path | None) -> Page:
    try:
        return future.result()
    except Exception as error:  # its process was killed
        return _failed(task, error, folder)


def _render_one(task: Task, *, folder: Path | None, **options: Any) -> Page:
    try:
        return _render(task, folder=folder, **options)
    except Exception as error:  # whatever happens to one, the others go on
        return _failed(task, error, folder)


def _failed(task: Task, error: Exception, folder: Path | None) -> Page:
    reason = " ".join(str(error).split())
    text = reason if isinstance(error, MuseError) else f"{type(error).__name__}: {reason}"
    return Page(task.page, task.notebook.stem, "", 0.0, 0, False, _places(task, folder).hide(text))


def _places(task: Task, folder: Path | None) -> Places:
    return Places.of(folder or task.notebook.absolute().parent, task.parameters)


def _render(task: Task, *, run: bool, static: bool, max_size: float, folder: Path | None) -> Page:
    notebook = task.notebook
    ran = run_notebook(notebook, task.parameters, folder=folder) if run else Ran(read_notebook(notebook), 0.0)
    places = _places(task, folder)
    facts = about(notebook, task.parameters, ran, places)
    room = 0 if static else max_size
    html = notebook_page(ran.notebook, about=facts, places=places, max_size=room, pages=task.pages, links=task.links)
    live = 'data-widget="' in html
    write_page(task.page, html)
    size = task.page.stat().st_size
    picture, error = thumbnail_of(ran.notebook), places.hide(ran.error)
    findings = [places.hide(text) for text in findings_of(ran.notebook)]
    return Page(task.page, title_of(ran.notebook), picture, ran.seconds, size, live, error, findings)


def write_page(path: Path, html: str) -> None:
    """Write a page whole or not at all."""
    with atomic_write(path, force=True) as part:
        part.write_text(html, encoding="utf-8")
