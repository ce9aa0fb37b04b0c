"""Star widths over the field where rotators were off: combined with and without ROTANGLE, and by muse_exp_combine.

python -m benchmarks turned [--figure docs/rotation.png]

Three exposures of a field of an arcminute, a few planes of wavelength, whose fields are turned by 0, 0.2 and -0.3
degrees though their headers say nothing of it, beside the same three unturned.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import warnings
from pathlib import Path
from shutil import which

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray
from scipy.optimize import least_squares

from muse_nb import OffsetList, combine, simulate
from muse_nb.products.pixtable import PixelTable, write_pixtable
from muse_nb.simulator.reduction import native_spherical

ANGLES = (0.0, 0.2, -0.3)  # deg, true minus header, from north towards east
SIDE, STEP, BETA, FWHM = 300, 0.2, 2.5, 0.7  # spaxels; arcsec; of the stars' Moffat, arcsec
POSANG = (7.3, 19.1, 31.7)  # deg more than planned: no exposure's spaxels lie on the cube's or on another's
PLANES = 6900.0 + 1.25 * np.arange(5)  # Angstrom
GAP = 40  # spaxels between stars
STAMP = 12  # half width of what is fitted [spaxel]


def stars() -> NDArray:
    """East and north of the stars [arcsec], none on the same place of its spaxel."""
    side = np.arange(-SIDE / 2 + 18, SIDE / 2 - 10, GAP)
    grid = np.stack(np.meshgrid(side, side), -1).reshape(-1, 2)
    return STEP * (grid + np.random.default_rng(1).uniform(-0.5, 0.5, grid.shape))


def turn(angle: float) -> NDArray:
    """Matrix that turns (east, north) from north towards east [deg]."""
    a = np.radians(angle)
    return np.array([[np.cos(a), np.sin(a)], [-np.sin(a), np.cos(a)]])


def table(model: Path, path: Path, number: int, angle: float) -> Path:
    """Write a pixel table whose positions follow its header while the field is turned by `angle`."""
    header = fits.getheader(model)
    posang = header["ESO INS DROT POSANG"] = float(header["ESO INS DROT POSANG"]) + POSANG[number]
    middle = (SIDE - 1) / 2
    y, x = (axis.ravel().astype(float) for axis in np.mgrid[:SIDE, :SIDE])
    sky = STEP * np.c_[middle - x, y - middle] @ turn(posang).T @ turn(angle).T
    core = FWHM / 2 / np.sqrt(2 ** (1 / BETA) - 1)
    light = sum((1 + ((sky - star) ** 2).sum(1) / core**2) ** -BETA for star in stars())
    phi, theta = native_spherical(x, y, np.array([middle, middle]), posang)
    rows = {"xpos": phi, "ypos": theta, "data": 1e4 * light, "dq": 0 * phi, "stat": 1 + 0 * phi, "origin": 0 * phi}
    kinds = {"dq": np.int32, "origin": np.int32}
    columns = {name: np.tile(column, len(PLANES)).astype(kinds.get(name, np.float32)) for name, column in rows.items()}
    columns["lambda"] = np.repeat(PLANES, len(x)).astype(np.float32)
    limits = {"X": phi, "Y": theta, "LAMBDA": PLANES}
    for axis, values in limits.items():
        for end, value in (("LOW", values.min()), ("HIGH", values.max())):
            header[f"HIERARCH ESO DRS MUSE PIXTABLE LIMITS {axis} {end}"] = float(value)
    opened = PixelTable.open(model)
    units = {name: column.unit for name, column in opened.columns.items()}
    write_pixtable(path, header, {name: columns[name] for name in opened.columns}, units, force=True)
    return path


def widths(cube: Path) -> NDArray:
    """Distance from the centre and FWHM [arcsec] of every star in the middle plane, by a fit of a Moffat."""
    with fits.open(cube) as opened:
        image, header = opened["DATA"].data[2].astype(float), opened["DATA"].header
    found = []
    for east, north in stars():
        x, y = header["CRPIX1"] - 1 - east / STEP, header["CRPIX2"] - 1 + north / STEP
        j, i = round(y), round(x)
        part = image[j - STAMP : j + STAMP + 1, i - STAMP : i + STAMP + 1]
        scale = (2 ** (1 / BETA) - 1) * (2 * STEP / FWHM) ** 2
        start = [np.nanmax(part), STAMP + x - i, STAMP + y - j, scale, scale, 0.0, BETA, 0.0]
        p = least_squares(_left, start, args=(part,), x_scale=np.maximum(np.abs(start), 0.1)).x
        area = 1 / np.sqrt(max(p[3] * p[4] - p[5] ** 2 / 4, 1e-9))
        found.append((np.hypot(east, north), 2 * STEP * np.sqrt(area * (2 ** (1 / p[6]) - 1))))
    return np.array(found)


def _left(p: NDArray, part: NDArray) -> NDArray:
    """What a Moffat leaves of a stamp."""
    y, x = np.indices(part.shape)
    core = 1 + p[3] * (x - p[1]) ** 2 + p[4] * (y - p[2]) ** 2 + p[5] * (x - p[1]) * (y - p[2])
    return (p[0] * np.maximum(core, 1e-3) ** -p[6] + p[7] - part)[np.isfinite(part)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--figure", help="draw the widths and the sign to this file")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        night = simulate(folder / "night", 3, "micro", raw=False, products=True)
        models = sorted(night.reduced["PIXTABLE_REDUCED"])
        dates = tuple(str(fits.getheader(model)["DATE-OBS"]) for model in models)
        at = [(fits.getheader(model)["RA"], fits.getheader(model)["DEC"]) for model in models]
        offsets = [tuple(pointing[axis] - at[0][axis] for pointing in at) for axis in (0, 1)]  # none has a dither
        listed = OffsetList(dates, (0.0,) * 3, *offsets, (np.nan,) * 3, ANGLES)
        plain = OffsetList(dates, (0.0,) * 3, *offsets, (np.nan,) * 3)
        right = [table(model, folder / f"right-{n}.fits", n, 0.0) for n, model in enumerate(models)]
        off = [table(model, folder / f"off-{n}.fits", n, ANGLES[n]) for n, model in enumerate(models)]
        runs = {"not turned": (right, plain, "stream"), "turned, ROTANGLE applied": (off, listed, "stream")}
        if which("esorex"):
            runs["turned, by muse_exp_combine"] = off, listed, "eso"
        else:
            runs["turned, without ROTANGLE"] = off, plain, "stream"
        found = {}
        for label, (tables, given, engine) in runs.items():
            cube = folder / f"{len(found)}.fits"
            combine(tables, given, output=cube, engine=engine, crsigma=0, checks=False)
            found[label] = widths(cube)
    whole = found["not turned"]
    for label, measured in found.items():
        ratio = measured[:, 1] / whole[:, 1]
        edge = whole[:, 0] > 30
        print(f"{label:28s} FWHM {np.median(measured[:, 1]):.4f} arcsec, over that of unturned: {ratio.mean():.4f}")
        text = f"beyond 30 arcsec {ratio[edge].mean():.4f}, at most {ratio.max():.4f}, at least {ratio.min():.4f}"
        print(f"{'':28s} {text}")
    if args.figure:
        draw(found, Path(args.figure))


def draw(found: dict[str, NDArray], path: Path) -> None:
    """Widths against the distance from the centre, and what a positive angle means."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.6), layout="constrained", width_ratios=(1.5, 1))
    for (label, measured), marker, colour in zip(found.items(), "os^", ("#0072b2", "#009e73", "#d55e00"), strict=True):
        left.plot(
            *measured.T, marker, ms=5, color=colour, label=label, alpha=0.8, mfc="none" if marker == "o" else colour
        )
    left.set(xlabel="distance from the field's centre [arcsec]", ylabel="FWHM in the combined cube [arcsec]")
    left.set_title("Exposures turned by 0, 0.2 and −0.3 deg, combined", fontsize=11)
    left.legend(frameon=False)
    angle, corners = 12.0, 25 * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1], [-1, -1]])
    for shown, colour, label in ((0.0, "#999999", "where the header puts them"), (angle, "#0072b2", "where they are")):
        right.plot(*(corners @ turn(shown).T).T, "-", color=colour, lw=1.5)
        spots = np.array([[18, 14], [-12, 18], [-20, -6], [8, -18], [0, 12]]) @ turn(shown).T
        right.plot(*spots.T, "*", color=colour, ms=10, label=label)
    sweep = np.radians(np.linspace(0, angle, 30))
    right.annotate("", 31 * np.array([np.sin(sweep[-1]), np.cos(sweep[-1])]), (0, 31), arrowprops={"arrowstyle": "->"})
    right.text(6, 36, "ROTANGLE > 0", ha="center")
    right.plot(0, 0, "k+", ms=10)
    right.text(0, -4, "RA, DEC of the header", ha="center", va="top", fontsize=8)
    right.set(xlim=(38, -38), ylim=(-38, 42), xlabel="east [arcsec]", ylabel="north [arcsec]", aspect="equal")
    right.set_title("The sign", fontsize=11)
    right.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.5, -0.36), fontsize=8, ncols=2)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    sys.exit(main())
