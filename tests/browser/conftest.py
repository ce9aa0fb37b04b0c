from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

import pytest

BROWSER = "Chromium is not installed (Debian: apt-get install chromium)"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All browser tests on one worker: they share one JupyterLab and one browser."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.xdist_group("browser"))
            item.add_marker(pytest.mark.timeout(300))


@pytest.fixture(scope="session")
def lab_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lab")


@pytest.fixture(scope="session")
def open_notebook(lab_folder: Path) -> Iterator[Callable[..., AbstractContextManager]]:
    """``with open_notebook(name, *cells) as notebook:`` a new notebook in JupyterLab."""
    from lab import FLAGS, chromium, jupyterlab, notebook
    from playwright.sync_api import sync_playwright

    executable = chromium()
    if executable is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(BROWSER)  # CI must not pass over the browser
    with jupyterlab(lab_folder) as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, headless=True, args=FLAGS)
        yield partial(notebook, browser, server, lab_folder)
        browser.close()
