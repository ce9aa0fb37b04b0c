"""Pages as PDF, printed by Chromium, which reads them from disk and is kept off the network."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from muse_nb.products.errors import MuseError
from muse_nb.products.whole import whole
from muse_nb.recipes.work import scratch_folder

__all__ = ["chromium", "print_page"]

_PLACES = (
    "/usr/lib/chromium/chromium",
    "/usr/lib/chromium-browser/chromium-browser",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)
_NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome", "msedge")
_LONGEST = 180  # seconds


def chromium() -> str:
    """Path of Chromium or a relative of it; empty where there is none."""
    for place in _PLACES:
        if Path(place).exists():
            return place
    return next((found for name in _NAMES if (found := shutil.which(name))), "")


def print_page(page: Path, output: Path, *, force: bool = False) -> Path:
    """Print an HTML page.

    Raises
    ------
    MuseError
        There is no Chromium, it fails, or the PDF is there already.
    """
    browser = chromium()
    if not browser:
        raise MuseError("a PDF needs Chromium (Debian: apt install chromium); print the page from your browser instead")
    with whole(output, force=force) as part, scratch_folder() as profile:
        command = [
            *(browser, "--headless", "--disable-gpu", "--no-pdf-header-footer", "--disable-extensions"),
            *("--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={profile}", f"--print-to-pdf={part}"),
            # the superuser of a container has no sandbox; the page's own policy stands
            *(["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []),
            page.absolute().as_uri(),
        ]
        try:
            run = subprocess.run(command, capture_output=True, text=True, timeout=_LONGEST)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise MuseError(f"{page} could not be printed ({type(error).__name__}): print it from a browser") from error
        if run.returncode or not part.exists() or not part.stat().st_size:
            reason = (run.stderr.strip().splitlines() or ["no message"])[-1]
            raise MuseError(f"{page} could not be printed ({reason}): print it from a browser")
    return output
