"""Primary headers of the night's raw frames."""

from __future__ import annotations

from astropy.io import fits

from muse_nb.simulator.cascade.schedule import EVENING, LAMPS, Frame
from muse_nb.simulator.headers import eso, hierarch, observation_header, raw_header
from muse_nb.simulator.layouts import Layout
from muse_nb.simulator.plan import Pointing

__all__ = ["frame_header"]

LAMP_COUNT = 6
_WARM, _COOLING = 12.6, 0.1  # inside the instrument: at the start of the night, and by the hour [deg C]


def frame_header(layout: Layout, frame: Frame, target: str = "", pointing: Pointing | None = None) -> fits.Header:
    """Primary header of a frame.

    Parameters
    ----------
    layout, frame
        What is taken, and by what.
    target
        OBJECT and OBS TARG NAME of a frame of stars.
    pointing
        Where the telescope looks; None for frames without stars.
    """
    if pointing is not None:
        header = observation_header(layout, pointing)
        header["OBJECT"] = target
        eso(header, DPR_CATG="SCIENCE" if frame.tag == "OBJECT" else "CALIB", DPR_TYPE=frame.type)
        eso(header, OBS_NAME=target, OBS_TARG_NAME=target)
    else:
        header = raw_header(layout, frame.type, frame.date_obs, frame.mjd, frame.exptime)
        eso(header, DPR_TECH="IMAGE" if frame.tag in ("BIAS", "DARK") else "IFU", OBS_NAME="Calibrations")
    start = frame.template_start.isoformat()
    header["ARCFILE"] = frame.name
    header["ORIGFILE"] = f"MUSE_{frame.tag}_{frame.number:04d}.fits"
    eso(header, TPL_ID=frame.template, TPL_START=start, TPL_NEXP=frame.of, TPL_EXPNO=frame.number, OBS_START=start)
    eso(header, INS_OPTI2_NAME=layout.mode[:3])
    temperature = _WARM - _COOLING * ((frame.time - EVENING).total_seconds() / 3600 - 22)
    for sensor, above in ((4, -2.0), (7, 0.0), (11, 0.25)):
        hierarch(header, f"INS TEMP{sensor} VAL", round(temperature + above, 2))
    _lamps(header, frame.lamp)
    return header


def _lamps(header: fits.Header, burning: str) -> None:
    """Tell of every lamp and shutter: muse_wavecal knows an arc's lamp by nothing else."""
    hierarch(header, "INS LAMPNUM", LAMP_COUNT)
    for number in range(1, LAMP_COUNT + 1):
        on = LAMPS.get(burning) == number
        hierarch(header, f"INS LAMP{number} NAME", f"CU-LAMP{number}")
        hierarch(header, f"INS LAMP{number} ST", on)
        hierarch(header, f"INS SHUT{number} NAME", f"CU-SHUT{number}")
        hierarch(header, f"INS SHUT{number} ST", on)
