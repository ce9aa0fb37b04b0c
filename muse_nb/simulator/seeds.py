"""Random numbers that depend on what they are for, not on who draws first."""

from __future__ import annotations

import zlib

import numpy as np

__all__ = ["generator"]


def generator(seed: int, purpose: str, *index: int) -> np.random.Generator:
    """Return the generator of one purpose, exposure, IFU...: the same whatever thread asks, in whatever order."""
    entropy = [seed, zlib.crc32(purpose.encode()), *index]
    return np.random.Generator(np.random.SFC64(np.random.SeedSequence(entropy)))
