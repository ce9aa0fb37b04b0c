"""Run one recipe by python-cpl: the other end of `muse_nb.recipes.run`, a process of its own.

A recipe can crash, python-cpl forks (which hangs after another library's threads), and memory is given back for certain
only by a process that ends.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Protocol, TypedDict, cast

__all__ = ["main"]

_PIPE = "pipe"  # in the private working folder


class Request(TypedDict, total=False):
    """What `muse_nb.recipes.run` asks for; frames and what follows, of a run."""

    what: str
    recipe: str
    library: str
    parent: int
    frames: list[tuple[str, str]]
    parameters: dict[str, object]
    output: str
    temporary: str


class _Parameter(Protocol):
    name: str
    default: object
    sequence: tuple[object, ...] | None
    range: tuple[float, float] | None


class _Parameters(Protocol):
    def __iter__(self) -> Iterator[_Parameter]: ...

    def __setitem__(self, name: str, value: object) -> None: ...


class _Recipe(Protocol):
    output_dir: str
    temp_dir: str
    memory_mode: int
    param: _Parameters

    def __call__(self, frames: dict[str, list[str]], *, loglevel: int) -> object: ...


class _LogServer(Protocol):
    logfile: str


def main() -> None:
    """Read the request (a JSON file named on the command line), run the recipe, write the answer beside it."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    path = Path(sys.argv[1])
    request: Request = json.loads(path.read_text())
    threading.Thread(target=_end_with, args=(request["parent"],), daemon=True).start()
    answer = _describe(request) if request["what"] == "describe" else _run(request)
    path.with_suffix(".answer").write_text(json.dumps(answer))
    sys.stdout.flush()
    os._exit(0)  # python-cpl's log thread waits for ever after some errors


def _end_with(parent: int) -> None:
    """Kill this process group, python-cpl's fork included, when the parent is gone, even by kill -9."""
    while os.getppid() == parent:
        time.sleep(0.2)
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


def _cpl() -> ModuleType:
    """Import python-cpl without astropy, which it needs for frames in memory only: 0.35 s less for each recipe."""
    stand_in = ModuleType("astropy.io.fits")
    stand_in.HDUList = type("HDUList", (list,), {})  # type: ignore[attr-defined]
    for name in ("astropy", "astropy.io"):
        sys.modules[name] = ModuleType(name)
    sys.modules["astropy.io"].fits = stand_in  # type: ignore[attr-defined]
    sys.modules["astropy.io.fits"] = stand_in
    import cpl
    from cpl import logger

    logger.LogServer.run = _print_log
    # CPL ignores a long name for its log, and python-cpl would wait for ever for the other end of its pipe
    logger.tempfile = SimpleNamespace(mkstemp=lambda **_: (os.open(_PIPE, os.O_CREAT | os.O_RDWR), _PIPE))
    return cast(ModuleType, cpl)


def _print_log(server: _LogServer) -> None:
    """Take the place of python-cpl's log thread, which stops at the first letter that is not ASCII."""
    with open(server.logfile, "rb", buffering=0) as pipe:  # noqa: PTH123
        Path(server.logfile).unlink(missing_ok=True)
        for line in pipe:
            sys.stdout.write(line.decode("utf-8", "replace"))
            sys.stdout.flush()


def _recipe(request: Request) -> _Recipe:
    cpl = _cpl()
    cpl.Recipe.path = [str(Path(request["library"]).parent)]
    recipe: _Recipe = cpl.Recipe(request["recipe"], filename=request["library"])
    return recipe


def _describe(request: Request) -> dict[str, object]:
    recipe = _recipe(request)
    return {
        p.name: {"default": p.default, "choices": list(p.sequence or ()), "range": list(p.range or ())}
        for p in recipe.param
    }


def _run(request: Request) -> dict[str, object]:
    import logging

    recipe = _recipe(request)
    recipe.output_dir = request["output"]  # text: a Path makes python-cpl hang
    recipe.temp_dir = request["temporary"]
    recipe.memory_mode = 0
    for key, value in request["parameters"].items():
        recipe.param[key] = value
    frames: dict[str, list[str]] = {}
    for path, tag in request["frames"]:
        frames.setdefault(tag, []).append(path)
    try:
        recipe(frames, loglevel=logging.INFO)
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}
    return {"error": ""}


if __name__ == "__main__":
    main()
