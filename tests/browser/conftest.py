from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser

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
def browser() -> Iterator[Browser]:
    """Chromium; one for all tests, since there can be only one Playwright in a process."""
    from lab import FLAGS, chromium
    from playwright.sync_api import sync_playwright

    executable = chromium()
    if executable is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(BROWSER)  # CI must not pass over the browser
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, headless=True, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def open_notebook(browser: Browser, lab_folder: Path) -> Iterator[Callable[..., AbstractContextManager]]:
    """``with open_notebook(name, *cells) as notebook:`` a new notebook in JupyterLab."""
    from lab import jupyterlab, notebook

    with jupyterlab(lab_folder) as server:
        yield partial(notebook, browser, server, lab_folder)
