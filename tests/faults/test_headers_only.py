"""Protects ``muse-nb doctor --headers``: it opens no pixels, and still tells all that headers can."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from rows import SILENT, Row

from muse_nb import doctor
from muse_nb.products.cube_file import CubeFile
from muse_nb.products.image_fov import ImageFov
from muse_nb.products.pixtable import PixelTable
from muse_nb.recipes.checks.every import AFTER, BEFORE, DATA
from muse_nb.recipes.checks.faults import Reads

CHECKS = BEFORE | AFTER
OF_ONE = [row for row in SILENT if row.check in CHECKS]  # a row's only check, of the common list


class Opened(Exception):
    """Pixels were read."""


@pytest.fixture
def no_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise Opened

    monkeypatch.setattr(PixelTable, "read", refuse)
    monkeypatch.setattr(CubeFile, "reader", refuse)
    monkeypatch.setattr(ImageFov, "data", property(refuse))


@pytest.mark.usefixtures("no_pixels")
@pytest.mark.parametrize("row", OF_ONE, ids=lambda row: row.name)
def test_headers_tell_what_headers_can(row: Row, spoiled: Callable[[Row], Path]) -> None:
    told = " ".join(str(doctor(spoiled(row), data=False)).split())
    assert bool(re.search(row.says, told)) is (CHECKS[row.check].reads is Reads.HEADERS)


@pytest.mark.usefixtures("no_pixels")
@pytest.mark.parametrize("row", [row for row in OF_ONE if row.check in DATA], ids=lambda row: row.name)
def test_the_others_do_open_pixels(row: Row, spoiled: Callable[[Row], Path]) -> None:
    with pytest.raises(Opened):
        doctor(spoiled(row), data=True)


@pytest.mark.usefixtures("no_pixels")
def test_no_file_of_a_night_is_read_beyond_its_header(night) -> None:
    assert doctor(night.folder, data=False).findings == ()
