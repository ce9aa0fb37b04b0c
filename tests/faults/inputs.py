"""One small good file of every kind that a command reads, and the commands that read it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from astropy.io import fits
from rows import cube, dates, listed

from benchmarks.tables import write_tables
from muse_nb.steps.offsets.picks import empty_picks

Words = Callable[[Path, Path], list[object]]


@dataclass(frozen=True)
class Good:
    """A good file, and words of ``muse-nb`` for it (or what it has become) and a folder for outputs."""

    name: str
    path: Path
    kept: Path  # as it was
    words: Words = field(repr=False)

    @property
    def content(self) -> bytes:
        """Its bytes before any damage."""
        return self.kept.read_bytes()


def bintable(folder: Path) -> Path:
    (path,) = write_tables(folder / "image", 1, 7200, ifus=1)
    with fits.open(path) as opened:
        columns = [
            fits.Column(
                hdu.name, "J" if hdu.name in ("dq", "origin") else "E", hdu.header.get("BUNIT"), array=hdu.data[:, 0]
            )
            for hdu in opened[1:]
        ]
        for column, hdu in zip(columns, opened[1:], strict=True):
            column.name = hdu.header["EXTNAME"]
        fits.HDUList([opened[0].copy(), fits.BinTableHDU.from_columns(columns)]).writeto(folder / "P.fits")
    shutil.rmtree(folder / "image")
    return folder / "P.fits"


def _table(folder: Path) -> Path:
    (path,) = write_tables(folder, 1, 7200, ifus=1)
    return path


def _cube(folder: Path) -> Path:
    cube(folder / "C.fits")
    return folder / "C.fits"


def _offsets(folder: Path) -> Path:
    tables = write_tables(folder, 2, 7200, ifus=1)
    listed(folder / "OFFSET_LIST.fits", dates(tables))
    return folder / "OFFSET_LIST.fits"


def _picks(folder: Path, night) -> Path:
    picks = empty_picks()
    for number, star in enumerate(night.stars[np.argsort(night.stars["magnitude"])[:8]]):
        picks.add_row([number + 1, star["ra"], star["dec"], "", np.nan, np.nan, False])
    picks.write(folder / "picks.ecsv", format="ascii.ecsv")
    return folder / "picks.ecsv"


def _manifest(folder: Path) -> Path:
    from muse_nb import survey

    write_tables(folder, 1, 7200, ifus=1)
    survey(folder).write(folder / "data_manifest.csv")
    return folder / "data_manifest.csv"


def good_files(night, folder: Path) -> list[Good]:
    """One of each kind, in a folder of its own; what only the simulator makes is copied from its night."""
    calib, reduced = night.folder / "calib", night.reduced

    def copy(path: Path) -> Callable[[Path], Path]:
        return lambda folder: Path(shutil.copy(path, folder / path.name))

    image = reduced["IMAGE_FOV"][1]
    table = reduced["PIXTABLE_REDUCED"][0]

    def reduce(path: Path, out: Path) -> list[object]:
        """Calibrations with one of them damaged."""
        place = path.parent / "calib"
        if not place.exists():
            place.mkdir()
            for one in calib.glob("*.fits"):
                (place / one.name).symlink_to(path if one.name == path.name else one)
        return ["reduce", night.raw[0], "--calib", place, "-o", out, "--ifu", 3]

    def small_frame(folder: Path) -> Path:
        with fits.open(reduced["OBJECT_RED"][0]) as opened:
            parts = [opened[0].copy(), *(fits.ImageHDU(h.data[:64, :80].copy(), h.header, h.name) for h in opened[1:])]
            fits.HDUList(parts).writeto(folder / "OBJECT_RED_0001-10.fits")
        return folder / "OBJECT_RED_0001-10.fits"

    def doctor(path: Path, out: Path) -> list[object]:
        return ["doctor", path.parent]

    found: list[tuple[str, Callable[[Path], Path], Words]] = [
        ("OBJECT_RED", small_frame, lambda p, o: ["inspect", p, "-o", o / "i.csv"]),
        ("pixel table", _table, lambda p, o: ["cube", p, "-o", o / "C.fits", "--threads", "1"]),
        ("pixel table, doctor", _table, doctor),
        ("pixel table, bintable", bintable, lambda p, o: ["cube", p, "-o", o / "C.fits", "--threads", "1"]),
        ("IMAGE_FOV", copy(image), lambda p, o: ["offsets", reduced["IMAGE_FOV"][0], p, "-o", o / "L.fits"]),
        ("IMAGE_FOV, doctor", copy(image), doctor),
        ("cube", _cube, lambda p, o: ["nans", p, "-o", o / "n.csv"]),
        ("cube, doctor", _cube, doctor),
        (
            "OFFSET_LIST",
            _offsets,
            lambda p, o: [
                "combine",
                *sorted(p.parent.glob("PIX*")),
                "--offsets",
                p,
                "-o",
                o / "C.fits",
                "--threads",
                "1",
            ],
        ),
        ("OFFSET_LIST, doctor", _offsets, doctor),
        (
            "picks",
            lambda folder: _picks(folder, night),
            lambda p, o: ["offsets", *reduced["IMAGE_FOV"][:2], "--picks", p, "-o", o / "L.fits"],
        ),
        ("manifest", _manifest, lambda p, o: ["survey", "--verify", p]),
        ("raw frame", copy(night.raw[0]), lambda p, o: ["survey", p.parent, "-o", o / "m.csv"]),
        (
            "FILTER_LIST",
            copy(calib / "FILTER_LIST.fits"),
            lambda p, o: ["combine", table, "-o", o / "C.fits", "--filter-list", p, "--filter", "none of them"],
        ),
        ("BADPIX_TABLE", copy(calib / "BADPIX_TABLE.fits"), reduce),
    ]
    for name in ("TRACE_TABLE-12", "WAVECAL_TABLE-12", "GEOMETRY_TABLE"):
        found.append((name, copy(calib / f"{name}.fits"), reduce))
    for name in ("MASTER_FLAT-12", "WAVECAL_TABLE-12", "TWILIGHT_CUBE", "STD_RESPONSE"):
        found.append(
            (f"{name}, masters", copy(calib / f"{name}.fits"), lambda p, o: ["masters", p, "-o", o / "numbers.csv"])
        )
    answer = []
    for name, make, words in found:
        place = folder / name.replace(" ", "_")
        place.mkdir()
        path = make(place)
        kept = Path(shutil.copy(path, folder / f"{place.name}.kept"))
        answer.append(Good(name, path, kept, words))
    return answer
