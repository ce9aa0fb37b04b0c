"""Notebooks are run side by side, each page knows what it was made of, and a failure is told but stops nobody."""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
import numpy as np
import pytest
from books import book
from nbformat.v4 import new_code_cell

import muse_nb
from muse_nb.cli import main
from muse_nb.sharing.extract import extract
from muse_nb.sharing.share import Shared

if TYPE_CHECKING:
    from muse_nb.simulator.night import Night

FAIL = "raise KeyError('<no such thing> in /home/janedoe/night')"
READ = """import muse_nb
one = muse_nb.survey(night).exposure(0)
muse_nb.inspect(one.files("OBJECT_RED")[:1])"""


def provenance(page: Path) -> dict:
    text = page.read_text().split('id="provenance">', 1)[1].split("</script>", 1)[0]
    return json.loads(text)


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory, night: Night) -> tuple[Path, Path]:
    """A folder with two notebooks, one of which fails, and products beside them."""
    folder = tmp_path_factory.mktemp("share it's")
    products = folder / "products"
    products.mkdir()
    dates = tuple(str(name) for name in night.exposures["date_obs"])
    n = len(dates)
    muse_nb.OffsetList(
        dates, (56865.1,) * n, (1e-4,) * n, (-2.5e-5,) * n, (math.nan, *(1.5,) * (n - 1))
    ).write(products / "OFFSET_LIST.fits")  # fmt: skip
    from muse_nb.steps.offsets.picks import empty_picks, save_picks
    from muse_nb.widgets.stars.picking import add_star

    save_picks(products / "picks.ecsv", add_star(empty_picks(), 265.17, -53.67))
    parameters = new_code_cell('night = "?"\nproducts = "products"', metadata={"tags": ["parameters"]})
    good = book("# Good", parameters, new_code_cell(READ))
    bad = book("# Bad", new_code_cell("print('shown')"), new_code_cell(FAIL))
    nbformat.write(good, folder / "good.ipynb")
    nbformat.write(bad, folder / "bad.ipynb")
    return folder, products


@pytest.fixture(scope="module")
def shared(places: tuple[Path, Path], night: Night) -> Shared:
    folder, _ = places
    books = [folder / "good.ipynb", folder / "bad.ipynb"]
    return muse_nb.share(books, folder / "html", parameters={"night": str(night.folder)})


def test_one_that_fails_does_not_stop_the_other(shared: Shared) -> None:
    good, bad = shared.pages
    assert not good.error
    assert "KeyError" in bad.error
    assert "shown" in bad.path.read_text()
    assert "&lt;no such thing&gt;" in bad.path.read_text()
    assert "KeyError" in shared.index.read_text()


def test_the_reason_of_a_failure_names_no_user(shared: Shared) -> None:
    assert "~/night" in shared.pages[1].error
    for page in (shared.pages[1].path, shared.index):
        assert "janedoe" not in page.read_text()


def test_the_notebook_is_not_changed(shared: Shared, places: tuple[Path, Path]) -> None:
    notebook = nbformat.read(places[0] / "good.ipynb", 4)
    assert not any(cell.get("outputs") for cell in notebook.cells)


def test_a_page_lists_what_was_read_and_what_made_it(shared: Shared, night: Night) -> None:
    about = provenance(shared.pages[0].path)
    read = {Path(one["file"]).name: one for one in about["inputs"]}
    frame = sorted((night.folder / "reduced").glob("*/OBJECT_RED*"))[0]
    assert set(read) == {frame.name}, "only what was read counts, not what the survey looked at"
    assert read[frame.name]["sha256"] == hashlib.sha256(frame.read_bytes()).hexdigest()
    assert about["parameters"]["products"] == "products"
    assert about["versions"]["muse_nb"] == muse_nb.__version__
    assert about["seconds"] > 0
    assert all(recipe["recipe"] for recipe in about["recipes"])


def test_a_collaborator_gets_picks_offsets_and_parameters_back(
    shared: Shared, places: tuple[Path, Path], tmp_path: Path
) -> None:
    written = extract(shared.pages[0].path, tmp_path / "again")
    assert [path.name for path in written] == ["parameters.json", "picks.ecsv", "OFFSET_LIST.fits"]
    assert (tmp_path / "again" / "picks.ecsv").read_bytes() == (places[1] / "picks.ecsv").read_bytes()
    before = muse_nb.OffsetList.read(places[1] / "OFFSET_LIST.fits")
    after = muse_nb.OffsetList.read(tmp_path / "again" / "OFFSET_LIST.fits")
    assert after.date_obs == before.date_obs
    for name in ("mjd_obs", "ra_offset", "dec_offset", "flux_scale"):
        np.testing.assert_array_equal(getattr(after, name), getattr(before, name), err_msg=name)
    with pytest.raises(muse_nb.MuseError, match="already"):
        extract(shared.pages[0].path, tmp_path / "again")


