"""Stars without a say in an offset are named, with the reason."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS
from star_fields import PEAKS, STARS, TRUE, star_image, write

from muse_nb import measure_offsets
from muse_nb.cli import main

ORIGIN = (265.2, -53.7)


def spoil(path: Path, shift: tuple[float, float]) -> None:
    """In one exposure a star has moved by 0.1 arcsec, and one lies on missing data."""
    with fits.open(path, mode="update") as file:
        image, header = file[1].data, file[1].header
        wcs, shape = WCS(header), image.shape
        sky = STARS + shift
        image -= star_image(wcs, shape, sky[3], PEAKS[3:4], 4.0, ORIGIN)
        image += star_image(wcs, shape, sky[3] + [0.1, 0.0], PEAKS[3:4], 4.0, ORIGIN)
        hole = star_image(wcs, shape, sky[1], np.ones(1), 4.0, ORIGIN) > 0.3
        image[hole] = np.nan


def test_each_star_that_is_left_out_is_named_with_its_reason(tmp_path: Path, capsys) -> None:
    files = write(tmp_path, TRUE, side=72)
    spoil(files[2], tuple(TRUE[2]))
    offsets = measure_offsets(files)
    told, dates = offsets.left_out(), [str(date) for date in offsets.table["date_obs"]]
    east = (told["ra"] - ORIGIN[0]) * 3600 * np.cos(np.radians(ORIGIN[1]))
    north = (told["dec"] - ORIGIN[1]) * 3600
    which = np.hypot(east[:, None] - STARS[:, 0], north[:, None] - STARS[:, 1]).argmin(1)
    reasons = {
        (int(star), dates.index(str(date))): str(why)
        for star, date, why in zip(which, told["date_obs"], told["why"], strict=True)
    }
    assert reasons[1, 2] == "beside missing data"
    assert re.match(r"disagrees by [\d.]+ errors", reasons[3, 2])
    x, y = (35.5 + sign / 0.2 * (STARS[:, axis, None] + TRUE[:, axis]) for axis, sign in ((0, -1), (1, 1)))
    beyond = set(zip(*np.nonzero((x < 0) | (y > 71)), strict=True))
    assert beyond
    assert {reasons.get(one) for one in beyond} == {"at or beyond the edge of the image"}
    assert {star for star, _ in reasons} == {1, 3} | {star for star, _ in beyond}

    assert main(["offsets", *map(str, files), "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    for i, row in enumerate(rows):
        said = [why for why, stars in row["stars_left_out"].items() for _ in stars]
        assert sorted(said) == sorted(why for (_, at), why in reasons.items() if at == i)
        error = row["rotation_error_deg"]  # of the reference, whose angle is 0, it is 0
        assert error is None or error > 0 or (i == 0 and row["rotation_deg"] == error == 0)
