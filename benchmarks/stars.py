"""Spectra of all stars of a crowded cube: errors, bias, time and memory, beside apertures and photutils.

python -m benchmarks stars [--quick] [--only full|night] [--planes N]

A cube of the whole range (320 x 320 x 3681, 1500 stars; with --quick 160 x 160 x 400, 250 stars) whose truth is known,
and a simulated cluster in 4 exposures (60 arcsec; with --quick 15 arcsec) that were combined: by muse_exp_combine where
ESO's recipes are installed, else by the project's own engine. The places are a catalogue's. Beside it, on a hundredth
of the planes, sums in apertures, and photutils' PSF photometry where that is installed.
"""

from __future__ import annotations

import argparse
import importlib.util
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from shutil import which

import numpy as np
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS
from numpy.typing import NDArray
from scipy import fft, ndimage

from muse_nb import StarSpectra, combine, measure_offsets, simulate
from muse_nb.core.robust import mad_sigma
from muse_nb.products.cube_file import CubeFile
from muse_nb.simulator.fields import draw_field
from muse_nb.simulator.scene import CENTRE
from muse_nb.simulator.spectra import cool_star, sky_continuum, sky_lines, warm_star
from muse_nb.steps.stars.fit.profile import Profile, stamps_of

Array = NDArray[np.float64]
SPAXEL, FIRST, STEP = 0.2, 4750.0, 1.25
FWHM, BETA = 0.8 / SPAXEL, 2.6  # spaxels at 7000 Angstrom
DRIFT = (0.25, -0.15)  # spaxels from end to end
FINE, NODES = 4, 12  # pixels in a spaxel; wavelengths at which the stars are drawn
SHARED = np.array([0.13, 0.74, 0.13])  # what a voxel's noise is mixed of along each axis
GAIN = 0.5  # variance of light, over light
MARGIN = 12  # spaxels beyond the field with stars


@dataclass(frozen=True)
class Truth:
    """Stars of a cube: names, sky [deg], flux by plane (K, planes)."""

    name: list[str]
    ra: Array
    dec: Array
    flux: Array


