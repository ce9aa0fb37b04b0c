# mypy: warn_unused_configs, disallow_any_generics, disallow_subclassing_any, disallow_untyped_calls
# mypy: disallow_untyped_defs, disallow_incomplete_defs, check_untyped_defs, disallow_untyped_decorators
# mypy: no_implicit_optional, warn_redundant_casts, warn_unused_ignores, warn_return_any, no_implicit_reexport
# mypy: strict_equality, extra_checks
"""A script of a user who has `mypy --strict` look at it: from a night to a cube. It is checked, never run."""

from __future__ import annotations

from pathlib import Path
from typing import assert_type

import muse_nb
from muse_nb.products.offset_list import OffsetList
from muse_nb.recipes.result import Reduction
from muse_nb.steps.combine.result import Combination
from muse_nb.steps.doctor.result import Diagnosis
from muse_nb.steps.inspect.result import Inspection
from muse_nb.steps.nans.result import NanAudit
from muse_nb.steps.offsets.result import Offsets
from muse_nb.steps.survey.result import Survey


def told(what: str, done: int, total: int) -> None:
    print(f"{what}: {done} of {total}")


def night(folder: Path, products: Path) -> Combination:
    found = muse_nb.survey(folder, progress=told)
    assert_type(found, Survey)
    assert_type(muse_nb.doctor(folder), Diagnosis)
    assert_type(muse_nb.inspect(sorted(folder.rglob("OBJECT_RED_*.fits"))), Inspection)
    reduced = muse_nb.reduce(folder / "raw.fits", folder / "calib", products, progress=told)
    assert_type(reduced, Reduction)
    offsets = muse_nb.measure_offsets(sorted(products.rglob("IMAGE_FOV_*.fits")), reference="mean", progress=told)
    assert_type(offsets, Offsets)
    offsets.write(products / "OFFSET_LIST.fits")
    assert_type(muse_nb.OffsetList.read(products / "OFFSET_LIST.fits"), OffsetList)
    try:
        cube = muse_nb.combine(
            sorted(products.rglob("PIXTABLE_REDUCED_*.fits")),
            products / "OFFSET_LIST.fits",
            output=products / "DATACUBE_FINAL.fits",
            pixfrac=0.8,
            extensions=["DQ", "EXPMAP"],
            memory=4e9,
            progress=told,
        )
    except muse_nb.MuseError as error:
        raise SystemExit(str(error)) from None
    audit = muse_nb.audit_nans(products / "DATACUBE_FINAL.fits")
    assert_type(audit, NanAudit)
    assert_type(audit.findings, list[str])
    assert_type(muse_nb.__version__, str)
    return cube


def wrong(folder: Path) -> None:
    muse_nb.survey(folder, progres=told)  # type: ignore[call-arg]
    muse_nb.combine([folder], output=folder, pixfrac="wide")  # type: ignore[arg-type]
    muse_nb.surveys(folder)  # type: ignore[attr-defined]
