"""Sizes of the simulated instrument: from a few seconds for each exposure to the real chips."""

from __future__ import annotations

from dataclasses import dataclass

from muse_nb.core.errors import MuseError
from muse_nb.products.field import SLICES

__all__ = ["LAYOUTS", "PRESCAN", "SLICES", "Layout", "layout_named"]

PRESCAN = 32  # prescan and overscan, on every side of a quadrant [pix]


@dataclass(frozen=True)
class Layout:
    """A MUSE with fewer IFUs, shorter slices or fewer rows; spaxels are 0.2 arcsec and 1.25 Angstrom in all of them.

    Attributes
    ----------
    name
        How to ask for it.
    ifus
        IFUs that exist. They lie symmetric about the field centre, where the derotator turns.
    quadrant
        Columns and rows of one of the four quadrants of a chip [pix].
    lambda_first
        Wavelength at row 1 of a slice in the middle of its stack [Angstrom].
    spaxels
        Length of a slice on the sky [spaxel].
    width
        Length of a slice on the chip [pix].
    pitch
        Distance between slices on the chip [pix].
    mode, field, real
        As of `muse_nb.simulator.world.World`.
    spaxel
        Size of a spaxel on the sky [arcsec].
    """

    name: str
    ifus: tuple[int, ...]
    quadrant: tuple[int, int]
    lambda_first: float
    spaxels: float
    width: float
    pitch: float
    first_column: float = 16.0
    dispersion: float = 1.25
    stagger: float = 15.0
    text: str = ""
    mode: str = "WFM-NOAO-N"
    spaxel: float = 0.2
    real: bool = False
    field: str = "cluster"

    @property
    def nx(self) -> int:
        """Columns of the trimmed chip [pix]."""
        return 2 * self.quadrant[0]

    @property
    def ny(self) -> int:
        """Rows of the trimmed chip [pix]."""
        return 2 * self.quadrant[1]

    @property
    def raw_shape(self) -> tuple[int, int]:
        """Rows and columns of a raw frame, prescans and overscans included [pix]."""
        return self.ny + 4 * PRESCAN, self.nx + 4 * PRESCAN

    @property
    def lambda_last(self) -> float:
        """Wavelength at the last row [Angstrom]."""
        return self.lambda_first + self.dispersion * (self.ny - 1)

    @property
    def rows(self) -> int:
        """Approximate rows of one exposure's pixel table."""
        return round(len(self.ifus) * SLICES * self.width * self.ny)


def _layout(name: str, text: str, ifus: range, **sizes: object) -> Layout:
    return Layout(name=name, text=text, ifus=tuple(ifus), **sizes)  # type: ignore[arg-type]


LAYOUTS = {
    layout.name: layout
    for layout in (
        _layout(
            "micro",
            "15 arcsec, 6 IFUs, 6250-6730 A: a night in a minute",
            range(10, 16),
            quadrant=(544, 192),
            lambda_first=6250.0,
            spaxels=18.6,
            width=19.0,
            pitch=22.0,
        ),
        _layout(
            "mini",
            "20 arcsec, 8 IFUs, 5420-7170 A",
            range(9, 17),
            quadrant=(688, 700),
            lambda_first=5420.0,
            spaxels=25.0,
            width=25.5,
            pitch=28.0,
        ),
        _layout(
            "fov",
            "60 arcsec, 24 IFUs, 6220-6460 A",
            range(1, 25),
            quadrant=(2048, 96),
            lambda_first=6220.0,
            spaxels=75.2,
            width=76.8,
            pitch=84.0,
            first_column=24.0,
        ),
        _layout(
            "full",
            "the real chips: 60 arcsec, 24 IFUs, 4600-9740 A, 9 GB for each pixel table",
            range(1, 25),
            quadrant=(2048, 2056),
            lambda_first=4600.0,
            spaxels=75.2,
            width=76.8,
            pitch=84.0,
            first_column=24.0,
        ),
    )
}


def layout_named(name: str) -> Layout:
    """Return a layout by name; MuseError if there is none."""
    if name not in LAYOUTS:
        raise MuseError(f"there is no layout {name!r}: choose one of {', '.join(LAYOUTS)}")
    return LAYOUTS[name]
