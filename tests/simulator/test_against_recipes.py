"""Products made without the recipes are those of the recipes: structure, positions, flags, values."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from astropy.io import fits

from muse_nb.core.errors import MuseWarning
from muse_nb.products.pixtable import PixelTable
from muse_nb.simulator.night import Night

if TYPE_CHECKING:
    from muse_nb.recipes.result import Reduction

pytestmark = [pytest.mark.eso, pytest.mark.xdist_group("simulator-eso")]

# Written by the pipeline's own machinery: provenance, checksums, quality control, the overscan's polynomial.
OWN = ("PRO REC", "CHECKSUM", "DATASUM", "DATAMD5", "COMMENT", "QC SCIPOST", " POLY ", "INHERIT")


def keywords(header: fits.Header) -> set[str]:
    return {key for key in header if key and not any(word in key for word in OWN)}


def same_structure(ours: Path, theirs: Path) -> None:
    with fits.open(ours) as a, fits.open(theirs) as b:
        names = [hdu.name for hdu in b if hdu.name != "PIXTABLE_FLAT_FIELD"]
        assert [hdu.name for hdu in a] == names
        for mine, recipe in zip(a, b, strict=False):
            assert keywords(mine.header) >= keywords(recipe.header)
            for key in keywords(recipe.header) - {"DATE", "NAXIS2"}:
                x, y = mine.header[key], recipe.header[key]
                assert type(x) is type(y) or {type(x), type(y)} == {int, float}, key
                if isinstance(y, str):
                    assert x == y, key


def test_object_red(night: Night, recipe_night: list[Reduction]) -> None:
    for ours, theirs in zip(night.reduced["OBJECT_RED"], recipe_night[0].object_red, strict=False):
        assert ours.name == theirs.name
        same_structure(ours, theirs)
    with fits.open(ours) as a, fits.open(theirs) as b:
        assert (a["DQ"].data == b["DQ"].data).all()
        lit = (a["DQ"].data == 0) & (b["STAT"].data < 1e4)
        difference = (a["DATA"].data - b["DATA"].data)[lit] / np.sqrt(b["STAT"].data[lit])
        assert difference.std() < 0.05
        assert abs(np.median(difference)) < 0.01


def test_pixel_table(night: Night, recipe_night: list[Reduction]) -> None:
    path = night.reduced["PIXTABLE_REDUCED"][1]
    same_structure(path, recipe_night[1].pixtable_reduced)
    ours, theirs = (
        {name: table.read(name) for name in table.columns}
        for table in (PixelTable.open(path), PixelTable.open(recipe_night[1].pixtable_reduced))
    )
    # muse_scibasic shifts each IFU's wavelengths to the sky lines it measures, and so the ends of its rows.
    common = [np.isin(t["origin"], u["origin"]) for t, u in ((ours, theirs), (theirs, ours))]
    assert min(keep.mean() for keep in common) > 0.998
    a, b = ({name: column[keep] for name, column in t.items()} for t, keep in zip((ours, theirs), common, strict=True))
    assert (a["origin"] == b["origin"]).all()
    assert (a["dq"] == b["dq"]).all()
    for east_or_north in (np.sin, np.cos):
        sky = [np.degrees(np.tan(-t["ypos"].astype(float)) * east_or_north(t["xpos"])) * 3600 for t in (a, b)]
        assert abs(sky[0] - sky[1]).max() < 0.0003  # [arcsec]
    shift = a["lambda"].astype(float) - b["lambda"]
    ifu = b["origin"] >> 6 & 0x1F
    for number in np.unique(ifu):
        assert np.ptp(shift[ifu == number]) < 0.003
        assert abs(np.median(shift[ifu == number])) < 0.3
    good = a["dq"] == 0
    pull = ((a["data"] - b["data"]) / np.sqrt(b["stat"]))[good]
    assert abs(np.median(pull)) < 0.05
    assert pull.std() < 0.1
    assert np.median((a["stat"] / b["stat"])[good]) == pytest.approx(1, abs=0.01)


def test_image(night: Night, recipe_night: list[Reduction]) -> None:
    same_structure(night.reduced["IMAGE_FOV"][0], recipe_night[0].image_fov)
    images = [fits.getdata(path, "DATA") for path in (night.reduced["IMAGE_FOV"][0], recipe_night[0].image_fov)]
    assert images[0].shape == images[1].shape
    bright = images[1] > np.nanpercentile(images[1], 70)
    ratio = (images[0] / images[1])[bright]
    assert np.median(ratio) == pytest.approx(1, abs=0.01)
    assert ratio.std() < 0.1  # the grids' phases differ by a few hundredths of a pixel


def test_the_recipes_combine_what_was_made_without_them(night: Night, tmp_path: Path) -> None:
    from muse_nb.recipes.joining import exp_combine

    tables = night.reduced["PIXTABLE_REDUCED"][:2]
    with pytest.warns(MuseWarning, match="EXPTIME of 60 s, that of its first exposure alone"):
        result = exp_combine(tables, None, tmp_path / "combined", parameters={"crsigma": 0.0, "lambdamax": 6300.0})
    cube = fits.getdata(result.products["DATACUBE_FINAL"][0], "DATA")
    assert np.isfinite(cube).mean() > 0.8
