"""Pages as PDF, printed by Chromium, which reads them from disk and is kept off the network."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from muse_nb.core.atomic import atomic_write
from muse_nb.core.errors import MuseError
from muse_nb.core.process import dies_with_parent, run
from muse_nb.core.work import scratch_folder
from muse_nb.sharing.running.kernel import short_socket_folder

__all__ = ["chromium", "print_page"]

_PLACES = (
    "/usr/lib/chromium/chromium",
    "/usr/lib/chromium-browser/chromium-browser",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)
_NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome", "msedge")
_LONGEST = 180  # seconds
_ROOM = 14  # characters of the folder for temporary files; Chromium adds some ninety for a socket, and 107 are allowed


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
    with atomic_write(output, force=force) as part, scratch_folder(short_socket_folder(_ROOM)) as profile:
        command = [
            *(browser, "--headless", "--disable-gpu", "--no-pdf-header-footer", "--disable-extensions"),
            *("--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={profile}", f"--print-to-pdf={part}"),
            # the superuser of a container has no sandbox; the page's own policy stands
            *(["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []),
            page.absolute().as_uri(),
        ]
        log = profile / "log"
        try:  # in a process group that ends as a whole, also after Ctrl-C: Chromium is a family of processes
            own = os.environ | {"TMPDIR": str(profile)}  # where it leaves its sockets
            ended = run(dies_with_parent(command), folder=profile, output=log, env=own, timeout=_LONGEST)
        except OSError as error:
            raise MuseError(f"{page} could not be printed ({error.strerror}): print it from a browser") from error
        if ended.code or ended.stopped or not part.exists() or not part.stat().st_size:
            said = log.read_text(errors="replace").strip().splitlines() or ["no message"]
            raise MuseError(f"{page} could not be printed ({ended.stopped or said[-1]}): print it from a browser")
    return output
