"""The archive's table without a browser: rows as text, choices both ways, what they cost, a picture for exports."""

from __future__ import annotations

import io

import pytest
import traitlets
from PIL import Image

from muse_nb.archive.listing import ArchiveFile, Listing
from muse_nb.widgets.archive.table import ArchiveTable
from muse_nb.widgets.shared.bundle import module

ONE, TWO, BIAS = "MUSE.2014-07-27T03:12:00.417", "MUSE.2014-07-27T03:14:30.417", "MUSE.2014-07-27T10:00:00.000"


@pytest.fixture
def listing() -> Listing:
    science = [
        ArchiveFile(name, "SCIENCE", "OBJECT", "WFM-NOAO-N", name[5:], 60.0, 350_000_000, object="<b>NGC 6397</b>")
        for name in (ONE, TWO)
    ]
    bias = ArchiveFile(BIAS, "CALIB", "BIAS", bytes=50_000_000, serves=(ONE,))
    return Listing((*science, bias), ("the calibrations of <i>all</i> are not certified",))


def test_choices_say_what_they_cost_and_take_their_calibrations_along(listing: Listing) -> None:
    table = ArchiveTable(listing)
    assert table.chosen == [ONE, TWO]
    assert {len(row) for row in table.rows} == {len(table.columns)}
    assert table.headline.startswith("3 files, 750 MB")
    table.chosen = [TWO]
    assert table.headline.startswith("1 file, 350 MB")
    assert [file.dp_id for file in table.listing.files] == [TWO]
    table.chosen = [TWO, ONE]
    assert table.chosen == [ONE, TWO]
    with pytest.raises(traitlets.TraitError, match="the list has no exposure 'x'"):
        table.chosen = ["x"]
    with pytest.raises(TypeError, match="would ask again"):
        ArchiveTable(listing, target="NGC 6397")


def test_exports_show_a_picture_and_a_table(listing: Listing) -> None:
    table = ArchiveTable(listing, chosen=[TWO])
    data, _ = table._repr_mimebundle_()
    assert TWO in data["text/html"]
    assert "<b>" not in data["text/html"]
    assert "<i>" not in data["text/html"]
    assert table.error == ""
    page = Image.open(io.BytesIO(table.picture()))
    assert page.getpixel((2, 50)) != page.getpixel((2, 30))  # the chosen row


def test_the_browsers_module_never_sets_html() -> None:
    text = module("archive/table")
    assert text.count("export ") == 1
    assert "innerHTML" not in text
    assert "http" not in text
