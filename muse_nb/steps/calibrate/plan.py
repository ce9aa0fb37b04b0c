"""``plan_calibrations``: which raw files make which master, and which master serves which exposure."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from muse_nb.core.errors import MuseError
from muse_nb.steps.calibrate.associate.build import build
from muse_nb.steps.calibrate.associate.notes import of_choices, of_files
from muse_nb.steps.calibrate.associate.rows import RawFile, from_folder, from_table
from muse_nb.steps.calibrate.associate.statics import static_files
from muse_nb.steps.calibrate.associate.templates import grouped, judged
from muse_nb.steps.calibrate.planned import CalibrationPlan
from muse_nb.steps.survey.files import locate

__all__ = ["plan_calibrations", "plan_of", "read_files"]


def plan_calibrations(
    source: str | Path,
    *,
    dark: bool = True,
    static: str | Path | None = None,
    progress: Callable[[str, int, int], object] | None = None,
) -> CalibrationPlan:
    """Plan the calibration of a night by the pipeline's rules of association.

    Read-out mode, INS MODE, template and days decide what may serve (`muse_nb.steps.calibrate.associate.rules`); of
    several the nearest in time does, by the mean MJD of a template. Attached flats (ILLUM) are chosen by time and
    temperature. Nothing is run, and only headers are read.

    Parameters
    ----------
    source
        A folder with raw frames and calibrations, or a CSV file with the columns ARCFILE or filename, DPR_TYPE,
        INS_MODE, TPL_START and MJD_OBS, and as far as they are there DATE_OBS, night, EXPTIME, INS_TEMP7_VAL, OBJECT,
        DET_READ_CURNAME, INS_OPTI2_NAME and PRO_CATG. A row without DPR_TYPE is a static calibration.
    dark
        Whether a MASTER_DARK serves where there is one; it is optional.
    static
        Folder with static calibrations; by default a folder ``static`` in or beside a folder with raw frames is looked
        into as well, and for what is still missing the static calibrations of an installed pipeline.
    progress
        Told of the headers that were read.

    Returns
    -------
    CalibrationPlan
        Tasks in an order in which they can run; `notes` says what is missing or doubtful.

    Raises
    ------
    MuseError
        The source cannot be read, or holds no raw frame.

    Examples
    --------
    >>> plan = muse_nb.plan_calibrations("night")
    >>> [task.recipe for task in plan.tasks][:2]
    ['muse_scibasic', 'muse_scipost']
    """
    files, said = read_files(source, static, progress=progress)
    return plan_of(files, said, str(source), dark=dark)


def read_files(
    source: str | Path,
    static: str | Path | None = None,
    *,
    without: Path | None = None,
    progress: Callable[[str, int, int], object] | None = None,
) -> tuple[list[RawFile], list[str]]:
    """Read what there is to plan with, and say what could not be read.

    Parameters
    ----------
    source, static, progress
        As of `plan_calibrations`.
    without
        A subfolder that is not looked into.

    Raises
    ------
    MuseError
        The source cannot be read, or holds no raw frame.
    """
    path = locate(source)
    if path.is_dir():
        files, said = from_folder(path, progress, without)
    elif path.is_file():
        files, said = from_table(path), []
    else:
        raise MuseError(f"{path} is not there: name a folder with raw frames, or a CSV file that lists them")
    if not any(file.kind for file in files):
        raise MuseError(f"{path} holds no raw frame (nothing in it has a DPR TYPE): name the folder with the raw files")
    if path.is_dir() or static is not None:
        there = {file.tag for file in files if file.tag}
        files += static_files(path, None if static is None else Path(static), there)
    return sorted(files, key=lambda file: file.name), said


def plan_of(files: list[RawFile], said: list[str], source: str, *, dark: bool = True) -> CalibrationPlan:
    """Plan with files that were read; `said` are notes that come first."""
    groups, mixed = grouped(files)
    kept, left_out = judged(groups)
    built = build(kept, files, dark=dark)
    notes = [*said, *mixed, *left_out, *of_choices(built), *of_files(files, built.tasks)]
    outside = frozenset(key for key, choice in built.choices.items() if choice.value and choice.outside)
    return CalibrationPlan(tuple(built.tasks), tuple(notes), source, built.times, outside)
