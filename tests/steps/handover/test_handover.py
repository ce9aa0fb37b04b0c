"""A galaxy handed over: what GalPaK3D needs is right, and what is wrong with it is said."""

from __future__ import annotations

import ast
import json
import shutil
import sys
from pathlib import Path
from threading import Event

import galaxy_cube as made
import matplotlib as mpl
import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

import muse_nb
from muse_nb.cli import main
from muse_nb.core.errors import MuseError
from muse_nb.simulator.galaxies import DISTANT
from muse_nb.steps.handover.exports import for_pampelmuse, for_zap
from muse_nb.steps.handover.fit import galpak_here
from muse_nb.steps.handover.noise import own_noise_out

mpl.use("Agg")
PLACE = (made.RA, made.DEC)


@pytest.fixture(scope="module")
def cube(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cube with noise that neighbours share. Read only."""
    return made.write(tmp_path_factory.mktemp("cube") / "CUBE.fits", shared=True)


def hand(cube: Path, output: Path, **options: object) -> object:
    """Hand the cube's galaxy over."""
    return muse_nb.hand_over(cube, PLACE, "[OII]", DISTANT.redshift, output, **options)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def handed(cube: Path, tmp_path_factory: pytest.TempPathFactory):
    """The galaxy of the cube, handed over once. Read only."""
    return hand(cube, tmp_path_factory.mktemp("handed"))


def test_the_line_lies_where_the_redshift_puts_it_and_the_continuum_is_gone(handed) -> None:
    assert handed.observed == pytest.approx(list(DISTANT.observed), abs=0.01)
    with fits.open(handed.subcube) as hdus:
        data, header = hdus["DATA"].data, hdus["DATA"].header
        assert (header["CTYPE3"], header["CUNIT3"]) == ("AWAV", "Angstrom")
        wavelength = header["CRVAL3"] + header["CD3_3"] * np.arange(len(data))
        continuum = float(made.magnitude_to_flux(np.array(made.DISC.magnitude)))
        flux = sum(width for _, width in DISTANT.lines) * continuum
        assert data.sum() * made.STEP == pytest.approx(flux, rel=0.06)  # wings lie beyond the box
    spectrum = data.sum(axis=(1, 2))
    assert (spectrum * wavelength).sum() / spectrum.sum() == pytest.approx(
        np.average(handed.observed, weights=(48, 60)), abs=0.3
    )
    assert abs(spectrum[[0, 1, -2, -1]]).max() < 0.1 * spectrum.max()
    assert (handed.x, handed.y) == pytest.approx(((data.shape[2] + 1) / 2 - 0.5, (data.shape[1] + 1) / 2 - 0.5), abs=1)


def test_psf_and_lsf_are_those_of_the_cube(handed, cube: Path, tmp_path: Path) -> None:
    assert handed.psf_fwhm == pytest.approx(made.PSF[0], rel=0.03)
    assert handed.psf_beta == pytest.approx(made.PSF[1], rel=0.2)
    assert "stars of the field" in handed.psf_source
    assert handed.lsf == pytest.approx(made.LSF, abs=0.5)
    table = Table({"wavelength": [6000.0, 7000.0], "fwhm": [0.9, 0.7], "beta": [2.0, 3.0]})
    other = hand(cube, tmp_path / "given", psf=table, lsf=2.7)
    assert other.psf_fwhm == pytest.approx(0.833, abs=0.01)
    assert (other.lsf, other.lsf_source) == (2.7, "as given")


def test_stat_counts_what_neighbours_share(handed, tmp_path: Path) -> None:
    """The variance of a sum weighted like the PSF is what STAT says after the factor, not what it says before."""
    kernel = made.moffat()[14:27, 14:27]
    weights = np.exp(-0.5 * (np.arange(-4, 5) * made.STEP / (2.6 / 2.3548)) ** 2)
    model = weights[:, None, None] * kernel
    random = np.random.default_rng(3)
    sums = []
    for _ in range(300):
        draws = random.standard_normal((9, 15, 15))
        noise = draws[:, 1:-1, 1:-1] + 0.4 * (
            draws[:, :-2, 1:-1] + draws[:, 2:, 1:-1] + draws[:, 1:-1, :-2] + draws[:, 1:-1, 2:]
        )
        sums.append((model * noise / np.sqrt(1.64)).sum())
    true = np.var(sums) / (model**2).sum()
    assert true > 2
    assert handed.inflation == pytest.approx(true, rel=0.25)
    plain = hand(made.write(tmp_path / "PLAIN.fits"), tmp_path / "plain")
    assert plain.inflation == pytest.approx(1.0, abs=0.15)


def test_a_variance_of_counted_photons_does_not_draw_fits_low() -> None:
    random = np.random.default_rng(5)
    y, x = np.mgrid[:31, :31] - 15
    model = np.broadcast_to(60 * np.exp(-(x**2 + y**2) / 40), (20, 31, 31))
    counts = random.poisson(model + 8.0).astype(float)
    data, variance = counts - 8.0, counts + 2.0

    def fitted(spread: np.ndarray) -> float:
        return float((model * data / spread).sum() / (model**2 / spread).sum())

    assert fitted(variance) < 0.975
    honest, slope = own_noise_out(data, variance)
    assert slope == pytest.approx(1.0, abs=0.05)
    assert fitted(honest) == pytest.approx(1.0, abs=0.008)
    same, none = own_noise_out(data, np.ones_like(data))
    assert none == 0
    assert (same == 1).all()


def test_the_table_says_what_is_fine_and_what_is_not(handed, tmp_path: Path) -> None:
    good = {check.name: check.good for check in handed.checks}
    assert all(good[name] for name in ("peak S/N", "line S/N", "NaN", "size", "edge", "sky lines"))
    assert handed.findings == ()
    assert len(handed.plot()) == 2
    path = made.write(tmp_path / "FAINT.fits", noise=2000.0)
    with fits.open(path, mode="update") as hdus:
        hdus["DATA"].data[:, 20:40, 28:33] = np.nan
    faint = hand(path, tmp_path / "faint", psf=(0.8, 2.8))
    wrong = {check.name for check in faint.checks if check.good is False}
    assert {"line S/N", "NaN"} <= wrong
    assert len(faint.findings) == len(wrong)
    assert faint.summary()["psf_source"] == "as given"


def test_what_is_left_of_a_cosmic_ray_is_left_out(cube: Path, handed, tmp_path: Path) -> None:
    path = shutil.copy(cube, tmp_path / "RAY.fits")
    plane = round((handed.observed[0] - made.START) / made.STEP)
    with fits.open(path, mode="update") as hdus:
        hdus["DATA"].data[plane, 29:31, 30] += 3000
    found = hand(Path(path), tmp_path / "ray")
    with fits.open(found.subcube) as hdus, fits.open(handed.subcube) as before:
        lost = np.isnan(hdus["DATA"].data)
        assert 2 <= lost.sum() <= 12
        assert not np.isnan(before["DATA"].data).any()
        assert np.nanmax(hdus["DATA"].data) < 1.3 * before["DATA"].data.max()
    assert any("cosmic rays" in check.text for check in found.checks)


def test_without_stat_the_scatter_is_taken(tmp_path: Path) -> None:
    found = hand(made.write(tmp_path / "BARE.fits", stat=False), tmp_path / "bare")
    with fits.open(found.subcube) as hdus:
        assert np.sqrt(np.nanmedian(hdus["STAT"].data)) == pytest.approx(25, rel=0.2)
    assert any("no STAT" in note for note in found.notes)
    assert "Bacon" in found.lsf_source


def test_the_script_is_python_whatever_a_name_holds(handed, cube: Path, tmp_path: Path) -> None:
    text = handed.script.read_text()
    names = {node.module for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ImportFrom)}
    assert "galpak" in names
    assert "galpak" not in sys.modules
    odd = tmp_path / 'a"""\nimport os  # .fits'
    shutil.copy(cube, odd)
    tree = ast.parse(hand(odd, tmp_path / "odd", psf=(0.8, 2.8)).script.read_text())  # type: ignore[attr-defined]
    assert ast.dump(tree.body[1]) == ast.dump(ast.parse(text).body[1])