def test_the_command_tells_what_is_wrong_in_a_sentence(
    shared: Shared, places: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, _ = places
    (tmp_path / "no.ipynb").write_text("{}")
    (tmp_path / "no.html").write_text("<p>")
    for arguments, said in (
        ([str(folder / "good.ipynb"), "-o", str(folder / "html"), "--no-run"], "already there"),
        ([str(tmp_path / "lost.ipynb"), "-o", str(tmp_path / "o")], "cannot be read"),
        ([str(tmp_path / "no.ipynb"), "-o", str(tmp_path / "o")], "not a notebook"),
        (["--extract", str(tmp_path / "no.html"), "-o", str(tmp_path / "o")], "no provenance"),
        (["-o", str(tmp_path / "o")], "which notebooks"),
    ):
        assert main(["share", *arguments]) == 1, arguments
        error = capsys.readouterr().err
        assert said in error, arguments
        assert error.count("\n") == 1
    assert not (tmp_path / "o").exists()


def test_a_notebook_that_was_run_already_is_shown_as_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from nbformat.v4 import new_output

    cell = new_code_cell("print(1)", outputs=[new_output("stream", text="what it said then")])
    nbformat.write(book("# Before", cell), tmp_path / "before.ipynb")
    assert main(["share", str(tmp_path / "before.ipynb"), "-o", str(tmp_path / "o"), "--no-run", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert "what it said then" in Path(answer["pages"][0]["page"]).read_text()


KERNEL = """import json, stat
from pathlib import Path
from ipykernel.connect import get_connection_file
file = Path(get_connection_file())
print(json.loads(file.read_text())["transport"], stat.S_IMODE(file.parent.stat().st_mode) & 0o077)"""


def test_a_kernel_needs_no_port_however_deep_temporary_files_lie(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import tempfile

    from muse_nb.sharing.running.run import run_notebook

    deep = tmp_path / ("deep" * 20)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    nbformat.write(book("# Kernel", new_code_cell(KERNEL)), tmp_path / "kernel.ipynb")
    ran = run_notebook(tmp_path / "kernel.ipynb")
    assert ran.error == ""
    assert ran.notebook.cells[1].outputs[0].text.split() == ["ipc", "0"], "no port, and nobody else's folder"


@pytest.mark.parametrize("before", [0, 1, 2], ids=["no cell", "a cell with defaults", "values put in before"])
def test_parameters_become_a_cell_after_the_one_with_defaults(before: int, tmp_path: Path) -> None:
    from muse_nb.sharing.running.parameters import defaults, with_parameters

    values = {
        "night": 'it\'s a "night"\\é\u2033\U0001f52d',
        "n": 3,
        "x": -2.5,
        "on": True,
        "none": None,
        "names": ["a", 1],
        "by": {"a": [None]},
    }
    cells = [
        new_code_cell('night = "?"', metadata={"tags": ["parameters"]}),
        new_code_cell("night = 'old'", metadata={"tags": ["injected-parameters"]}),
    ]
    after = new_code_cell("night")
    made = with_parameters(book("# Page", *cells[:before], after), {**values, "nan": math.nan, "far": -math.inf})
    place = [0, 2, 2][before]
    new = made.cells[place]
    assert new.metadata["tags"] == ["injected-parameters"]
    assert new.source.startswith("# Parameters\nnight = \"it's a")
    assert made.cells[-1].source == "night"
    assert len(made.cells) == [3, 4, 4][before]
    read = book(new_code_cell(new.source, metadata={"tags": ["parameters"]}))
    assert defaults(read) == values
    assert "nan = float('nan')\nfar = float('-inf')\n" in new.source


def test_what_a_page_asks_of_a_star_picker_is_what_the_picker_keeps() -> None:
    import re

    from muse_nb.sharing.page import static

    asked = set(re.findall(r'm\.get\("(\w+)"\)', static("marks.js")))
    assert {"stars", "places", "frames", "rows"} <= asked
    assert asked <= set(muse_nb.StarPicker.class_trait_names(sync=True))
