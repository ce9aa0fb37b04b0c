"""The cube viewer: an image and a spectrum, both large, that follow each other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

import numpy as np

from muse_nb.core.errors import MuseError
from muse_nb.products.cube_file import CubeFile
from muse_nb.steps.look.line_map import line_fit, line_map
from muse_nb.steps.look.region_file import KeptRegion, read_regions, write_regions
from muse_nb.widgets.cube import saving, sky
from muse_nb.widgets.cube.described import described
from muse_nb.widgets.cube.looks import Looks, Picture, asked_of
from muse_nb.widgets.cube.shapes import Drawn, drawn, kept
from muse_nb.widgets.cube.small import shrink
from muse_nb.widgets.cube.still import draw
from muse_nb.widgets.cube.taken import Taken, measured
from muse_nb.widgets.cube.traits import CubeTraits
from muse_nb.widgets.cube.wire import packed
from muse_nb.widgets.shared.base import colour_map, guarded
from muse_nb.widgets.shared.bundle import module, style
from muse_nb.widgets.shared.front_end import for_a_page

if TYPE_CHECKING:
    from muse_nb.steps.look.line_maps import LineMaps
    from muse_nb.steps.look.result import Extraction
    from muse_nb.steps.nans.result import NanAudit
    from muse_nb.steps.stars.result import StarSpectra

__all__ = ["CubeViewer"]

PICTURE = ("shown", "layer", "wavelength", "band", "continuum", "rgb", "how", "map")


class CubeViewer(CubeTraits):
    """Look at a cube: the image of a band dragged in the spectrum, the spectrum of what is dragged in the image.

    Parameters
    ----------
    cube
        The cube's file.
    regions
        Where the apertures are kept, a ds9 file; default: ``regions.reg`` beside the cube. Those that are in it are
        shown. None: nowhere.
    compare
        Another cube, to blink with.
    contours
        An image with a WCS, whose contours are drawn over the cube's.
    audit, stars
        What `muse_nb.audit_nans` found, for causes of NaN; default: found when they are asked for. What
        `muse_nb.extract_stars` found: a click on a star shows its spectrum beside that of an aperture.
    folder
        Where what is saved goes; default: beside the cube.
    **options
        `shown`, `layer`, `wavelength`, `band`, `continuum`, `rgb`, `how`, `stretch`, `limits`, `cut`, `cmap`, `line`,
        `redshift`, `lines_shown`, `sky_shown`, `xrange`, `yrange`, `height`, ...: see the traits.

    Attributes
    ----------
    regions : list of dict
        Apertures in spaxels from 0, see `muse_nb.widgets.cube.shapes.Drawn`.
    maps : LineMaps
        Maps of the line that were made last.

    Raises
    ------
    MuseError
        A file cannot be read, or the cube has no wavelengths.

    Examples
    --------
    >>> muse_nb.CubeViewer("CUBE.fits", band=[6555, 6570], shown="band").band
    [6555.0, 6570.0]
    """

    _esm = module("cube/viewer")
    _css = style("cube/viewer")

    def __init__(
        self,
        cube: str | Path,
        *,
        regions: str | Path | None = "",
        compare: str | Path | None = None,
        contours: str | Path | None = None,
        audit: NanAudit | None = None,
        stars: StarSpectra | None = None,
        folder: str | Path | None = None,
        **options: Any,
    ) -> None:
        opened = CubeFile.open(cube)
        self.looks = Looks(opened, audit)
        self._second = None if compare is None else Looks(CubeFile.open(compare))
        self.folder = Path(folder) if folder is not None else opened.path.parent
        self.regions_file = None if regions is None else Path(regions or opened.path.parent / "regions.reg")
        self._serial = 0
        self._elsewhere: list[KeptRegion] = []
        self._taken, self._stop = Taken(self.looks, stars), Event()
        middle = float(self.looks.wavelengths[opened.shape[0] // 2])
        super().__init__(**{"wavelength": middle, "height": 460} | options)
        with self.hold_sync():
            self.colour_maps = {**self.colour_maps, "RdBu_r": colour_map("RdBu_r")}  # of velocities
            self.cube = described(self.looks, self._second)
            self.waves = self.looks.wavelengths.astype("<f8").tobytes()
            if contours is not None:
                self.contours = sky.contour_lines(contours, opened)
            self._read_regions()
            self._take()
            self._show()
        self.observe(self._follow_picture, [*PICTURE, "other"])
        self.observe(self._follow_regions, ["regions"])
        self.observe(self._follow_spaxel, ["spaxel", "line", "redshift"])
        self.observe(self._measure, ["chosen"])
        self._thread: Thread | None = None
        if for_a_page():
            self._complete()
        else:
            self._thread = Thread(target=self._complete, name="CubeViewer", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """End what is done in the background, and the widget."""
        self._stop.set()
        super().close()

    # ---- from Python
    def wait(self, timeout: float | None = None) -> None:
        """Wait until white light is of all planes, and a page without a kernel has its small cube."""
        if self._thread is not None:
            self._thread.join(timeout)

    @property
    def maps(self) -> LineMaps | None:
        """Maps of the line that were made last."""
        return self.looks.maps

    def spectrum(self, number: int | None = None) -> Extraction:
        """Spectrum of a region, of the chosen one by default, as `muse_nb.spectrum` takes it.

        Raises
        ------
        MuseError
            There is no such region.
        """
        wanted = self.chosen if number is None else number
        for shape in self.regions:
            if shape["id"] == wanted:
                return self._taken.spectrum(shape)
        raise MuseError(f"there is no region {wanted}: draw one in the image")

    def image(self) -> Picture:
        """The image that is shown, in numbers."""
        return self.looks.pictures(self._asked())[0]

    def look_at_star(self, scale: float = 14.0) -> None:
        """Centre the image on the brightest spaxel of white light, `scale` CSS pixels a spaxel."""
        white = self.looks.white().data
        if np.isfinite(white).any():
            y, x = np.unravel_index(np.nanargmax(white), white.shape)
            self.view = [float(x), float(y), scale]

    def map_line(
        self, line: str | None = None, redshift: float | None = None, *, method: str = "gauss", **options: Any
    ) -> LineMaps:
        """Make the maps of a line, as `muse_nb.line_map` does, and show its flux."""
        made = line_map(
            self.looks.cube,
            line or self.line,
            self.redshift if redshift is None else redshift,
            method=method,
            **options,
        )
        self.looks.maps = made
        with self.hold_sync():
            self.cube = described(self.looks, self._second)
            if self.shown == "map":
                self._show()
            else:
                self.shown = "map"
        return made

    # ---- in the background
    @guarded
    def _complete(self) -> None:
        """White light of all planes, then the small cube for pages without a kernel."""
        made = self.looks.finish_white(self._stop)
        if made is None or (self._second is not None and self._second.finish_white(self._stop) is None):
            return
        if self.shown == "white" and self.layer == "DATA":
            self._show()
        small = shrink(self.looks.data, cancel=self._stop)
        if small is not None:
            with self.hold_sync():
                self.small, self.small_data = small.info, small.data

    def _in_thread(self, action: Callable[[], object]) -> None:
        Thread(target=guarded(lambda _: action()), args=(self,), daemon=True).start()

    # ---- images
    def _asked(self, **changes: Any) -> Any:
        return asked_of({name: getattr(self, name) for name in PICTURE} | changes, PICTURE)

    @guarded
    def _follow_picture(self, change: Any) -> None:
        if change["name"] == "wavelength" and self.shown != "plane" and self.layer not in ("NaN", "DQ"):
            return
        self._show()

    def _looks(self) -> Looks:
        return self._second if self.other and self._second is not None else self.looks

    def _show(self) -> None:
        """Keep a thumbnail of the image, and send the whole to pages that are open where that is more."""
        pictures = self._looks().pictures(self._asked())
        coarse = packed(pictures, small=True)
        with self.hold_sync():
            self.error = ""
            self.kept_causes, self.kept_image = coarse.causes, b"".join(coarse.planes)
            self._serial += 1  # an image of the same numbers, with causes now, is another one
            self.kept = [{**info, "serial": self._serial} for info in coarse.infos]
            if self._second is not None and for_a_page():  # where no kernel can be asked for it
                other = packed(self._second.pictures(self._asked()), small=True)
                self.kept_second, self.kept_second_image = other.infos[0], other.planes[0]
        if coarse.infos[0]["bin"] > 1:
            self._send_image(pictures, 0)
        self._measure()

    def _send_image(self, pictures: list[Picture], number: int, **more: Any) -> None:
        whole = packed(pictures, quick=number > 0)
        self.send({"type": "image", "n": number, "infos": whole.infos, **more}, [*whole.planes, whole.causes])

    def _on_ready(self, _: dict[str, Any]) -> None:
        self.send({"type": "alive"})
        if self.kept and self.kept[0]["bin"] > 1:
            self._send_image(self._looks().pictures(self._asked()), 0)

    def _on_try(self, message: dict[str, Any]) -> None:
        """An image while the hand moves, or the one to blink with."""
        changes = {name: value for name, value in message["settings"].items() if name in PICTURE}
        looks = self._second if message.get("other") and self._second is not None else self._looks()
        pictures = looks.pictures(self._asked(**changes), preview=True)
        self._send_image(pictures, int(message["n"]), other=bool(message.get("other")))

    # ---- spectra
    def _on_hover(self, message: dict[str, Any]) -> None:
        x, y = int(message["x"]), int(message["y"])
        flux, error = self._looks().spaxel(x, y, bool(message.get("error")))
        self.send(
            {"type": "spaxel", "n": message["n"], "x": x, "y": y}, [flux.data, b"" if error is None else error.data]
        )

    def _on_aperture(self, message: dict[str, Any]) -> None:
        shape, flux, error = message["shape"], b"", b""
        try:
            made = self._taken.spectrum(shape, quick=True)
            flux = made.flux.astype("<f4").tobytes()
            error = b"" if made.error is None else made.error.astype("<f4").tobytes()
        except MuseError:  # dragged off the cube
            pass
        self.send({"type": "aperture", "n": message["n"], "id": shape.get("id")}, [flux, error])

    def _take(self) -> None:
        """Spectra of the clicked spaxel and of all regions."""
        found = self._taken.all(self.spaxel, self.regions)
        with self.hold_sync():
            self.spectra_data = b"".join(part for _, part in found)
            self.spectra = [info for info, _ in found]

    @guarded
    def _follow_regions(self, _: Any) -> None:
        self.error = ""
        self._take()
        self._measure()
        self._write_regions()

    @guarded
    def _follow_spaxel(self, change: Any) -> None:
        if change["name"] == "spaxel":
            self._take()
        if len(self.spaxel) != 2 or self.looks.maps is None:
            self.fitted = {}
            return
        maps = self.looks.maps
        fit = line_fit(self.looks.cube, maps.line, maps.redshift, *self.spaxel)
        self.fitted = {
            "x": fit.wavelength.tolist(),
            "y": [value if np.isfinite(value) else None for value in fit.curve.tolist()],
            "told": {name: value if np.isfinite(value) else None for name, value in fit.told.items()},
            "line": fit.line,
        }

    @guarded
    def _measure(self, _: Any = None) -> None:
        """Statistics of the chosen region in the image that is shown, and the profile of a star in a circle."""
        shape = next((one for one in self.regions if one.get("id") == self.chosen), None)
        self.told = {} if shape is None else measured(self._looks(), self._asked(), shape)

    # ---- regions
    @guarded
    def _read_regions(self) -> None:
        if self.regions_file is None or not self.regions_file.exists():
            return
        shapes: list[Drawn] = []
        for region in read_regions(self.regions_file):
            shape = drawn(region, len(shapes) + 1, self.looks.cube)
            if shape is None:
                self._elsewhere.append(region)  # written back as it is
            else:
                shapes.append(shape)
        self.regions = [*self.regions, *shapes]

    def _write_regions(self) -> None:
        if self.regions_file is None:
            return
        all_of = [*self._elsewhere, *(kept(shape, self.looks.cube) for shape in self.regions)]
        write_regions(self.regions_file, all_of, force=True)
        self.said = f"regions: {self.regions_file.name}"

    # ---- lines
    def _on_map(self, message: dict[str, Any]) -> None:
        """Make the maps of the line in a thread of their own."""
        stop = self._mapping = Event()

        def tell(what: str, done: int, total: int) -> None:
            self.progress = [what, done, total]

        def work() -> None:
            try:
                self.map_line(method=str(message.get("method", "gauss")), progress=tell, cancel=stop)
            finally:
                self.progress = []
            self._follow_spaxel({"name": "line"})

        self._in_thread(work)

    def _on_cancel(self, _: dict[str, Any]) -> None:
        self._mapping.set()

    # ---- what is taken away
    def _on_save(self, message: dict[str, Any]) -> None:
        self.save(str(message["what"]))

    def save(self, what: str, path: str | Path | None = None, *, force: bool = False) -> Path:
        """Save what is shown as a file.

        Parameters
        ----------
        what
            ``image`` or ``maps`` (FITS), ``spectrum`` (FITS) or ``table`` (ECSV) of the chosen region, ``regions``.
        path
            Default: a name beside the cube, or in `folder`, that is not there yet.
        force
            Write over a file that is there.

        Raises
        ------
        MuseError
            There is nothing to save, or it cannot be written.
        """
        cube, part = self.looks.cube, saving.part_of(what, self.shown, self.line, self.chosen)
        to = Path(path) if path is not None else saving.free_name(self.folder, cube.path, what, part)
        if what == "image":
            made = saving.save_image(cube, self.image(), to, force)
        elif what == "maps":
            made = saving.save_maps(self.maps, to, force)
        elif what == "regions":
            made = saving.save_regions(cube, self.regions, to, force)
        else:
            made = self._spectrum_to_save().write(to, force=force)
        self.said = f"saved {made}"
        return made

    def _spectrum_to_save(self) -> Extraction:
        """Of the chosen region, else of the spaxel that was clicked."""
        if self.chosen == 0 and len(self.spaxel) == 2:
            x, y = self.spaxel
            return self._taken.spectrum({"kind": "rectangle", "x": x, "y": y, "a": 0.5, "b": 0.5, "how": "sum"})
        return self.spectrum()

    def picture(self) -> bytes:
        """PNG of the image and the spectra, as exports show them."""
        curves = (
            [("#e8e8e8", self.looks.spaxel(self.spaxel[0], self.spaxel[1], error=False)[0])]
            if len(self.spaxel) == 2
            else []
        )
        for shape in self.regions:
            try:
                curves.append((shape["colour"], self._taken.spectrum(shape).flux))
            except MuseError:  # off the cube
                continue
        settings = {name: getattr(self, name) for name in ("stretch", "limits", "cut", "cmap")}
        settings["causes"] = {cause["code"]: cause["colour"] for cause in self.cube["causes"]}
        shown = self._looks().pictures(self._asked())
        return draw(shown, self.looks.wavelengths, curves, self.regions, self.looks.unit, settings)
