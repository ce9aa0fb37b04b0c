"""A bad-pixel table loses its good pixels and keeps the bad ones; with and without are compared in numbers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from astropy.io import fits

from muse_nb.cli import main
from muse_nb.core.errors import MuseError
from muse_nb.products.badpix_table import BadpixTable
from muse_nb.steps.badpix.apply import flag_pixtable
from muse_nb.steps.badpix.compare import compare_badpix
from muse_nb.steps.badpix.repair import repair

if TYPE_CHECKING:
    from muse_nb.recipes.reduce import Reduction
    from muse_nb.simulator.night import Night


def columns(table: BadpixTable) -> tuple[list[int], list[int], list[int]]:
    return table.ifu.tolist(), table.x.tolist(), table.y.tolist()


def pixels(table: BadpixTable) -> set[tuple[int, int, int]]:
    return set(zip(*columns(table), strict=True))


def pixtables(night: Night) -> list[Path]:
    return sorted((night.folder / "reduced").glob("*/PIXTABLE_REDUCED_0001.fits"))


def test_positions_lose_the_borders_of_the_raw_frame(tmp_path: Path) -> None:
    columns = [fits.Column("xpos", "J", array=[32, 33, 2080, 2081, 2145, 4192, 4193])]
    columns += [fits.Column("ypos", "J", array=[33, 33, 2088, 2089, 2153, 4208, 4208])]
    columns += [fits.Column("status", "J", array=[256] * 7)]
    unit = fits.BinTableHDU.from_columns(columns, name="CHAN07")
    fits.HDUList([fits.PrimaryHDU(), unit]).writeto(tmp_path / "badpix.fits")
    table = BadpixTable.open(tmp_path / "badpix.fits")
    x, y = table.trimmed(4096, 4112)
    assert x.tolist() == [0, 1, 2048, 0, 2049, 4096, 0]
    assert y.tolist() == [1, 1, 2056, 0, 2057, 4112, 4112]
    look = table.lookup(4096, 4112)
    assert look(7, np.array([1, 2, 4096]), np.array([1, 1, 4112])).tolist() == [256, 0, 256]
    assert look(8, 1, 1) == 0


def test_the_true_table_is_left_alone_and_the_zealous_one_repaired(night: Night, tmp_path: Path) -> None:
    true = BadpixTable.open(night.folder / "calib" / "BADPIX_TABLE.fits")
    zealous = night.folder / "calib" / "BADPIX_TABLE_zealous.fits"
    assert repair(true.path, pixtables(night)[:2]).drop.mean() < 0.03
    judged = repair(zealous, pixtables(night))
    judged.write(tmp_path / "new.fits")
    repaired = BadpixTable.open(tmp_path / "new.fits")
    extra = pixels(judged.badpix) - pixels(true)
    assert len(pixels(true) & pixels(repaired)) > 0.97 * len(pixels(true) & pixels(judged.badpix))
    assert len(pixels(repaired) & extra) < 0.4 * len(extra)  # in little light a good pixel cannot be told: it stays
    changes = (tmp_path / "new.csv").read_text().splitlines()
    assert len(changes) - 1 == len(judged.badpix) - len(repaired) == int(judged.drop.sum())


def test_other_exposures_tell_where_neighbours_cannot(night: Night, tmp_path: Path) -> None:
    true = pixels(BadpixTable.open(night.folder / "calib" / "BADPIX_TABLE.fits"))
    zealous = night.folder / "calib" / "BADPIX_TABLE_zealous.fits"
    flagged = [tmp_path / f"{number}.fits" for number in range(len(pixtables(night)))]
    for table, copy in zip(pixtables(night), flagged, strict=True):
        flag_pixtable(table, zealous, copy)
    alone, together = repair(zealous, flagged[:1]), repair(zealous, flagged)
    bad = np.array([pixel in true for pixel in zip(*columns(together.badpix), strict=True)])
    assert together.drop[~bad].mean() > 0.6 > 3 * alone.drop[~bad].mean()
    assert together.drop[bad].mean() < 0.03
    assert "too little light" in together.findings[-1]


def test_the_command_repairs(night: Night, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    zealous = str(night.folder / "calib" / "BADPIX_TABLE_zealous.fits")
    command = ["nans", "--repair", zealous, "--pixtable", str(pixtables(night)[0]), "-o", str(tmp_path / "new.fits")]
    assert main(command) == 0
    assert "new.csv" in capsys.readouterr().out
    assert main(command) == 1  # never over a file that is there
    with pytest.raises(SystemExit):
        main(["nans", "--repair", zealous])


def test_what_is_no_table_is_refused(night: Night, tmp_path: Path) -> None:
    fits.PrimaryHDU().writeto(tmp_path / "empty.fits")
    with pytest.raises(MuseError, match="no BADPIX_TABLE"):
        repair(tmp_path / "empty.fits", pixtables(night)[:1])
    with pytest.raises(MuseError, match="DATACUBE_FINAL"):
        compare_badpix([tmp_path, tmp_path])


@pytest.mark.eso
def test_with_and_without_are_compared_in_numbers(recipe_night: list[Reduction], night: Night, tmp_path: Path) -> None:
    zealous = night.folder / "calib" / "BADPIX_TABLE_zealous.fits"
    raw = night.raw[0]
    result = compare_badpix(raw, night.folder / "calib", (zealous, False), tmp_path, names=("zealous", "without"))
    assert result.gain.gained > 1000
    assert result.first.audit.nan_fraction_in_field > result.second.audit.nan_fraction_in_field
    assert result.table["cause"][0] == "flagged by BADPIX_TABLE"
    assert "repair it" in result.advice or "drop it" in result.advice
    again = compare_badpix([result.first.cube.parent, result.second.cube.parent], tables=(zealous, False))
    assert again.gain == result.gain
