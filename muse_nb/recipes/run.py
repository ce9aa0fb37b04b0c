"""Run any of ESO's recipes: checked before, watched while it runs, its reason told when it fails."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import warnings
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path

from muse_nb.core.atomic import refuse_existing
from muse_nb.core.errors import MuseError, MuseWarning
from muse_nb.core.process import Ended, Stop, dies_with_parent
from muse_nb.core.process import run as run_process
from muse_nb.core.progress import Progress
from muse_nb.core.work import scratch_folder, work_folder
from muse_nb.products.fits.blocks import hdus
from muse_nb.recipes import frames as framesets
from muse_nb.recipes import parameters as request
from muse_nb.recipes.backends import BACKENDS, available, environment, esorex_command, library
from muse_nb.recipes.checks.every import AFTER, examine, refuse
from muse_nb.recipes.checks.faults import Frame, Run
from muse_nb.recipes.errors import RecipeError, passed_over, reasons, remedy
from muse_nb.recipes.result import RecipeResult

__all__ = ["RecipeResult", "choose_backend", "known_parameters", "run_recipe"]


def run_recipe(
    name: str,
    frames: framesets.FrameSet | Iterable[tuple[str | Path, str]],
    parameters: Mapping[str, object] | None = None,
    *,
    output: str | Path,
    backend: str | None = None,
    threads: int = 1,
    timeout: float | None = None,
    progress: Progress | None = None,
    cancel: Stop | None = None,
    log: str | Path | None = None,
    force: bool = False,
    warn: bool = True,
) -> RecipeResult:
    """Run a recipe in a process of its own.

    Parameters
    ----------
    name
        As in ``muse_scibasic``.
    frames
        Tag to file or files; or pairs of file and tag.
    parameters
        The recipe's parameters by their short names, as in ``{"nifu": 12}``.
    output
        Folder for the products; they appear there all together when the recipe has succeeded.
    backend
        ``python-cpl`` or ``esorex``; by default the first that is usable. Both make the same files.
    threads
        OMP_NUM_THREADS of the recipe.
    timeout
        Time limit [s].
    progress
        Called with each line of the recipe's log, 0 and 0.
    cancel
        Stops the recipe when set.
    log
        File for the log; by default in `output`, the recipe's name with ``.log``. It is written after a failure too.
    force
        Replace products that are already there.
    warn
        Warn of what is suspicious, too; it is in the result's findings in any case.

    Returns
    -------
    RecipeResult

    Raises
    ------
    RecipeError
        The recipe is not installed, does not take a parameter, failed, crashed, ran too long or was cancelled; the
        message gives the reason from its log.
    MuseError
        A frame is missing, damaged or of the kind that the recipe turns into a wrong product without a word; or a
        product is already there.

    Warns
    -----
    MuseWarning
        What is suspicious about the frames or the products.

    Examples
    --------
    >>> images = muse_nb.survey("night").files_of("IMAGE_FOV")
    >>> result = muse_nb.run_recipe("muse_exp_align", {"IMAGE_FOV": images}, output="aligned")
    >>> [path.name for path in result.products["OFFSET_LIST"]]
    ['OFFSET_LIST.fits']
    """
    backend = choose_backend(backend, name)
    pairs = framesets.frame_list(frames)
    framesets.check(pairs, name)
    faults = refuse(name, pairs, parameters)
    checked = request.check(name, parameters or {}, known_parameters(name, backend))
    output = Path(output).absolute()
    log = Path(log).absolute() if log else output / f"{name}.log"
    with work_folder(output) as work:
        for part in ("products", "frames", "temporary"):
            (work / part).mkdir()
        linked = framesets.link(pairs, work / "frames")
        ended = run_process(
            _command(backend, name, linked, checked, work),
            folder=work,
            output=work / "log",
            env=environment(threads, home=work / "temporary"),
            timeout=timeout,
            cancel=cancel,
            on_text=_by_line(progress),
        )
        text, failure = (work / "log").read_text(errors="replace"), _failure(work)
        _keep_log(text, log)
        if ended.code or ended.stopped or failure:
            raise RecipeError(_sentence(name, ended, text, failure, log), name, log)
        products = _move(work / "products", output, force=force, inputs=[path for path, _ in pairs])
    if not products:
        raise RecipeError(f"{name} ended without a product: read {log}", name, log)
    given = tuple(Frame.open(path, tag) for path, tag in pairs)
    made = tuple(Frame.open(path, category) for category, paths in products.items() for path in paths)
    faults += examine(Run(name, given, parameters or {}, made), AFTER)
    findings = [str(fault) for fault in dict.fromkeys(faults)]
    findings += [f"{name} {what}; its log is {log}" for what in passed_over(name, text)]
    for text in findings if warn else ():
        warnings.warn(text, MuseWarning, stacklevel=2)
    return RecipeResult(name, backend, products, log, ended.seconds, ended.cpu_seconds, ended.peak_memory, findings)


def choose_backend(backend: str | None, recipe: str = "the recipe") -> str:
    """Return the backend that was asked for, or the first that is usable.

    Raises
    ------
    RecipeError
        It is not usable, or none is.
    """
    ways = available()
    if backend is not None and backend not in ways:
        raise RecipeError(f"there is no backend {backend!r}: choose {' or '.join(BACKENDS)}", recipe)
    names = [backend] if backend else [name for name in BACKENDS if ways[name].usable]
    if not names or not ways[names[0]].usable:
        why = "; ".join(sorted({ways[name].detail for name in (names or BACKENDS)}))
        raise RecipeError(f"{recipe} cannot run here: {why}", recipe)
    return names[0]


@cache
def known_parameters(recipe: str, backend: str) -> dict[str, request.Parameter]:
    """Ask a recipe for its parameters.

    Raises
    ------
    RecipeError
        There is no such recipe.
    """
    if library(recipe) is None:
        raise RecipeError(f"there is no recipe {recipe!r} in the installed MUSE pipeline: check its name", recipe)
    with scratch_folder() as work:
        if backend == "esorex":
            own = [f"--log-dir={work}", "--log-level=off", "--params"]
            command = dies_with_parent([*esorex_command(), *own, recipe])
        else:
            command = _worker(work, {"what": "describe", "recipe": recipe})
        ended = run_process(command, folder=work, output=work / "log", env=environment(home=work), timeout=120)
        printed = (work / "log").read_text(errors="replace")
        if ended.code:
            raise RecipeError(f"{recipe} does not say which parameters it has: {_last_line(printed)}", recipe)
        if backend == "esorex":
            return request.parse_params(printed)
        answer = json.loads((work / "request.answer").read_text())
    return {
        key: request.Parameter(key, value["default"], tuple(value["choices"]) or None, tuple(value["range"]) or None)
        for key, value in answer.items()
    }


def _worker(work: Path, content: dict[str, object]) -> list[str]:
    more = {"library": str(library(str(content["recipe"]))), "parent": os.getpid()}
    (work / "request.json").write_text(json.dumps(content | more))
    return [sys.executable, "-m", "muse_nb.recipes.worker", str(work / "request.json")]


def _command(
    backend: str, name: str, frames: list[tuple[Path, str]], parameters: dict[str, object], work: Path
) -> list[str]:
    if backend == "python-cpl":
        content: dict[str, object] = {
            "what": "run",
            "recipe": name,
            "frames": [[str(path), tag] for path, tag in frames],
            "parameters": parameters,
            "output": "products",
            "temporary": "temporary",
        }
        return _worker(work, content)
    (work / "frames.sof").write_text("".join(f"{path} {tag}\n" for path, tag in frames))
    words = [f"--{key}={str(value).upper() if isinstance(value, bool) else value}" for key, value in parameters.items()]
    own = ["--output-dir=products", "--suppress-prefix=TRUE", "--log-dir=.", "--log-level=off", "--msg-level=info"]
    return dies_with_parent([*esorex_command(), *own, name, *words, "frames.sof"])


def _by_line(progress: Progress | None) -> Callable[[str], object] | None:
    if progress is None:
        return None
    rest = [""]

    def split(text: str) -> None:
        *lines, rest[0] = (rest[0] + text).split("\n")
        for line in lines:
            if line.strip():
                progress(line.strip(), 0, 0)

    return split


def _failure(work: Path) -> str:
    """What python-cpl says of a recipe that failed; the reason itself is in the log."""
    answer = work / "request.answer"
    return str(json.loads(answer.read_text())["error"]) if answer.exists() else ""


def _keep_log(text: str, log: Path) -> None:
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(text)
    except OSError as error:
        raise MuseError(f"{log} cannot be written: {error.strerror}") from error


def _sentence(name: str, ended: Ended, text: str, failure: str, log: Path) -> str:
    if ended.stopped:
        help_ = f": {what}" if (what := remedy(name, ended.stopped)) else ""
        return f"{name} was stopped after {ended.seconds:.0f} s ({ended.stopped}){help_}; its log is {log}"
    why = reasons(text)
    if ended.code < 0 or re.search(r"crash|segmentation|SIGSEGV", failure, re.I):
        killer = f" by {signal.Signals(-ended.code).name}" if ended.code < 0 else ""
        return f"{name} crashed or was killed{killer}{f' after: {why}' if why else ''}; its log is {log}"
    why = why or " ".join(failure.split("\n")[0].split()) or _last_line(text) or f"exit status {ended.code}"
    help_ = f" ({what})" if (what := remedy(name, why)) else ""
    return f"{name} failed: {why}{help_}; its log is {log}"


def _last_line(text: str) -> str:
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")


def _move(made: Path, output: Path, *, force: bool, inputs: list[Path]) -> dict[str, list[Path]]:
    """Move all products to the output folder, or none."""
    found = [(path, str(hdus(path)[0].cards.get("ESO PRO CATG") or "UNKNOWN")) for path in sorted(made.glob("*.fits"))]
    for path, _ in found:
        refuse_existing(output / path.name, force=force, inputs=inputs)
    products: dict[str, list[Path]] = {}
    for path, category in found:
        path.replace(output / path.name)
        products.setdefault(category, []).append(output / path.name)
    return products
