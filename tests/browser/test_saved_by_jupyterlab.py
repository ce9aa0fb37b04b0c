"""A notebook that JupyterLab saves, with and without its widgets' states: static renderings show the pictures."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import pytest
from lab import eventually
from nbconvert import HTMLExporter

from muse_nb.sharing.clean import Places
from muse_nb.sharing.page import notebook_page
from muse_nb.sharing.running.run import read_notebook

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from muse_nb.simulator.night import Night

STATE = "application/vnd.jupyter.widget-state+json"
VIEW = "application/vnd.jupyter.widget-view+json"
KINDS = ("mnb-object-red", "mnb-mosaic-viewer", "mnb-exposures")
VIEWER, STILL = ".mnb-viewer:visible", "img.jp-mod-unconfined"
FIGURE = ".jp-RenderedImage img:not(.jp-mod-unconfined)"
VISIBLE = "() => [...document.images].filter((i) => i.naturalWidth > 100 && i.checkVisibility()).length"


@pytest.fixture(scope="module")
def opened(open_notebook: Callable, night: Night) -> Iterator[Any]:
    cells = (
        f"import muse_nb\nnight = muse_nb.survey({str(night.folder)!r})\n"
        "viewer = muse_nb.ObjectRedViewer(night.exposure(0).files('OBJECT_RED'))\nviewer",
        "viewer.mosaic()",
        "muse_nb.ExposureTable(night)",
        "import matplotlib.pyplot as plt\nviewer2 = muse_nb.ObjectRedViewer(night.exposure(1).files('OBJECT_RED'))\n"
        "display(viewer2)\nplt.plot([1, 2])\nplt.show()",
    )
    with open_notebook("kept.ipynb", *cells) as book:
        book.run()
        for kind in KINDS:
            book.page.wait_for_selector(f".{kind}", timeout=90_000)
        book.page.wait_for_selector(FIGURE, state="attached", timeout=90_000)  # a new machine first looks for its fonts
        eventually(lambda: [book.page.locator(kind).count() for kind in (VIEWER, STILL)], [4, 3], 60)
        yield book


TOGGLE = "() => window.jupyterapp.commands.execute('@jupyter-widgets/jupyterlab-manager:saveWidgetState')"
SHUT_DOWN = "() => window.jupyterapp.shell.currentWidget.context.sessionContext.shutdown()"


@pytest.fixture(scope="module")
def files(opened: Any) -> dict[bool, Path]:
    """The notebook as JupyterLab saves it, with the widgets' states and without."""
    made = {}
    for states in (False, True):
        if states:
            opened.page.evaluate(TOGGLE)
        opened.save()
        made[states] = Path(opened.file).with_name(f"{'with' if states else 'without'}.ipynb")
        made[states].write_bytes(Path(opened.file).read_bytes())
    return made


def test_beside_a_living_view_its_picture_is_hidden_and_no_other(opened: Any) -> None:
    assert opened.page.locator(VIEWER).count() == 4
    assert opened.page.locator(STILL).count() == 3
    assert opened.page.locator(f"{STILL}:visible").count() == 0
    assert opened.page.locator(".mnb-still:visible").count() == 0
    assert opened.page.locator(f"{FIGURE}:visible").count() == 1, "the figure"


def test_what_is_saved_is_a_valid_notebook_and_holds_states_where_asked_for(files: dict[bool, Path]) -> None:
    for states, path in files.items():
        book = json.loads(path.read_text())
        nbformat.validate(book)
        assert (STATE in book["metadata"].get("widgets", {})) is states
        views = [o for c in book["cells"] for o in c["outputs"] if VIEW in o.get("data", {})]
        assert len(views) == 4


@pytest.mark.parametrize("template", ["basic", "classic", "lab"])
@pytest.mark.parametrize("states", [False, True], ids=["without states", "with states"])
def test_nbconvert_shows_the_pictures_without_a_network(
    states: bool, template: str, files: dict[bool, Path], browser: Browser, tmp_path: Path
) -> None:
    html, _ = HTMLExporter(template_name=template).from_filename(str(files[states]))
    (tmp_path / "page.html").write_text(html)
    context = browser.new_context(offline=True)
    page = context.new_page()
    page.goto((tmp_path / "page.html").as_uri())
    assert page.evaluate(VISIBLE) == 4, "three viewers and a figure"
    assert page.locator("table:visible").count() >= 1, "the exposures"
    context.close()


@pytest.mark.parametrize("states", [False, True], ids=["without states", "with states"])
def test_a_page_of_ours_has_each_view_once(states: bool, files: dict[bool, Path]) -> None:
    page = notebook_page(read_notebook(files[states]), about={}, places=Places(files[states].parent))
    assert page.count('data-widget="') == (4 if states else 0)
    assert page.count("<img alt=") == 4
    assert page.count('class="still"') == (4 if states else 0)


def test_opened_again_it_shows_its_pictures_and_no_error_in_place_of_its_views(
    opened: Any, files: dict[bool, Path]
) -> None:
    Path(opened.file).write_bytes(files[False].read_bytes())
    opened.page.evaluate(SHUT_DOWN)
    opened.page.reload()
    opened.page.locator(f"{STILL}:visible").first.wait_for()
    lost = opened.page.get_by_text("model not found")
    lost.first.wait_for(state="attached")
    assert not any(one.is_visible() for one in lost.all())
    assert opened.page.evaluate(VISIBLE) == 4, "three viewers and a figure"
    assert opened.page.locator("table:visible").count() >= 1, "the exposures"
