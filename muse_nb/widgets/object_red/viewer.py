"""The OBJECT_RED viewer: any exposure and IFU of a set, down to a single pixel."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import traitlets

from muse_nb.core.errors import MuseError
from muse_nb.products import header as headers
from muse_nb.products.object_red import ObjectRed, open_object_red
from muse_nb.widgets.object_red.frames import Cache, LoadedFrame, signal_to_noise
from muse_nb.widgets.object_red.geometry import geometry_by_ifu
from muse_nb.widgets.object_red.kept import described, keep_others, pictures, table_of
from muse_nb.widgets.shared import picture, transport
from muse_nb.widgets.shared.base import COLOUR_MAPS, Viewer, guarded
from muse_nb.widgets.shared.bundle import module
from muse_nb.widgets.shared.front_end import for_a_page
from muse_nb.widgets.shared.limits import LIMITS, STRETCHES

if TYPE_CHECKING:
    from muse_nb.steps.inspect.result import Inspection
    from muse_nb.widgets.mosaic.mosaic import Mosaic

__all__ = ["ObjectRedViewer"]

NEEDED = {"DATA": ("DATA", "DQ"), "DQ": ("DQ",), "STAT": ("STAT", "DQ"), "S/N": ("DATA", "STAT", "DQ")}
LAYERS = ("DATA", "DQ", "STAT", "S/N")
Paths = str | Path | Iterable[str | Path]


class ObjectRedViewer(Viewer):
    """Look at OBJECT_RED frames: DATA, DQ, STAT and S/N, DQ by named bit, slices, cuts, and every pixel's reading.

    Parameters
    ----------
    paths
        OBJECT_RED files of any number of exposures and IFUs, one file per IFU or merged; or the `ObjectRed` frames.
    trace, wavecal
        TRACE_TABLE and WAVECAL_TABLE files, for slice borders, slice numbers and wavelengths.
    **options
        `exposure` (number or label), `ifu`, `layer` (DATA, DQ, STAT, S/N), `stretch` (asinh, linear, log), `limits`
        (zscale, 90, 98, 99.5, 99.9, all), `cmap`, `hidden` (names of DQ bits not to draw), `marks`, `slices`, `cuts`,
        `height` (CSS pixels). Each is a trait that can be set and observed later.

    Attributes
    ----------
    pixel : list of int
        Column and row (0-based) of the pixel that was clicked last; setting it selects one.
    readout : dict
        What that pixel holds: value, sigma, snr, dq, dq_names, unit, and slice and wavelength where known.
    view : list of float
        Centre x, y (pixels) and CSS pixels per pixel; empty for the whole frame. Link it to another viewer's with
        ``ipywidgets.jslink``.

    Raises
    ------
    MuseError
        No file is an OBJECT_RED, or one cannot be read.

    Examples
    --------
    >>> viewer = muse_nb.ObjectRedViewer(muse_nb.survey("night").exposure(0).files("OBJECT_RED"))
    >>> viewer.ifu = 12  # or a key
    >>> viewer.pixel = [100, 200]  # or a click
    >>> viewer.readout["unit"]
    'count'
    """

    _esm = module("object_red/viewer")

    exposures = traitlets.List(traitlets.Unicode(), help="Labels of the exposures, in time order.").tag(sync=True)
    ifus = traitlets.List(traitlets.Int(), help="IFUs of the present exposure.").tag(sync=True)
    exposure = traitlets.Int(0, help="Which of the exposures is shown.").tag(sync=True)
    ifu = traitlets.Int(1, help="Which IFU is shown.").tag(sync=True)
    layer = traitlets.Enum(LAYERS, "DATA").tag(sync=True)
    stretch = traitlets.Enum(STRETCHES, "asinh").tag(sync=True)
    limits = traitlets.Enum((*LIMITS, "custom"), "99.5").tag(sync=True)
    range = traitlets.List(traitlets.Float(), help="Lower and upper limit where `limits` is 'custom'.").tag(sync=True)
    cmap = traitlets.Enum(COLOUR_MAPS, "cividis").tag(sync=True)
    marks = traitlets.Bool(True, help="Draw flagged pixels in the colours of their bits.").tag(sync=True)
    hidden = traitlets.List(traitlets.Unicode(), help="Names of DQ bits that are not drawn.").tag(sync=True)
    slices = traitlets.Bool(True, help="Draw the borders of the slices, where a trace table is given.").tag(sync=True)
    cuts = traitlets.Bool(False, help="Plot the row and the column through the selected pixel.").tag(sync=True)
    view = traitlets.List(traitlets.Float()).tag(sync=True)
    pixel = traitlets.List(traitlets.Int()).tag(sync=True)
    readout = traitlets.Dict().tag(sync=True)

    bits = traitlets.List(help="DQ bits that occur, with their colours and fractions.").tag(sync=True)
    frame = traitlets.Dict(help="What the browser needs to know of the present frame.").tag(sync=True)
    thumb_data = traitlets.Bytes().tag(sync=True)
    thumb_stat = traitlets.Bytes().tag(sync=True)
    thumb_dq = traitlets.Bytes().tag(sync=True)
    beckon = traitlets.Int(0, help="Counts how often a pixel was shown on behalf of another viewer.").tag(sync=True)
    others = traitlets.List(help="Further frames that a page without a kernel holds: traits of each.").tag(sync=True)
    others_bytes = traitlets.Bytes(help="Their pictures, one after the other.").tag(sync=True)
    borders = traitlets.Bytes(help="x of each slice's left and right edge on some rows, float32.").tag(sync=True)

    def __init__(
        self,
        paths: Paths | Sequence[ObjectRed],
        trace: Paths | None = None,
        wavecal: Paths | None = None,
        **options: Any,
    ) -> None:
        self._frames = _by_exposure(paths)
        self._geometry = geometry_by_ifu(trace, wavecal)
        self._cache: Cache[LoadedFrame] = Cache(self._load)
        self._serial = 0
        labels = list(self._frames)
        if isinstance(options.get("exposure"), str):
            options["exposure"] = _place(labels, options["exposure"])
        first = list(self._frames[labels[options.get("exposure", 0)]])
        options.setdefault("ifu", first[len(first) // 2])
        super().__init__(exposures=labels, **options)
        self._show()
        self.observe(self._moved, ["exposure", "ifu"])
        self.observe(self._selected, ["pixel"])

    # ---- Python's own door
    def show(self, ifu: int | None = None, exposure: int | str | None = None) -> ObjectRedViewer:
        """Show an IFU of an exposure, given by its number (from 0) or its label.

        Raises
        ------
        MuseError
            There is no such exposure or IFU.
        """
        place = self.exposure if exposure is None else exposure
        place = _place(self.exposures, place) if isinstance(place, str) else place
        if not 0 <= place < len(self.exposures):
            raise MuseError(f"there is no exposure {place}: there are {len(self.exposures)}, counted from 0")
        here = list(self._frames[self.exposures[place]])
        wanted = self.ifu if ifu is None else ifu
        if wanted not in here:
            raise MuseError(f"{self.exposures[place]} has no IFU {wanted}: it has {', '.join(map(str, here))}")
        with self.hold_trait_notifications():
            self.exposure, self.ifu = place, wanted
        return self

    def mosaic(self, inspection: Inspection | None = None, **options: Any) -> Mosaic:
        """All frames of this viewer on one sheet, coloured by a statistic; a click there shows the frame here.

        Parameters
        ----------
        inspection
            What `muse_nb.inspect` measured; default: the files are measured now.
        """
        from muse_nb.steps.inspect.inspect import inspect
        from muse_nb.widgets.mosaic.mosaic import Mosaic

        paths = dict.fromkeys(frame.path for here in self._frames.values() for frame in here.values())
        return Mosaic(inspect(list(paths)) if inspection is None else inspection, on_open=self._open, **options)

    def _open(self, exposure: str, ifu: int) -> None:
        self.show(ifu, exposure)

    @property
    def data(self) -> LoadedFrame:
        """The present frame: its `data`, `dq` and `stat` arrays."""
        return self._cache.get((self.exposures[self.exposure], self.ifu))

    # ---- what follows from a change
    @guarded
    def _moved(self, _: Any) -> None:
        here = list(self._frames[self.exposures[self.exposure]])
        if self.ifu not in here:
            self.ifu = min(here, key=lambda ifu: abs(ifu - self.ifu))
            return
        self._show()

    @guarded
    def _selected(self, _: Any) -> None:
        self.readout = self.data.read(*self.pixel) if len(self.pixel) == 2 else {}

    def _load(self, key: Any) -> LoadedFrame:
        label, ifu = key
        found = replace(self._frames[label][ifu])  # a copy of its own: it goes with its pixels when the cache drops it
        return LoadedFrame(f"{label} IFU {ifu:02d}", found, self._geometry.get(ifu))

    def _show(self) -> None:
        """Describe the present frame to the browser and give it the thumbnail; it asks for the rest when it is idle."""
        frame = self.data
        self._serial += 1
        with self.hold_sync():
            self.ifus = list(self._frames[self.exposures[self.exposure]])
            self.thumb_data, self.thumb_stat, self.thumb_dq = pictures(frame)
            self.borders = b"" if frame.geometry is None else frame.geometry.borders(frame.shape[0])
            self.bits = frame.bits()
            self.frame = {"id": self._serial, **described(frame)}
            self.readout = frame.read(*self.pixel) if len(self.pixel) == 2 else {}
        self._prefetch()

    def _prefetch(self) -> None:
        here = list(self._frames[self.exposures[self.exposure]])
        place = here.index(self.ifu)
        if place + 1 < len(here):
            self._cache.prefetch((self.exposures[self.exposure], here[place + 1]))

    # ---- messages from the browser
    def _on_need(self, message: dict[str, Any]) -> None:
        """Send planes of the present frame in strips; a request for one that has gone is not answered."""
        serial, frame = self._serial, self.data
        if message.get("frame") != serial:
            return
        for name in message["planes"]:
            plane = frame.plane(name)
            if plane is None:
                continue
            more = table_of(frame.indexed) if name == "DQ" else {}
            for row, strip in transport.strips(plane):
                if serial != self._serial:
                    return
                self.send({"type": "strip", "frame": serial, "plane": name, "row": row, **more}, [strip])
            if name == "DQ":
                self.bits = frame.bits(exact=True)

    def _on_hover(self, message: dict[str, Any]) -> None:
        self.send({"type": "reading", **self.data.read(int(message["x"]), int(message["y"]))})

    # ---- exports
    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        if for_a_page() and not self.others:  # no kernel will be there to be asked for another frame
            here = self.exposures[self.exposure]
            wanted = {(here, ifu): frame for ifu, frame in self._frames[here].items() if ifu != self.ifu}
            self.others, self.others_bytes = keep_others(wanted, self.exposures, self._geometry)
        return super()._repr_mimebundle_(**kwargs)

    def picture(self) -> bytes:
        """PNG of the present view."""
        frame, width = self.data, 760
        ny, nx = frame.shape
        view = self.view if len(self.view) == 3 else [(nx - 1) / 2, (ny - 1) / 2, min(width / nx, 560 / ny)]
        height = min(560, max(120, round(ny * view[2])))
        near = view[2] * frame.step > 1  # then every few pixels are not enough
        seen = {name: self._seen(frame, name, near, view, width, height) for name in NEEDED[self.layer]}
        modes = frame.limits.get(self.layer, {})
        low, high = modes.get(self.limits, (0.0, 1.0))
        if self.limits == "custom" and len(self.range) == 2:
            low, high = self.range
        if self.layer == "S/N":
            seen["S/N"] = signal_to_noise(seen["DATA"], seen["STAT"])
        image = np.zeros((height, width)) if self.layer == "DQ" else seen[self.layer]
        shown = picture.coloured(image, (low, high), self.stretch, self.cmap)
        if frame.has("DQ") and (self.marks or self.layer == "DQ"):
            for bit in reversed([bit for bit in self.bits if bit["name"] not in self.hidden]):
                shown = picture.marked(shown, (seen["DQ"] & bit["value"]) != 0, bit["colour"])
        caption = f"{frame.name}  {self.layer}  {self.stretch}  {low:.4g} to {high:.4g} {frame.unit}"
        return picture.png(shown, caption)

    @staticmethod
    def _seen(frame: LoadedFrame, name: str, near: bool, view: Sequence[float], width: int, height: int) -> np.ndarray:
        """The part of a plane that a view shows, averaged as far as it allows."""
        step = 1 if near else frame.step
        image = getattr(frame, name.lower()) if near else frame.sampled(name)
        if image is None:
            return np.full((height, width), np.nan, np.float32)
        bins = max(1, int(1 / (view[2] * step)))
        if image.dtype.kind != "f":
            seen = picture.part_seen(image, [view[0] / step, view[1] / step, view[2] * step], width, height)
            return seen.astype(np.int64) & 0xFFFFFFFF
        per = bins * step
        binned = image if bins == 1 else transport.thumbnail(image, bins)
        return picture.part_seen(
            binned, [(view[0] + 0.5) / per - 0.5, (view[1] + 0.5) / per - 0.5, view[2] * per], width, height
        )


def _place(labels: Sequence[str], label: str) -> int:
    if label not in labels:
        raise MuseError(f"there is no exposure {label!r}: there are {', '.join(labels)}")
    return labels.index(label)


def _by_exposure(paths: Paths | Sequence[ObjectRed]) -> Mapping[str, dict[int, ObjectRed]]:
    """Frames by exposure (in time order), then by IFU."""
    if isinstance(paths, str | Path):
        paths = [paths]
    frames = [frame for item in paths for frame in ([item] if isinstance(item, ObjectRed) else open_object_red(item))]
    if not frames:
        raise MuseError("no OBJECT_RED file was given: give at least one path")
    dates = {id(frame): str(frame.header.get("DATE-OBS", frame.path.stem)) for frame in frames}
    found: dict[str, dict[int, ObjectRed]] = {}
    for frame in sorted(frames, key=lambda frame: (dates[id(frame)], frame.ifu)):
        date = dates[id(frame)]
        name = headers.label(date) if "T" in date else date
        here = found.setdefault(name, {})
        if frame.ifu in here:
            raise MuseError(
                f"{frame.path} and {here[frame.ifu].path} are both IFU {frame.ifu} of {name}: give one of them"
            )
        here[frame.ifu] = frame
    return found
