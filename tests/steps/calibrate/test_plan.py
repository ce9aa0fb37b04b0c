"""Protects the plan of a calibration: what an expert would choose on a real night, and what is said of faults.

raw-night-2017-06-16.csv holds keywords of 155 raw files around the night of IC 4406 (programme 60.A-9100(G)), from the
example database of musered (MIT licence).
"""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from astropy.io import fits

import muse_nb
from muse_nb.cli import main
from muse_nb.core.errors import MuseError
from muse_nb.steps.calibrate.planned import CalibrationPlan

NIGHT = Path(__file__).with_name("raw-night-2017-06-16.csv")
Row = dict[str, str]


@pytest.fixture(scope="module")
def real() -> CalibrationPlan:
    return muse_nb.plan_calibrations(NIGHT)


def rows() -> list[Row]:
    with NIGHT.open(newline="") as file:
        return list(csv.DictReader(file))


def planned(path: Path, changed: list[Row]) -> CalibrationPlan:
    names = list(dict.fromkeys(name for row in changed for name in row))
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(changed)
    return muse_nb.plan_calibrations(path)


def calibrations(plan: CalibrationPlan, recipe: str) -> dict[str, dict[str, str]]:
    return {task.id: dict(task.calibrations) for task in plan.tasks if task.recipe == recipe}


def test_every_raw_file_makes_what_it_was_taken_for(real: CalibrationPlan) -> None:
    assert Counter(task.recipe for task in real.tasks) == {
        "muse_bias": 4,
        "muse_dark": 1,
        "muse_flat": 3,
        "muse_wavecal": 3,
        "muse_lsf": 1,
        "muse_twilight": 1,
        "muse_scibasic": 7,
        "muse_standard": 1,
        "muse_scipost": 6,
    }
    assert Counter(len(task.inputs) for task in real.tasks if task.recipe == "muse_bias") == {11: 4}
    assert {len(task.inputs) for task in real.tasks if task.recipe in ("muse_wavecal", "muse_lsf")} == {15}
    assert len({task.id for task in real.tasks}) == len(real.tasks)
    raw = {row["filename"] for row in rows() if row["DPR_TYPE"]}
    used = {name for task in real.tasks for name in [*task.inputs, *task.calibrations.values()] if name in raw}
    assert raw - used == {"MUSE.2017-06-16T03:08:36.867.fits.fz"}  # an attached flat that is nearest to nothing


def test_a_task_comes_after_those_it_needs(real: CalibrationPlan) -> None:
    ids = {task.id for task in real.tasks}
    seen: set[str] = set()
    for task in real.tasks:
        assert {name for name in [*task.inputs, *task.calibrations.values()] if name in ids} <= seen
        seen.add(task.id)


def test_the_science_gets_what_an_expert_would_give_it(real: CalibrationPlan) -> None:
    flat, twilight, response = "flat-2017-06-16T121546", "twilight-2017-06-18T220455", "response-2017-06-19T093226.112"
    science = {n: c for n, c in calibrations(real, "muse_scibasic").items() if n.startswith("object")}
    lamps = [science[name].pop("ILLUM") for name in sorted(science)]
    # 12.54 and 12.48 degrees; the exposures cool from 12.53 to 12.49, and the third is as near to both: the earlier
    assert lamps == ["MUSE.2017-06-16T01:25:02.867.fits.fz"] * 3 + ["MUSE.2017-06-16T01:57:38.868.fits.fz"] * 3
    for found in science.values():
        assert found == {
            "MASTER_BIAS": "bias-2017-06-16T104027",
            "MASTER_DARK": "dark-2017-06-14T022807",
            "MASTER_FLAT": flat,
            "TRACE_TABLE": flat,
            "WAVECAL_TABLE": "wavecal-2017-06-16T123203",
            "GEOMETRY_TABLE": "M.MUSE.2017-05-02T10:33:34.610.fits",
            "TWILIGHT_CUBE": twilight,
            "BADPIX_TABLE": "M.MUSE.2015-06-24T08:20:55.820.fits",
        }
    for name, found in calibrations(real, "muse_scipost").items():
        assert real.task(name).inputs == (name.replace("cube", "object"),)
        assert found == {
            "STD_RESPONSE": response,
            "STD_TELLURIC": response,
            "ASTROMETRY_WCS": "M.MUSE.2017-05-02T10:34:11.986.fits",
            "LSF_PROFILE": "lsf-2017-06-16T123203",
        }


def test_calibrations_get_the_nearest_in_time(real: CalibrationPlan) -> None:
    flats = {name: found["MASTER_BIAS"] for name, found in calibrations(real, "muse_flat").items()}
    assert flats == {
        "flat-2017-06-16T121546": "bias-2017-06-16T104027",
        "flat-2017-06-18T123549": "bias-2017-06-18T110309",
        "flat-2017-06-19T120411": "bias-2017-06-20T103850",  # 22.5 hours later; the one before is 25 hours off
    }
    standard = real.task("std-2017-06-19T093226.112").calibrations
    assert standard["ILLUM"] == "MUSE.2017-06-19T08:21:48.110.fits.fz"
    assert standard["MASTER_FLAT"] == "flat-2017-06-19T120411"
    twilight = real.task("twilight-2017-06-18T220455").calibrations
    assert twilight["ILLUM"] == "MUSE.2017-06-18T23:25:24.112.fits.fz"
    assert "VIGNETTING_MASK" not in twilight  # only before 2017-03-11
    assert "MASTER_DARK" not in standard  # 5.3 days off


