"""measure_offsets: the truth within its errors, in the recipe's sign and units, and one clear sentence otherwise."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
from astropy.io import fits
from star_fields import PEAKS, STARS, TRUE, found, within, write

from muse_nb import MuseError, MuseWarning, OffsetList, measure_offsets
from muse_nb.steps.offsets.measurement import Measurement
from muse_nb.steps.offsets.result import Offsets
from muse_nb.steps.offsets.table import assemble


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return write(tmp_path_factory.mktemp("field"), TRUE)


@pytest.fixture(scope="module")
def measurement(files: list[Path]) -> Measurement:
    return Measurement(files)


@pytest.fixture(scope="module")
def measured(measurement: Measurement) -> Offsets:
    return measure_offsets(measurement)


def test_offsets_are_true_within_their_errors_and_errors_are_small(measured: Offsets) -> None:
    assert list(measured.table["verdict"]) == ["agree"] * 4
    assert within(measured, TRUE)
    assert np.max(measured.table["ra_error"]) < 0.004
    assert found(measured)[0] == pytest.approx(0)
    assert (np.asarray(measured.table["n_stars"]) >= 7).all()
    assert np.allclose(measured.table["fwhm"], 0.8, atol=0.02)


def test_the_offset_list_has_the_recipes_sign_and_units(measured: Offsets, tmp_path: Path) -> None:
    measured.write(tmp_path / "OFFSET_LIST.fits")
    given = OffsetList.read(tmp_path / "OFFSET_LIST.fits")
    ra, dec, scale = given.of("2014-07-27T03:01:00.000")
    assert ra * 3600 * np.cos(np.radians(-53.7)) == pytest.approx(0.31, abs=0.02)
    assert dec * 3600 == pytest.approx(-0.22, abs=0.02)
    assert np.isnan(scale)
    assert fits.getheader(tmp_path / "OFFSET_LIST.fits", 1)["TUNIT3"] == "deg"
    with pytest.raises(MuseError, match="already there"):
        measured.write(tmp_path / "OFFSET_LIST.fits")


@pytest.mark.parametrize("angle", [37.0, 180.0])
def test_a_rotated_wcs_changes_nothing(angle: float, tmp_path: Path) -> None:
    assert within(measure_offsets(write(tmp_path, TRUE, angle=angle)), TRUE)


def test_near_the_pole_the_offset_is_still_on_the_sky(tmp_path: Path) -> None:
    offsets = measure_offsets(write(tmp_path, TRUE, origin=(30.0, -75.0)))
    assert within(offsets, TRUE)
    assert offsets.offset_list().ra_offset[2] * 3600 == pytest.approx(-0.4 / np.cos(np.radians(75)), abs=0.05)


def test_reference_and_mean(measurement: Measurement) -> None:
    assert within(measure_offsets(measurement, reference="mean"), TRUE - TRUE.mean(0))
    assert within(measure_offsets(measurement, reference="2014-07-27T03:02:00.000"), TRUE - TRUE[2])
    with pytest.raises(MuseError, match="no exposure has DATE-OBS 2000"):
        measure_offsets(measurement, reference="2000-01-01T00:00:00")


def test_a_pc_matrix_an_extra_filter_and_no_bunit(files: list[Path], measured: Offsets, tmp_path: Path) -> None:
    changed = []
    for file in files:
        with fits.open(file) as hdus:
            header = hdus["DATA"].header
            for i in (1, 2):
                header[f"CDELT{i}"] = 1.0
                for j in (1, 2):
                    header[f"PC{i}_{j}"] = header.pop(f"CD{i}_{j}")
            del header["BUNIT"]
            other = fits.ImageHDU(np.zeros((5, 5), np.float32), name="Johnson_V")
            changed.append(tmp_path / file.name)
            fits.HDUList([hdus[0], other, hdus["DATA"]]).writeto(changed[-1])
    assert np.allclose(found(measure_offsets(changed)), found(measured), atol=1e-6)


def test_an_exposure_without_pixels_is_refused_and_the_list_says_so(files: list[Path], tmp_path: Path) -> None:
    empty = tmp_path / "IMAGE_FOV_0002.fits"
    with fits.open(files[1]) as hdus:
        hdus["DATA"].data[:] = np.nan
        hdus.writeto(empty)
    offsets = measure_offsets([files[0], empty, *files[2:]])
    assert list(offsets.table["verdict"]) == ["agree", "refuse", "agree", "agree"]
    assert "no finite pixel" in offsets.table["why"][1]
    with pytest.warns(MuseWarning, match="03:01:00"):
        assert offsets.offset_list().missing(["2014-07-27T03:01:00.000"])


def test_stars_that_agree_vouch_for_an_offset_though_their_cores_fit_badly(
    measurement: Measurement, tmp_path: Path
) -> None:
    chi2 = np.array([1.0, 3.0, 20.0, 1.0])
    many = assemble(measurement, replace(measurement.solution, chi2=chi2), "stars", None)
    assert list(many.table["verdict"]) == ["agree", "agree", "check", "agree"]
    assert "chi2 20.0" in many.table["why"][2]
    lone = Measurement(write(tmp_path, TRUE, sky=STARS[:1], peaks=PEAKS[:1]))
    one = assemble(lone, replace(lone.solution, chi2=chi2), "stars", None)
    assert list(one.table["verdict"]) == ["agree", "check", "check", "agree"]


def test_an_offset_at_the_search_radius_is_checked(files: list[Path]) -> None:
    offsets = measure_offsets(Measurement(files, radius=0.45))
    assert list(offsets.table["verdict"]) == ["agree", "agree", "check", "agree"]
    assert "search radius" in offsets.table["why"][2]


def test_another_pointing_is_refused_by_its_distance(files: list[Path], tmp_path: Path) -> None:
    away = tmp_path / "IMAGE_FOV_0004.fits"
    with fits.open(files[3]) as hdus:
        hdus["DATA"].header["CRVAL2"] += 0.1
        hdus.writeto(away)
    offsets = measure_offsets([*files[:3], away])
    assert list(offsets.table["pointing"]) == [1, 1, 1, 2]
    assert offsets.table["verdict"][3] == "refuse"
    assert "points 360 arcsec" in offsets.table["why"][3]


def test_the_stars_of_a_fit_can_be_looked_at(measured: Offsets, tmp_path: Path) -> None:
    star = int(measured.residuals["star"][0])
    stamps = measured.stamps(star)
    assert stamps.date_obs == tuple(measured.table["date_obs"])
    middle = stamps.data.shape[-1] // 2
    for image in (stamps.data, stamps.model):
        peaks = [np.unravel_index(np.nanargmax(one), one.shape) for one in image]
        assert np.abs(np.array(peaks) - middle).max() <= 1
    assert np.nanstd(stamps.residual) < 1.5
    figure = stamps.plot()
    figure.savefig(tmp_path / "stamps.png")
    plt.close(figure)
    with pytest.raises(MuseError, match="star 999"):
        measured.stamps(999)


def test_empty_fields_are_refused(tmp_path: Path) -> None:
    offsets = measure_offsets(write(tmp_path, TRUE, sky=np.zeros((0, 2)), peaks=np.zeros(0)))
    assert set(offsets.table["verdict"]) == {"refuse"}
    with pytest.raises(MuseError, match="could be measured"):
        offsets.offset_list()


@pytest.mark.parametrize("side", [2, 12, 30])
def test_images_of_one_value_are_refused(tmp_path: Path, side: int) -> None:
    files = write(tmp_path, TRUE, side=side, spoil=lambda _, image: np.full_like(image, 7.0))
    assert set(measure_offsets(files).table["verdict"]) == {"refuse"}


def test_one_bright_star_is_enough(tmp_path: Path) -> None:
    assert within(measure_offsets(write(tmp_path, TRUE, sky=STARS[:1], peaks=PEAKS[:1])), TRUE)


def test_one_image_or_the_same_exposure_twice_is_one_sentence(files: list[Path]) -> None:
    with pytest.raises(MuseError, match="only image"):
        measure_offsets(files[:1])
    with pytest.raises(MuseError, match="same DATE-OBS"):
        measure_offsets([files[0], files[0], files[1]])


def test_the_same_exposure_is_known_however_its_time_is_written(files: list[Path], tmp_path: Path) -> None:
    short = tmp_path / "IMAGE_FOV_0001.fits"
    with fits.open(files[0]) as opened:
        opened[0].header["DATE-OBS"] = opened[0].header["DATE-OBS"].removesuffix(".000")
        opened.writeto(short)
    with pytest.raises(MuseError, match="same DATE-OBS"):
        measure_offsets([files[0], short, files[1]])


def test_a_star_that_moved_is_named_and_left_out(tmp_path: Path) -> None:
    folder, sky = tmp_path / "all", []
    files = []
    for i, offset in enumerate(TRUE):
        moved = STARS.copy()
        moved[1] += [0.06 * i, 0]
        sky.append(moved)
        files += write(folder / str(i), np.repeat([offset], i + 1, axis=0), sky=moved, seed=i)[i:]
    offsets = measure_offsets(files)
    assert within(offsets, TRUE)
    table = offsets.residuals
    bad = set(table["star"][np.asarray(table["outlier"], bool)])
    assert len(bad) == 1
    row = table[table["star"] == bad.pop()][0]
    assert row["dec"] == pytest.approx(-53.7 + 3 / 3600, abs=0.2 / 3600)


def test_flux_is_measured_and_written_only_when_asked(files: list[Path], tmp_path: Path) -> None:
    dim = tmp_path / "IMAGE_FOV_0002.fits"
    with fits.open(files[1]) as hdus:
        hdus["DATA"].data *= 0.8
        hdus.writeto(dim)
    offsets = measure_offsets([files[0], dim, *files[2:]])
    assert offsets.table["flux"][1] == pytest.approx(0.8, abs=0.02)
    assert offsets.offset_list(flux_scale=True).flux_scale[1] == pytest.approx(1.25, abs=0.03)


def test_a_catalogue_puts_the_exposures_on_its_positions_at_their_epoch(measurement: Measurement) -> None:
    from astropy.table import Table

    d = np.radians(-53.7)
    years = 2000 + (56865.125 - 51544.5) / 365.25 - 2016.0
    true = STARS - [0.5, -0.3]  # the header of the first exposure is off by this
    before = true - np.array([0.1, -0.05]) * years  # as in 2016, with proper motions
    catalogue = Table({"ra": 265.2 + before[:, 0] / 3600 / np.cos(d), "dec": -53.7 + before[:, 1] / 3600})
    catalogue["pmra"], catalogue["pmdec"], catalogue["ref_epoch"] = 100.0, -50.0, 2016.0
    offsets = measure_offsets(measurement, catalogue=catalogue)
    assert np.allclose(found(offsets), TRUE + np.array([0.5, -0.3]), atol=0.01)


@pytest.mark.parametrize(
    ("names", "epoch"),
    [
        ({"ra": "RA_ICRS", "dec": "DE_ICRS", "pmra": "pmRA", "pmdec": "pmDE"}, 2016.0),
        ({"ra": "_RAJ2000", "dec": "_DEJ2000", "pmra": "pmRA", "pmdec": "pmDE"}, 2000.0),
        ({"ra": "RAJ2000", "dec": "DEJ2000", "pmra": "pmRA", "pmdec": "pmDE", "ref_epoch": "Epoch"}, 2010.0),
    ],
)
def test_a_catalogue_of_vizier_needs_no_other_names(measurement: Measurement, names: dict, epoch: float) -> None:
    from astropy.table import Table

    d = np.radians(-53.7)
    years = 2000 + (56865.125 - 51544.5) / 365.25 - epoch
    before = STARS - [0.5, -0.3] - np.array([0.1, -0.05]) * years
    catalogue = Table({"ra": 265.2 + before[:, 0] / 3600 / np.cos(d), "dec": -53.7 + before[:, 1] / 3600})
    catalogue["pmra"], catalogue["pmdec"], catalogue["ref_epoch"] = 100.0, -50.0, epoch
    catalogue = catalogue[list(names)]
    catalogue.rename_columns(list(names), list(names.values()))
    offsets = measure_offsets(measurement, catalogue=catalogue)
    assert np.allclose(found(offsets), TRUE + np.array([0.5, -0.3]), atol=0.01)


def test_an_absurd_header_name_cannot_inject_html(measured: Offsets) -> None:
    table = measured.table.copy()
    table["why"] = np.array(["<script>alert(1)</script>"] * 4)
    assert "<script>" not in Offsets(table, measured.residuals, "<b>", 0.0)._repr_html_()


def test_half_a_faint_star_tells_little_and_the_verdict_says_so(tmp_path: Path) -> None:
    files = write(tmp_path, TRUE, sky=STARS[:1], peaks=PEAKS[:1])
    x = round(47.5 - TRUE[2, 0] / 0.2)
    with fits.open(files[2], mode="update") as opened:
        image = opened["DATA"].data
        image += np.random.default_rng(3).normal(0, 60, image.shape).astype(np.float32)
        image[30:70, x + 1 :] = np.nan
    offsets = measure_offsets(files)
    row = offsets.table[2]
    assert max(row["ra_error"], row["dec_error"]) > 0.1
    assert row["verdict"] == "check"
    assert re.search(r"to 0\.\d\d arcsec only", row["why"])
    assert list(offsets.table["verdict"][[0, 1, 3]]) == ["agree"] * 3
    assert within(offsets, TRUE)


def test_a_fit_that_fails_is_one_sentence_at_every_turn(files: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise np.linalg.LinAlgError("Singular matrix")

    monkeypatch.setattr("muse_nb.steps.offsets.measurement.begin", fail)
    measurement = Measurement(files)
    for turn in (lambda: measure_offsets(measurement), lambda: measurement.star_near(0, 48, 48)):
        with pytest.raises(MuseError, match=r"IMAGE_FOV_0001.*cannot be fitted \(Singular matrix\)"):
            turn()


def test_a_wcs_that_puts_all_pixels_on_a_line_is_one_sentence(files: list[Path], tmp_path: Path) -> None:
    flat = tmp_path / "IMAGE_FOV_0009.fits"
    with fits.open(files[1]) as opened:
        opened["DATA"].header.update({"CD1_1": 1.0, "CD1_2": 1.0, "CD2_1": 5e-5, "CD2_2": 5e-5})
        opened.writeto(flat)
    with pytest.raises(MuseError, match=r"IMAGE_FOV_0009\.fits.*CD1_1.*on a line"):
        measure_offsets([files[0], flat])


def test_the_former_name_of_progress_is_taken_and_warned_of(files: list[Path], measured: Offsets) -> None:
    lines: list[str] = []
    with pytest.warns(
        DeprecationWarning, match=r"measure_offsets\(tell=\) is called progress= since muse_nb 0\.2"
    ) as told:
        again = measure_offsets(files, tell=lines.append)
    assert told[0].filename == __file__, "whoever calls is told"
    assert found(again) == pytest.approx(found(measured))
    assert lines
    assert all(isinstance(line, str) for line in lines)
    with pytest.raises(TypeError, match="give one of the two"):
        measure_offsets(files, tell=print, progress=print)
