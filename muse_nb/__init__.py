"""From MUSE OBJECT_RED frames to a cube you trust: inspect, find the NaN, measure offsets, combine, share.

Every name below is imported when it is first used, so that ``import muse_nb`` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.2.0"

_HOME = {
    "survey": "muse_nb.steps.survey.survey",
    "doctor": "muse_nb.steps.doctor.doctor",
    "inspect": "muse_nb.steps.inspect.inspect",
    "audit_nans": "muse_nb.steps.nans.audit",
    "heal_nans": "muse_nb.steps.nans.heal",
    "tell_holes": "muse_nb.steps.nans.marked",
    "compare_badpix": "muse_nb.steps.badpix.compare",
    "reduce_with_badpix": "muse_nb.steps.badpix.apply",
    "measure_offsets": "muse_nb.steps.offsets.measure",
    "stale_list": "muse_nb.steps.offsets.made_from",
    "star_widths": "muse_nb.steps.offsets.widths",
    "fit_wobble": "muse_nb.steps.offsets.wobble",
    "cross_check": "muse_nb.steps.offsets.crosscheck",
    "check_offset_list": "muse_nb.steps.offsets.crosscheck",
    "forecast": "muse_nb.steps.combine.forecast",
    "plot_image": "muse_nb.steps.drawing",
    "plot_images": "muse_nb.steps.drawing",
    "combine": "muse_nb.steps.combine.combine",
    "stale_cube": "muse_nb.steps.combine.made_from",
    "check_cube": "muse_nb.steps.combine.again",
    "cube": "muse_nb.steps.combine.combine",
    "spectrum": "muse_nb.steps.look.spectrum",
    "band": "muse_nb.steps.look.band",
    "line_map": "muse_nb.steps.look.line_map",
    "spectra": "muse_nb.steps.look.region_file",
    "extract_stars": "muse_nb.steps.stars.extract",
    "StarSpectra": "muse_nb.steps.stars.result",
    "judge_cube": "muse_nb.steps.judge.judge",
    "judge_masters": "muse_nb.steps.masters.masters",
    "velocities": "muse_nb.steps.velocities.velocities",
    "hand_over": "muse_nb.steps.handover.handover",
    "run_galpak": "muse_nb.steps.handover.fit",
    "for_zap": "muse_nb.steps.handover.exports",
    "for_pampelmuse": "muse_nb.steps.handover.exports",
    "share": "muse_nb.sharing.share",
    "simulate": "muse_nb.simulator.night",
    "simulate_cascade": "muse_nb.simulator.cascade.cascade",
    "compare_cascade": "muse_nb.simulator.compare.compare",
    "fetch": "muse_nb.archive.fetch",
    "list_archive": "muse_nb.archive.fetch",
    "plan_calibrations": "muse_nb.steps.calibrate.plan",
    "calibrate": "muse_nb.steps.calibrate.calibrate",
    "run_recipe": "muse_nb.recipes.run",
    "reduce": "muse_nb.recipes.reduce",
    "reduce_all": "muse_nb.recipes.reduce",
    "MuseError": "muse_nb.core.errors",
    "MuseWarning": "muse_nb.core.errors",
    "OffsetList": "muse_nb.products.offset_list",
    "PixelTable": "muse_nb.products.pixtable",
    "ObjectRed": "muse_nb.products.object_red",
    "ImageFov": "muse_nb.products.image_fov",
    "ArchiveTable": "muse_nb.widgets.archive.table",
    "ExposureTable": "muse_nb.widgets.exposures.table",
    "ObjectRedViewer": "muse_nb.widgets.object_red.viewer",
    "NanViewer": "muse_nb.widgets.nans.viewer",
    "CubeViewer": "muse_nb.widgets.cube.viewer",
    "StarPicker": "muse_nb.widgets.stars.picker",
    "RecipeRunner": "muse_nb.widgets.recipe",
    "NightChooser": "muse_nb.widgets.night",
}

__all__ = ["__version__", *sorted(_HOME)]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'muse_nb' has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
