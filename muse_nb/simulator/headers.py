"""FITS headers as the instrument's software writes them."""

from __future__ import annotations

from astropy.io import fits

from muse_nb.products.history import run_keyword
from muse_nb.simulator.atmosphere import HUMIDITY, PRESSURE, TEMPERATURE
from muse_nb.simulator.detector import GAIN, QUADRANTS, amplifiers
from muse_nb.simulator.layouts import PRESCAN, Layout
from muse_nb.simulator.plan import LATITUDE, LONGITUDE, Pointing

__all__ = [
    "calibration_header",
    "chip_header",
    "eso",
    "hierarch",
    "label",
    "lamp_header",
    "observation_header",
    "of_run",
    "raw_header",
]

PROGRAMME = "60.A-9100(C)"
TARGET = "NGC 6397"
CALIBRATION_DATE, CALIBRATION_MJD = "2014-07-26T12:00:00.000", 56864.5
# The recipes take these values for the right and upper quadrants whatever the size of the chip.
OUTPUT_X, OUTPUT_Y = (1, 4096), (1, 4112)


def hierarch(header: fits.Header, keyword: str, value: object, comment: str = "") -> None:
    """Set ``HIERARCH ESO keyword``."""
    header.set(f"HIERARCH ESO {keyword}", value, comment)


def of_run(header: fits.Header, number: int, what: str, value: object) -> None:
    """Set a keyword of a recipe that worked on the file, as ``RAW1 NAME``."""
    header.set(f"HIERARCH {run_keyword(number, what)}", value)


def eso(header: fits.Header, **keywords: object) -> fits.Header:
    """Set ESO keywords given with underscores for spaces; return the header."""
    for keyword, value in keywords.items():
        hierarch(header, keyword.replace("_", " "), value)
    return header


def label(date_obs: str) -> str:
    """Name of an exposure in files and folders: DATE-OBS without colons and fraction."""
    return date_obs.split(".")[0].replace(":", "")


def _origin() -> fits.Header:
    header = fits.Header()
    header["ORIGIN"], header["TELESCOP"], header["INSTRUME"] = "ESO-PARANAL", "ESO-VLT-U4", "MUSE"
    return header


def _start(date: str, mjd: float, exptime: float, ra: float, dec: float) -> fits.Header:
    header = _origin()
    header["OBSERVER"], header["PI-COI"] = "SIMULATED", "SIMULATED"
    header["RA"] = (ra, "[deg] pointing")
    header["DEC"] = (dec, "[deg] pointing")
    header["EQUINOX"], header["RADECSYS"] = 2000.0, "FK5"
    header["EXPTIME"] = (exptime, "[s] integration time")
    header["MJD-OBS"], header["DATE-OBS"], header["DATE"] = mjd, date, date
    return header


def observation_header(layout: Layout, pointing: Pointing) -> fits.Header:
    """Primary header of a raw science frame."""
    header = _start(pointing.date_obs, pointing.mjd, pointing.exptime, pointing.ra, pointing.dec)
    header["OBJECT"] = TARGET
    header["UTC"] = (round(pointing.mjd % 1 * 86400, 3), "[s] at start")
    header["LST"] = (round(pointing.lst * 240, 3), "[s] at start")
    header["ARCFILE"] = f"MUSE.{pointing.date_obs}.fits"
    header["ORIGFILE"] = f"MUSE_WFM_OBS_{pointing.number + 1:04d}.fits"
    eso(header, DPR_CATG="SCIENCE", DPR_TYPE="OBJECT", DPR_TECH="IFU")
    eso(header, OBS_ID=1, OBS_NAME=f"{TARGET} wobble", OBS_PROG_ID=PROGRAMME, OBS_TARG_NAME=TARGET)
    eso(header, OBS_START=pointing.date_obs[:19])
    eso(header, TPL_ID="MUSE_wfm-noao_obs_genericoffset", TPL_START=pointing.date_obs[:19])
    eso(header, TPL_NEXP=1, TPL_EXPNO=1)
    _read_out(header, layout)
    eso(header, INS_MODE=layout.mode, INS_DROT_POSANG=pointing.posang, INS_DROT_MODE="SKY")
    eso(header, INS_DROT_START=pointing.posang, INS_DROT_END=pointing.posang)
    eso(header, INS_TEMP13_VAL=TEMPERATURE, INS_TEMP14_VAL=TEMPERATURE)
    both: dict[str, object] = {
        "TEL AIRM": round(pointing.airmass, 5),
        "TEL PARANG": round(pointing.parang, 4),
        "TEL AMBI FWHM": round(pointing.seeing, 2),
        "TEL AMBI PRES": PRESSURE,
    }
    for keyword, value in both.items():
        hierarch(header, f"{keyword} START", value)
        hierarch(header, f"{keyword} END", value)
    eso(header, TEL_ALT=round(pointing.altitude, 4), TEL_AZ=round(pointing.azimuth, 4))
    eso(header, TEL_AMBI_TEMP=TEMPERATURE, TEL_AMBI_RHUM=HUMIDITY)
    eso(header, TEL_IA_FWHM=round(pointing.seeing, 2), TEL_IA_FWHMLIN=round(pointing.seeing, 2))
    eso(header, TEL_GEOELEV=2648.0, TEL_GEOLAT=LATITUDE, TEL_GEOLON=LONGITUDE)
    return header


