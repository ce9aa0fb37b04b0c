"""A galaxy as GalPaK3D fitted it: parameters on the sky, model and rotation curve."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from muse_nb.core.html import table_html

__all__ = ["FittedGalaxy"]


@dataclass(frozen=True)
class FittedGalaxy:
    """Result of GalPaK3D.

    Attributes
    ----------
    folder : pathlib.Path
        Holds source.fits, galaxy.json, fitted.fits, galpak.log and galpak/.
    parameters : dict
        Name to (value, error, unit). ``pa``: of the receding side of the major axis, north through east.
    iterations : int
        Of the chain.
    reduced_chi2 : float
        Of its best point.
    seconds : float
        That it took; NaN where it was read from disk.
    """

    folder: Path
    parameters: dict[str, tuple[float, float, str]]
    iterations: int
    reduced_chi2: float
    seconds: float

    def __getitem__(self, name: str) -> tuple[float, float]:
        """Value and error of a parameter."""
        value, error, _ = self.parameters[name]
        return value, error

    def rotation_curve(self, radius: np.ndarray) -> np.ndarray:
        """Rotation velocity [km/s] in the disc at radii [arcsec]: tanh(radius / turnover)."""
        turnover, fastest = self["turnover_radius"][0], self["maximum_velocity"][0]
        curve: np.ndarray = fastest * np.tanh(np.asarray(radius, float) / turnover)
        return curve

    def summary(self) -> dict[str, Any]:
        """Everything as plain numbers; NaN is None."""
        rows = {
            name: {"value": _plain(value), "error": _plain(error), "unit": unit}
            for name, (value, error, unit) in self.parameters.items()
        }
        return {
            "folder": str(self.folder),
            "parameters": rows,
            "iterations": self.iterations,
            "reduced_chi2": _plain(self.reduced_chi2),
            "seconds": _plain(self.seconds),
        }

    def plot(self, axes: Any = None) -> Any:
        """Draw data, model, what is left, the spectrum and the rotation curve; return the axes."""
        from astropy.io import fits

        from muse_nb.products.spectral_axis import SpectralAxis
        from muse_nb.steps.handover.figures import plot_fit

        with fits.open(self.folder / "source.fits") as source, fits.open(self.folder / "fitted.fits") as fitted:
            header = source["DATA"].header
            data, stat, model = (
                np.array(array, float) for array in (source["DATA"].data, source["STAT"].data, fitted["MODEL"].data)
            )
        wavelength = SpectralAxis.of(header, self.folder / "source.fits").wavelengths(len(data))
        radius = np.linspace(0, 3 * self["half_light_radius"][0], 200)
        return plot_fit(data, model, stat, wavelength, header, (radius, self.rotation_curve(radius)), axes)

    def __str__(self) -> str:
        """Tell it in a table of text."""
        lines = [f"GalPaK3D, {self.iterations} iterations, reduced chi2 {self.reduced_chi2:.3f}"]
        lines += [
            f"  {name.replace('_', ' '):20s} {value:10.3f} +- {error:.3f} {unit}"
            for name, (value, error, unit) in self.parameters.items()
        ]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        rows = [
            (name.replace("_", " "), f"{value:.4g}", f"{error:.2g}", unit)
            for name, (value, error, unit) in self.parameters.items()
        ]
        head, _, _ = str(self).partition("\n")
        return f"<p>{escape(head)}</p>{table_html(('', 'value', 'error', 'unit'), rows)}"


def _plain(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
