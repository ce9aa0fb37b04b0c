"""Real MUSE files, those in mpdaf's package data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from muse_nb.products.cube_file import CubeFile
from muse_nb.products.header import read_all
from muse_nb.products.image_fov import ImageFov
from muse_nb.steps.survey.classify import classify

DATA = Path(pytest.importorskip("mpdaf").__file__).parent / "data"


@pytest.mark.parametrize("path", sorted(DATA.rglob("*.fits")), ids=lambda p: p.name)
@pytest.mark.filterwarnings("ignore:Invalid 'BLANK' keyword")
def test_headers_agree_with_astropy(path: Path) -> None:
    ours = read_all(path)
    with fits.open(path) as opened:
        assert len(ours) == len(opened)
        for header, unit in zip(ours, opened, strict=True):
            for key in ("NAXIS1", "NAXIS2", "CRVAL1", "CD3_3", "BUNIT", "DATE-OBS", "EXPTIME", "ESO INS MODE"):
                assert header.get(key) == unit.header.get(key)


@pytest.mark.parametrize("name", ["sdetect/minicube.fits", "sdetect/subcub_mosaic.fits", "obj/CUBE.fits"])
def test_planes_agree_with_astropy(name: str) -> None:
    cube = CubeFile.open(DATA / name)
    whole = fits.getdata(DATA / name, cube.extensions["DATA"])
    assert cube.shape == whole.shape
    for k in (0, cube.shape[0] // 2, cube.shape[0] - 1):
        np.testing.assert_array_equal(cube.plane(k), whole[k].astype(np.float32))
    if name.startswith("sdetect"):
        assert cube.wavelength(1) - cube.wavelength(0) == pytest.approx(1.25)
        assert 4700 < cube.wavelength(0) < 9400


def test_the_hdfs_image_has_its_sky() -> None:
    image = ImageFov.open(DATA / "obj" / "IMAGE-HDFS-1.34.fits")
    assert image.data.shape == image.shape
    ra, dec = image.wcs.pixel_to_world_values(image.shape[1] / 2, image.shape[0] / 2)
    assert (ra, dec) == pytest.approx((338.23, -60.565), abs=0.02)


@pytest.mark.parametrize(
    ("name", "category"), [("sdetect/minicube.fits", "CUBE"), ("obj/IMAGE-HDFS-1.34.fits", "IMAGE")]
)
def test_files_without_a_category_are_told_by_their_structure(name: str, category: str) -> None:
    assert classify(DATA / name).category in (category, "DATACUBE_FINAL")
