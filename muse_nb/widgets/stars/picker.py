"""The star picker: click stars once, get the offsets of all exposures after each click."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import traitlets
from numpy.typing import NDArray

from muse_nb.core.errors import MuseError
from muse_nb.products.image_fov import ImageFov
from muse_nb.steps.offsets.measure import measure_offsets
from muse_nb.steps.offsets.measurement import Measurement
from muse_nb.steps.offsets.picked import candidates
from muse_nb.steps.offsets.picks import PickFile
from muse_nb.steps.offsets.preview import preview_offsets
from muse_nb.steps.offsets.result import Offsets
from muse_nb.steps.offsets.starfit.click import listed
from muse_nb.widgets.shared.base import COLOUR_MAPS, Viewer, colour_map, guarded
from muse_nb.widgets.shared.bundle import module
from muse_nb.widgets.shared.front_end import for_a_page
from muse_nb.widgets.shared.limits import LIMITS, STRETCHES
from muse_nb.widgets.stars import picking
from muse_nb.widgets.stars import traits as star_traits
from muse_nb.widgets.stars.latest import Latest
from muse_nb.widgets.stars.sky import Sheet

if TYPE_CHECKING:
    from astropy.table import Table

__all__ = ["StarPicker"]

REACH = 1.0  # arcsec from a star within which a click means that star
UNDO = 100


class StarPicker(Viewer):
    """Click stars in any exposure; each is found in all the others, and the offsets follow at once.

    Parameters
    ----------
    images
        IMAGE_FOV files of the exposures of one field, or the opened `ImageFov`.
    picks
        Where the picks are kept; default: ``picks.ecsv`` in the folder that all images have in common. Picks that are
        there already are taken up, so that a notebook run without a browser gives the same offsets.
    offset_list
        What the button writes; default: ``OFFSET_LIST.fits`` beside the picks.
    **options
        `stretch` (asinh, linear, log), `limits` (zscale, 90, 98, 99.5, 99.9, all), `cmap`, `exposure`, `aligned`,
        `height`.

    Attributes
    ----------
    offsets : Offsets
        Measured on the picked stars; on all stars as long as none is picked.
    picks : astropy.table.Table
        The picks, see `muse_nb.steps.offsets.picks`.

    Raises
    ------
    MuseError
        Fewer than two images, one that cannot be read, or picks that are damaged.

    Examples
    --------
    >>> picker = muse_nb.StarPicker(muse_nb.survey("night").files_of("IMAGE_FOV"), picks="picks.ecsv")
    >>> picker.add_best(5)  # or clicks
    >>> picker.offsets.write("PICKED.fits")
    """

    _esm = module("stars/picker")

    exposure = traitlets.Int(0, help="Which exposure the main view shows.").tag(sync=True)
    stretch = traitlets.Enum(STRETCHES, "asinh").tag(sync=True)
    limits = traitlets.Enum(tuple(LIMITS), "99.5").tag(sync=True)
    cmap = traitlets.Enum(COLOUR_MAPS, "gray").tag(sync=True)
    aligned = traitlets.Bool(True, help="Show the exposures with their offsets applied.").tag(sync=True)
    view = traitlets.List(traitlets.Float(), help="Centre to the west and north [pixel], zoom.").tag(sync=True)

    height = traitlets.Int(460, help="Height of the picture in CSS pixels.").tag(sync=True)
    signed = traitlets.Bytes(help="Colours of the residuals, 256 RGB triples.").tag(sync=True)
    frames = traitlets.List(help="What the browser needs to know of each exposure.").tag(sync=True)
    thumbs = traitlets.Bytes(help="Thumbnails of all exposures, one after the other, half floats.").tag(sync=True)
    scale = traitlets.Float(0.2, help="Arcsec per pixel of the view.").tag(sync=True)
    stars = traitlets.List(help="Picked stars: number, dropped, exposures in which it was put by hand.").tag(sync=True)
    places = traitlets.Bytes(help="x, y [pixel] of each star in each exposure, float32.").tag(sync=True)
    selected = traitlets.Int(0, help="Number of the star whose fit is shown; 0 for none.").tag(sync=True)
    stamps = traitlets.Dict(help="Data, model and residual of the selected star in each exposure.").tag(sync=True)
    rows = traitlets.List(help="Offsets, one dictionary an exposure.").tag(sync=True)
    residuals = traitlets.Bytes(help="Of each star in each exposure, see `star_traits`.").tag(sync=True)
    measured = traitlets.Int(0, help="Counts the measurements: how the browser knows that a click is answered.").tag(
        sync=True
    )
    method = traitlets.Unicode("", help="What the offsets were measured on.").tag(sync=True)
    status = traitlets.Unicode("").tag(sync=True)
    remark = traitlets.Unicode("", help="What to know of the star that was added last.").tag(sync=True)
    list_state = traitlets.Unicode("", help="Why the OFFSET_LIST that is there is stale.").tag(sync=True)
    files = traitlets.Dict(help="Names of the files that are written.").tag(sync=True)

    def __init__(
        self,
        images: Iterable[str | Path | ImageFov],
        picks: str | Path | None = None,
        offset_list: str | Path | None = None,
        **options: Any,
    ) -> None:
        self.measurement = Measurement(images, progress=self._tell)
        self._sheet = Sheet.of(self.measurement)
        folder = Path(os.path.commonpath([Path(image.path).absolute().parent for image in self.measurement.images]))
        self.picks_path = Path(picks) if picks is not None else folder / "picks.ecsv"
        self.offset_list_path = Path(offset_list or self.picks_path.with_name("OFFSET_LIST.fits"))
        self._file = PickFile(self.picks_path)
        self.picks: Table = self._file.picks.copy()
        self._before: list[Table] = []
        self._after: list[Table] = []
        self._shown = np.zeros((len(self._sheet.frames), 2))  # offsets that were known last
        self._lock = threading.RLock()  # JupyterLab answers the browser in a thread beside the cells'
        self._fitting = threading.RLock()  # one fit at a time; clicks go on meanwhile
        self._follower = Latest(self._follow, pause=0.1)
        self._live = False  # whether a browser looks on
        self._offsets: Offsets | None = None
        self._preview: Offsets | None = None  # what answers a click until the fit is done
        super().__init__(
            frames=self._sheet.described(),
            thumbs=self._sheet.thumbs(),
            scale=self._sheet.scale,
            signed=colour_map("RdBu_r"),
            files={"picks": self.picks_path.name, "offset_list": self.offset_list_path.name},
            **options,
        )
        self._publish()

    # ---- Python's own door
    @property
    def offsets(self) -> Offsets:
        """Offsets from the picked stars; from all stars as long as none is picked."""
        with self._fitting:
            with self._lock:
                picks, offsets = self.picks, self._offsets
            if offsets is None:
                try:
                    offsets = measure_offsets(self.measurement, picks=picks if picking.in_use(picks) else None)
                finally:
                    self._tell("")  # else a saved notebook says for ever that it measures
                with self._lock:
                    if self.picks is picks:
                        self._offsets = offsets
            return offsets

    def add(self, x: float, y: float, exposure: int = 0) -> None:
        """Add the star next to a pixel (0-based) of an exposure.

        Raises
        ------
        MuseError
            There is no star within 1.5 FWHM.
        """
        with self._lock:
            at = self.measurement.star_near(exposure, x, y)
            if at is None:
                raise MuseError(
                    f"no star within 1.5 FWHM of x = {x:.0f}, y = {y:.0f} in {self.measurement.date_obs[exposure]}: "
                    "click nearer to its centre, or on a brighter one"
                )
            ra, dec = self._sheet.at_reference(exposure, at, self._shifts())
            picks = picking.add_star(self.picks, ra, dec)
            self.selected = int(picks["star"][-1])
            known = listed(self.measurement.solution, exposure, x, y)
            self.remark = "" if known else f"Star {self.selected} is a faint peak that may be noise: it weighs little."
            self._change(picks)

    def drop(self, star: int, dropped: bool = True) -> None:
        """Drop a star by its number, or take it back."""
        self._change(picking.drop_star(self.picks, star, dropped))

    def put(self, star: int, x: float, y: float, exposure: int) -> None:
        """Say where a star is in one exposure: the star next to that pixel, or the very pixel where there is none."""
        at = self.measurement.peak_near(exposure, x, y) or (x, y)
        self._change(picking.put_star(self.picks, star, self.measurement.date_obs[exposure], *at))

    def add_best(self, most: int = 20) -> None:
        """Add the stars that tell most about the offsets, but for those that are picked or dropped already."""
        with self._fitting, self._lock:
            picks = self.picks
            known = self._sheet.places(picks, np.zeros_like(self._shown))[:, 0]
            for row in candidates(self.measurement, most):
                if picking.nearest(known, float(row["x"]), float(row["y"]), REACH / self.scale) is None:
                    picks = picking.add_star(picks, float(row["ra"]), float(row["dec"]))
            if not self.selected and len(picks):
                self.selected = int(picks["star"][0])
            self._change(picks)

    def undo(self) -> None:
        """Take the last change back."""
        if self._before:
            self._after.append(self.picks)
            self._set(self._before.pop())

    def redo(self) -> None:
        """Make the change again that was taken back last."""
        if self._after:
            self._before.append(self.picks)
            self._set(self._after.pop())

    def write(self, path: str | Path | None = None, force: bool = False) -> Path:
        """Write the OFFSET_LIST and give its path."""
        path = self.offset_list_path if path is None else Path(path)
        self.offsets.write(path, force=force)
        self._judge_list(self.offsets)
        return path

    # ---- what follows from a change
    def _change(self, picks: Table) -> None:
        self._before = [*self._before[-UNDO:], self.picks]
        self._after = []
        self._set(picks)

    def _set(self, picks: Table) -> None:
        with self._lock:
            self.picks, self._shown = self._file.save(picks), self._shifts()
            self._offsets = self._preview = None
            self.error = ""
            self._publish()  # at once, where the last offsets put the stars; the fit takes a moment
        if self._live:
            self._answer()
            self._follower.ask()
        elif self.rows or picking.in_use(self.picks):
            self._measure()

    @guarded
    def _follow(self) -> None:
        self._measure()
        self.status = ""

    def _measure(self) -> None:
        offsets = self.offsets
        with self._lock:
            if self._offsets is offsets:  # else picked further meanwhile: the fit of that is on its way
                self._show(offsets)
        if self._live and self.measurement.solution.fit is not None:
            _ = self.measurement.star_shifts  # the next click is answered from them

    def _answer(self) -> None:
        """Show at once what the fit of all stars tells of the picked ones; their own fit follows."""
        if not self.rows:
            return
        with self._lock:
            self._preview = preview_offsets(self.measurement, self.picks)
            if self._preview is not None:
                self._show(self._preview, " (a first estimate, the fit follows)")

    def _show(self, offsets: Offsets, answer: str = "") -> None:
        """Tell the browser the offsets of the present picks, and what kind of answer they are."""
        used = picking.in_use(self.picks)
        with self.hold_sync():
            self._publish()
            self.rows = offsets.rows()
            self.residuals = star_traits.residuals(offsets.residuals, self.measurement.date_obs) if used else b""
            self.method = f"{used} picked star{'s' * (used != 1)}{answer}" if used else "all stars, none picked"
            self._show_stamps()
            if not answer:
                self._judge_list(offsets)
            self.measured += 1

    def _judge_list(self, offsets: Offsets) -> None:
        """Say whether the OFFSET_LIST that is there still holds these offsets."""
        try:
            self.list_state = offsets.stale(self.offset_list_path)
        except MuseError as error:
            self.list_state = str(error)

    def _publish(self) -> None:
        """Tell the browser where each star is in each exposure."""
        with self.hold_sync():
            self.stars = star_traits.stars(self.picks, self.measurement.date_obs)
            self.places = self._sheet.places(self.picks, self._shifts()).astype("<f4").tobytes()

    @traitlets.observe("selected")
    def _show_stamps(self, _: Any = None) -> None:
        """Show the fit of the selected star, if it took part in one."""
        with self._lock:
            offsets = self._offsets or self._preview
            known = offsets if self.selected in picking.numbers_in_use(self.picks) else None
        try:
            stamps = None if known is None else known.stamps(self.selected)
        except MuseError:  # seen in less than two exposures
            stamps = None
        self.stamps = {} if stamps is None else star_traits.stamps(stamps, self.measurement.date_obs)

    def _shifts(self) -> NDArray[np.float64]:
        """Offsets [arcsec] of the exposures as far as they are known, else 0."""
        with self._lock:
            offsets = self._offsets or self._preview
        if offsets is None:
            return self._shown
        known = np.c_[offsets.table["ra_offset"], offsets.table["dec_offset"]].astype(np.float64)
        return np.asarray(np.nan_to_num(known))

    def _tell(self, what: str, done: int = 0, total: int = 0) -> None:
        if self.comm is not None:
            self.status = what

    # ---- messages from the browser
    def _on_ready(self, _: dict[str, Any]) -> None:
        """Send the whole images, then measure: the first fit of many images takes seconds."""
        for i, frame in enumerate(self._sheet.frames):
            self.send({"type": "image", "exposure": i}, [np.ascontiguousarray(frame.halves).data.cast("B")])
        self._live = True
        if self.rows:
            self.status = ""
        else:
            self._follower.ask()

    def _on_click(self, message: dict[str, Any]) -> None:
        exposure, x, y = int(message["exposure"]), float(message["x"]), float(message["y"])
        if not self.rows:
            self._measure()
        seen = self._sheet.places(self.picks, self._shifts())[:, exposure]
        near = picking.nearest(seen, x, y, REACH / self._sheet.frames[exposure].plane.scale)
        if near is None:
            self.add(x, y, exposure)
        else:
            row = picking.stars(self.picks)[near]
            self.drop(int(row["star"]), not row["dropped"])

    def _on_drop(self, message: dict[str, Any]) -> None:
        self.drop(int(message["star"]), bool(message["dropped"]))

    def _on_drag(self, message: dict[str, Any]) -> None:
        self.put(int(message["star"]), float(message["x"]), float(message["y"]), int(message["exposure"]))

    def _on_best(self, message: dict[str, Any]) -> None:
        self.add_best(int(message.get("most", 20)))

    def _on_undo(self, _: dict[str, Any]) -> None:
        self.undo()

    def _on_redo(self, _: dict[str, Any]) -> None:
        self.redo()

    def _on_write(self, message: dict[str, Any]) -> None:
        if self.offset_list_path.exists() and not message.get("force"):
            self.send({"type": "exists", "name": self.offset_list_path.name})
            return
        self.status = f"wrote {self.write(force=True)}"

    # ---- exports
    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        if for_a_page() and not self.rows:  # no browser will ask for the offsets
            self._follow()
        return super()._repr_mimebundle_(**kwargs)

    def picture(self) -> bytes:
        """PNG of all exposures, north up, with the picked stars and the offsets."""
        captions = star_traits.captions(self.rows)
        return self._sheet.picture(self.picks, self._shifts(), captions, (self.limits, self.stretch, self.cmap))
