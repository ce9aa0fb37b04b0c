"""A notebook that asks for an exposure, once for each exposure of a night; what the index says of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from muse_nb.core.errors import MuseError
from muse_nb.sharing.running.parameters import defaults
from muse_nb.sharing.running.run import read_notebook

if TYPE_CHECKING:
    from muse_nb.products.offset_list import OffsetList
    from muse_nb.steps.survey.exposures import Exposure

__all__ = ["Night", "asks_for_exposure", "exposure_columns"]


def asks_for_exposure(notebook: Path) -> bool:
    """Whether the notebook's cell tagged ``parameters`` has an ``exposure``."""
    return "exposure" in defaults(read_notebook(notebook))


@dataclass(frozen=True)
class Night:
    """The exposures that notebooks are run for.

    Attributes
    ----------
    exposures : sequence of Exposure
        In the order of time.
    offsets : OffsetList or None
        What the products hold of them.
    """

    exposures: Sequence[Exposure]
    offsets: OffsetList | None

    @classmethod
    def of(cls, notebook: Path, parameters: Mapping[str, object]) -> Night:
        """Take the folders `night` and `products` as the notebook would, relative to where it lies.

        Raises
        ------
        MuseError
            It names no night, or there are no exposures.
        """
        from muse_nb.products.offset_list import OffsetList
        from muse_nb.steps.survey.survey import survey

        values = defaults(read_notebook(notebook)) | dict(parameters)
        if not isinstance(values.get("night"), str):
            raise MuseError(f"{notebook} does not say which night: give its folder with -p night DIR")
        folder = notebook.absolute().parent
        exposures = survey(folder / values["night"]).exposures
        if not exposures:
            raise MuseError(f"{values['night']} holds no exposures: give the folder of a night with -p night DIR")
        listed = folder / str(values.get("products", ".")) / "OFFSET_LIST.fits"
        return cls(exposures, OffsetList.read(listed) if listed.is_file() else None)


def exposure_columns(exposure: Exposure, offsets: OffsetList | None) -> dict[str, float | str]:
    """Say in columns of the index which exposure it is: rotator angle, offset to the east and north."""
    columns: dict[str, float | str] = {"angle [°]": "" if exposure.posang is None else f"{exposure.posang:g}"}
    found = None if offsets is None else offsets.of(exposure.date_obs)
    if found is not None and exposure.dec is not None:
        columns["east [″]"] = round(found[0] * 3600 * float(np.cos(np.radians(exposure.dec))), 3)
        columns["north [″]"] = round(found[1] * 3600, 3)
    return columns