def test_what_is_doubtful_on_the_real_night(real: CalibrationPlan) -> None:
    notes = "\n".join(real.notes)
    assert "STD_TELLURIC" in notes
    assert "nothing within 1 d; the nearest, response-2017-06-19T093226.112, is 3.3 d off" in notes
    assert "STD_FLUX_TABLE for response-2017-06-19T093226.112: there is none; muse_standard needs it" in notes
    assert "TWILIGHT_CUBE for object" in notes
    assert len(real.notes) < 12
    assert real.outside == {(f"cube{t.id[6:]}", "STD_TELLURIC") for t in real.tasks if t.id.startswith("object")}
    assert all("MASTER_DARK" not in t.calibrations for t in muse_nb.plan_calibrations(NIGHT, dark=False).tasks)


def without(keep: Callable[[Row], bool]) -> Callable[[], list[Row]]:
    return lambda: [row for row in rows() if keep(row)]


def with_changed(which: Callable[[Row], bool], **values: str) -> Callable[[], list[Row]]:
    return lambda: [row | values if which(row) else row for row in rows()]


def of(kind: str, day: str = "") -> Callable[[Row], bool]:
    return lambda row: row["DPR_TYPE"] == kind and row["DATE_OBS"].startswith(day)


def few_biases() -> list[Row]:
    biases = [row for row in rows() if of("BIAS", "2017-06-16")(row)]
    return [row for row in rows() if row not in biases[2:]]


def half_a_template() -> list[Row]:
    odd = [row for row in rows() if of("FLAT,LAMP", "2017-06-16")(row)][:4]
    return [row | {"INS_MODE": "WFM-NOAO-N"} if row in odd else row for row in rows()]


