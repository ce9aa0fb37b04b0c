"""A source that was handed over: its files, what they are made of, and whether it is fit to be modelled."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from muse_nb.core.html import Shown, findings_html, table_html
from muse_nb.core.text import printable
from muse_nb.steps.handover.checks import Check

__all__ = ["HandOver"]


@dataclass(frozen=True)
class HandOver(Shown):
    """A source in files that GalPaK3D takes.

    Attributes
    ----------
    folder : pathlib.Path
        Holds `subcube` (DATA, STAT), `script` and source.json.
    cube : pathlib.Path
        What it was cut out of.
    subcube, script : pathlib.Path
    line : str
    redshift : float
    observed : tuple of float
        Wavelengths of the line in the cube's medium [Angstrom].
    medium : str
        ``air`` or ``vacuum``.
    ra, dec : float
        [deg]
    x, y : float
        Place of the source in the subcube [pixel, from 1].
    psf_fwhm, psf_beta : float
        Moffat at that wavelength [arcsec].
    psf_source, lsf_source : str
        Where they come from.
    lsf : float
        FWHM [Angstrom].
    inflation : float
        What STAT was multiplied by, for scatter and shared noise.
    checks : tuple of Check
        The sanity table.
    notes : tuple of str
        What to know of it, a sentence each.
    """

    folder: Path
    cube: Path
    subcube: Path
    script: Path
    line: str
    redshift: float
    observed: tuple[float, ...]
    medium: str
    ra: float
    dec: float
    x: float
    y: float
    psf_fwhm: float
    psf_beta: float
    psf_source: str
    lsf: float
    lsf_source: str
    inflation: float
    checks: tuple[Check, ...]
    notes: tuple[str, ...] = ()

    @property
    def findings(self) -> tuple[str, ...]:
        """What speaks against a model of it, a sentence each."""
        return tuple(check.text for check in self.checks if check.good is False)

    def summary(self) -> dict[str, Any]:
        """Everything as plain numbers and text, as ``muse-nb source --json`` prints it; NaN is None."""
        facts = {name: _plain(value) for name, value in vars(self).items() if name != "checks"}
        checks = [{name: _plain(value) for name, value in asdict(check).items()} for check in self.checks]
        return facts | {"checks": checks, "findings": list(self.findings)}

    def plot(self, axes: Any = None) -> Any:
        """Draw the line's image and its spectrum; return the axes."""
        from muse_nb.products.cube_file import CubeFile
        from muse_nb.steps.handover.figures import plot_source

        opened = CubeFile.open(self.subcube)
        data = np.array([np.array(plane, float) for plane in opened.planes()])
        stat = np.array([np.array(plane, float) for plane in opened.planes("STAT")])
        wavelength = opened.axis.wavelengths(opened.shape[0])
        return plot_source(data, stat, wavelength, self.observed, opened.header, axes)

    def __str__(self) -> str:
        """Tell it in a few lines."""
        at = " and ".join(f"{value:.1f}" for value in self.observed)
        lines = [
            f"{self.line} at z = {self.redshift:g}, {at} Angstrom ({self.medium}), in {self.subcube}",
            f"PSF: FWHM {self.psf_fwhm:.3f} arcsec, beta {self.psf_beta:.2f} ({self.psf_source})",
            f"LSF: FWHM {self.lsf:.2f} Angstrom ({self.lsf_source})",
            *(f"{_MARK[check.good]} {check.name}: {check.text}" for check in self.checks),
            *(f"note: {note}" for note in self.notes),
            f"next: python {self.script}",
        ]
        return "\n".join(printable(line) for line in lines)

    def _repr_html_(self) -> str:
        rows = [(_MARK[check.good], check.name, check.text) for check in self.checks]
        head, _, _ = str(self).partition("\n" + _MARK[self.checks[0].good] + " ")
        tail = "".join(f"<p>{escape(note)}</p>" for note in self.notes)
        return f"<pre>{escape(head)}</pre>{findings_html(self.findings)}{table_html(('', 'check', ''), rows)}{tail}"


_MARK = {True: "ok", False: "!!", None: "??"}


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value