def test_bad_input_is_one_sentence(cube: Path, tmp_path: Path) -> None:
    for place, line, z, options, match in (
        ((made.RA + 1, made.DEC), "[OII]", 0.7, {}, "lies off"),
        ((0.0, 100.0), "[OII]", 0.7, {}, "no place on the sky"),
        (PLACE, "Halpha", 0.7, {}, "check line and redshift"),
        (PLACE, "[OII]", -2.0, {}, "redshift"),
        (PLACE, "[OII]", 0.7, {"size": 0.3}, "holds no source"),
        (PLACE, "[OII]", 0.7, {"psf": (9.0, 2.8)}, "PSF"),
        (PLACE, "[OII]", 0.7, {"psf": Table({"fwhm": [1.0]})}, "lacks"),
        (PLACE, "[OII]", 0.7, {"lsf": 20.0}, "LSF"),
        (PLACE, "[OII]", 0.7, {"lsf": str(cube)}, "LSF_PROFILE"),
        (PLACE, "[OII]", 0.7, {"velocities": 9000.0}, "fewer km/s"),
    ):
        with pytest.raises(MuseError, match=match):
            muse_nb.hand_over(cube, place, line, z, tmp_path / "bad", **options)  # type: ignore[arg-type]
    path = Path(shutil.copy(cube, tmp_path / "NAN.fits"))
    with fits.open(path, mode="update") as hdus:
        hdus["DATA"].data[:] = np.nan
    with pytest.raises(MuseError, match="NaN"):
        hand(path, tmp_path / "bad")
    assert not (tmp_path / "bad").exists()


