"""Whose a temporary name is: it holds machine and process, so that the living tell the dead's from their own."""

from __future__ import annotations

import os
import platform
import re
import zlib
from secrets import token_hex

__all__ = ["abandoned", "owned_name"]

_OWNER = re.compile(r"^\.(?:part|muse_nb)-([0-9a-f]{8})\.(\d+)-")


def owned_name() -> str:
    """New name that holds this machine, or container, and this process.

    Known before anything has it: who is interrupted while making something can tell what to remove.
    """
    return f"{_machine()}.{os.getpid()}-{token_hex(4)}"


def _machine() -> str:
    return f"{zlib.crc32(platform.node().encode()):08x}"


def abandoned(name: str) -> bool:
    """Say whether a temporary name was made on this machine by a process that is gone."""
    found = _OWNER.match(name)
    if not found or found[1] != _machine():
        return False
    try:
        os.kill(int(found[2]), 0)
    except (ProcessLookupError, OverflowError):
        return True
    except PermissionError:  # another user's
        pass
    return False
