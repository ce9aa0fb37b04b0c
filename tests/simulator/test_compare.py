"""Products against the truth: what is right agrees, what is moved by more than its limit does not."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from muse_nb.core.errors import MuseError
from muse_nb.recipes.run import run_recipe
from muse_nb.simulator import spectra
from muse_nb.simulator.calibrations import write_chip_calibration
from muse_nb.simulator.cascade.instrument import CascadeInstrument
from muse_nb.simulator.cascade.result import Cascade
from muse_nb.simulator.chips import Chips
from muse_nb.simulator.compare.compare import QUANTITIES, compare_cascade
from muse_nb.simulator.compare.result import Comparison
from muse_nb.simulator.headers import calibration_header, hierarch
from muse_nb.simulator.static import write_static

PIXEL = 0.2 / 3600  # [deg]


@pytest.fixture(scope="module")
def perfect(cascade: Cascade, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Masters and a cube as they should be."""
    folder = tmp_path_factory.mktemp("perfect")
    chips = Chips(CascadeInstrument(cascade.layout, cascade.seed))
    for category in ("MASTER_BIAS", "TRACE_TABLE", "WAVECAL_TABLE"):
        write_chip_calibration(category, chips, 1, folder / f"{category}-01.fits")
    for category in ("STD_RESPONSE", "STD_TELLURIC"):
        write_static(category, chips, folder / f"{category}_0001.fits")
    header = calibration_header(cascade.layout, "LSF_PROFILE", "LSF_PROFILE-01.fits", 1)
    profile = fits.ImageHDU(np.zeros((2, 2), np.float32))
    for row in truth(cascade, "lsf"):
        hierarch(profile.header, f"QC LSF SLICE{row['slice']} FWHM MEAN", row["fwhm"])
    fits.HDUList([fits.PrimaryHDU(header=header), profile]).writeto(folder / "LSF_PROFILE-01.fits")
    twilight(cascade, folder / "TWILIGHT_CUBE.fits")
    cube(cascade, folder / "DATACUBE_FINAL.fits")
    return folder


def truth(cascade: Cascade, name: str) -> Table:
    return Table.read(cascade.truth[name], format="ascii.ecsv")


def twilight(cascade: Cascade, path: Path) -> None:
    """Two planes on every second spaxel."""
    table = truth(cascade, "illumination")
    x, y = np.unique(table["x"]), np.unique(table["y"])
    plane = 1.7 * np.asarray(table["illumination"]).reshape(y.size, x.size)
    hdu = fits.ImageHDU(np.stack([plane, plane]).astype(np.float32), name="DATA")
    for axis, grid in ((1, x), (2, y)):
        hdu.header[f"CRVAL{axis}"], hdu.header[f"CRPIX{axis}"] = grid[0], 1.0
        hdu.header[f"CD{axis}_{axis}"] = 2.0
    header = calibration_header(cascade.layout, "TWILIGHT_CUBE", path.name)
    fits.HDUList([fits.PrimaryHDU(header=header), hdu]).writeto(path)


