"""``muse_nb.compare_cascade``: what the recipes made of a simulated night against its truth."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from muse_nb.core.errors import MuseError
from muse_nb.simulator.compare.masters import (
    compare_illumination,
    compare_lsf,
    compare_noise,
    compare_response,
    compare_tellurics,
    compare_traces,
    compare_wavelengths,
)
from muse_nb.simulator.compare.products import Product, find_products
from muse_nb.simulator.compare.result import Agreement, Comparison
from muse_nb.simulator.compare.science import compare_flux
from muse_nb.simulator.compare.truth import Truth

__all__ = ["QUANTITIES", "Quantity", "compare_cascade"]


class Quantity(NamedTuple):
    """What of a product is compared: a name, how far it may be off in which unit, and by what."""

    name: str
    limit: float
    unit: str
    compare: Callable[[Sequence[Product], Truth], tuple[float, str]]


QUANTITIES = {
    "MASTER_BIAS": Quantity("bias noise", 0.05, "", compare_noise),
    "TRACE_TABLE": Quantity("traces", 0.005, "pix", compare_traces),
    "WAVECAL_TABLE": Quantity("wavelengths", 0.005, "Angstrom", compare_wavelengths),
    "LSF_PROFILE": Quantity("line spread", 0.03, "", compare_lsf),
    "TWILIGHT_CUBE": Quantity("illumination", 0.01, "", compare_illumination),
    "STD_RESPONSE": Quantity("response", 0.03, "mag", compare_response),
    "STD_TELLURIC": Quantity("tellurics", 0.03, "", compare_tellurics),
    "DATACUBE_FINAL": Quantity("science flux", 0.02, "", compare_flux),
}
"""By PRO CATG."""


def compare_cascade(folder: str | Path, products: str | Path) -> Comparison:
    """Compare masters and cube with the truth of a night that `muse_nb.simulate_cascade` made.

    Parameters
    ----------
    folder
        The night's; its ``truth`` is read.
    products
        Holds what the recipes made, in any folders and by any names: PRO CATG tells what a file is, and of several of
        the same category and IFU the newest counts.

    Returns
    -------
    Comparison
        An agreement for each of `QUANTITIES`; unknown where there is no such product.

    Raises
    ------
    MuseError
        The folder holds no truth, or `products` is no folder, or a product cannot be read.

    Examples
    --------
    >>> try:
    ...     print(muse_nb.compare_cascade("night", "night/calib"))
    ... except muse_nb.MuseError as error:
    ...     print(error)  # the night of another simulation
    night/truth/frames.ecsv cannot be read ...: name the folder that muse-nb simulate --cascade wrote
    """
    folder, products = Path(folder), Path(products)
    if not products.is_dir():
        raise MuseError(f"{products} is not a folder: name that with the recipes' products")
    truth = Truth.read(folder)
    found = find_products(products, set(QUANTITIES))
    agreements = []
    for category, quantity in QUANTITIES.items():
        value, text = math.nan, f"there is no {category}"
        if category in found:
            value, text = _compared(quantity, category, found[category], truth)
        agreements.append(Agreement(quantity.name, value, quantity.limit, quantity.unit, text))
    return Comparison(folder, products, tuple(agreements))


def _compared(quantity: Quantity, category: str, products: Sequence[Product], truth: Truth) -> tuple[float, str]:
    try:
        value, text = quantity.compare(products, truth)
    except (OSError, LookupError, TypeError, ValueError) as error:
        names = ", ".join(str(one.path) for one in products)
        raise MuseError(f"{names} cannot be read as a {category} ({error}): make it again") from error
    return value, f"the {category} does not tell" if math.isnan(value) else text
