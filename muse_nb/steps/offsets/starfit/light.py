"""How the light that all exposures share tells of the offset of one of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from muse_nb.steps.offsets.starfit.arrays import Floats, Ints

__all__ = ["Drift"]


@dataclass(frozen=True)
class Drift:
    """How the shared light changes as its exposure moves.

    Attributes
    ----------
    slope : ndarray, shape (2, ny, nx)
        Its derivatives by the exposure's offset, east and north [per arcsec].
    structure : ndarray, shape (2, ny, nx)
        What of them the exposure's own sky cannot follow: that alone tells of the offset.
    excess : float
        How much more the residuals vary in cells as large as the structure than the noise of each pixel lets them: the
        share of flat fields and skies, by which the light tells less.
    """

    slope: Floats
    structure: Floats
    excess: float

    def inflate_variance(
        self, row: Ints, column: Ints, block: Floats, gradient: Floats, border: Floats
    ) -> tuple[Floats, Floats, Floats]:
        """Take the excess out of the equations of the last of the stamps, which is the light.

        Parameters
        ----------
        row, column, block
            Of `FrameEquations`; the blocks are (n, 3, 3).
        gradient, border : ndarray, shapes (n, 3) and (n, 3, 5)
            Likewise.

        Returns
        -------
        block, gradient, border
            As if the variance under the light were `excess` times as large.
        """
        last = len(gradient) - 1
        owner = np.repeat(np.arange(last + 1), np.diff(row))
        block, gradient, border = block.copy(), gradient.copy(), border.copy()
        for part in (gradient[last:], border[last:]):
            part /= self.excess
        block[(owner == last) | (column == last)] /= self.excess
        block[(owner == last) & (column == last), 0, 0] = 1.0  # it has no amplitude to be found
        return block, gradient, border
