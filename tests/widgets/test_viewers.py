"""The viewers without a browser: what Python sets and asks, static pictures, refusals."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from astropy.io import fits
from PIL import Image

from muse_nb.core import saved
from muse_nb.core.errors import MuseError
from muse_nb.core.saved import STILL, VIEW
from muse_nb.products.detector import TraceTable, WavecalTable
from muse_nb.products.object_red import write_object_red
from muse_nb.steps.offsets.picks import empty_picks
from muse_nb.widgets.object_red.geometry import BORDER_ROWS, Geometry
from muse_nb.widgets.object_red.viewer import ObjectRedViewer
from muse_nb.widgets.shared import picture
from muse_nb.widgets.shared.base import Viewer, guarded
from muse_nb.widgets.shared.bundle import module, style
from muse_nb.widgets.shared.limits import LIMITS, STRETCHES
from muse_nb.widgets.stars import picking

DATE = "2014-07-27T03:12:00.000"
SHAPE = (90, 70)


def write(folder: Path, ifu: int, date: str = DATE, **lacks: bool) -> Path:
    header = fits.Header({"EXTNAME": f"CHAN{ifu:02d}", "DATE-OBS": date, "INSTRUME": "MUSE"})
    data = np.arange(np.prod(SHAPE), dtype=np.float32).reshape(SHAPE)
    data[5, 6] = np.nan
    dq = np.zeros(SHAPE, np.int32)
    dq[10, 20:30], dq[12, 2] = 32, np.int32(-(2**31))
    path = folder / f"OBJECT_RED_{date[11:13]}-{ifu:02d}.fits"
    stat = np.full(SHAPE, 4, np.float32)
    write_object_red(path, header, data, None if lacks.get("dq") else dq, None if lacks.get("stat") else stat)
    return path


@pytest.fixture
def viewer(tmp_path: Path) -> ObjectRedViewer:
    paths = [write(tmp_path, ifu, f"2014-07-27T0{h}:12:00.000") for h in (4, 3) for ifu in (2, 1, 3)]
    return ObjectRedViewer(paths)


def test_frames_are_grouped_by_exposure_in_time_order(viewer: ObjectRedViewer) -> None:
    assert viewer.exposures == ["2014-07-27T031200", "2014-07-27T041200"]
    assert viewer.ifus == [1, 2, 3]
    viewer.show(ifu=3, exposure="2014-07-27T041200")
    assert viewer.frame["name"] == "2014-07-27T041200 IFU 03"


def test_a_selected_pixel_reads_as_the_array_has_it(viewer: ObjectRedViewer) -> None:
    viewer.pixel = [21, 10]
    assert viewer.readout["value"] == viewer.data.data[10, 21]
    assert viewer.readout["sigma"] == 2
    assert viewer.readout["dq_names"] == ["COSMICRAY"]
    viewer.pixel = [6, 5]
    assert viewer.readout["value"] is None
    viewer.pixel = [2, 12]
    assert viewer.readout["dq"] == 2**31
    viewer.pixel = [500, 5]
    assert viewer.readout == {}
    viewer.pixel = []
    assert viewer.readout == {}


@pytest.mark.parametrize("layer", ["DATA", "DQ", "STAT", "S/N"])
@pytest.mark.parametrize("view", [[], [20.0, 10.0, 16.0], [-500.0, 10.0, 3.0]])
def test_the_static_picture_is_a_picture_of_every_layer_and_view(
    viewer: ObjectRedViewer, layer: str, view: list
) -> None:
    viewer.layer, viewer.view = layer, view
    page = Image.open(io.BytesIO(viewer.picture()))
    assert page.size[0] == 760
    data, _ = viewer._repr_mimebundle_()
    assert "image/png" in data
    assert "application/vnd.jupyter.widget-view+json" in data
    assert viewer.error == ""


def test_the_picture_marks_flagged_pixels_in_their_colour(viewer: ObjectRedViewer) -> None:
    viewer.view = [25.0, 10.0, 16.0]
    middle = np.asarray(Image.open(io.BytesIO(viewer.picture())).convert("RGB"))[280, 380].astype(int)
    viewer.hidden = ["COSMICRAY"]
    plain = np.asarray(Image.open(io.BytesIO(viewer.picture())).convert("RGB"))[280, 380].astype(int)
    orange = np.array(picture.rgb("#e69f00"))
    assert np.abs(middle - orange).max() < np.abs(plain - orange).max()


def test_frames_without_dq_or_stat_are_shown_and_say_so(tmp_path: Path) -> None:
    viewer = ObjectRedViewer(write(tmp_path, 5, dq=True, stat=True))
    assert viewer.frame["absent"] == ["DQ", "STAT"]
    assert viewer.bits == []
    viewer.pixel = [3, 4]
    assert viewer.readout["dq"] is None
    for viewer.layer in ("STAT", "S/N", "DQ", "DATA"):
        assert viewer.picture()


def test_what_is_not_there_is_refused_in_a_sentence(viewer: ObjectRedViewer, tmp_path: Path) -> None:
    with pytest.raises(MuseError, match="no IFU 9"):
        viewer.show(ifu=9)
    with pytest.raises(MuseError, match="no exposure"):
        viewer.show(exposure="2020-01-01T000000")
    with pytest.raises(MuseError, match="no exposure 7"):
        viewer.show(exposure=7)
    with pytest.raises(MuseError, match="no OBJECT_RED"):
        ObjectRedViewer([])
    with pytest.raises(TypeError, match="streetch"):
        ObjectRedViewer(write(tmp_path, 6), streetch="log")
    twice = tmp_path / "copy.fits"
    twice.write_bytes(write(tmp_path, 7).read_bytes())
    with pytest.raises(MuseError, match="both IFU 7"):
        ObjectRedViewer([tmp_path / "OBJECT_RED_03-07.fits", twice])


def test_planes_are_sent_only_for_the_frame_that_is_shown(
    viewer: ObjectRedViewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[dict] = []
    monkeypatch.setattr(viewer, "send", lambda content, buffers=None: sent.append(content))
    viewer._received(None, {"type": "need", "frame": viewer.frame["id"] - 1, "planes": ["DATA"]}, [])
    assert sent == []
    viewer._received(None, {"type": "need", "frame": viewer.frame["id"], "planes": ["DATA", "DQ", "STAT"]}, [])
    assert [message["plane"] for message in sent] == ["DATA", "DQ", "STAT"]
    assert [bit["name"] for bit in viewer.bits] == ["COSMICRAY", "OUTSDRANGE"]


def test_errors_of_callbacks_become_text() -> None:
    class Faulty(Viewer):
        @guarded
        def one(self) -> None:
            raise MuseError("the file is gone: make it again")

        @guarded
        def two(self) -> None:
            raise ZeroDivisionError("oops")

    faulty = Faulty()
    faulty.one()
    assert faulty.error == "the file is gone: make it again"
    faulty.two()
    assert faulty.error.startswith("ZeroDivisionError: oops")
    faulty._received(None, {"type": "strange"}, [])
    assert "unknown type 'strange'" in faulty.error


def test_slices_and_wavelengths_count_pixels_from_0() -> None:
    edges = 10.0 + 80 * np.arange(48)
    trace = TraceTable(edges[:, None] + 35, edges[:, None], edges[:, None] + 70)
    polynomial = np.zeros((48, 1, 2))
    polynomial[:, 0] = 4750, 1.25
    geometry = Geometry(trace, WavecalTable(polynomial))
    assert geometry.at(9, 0) == {"slice": 1, "wavelength": 4751.25}
    assert geometry.at(85, 3)["slice"] is None
    borders = np.frombuffer(geometry.borders(100), "<f4")
    assert borders[0] == BORDER_ROWS
    assert borders[1:].reshape(48, BORDER_ROWS, 2)[1, 0] == pytest.approx([88.5, 159.5])


def test_clicks_change_a_copy_of_the_picks() -> None:
    none = empty_picks()
    one = picking.add_star(none, 10.0, -5.0)
    two = picking.add_star(one, 10.1, -5.1)
    assert [len(none), len(one), len(two)] == [0, 1, 2]
    dropped = picking.drop_star(two, 1)
    assert picking.in_use(dropped) == 1
    assert picking.in_use(picking.drop_star(dropped, 1, dropped=False)) == 2
    put = picking.put_star(
        picking.put_star(two, 2, "2014-07-27T03:12:00.000", 3.5, 4.5), 2, "2014-07-27T03:12:00.000", 5, 6
    )
    assert [(row["star"], row["x"]) for row in picking.by_hand(put)] == [(2, 5)]
    assert len(picking.stars(put)) == 2
    assert picking.nearest(np.array([[1.0, 1.0], [5.0, 5.0]]), 4.6, 5.2, 1.0) == 1
    assert picking.nearest(np.array([[1.0, 1.0], [np.nan, 5.0]]), 4.6, 5.2, 1.0) is None
    assert picking.nearest(np.zeros((0, 2)), 1, 1, 9) is None


@pytest.mark.parametrize("name", ["object_red/viewer", "stars/picker", "nans/viewer", "mosaic/mosaic"])
def test_the_browsers_module_is_one_text_that_imports_nothing_and_never_sets_html(name: str) -> None:
    text = module(name)
    assert text.count("export ") == 1
    assert "\nimport " not in text
    assert "innerHTML" not in text
    assert "http" not in text
    assert ".mnb-viewer" in style()


def test_the_browser_has_pythons_constants_and_no_copies_of_them() -> None:
    text = module("object_red/viewer")
    names = ("NO_DATA", "NO_DATA_BITS", "THUMBS", "LIMITS", "STRETCHES")
    told = {name: json.loads(re.findall(rf"^const {name} = (.+);$", text, re.M)[0]) for name in names}
    assert told["NO_DATA"] == saved.NO_DATA
    assert told["NO_DATA_BITS"] == saved.NO_DATA_BITS
    assert told["THUMBS"] == saved.THUMBS
    assert set(told["THUMBS"].values()) <= set(ObjectRedViewer.class_trait_names(sync=True))
    assert dict(told["LIMITS"]) == LIMITS
    assert [mode for mode, _ in told["LIMITS"]] == list(LIMITS)
    assert tuple(told["STRETCHES"]) == STRETCHES
    for copied in ("0xfbff", "65504.;", "thumb_data"):
        assert text.lower().count(copied) <= 1, copied


def test_stretches_rise_from_0_to_1() -> None:
    for stretch in STRETCHES:
        q = picture.stretched(np.linspace(-5, 15, 50), 0, 10, stretch)
        assert (np.diff(q) >= 0).all()
        assert (q[0], q[-1]) == (0, pytest.approx(1))


@pytest.mark.parametrize(
    ("cell", "outputs"),
    [
        ("3c1fd2a1-97f2", [{"text/html", "text/plain", VIEW}, {"image/png", "text/plain"}, {"text/html"}]),
        ("vscode-notebook-cell:/home/a/b.ipynb#W0sZmlsZQ==", [{"image/png", "text/plain", VIEW}]),
        (None, [{"image/png", "text/plain", STILL}]),
    ],
    ids=["JupyterLab", "VS Code", "no browser"],
)
def test_each_front_end_gets_view_and_picture_in_the_form_that_it_shows(
    cell: str | None, outputs: list[set[str]], viewer: ObjectRedViewer
) -> None:
    """JupyterLab two outputs and a style, VS Code one with its fallbacks, a run without a browser a picture alone."""
    from IPython.core.interactiveshell import InteractiveShell
    from IPython.utils.capture import capture_output

    request = {"header": {"msg_type": "execute_request"}, "metadata": {} if cell is None else {"cellId": cell}}
    shell = InteractiveShell.instance()
    shell.kernel = SimpleNamespace(get_parent=lambda: request)
    try:
        with capture_output(stdout=False, stderr=False) as caught:
            data, _ = shell.display_formatter.format(viewer)
    finally:
        InteractiveShell.clear_instance()
    shown = [output.data for output in caught.outputs] or [data]
    assert [set(output) for output in shown] == outputs
    if len(caught.outputs) == 3:
        view, still, _ = caught.outputs
        assert still.metadata["muse_nb"] == {"still_of": view.data[VIEW]["model_id"]}


@pytest.mark.parametrize(
    ("cards", "last"),
    [
        ({"CD1_1": -5e-5, "CD2_2": 5e-5, "CD3_3": 1.25, "CTYPE3": "AWAV-LOG"}, 6733.05),
        ({"PC1_1": -5e-5, "PC2_2": 5e-5, "PC3_3": 1.25e-10, "CUNIT3": "m", "CRVAL3": 6.2665e-7}, 6716.5),
        ({"CDELT1": -5e-5, "CDELT2": 5e-5, "CDELT3": 1.25e-4, "CUNIT3": "micron", "CRVAL3": 0.62665}, 6716.5),
    ],
)
def test_the_nan_viewer_reads_any_axes(tmp_path: Path, cards: dict[str, object], last: float) -> None:
    from muse_nb import NanViewer

    header = fits.Header({"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CTYPE3": "AWAV", "CUNIT3": "Angstrom"})
    header.update({"CRVAL1": 10.0, "CRVAL2": -30.0, "CRVAL3": 6266.5, "CRPIX1": 1.0, "CRPIX2": 1.0, "CRPIX3": 1.0})
    header.update(cards)
    data = np.ones((361, 6, 7), np.float32)
    data[100, 2, 3] = np.nan
    fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(data, header, name="DATA")]).writeto(tmp_path / "C.fits")
    shown = NanViewer(tmp_path / "C.fits").cube
    assert shown["wavelength"] == pytest.approx([6266.5, last], abs=0.01)
    assert shown["logarithmic"] is (cards.get("CTYPE3") == "AWAV-LOG")
    np.testing.assert_allclose(shown["compass"], [-5e-5, 0, 0, 5e-5], atol=1e-12)