def cube(cascade: Cascade, path: Path) -> None:
    """The stars of the field from 6400 to 6500 Angstrom, averaged over each pixel by summing up: no FFT."""
    stars, frames = truth(cascade, "stars"), truth(cascade, "frames")
    exposure = next(row for row in frames if row["tag"] == "OBJECT")
    ny, nx, wavelength = 48, 76, np.arange(6400.0, 6500.1, 2.5)
    cosine = np.cos(np.radians(exposure["true_dec"]))
    x = nx / 2 - (stars["ra"] - exposure["true_ra"]) * cosine / PIXEL
    y = ny / 2 + (stars["dec"] - exposure["true_dec"]) / PIXEL
    sub = (np.arange(5) - 2) / 5
    yy, xx = ((np.arange(n)[:, None] + sub).ravel() for n in (ny, nx))
    beta, fwhm = exposure["beta"], exposure["seeing"] * (6450 / 7000) ** -0.2 / 0.2
    alpha = fwhm / 2 / np.sqrt(2 ** (1 / beta) - 1)
    images = np.zeros((2, yy.size, xx.size))
    for i, j, flux, warm in zip(x, y, stars["flux"], stars["warm"], strict=True):
        profile = (1 + ((yy[:, None] - j) ** 2 + (xx - i) ** 2) / alpha**2) ** -beta
        profile *= flux * (beta - 1) / np.pi / alpha**2
        images += profile * np.array([warm, 1 - warm])[:, None, None]
    warm, cool = images.reshape(2, ny, 5, nx, 5).mean(axis=(2, 4))
    colours = spectra.warm_star(wavelength), spectra.cool_star(wavelength)
    data = sum(c[:, None, None] * image for c, image in zip(colours, (warm, cool), strict=True)) + 40.0
    data[:, 20, 30] = np.nan
    hdu = fits.ImageHDU(data.astype(np.float32), name="DATA")
    axes = (("RA---TAN", exposure["ra"], -PIXEL, nx / 2 + 1), ("DEC--TAN", exposure["dec"], PIXEL, ny / 2 + 1))
    for axis, (kind, value, step, pixel) in enumerate((*axes, ("AWAV", wavelength[0], 2.5, 1.0)), start=1):
        hdu.header[f"CTYPE{axis}"], hdu.header[f"CUNIT{axis}"] = kind, "deg" if axis < 3 else "Angstrom"
        hdu.header[f"CRVAL{axis}"], hdu.header[f"CRPIX{axis}"] = value, pixel
        hdu.header[f"CD{axis}_{axis}"] = step
    header = calibration_header(cascade.layout, "DATACUBE_FINAL", path.name)
    fits.HDUList([fits.PrimaryHDU(header=header), hdu]).writeto(path)


def test_what_is_right_agrees(cascade: Cascade, perfect: Path) -> None:
    found = compare_cascade(cascade.folder, perfect)
    assert found.good
    assert found.complete
    assert found.findings == ()
    assert [one.name for one in found.agreements] == [quantity.name for quantity in QUANTITIES.values()]
    for name in ("bias noise", "traces", "wavelengths", "line spread", "tellurics"):
        assert found[name].value == pytest.approx(0, abs=1e-4)
    assert found["science flux"].value < 0.004
    assert str(found).count("agrees") == len(QUANTITIES)
    assert "science flux" in found._repr_html_()


def moved(path: Path, column: str, by: float) -> None:
    with fits.open(path, mode="update") as hdus:
        hdus[1].data[column] += by


def scaled(path: Path, by: float | np.ndarray) -> None:
    with fits.open(path, mode="update") as hdus:
        hdus["DATA"].data = (hdus["DATA"].data * by).astype(np.float32)


def renumbered(path: Path, keyword: str, by: float, extension: int = 0) -> None:
    with fits.open(path, mode="update") as hdus:
        hdus[extension].header[f"HIERARCH ESO {keyword}"] *= by


def test_what_is_wrong_differs(cascade: Cascade, perfect: Path, tmp_path: Path) -> None:
    """Each product off by twice its limit."""
    slope = 1 + 0.03 * np.linspace(-1, 1, 24)[:, None]
    changes: dict[str, tuple[str, Callable[[Path], object]]] = {
        "bias noise": ("MASTER_BIAS-01", lambda path: renumbered(path, "QC BIAS MASTER3 RON", 1.1)),
        "traces": ("TRACE_TABLE-01", lambda path: [moved(path, f"tc{edge}_00", 0.01) for edge in range(3)]),
        "wavelengths": ("WAVECAL_TABLE-01", lambda path: moved(path, "wlc00", 0.01)),
        "line spread": ("LSF_PROFILE-01", lambda path: renumbered(path, "QC LSF SLICE7 FWHM MEAN", 1.06, 1)),
        "illumination": ("TWILIGHT_CUBE", lambda path: scaled(path, slope)),
        "response": ("STD_RESPONSE_0001", lambda path: moved(path, "response", 0.06)),
        "tellurics": ("STD_TELLURIC_0001", lambda path: moved(path, "ftelluric", 0.06)),
        "science flux": ("DATACUBE_FINAL", lambda path: scaled(path, 1.04)),
    }
    for name, (product, change) in changes.items():
        folder = tmp_path / product
        folder.mkdir()
        change(Path(shutil.copy(perfect / f"{product}.fits", folder)))
        found = compare_cascade(cascade.folder, folder)
        assert {one.name: one.good for one in found.agreements if one.good is not None} == {name: False}
        assert found.findings == (found[name].text,)
        assert found[name].value == pytest.approx(2 * found[name].limit, rel=0.5)


