"""The compiled core: C kernels for the hot loops, one source file a task, loaded once through ctypes."""

from __future__ import annotations

import ctypes
from functools import cache
from importlib.util import find_spec

__all__ = ["library"]


@cache
def library() -> ctypes.CDLL:
    """Return the compiled kernels, loaded at the first call.

    Raises
    ------
    ImportError
        The kernels were not built; ``pip install .`` builds them and needs a C compiler.
    """
    spec = find_spec("muse_nb.kernels._core")
    if spec is None or spec.origin is None:
        raise ImportError("the C kernels are not built: run `pip install .` where there is a C compiler")
    return ctypes.CDLL(spec.origin)