def _read_out(header: fits.Header, layout: Layout) -> None:
    eso(header, DET_READ_CURID=1, DET_READ_CURNAME="SCI1.0", DET_CHIPS=len(layout.ifus))
    hierarch(header, "DET DEV1 OP-MODE", "NORMAL")


def chip_header(layout: Layout, ifu: int, *, overscan: bool = True) -> fits.Header:
    """Header of one IFU's chip; the products' headers are without the pre- and overscan."""
    header = fits.Header()
    header["EXTNAME"] = f"CHAN{ifu:02d}"
    eso(header, DET_CHIP_DATE="2010-09-01", DET_CHIP_ID=f"SIM{ifu:02d}", DET_CHIP_INDEX=ifu, DET_CHIP_LIVE=True)
    eso(header, DET_CHIP_NAME=f"SIM-{ifu:02d}", DET_CHIP_NX=layout.nx, DET_CHIP_NY=layout.ny)
    eso(header, DET_CHIP_PSZX=15.0, DET_CHIP_PSZY=15.0, DET_CHIP_X=1, DET_CHIP_Y=1)
    eso(header, DET_BINX=1, DET_BINY=1, DET_OUTPUTS=4)
    noise, _ = amplifiers(layout, ifu)
    for k, (right, top) in enumerate(QUADRANTS):
        values: dict[str, object] = {
            "CHIP": ifu, "CONAD": GAIN[k], "GAIN": GAIN[k], "ID": "EFGH"[k], "INDEX": k + 1, "NAME": "EFGH"[k],
            "NX": layout.quadrant[0], "NY": layout.quadrant[1], "RON": noise[k],
            "X": OUTPUT_X[right], "Y": OUTPUT_Y[top],
        }  # fmt: skip
        if overscan:
            values |= dict.fromkeys(("OVSCX", "OVSCY", "PRSCX", "PRSCY"), PRESCAN)
        for keyword, value in values.items():
            hierarch(header, f"DET OUT{k + 1} {keyword}", value)
    return header


def calibration_header(layout: Layout, category: str, name: str, ifu: int | None = None) -> fits.Header:
    """Primary header of a calibration product."""
    header = _start(CALIBRATION_DATE, CALIBRATION_MJD, 0.0, 0.0, 0.0)
    header["OBJECT"] = category
    header["PIPEFILE"] = name
    eso(header, OBS_PROG_ID=PROGRAMME, INS_MODE=layout.mode, INS_DROT_POSANG=0.0, INS_DROT_MODE="SKY")
    _read_out(header, layout)
    eso(header, PRO_CATG=category, PRO_TYPE="REDUCED", PRO_TECH="IFU", PRO_SCIENCE=False)
    of_run(header, 1, "ID", "muse_nb.simulate")
    of_run(header, 1, "PIPE ID", "muse_nb")
    if ifu:
        header.update(chip_header(layout, ifu, overscan=False))
    return header


def lamp_header(layout: Layout) -> fits.Header:
    """Primary header of the raw illumination flat."""
    header = raw_header(layout, "FLAT,LAMP,ILLUM", "2014-07-27T03:05:00.000", 56865.12847222, 0.35)
    eso(header, TPL_ID="MUSE_wfm_cal_illum", TPL_START="2014-07-27T03:05:00", TPL_NEXP=1, TPL_EXPNO=1)
    return header


def raw_header(layout: Layout, kind: str, date: str, mjd: float, exptime: float) -> fits.Header:
    """Primary header of a raw calibration of DPR TYPE `kind` that does not look at the sky."""
    header = _start(date, mjd, exptime, 0.0, 0.0)
    header["OBJECT"] = kind
    eso(header, DPR_CATG="CALIB", DPR_TYPE=kind, DPR_TECH="IFU", OBS_PROG_ID=PROGRAMME)
    _read_out(header, layout)
    eso(header, INS_MODE=layout.mode, INS_DROT_POSANG=0.0, INS_DROT_MODE="STAT")
    return eso(header, INS_TEMP13_VAL=TEMPERATURE, INS_TEMP14_VAL=TEMPERATURE)
