"""Some of the rows of a pixel table: enough to see what is wrong with a whole IFU, in a few megabytes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from muse_nb.products.pixtable import PixelTable

__all__ = ["sampled_rows"]

_ROWS, _BLOCKS = 4096, 128  # of a block, and how many blocks: several in each of 24 IFUs


def sampled_rows(table: PixelTable) -> Iterator[tuple[int, int]]:
    """First and last row (exclusive) of blocks spread over a table: each in another slice or at other wavelengths."""
    for start in sorted({int(at) for at in np.linspace(0, max(0, table.nrow - _ROWS), _BLOCKS)}):
        yield start, start + _ROWS
