"""Cosmic rays found against the other exposures: more of the rays, fewer of the stars than by the recipe's median."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from test_stream import digest

import muse_nb
from benchmarks.tables import write_tables
from muse_nb.products.cube_file import CubeFile
from muse_nb.products.pixtable import PixelTable
from muse_nb.resample.inputs import across_slices

pytestmark = pytest.mark.filterwarnings("ignore::muse_nb.MuseWarning")  # of mixed angles, and no offsets
SEEING = (1.0, 2.0, 1.3, 1.7)  # widths of the stars, exposure by exposure


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Six exposures at four angles, with cosmic rays in 5 of 10 000 pixels, and stars of different width."""
    return write_tables(tmp_path_factory.mktemp("rays"), 6, 600_000, seeing=SEEING)


@pytest.fixture(scope="module")
def clean(tables: list[Path]) -> list[Path]:
    """The same without the rays: these have not made it into the variance, which tells them."""
    copies = []
    for path in tables:
        copies.append(Path(shutil.copy(path, path.with_name(f"clean_{path.name}"))))
        table = PixelTable.open(path)
        data, stat = table.read("data"), table.read("stat")
        expected = stat - 100
        hit = data - expected > 5.5 * np.sqrt(stat)
        with copies[-1].open("r+b") as file:
            file.seek(table.columns["data"].offset)
            file.write(np.where(hit, expected, data).astype(">f4").tobytes())
    return copies


def off(cube: Path, reference: Path) -> tuple[int, int]:
    """Voxels that differ by more than 3 sigma from the reference, and those that became NaN."""
    a, b = CubeFile.open(cube), CubeFile.open(reference)
    far = lost = 0
    for k in range(a.shape[0]):
        mine, true, sigma = a.plane(k), b.plane(k), np.sqrt(b.plane(k, "STAT"))
        with np.errstate(invalid="ignore"):
            far += int((np.abs(mine - true) > 3 * sigma).sum())
        lost += int((np.isnan(mine) & np.isfinite(true)).sum())
    return far, lost


def test_more_rays_and_fewer_stars_than_by_the_median(tables: list[Path], clean: list[Path], tmp_path: Path) -> None:
    truth = muse_nb.combine(clean, output=tmp_path / "truth.fits", crsigma=0, checks=False).path
    found = {}
    for crtype in ("median", "others"):
        for name, files in (("rays", tables), ("clean", clean)):
            made = muse_nb.combine(files, output=tmp_path / f"{name}-{crtype}.fits", crtype=crtype, checks=False)
            found[crtype, name] = (made.flagged, *off(made.path, truth))
    hits = found["others", "rays"][0] - found["others", "clean"][0]
    assert hits > 0.98 * (found["median", "rays"][0] - found["median", "clean"][0]), "as many rays"
    assert found["others", "clean"][0] < 0.1 * found["median", "clean"][0], "of good pixels far fewer"
    assert found["others", "rays"][1] < found["median", "rays"][1], "voxels that are wrong"
    assert found["others", "rays"][2] < 0.2 * found["median", "rays"][2], "voxels that are lost"


@pytest.mark.parametrize(
    "how",
    [{"MUSE_NB_SCALAR": "1"}, {"threads": 3}, {"cuts": (1, 2, 4)}, {"memory": 150e6}],
    ids=["scalar", "three threads", "in pieces", "in little memory"],
)
def test_the_same_bytes_however_it_is_run(tables: list[Path], how: dict) -> None:
    assert digest(tables, crtype="others", **how) == digest(tables, crtype="others")


def test_every_hole_that_it_makes_is_explained(tables: list[Path], tmp_path: Path) -> None:
    made = muse_nb.combine(tables[:2], output=tmp_path / "cube.fits", crtype="others", checks=False)
    audit = muse_nb.audit_nans(made.path, tables[:2])
    assert audit.totals().get("unexplained", 0) == 0
    assert audit.totals().get("rejected as cosmic ray", 0) > 0


def test_a_lone_ray_in_one_exposure_only(tables: list[Path], tmp_path: Path) -> None:
    """With one exposure only its own neighbours can tell."""
    one = muse_nb.cube(tables[0], output=tmp_path / "one.fits", crtype="others", checks=False)
    assert one.flagged > 0


@pytest.mark.parametrize(
    ("posang", "step"),
    [
        *((0, (0, 1)), (90, (-1, 0)), (180, (0, -1)), (270, (1, 0))),
        *((45, (-1, 1)), (10, (0, 1)), (None, (0, 1)), ("x", (0, 1))),
    ],
)
def test_the_step_across_the_slices(posang: object, step: tuple[int, int]) -> None:
    assert across_slices(posang) == step


def test_the_recipe_cannot_and_says_so(tables: list[Path], tmp_path: Path) -> None:
    for settings, said in (
        ({"engine": "eso", "crtype": "others"}, "no crtype 'others'"),
        ({"crtype": "mean"}, "median or others"),
    ):
        with pytest.raises(muse_nb.MuseError, match=said):
            muse_nb.combine(tables, output=tmp_path / "no.fits", **settings)
