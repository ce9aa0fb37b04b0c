"""Pages on paper: Chromium prints them with their pictures and without a network; what goes wrong is a sentence."""

from __future__ import annotations

import base64
import http.server
import re
import tempfile
import threading
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

from muse_nb.core.errors import MuseError
from muse_nb.sharing import pdf
from muse_nb.sharing.page import document


@pytest.fixture
def chromium() -> None:
    if not pdf.chromium():
        pytest.skip("Chromium is not installed")


@pytest.fixture
def picture(tmp_path: Path) -> str:
    path = tmp_path / "picture.png"
    matplotlib.image.imsave(path, np.random.default_rng(0).random((40, 60)))
    return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode()


@pytest.mark.browser
@pytest.mark.usefixtures("chromium")
def test_a_page_is_printed_whole_with_its_pictures(tmp_path: Path, picture: str) -> None:
    body = "<h1>Stars</h1>" + f"<section style='break-after:page'><img src='{picture}'></section>" * 3
    (tmp_path / "page.html").write_text(document("Stars & <holes>", body))
    made = pdf.print_page(tmp_path / "page.html", tmp_path / "page.pdf").read_bytes()
    assert made.startswith(b"%PDF-")
    assert made.rstrip().endswith(b"%%EOF")
    assert len(re.findall(rb"/Type\s*/Page\b", made)) == 3
    assert re.search(rb"/Subtype\s*/Image", made)
    with pytest.raises(MuseError, match="already"):
        pdf.print_page(tmp_path / "page.html", tmp_path / "page.pdf")


@pytest.mark.browser
@pytest.mark.usefixtures("chromium")
def test_printing_asks_the_network_for_nothing(tmp_path: Path) -> None:
    asked: list[str] = []

    class Server(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

    with http.server.HTTPServer(("127.0.0.1", 0), Server) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        hostile = f"<img src='{address}/a.png'><script src='{address}/b.js'></script>"
        (tmp_path / "page.html").write_text(document("Page", hostile))
        assert pdf.print_page(tmp_path / "page.html", tmp_path / "page.pdf").stat().st_size
        server.shutdown()
    assert asked == []


@pytest.mark.browser
@pytest.mark.usefixtures("chromium")
@pytest.mark.parametrize("length", [15, 40, 120])
def test_a_deep_folder_for_temporary_files_is_no_matter(length: int, tmp_path: Path, monkeypatch) -> None:
    """Chromium's socket has a path of 107 characters at most."""
    deep = tempfile.mkdtemp(prefix="d" * (length - 13), dir="/tmp")
    monkeypatch.setattr(tempfile, "tempdir", deep)
    monkeypatch.setenv("TMPDIR", deep)
    (tmp_path / "page.html").write_text(document("Page", "<p>text</p>"))
    assert pdf.print_page(tmp_path / "page.html", tmp_path / "page.pdf").stat().st_size
    Path(deep).rmdir()  # nothing is in it


def test_without_chromium_it_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "page.html").write_text(document("Page", ""))
    monkeypatch.setattr(pdf, "chromium", lambda: "")
    with pytest.raises(MuseError, match=r"needs Chromium .*print the page from your browser"):
        pdf.print_page(tmp_path / "page.html", tmp_path / "page.pdf")
    monkeypatch.setattr(pdf, "chromium", lambda: "/bin/false")
    with pytest.raises(MuseError, match=r"page\.html could not be printed"):
        pdf.print_page(tmp_path / "page.html", tmp_path / "page.pdf")
    assert not (tmp_path / "page.pdf").exists()
