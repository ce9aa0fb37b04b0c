"""Pixel tables cut to a slab of wavelengths, with defects planted, and the recipes that make cubes of them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from astropy.io import fits

from muse_nb.core.errors import MuseWarning
from muse_nb.products.field import SLICE_SKY
from muse_nb.products.offset_list import OffsetList
from muse_nb.products.pixtable import PixelTable, decode_origin, write_pixtable
from muse_nb.recipes.run import run_recipe

Columns = dict[str, np.ndarray]
Plant = Callable[[Columns], Columns | None]
WIDTH = 50.0  # Angstrom: a slab of the cube is enough


def slab(table: Path, path: Path, plant: Plant | None = None) -> Path:
    """Write the rows of a pixel table in the middle of its wavelengths, with a defect planted."""
    opened = PixelTable.open(table)
    wavelength = opened.read("lambda")
    use = np.abs(wavelength - np.median(wavelength)) < 0.5 * WIDTH
    columns = {name: opened.read(name)[use] for name in opened.columns}
    columns = (plant(columns) if plant else None) or columns
    units = {name: column.unit for name, column in opened.columns.items()}
    write_pixtable(path, fits.getheader(table), columns, units, force=True)
    return path


def make_cube(table: Path, folder: Path, **parameters: Any) -> Path:
    """Make the cube of a table by muse_scipost_make_cube."""
    return _run("muse_scipost_make_cube", [(table, "PIXTABLE_OBJECT")], parameters, folder)["DATACUBE_FINAL"][0]


def combine(tables: Sequence[Path], folder: Path, offsets: Path | None = None, **parameters: Any) -> Path:
    """Make the cube of some tables by muse_exp_combine."""
    frames = [*((table, "PIXTABLE_REDUCED") for table in tables), *([(offsets, "OFFSET_LIST")] if offsets else [])]
    return _run("muse_exp_combine", frames, {"save": "cube", **parameters}, folder)["DATACUBE_FINAL"][0]


def _run(
    recipe: str, frames: list[tuple[Path, str]], parameters: dict[str, Any], folder: Path
) -> dict[str, list[Path]]:
    """Run a recipe on defects that are refused otherwise, or warned of: the wrong cube is what is wanted here."""
    with patch("muse_nb.recipes.run.refuse", return_value=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore", MuseWarning)
        return run_recipe(recipe, frames, parameters, output=folder, force=True).products


def offset_list(tables: Sequence[Path], path: Path) -> Path:
    """Write an OFFSET_LIST with a few tenths of a second of arc for each table."""
    headers = [fits.getheader(table) for table in tables]
    count = len(tables)
    OffsetList(
        tuple(header["DATE-OBS"] for header in headers),
        tuple(header["MJD-OBS"] for header in headers),
        tuple(1.3e-4 * np.sin(np.arange(count))),
        tuple(-0.7e-4 * np.sin(np.arange(count))),
        (np.nan,) * count,
    ).write(path)
    return path


# ---- defects
def keep(columns: Columns, use: np.ndarray) -> Columns:
    return {name: values[use] for name, values in columns.items()}


def origin(columns: Columns) -> tuple[np.ndarray, ...]:
    return decode_origin(columns["origin"])


def random_flags(columns: Columns) -> None:
    columns["dq"][np.random.default_rng(1).random(len(columns["dq"])) < 0.6] |= 8192


def half_of_the_columns(columns: Columns) -> None:
    columns["dq"][origin(columns)[3] % 8 < 4] |= 256


def one_quadrant(columns: Columns) -> None:
    ifu, slice_, _, _ = origin(columns)
    columns["dq"][(ifu == 12) & (slice_ <= 24)] |= 512


def every_fourth_slice(columns: Columns) -> None:
    columns["dq"][origin(columns)[1] % 4 == 0] |= 8192


def nan_with_dq_0(columns: Columns) -> None:
    good = np.flatnonzero(columns["dq"] == 0)
    columns["data"][np.random.default_rng(2).choice(good, 100, replace=False)] = np.nan


def missing_ifu(columns: Columns) -> Columns:
    return keep(columns, origin(columns)[0] != 12)


def missing_slices(columns: Columns) -> Columns:
    ifu, slice_, _, _ = origin(columns)
    return keep(columns, (ifu != 12) | ~np.isin(SLICE_SKY[slice_ - 1], (4, 5, 6)))  # three that lie side by side


def inf_with_dq_0(columns: Columns) -> None:
    good = np.flatnonzero(columns["dq"] == 0)
    columns["data"][np.random.default_rng(2).choice(good, 100, replace=False)] = np.inf


def nan_and_random_flags(columns: Columns) -> None:
    random_flags(columns)
    nan_with_dq_0(columns)


def negative_variance(columns: Columns) -> None:
    columns["stat"][::2] *= -1


def zero_weight(columns: Columns) -> None:
    ifu, slice_, _, _ = origin(columns)
    columns["weight"] = np.where((ifu == 12) & (slice_ > 20), 0, 1).astype(np.float32)