def test_the_command_gives_the_same(cube: Path, handed, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["source", str(cube), "--at", f"{made.RA},{made.DEC}", "--line", "[OII]", "--redshift", "0.7"]
    assert main([*words, "-o", str(tmp_path / "out"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["psf_fwhm"] == handed.psf_fwhm
    assert told["checks"] == handed.summary()["checks"]
    assert main([*words, "-o", str(tmp_path / "out")]) == 1
    assert "already there" in capsys.readouterr().err


def test_without_galpak_that_is_said(handed) -> None:
    if galpak_here():
        pytest.skip("galpak is installed")
    with pytest.raises(MuseError, match="pip install galpak"):
        muse_nb.run_galpak(handed)


def test_a_fit_is_stopped_and_its_failure_is_told(cube: Path, tmp_path: Path) -> None:
    """By a Python that takes itself for one with galpak: the process, its log and its end are the same."""
    handed = hand(cube, tmp_path / "out", psf=(0.8, 2.8))
    (tmp_path / "galpak.py").write_text("")
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH={tmp_path} exec {sys.executable} "$@"\n')
    python.chmod(0o755)
    with pytest.raises(MuseError, match=r"failed on .*cannot import name.*galpak\.log"):
        muse_nb.run_galpak(handed, python=python)
    assert (handed.folder / "galpak.log").exists()
    (tmp_path / "galpak.py").write_text("import time\nprint('    7 MIN=    3', flush=True)\ntime.sleep(600)\n")
    stop, told = Event(), []

    def hear(what: str, done: int, total: int) -> None:
        told.append((what, done, total))
        stop.set()

    with pytest.raises(MuseError, match="was cancelled"):
        muse_nb.run_galpak(handed, python=python, progress=hear, cancel=stop)
    assert told[0] == ("galpak", 7, 1500)
    assert not (handed.folder / "galaxy.json").exists()


FAKE = """
from types import SimpleNamespace
import numpy as np
from astropy.io import fits

class GaussianLineSpreadFunction:
    def __init__(self, fwhm): pass

class MoffatPointSpreadFunction:
    def __init__(self, fwhm, beta): pass

class MUSEWFM:
    def __init__(self, psf, lsf): pass

class ModelSersic:
    def __init__(self, **words): assert words["line"]["ratio"] == [0.8, 1.0]

class GalPaK3D:
    def __init__(self, path, instrument, model):
        self.shape = fits.getdata(path, "DATA").shape

    def run_mcmc(self, max_iterations):
        print(f"{max_iterations:5d} MIN=    3")
        names = ("x", "y", "z", "flux", "radius", "inclination", "pa", "turnover_radius", "maximum_velocity",
                 "velocity_dispersion")
        values = dict(zip(names, (15.0, 15.0, 10.0, 800.0, 4.0, 55.0, 208.7, 1.0, 180.0, 30.0)))
        self.galaxy, self.stdev = SimpleNamespace(names=names, **values), SimpleNamespace(**dict.fromkeys(names, 1.0))
        self.chain, self.best_chisq = [0] * max_iterations, 0.5
        self.convolved_cube = SimpleNamespace(data=np.ones(self.shape))
        self.true_velocity_map = SimpleNamespace(data=np.ones(self.shape[1:]))

    def save(self, name, overwrite): open(name + ".txt", "w").write("done")
"""


def test_a_fits_angle_is_the_skys_whatever_way_the_cube_is_turned(cube: Path, tmp_path: Path) -> None:
    """By a stand-in for galpak: its angle points to the approaching side, anticlockwise from +y."""
    turned = Path(shutil.copy(cube, tmp_path / "TURNED.fits"))
    angle, step = np.radians(30.0), made.SCALE / 3600
    with fits.open(turned, mode="update") as hdus:
        for hdu in hdus[1:]:
            hdu.header["CD1_1"], hdu.header["CD2_2"] = -step * np.cos(angle), step * np.cos(angle)
            hdu.header["CD1_2"], hdu.header["CD2_1"] = step * np.sin(angle), step * np.sin(angle)
    (tmp_path / "galpak.py").write_text(FAKE)
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH={tmp_path} exec {sys.executable} "$@"\n')
    python.chmod(0o755)
    handed = hand(turned, tmp_path / "turned", psf=(0.8, 2.8))
    fitted = muse_nb.run_galpak(handed, python=python, iterations=20)
    assert fitted["pa"] == (pytest.approx(58.7), 1.0)
    assert fitted["half_light_radius"][0] == pytest.approx(4 * made.SCALE, rel=1e-3)
    assert fitted["flux"][0] == pytest.approx(800 * made.STEP)
    assert fitted.iterations == 20
    assert (handed.folder / "galpak" / "galaxy.txt").read_text() == "done"
    assert fitted.summary()["parameters"]["pa"]["unit"] == "deg"
    assert "maximum velocity" in fitted._repr_html_()
    assert len(fitted.plot()) == 5
    with pytest.raises(MuseError, match="already there"):
        muse_nb.run_galpak(handed, python=python)
    assert not list(handed.folder.glob(".*"))


def test_sources_are_masked_for_zap_and_stars_listed_for_pampelmuse(cube: Path, tmp_path: Path) -> None:
    mask = fits.getdata(for_zap(cube, tmp_path / "MASK.fits"))
    assert mask.shape == made.SHAPE[1:]
    assert mask[30, 30]
    assert all(mask[y, x] for x, y, _ in made.STARS)
    assert mask.mean() < 0.5
    stars = Table({"number": [1, 2], "ra": [150.0, 150.1], "dec": [-20.0, -20.1], "mag_V": [17.0, np.nan]})
    listed = Table.read(for_pampelmuse(stars, tmp_path / "stars.csv", "mag_V"), format="ascii.csv")
    assert listed.colnames == ["id", "ra", "dec", "V"]
    assert len(listed) == 1
    with pytest.raises(MuseError, match="lacks mag_I"):
        for_pampelmuse(stars, tmp_path / "other.csv", "mag_I")
