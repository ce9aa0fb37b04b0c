"""The recipes that join exposures: muse_exp_align and muse_exp_combine, with the care that they lack."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from muse_nb.core.process import Stop
from muse_nb.core.progress import Progress
from muse_nb.recipes.result import RecipeResult
from muse_nb.recipes.run import run_recipe

__all__ = ["align", "exp_combine"]


def align(
    images: Iterable[str | Path],
    output: str | Path,
    *,
    parameters: dict[str, object] | None = None,
    backend: str | None = None,
    timeout: float | None = 600.0,
    force: bool = False,
    progress: Progress | None = None,
    cancel: Stop | None = None,
) -> RecipeResult:
    """Run muse_exp_align on IMAGE_FOVs, with its threshold steps limited lest it loops on an odd image.

    Parameters
    ----------
    images
        IMAGE_FOVs, two or more.
    output
        Folder for OFFSET_LIST, SOURCE_LISTs and PREVIEW_FOV.
    parameters, backend, timeout, force, progress, cancel
        As in `muse_nb.recipes.run.run_recipe`.

    Raises
    ------
    MuseError
        It fails, as it does for fewer than two images.

    Warns
    -----
    MuseWarning
        It succeeded with so few matched stars that its offsets are likely to be wrong.
    """
    request: dict[str, object] = {"iterations": 1000, **(parameters or {})}
    frames = [(path, "IMAGE_FOV") for path in images]
    return run_recipe(
        "muse_exp_align",
        frames,
        request,
        output=output,
        backend=backend,
        timeout=timeout,
        force=force,
        progress=progress,
        cancel=cancel,
    )


def exp_combine(
    pixtables: Iterable[str | Path],
    offset_list: str | Path | None,
    output: str | Path,
    *,
    parameters: dict[str, object] | None = None,
    output_wcs: str | Path | None = None,
    filter_list: str | Path | None = None,
    backend: str | None = None,
    threads: int = 1,
    timeout: float | None = None,
    force: bool = False,
    progress: Progress | None = None,
    cancel: Stop | None = None,
) -> RecipeResult:
    """Run muse_exp_combine on PIXTABLE_REDUCEDs.

    Parameters
    ----------
    pixtables
        PIXTABLE_REDUCEDs.
    offset_list, output_wcs, filter_list
        Further frames, None for none.
    output
        Folder for the products.
    parameters, backend, threads, timeout, force, progress, cancel
        As in `muse_nb.recipes.run.run_recipe`.

    Raises
    ------
    MuseError
        A pixel table lacks a keyword without which the recipe makes a wrong cube and says nothing (RA, DEC, the CD
        matrix), two have the same DATE-OBS; or the recipe fails.
    """
    frames = [(Path(path), "PIXTABLE_REDUCED") for path in pixtables]
    for extra, tag in ((offset_list, "OFFSET_LIST"), (output_wcs, "OUTPUT_WCS"), (filter_list, "FILTER_LIST")):
        if extra is not None:
            frames.append((Path(extra), tag))
    return run_recipe(
        "muse_exp_combine",
        frames,
        parameters,
        output=output,
        backend=backend,
        threads=threads,
        timeout=timeout,
        force=force,
        progress=progress,
        cancel=cancel,
    )
