"""What the combine heals: the NaN that are foretold are those of the recipe's cube, and every hole is counted once."""

from __future__ import annotations

import json
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

import numpy as np
import pytest
from astropy.io import fits
from slabs import combine, half_of_the_columns, missing_ifu, offset_list, one_quadrant, slab

from muse_nb import heal_nans
from muse_nb.cli import main
from muse_nb.core.errors import MuseError
from muse_nb.core.html import FINDINGS_MIME
from muse_nb.steps.nans.causes import Cause

if TYPE_CHECKING:
    from muse_nb.simulator.night import Night


@pytest.fixture(scope="module")
def slabs(night: Night, tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Path], Path]:
    """Three exposures at three rotator angles: one lacks an IFU, one a quadrant, one half of its columns; offsets."""
    folder = tmp_path_factory.mktemp("heal")
    whole = sorted((night.folder / "reduced").glob("*/PIXTABLE_REDUCED_0001.fits"))[:3]
    plants = (missing_ifu, one_quadrant, half_of_the_columns)
    tables = [
        slab(path, folder / f"{n}.fits", plant) for n, (path, plant) in enumerate(zip(whole, plants, strict=True))
    ]
    return tables, offset_list(tables, folder / "OFFSET_LIST.fits")


@pytest.mark.eso
def test_what_stays_is_what_the_recipe_leaves(slabs: tuple[list[Path], Path], tmp_path: Path) -> None:
    tables, offsets = slabs
    healing = heal_nans(tables, offsets)
    with fits.open(combine(tables, tmp_path, offsets)) as opened:
        nan = np.isnan(opened["DATA"].data)
    assert nan.shape == healing.grid.shape
    assert nan.any()
    assert all((foretold == made).all() for foretold, made in zip(healing.nan, nan, strict=True))


def test_every_hole_is_filled_or_stays(slabs: tuple[list[Path], Path], tmp_path: Path) -> None:
    tables, offsets = slabs
    healing = heal_nans(tables, offsets)
    first, second, third = healing.dithers
    assert first.holes[Cause.MISSING_IFU] > 1000
    assert first.healed[Cause.MISSING_IFU] > 0.9 * first.holes[Cause.MISSING_IFU]
    assert min(second.holes[Cause.FLAGGED], third.holes[Cause.FLAGGED]) > 1000
    for dither in healing.dithers:
        assert Cause.UNEXPLAINED not in dither.holes
        assert sum(dither.holes.values()) == round(
            float(np.nansum(dither.fraction.astype(float))) * healing.grid.shape[0]
        )
        assert all(0 <= dither.healed[cause] <= number for cause, number in dither.holes.items())
        assert 0 <= dither.staying < dither.missing < 1
    # a voxel that stays is a hole of an exposure; it is counted once here, and in every exposure that looks there
    staying = sum(int(row["stays"]) for row in healing.table)
    assert healing.remaining <= staying <= 3 * healing.remaining + staying * 0.1
    assert healing.write(tmp_path / "heal.csv").read_text().startswith("exposure,cause,voxels,healed,stays")


def test_one_exposure_alone_heals_nothing(slabs: tuple[list[Path], Path]) -> None:
    healing = heal_nans(slabs[0][:1])
    assert healing._repr_mimebundle_()[FINDINGS_MIME] == {"findings": healing.findings}
    (dither,) = healing.dithers
    assert sum(dither.holes.values()) > 0
    assert not any(dither.healed.values())
    assert healing.remaining == pytest.approx(sum(dither.holes.values()), rel=0.2)  # but for the edge


def test_the_command_gives_the_same_numbers(
    slabs: tuple[list[Path], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tables, offsets = slabs
    command = ["nans", "--heal", *map(str, tables), "--offsets", str(offsets), "--plot", str(tmp_path / "heal.png")]
    assert main([*command, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told == heal_nans(tables, offsets).summary()
    assert (tmp_path / "heal.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(SystemExit):
        main(["nans", "cube.fits", "--heal", str(tables[0])])


def test_a_cancelled_search_stops_at_once(slabs: tuple[list[Path], Path]) -> None:
    tables, offsets = slabs
    cancel = Event()
    seen: list[tuple[str, int, int]] = []

    def stop_soon(what: str, done: int, total: int) -> None:
        seen.append((what, done, total))
        if len(seen) == 5:
            cancel.set()

    with pytest.raises(MuseError, match="was cancelled: nothing was written"):
        heal_nans(tables, offsets, progress=stop_soon, cancel=cancel)
    assert len(seen) == 5
