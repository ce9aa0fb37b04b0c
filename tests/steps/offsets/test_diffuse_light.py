"""Stars on a galaxy: the light all exposures share is taken away, and the offsets are true within their errors."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from scipy import ndimage
from star_fields import STARS, TRUE, within, write

from muse_nb.steps.offsets.measure import measure_offsets
from muse_nb.steps.offsets.measurement import Measurement
from muse_nb.steps.offsets.starfit import begin
from muse_nb.steps.offsets.starfit.background import mesh_background, mesh_fit
from muse_nb.steps.offsets.starfit.coarse import Placement
from muse_nb.steps.offsets.starfit.fit import Fit
from muse_nb.steps.offsets.starfit.frame import Frame
from muse_nb.steps.offsets.starfit.geometry import Plane, to_tangent
from muse_nb.steps.offsets.starfit.matched_filter import filter_map, find_peaks, without_lobes
from muse_nb.steps.offsets.starfit.noise import core_chi2
from muse_nb.steps.offsets.starfit.prepare import prepare
from muse_nb.steps.offsets.starfit.psf import kernel

ORIGIN = (265.2, -53.7)


def galaxy(measurement: Measurement, i: int, shape: tuple[int, int], offset: np.ndarray) -> np.ndarray:
    """An exponential disc of 60 times the sky's noise, moved with the stars of exposure `i`."""
    y, x = np.indices(shape)
    east, north = np.moveaxis(to_tangent(*measurement.sky(i, x, y), ORIGIN) - offset, -1, 0)
    return 60 * np.exp(-np.hypot(east - 1.0, (north + 1.5) / 0.6) / 3.0)


@pytest.fixture(scope="module")
def on_galaxy(tmp_path_factory: pytest.TempPathFactory) -> tuple[Measurement, list[np.ndarray]]:
    """Measurement of the field, and the galaxy in each of its exposures."""
    files: list[Path] = write(tmp_path_factory.mktemp("galaxy"), TRUE)
    rng, plain = np.random.default_rng(3), Measurement(files)
    light = []
    for i, file in enumerate(files):
        with fits.open(file, mode="update") as opened:
            image = opened["DATA"].data
            light.append(galaxy(plain, i, image.shape, np.asarray(TRUE)[i]))
            opened["DATA"].data = (image + light[-1] + rng.normal(0, np.sqrt(0.03 * light[-1]))).astype(np.float32)
    return Measurement(files), light


def test_offsets_of_stars_on_a_galaxy_are_true_within_their_errors(on_galaxy: tuple) -> None:
    offsets = measure_offsets(on_galaxy[0])
    assert within(offsets, np.asarray(TRUE))
    assert np.max(offsets.table["ra_error"]) < 0.0022


def test_the_galaxy_is_taken_away_and_not_the_stars(on_galaxy: tuple) -> None:
    measurement, light = on_galaxy
    fit = measurement.solution.fit
    assert fit is not None
    assert len(fit.sky) <= len(STARS) + 5  # no heap of false stars holds the galaxy's middle
    for frame, galaxy_light in zip(fit.frames, light, strict=True):
        assert not frame.box  # the background that follows the light was chosen
        free = frame.used() & (frame.model - frame.level < 1)
        left = frame.ground[free] + frame.level - 10 - galaxy_light[free]
        assert np.sqrt(np.mean(left**2)) < 0.45  # of the sky's noise; a ring alone leaves 0.7 of 60
        assert core_chi2(frame) < 1.35


def misplacing(real, which):
    """Placements as they are, but exposure 2 of `which` images put 5 arcsec off with little margin."""

    def place(frames: list[Frame], radius: float) -> list[Placement]:
        placements = real(frames, radius)
        if which(frames[0]):
            placements[2] = Placement(placements[2].offset + np.array([-5.0, -1.8]), 11.9, 4)
        return placements

    return place


