"""The compiled core: C kernels for the hot loops, one source file a task, loaded once through ctypes."""

from __future__ import annotations

import ctypes
import platform
from functools import cache
from pathlib import Path

from muse_nb.kernels.signatures import declare
from muse_nb.kernels.sources import digest

__all__ = ["KernelsError", "instructions", "library"]

_HERE = Path(__file__).parent
_CORE = _HERE / "_core.so"
_BUILD = "build them with `make setup`, or `pip install .` where there is a C compiler"


class KernelsError(ImportError):
    """The compiled kernels are missing or not those of this Python code; the message is one sentence."""


@cache
def library() -> ctypes.CDLL:
    """Return the compiled kernels, loaded at the first call.

    Raises
    ------
    KernelsError
        The kernels were not built, were built for another machine, or from other C sources than those that lie here:
        their structures may differ from what Python fills in.
    """
    if not _CORE.is_file():
        raise KernelsError(f"the C kernels of muse_nb are not there: {_BUILD}")
    try:
        core = ctypes.CDLL(str(_CORE))
    except OSError as error:
        raise KernelsError(f"the C kernels of muse_nb cannot be loaded ({error}): {_BUILD}") from error
    here = digest(_HERE)
    if here and _built_from(core) != here:
        raise KernelsError(f"{_CORE} was compiled from other C sources than those in {_HERE}: {_BUILD}")
    declare(core)
    return core


def instructions() -> str:
    """Say which instructions the kernels use here; they are chosen when the program runs.

    Raises
    ------
    KernelsError
        As `library` does.
    """
    machine = platform.machine()
    widest = {512: "AVX-512", 256: "AVX2"}.get(library().vector_bits(), f"those that every {machine} processor has")
    cloned = ctypes.c_int64.in_dll(library(), "value_CLONES").value or machine != "x86_64"
    return f"{widest}, chosen at run time{'' if cloned else ' but for the smaller kernels, built for any processor'}"


def _built_from(core: ctypes.CDLL) -> str:
    """Digest of the sources; empty where the kernels are older than this."""
    try:
        told = core.kernel_sources
    except AttributeError:
        return ""
    told.restype = ctypes.c_char_p
    return str(told().decode())