def test_missing_slices_are_no_agreement(cascade: Cascade, perfect: Path, tmp_path: Path) -> None:
    for name in ("TRACE_TABLE-01.fits", "WAVECAL_TABLE-01.fits"):
        with fits.open(perfect / name) as hdus:
            hdus[1].data = hdus[1].data[1:]
            hdus.writeto(tmp_path / name)
    found = compare_cascade(cascade.folder, tmp_path)
    assert not found.complete
    for name in ("traces", "wavelengths"):
        assert found[name].good is False
        assert found[name].text.endswith("1 slice is missing")


def test_a_product_that_is_none_is_named(cascade: Cascade, perfect: Path, tmp_path: Path) -> None:
    """A table without its columns, and a bias without its keywords."""
    with fits.open(perfect / "STD_RESPONSE_0001.fits") as hdus:
        hdus[1].columns.change_name("response", "other")
        hdus.writeto(tmp_path / "STD_RESPONSE_0001.fits")
    with pytest.raises(MuseError, match=r"STD_RESPONSE_0001.fits cannot be read as a STD_RESPONSE"):
        compare_cascade(cascade.folder, tmp_path)
    (tmp_path / "STD_RESPONSE_0001.fits").unlink()
    with fits.open(perfect / "MASTER_BIAS-01.fits") as hdus:
        del hdus[0].header["ESO QC BIAS *"]
        hdus.writeto(tmp_path / "MASTER_BIAS-01.fits")
    found = compare_cascade(cascade.folder, tmp_path)["bias noise"]
    assert found.good is None
    assert found.text == "the MASTER_BIAS does not tell"


def test_nothing_is_vouched_for_without_products(cascade: Cascade, tmp_path: Path) -> None:
    (tmp_path / "notes.fits").write_text("no FITS file")
    found = compare_cascade(cascade.folder, tmp_path)
    assert not found.good
    assert all(one.good is None and "there is no" in one.text for one in found.agreements)
    assert all(one["value"] is None for one in found.summary()["agreements"])  # type: ignore[union-attr]
    with pytest.raises(MuseError, match="truth"):
        compare_cascade(tmp_path, tmp_path)
    with pytest.raises(MuseError, match="not a folder"):
        compare_cascade(cascade.folder, tmp_path / "nowhere")


@pytest.mark.eso
@pytest.mark.xdist_group("simulator-eso")
def test_the_recipes_find_noise_and_traces(cascade: Cascade, tmp_path: Path) -> None:
    """On a tenth of a chip, which muse_flat traces."""
    bias = run_recipe("muse_bias", {"BIAS": cascade.raw["BIAS"]}, {"nifu": 1}, output=tmp_path / "bias")
    frames = {
        "FLAT": cascade.raw["FLAT"],
        "MASTER_BIAS": bias.products["MASTER_BIAS"],
        "BADPIX_TABLE": cascade.static["BADPIX_TABLE"],
    }
    run_recipe("muse_flat", frames, {"nifu": 1}, output=tmp_path / "flat")
    found: Comparison = compare_cascade(cascade.folder, tmp_path)
    assert found["bias noise"].good, str(found)
    assert found["traces"].good, str(found)