def test_an_exposure_lies_where_its_galaxy_or_its_stars_show_it_more_clearly(
    on_galaxy: tuple, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(begin, "place_all", misplacing(begin.place_all, lambda frame: frame.box == 0))
    assert within(measure_offsets(Measurement(on_galaxy[0].images)), np.asarray(TRUE))


def test_an_exposure_that_lies_wrong_on_the_others_is_refused(
    on_galaxy: tuple, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(begin, "place_all", misplacing(begin.place_all, lambda frame: True))
    table = measure_offsets(Measurement(on_galaxy[0].images)).table
    assert list(table["verdict"]) == ["agree", "agree", "refuse", "agree"]
    assert "it lies wrong on them" in table["why"][2]


def test_a_sharp_filter_sees_the_star_and_not_the_light_it_lies_on() -> None:
    y, x = np.indices((61, 61)) - 30.0
    slope = 500 + 20 * x - 15 * y + 0.6 * x * x - 0.4 * x * y + 0.3 * y * y
    star = np.zeros((61, 61))
    star[22:39, 22:39] = 7 * kernel(4.0)
    even = np.ones((61, 61))
    inner = np.s_[20:41, 20:41]
    smooth = filter_map(slope, even, 4.0, sharp=True)
    assert np.abs(smooth.numerator[inner] / smooth.denominator[inner]).max() < 1e-3
    assert np.abs(filter_map(slope, even, 4.0).numerator[inner] / smooth.denominator[inner]).max() > 500
    both = filter_map(slope + star, even, 4.0, sharp=True)
    assert both.numerator[30, 30] / both.denominator[30, 30] == pytest.approx(7, rel=1e-4)


def test_the_lobes_of_a_sharp_filter_are_no_stars() -> None:
    star = np.zeros((121, 121))
    star[44:77, 44:77] = 400 * kernel(8.0)
    peaks = find_peaks(filter_map(star, np.ones((121, 121)), 4.0, sharp=True), 5.0)
    assert len(peaks) > 1
    alone = without_lobes(peaks, 4.0)
    assert len(alone) == 1
    assert np.hypot(*(alone.position[0] - 60)) < 0.01


def test_an_exposure_of_poorer_seeing_sees_the_common_light_blurred() -> None:
    y, x = np.mgrid[-40:41, -40:41].astype(float)
    cusp = 60 * np.exp(-np.hypot(x, y) / 15)
    frames, images = [], []
    for fwhm in (4.0, 8.0):
        images.append(ndimage.gaussian_filter(cusp, fwhm / 2.355))
        noise = np.random.default_rng(int(fwhm)).normal(0, 1, cusp.shape)
        frame = prepare(images[-1] + noise, Plane(np.diag([-5.0, 5.0]), np.array([40.0, 40.0])), box=0)
        frames.append(replace(frame, width=fwhm))
    fit = Fit.of(frames, np.zeros((2, 2)), np.array([[7.0, 7.0]]), np.array([1e-9]), 1.0)
    fit = fit.redrawn().with_light_shared()
    middle = np.hypot(x, y) < 4
    for frame, image in zip(fit.frames, images, strict=True):
        left = (frame.ground - image)[middle] - np.median(frame.ground - image)
        assert np.sqrt(np.mean(left**2)) < 1.2  # of the noise; one light for both, unblurred, leaves 2.1


def two_sights(shift: np.ndarray, seed: int = 5) -> tuple[Fit, np.ndarray]:
    """Two exposures of one galaxy, noise 1, the second moved by `shift` [arcsec]; and the galaxy in the first."""
    rng = np.random.default_rng(seed)
    plane = Plane(np.diag([-5.0, 5.0]), np.array([60.0, 60.0]))
    y, x = np.indices((121, 121))
    frames, lights = [], []
    for offset in (np.zeros(2), shift):
        east, north = np.moveaxis(plane.sky(np.stack([x, y], -1).astype(float)) - offset, -1, 0)
        lights.append(ndimage.gaussian_filter(60 * np.exp(-np.hypot(east - 0.7, north / 0.6) / 4), 1.7))
        frames.append(replace(prepare(lights[-1] + 10 + rng.normal(0, 1, x.shape), plane, box=0), width=4.0))
    fit = Fit.of(frames, np.array([np.zeros(2), shift]), np.array([[7.0, 7.0]]), np.array([1e-9]), 0.8)
    return fit.redrawn(), lights[0]


def covariance(fit: Fit) -> np.ndarray:
    """Of the offsets, (2, 2, 2, 2)."""
    drawn, parts = fit.linearized()
    return drawn.equations(parts).offset_covariance()


def test_the_light_moves_with_its_exposure() -> None:
    fit, light = two_sights(np.array([0.5, -0.3]))
    frame, moved = fit.with_light_shared().frames[0], np.array([0.05, 0.02])
    after = frame.with_light_moved(moved)
    pixel = frame.plane.matrix @ moved
    true = ndimage.shift(light, pixel[::-1], order=3, mode="nearest") - light
    inner = np.s_[20:-20, 20:-20]
    assert np.std((after.ground - frame.ground - true)[inner]) < 0.25 * np.std(true[inner])


def test_the_lights_own_place_tells_the_offset() -> None:
    true, wrong = np.array([0.5, -0.3]), np.array([0.03, 0.03])
    found = []
    for seed in range(8):
        fit, _ = two_sights(true, seed)
        fit = replace(fit, offsets=fit.offsets + np.array([np.zeros(2), wrong]))  # as far off as a placement may be
        for _ in range(4):
            fit = fit.with_light_shared()
            for _ in range(2):
                fit, _moved, _parts = fit.step(0.5)
        error = np.sqrt(np.diagonal(covariance(fit)[1, :, 1]))
        assert (error < 0.012).all()
        found.append((fit.offsets[1] - true) / error)
    assert np.abs(found).max() < 4
    assert 0.6 < np.sqrt(np.mean(np.square(found))) < 1.5


def test_noise_at_the_edges_does_not_pull_an_exposure_towards_the_others() -> None:
    true, found = np.array([0.5, -0.3]), []
    for seed in range(8):
        fit, _ = two_sights(true, seed)
        for _ in range(4):
            fit = fit.with_light_shared()
            for _ in range(2):
                fit, _moved, _parts = fit.step(0.5)
        found.append(fit.offsets[1] - true)
    assert np.abs(np.mean(found, axis=0)).max() < 0.012  # 0.038 where the light tells of offsets up to the edges


def test_a_sky_in_stripes_takes_the_light_its_say() -> None:
    fit, _ = two_sights(np.array([0.5, -0.3]))
    fit = fit.with_light_shared()
    even = [frame.drift.excess for frame in fit.frames]
    own = covariance(fit)[1, :, 1]
    stripes = np.kron(np.random.default_rng(1).normal(0, 1, (11, 2)), np.ones((12, 75)))[:121, :121]
    plain, marred = fit.frames
    fit = replace(fit, frames=(plain, replace(marred, raw=marred.raw + stripes))).redrawn().with_light_shared()
    assert max(even) < 1.8
    assert fit.frames[1].drift.excess > 4
    striped = covariance(fit)[1, :, 1]
    assert (np.diag(striped) > 2 * np.diag(own)).all()


def test_a_mesh_is_fitted_under_weights() -> None:
    rng = np.random.default_rng(2)
    cells = np.kron(rng.normal(0, 1, (3, 3)), np.ones((50, 50)))
    smooth = mesh_background(cells, np.ones((150, 150), bool), 50)
    spoilt, weight = smooth.copy(), rng.uniform(0.5, 2, smooth.shape)
    spoilt[40:60], weight[40:60] = 1e6, 0.0
    found = mesh_fit(np.stack([spoilt, 2 * spoilt]), weight, 50)
    assert np.abs(found[0] - smooth).max() < 1e-6
    assert np.abs(found[1] - 2 * smooth).max() < 1e-6


@pytest.mark.parametrize("seen", [True, False], ids=["by its images", "by the first round of the fit"])
def test_in_a_crowded_core_the_faint_stars_are_light_that_all_share(
    seen: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(5)
    sky = np.clip(rng.standard_t(3, (700, 2)) * 2.5, -10, 10)
    peaks = (0.5**-0.8 + rng.random(700) * (300**-0.8 - 0.5**-0.8)) ** (-1 / 0.8)
    measurement = Measurement(write(tmp_path, TRUE, sky=sky, peaks=peaks))
    images = zip(measurement.images, measurement.planes, strict=True)
    assert all(prepare(np.asarray(image.data, float), plane).structured() for image, plane in images)
    if not seen:
        monkeypatch.setattr(Frame, "structured", lambda _: False)
    offsets = measure_offsets(measurement)
    assert not any(frame.box for frame in measurement.frames)
    assert within(offsets, np.asarray(TRUE))
    assert np.max(offsets.table["ra_error"]) < 0.003
