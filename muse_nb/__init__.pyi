"""The public names with their types, for checkers and editors: the package imports each when it is first used."""

from muse_nb.archive.fetch import fetch as fetch
from muse_nb.archive.fetch import list_archive as list_archive
from muse_nb.core.errors import MuseError as MuseError
from muse_nb.core.errors import MuseWarning as MuseWarning
from muse_nb.products.image_fov import ImageFov as ImageFov
from muse_nb.products.object_red import ObjectRed as ObjectRed
from muse_nb.products.offset_list import OffsetList as OffsetList
from muse_nb.products.pixtable import PixelTable as PixelTable
from muse_nb.recipes.reduce import reduce as reduce
from muse_nb.recipes.reduce import reduce_all as reduce_all
from muse_nb.recipes.run import run_recipe as run_recipe
from muse_nb.sharing.share import share as share
from muse_nb.simulator.night import simulate as simulate
from muse_nb.steps.badpix.apply import reduce_with_badpix as reduce_with_badpix
from muse_nb.steps.badpix.compare import compare_badpix as compare_badpix
from muse_nb.steps.calibrate.plan import plan_calibrations as plan_calibrations
from muse_nb.steps.combine.again import check_cube as check_cube
from muse_nb.steps.combine.combine import combine as combine
from muse_nb.steps.combine.combine import cube as cube
from muse_nb.steps.combine.forecast import forecast as forecast
from muse_nb.steps.combine.made_from import stale_cube as stale_cube
from muse_nb.steps.doctor.doctor import doctor as doctor
from muse_nb.steps.drawing import plot_image as plot_image
from muse_nb.steps.drawing import plot_images as plot_images
from muse_nb.steps.inspect.inspect import inspect as inspect
from muse_nb.steps.judge.judge import judge_cube as judge_cube
from muse_nb.steps.look.band import band as band
from muse_nb.steps.look.line_map import line_map as line_map
from muse_nb.steps.look.region_file import spectra as spectra
from muse_nb.steps.look.spectrum import spectrum as spectrum
from muse_nb.steps.nans.audit import audit_nans as audit_nans
from muse_nb.steps.nans.heal import heal_nans as heal_nans
from muse_nb.steps.nans.marked import tell_holes as tell_holes
from muse_nb.steps.offsets.crosscheck import check_offset_list as check_offset_list
from muse_nb.steps.offsets.crosscheck import cross_check as cross_check
from muse_nb.steps.offsets.made_from import stale_list as stale_list
from muse_nb.steps.offsets.measure import measure_offsets as measure_offsets
from muse_nb.steps.offsets.widths import star_widths as star_widths
from muse_nb.steps.offsets.wobble import fit_wobble as fit_wobble
from muse_nb.steps.survey.survey import survey as survey
from muse_nb.widgets.archive.table import ArchiveTable as ArchiveTable
from muse_nb.widgets.cube.viewer import CubeViewer as CubeViewer
from muse_nb.widgets.exposures.table import ExposureTable as ExposureTable
from muse_nb.widgets.nans.viewer import NanViewer as NanViewer
from muse_nb.widgets.night import NightChooser as NightChooser
from muse_nb.widgets.object_red.viewer import ObjectRedViewer as ObjectRedViewer
from muse_nb.widgets.recipe import RecipeRunner as RecipeRunner
from muse_nb.widgets.stars.picker import StarPicker as StarPicker

__version__: str
__all__: list[str]
