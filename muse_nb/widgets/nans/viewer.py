"""The NaN viewer: a cube's holes coloured by cause, plane by plane, and the story of each."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from threading import Event, Thread
from typing import Any

import numpy as np
import traitlets

from muse_nb.core.errors import MuseError
from muse_nb.products.axes.sky import SkyAxes
from muse_nb.products.header import label
from muse_nb.steps.nans.audit import audit_nans
from muse_nb.steps.nans.causes import CODES, MEANING, Cause
from muse_nb.steps.nans.marked import Voxel, check_holes, read_holes
from muse_nb.steps.nans.result import NanAudit
from muse_nb.widgets.nans import spaxel
from muse_nb.widgets.nans.planes import shrink, stored_planes
from muse_nb.widgets.object_red.viewer import ObjectRedViewer
from muse_nb.widgets.shared import picture, transport
from muse_nb.widgets.shared.base import COLOUR_MAPS, Viewer, guarded
from muse_nb.widgets.shared.bundle import module
from muse_nb.widgets.shared.limits import LIMITS, STRETCHES, limits

__all__ = ["CAUSE_COLOURS", "NanViewer"]

CAUSE_COLOURS = {  # Okabe and Ito's, the brightest for what one can do something about
    Cause.OUTSIDE_FIELD: "#3d424d",
    Cause.OUTSIDE_RANGE: "#56b4e9",
    Cause.MISSING_IFU: "#cc79a7",
    Cause.MISSING_SLICE: "#e69f00",
    Cause.NO_PIXEL: "#009e73",
    Cause.BADPIX: "#d55e00",
    Cause.FLAGGED: "#f0e442",
    Cause.REJECTED: "#0072b2",
    Cause.NOT_FINITE: "#ff8fb0",
    Cause.ZERO_WEIGHT: "#b59a6a",
    Cause.UNKNOWN: "#b8bcc4",
    Cause.UNEXPLAINED: "#ffffff",
}
PAUSE = 0.2  # seconds between two messages of progress
THUMB_PIXELS = 120_000  # of the plane and of the map that are kept in a saved notebook


class NanViewer(Viewer):
    """Walk through a cube's planes with every NaN in the colour of its cause; click a hole for its story.

    Parameters
    ----------
    cube
        The cube's file.
    audit
        What `muse_nb.audit_nans` found; default: it is done now.
    pixtables
        Pixel tables that the cube was made from, where the audit is done now; with them every cause is known.
    badpix
        BADPIX_TABLE that went into the reduction.
    viewer
        An `ObjectRedViewer` of the same exposures, to show a detector pixel in.
    background
        Show the viewer at once, with the progress of the audit and a button that cancels it; without, the audit is done
        when the cell is, as exports need it.
    holes
        Voxels to mark, (x, y, plane) from 0 each, or the file in which a reader of a shared page marked them.
    stored
        How many planes a page without a kernel can show; see the trait `stored`.
    **options
        `plane`, `shown` (plane or fraction), `stretch`, `limits`, `cmap`, `hidden` (causes that are not coloured),
        `height`.

    Attributes
    ----------
    voxel : list of int
        Column, row and plane (0-based) that was clicked last; setting it selects one.
    story : list of str
        Why that voxel is NaN, or what it holds.
    holes : list of list of int
        Voxels that are marked; a reader marks more.
    audit : NanAudit
        Everything in numbers; while it is done in the background, `wait` for it.

    Raises
    ------
    MuseError
        The cube, a pixel table or the file of holes cannot be read, the audit or a hole is of another cube.

    Examples
    --------
    >>> viewer = muse_nb.NanViewer("CUBE.fits")
    >>> viewer.voxel = [0, 0, 0]  # or a click
    >>> print(viewer.story[0])
    Voxel x 1, y 1, plane 1 (6266.50 Angstrom) is NaN: outside the wavelength range ...
    """

    _esm = module("nans/viewer")

    plane = traitlets.Int(0, help="Which plane is shown.").tag(sync=True)
    shown = traitlets.Enum(("plane", "fraction"), "plane", help="A plane, or NaN over all planes.").tag(sync=True)
    stretch = traitlets.Enum(STRETCHES, "asinh").tag(sync=True)
    limits = traitlets.Enum(tuple(LIMITS), "99.5").tag(sync=True)
    cmap = traitlets.Enum(COLOUR_MAPS, "gray").tag(sync=True)
    hidden = traitlets.List(traitlets.Unicode(), help="Causes that are not coloured.").tag(sync=True)
    view = traitlets.List(traitlets.Float()).tag(sync=True)
    voxel = traitlets.List(traitlets.Int()).tag(sync=True)
    story = traitlets.List(traitlets.Unicode()).tag(sync=True)
    holes = traitlets.List(traitlets.List(traitlets.Int()), help="Voxels that are marked.").tag(sync=True)
    pixels = traitlets.List(help="Detector pixels that reach the voxel, the largest weight first.").tag(sync=True)
    progress = traitlets.List(help="What an audit in the background does: words, done, all.").tag(sync=True)
    linked = traitlets.Bool(False, help="Whether a detector pixel can be shown in an ObjectRedViewer.").tag(sync=True)

    cube = traitlets.Dict(help="Shape, wavelengths, causes and compass of the cube.").tag(sync=True)
    layer = traitlets.Dict(help="Coding and limits of the kept plane.").tag(sync=True)
    stored = traitlets.List(
        help="Planes that are kept in a saved notebook, spread over all wavelengths: number, code, limits and bin."
        " Their pictures follow one another in stored_data and stored_causes, 1.5 MB together at most."
    ).tag(sync=True)
    stored_data = traitlets.Bytes().tag(sync=True)
    stored_causes = traitlets.Bytes().tag(sync=True)
    kept_plane = traitlets.Bytes().tag(sync=True)
    kept_causes = traitlets.Bytes().tag(sync=True)
    kept_fraction = traitlets.Bytes().tag(sync=True)
    profile = traitlets.Bytes(help="NaN inside the field by plane, float32.").tag(sync=True)
    spectrum = traitlets.Bytes(help="Spectrum of the selected spaxel, float32.").tag(sync=True)
    spectrum_causes = traitlets.Bytes(help="Cause of each of its gaps, one byte a plane.").tag(sync=True)

    def __init__(
        self,
        cube: str | Path,
        audit: NanAudit | None = None,
        pixtables: str | Path | Iterable[str | Path] | None = None,
        badpix: str | Path | None = None,
        viewer: ObjectRedViewer | None = None,
        *,
        background: bool = False,
        holes: str | Path | Iterable[Voxel] = (),
        stored: int = 24,
        **options: Any,
    ) -> None:
        self.viewer, self._most, self._wanted = viewer, stored, options.pop("plane", None)
        self._cancel = Event()
        self._failure: BaseException | None = None
        self._thread: Thread | None = None
        marked = read_holes(holes) if isinstance(holes, (str, Path)) else holes
        super().__init__(linked=viewer is not None, holes=[list(hole) for hole in marked], **options)
        if audit is None and background:
            self.progress = ["starting", 0, 1]
            self._thread = Thread(target=self._find, args=(cube, pixtables, badpix), name="NanViewer", daemon=True)
            self._thread.start()
            return
        self._begin(cube, audit_nans(cube, pixtables, badpix) if audit is None else audit)

    def wait(self, timeout: float | None = None) -> NanAudit:
        """Wait for an audit in the background, `timeout` seconds at most; return it, or raise its error."""
        if self._thread is not None:
            self._thread.join(timeout)
        if self._failure is not None:
            raise self._failure
        return self.audit

    def _find(self, cube: str | Path, pixtables: Any, badpix: str | Path | None) -> None:
        """Audit in a thread."""
        told = 0.0

        def tell(what: str, done: int, total: int) -> None:
            nonlocal told
            if time.monotonic() - told > PAUSE:
                told, self.progress = time.monotonic(), [what, done, total]

        try:
            self._begin(cube, audit_nans(cube, pixtables, badpix, progress=tell, cancel=self._cancel))
        except BaseException as error:  # it would otherwise die with the thread, where nobody looks
            self._failure, self.error = error, str(error)
        self.progress = []

    def _begin(self, cube: str | Path, audit: NanAudit) -> None:
        """Take in the audit, and show it."""
        if audit.cube.path.resolve() != Path(cube).resolve():
            raise MuseError(f"the audit is of {audit.cube.path}, not of {cube}: give the audit of this cube")
        self.audit = audit
        nz, ny, nx = audit.shape
        check_holes(audit.cube, self.holes)
        self._bins = max(1, int(np.ceil(np.sqrt(nx * ny / THUMB_PIXELS))))
        small = stored_planes(audit, self._most)
        fraction = transport.thumbnail(audit.fraction_map(), self._bins)
        with self.hold_sync():
            self.plane = nz // 2 if self._wanted is None else self._wanted
            self.kept_fraction = transport.halves(fraction, 0, 1).tobytes()
            self.profile = audit.profile().astype("<f4").tobytes()
            self.stored = [plane.layer for plane in small]
            self.stored_data = b"".join(plane.data for plane in small)
            self.stored_causes = b"".join(plane.causes for plane in small)
            self._show()
            self.cube = self._described()
        self.observe(self._moved, ["plane"])
        self.observe(self._selected, ["voxel"])

    def _described(self) -> dict[str, Any]:
        """What the browser needs to know of the cube."""
        audit, (nz, ny, nx) = self.audit, self.audit.shape
        try:
            wavelength = [float(audit.cube.wavelength(k)) for k in (0, nz - 1)]
            logarithmic = audit.cube.axis.logarithmic
        except MuseError:
            wavelength, logarithmic = [], False
        try:
            compass = SkyAxes.of(audit.cube.header, audit.cube.path).matrix.ravel().tolist()
        except MuseError:
            compass = [0.0] * 4
        totals = audit.totals()
        header = audit.cube.header
        return {
            "name": audit.cube.path.name,
            "nx": nx,
            "ny": ny,
            "nz": nz,
            "bin": self._bins,
            "wavelength": wavelength,
            "logarithmic": logarithmic,
            "unit": str(header.get("BUNIT", "")).strip(),
            "exact": audit.exact,
            "compass": compass,
            "fraction": audit.nan_fraction,
            "fraction_in_field": audit.nan_fraction_in_field,
            "causes": [
                {
                    "name": cause.value,
                    "code": CODES[cause],
                    "meaning": MEANING[cause],
                    "colour": CAUSE_COLOURS[cause],
                    "voxels": totals.get(cause.value, 0),
                    "fraction": totals.get(cause.value, 0) / (nz * ny * nx),
                }
                for cause in Cause
                if totals.get(cause.value, 0)
            ],
        }

    # ---- what follows from a change
    @guarded
    def _moved(self, _: Any) -> None:
        self._show()

    @guarded
    def _selected(self, _: Any) -> None:
        """Tell the story of the voxel and give the spectrum of its spaxel."""
        if len(self.voxel) != 3:
            with self.hold_sync():
                self.story, self.pixels, self.spectrum, self.spectrum_causes = [], [], b"", b""
            return
        x, y, k = self.voxel
        check_holes(self.audit.cube, [(x, y, k)])
        values = self.audit.cube.spectrum(x, y)
        with self.hold_sync():
            self.story = spaxel.story(self.audit, x, y, k, values)
            self.pixels = spaxel.pixels(self.audit, x, y, k)
            self.spectrum = values.astype("<f4").tobytes()
            self.spectrum_causes = spaxel.gaps(self.audit, x, y, values).tobytes()

    def _planes(self) -> tuple[np.ndarray, np.ndarray]:
        nz = self.audit.shape[0]
        if not 0 <= self.plane < nz:
            raise MuseError(f"there is no plane {self.plane}: there are {nz}, counted from 0")
        return self.audit.cube.plane(self.plane), self.audit.cause_plane(self.plane)

    def _show(self) -> None:
        """Keep a thumbnail of the plane, and send the whole to pages that are open."""
        image, causes = self._planes()
        small = shrink(self.plane, image, causes, self._bins)
        with self.hold_sync():
            self.layer, self.kept_plane, self.kept_causes = small.layer, small.data, small.causes
        if self._bins > 1:
            whole = shrink(self.plane, image, causes, 1)
            self.send({"type": "plane", **whole.layer}, [whole.data, whole.causes])

    def _on_ready(self, _: dict[str, Any]) -> None:
        self.send({"type": "alive"})
        if self.cube and self._bins > 1:
            self._show()

    def _on_cancel(self, _: dict[str, Any]) -> None:
        self._cancel.set()

    def _on_show(self, message: dict[str, Any]) -> None:
        """Show a detector pixel of the story in the linked viewer."""
        if self.viewer is None:
            return
        pixel = self.pixels[int(message["row"])]
        x, y = int(pixel["x"]) - 1, int(pixel["y"]) - 1
        self.viewer.show(ifu=int(pixel["ifu"]), exposure=label(str(pixel["exposure"])))
        with self.viewer.hold_sync():
            self.viewer.pixel, self.viewer.view = [x, y], [x, y, 8.0]
            self.viewer.beckon += 1

    # ---- exports
    def picture(self) -> bytes:
        """PNG of the present plane, or of the fraction over all planes, with the causes in colour."""
        if not self.cube:
            return picture.png(np.zeros((20, 480, 3), np.uint8), "the audit was not done when this page was made")
        image, causes = self._planes()
        modes, (ny, nx) = limits(image), image.shape
        zoom = max(1, round(480 / max(nx, ny)))
        if self.shown == "fraction":
            shown = picture.coloured(self.audit.fraction_map(), (0, 1), "linear", "cividis")
            caption = f"{self.cube['name']}  NaN over all planes, 0 to 1"
        else:
            shown = picture.coloured(image, modes[self.limits], self.stretch, self.cmap)
            for cause in self.cube["causes"]:
                if cause["name"] not in self.hidden:
                    shown = picture.marked(shown, causes == cause["code"], cause["colour"], 1.0)
            caption = f"{self.cube['name']}  plane {self.plane + 1} of {self.cube['nz']}"
        return picture.png(np.kron(shown[::-1], np.ones((zoom, zoom, 1), np.uint8)), caption)
