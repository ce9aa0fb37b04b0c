"""The compiled core: C kernels for the hot loops, one source file a task, loaded once through ctypes."""

from __future__ import annotations

import ctypes
from functools import cache

__all__ = ["library"]


@cache
def library() -> ctypes.CDLL:
    """Return the compiled kernels, loaded at the first call.

    Raises
    ------
    ImportError
        The extension was not built; ``pip install .`` builds it and needs a C compiler.
    """
    from muse_nb.kernels import _core  # type: ignore[attr-defined]

    return ctypes.CDLL(_core.__file__)
