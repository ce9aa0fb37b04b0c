"""The exposure table without a browser: rows as text, selection both ways, a picture and HTML for exports."""

from __future__ import annotations

import io

import pytest
import traitlets
from PIL import Image

import muse_nb
from muse_nb.widgets.exposures.table import ExposureTable
from muse_nb.widgets.shared.bundle import module


def test_rows_and_selection_are_the_surveys(night) -> None:
    table = ExposureTable(muse_nb.survey(night.folder))
    assert [row[0] for row in table.rows] == night.labels
    assert {len(row) for row in table.rows} == {len(table.columns)}
    assert table.exposure is None
    table.selected = night.labels[2]
    assert table.exposure.files("IMAGE_FOV") == [night.reduced["IMAGE_FOV"][2]]
    table.selected = table.survey.exposures[1].date_obs
    assert table.selected == night.labels[1]
    with pytest.raises(traitlets.TraitError, match="has no exposure 'x'"):
        table.selected = "x"
    assert table.selected == night.labels[1]


def test_exports_show_a_picture_and_a_table(night) -> None:
    table = ExposureTable(night.folder, selected=night.labels[0])
    data, _ = table._repr_mimebundle_()
    assert night.labels[3] in data["text/html"]
    assert table.error == ""
    page = Image.open(io.BytesIO(table.picture()))
    assert page.width > 500
    assert page.getpixel((2, 30)) != page.getpixel((2, 50))  # the selected row
    with pytest.raises(TypeError, match="chosen"):
        ExposureTable(night.folder, chosen="x")


def test_the_browsers_module_never_sets_html() -> None:
    text = module("exposures/table")
    assert text.count("export ") == 1
    assert "innerHTML" not in text
    assert "http" not in text
