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
    assert table["fwhm"][0] == pytest.approx(0.8, rel=0.008)
    assert table["fwhm"][1] / table["fwhm"][0] == pytest.approx(1.1, rel=0.01)
    assert (np.asarray(table["n_stars"]) >= 4).all()
    assert table["widths"].shape == (2, table["n_stars"][0])


def test_without_stars_it_says_so(tmp_path: Path) -> None:
    files = write(tmp_path, np.array([[0, 0]]), sky=np.zeros((0, 2)), peaks=np.zeros(0))
    with pytest.raises(MuseError, match="no isolated star"):
        star_widths(files)


def test_widths_compare_images_where_no_star_stands_alone(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    sky = np.clip(rng.standard_t(3, (800, 2)) * 5, -11, 11)
    crowd = {"sky": sky, "peaks": np.minimum(3 * (1 - rng.random(800)) ** -0.9, 600)}
    sharp = write(tmp_path / "sharp", np.array([[0, 0], [0.1, -0.2], [-0.1, 0.1]]), fwhm=4.0, **crowd)
    wide = write(tmp_path / "wide", np.array([[0.2, 0.1]]), fwhm=4.4, **crowd)
    table = star_widths([*sharp, *wide])
    assert (np.asarray(table["n_stars"]) > 100).all()  # on a background that does not follow their light: 20
    assert table["fwhm"][0] == pytest.approx(0.8, rel=0.12)
    assert np.ptp(table["fwhm"][:3]) < 0.01
    assert table["fwhm"][3] / np.mean(table["fwhm"][:3]) == pytest.approx(1.1, rel=0.03)


def test_a_crowded_fit_that_fails_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise np.linalg.LinAlgError("Singular matrix")

    monkeypatch.setattr("muse_nb.steps.offsets.starfit.solve.solve", fail)
    close = np.array([[0, 0], [0.6, 0.2], [-0.4, 0.5]])
    files = write(tmp_path, np.array([[0, 0], [0.1, -0.2]]), sky=close, peaks=np.array([90.0, 80.0, 70.0]))
    with pytest.raises(MuseError, match=r"IMAGE_FOV_0001\.fits, IMAGE_FOV_0002\.fits cannot be fitted"):
        star_widths(files)
