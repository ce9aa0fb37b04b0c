"""What the small archive has: names, frames, rows of its table."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from astropy.io import fits
from server import Remote, State, tree

SCIENCE = ("MUSE.2014-07-27T03:12:00.417", "MUSE.2014-07-27T03:14:30.417")
BIAS, FLAT, GEOMETRY = "MUSE.2014-07-27T10:00:00.000", "MUSE.2014-07-27T11:00:00.000", "M.MUSE.2014-06-01T00:00:00.000"
LOG = Path(__file__).with_name("night.NL.txt").read_text()
ELSEWHERE = "MUSE.2014-07-28T03:00:00.000"


def frame(dp_id: str, seed: int) -> bytes:
    """A small tile-compressed raw frame, as the archive has them."""
    primary = fits.PrimaryHDU()
    date = dp_id.removeprefix("MUSE.")
    primary.header["ARCFILE"], primary.header["DATE-OBS"] = f"{dp_id}.fits", date
    primary.header["HIERARCH ESO DPR TYPE"] = "OBJECT" if dp_id in SCIENCE else "BIAS"
    data = np.random.default_rng(seed).integers(0, 65000, (200, 300)).astype(np.uint16)
    image = fits.CompImageHDU(data, name="CHAN12", compression_type="RICE_1")
    buffer = io.BytesIO()
    fits.HDUList([primary, image]).writeto(buffer)
    return buffer.getvalue()


def row(dp_id: str, kind: str = "OBJECT", **facts: object) -> dict[str, object]:
    date = dp_id.removeprefix("MUSE.")
    return {
        "dp_id": dp_id,
        "dp_cat": "SCIENCE" if kind == "OBJECT" else "CALIB",
        "dp_type": kind,
        "ins_mode": "WFM-NOAO-N",
        "date_obs": date,
        "exp_start": f"{date}Z",
        "exposure": 60.0 if kind == "OBJECT" else 0.0,
        "access_estsize": 120,
        "release_date": "2015-07-27T00:00:00Z",
        "object": "NGC6397-core" if kind == "OBJECT" else kind,
        "target": "NGC 6397" if kind == "OBJECT" else None,
        "prog_id": "60.A-9100(C)",
        "ra": 265.17 if kind == "OBJECT" else None,
        "dec": -53.67 if kind == "OBJECT" else None,
        "instrument": "MUSE",
        **facts,
    }


def a_night() -> State:
    """Two science exposures with their calibrations and night logs, and an exposure of another field."""
    found = State()
    found.rows = [row(SCIENCE[0]), row(SCIENCE[1]), row(BIAS, "BIAS"), row(FLAT, "FLAT,LAMP")]
    found.rows.append(row(ELSEWHERE, target="NGC 63970", object="NGC63970", prog_id="60.A-91000", ra=10.0))
    for number, name in enumerate([*SCIENCE, BIAS, FLAT, GEOMETRY, ELSEWHERE]):
        found.files[name] = Remote(f"{name}.fits.fz", frame(name, number), etag=f'"{number}"')
    calibrations = [(BIAS, "BIAS"), (FLAT, "FLAT,LAMP"), (GEOMETRY, "GEOMETRY_TABLE")]
    for name in SCIENCE:
        found.associations[name] = tree(name, calibrations)
        found.links[name] = f"{name}.NL"
        found.files[f"{name}.NL"] = Remote(f"{name}.NL.txt", LOG.encode())
    return found
