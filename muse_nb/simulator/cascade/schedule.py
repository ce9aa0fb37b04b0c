"""When each frame of the night is taken: twilight, standard, field and science, then the morning's calibrations."""

from __future__ import annotations

import datetime as dt
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from muse_nb.simulator.cascade.faults import FAULTS

__all__ = ["LAMPS", "TAGS", "Frame", "schedule"]

EVENING = dt.datetime(2018, 7, 26)
MJD_ZERO = dt.datetime(1858, 11, 17)
LAMPS = {"continuum": 1, "Ne": 3, "Xe": 4, "HgCd": 5}  # number of the lamp and its shutter: INS LAMPi, SHUTi


@dataclass(frozen=True)
class _Template:
    """Frames of one TPL START; times are hours after midnight (UTC) before the night."""

    type: str
    name: str
    hours: float
    cadence: float
    exptimes: tuple[float, ...]
    lamps: tuple[str, ...] = ()


# Exposure times and the order of the night as of WFM frames in June 2017; three frames where a real night has 5 or 11.
_TEMPLATES = {
    "SKYFLAT": _Template("FLAT,SKY", "MUSE_wfm_cal_twilight", 22.58, 81.0, (7.6345, 9.4688, 11.4607)),
    "STD": _Template("STD", "MUSE_wfm_cal_std", 23.47, 0.0, (60.0,)),
    "ILLUM": _Template("FLAT,LAMP,ILLUM", "MUSE_wfm_cal_illum", 23.80, 0.0, (1.155,), ("continuum",)),
    "ASTROMETRY": _Template("ASTROMETRY", "MUSE_wfm_cal_astrom", 24.05, 0.0, (60.0,)),
    "OBJECT": _Template("OBJECT", "MUSE_wfm-noao_obs_genericoffset", 25.20, 0.0, (60.0,)),
    "DARK": _Template("DARK", "MUSE_cal_dark", 32.47, 1865.0, (1800.0,) * 3),
    "BIAS": _Template("BIAS", "MUSE_cal_bias", 34.67, 70.0, (0.0,) * 3),
    "FLAT": _Template("FLAT,LAMP", "MUSE_wfm_cal_specflat", 36.26, 82.0, (1.155,) * 3, ("continuum",) * 3),
    "ARC": _Template("WAVE", "MUSE_wfm_cal_wave", 36.53, 84.0, (1.012, 8.76, 0.539), ("HgCd", "Xe", "Ne")),
}
TAGS = tuple(_TEMPLATES)
"""Tags of the frames, in time order."""


@dataclass(frozen=True)
class Frame:
    """One raw frame.

    Attributes
    ----------
    tag
        By which a recipe knows it, as in ``SKYFLAT``.
    type
        DPR TYPE, as in ``FLAT,SKY``.
    template
        TPL ID.
    template_start
        TPL START.
    number, of
        TPL EXPNO and NEXP.
    time
        DATE-OBS (UTC).
    exptime
        [s]
    lamp
        A name in `LAMPS`, or empty.
    faults
        Names of what is wrong with it (`muse_nb.simulator.cascade.faults`).
    """

    tag: str
    type: str
    template: str
    template_start: dt.datetime
    number: int
    of: int
    time: dt.datetime
    exptime: float
    lamp: str
    faults: tuple[str, ...] = ()

    @property
    def date_obs(self) -> str:
        """DATE-OBS."""
        return self.time.isoformat(timespec="milliseconds")

    @property
    def name(self) -> str:
        """File name, as the archive's."""
        return f"MUSE.{self.date_obs}.fits"

    @property
    def mjd(self) -> float:
        """MJD-OBS [d]."""
        return round((self.time - MJD_ZERO) / dt.timedelta(days=1), 8)

    @property
    def on_sky(self) -> bool:
        """Whether stars are in it."""
        return self.tag in ("STD", "ASTROMETRY", "OBJECT")


def schedule(*, dark: bool = False, science: bool = True, faults: Sequence[str] = ()) -> list[Frame]:
    """Plan the frames of the night, in time order.

    Parameters
    ----------
    dark
        With darks.
    science
        With the science exposure and the astrometric field.
    faults
        Names of what goes wrong.
    """
    without = set() if dark else {"DARK"}
    without |= set() if science else {"OBJECT", "ASTROMETRY"}
    frames: list[Frame] = []
    for tag, template in _TEMPLATES.items():
        if tag in without:
            continue
        start = EVENING + dt.timedelta(hours=template.hours)
        start = start.replace(microsecond=0)
        time = start + dt.timedelta(seconds=19)  # lamps and telescope get ready
        for k, exptime in enumerate(template.exptimes):
            lamp = template.lamps[k] if template.lamps else ""
            wrong = tuple(name for name in faults if _concerns(name, tag, lamp, k + 1))
            stamp = time + dt.timedelta(milliseconds=zlib.crc32(f"{tag} {k}".encode()) % 1000)
            frames.append(
                Frame(
                    tag, template.type, template.name, start, k + 1, len(template.exptimes), stamp, exptime, lamp, wrong
                )
            )
            time += dt.timedelta(seconds=template.cadence)
    return frames


def _concerns(name: str, tag: str, lamp: str, number: int) -> bool:
    fault = FAULTS[name]
    return tag in fault.tags and fault.lamp in ("", lamp) and fault.number in (0, number)
