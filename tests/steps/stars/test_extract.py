"""Spectra of stars: true fluxes, honest errors, lists of stars, odd cubes, and files that others open."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from crowd import star_cube

from muse_nb import StarSpectra, extract_stars
from muse_nb.cli import main
from muse_nb.core.errors import MuseError
from muse_nb.kernels.crowd import Mesh, fit_planes
from muse_nb.steps.offsets.picks import empty_picks
from muse_nb.steps.stars import quality
from muse_nb.steps.stars.fit.profile import Profile, stamps_of

STARS = [
    (12.3, 13.8, 60000.0), (43.7, 40.2, 30000.0), (44.1, 12.6, 15000.0), (14.9, 42.4, 8000.0), (30.2, 27.5, 25000.0),
    (33.1, 28.1, 12000.0), (28.4, 48.9, 4000.0), (50.3, 27.7, 20000.0), (0.4, 28.0, 20000.0), (29.0, 8.0, 3000.0),
]  # fmt: skip
BLEND, EDGE = (4, 5), 8


@pytest.fixture(scope="module")
def field(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Table, np.ndarray, StarSpectra]:
    path, known, spectra = star_cube(tmp_path_factory.mktemp("crowd") / "CUBE.fits", STARS)
    with fits.open(path, mode="update") as hdus:
        hdus["DATA"].data[20, 13, 12] += 50_000  # cosmic rays: on the core of a star, and beside the stars
        hdus["DATA"].data[30, 20:22, 25] += 5_000
        hdus["DATA"].data[40, :, 40:48] = np.nan
    return path, known, spectra, extract_stars(path, known)


def test_the_fit_is_that_of_all_stars_and_the_background_at_once() -> None:
    random = np.random.default_rng(3)
    (ny, nx), n = (48, 40), 12
    mesh = Mesh.of((ny, nx), nx, 20.0)
    x, y = random.uniform(-2, nx + 2, n), random.uniform(-2, ny + 2, n)
    stamps = stamps_of(x, y, random.choice([12.0, 30.0], n), Profile(3.5, (0.05, 0.02), 2.7), (ny, nx))
    columns = np.zeros((ny * nx, n + len(mesh.x) * len(mesh.y)))
    for k in range(n):
        part, place = stamps.image_of(k)
        columns[:, k].reshape(ny, nx)[place] = part
    for m in range(columns.shape[1] - n):
        columns[:, n + m] = mesh.image(np.eye(columns.shape[1] - n, dtype="f4")[m]).ravel()
    data = random.normal(0, 3, (2, ny, nx)).astype("f4") + stamps.light(random.uniform(100, 1e4, n))
    data[1, 10:14, 10:20] = np.nan
    data[1, 30, 7] += 900
    variance = np.full((ny, nx), 9, "f4"), np.zeros((ny, nx), "f4"), np.ones((2, 2))
    left = data.copy()
    found = fit_planes(left, stamps, mesh, variance, tolerance=0.05, residuals=True)
    assert found.rejected[0] == 0
    assert np.isnan(left[1, 30, 7]), "a voxel that no star explains is left out"
    for plane in (0, 1):
        used = np.isfinite(left[plane]).ravel()
        wanted = np.linalg.lstsq(columns[used], data[plane].ravel()[used].astype(float), rcond=None)[0][:n]
        error = np.sqrt(np.diag(np.linalg.inv(columns[used].T @ columns[used] / 9)))[:n]
        assert np.abs((found.flux[plane] - wanted) / error).max() < 0.03


def test_fluxes_are_total_and_errors_honest(field: tuple[Path, Table, np.ndarray, StarSpectra]) -> None:
    _, known, spectra, found = field
    assert list(found.stars["id"]) == list(known["ID"])
    pulls = []
    for k in range(len(STARS)):
        if k == EDGE:
            continue
        good = ~found.mask[k]
        pull = ((found.flux[k] - spectra[k]) / found.error[k])[good]
        ratio = found.flux[k][good].sum() / spectra[k][good].sum()
        error = np.sqrt((found.error[k][good] ** 2).sum()) / spectra[k][good].sum()
        assert abs(ratio - 1) < 0.01 + 4 * error, f"star {k + 1}"
        pulls.append(pull)
    assert 0.9 < np.concatenate(pulls).std() < 1.2
    assert (found.stars["fwhm"] > 0.6).all()
    assert (found.stars["fwhm"] < 0.85).all()


def test_what_no_star_explains_is_left_out_and_told(field: tuple[Path, Table, np.ndarray, StarSpectra]) -> None:
    _, _, spectra, found = field
    assert any("voxels that no star explains" in note for note in found.notes)
    assert found.stars["rejected"][0] > 0
    hit = abs(found.flux[0, 20] - spectra[0, 20])
    assert found.mask[0, 20] or hit < 5 * found.error[0, 20]
    assert found.mask[1, 40], "a plane without the core of a star says nothing of it"
    assert not found.mask[0, 40]


def test_stars_that_do_not_stand_alone_are_said_to_be(field: tuple[Path, Table, np.ndarray, StarSpectra]) -> None:
    stars = field[3].stars
    assert stars["group"][BLEND[0]] == stars["group"][BLEND[1]]
    assert stars["neighbours"][BLEND[0]] >= 1
    assert stars["crowding"][BLEND[1]] > 1.05 > stars["crowding"][0]
    assert stars["quality"][EDGE] & quality.EDGE
    assert not stars["quality"][0]


def test_magnitudes_are_those_of_the_light(field: tuple[Path, Table, np.ndarray, StarSpectra]) -> None:
    _, _, spectra, found = field
    wave = found.wavelength
    photons = (spectra * wave).mean(1) / wave.mean()
    pivot2 = wave.sum() / (1 / wave).sum()
    wanted = -2.5 * np.log10(photons * 1e-20 * pivot2 / 2.99792458e18) - 48.6
    off = (np.array(found.stars["mag_white"]) - wanted) / np.array(found.stars["mag_err_white"])
    assert np.abs(np.delete(off, EDGE)).max() < 4
    assert "mag_V" not in found.stars.colnames, "a filter that the wavelengths do not cover"


def test_files_are_read_by_others(field: tuple[Path, Table, np.ndarray, StarSpectra], tmp_path: Path) -> None:
    specutils = pytest.importorskip("specutils")
    found = field[3]
    again = StarSpectra.read(found.write(tmp_path / "STARS.fits"))
    assert (again.flux[~again.mask] == found.flux[~found.mask]).all()
    assert (again.mask == found.mask).all()
    assert again.stars.colnames == found.stars.colnames
    assert again.notes == found.notes
    np.testing.assert_allclose(again.wavelength, found.wavelength)
    with fits.open(tmp_path / "STARS.fits") as hdus:
        assert {"ID", "RA", "DEC", "X", "Y", "SNR", "FLAG", "GROUP"} <= set(hdus["STARS"].columns.names)
    image = specutils.Spectrum.read(tmp_path / "STARS.fits", format="wcs1d-fits", hdu="FLUX")
    assert image.flux.shape == found.flux.shape
    paths = found.write_each(tmp_path / "each")
    one = specutils.Spectrum.read(paths[1], format="wcs1d-fits")
    np.testing.assert_allclose(one.spectral_axis.to_value("Angstrom"), found.wavelength)
    with pytest.raises(MuseError, match="already there"):
        found.write(tmp_path / "STARS.fits")
    with pytest.raises(MuseError, match="is it a file of muse-nb stars"):
        StarSpectra.read(field[0])


def test_without_a_list_the_stars_are_found(field: tuple[Path, Table, np.ndarray, StarSpectra]) -> None:
    found = extract_stars(field[0])
    x, y = np.array(found.stars["x"]) - 1, np.array(found.stars["y"]) - 1
    for k, (at_x, at_y, _) in enumerate(STARS):
        assert k == EDGE or np.hypot(x - at_x, y - at_y).min() < 0.3, f"star {k + 1}"
    assert (np.diff(np.nanmean(found.flux, axis=1)) < 1000).all(), "the brightest first"


def test_a_list_that_is_off_or_moves_is_recognized(field: tuple[Path, Table, np.ndarray, StarSpectra]) -> None:
    path, known, spectra, _ = field
    years = 2000 + (56865.1 - 51544.5) / 365.25 - 2016.0
    moved = Table({"Source": known["ID"], "RA_ICRS": known["ra"], "DE_ICRS": known["dec"]})
    moved["pmRA"], moved["pmDE"] = np.full(len(known), 300.0), np.full(len(known), -200.0)
    moved["RA_ICRS"] -= 300.0 * years / 3.6e6 / np.cos(np.radians(known["dec"]))
    moved["DE_ICRS"] -= -200.0 * years / 3.6e6 + 0.8 / 3600  # and the cube's header is off by 0.8"
    found = extract_stars(path, moved)
    assert list(found.stars["id"]) == list(known["ID"])
    assert np.nansum(found.flux[0]) == pytest.approx(spectra[0].sum(), rel=0.02)
    assert any("off by 0.80 arcsec" in note for note in found.notes)


def test_a_list_of_another_field_is_refused(field: tuple[Path, Table, np.ndarray, StarSpectra]) -> None:
    path, known, _, _ = field
    far = known.copy()
    far["dec"] += 1.0
    with pytest.raises(MuseError, match="is it a list of this field, in degrees"):
        extract_stars(path, far)
    random = np.random.default_rng(5)
    other = known.copy()
    other["ra"] = known["ra"].mean() + random.uniform(-5, 5, len(known)) / 3600 / np.cos(np.radians(-53.67))
    other["dec"] = known["dec"].mean() + random.uniform(-5, 5, len(known)) / 3600
    with pytest.raises(MuseError, match="agree with stars of the cube"):
        extract_stars(path, other)
    with pytest.raises(MuseError, match="lacks the column ra"):
        extract_stars(path, Table({"x": [1.0]}))


def test_picks_are_the_stars_they_were_put_on(
    field: tuple[Path, Table, np.ndarray, StarSpectra], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, known, spectra, _ = field
    picks = empty_picks()
    picks.add_row([7, known["ra"][1], known["dec"][1] + 0.2 / 3600, "", np.nan, np.nan, False])
    picks.add_row([8, known["ra"][2], known["dec"][2], "", np.nan, np.nan, True])
    picks.write(tmp_path / "picks.ecsv", format="ascii.ecsv")
    out = tmp_path / "STARS.fits"
    assert main(["stars", str(path), "--picks", str(tmp_path / "picks.ecsv"), "-o", str(out), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [star["id"] for star in told["stars"]] == ["7"]
    found = StarSpectra.read(out)
    assert np.nansum(found.flux[0]) == pytest.approx(spectra[1][~found.mask[0]].sum(), rel=0.02)


def test_one_star_and_no_variance(tmp_path: Path) -> None:
    path, _, spectra = star_cube(tmp_path / "ONE.fits", [(20.3, 18.6, 20000.0)], shape=(24, 40, 40), stat=False)
    found = extract_stars(path)
    assert len(found) == 1
    assert np.isnan(found.error).all()
    assert any("no STAT" in note for note in found.notes)
    assert np.sum(found.flux[0]) == pytest.approx(spectra[0].sum(), rel=0.03)
    assert found.summary()["stars"][0]["snr"] is None


def test_what_shows_no_star_is_one_sentence(tmp_path: Path) -> None:
    path, _, _ = star_cube(tmp_path / "EMPTY.fits", [], shape=(24, 40, 40))
    with pytest.raises(MuseError, match="no star stands out"):
        extract_stars(path)
    with fits.open(shutil.copy(path, tmp_path / "NAN.fits"), mode="update") as hdus:
        hdus["DATA"].data[:] = np.nan
    with pytest.raises(MuseError, match="holds no data"):
        extract_stars(tmp_path / "NAN.fits")
    small, _, _ = star_cube(tmp_path / "SMALL.fits", [(3.0, 4.0, 9e4)], shape=(4, 8, 8))
    with pytest.raises(MuseError, match="too small"):
        extract_stars(small)
