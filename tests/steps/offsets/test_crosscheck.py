"""Methods side by side, an OFFSET_LIST from elsewhere, the wobble: what is wrong is said."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from astropy.io import fits
from star_fields import TRUE, write

from muse_nb import MuseError, OffsetList, measure_offsets
from muse_nb.steps.offsets.crosscheck import check_offset_list, cross_check
from muse_nb.steps.offsets.measurement import Measurement
from muse_nb.steps.offsets.picked import candidates
from muse_nb.steps.offsets.picks import empty_picks
from muse_nb.steps.offsets.result import Offsets
from muse_nb.steps.offsets.wobble import fit_wobble


@pytest.fixture(scope="module")
def measurement(tmp_path_factory: pytest.TempPathFactory) -> Measurement:
    return Measurement(write(tmp_path_factory.mktemp("field"), TRUE))


@pytest.fixture(scope="module")
def measured(measurement: Measurement) -> Offsets:
    return measure_offsets(measurement)


@pytest.fixture(scope="module")
def own(measured: Offsets) -> OffsetList:
    return measured.offset_list()


def test_automatic_stars_and_correlation_agree(measurement: Measurement, measured: Offsets) -> None:
    check = cross_check(measurement, measured, eso=False)
    assert check.methods == ("automatic", "correlation")
    assert list(check.table["verdict"]) == ["agree"] * 4
    assert np.allclose(check.table["correlation_ra"], TRUE[:, 0], atol=0.05)


def test_a_method_that_is_away_is_named(measurement: Measurement, measured: Offsets) -> None:
    table = measured.table.copy()
    table["ra_offset"][2] += 0.5
    check = cross_check(measurement, replace(measured, table=table), eso=False)
    assert check.table["verdict"][2] == "check"
    assert "correlation is" in check.table["why"][2]


def test_clicked_stars_stand_beside_the_automatic_ones(measurement: Measurement, measured: Offsets) -> None:
    picks = empty_picks()
    for row in candidates(measurement, 3):
        picks.add_row([row["star"], row["ra"], row["dec"], "", np.nan, np.nan, False])
    clicked = measure_offsets(measurement, picks=picks)
    for check in (
        cross_check(measurement, measured, picks=picks, eso=False),
        cross_check(measurement, clicked, eso=False),
    ):
        assert check.methods == ("clicked", "automatic", "correlation")
        assert np.array_equal(check.table["clicked_ra"], clicked.table["ra_offset"])
        assert np.array_equal(check.table["automatic_ra"], measured.table["ra_offset"])


def test_a_recipe_that_matched_too_few_stars_is_named(
    measurement: Measurement, measured: Offsets, own: OffsetList, monkeypatch: pytest.MonkeyPatch
) -> None:
    def align(images: list[Path], folder: Path) -> SimpleNamespace:
        path = folder / "OFFSET_LIST.fits"
        own.write(path)
        for number, matched in ((1, 9), (2, 2), (3, 9)):
            fits.setval(path, f"HIERARCH ESO QC EXPALIGN NMATCH{number}", value=matched)
        return SimpleNamespace(products={"OFFSET_LIST": [path]})

    monkeypatch.setattr("muse_nb.recipes.joining.align", align)
    check = cross_check(measurement, measured)
    assert list(check.table["verdict"]) == ["agree", "check", "agree", "agree"]
    assert "matched only 2 stars" in check.table["why"][1]
    assert [row["muse_exp_align_matched"] for row in check.rows()] == [9, 2, 9, None]


def test_a_recipe_that_fails_is_quoted_without_the_log_that_is_gone(
    measurement: Measurement, measured: Offsets, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise MuseError("muse_exp_align failed: too few sources; its log is /scratch/muse_exp_align.log")

    monkeypatch.setattr("muse_nb.recipes.joining.align", fail)
    check = cross_check(measurement, measured)
    assert check.methods == ("automatic", "correlation")
    assert check.notes == ("muse_exp_align: muse_exp_align failed: too few sources",)


@pytest.mark.eso
def test_muse_exp_align_stands_beside_ours(measurement: Measurement, measured: Offsets) -> None:
    check = cross_check(measurement, measured)
    assert check.methods == ("automatic", "correlation", "muse_exp_align")
    assert np.allclose(np.c_[check.table["muse_exp_align_ra"], check.table["muse_exp_align_dec"]], TRUE, atol=0.03)
    assert (np.asarray(check.table["n_matched"]) > 2).all()
    assert list(check.table["verdict"]) == ["agree"] * 4


def test_an_exposure_off_the_wobble_is_checked(tmp_path: Path) -> None:
    offset = np.random.default_rng(3).normal(0, 0.02, (16, 2))
    offset[5] += 0.5
    measurement = Measurement(write(tmp_path, offset - offset[0], side=72))
    check = cross_check(measurement, eso=False)
    assert [k for k, verdict in enumerate(check.table["verdict"]) if verdict != "agree"] == [5]
    assert (check.table["verdict"][5], check.table["why"][5]) == ("check", "far from where the wobble would put it")


def test_a_good_list_passes(own: OffsetList, measured: Offsets) -> None:
    assert check_offset_list(own, measured) == []
    assert check_offset_list(own, list(own.date_obs)) == []


def scaled(own: OffsetList, ra: float, dec: float) -> OffsetList:
    east, north = tuple(v * ra for v in own.ra_offset), tuple(v * dec for v in own.dec_offset)
    return replace(own, ra_offset=east, dec_offset=north)


COSINE = float(np.cos(np.radians(-53.7)))


@pytest.mark.parametrize(
    ("ra", "dec", "sentence"),
    [
        (-1, -1, "wrong sign"),
        (COSINE, 1, "cos"),
        (3600, 3600, "arcsec"),
        (3600 * COSINE, 3600, "arcsec"),
        (-1, 1, "RA_OFFSET has the wrong sign"),
        (-COSINE, -1, "the wrong sign, and RA_OFFSET was multiplied"),
        (0.5, 0.5, "arcsec from the measured offset"),
    ],
)
def test_the_usual_mistakes_are_recognized(
    own: OffsetList, measured: Offsets, ra: float, dec: float, sentence: str
) -> None:
    findings = check_offset_list(scaled(own, ra, dec), measured)
    assert any(sentence in finding for finding in findings), findings


def test_arcsec_are_recognized_without_images(own: OffsetList) -> None:
    assert "degrees" in check_offset_list(scaled(own, 3600, 3600), list(own.date_obs))[0]


def test_an_exposure_of_another_set_is_named(own: OffsetList) -> None:
    findings = check_offset_list(own, own.date_obs[:-1])
    assert findings == [f"the list names {own.date_obs[-1]}, which are not among the exposures"]


def test_a_missing_exposure_is_named(own: OffsetList, measured: Offsets) -> None:
    names = ("date_obs", "mjd_obs", "ra_offset", "dec_offset", "flux_scale")
    short = OffsetList(*(getattr(own, name)[:-1] for name in names))
    assert any("03:03:00" in finding for finding in check_offset_list(short, measured))


def with_offsets(measured: Offsets, offset: np.ndarray, posang: np.ndarray) -> Offsets:
    from astropy.table import Table

    n = len(offset)
    table = Table({"date_obs": [f"2014-07-27T03:{i:02d}:00" for i in range(n)], "posang": posang})
    table["ra_offset"], table["dec_offset"] = offset.T
    table["ra_error"] = table["dec_error"] = np.full(n, 0.002)
    table["verdict"], table["pointing"] = ["agree"] * n, 1
    return replace(measured, table=table)


def test_the_wobble_is_found_with_its_errors_and_its_outlier(measured: Offsets) -> None:
    rng = np.random.default_rng(3)
    posang = 90.0 * (np.arange(16) % 4)
    a = np.radians(-posang)
    vector = np.array([0.12, 0.2])
    turned = np.c_[np.cos(a) * vector[0] + np.sin(a) * vector[1], -np.sin(a) * vector[0] + np.cos(a) * vector[1]]
    pointing = np.arange(16) // 8
    offset = turned + rng.normal(0, 0.02, (16, 2)) + np.array([[0, 0], [1.0, -2.0]])[pointing]
    offset[5] += 0.5
    wobble = fit_wobble(with_offsets(measured, offset, posang), pointing)
    assert wobble.sense == -1
    assert (np.abs(wobble.vector - vector) < 5 * wobble.vector_error).all()
    assert wobble.length == pytest.approx(np.hypot(0.12, 0.2), abs=0.04)
    assert np.allclose(wobble.centre[1] - wobble.centre[0], [1, -2], atol=0.1)
    assert list(np.flatnonzero(wobble.table["outlier"])) == [5]


def test_fields_of_one_night_share_the_vector_and_keep_their_centres(measured: Offsets) -> None:
    posang = 90.0 * np.arange(8)
    a = np.radians(-posang)
    turned = 0.2 * np.c_[np.sin(a), np.cos(a)] + np.random.default_rng(4).normal(0, 0.01, (8, 2))
    fields = [with_offsets(measured, turned + centre, posang) for centre in ([0, 0], [1.5, -0.7])]
    wobble = fit_wobble(fields)
    assert np.allclose(wobble.centre[1] - wobble.centre[0], [1.5, -0.7], atol=0.03)
    assert wobble.length == pytest.approx(0.2, abs=0.02)
    assert wobble.scatter < 0.02
    mosaic = with_offsets(measured, turned + [1, 2] * (np.arange(8)[:, None] > 3), posang)
    mosaic.table["pointing"][4:] = 2
    assert np.allclose(np.diff(fit_wobble(mosaic).centre, axis=0), [1, 2], atol=0.03)


def test_a_wobble_needs_angles(measured: Offsets) -> None:
    with pytest.raises(MuseError, match="two rotator angles"):
        fit_wobble(with_offsets(measured, TRUE, np.zeros(4)))


def test_figures_are_drawn(measured: Offsets, tmp_path: Path) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    for draw in (measured.plot, measured.plot_residuals, fit_wobble(measured).plot):
        ax = draw()
        assert "[" in ax.get_xlabel() or ax.get_xlabel().startswith("exposure")
        ax.figure.savefig(tmp_path / "figure.png")
        plt.close(ax.figure)
