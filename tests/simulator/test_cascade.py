"""Raw calibrations: planned without a note, lit and noisy as on a real night, wrong only where that was asked for."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

import muse_nb
from muse_nb.cli import main
from muse_nb.core.errors import MuseError
from muse_nb.core.progress import silent
from muse_nb.simulator.cascade.cascade import cascade_disk, simulate_cascade
from muse_nb.simulator.cascade.faults import ARC_EXCESS, BIAS_LIGHT, FAULTS
from muse_nb.simulator.cascade.instrument import CascadeInstrument
from muse_nb.simulator.cascade.layouts import CASCADE_LAYOUTS
from muse_nb.simulator.cascade.light import illumination
from muse_nb.simulator.cascade.result import Cascade
from muse_nb.simulator.detector import GAIN, quadrant_slices
from muse_nb.simulator.layouts import PRESCAN


def pixels(path: Path) -> np.ndarray:
    """Trimmed image of the first chip, less the level of a bias [count]."""
    raw = fits.getdata(path, 1).astype(np.float32)
    image = np.zeros([n - 4 * PRESCAN for n in raw.shape], np.float32)
    for trimmed, place in quadrant_slices(image.shape):
        image[trimmed] = raw[place]
    return image - 1201


def test_the_plan_uses_every_frame_and_has_no_note(cascade: Cascade) -> None:
    plan = muse_nb.plan_calibrations(cascade.folder)
    assert plan.notes == ()
    recipes = [task.recipe for task in plan.tasks]
    for recipe in ("bias", "dark", "flat", "wavecal", "lsf", "twilight", "standard", "astrometry", "scipost"):
        assert recipes.count(f"muse_{recipe}") == 1
    used = {Path(name).name for task in plan.tasks for name in (*task.inputs, *task.calibrations.values())}
    assert used >= {path.name for paths in cascade.raw.values() for path in paths}
    assert used >= {path.name for path in cascade.static.values()} - {"ASTROMETRY_WCS.fits"}  # one is made of the field


def test_levels_and_noise_are_those_of_a_real_night(cascade: Cascade) -> None:
    """Within the lowest and highest of the quality control of 2017-06-16, which counts in electrons.

    Of twilights that is the median; on rows that are lit alike it is their mean that tells the same.
    """
    bias, other = (fits.getdata(path, 1).astype(float) for path in cascade.raw["BIAS"][:2])
    for row, (_, place) in zip(truth_of(cascade, "detector"), quadrant_slices((400, 4096)), strict=True):
        assert 1197 <= np.median(bias[place]) <= 1208
        assert np.median(bias[place]) == pytest.approx(row["bias"], abs=2)
        difference = (bias[place] - other[place]).ravel()
        noise = difference[np.abs(difference) < 25].std() / np.sqrt(2)
        assert noise * row["gain"] == pytest.approx(row["noise"], rel=0.05)
    assert 23316 <= GAIN[0] * pixels(cascade.raw["FLAT"][0]).mean() <= 26176
    for path in cascade.raw["SKYFLAT"]:
        assert 18725 <= GAIN[0] * pixels(path).mean() <= 21165
    for paths in cascade.raw.values():
        for path in paths:
            assert (fits.getdata(path, 1) == 65535).mean() < 1e-4


def truth_of(cascade: Cascade, name: str) -> Table:
    return Table.read(cascade.truth[name], format="ascii.ecsv")


def test_no_frame_repeats_the_noise_of_another(cascade: Cascade) -> None:
    """Seeds depend on the frame: else a dark less its bias would have none."""
    quadrant = np.s_[:, :2000]
    first, second, dark = (
        pixels(cascade.raw[tag][number])[:200][quadrant].ravel()
        for tag, number in (("BIAS", 0), ("BIAS", 1), ("DARK", 0))
    )
    quiet = np.abs(np.stack([first, second, dark])).max(axis=0) < 15
    for one, other in ((first, second), (first, dark)):
        assert abs(np.corrcoef(one[quiet], other[quiet])[0, 1]) < 0.1  # the level settles while it is read


def test_slices_lie_where_the_truth_says(cascade: Cascade) -> None:
    """Half of the light of a flat's slice lies within its edges' half-light points."""
    flat = np.mean([pixels(path) for path in cascade.raw["FLAT"]], axis=0)[190:210].mean(axis=0)
    for row in truth_of(cascade, "traces"):
        for edge, inwards in ((1, 1), (2, -1)):
            true = sum(row[f"tc{edge}_{k:02d}"] * 200.5**k for k in range(6))
            column = round(true) - 1
            level = np.median(flat[column + 4 : column + 15] if inwards > 0 else flat[column - 14 : column - 3])
            run = flat[column - 4 : column + 5] / level
            found = np.interp(0.5, run[::inwards], np.arange(column - 3, column + 6)[::inwards])
            assert found == pytest.approx(true, abs=0.25)


def test_lines_lie_where_the_truth_says(cascade: Cascade) -> None:
    arc = pixels(cascade.raw["ARC"][2])  # neon
    for row in truth_of(cascade, "wavelengths"):
        number = int(row["slice"]) - 1
        trace = truth_of(cascade, "traces")[number]
        column = round(float(trace["tc0_00"]))
        polynomial = np.array([[row[f"wlc{i}{j}"] for j in range(7)] for i in range(3)])
        wavelength = np.polynomial.polynomial.polygrid2d([column], np.arange(1, 401), polynomial)[0]
        profile = arc[:, column - 1].astype(float)
        near = np.abs(wavelength - 6402.248) < 5
        if near.sum() < 8:
            continue
        light = np.clip(profile[near] - 20, 0, None)
        assert (light * wavelength[near]).sum() / light.sum() == pytest.approx(6402.248, abs=0.1)


def test_each_fault_is_on_its_frames_alone_and_in_the_truth(
    cascade: Cascade, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["simulate", "--cascade", "-o", str(tmp_path), "--layout", "cascade-short", "--no-science", "--json"]
    assert main([*words, *(word for name in FAULTS for word in ("--fault", name))]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["made"] == 14 + len(told["static"]) + len(told["truth"])
    assert told["faults"] == sorted(FAULTS)
    wrong = simulate_cascade(tmp_path, layout="cascade-short", science=False, faults=FAULTS, progress=silent)
    assert wrong.made == 0
    assert sorted(wrong.raw) == ["ARC", "BIAS", "FLAT", "ILLUM", "SKYFLAT", "STD"]
    frames = {row["file"]: row for row in wrong.frames}
    for tag, paths in wrong.raw.items():
        for number, path in enumerate(paths):
            plain = cascade.raw[tag][number]
            said = frames[path.name]["faults"]
            names = [name for name, fault in FAULTS.items() if fault.text in said]
            assert bool(said) == (path.read_bytes() != plain.read_bytes())
            assert fits.getheader(path) == fits.getheader(plain)  # no header tells of it
            before, after = pixels(plain), pixels(path)
            if names == ["light-in-bias"]:
                assert (after - before).mean() == pytest.approx(0.9 * BIAS_LIGHT / 1.1, rel=0.1)
            elif "lamp-off" in names:
                assert np.percentile(after, 99) < 12
            elif "saturated-arc" in names:
                assert (fits.getdata(path, 1) == 65535).sum() > 10 * ARC_EXCESS
            elif names == ["shifted-detector"]:
                columns = slice(500, 3500)
                assert np.abs(after[:, 499:3499] - before[:, columns]).mean() < np.abs(after - before).mean() / 3
            elif names == ["other-standard"]:
                bright = before > 500
                assert 0.3 < (after[bright] / before[bright]).mean() < 0.7
    concerned = {name for name, fault in FAULTS.items() if any(fault.text in row["faults"] for row in wrong.frames)}
    assert concerned == set(FAULTS)
    other = wrong.folder / "static" / "STD_FLUX_TABLE.fits"
    assert (
        other.read_bytes() == cascade.static["STD_FLUX_TABLE"].read_bytes()
    )  # the table is of the star that was meant


def test_a_night_is_made_once_and_only_what_is_missing_again(cascade: Cascade, tmp_path: Path) -> None:
    again = simulate_cascade(cascade.folder, layout="cascade-short", dark=True, progress=silent)
    assert again.made == 0
    assert again.raw == cascade.raw
    with pytest.raises(MuseError, match="another night"):
        simulate_cascade(cascade.folder, layout="cascade-short", progress=silent)
    folder = tmp_path / "night"
    for name in ("truth", "static", "raw"):
        (folder / name).mkdir(parents=True)
        for path in (cascade.folder / name).iterdir():
            (folder / name / path.name).hardlink_to(path)
    lost = folder / "raw" / cascade.raw["ARC"][1].name
    lost.unlink()
    mended = simulate_cascade(folder, layout="cascade-short", dark=True, progress=silent)
    assert mended.made == 1
    assert lost.read_bytes() == cascade.raw["ARC"][1].read_bytes()


def test_what_cannot_be_made_is_refused(tmp_path: Path) -> None:
    for wrong, word in (
        ({"layout": "micro"}, "cascade-micro"),
        ({"faults": ["fire"]}, "lamp-off"),
        ({"seed": -1}, "negative"),
    ):
        with pytest.raises(MuseError, match=word):
            simulate_cascade(tmp_path / "night", **wrong)
    assert not (tmp_path / "night").exists()


def test_the_disk_is_forecast(cascade: Cascade) -> None:
    number = sum(len(paths) for paths in cascade.raw.values())
    written = sum(path.stat().st_size for path in cascade.folder.rglob("*.*"))
    assert cascade_disk("cascade-short", number) == pytest.approx(written, rel=0.05)


@pytest.mark.parametrize("name", CASCADE_LAYOUTS)
def test_the_field_is_lit_evenly_in_the_mean_and_alike_in_all_ifus(name: str) -> None:
    """muse_twilight takes what differs between IFUs for their throughput."""
    instrument = CascadeInstrument(CASCADE_LAYOUTS[name])
    means = []
    for ifu in instrument.layout.ifus:
        places = [(s.x, s.y) for s in instrument.geometry[ifu]]
        x, y = np.array(places).T
        along = np.linspace(-0.5, 0.5, 21)[:, None] * instrument.layout.spaxels
        means.append(float(illumination(instrument, x + along, y + 0 * along).mean()))
    assert np.mean(means) == pytest.approx(1, abs=0.004)
    if len(means) == 2:
        assert means[0] == pytest.approx(means[1], abs=0.001)
