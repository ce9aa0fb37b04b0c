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

from muse_nb.products.errors import MuseError
from muse_nb.products.image_fov import ImageFov
from muse_nb.steps.measurement import Measurement
from muse_nb.steps.offsets import Offsets, measure_offsets
from muse_nb.steps.picks import empty_picks, read_picks, save_picks
from muse_nb.steps.starfit.picked import centre
from muse_nb.widgets import picking
from muse_nb.widgets.base import COLOUR_MAPS, Viewer, guarded
from muse_nb.widgets.sky import Sheet
from muse_nb.widgets.static import module

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
        The picks, see `muse_nb.steps.picks`.

    Raises
    ------
    MuseError
        Fewer than two images, one that cannot be read, or picks that are damaged.

    Examples
    --------
    >>> picker = StarPicker(survey.files_of("IMAGE_FOV"))  # doctest: +SKIP
    >>> picker.offsets.write("OFFSET_LIST.fits")  # doctest: +SKIP
    """

    _esm = module("stars")

    exposure = traitlets.Int(0, help="Which exposure the main view shows.").tag(sync=True)
    stretch = traitlets.Enum(("asinh", "linear", "log"), "asinh").tag(sync=True)
    limits = traitlets.Enum(("zscale", "90", "98", "99.5", "99.9", "all"), "99.5").tag(sync=True)
    cmap = traitlets.Enum(COLOUR_MAPS, "gray").tag(sync=True)
    aligned = traitlets.Bool(True, help="Show the exposures with their offsets applied.").tag(sync=True)
    view = traitlets.List(traitlets.Float(), help="Centre to the west and north [pixel], zoom.").tag(sync=True)

    frames = traitlets.List(help="What the browser needs to know of each exposure.").tag(sync=True)
    thumbs = traitlets.Bytes(help="Thumbnails of all exposures, one after the other, half floats.").tag(sync=True)
    scale = traitlets.Float(0.2, help="Arcsec per pixel of the view.").tag(sync=True)
    stars = traitlets.List(help="Picked stars and where each is in each exposure.").tag(sync=True)
    rows = traitlets.List(help="Offsets, one dictionary an exposure.").tag(sync=True)
    residuals = traitlets.List(help="[star, exposure, RA, Dec, their errors [mas], deviation, outlier].").tag(sync=True)
    method = traitlets.Unicode("", help="What the offsets were measured on.").tag(sync=True)
    status = traitlets.Unicode("").tag(sync=True)
    files = traitlets.Dict(help="Names of the files that are written.").tag(sync=True)

    def __init__(
        self,
        images: Iterable[str | Path | ImageFov],
        picks: str | Path | None = None,
        offset_list: str | Path | None = None,
        **options: Any,
    ) -> None:
        self.measurement = Measurement(images, tell=self._tell)
        self._sheet = Sheet.of(self.measurement)
        folder = Path(os.path.commonpath([Path(image.path).absolute().parent for image in self.measurement.images]))
        self.picks_path = Path(picks) if picks is not None else folder / "picks.ecsv"
        self.offset_list_path = Path(offset_list or self.picks_path.with_name("OFFSET_LIST.fits"))
        self.picks: Table = read_picks(self.picks_path) if self.picks_path.exists() else empty_picks()
        self._saved = self.picks.copy()
        self._before: list[Table] = []
        self._after: list[Table] = []
        self._shown = np.zeros((len(self._sheet.frames), 2))  # offsets that were known last
        self._lock = threading.RLock()  # JupyterLab answers the browser in a thread beside the cells'
        self._offsets: Offsets | None = None
        super().__init__(
            frames=self._sheet.described(),
            thumbs=self._sheet.thumbs(),
            scale=self._sheet.scale,
            files={"picks": self.picks_path.name, "offset_list": self.offset_list_path.name},
            **options,
        )
        self._publish()

    # ---- Python's own door
    @property
    def offsets(self) -> Offsets:
        """Offsets from the picked stars; from all stars as long as none is picked."""
        with self._lock:
            if self._offsets is None:
                chosen = self.picks if picking.in_use(self.picks) else None
                self._offsets = measure_offsets(self.measurement, picks=chosen)
            return self._offsets

    def add(self, x: float, y: float, exposure: int = 0) -> None:
        """Add the star next to a pixel (0-based) of an exposure.

        Raises
        ------
        MuseError
            There is no star within 1.5 FWHM.
        """
        with self._lock:
            at = centre(self.measurement.frames[exposure], x, y)
            if at is None:
                raise MuseError(
                    f"no star within 1.5 FWHM of x = {x:.0f}, y = {y:.0f} in {self.measurement.date_obs[exposure]}: "
                    "click nearer to its centre, or on a brighter one"
                )
            ra, dec = self._sheet.at_reference(exposure, at, self._shifts())
            self._change(picking.add_star(self.picks, ra, dec))

    def drop(self, star: int, dropped: bool = True) -> None:
        """Drop a star by its number, or take it back."""
        self._change(picking.drop_star(self.picks, star, dropped))

    def put(self, star: int, x: float, y: float, exposure: int) -> None:
        """Say where a star is in one exposure: the star next to that pixel, or the very pixel where there is none."""
        at = centre(self.measurement.frames[exposure], x, y) or (x, y)
        self._change(picking.put_star(self.picks, star, self.measurement.date_obs[exposure], *at))

    def add_best(self, most: int = 20) -> None:
        """Add the stars that tell most about the offsets, but for those that are picked or dropped already."""
        with self._lock:
            picks = self.picks
            known = self._sheet.seen(0, picks, None)
            for row in self.measurement.candidates(most):
                if picking.nearest(known, float(row["x"]), float(row["y"]), REACH / self.scale) is None:
                    picks = picking.add_star(picks, float(row["ra"]), float(row["dec"]))
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
        return path

    # ---- what follows from a change
    def _change(self, picks: Table) -> None:
        self._before = [*self._before[-UNDO:], self.picks]
        self._after = []
        self._set(picks)

    def _set(self, picks: Table) -> None:
        with self._lock:
            saved = save_picks(self.picks_path, picks, self._saved)
            self._saved, self.picks, self._shown = saved.copy(), saved, self._shifts()
            self._offsets = None
            self.error = ""
            self._publish()  # at once, where the last offsets put the stars; the fit takes a moment
            if self.rows or picking.in_use(saved):
                self._measure()

    def _measure(self) -> None:
        offsets = self.offsets
        number = {date: i for i, date in enumerate(self.measurement.date_obs)}
        columns = ("ra_residual", "dec_residual", "ra_error", "dec_error", "deviation")
        number_of = picking.in_use(self.picks)
        residuals = [
            [int(row["star"]), number[str(row["date_obs"])], *(float(row[c]) for c in columns), bool(row["outlier"])]
            for row in (offsets.residuals if number_of else [])
        ]
        with self.hold_sync():
            self._publish()
            self.rows = offsets.rows()
            self.residuals = [[None if v != v else v for v in row] for row in residuals]
            self.method = f"{number_of} picked star{'s' * (number_of != 1)}" if number_of else "all stars, none picked"

    def _publish(self) -> None:
        """Tell the browser where each star is in each exposure."""
        rows, shifts = picking.stars(self.picks), self._shifts()
        seen = [self._sheet.seen(i, self.picks, shifts[i]) for i in range(len(self._sheet.frames))]
        dates = self.measurement.date_obs
        self.stars = [
            {
                "star": int(row["star"]),
                "dropped": bool(row["dropped"]),
                "at": [[round(float(v), 2) for v in where[k]] for where in seen],
                "by_hand": [
                    dates.index(e) for e in self.picks["exposure"][self.picks["star"] == row["star"]] if e in dates
                ],
            }
            for k, row in enumerate(rows)
        ]

    def _shifts(self) -> NDArray[np.float64]:
        """Offsets [arcsec] of the exposures as far as they are known, else 0."""
        with self._lock:
            table = None if self._offsets is None else self._offsets.table
        if table is None:
            return self._shown
        return np.nan_to_num(np.c_[table["ra_offset"], table["dec_offset"]].astype(float))

    def _tell(self, text: str) -> None:
        if self.comm is not None:
            self.status = text

    # ---- messages from the browser
    def _on_ready(self, _: dict[str, Any]) -> None:
        """Send the whole images, then measure: the first fit of many images takes seconds."""
        for i, frame in enumerate(self._sheet.frames):
            self.send({"type": "image", "exposure": i}, [np.ascontiguousarray(frame.halves).data.cast("B")])
        if not self.rows:
            self._measure()
        self.status = ""

    def _on_click(self, message: dict[str, Any]) -> None:
        exposure, x, y = int(message["exposure"]), float(message["x"]), float(message["y"])
        if not self.rows:
            self._measure()
        seen = self._sheet.seen(exposure, self.picks, self._shifts()[exposure])
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
        if "MUSE_NB_HEADLESS" in os.environ:  # no browser will ask for the offsets
            self._measure_once()
        return super()._repr_mimebundle_(**kwargs)

    @guarded
    def _measure_once(self) -> None:
        if not self.rows:
            self._measure()
        self.status = ""

    def picture(self) -> bytes:
        """PNG of all exposures, north up, with the picked stars."""
        return self._sheet.picture(self.picks, self._shifts(), self.limits, self.stretch, self.cmap)
