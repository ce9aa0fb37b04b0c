"""What a night looks at and through: mode, field, an instrument as regular as a ruler or as a real one, its angles."""

from __future__ import annotations

from dataclasses import dataclass, replace

from muse_nb.core.errors import MuseError
from muse_nb.simulator.fields import FIELDS
from muse_nb.simulator.layouts import Layout
from muse_nb.simulator.plan import Pointing
from muse_nb.simulator.seeds import generator

__all__ = ["MODES", "World"]

MODES = ("WFM-NOAO-N", "WFM-NOAO-E", "WFM-AO-N", "WFM-AO-E", "NFM-AO-N")
SHARPNESS = {"WFM-NOAO": 1.0, "WFM-AO": 0.75, "NFM-AO": 0.09}  # FWHM over the seeing
NFM_SPAXEL = 0.025  # [arcsec]
MAX_WAVELENGTH_SHIFT = 0.47  # of science exposures against the morning's arcs, on a real night [Angstrom]
MOON = 8.0  # times the continuum of a dark sky
SHORT_EVERY, SHORT = 3, 6.0  # every third exposure is so many times shorter


@dataclass(frozen=True)
class World:
    """What a simulated night has; the default is the demo's.

    Attributes
    ----------
    mode
        One of `MODES`: AO modes have no light in the sodium notch and sharper stars, NFM spaxels of 0.025 arcsec.
    field
        One of `muse_nb.simulator.fields.FIELDS`.
    real
        Slices, gaps, read-out noise, bias, line spread and sky lines that scatter as on a real night, and wavelengths
        that drift away from the arcs'.
    short
        Every third exposure has a sixth of the time.
    angle
        Added to all rotator angles, in the headers too [deg].
    turned
        By how much the field is turned against what the header says, in every second exposure [deg].
    """

    mode: str = MODES[0]
    field: str = "cluster"
    real: bool = False
    short: bool = False
    angle: float = 0.0
    turned: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what there is not; MuseError."""
        if self.mode not in MODES:
            raise MuseError(f"there is no mode {self.mode!r}: choose one of {', '.join(MODES)}")
        if self.field not in FIELDS:
            raise MuseError(f"there is no field {self.field!r}: choose one of {', '.join(FIELDS)}")
        if not (abs(self.angle) <= 360 and abs(self.turned) <= 10):
            raise MuseError(f"angles {self.angle} and {self.turned} deg: choose up to 360 deg, and 10 deg turned")

    def layout(self, plain: Layout) -> Layout:
        """Give a layout this mode and field."""
        spaxel = NFM_SPAXEL if self.mode.startswith("NFM") else plain.spaxel
        return replace(plain, mode=self.mode, spaxel=spaxel, real=self.real, field=self.field)

    def pointing(self, plain: Pointing, seed: int) -> Pointing:
        """Give a planned exposure this world's angles, time, sky and sharpness."""
        if self == World():
            return plain
        random = generator(seed, "world", plain.number)
        draw = float(random.random())
        sharp = SHARPNESS[self.mode.rpartition("-")[0]]
        return replace(
            plain,
            posang=(plain.posang + self.angle) % 360,
            exptime=plain.exptime / (SHORT if self.short and plain.number % SHORT_EVERY == 1 else 1),
            seeing=plain.seeing * sharp,
            sky=plain.sky * (MOON if self.field == "moon" else 1),
            rotator=self.turned if self.turned and plain.number % 2 else plain.rotator,
            drift=MAX_WAVELENGTH_SHIFT * draw if self.real else 0.0,
        )

    @property
    def words(self) -> dict[str, object]:
        """What differs from the default, for the truth."""
        return {name: value for name, value in vars(self).items() if value != getattr(World(), name)}
