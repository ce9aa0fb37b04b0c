"""Where a page came from: inputs, recipes, picks, offsets, versions, machine and time."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, TypedDict

from muse_nb import __version__
from muse_nb.core.errors import MuseError
from muse_nb.sharing.clean import Places
from muse_nb.sharing.running.parameters import defaults
from muse_nb.sharing.running.run import Ran
from muse_nb.steps.install.packages import installed

__all__ = ["About", "about"]

_PACKAGES = (
    *("numpy", "scipy", "astropy", "matplotlib", "mpdaf", "anywidget", "ipywidgets"),
    *("jupyterlab", "nbclient", "nbconvert", "python-cpl"),
)
_HASHED = 4e9  # bytes of inputs that are read again for their sha256; above it the manifest's is given, or none


class Input(TypedDict):
    """A data file that a notebook read."""

    file: str
    size: int
    sha256: str


class About(TypedDict, total=False):
    """What made a page: what JSON can carry, without user and host names."""

    notebook: str
    made: str
    seconds: float
    error: str
    parameters: dict[str, Any]
    picks: str
    offsets: list[dict[str, str | float | None]]
    inputs: list[Input]
    recipes: list[dict[str, Any]]
    versions: dict[str, str]
    machine: dict[str, str | int | None]


def about(notebook: Path, parameters: Mapping[str, Any], ran: Ran, places: Places) -> About:
    """Collect what made a page.

    Parameters
    ----------
    notebook
        Its file.
    parameters
        What it was run with, where that differs from the notebook.
    ran
        Its run.
    places
        Paths are given relative to these.

    Returns
    -------
    dict
        What JSON can carry, without user and host names.
    """
    folder, values = places.folder, defaults(ran.notebook) | dict(parameters)
    return {
        "notebook": notebook.name,
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(ran.seconds, 1),
        "error": places.hide(ran.error),
        "parameters": places.hide_all(values),
        "picks": _picks(values, folder),
        "offsets": _offsets(values, folder),
        "inputs": list(_inputs(ran.inputs, places)),
        "recipes": _recipes(ran.inputs, places),
        "versions": {"muse_nb": __version__}
        | {name: found for name in _PACKAGES if (found := installed(name))}
        | {"python": platform.python_version()},
        "machine": {"system": platform.system(), "processor": platform.machine(), "cores": os.cpu_count()},
    }


def _picks(parameters: Mapping[str, object], folder: Path) -> str:
    path = _product(parameters, folder, "picks.ecsv")
    return path.read_text(errors="replace") if path.is_file() else ""


def _offsets(parameters: Mapping[str, object], folder: Path) -> list[dict[str, str | float | None]]:
    from muse_nb.products.offset_list import OffsetList

    path = _product(parameters, folder, "OFFSET_LIST.fits")
    if not path.is_file():
        return []
    try:
        listed = OffsetList.read(path)
    except MuseError:
        return []
    columns: tuple[tuple[str | float, ...], ...] = (
        listed.date_obs,
        listed.mjd_obs,
        listed.ra_offset,
        listed.dec_offset,
        listed.flux_scale,
    )
    names = ("date_obs", "mjd_obs", "ra_offset_deg", "dec_offset_deg", "flux_scale")
    return [
        {name: value if value == value else None for name, value in zip(names, row, strict=True)}  # NaN is no JSON
        for row in zip(*columns, strict=True)
    ]


def _product(parameters: Mapping[str, object], folder: Path, name: str) -> Path:
    return folder / str(parameters.get("products", ".")) / name


def _inputs(paths: Iterable[Path], places: Places) -> Iterable[Input]:
    from muse_nb.products.manifest import sha256

    read = 0
    for path in paths:
        size = path.stat().st_size
        digest = _listed(path)
        if not digest and read + size <= _HASHED:
            digest, read = sha256(path), read + size
        yield {"file": places.hide(str(path)), "size": size, "sha256": digest}


def _listed(path: Path) -> str:
    """The sha256 that a manifest above the file gives, where the file did not change since."""
    for parent in path.parents:
        manifest = parent / "data_manifest.csv"
        if manifest.is_file():
            size, digest = _manifest(manifest).get(path.relative_to(parent).as_posix(), (-1, ""))
            state = path.stat()
            return digest if size == state.st_size and state.st_mtime < manifest.stat().st_mtime else ""
    return ""


@cache
def _manifest(path: Path) -> dict[str, tuple[int, str]]:
    from muse_nb.products.manifest import read_manifest

    try:
        return {entry.file: (entry.size, entry.sha256) for entry in read_manifest(path)}
    except MuseError:
        return {}


def _recipes(paths: Iterable[Path], places: Places) -> list[dict[str, Any]]:
    """How the inputs were made: each recipe with the same parameters and inputs once."""
    from muse_nb.products.fits.blocks import hdus
    from muse_nb.products.history import history

    found: dict[str, dict[str, Any]] = {}
    for path in paths:
        try:
            cards = hdus(path)[0].cards if path.name.endswith(".fits") else {}
        except MuseError:
            continue
        for run in history(cards):
            recipe = {
                "recipe": run.recipe,
                "pipeline": run.pipeline,
                "parameters": {name: str(value) for name, value in run.parameters.items()},
                "inputs": [places.hide(name) for name, _ in run.inputs],
            }
            known = found.setdefault(repr(recipe), recipe | {"products": []})
            known["products"].append(places.hide(str(path)))
    return sorted(found.values(), key=lambda one: str(one["recipe"]))
