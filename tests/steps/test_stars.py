"""star_widths compares images at the 1 % level."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from star_fields import write

from muse_nb import MuseError, star_widths


def test_widths_are_true_and_compare_images(tmp_path: Path) -> None:
    sharp = write(tmp_path / "sharp", np.array([[0, 0]]), fwhm=4.0)
    wide = write(tmp_path / "wide", np.array([[0.2, 0.1]]), fwhm=4.4)
    table = star_widths([*sharp, *wide])
    assert table["fwhm"][0] == pytest.approx(0.8, rel=0.02)
    assert table["fwhm"][1] / table["fwhm"][0] == pytest.approx(1.1, rel=0.02)
    assert (np.asarray(table["n_stars"]) >= 4).all()
    assert table["widths"].shape == (2, table["n_stars"][0])


def test_without_stars_it_says_so(tmp_path: Path) -> None:
    files = write(tmp_path, np.array([[0, 0]]), sky=np.zeros((0, 2)), peaks=np.zeros(0))
    with pytest.raises(MuseError, match="no isolated star"):
        star_widths(files)