def drawn(x: Array, y: Array, flux: Array, wave: float, side: int) -> Array:
    """Stars at one wavelength, by Fourier transforms of a fine image."""
    size = fft.next_fast_len((side + 2 * MARGIN) * FINE)
    image = np.zeros((size, size))
    at_x, at_y = ((v + MARGIN) * FINE for v in (x, y))
    i, j = np.floor(at_x).astype(int), np.floor(at_y).astype(int)
    for dj in (0, 1):
        for di in (0, 1):
            share = (1 - np.abs(at_x - i - di)) * (1 - np.abs(at_y - j - dj))
            np.add.at(image, (j + dj, i + di), flux * share)
    reach = np.minimum(np.arange(size), size - np.arange(size))
    core2 = (FWHM * (wave / 7000) ** -0.2 * FINE / 2) ** 2 / (2 ** (1 / BETA) - 1)
    moffat = (1 + (reach[:, None] ** 2 + reach**2) / core2) ** -BETA * (BETA - 1) / (np.pi * core2)
    f = fft.fftfreq(size)
    box = np.sinc(f * FINE)
    made = fft.irfft2(fft.rfft2(image) * fft.rfft2(moffat) * (box[:, None] * box[: size // 2 + 1]), s=image.shape)
    inner = slice(MARGIN * FINE, (MARGIN + side) * FINE, FINE)
    return made[inner, inner] * FINE**2


def full_cube(path: Path, side: int, planes: int, number: int) -> Truth:
    """Write the cube whose truth is known."""
    random = np.random.default_rng(1)
    wave = FIRST + STEP * np.arange(planes) * (3680 / (planes - 1))
    half = (side / 2 + MARGIN - 2) * SPAXEL
    stars, _ = draw_field("cluster", 1.5 * half, 1)
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval, wcs.wcs.crpix = ("RA---TAN", "DEC--TAN"), CENTRE, (side / 2, side / 2)
    wcs.wcs.cd = np.array([[-SPAXEL, 0], [0, SPAXEL]]) / 3600
    x, y = wcs.wcs_world2pix(stars["ra"], stars["dec"], 0)
    near = (np.abs(x - side / 2) < half / SPAXEL) & (np.abs(y - side / 2) < half / SPAXEL)
    near &= random.random(len(x)) < number / max(1, int(near.sum()))
    x, y, stars = x[near], y[near], stars[near]
    warm = np.asarray(stars["warm"])[:, None]
    flux = np.asarray(stars["flux"])[:, None] * (warm * warm_star(wave) + (1 - warm) * cool_star(wave))
    nodes = np.linspace(wave[0], wave[-1], NODES)
    images = []
    for node in nodes:
        at = (node - wave[0]) / (wave[-1] - wave[0]) - 0.5
        place = x + DRIFT[0] * at, y + DRIFT[1] * at
        shares = np.asarray(stars["flux"]) * warm[:, 0], np.asarray(stars["flux"]) * (1 - warm[:, 0])
        images.append([drawn(*place, share, node, side).astype("f4") for share in shares])
    sky = 4 * (sky_continuum(wave) + 0.1 * sky_lines(wave))
    header = fits.Header(wcs.to_header())
    for key in [key for key in header if key.startswith(("PC", "CDELT"))]:
        del header[key]
    header.update({"CD1_1": -SPAXEL / 3600, "CD2_2": SPAXEL / 3600, "CD1_2": 0.0, "CD2_1": 0.0, "CTYPE3": "AWAV"})
    header.update({"CUNIT3": "Angstrom", "CRPIX3": 1.0, "CRVAL3": wave[0], "CD3_3": wave[1] - wave[0]})
    header["BUNIT"] = "10**(-20)*erg/s/cm**2/Angstrom"
    parts = [path.with_suffix(f".{name}") for name in ("DATA", "STAT")]
    norm = (SHARED**2).sum()
    with parts[0].open("wb") as data, parts[1].open("wb") as stat:
        for k in range(planes):
            at = np.clip(np.searchsorted(nodes, wave[k]) - 1, 0, NODES - 2)
            share = (wave[k] - nodes[at]) / (nodes[at + 1] - nodes[at])
            kinds = [(1 - share) * images[at][kind] + share * images[at + 1][kind] for kind in (0, 1)]
            light = warm_star(wave[k : k + 1]) * kinds[0] + cool_star(wave[k : k + 1]) * kinds[1]
            variance = GAIN * (light + 25 * sky[k]) + 60
            noise = random.standard_normal((side, side), np.float32)
            for axis in (0, 1):
                noise = ndimage.correlate1d(noise, SHARED / np.sqrt(norm), axis=axis, mode="wrap")
            data.write((light + np.sqrt(variance) * noise).astype(">f4").tobytes())
            stat.write(variance.astype(">f4").tobytes())
    fits.PrimaryHDU().writeto(path)
    with path.open("ab") as file:
        for part in parts:
            shape = [("NAXIS", 3), ("NAXIS1", side), ("NAXIS2", side), ("NAXIS3", planes), ("PCOUNT", 0), ("GCOUNT", 1)]
            begin = [("XTENSION", "IMAGE"), ("BITPIX", -32), *shape, ("EXTNAME", part.suffix[1:])]
            file.write(fits.Header([*begin, *header.items()]).tostring().encode())
            with part.open("rb") as source:
                while piece := source.read(1 << 24):
                    file.write(piece)
            file.write(b"\0" * (-part.stat().st_size % 2880))
            part.unlink()
    inside = (x > 0) & (y > 0) & (x < side - 1) & (y < side - 1)
    names = [str(n) for n in np.asarray(stars["star"])]
    kept = np.flatnonzero(inside)
    return Truth([names[k] for k in kept], *(np.asarray(stars[n])[kept] for n in ("ra", "dec")), flux[kept])


def night_cube(folder: Path, layout: str) -> tuple[Path, Truth, str]:
    """A simulated cluster, combined from 4 exposures."""
    simulate(folder / "night", exposures=4, layout=layout, products=True, raw=False)
    found = [sorted((folder / "night").rglob(f"{name}*.fits")) for name in ("IMAGE_FOV", "PIXTABLE_REDUCED")]
    offsets = folder / "OFFSET_LIST.fits"
    measure_offsets(found[0]).write(offsets)
    recipes = which("esorex") is not None and importlib.util.find_spec("cpl") is not None
    path = folder / "NIGHT.fits"
    combine(found[1], offsets=offsets, output=path, engine="eso" if recipes else "stream")
    stars = Table.read(folder / "night" / "truth" / "stars.ecsv")
    cube = CubeFile.open(path)
    wave, warm = cube.axis.wavelengths(cube.shape[0]), np.asarray(stars["warm"])[:, None]
    flux = np.asarray(stars["flux"])[:, None] * (warm * warm_star(wave) + (1 - warm) * cool_star(wave))
    sky = (np.asarray(stars[name]) for name in ("ra", "dec"))
    return path, Truth([str(n) for n in stars["star"]], *sky, flux), "muse_exp_combine" if recipes else "own engine"


def extracted(path: Path, truth: Truth, folder: Path) -> tuple[StarSpectra, float, float]:
    """Spectra by the command, in a process of its own: seconds of CPU, and MB at most."""
    catalogue, out = folder / "known.ecsv", folder / "STARS.fits"
    Table({"ID": truth.name, "ra": truth.ra, "dec": truth.dec}).write(catalogue, overwrite=True)
    code = (
        "import resource, sys; from muse_nb.cli import main; status = main(sys.argv[1:]);"
        "used = resource.getrusage(resource.RUSAGE_SELF);"
        "most = [line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')][0];"
        "print('USED', used.ru_utime + used.ru_stime, most); sys.exit(status)"
    )
    words = ["stars", str(path), "--catalogue", str(catalogue), "-o", str(out), "--force"]
    ended = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True)
    if ended.returncode:
        raise SystemExit(ended.stderr)
    print(*(f"  {line}" for line in ended.stdout.splitlines() if not line.startswith("USED")), sep="\n")
    cpu, memory = ended.stdout.splitlines()[-1].split()[1:]
    return StarSpectra.read(out), float(cpu), float(memory) / 1024


def bound(path: Path, found: StarSpectra) -> Array:
    """Error of each star's flux in a middle plane, alone, its profile and the background known: (K,)."""
    cube = CubeFile.open(path)
    k = cube.shape[0] // 2
    variance = cube.plane(k, "STAT")
    beta = float(np.interp(found.wavelength[k], found.psf["wavelength"], found.psf["beta"]))
    width = float(np.interp(found.wavelength[k], found.psf["wavelength"], found.psf["fwhm"])) / SPAXEL
    x, y = (np.asarray(found.stars[name]) - 1 for name in ("x", "y"))
    stamps = stamps_of(x, y, np.full(len(x), 4 * width), Profile.of_width(width, beta), variance.shape)
    wide = np.full(stamps.shape, np.inf)
    wide[:, : variance.shape[1]] = np.where(variance > 0, variance, np.inf)
    alone = np.array([(p.astype(float) ** 2 / wide[place]).sum() for p, place in map(stamps.image_of, range(len(x)))])
    return 1 / np.sqrt(np.maximum(alone, 1e-300))


def told(name: str, path: Path, found: StarSpectra, truth: Truth, shared: float) -> None:
    """Print pulls, errors over the bound, and bias, by how crowded and how bright stars are."""
    row = {star: k for k, star in enumerate(truth.name)}
    flux = truth.flux[[row[star] for star in found.stars["id"]]]
    value = np.where(found.mask, np.nan, found.flux).astype(float)
    error, quality = found.error.astype(float), np.asarray(found.stars["quality"])
    crowding, alone = np.asarray(found.stars["crowding"]), bound(path, found) * shared
    snr = np.nanmedian(flux / error, axis=1)
    known = (quality & 20) == 0
    scale = 1.0
    if name != "full":  # the night's calibration is its own
        scale = float(np.median(np.nanmedian(value / flux, axis=1)[known & (snr > 20) & (crowding < 1.2)]))
    flux = flux * scale
    middle = flux.shape[1] // 2
    near = slice(max(0, middle - 20), middle + 20)
    pull = (value - flux) / error
    head = ("stars", 26), ("S/N", 8), ("n", 5), ("pull", 6), ("error/bound", 12), ("mean flux off", 18), ("mag pull", 9)
    print(" ", *(f"{word:>{wide}s}" for word, wide in head))
    sums = np.nansum(np.where(np.isfinite(value), flux, np.nan), axis=1)
    off = np.nansum(value, axis=1) / sums - 1
    magnitude = np.asarray(found.stars["mag_err_white"]) * np.log(10) / 2.5
    for kind, chosen in (
        ("isolated", known & (crowding < 1.1)),
        ("blended, 1.1 to 1.3", known & (crowding >= 1.1) & (crowding < 1.3)),
        ("blended, above 1.3", known & (crowding >= 1.3)),
    ):
        for low, high in ((3, 8), (8, 30), (30, 100), (100, 1e6)):
            s = np.flatnonzero(chosen & (snr >= low) & (snr < high))
            if len(s) < 4:
                continue
            actual = np.nanmedian([mad_sigma((value - flux)[k, near]) / alone[k] for k in s])
            print(
                f"  {kind:26s} {f'{low:g}-{high:g}':>8s} {len(s):5d} {mad_sigma(pull[s]):6.2f} {actual:12.2f}"
                f" {100 * np.median(off[s]):7.2f} +- {125 * np.std(off[s]) / np.sqrt(len(s)):4.2f} %"
                f" {mad_sigma((off / magnitude)[s]):9.2f}"
            )


def others(path: Path, found: StarSpectra, truth: Truth) -> None:
    """Sums in apertures, and photutils, on a hundredth of the planes."""
    cube = CubeFile.open(path)
    step = 100 if cube.shape[0] > 200 else cube.shape[0]
    planes = np.arange(step // 2, cube.shape[0], step)
    row = {star: k for k, star in enumerate(truth.name)}
    flux = truth.flux[[row[star] for star in found.stars["id"]]]
    x, y = (np.asarray(found.stars[name]) - 1 for name in ("x", "y"))
    bright = np.nanmedian(found.flux / found.error, axis=1) > 8
    width = float(np.median(found.stars["fwhm"])) / SPAXEL

    def off(what: str, values: Array, seconds: float) -> None:
        ours = found.flux[:, planes][bright] / flux[:, planes][bright]
        ratio = values[bright] / flux[:, planes][bright]
        for name, one in ((what, ratio), ("muse_nb", ours)):
            print(f"  {name:34s} flux over true {np.nanmedian(one):.3f}, scatter {mad_sigma(one):.3f}")
        print(f"  {what:34s} {seconds / len(planes):.2f} s of CPU a plane")

    begin, sums = time.process_time(), np.full((len(x), len(planes)), np.nan)
    rows, columns = np.mgrid[-6:7, -6:7]
    for n, k in enumerate(planes):
        image = np.pad(cube.plane(int(k)), 8, constant_values=np.nan)
        i, j = np.rint(x).astype(int) + 8, np.rint(y).astype(int) + 8
        box = image[j[:, None, None] + rows, i[:, None, None] + columns]
        inside = np.hypot(rows, columns) <= 1.2 * width
        level = np.nanmedian(np.where(np.hypot(rows, columns) > 5, box, np.nan), axis=(1, 2))
        sums[:, n] = np.nansum(np.where(inside, box - level[:, None, None], 0), axis=(1, 2))
    whole = Profile.of_width(width, float(np.median(found.psf["beta"])))
    share = float(stamps_of(np.array([20.0]), np.array([20.0]), np.array([1.2 * width]), whole, (41, 41)).value.sum())
    off(f"sums of {1.2 * width:.1f} spaxels", sums / share, time.process_time() - begin)
    if importlib.util.find_spec("photutils") is None:
        print("  photutils is not installed")
        return
    from photutils.psf import MoffatPSF, PSFPhotometry, SourceGrouper

    begin, sums = time.process_time(), np.full((len(x), len(planes)), np.nan)
    alpha = width / 2 / np.sqrt(2 ** (1 / whole.beta) - 1)
    model = MoffatPSF(alpha=alpha, beta=whole.beta)
    for name in ("x_0", "y_0", "alpha", "beta"):
        getattr(model, name).fixed = True
    start = Table({"x": x, "y": y, "flux": np.full(len(x), 1000.0)})
    for n, k in enumerate(planes):
        fit = PSFPhotometry(model, (11, 11), grouper=SourceGrouper(width), aperture_radius=width)
        made = fit(
            cube.plane(int(k)).astype(float), error=np.sqrt(cube.plane(int(k), "STAT")).astype(float), init_params=start
        )
        sums[:, n] = made["flux_fit"]
    off("photutils, PSF photometry", sums, time.process_time() - begin)


def main() -> None:
    """Measure, and print it."""
    parser = argparse.ArgumentParser(description="stars of a cube")
    parser.add_argument("--quick", action="store_true", help="small cubes")
    parser.add_argument("--only", choices=("full", "night"))
    parser.add_argument("--planes", type=int, help="of the full cube, spread over the whole range (default: 3681)")
    args = parser.parse_args()
    mixed = float(SHARED.sum() ** 2 / (SHARED**2).sum())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if args.only != "night":
            side, planes, number = (160, 400, 250) if args.quick else (320, 3681, 1500)
            planes = args.planes or planes
            truth = full_cube(folder / "FULL.fits", side, planes, number)
            found, cpu, memory = extracted(folder / "FULL.fits", truth, folder)
            print(f"full: {side} x {side} x {planes}, {len(found)} stars: {cpu:.1f} s of CPU, {memory:.0f} MB at most")
            told("full", folder / "FULL.fits", found, truth, mixed)
            others(folder / "FULL.fits", found, truth)
            (folder / "FULL.fits").unlink()
        if args.only != "full":
            path, truth, engine = night_cube(folder, "micro" if args.quick else "fov")
            found, cpu, memory = extracted(path, truth, folder)
            print(f"night, {engine}: {found.flux.shape[1]} planes, {len(found)} stars: {cpu:.1f} s, {memory:.0f} MB")
            wide = float(np.sqrt(np.median(_shared(path))))
            told("night", path, found, truth, wide)
            others(path, found, truth)
    print(f"peak of this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


def _shared(path: Path) -> Array:
    """Variance of a flux over that of independent voxels, by the noise of the cube."""
    from muse_nb.steps.stars.fit.bins import read_bins

    return np.array([read_bins(CubeFile.open(path), lambda *_: None).shared.sum()])


if __name__ == "__main__":
    main()