SCIENCE = "object-2017-06-16T013456.867"
# fault: the rows; what the notes must say; task, tag, and what serves then ("" for nothing)
FAULTS = {
    "two biases": (
        few_biases,
        "bias-2017-06-16T104027 has 2 BIAS frames",
        (SCIENCE, "MASTER_BIAS", "bias-2017-06-14T090103"),
    ),
    "one lamp's arcs missing": (
        without(lambda row: not (of("WAVE", "2017-06-16")(row) and row["EXPTIME"] == "0.539")),
        "wavecal-2017-06-16T123203 has arcs of 1.012 s and 8.76 s alone",
        (SCIENCE, "WAVECAL_TABLE", "wavecal-2017-06-18T125147"),  # a whole set within 3 days is better
    ),
    "another mode": (
        with_changed(of("OBJECT"), INS_MODE="WFM-NOAO-N"),
        "none is of INS MODE WFM-NOAO-N, the nearest (flat-2017-06-16T121546) is of WFM-AO-N",
        (SCIENCE, "MASTER_FLAT", ""),
    ),
    "flats of another week": (
        without(lambda row: not (row["DPR_TYPE"] == "FLAT,LAMP" and row["DATE_OBS"] < "2017-06-19T01")),
        f"MASTER_FLAT for {SCIENCE}",
        (SCIENCE, "MASTER_FLAT", "flat-2017-06-19T120411"),
    ),
    "a mixed template": (
        half_a_template,
        "the template 2017-06-16T12:15:46 (FLAT,LAMP) is mixed: 7 of WFM-AO-N, 4 of WFM-NOAO-N",
        (SCIENCE, "MASTER_FLAT", "flat-2017-06-16T121546-WFM-AO-N"),
    ),
    "a warmer attached flat": (
        with_changed(of("FLAT,LAMP,ILLUM", "2017-06-16"), INS_TEMP7_VAL="14.9"),
        "degrees warmer or colder, more than 1; goes without",
        (SCIENCE, "ILLUM", ""),
    ),
    "no attached flat that night": (
        without(lambda row: not of("FLAT,LAMP,ILLUM", "2017-06-16")(row)),
        "none within 1 d",
        (SCIENCE, "ILLUM", ""),
    ),
    "another read-out": (
        lambda: [row | {"DET_READ_CURNAME": "SCI2.0" if of("OBJECT")(row) else "SCI1.0"} for row in rows()],
        "none is of DET READ CURNAME SCI2.0, the nearest (bias-2017-06-16T104027) is of SCI1.0",
        (SCIENCE, "MASTER_BIAS", ""),
    ),
    "no standard": (
        without(lambda row: row["DPR_TYPE"] != "STD"),
        "STD_RESPONSE for cube-2017-06-16T013456.867",
        ("cube-2017-06-16T013456.867", "STD_RESPONSE", ""),
    ),
    "two twilights": (
        without(lambda row: not (of("FLAT,SKY")(row) and row["DATE_OBS"] > "2017-06-18T22:09")),
        "muse_twilight needs 3",
        (SCIENCE, "TWILIGHT_CUBE", ""),
    ),
    "no date": (
        with_changed(of("DARK"), MJD_OBS="", DATE_OBS="yesterday"),
        "neither MJD-OBS nor DATE-OBS is a date",
        (SCIENCE, "MASTER_DARK", ""),
    ),
    "no biases": (
        without(lambda row: row["DPR_TYPE"] != "BIAS"),
        "MASTER_BIAS for dark-2017-06-14T022807",
        (SCIENCE, "MASTER_BIAS", ""),
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_told_and_the_best_of_the_rest_is_taken(fault: str, tmp_path: Path) -> None:
    make, said, (name, tag, value) = FAULTS[fault]
    plan = planned(tmp_path / "night.csv", make())
    assert any(said in note for note in plan.notes), plan.notes
    assert plan.task(name).calibrations.get(tag, "") == value


def test_of_attached_flats_within_two_hours_the_closest_temperature_serves(tmp_path: Path) -> None:
    colder = with_changed(lambda row: row["filename"].startswith("MUSE.2017-06-16T01:25:02"), INS_TEMP7_VAL="12.1")
    plan = planned(tmp_path / "night.csv", colder())
    assert plan.task(SCIENCE).calibrations["ILLUM"] == "MUSE.2017-06-16T01:57:38.868.fits.fz"  # later, and as warm


def test_the_rows_order_does_not_matter(real: CalibrationPlan, tmp_path: Path) -> None:
    assert planned(tmp_path / "night.csv", rows()[::-1]).summary() == real.summary()


def test_the_command_prints_the_plan_as_json_and_as_a_graph(
    real: CalibrationPlan, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["calibrate", str(NIGHT), "--plan", "--json", "--plot", str(tmp_path / "plan.png")]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(json.dumps(real.summary()))
    assert (tmp_path / "plan.png").read_bytes()[:4] == b"\x89PNG"
    assert main(["calibrate", str(tmp_path / "none"), "--plan"]) == 1
    assert "is not there" in capsys.readouterr().err


def test_names_are_escaped(tmp_path: Path) -> None:
    plan = planned(tmp_path / "n.csv", with_changed(of("STD"), filename="<b>x</b>.fits", INS_MODE="<i>")())
    assert "<b>x" not in plan._repr_html_()
    assert "<i>" not in plan._repr_html_()
    assert plan._repr_mimebundle_()["application/vnd.muse_nb.findings+json"]["findings"] == list(plan.notes)


def test_a_folder_is_planned_by_its_headers(tmp_path: Path) -> None:
    """Lamps are told by INS LAMPi and SHUTi, masters and static tables at hand serve as files."""
    for row in rows():
        primary = fits.PrimaryHDU()
        header = primary.header
        if not row["DPR_TYPE"]:
            continue
        name = row["filename"].removesuffix(".fz").replace(":", "")
        header["DATE-OBS"], header["MJD-OBS"] = row["DATE_OBS"], float(row["MJD_OBS"])
        header["EXPTIME"] = float(row["EXPTIME"])
        header["HIERARCH ESO INS TEMP7 VAL"] = float(row["INS_TEMP7_VAL"])
        for word in ("DPR TYPE", "DPR CATG", "INS MODE", "TPL START"):
            header[f"HIERARCH ESO {word}"] = row[word.replace(" ", "_")]
        header["HIERARCH ESO DET READ CURNAME"] = "SCI1.0"
        if row["DPR_TYPE"] == "WAVE":
            lamp = {"0.539": 5, "1.012": 3, "8.76": 4}[row["EXPTIME"]]
            for number in (3, 4, 5):
                header[f"HIERARCH ESO INS LAMP{number} NAME"] = f"CU-LAMP{number}"
                header[f"HIERARCH ESO INS LAMP{number} ST"] = number == lamp and lamp != 4
                header[f"HIERARCH ESO INS SHUT{number} ST"] = number == lamp
        primary.writeto(tmp_path / name)
    table = fits.PrimaryHDU()
    table.header["HIERARCH ESO PRO CATG"] = "STD_FLUX_TABLE"
    table.writeto(tmp_path / "std_flux.fits")
    (tmp_path / "broken.fits").write_bytes(b"SIMPLE  =")
    plan = muse_nb.plan_calibrations(tmp_path)
    lamps = [note for note in plan.notes if "arcs of" in note]
    assert len(lamps) == 3
    assert "has arcs of CU-LAMP3, CU-LAMP5 alone" in lamps[0]
    assert any("broken.fits" in note for note in plan.notes)
    response = plan.task("response-2017-06-19T093226.112")
    assert response.calibrations == {"STD_FLUX_TABLE": "std_flux.fits"}
    assert plan.task("object-2017-06-16T013456.867").night == "2017-06-15"


def test_what_is_no_night_is_refused(tmp_path: Path) -> None:
    table = tmp_path / "odd.csv"
    table.write_text("a,b\n1,2\n")
    with pytest.raises(MuseError, match="has no column DPR_TYPE"):
        muse_nb.plan_calibrations(table)
    with pytest.raises(MuseError, match="holds no raw frame"):
        muse_nb.plan_calibrations(tmp_path)
