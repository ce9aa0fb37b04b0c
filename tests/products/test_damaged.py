"""Damaged, absurd and hostile files: read right or refused in one sentence, quickly and in little memory."""

from __future__ import annotations

import gzip
import os
import resource
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from product_files import READERS

from muse_nb.core.errors import MuseError
from muse_nb.products.fits.blocks import hdus
from muse_nb.products.header import axes_of, read_all
from muse_nb.steps.survey.classify import classify

BLOCK, CARD = 2880, 80
LITTLE = 200_000  # kB


def attempt(kind: str, path: Path) -> list | None:
    """What a reader makes of a file, None where it is refused as it should be."""
    try:
        return READERS[kind](path)
    except MuseError:
        return None


def same(a: list, b: list) -> bool:
    def equal(x: object, y: object) -> bool:
        if isinstance(x, np.ndarray) and isinstance(y, np.ndarray):
            return np.array_equal(x, y, equal_nan=x.dtype.kind == "f")
        return repr(x) == repr(y)

    return len(a) == len(b) and all(equal(x, y) for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize("kind", READERS)
def test_a_file_cut_anywhere_is_refused_or_read_right(products: dict[str, Path], tmp_path: Path, kind: str) -> None:
    whole = products[kind].read_bytes()
    right = READERS[kind](products[kind])
    path = tmp_path / products[kind].name
    edges = [k * BLOCK + d for k in range(len(whole) // BLOCK + 1) for d in (-1, 0, 1, 4, 8)]
    for cut in sorted({*range(0, len(whole), 251), *edges} & set(range(len(whole)))):
        path.write_bytes(whole[:cut])
        read = attempt(kind, path)
        if read is None or same(read, right):
            continue
        # cut between two extensions, what is left is a good FITS file; the survey knows what belongs in it
        assert cut % BLOCK == 0 or cut % BLOCK > BLOCK - CARD or not any(whole[cut - 1 : cut // BLOCK * BLOCK + BLOCK])
        assert classify(path).incomplete, f"cut at byte {cut} of {len(whole)}"


NASTY = st.sampled_from(
    [
        *("1000000000000", "-1", "0", "1.5", "T", "'text'", "", "NaN", "9" * 60, "1E999", "'unclosed", "8", "-32", "2"),
        *("1 / 2 / 3", "(1, 2)", "'\xe9\xff'", "\x1b[2J", "\x00\x00", "99", "3", "'BINTABLE'", "'1000000000E'", "'0A'"),
    ]
)


@pytest.mark.parametrize("kind", READERS)
@settings(max_examples=120, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_header_is_read_or_refused(
    products: dict[str, Path], tmp_path_factory: pytest.TempPathFactory, kind: str, data: st.DataObject
) -> None:
    raw = products[kind].read_bytes()
    packed = products[kind].suffix == ".gz"
    damaged = bytearray(gzip.decompress(raw) if packed else raw)
    starts = [hdu.start + CARD * k for hdu in hdus(products[kind]) for k in range(len(hdu.text) // CARD)]
    for start in data.draw(st.lists(st.sampled_from(starts), min_size=1, max_size=3), label="cards"):
        what = data.draw(st.sampled_from(["value", "keyword", "blank", "twice", "bytes"]), label="what")
        if what == "value":
            text = data.draw(NASTY, label="value").encode("latin-1")[:70]
            damaged[start + 10 : start + CARD] = text.ljust(70)
        elif what == "keyword":
            damaged[start : start + 8] = data.draw(st.binary(min_size=8, max_size=8), label="keyword")
        elif what == "blank":
            damaged[start : start + CARD] = b" " * CARD
        elif what == "twice":
            damaged[start : start + CARD] = damaged[starts[0] + CARD : starts[0] + 2 * CARD]
        else:
            damaged[start : start + CARD] = data.draw(st.binary(min_size=CARD, max_size=CARD), label="bytes")
    folder = tmp_path_factory.getbasetemp() / "fuzz"
    folder.mkdir(exist_ok=True)
    path = folder / products[kind].name
    path.write_bytes(gzip.compress(bytes(damaged)) if packed else damaged)
    before = path.read_bytes()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # astropy has much to say about such headers
        attempt(kind, path)
        try:
            classify(path)
            for header in read_all(path):
                assert all(isinstance(key, str) and str(value).isascii() for key, value in header.items())
        except MuseError:
            pass
    assert path.read_bytes() == before
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < 8 * LITTLE


def edited(raw: bytes, keyword: str, value: str, after: int = 0) -> bytes:
    at = raw.index(keyword.ljust(8).encode() + b"= ", after)
    return raw[: at + 10] + value.rjust(20).encode().ljust(70) + raw[at + CARD :]


@pytest.mark.parametrize("kind", ["object_red", "image", "cube", "pixtable", "bintable", "offsets"])
def test_a_size_that_cannot_be_is_not_allocated(products: dict[str, Path], tmp_path: Path, kind: str) -> None:
    raw = products[kind].read_bytes()
    path = tmp_path / "absurd.fits"
    second = hdus(products[kind])[1].start
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for axis in ("NAXIS1", "NAXIS2"):
        path.write_bytes(edited(raw, axis, "1000000000000", second))
        with pytest.raises(MuseError, match="truncated"):
            READERS[kind](path)
    path.write_bytes(edited(edited(raw, "NAXIS1", "0", second), "NAXIS2", "1000000000000", second))
    assert attempt(kind, path) is None
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < before + LITTLE


def test_a_small_file_that_unpacks_to_a_huge_one_is_refused(products: dict[str, Path], tmp_path: Path) -> None:
    raw = products["compressed"].read_bytes()
    path = tmp_path / "bomb.fits.fz"
    path.write_bytes(edited(edited(raw, "ZNAXIS1", "1000000"), "ZNAXIS2", "1000000"))
    with pytest.raises(MuseError, match="would unpack to 4000000000000"):
        READERS["compressed"](path)
    bomb = tmp_path / "bomb.fits.gz"
    image = products["image"].read_bytes()
    image = edited(image, "NAXIS2", "100000000000", hdus(products["image"])[1].start)
    with gzip.open(bomb, "wb", compresslevel=1) as file:
        file.write(image + bytes(50_000_000))
    with pytest.raises(MuseError, match="would unpack to"):
        READERS["packed"](bomb)


@pytest.mark.parametrize("content", [b"", b"\x00" * 5000, b"SIMPLE  =", b"not FITS at all" * 400, b"\x1f\x8b\x08junk"])
@pytest.mark.parametrize("name", ["a.fits", "a.fits.gz"])
def test_what_is_no_fits_file_is_called_so(tmp_path: Path, content: bytes, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    for kind in READERS:
        with pytest.raises(MuseError, match=f"{name}.*(not a FITS file|truncated|cannot be unpacked|gzipped)"):
            READERS[kind](path)


def test_pipes_folders_and_files_that_are_not_there_are_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.fits")
    for name in ("pipe.fits", ".", "missing.fits"):
        with pytest.raises(MuseError, match=r"is not a file|cannot be read"):
            hdus(tmp_path / name)


def test_a_wcs_that_cannot_be_is_a_sentence(products: dict[str, Path], tmp_path: Path) -> None:
    path = tmp_path / "image.fits"
    raw = products["image"].read_bytes()
    for keyword, value in (("CTYPE1", "'WIND'"), ("CD1_1", "0.0"), ("CRVAL2", "'here'"), ("CTYPE2", "'RA---TAN'")):
        path.write_bytes(edited(raw, keyword, value))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = READERS["image"]
            if keyword != "CD1_1":  # CD2_2 alone is a singular matrix, which astropy reads
                assert attempt("image", path) is None or keyword == "CRVAL2", keyword
            else:
                attempt("image", path)
            assert image


@pytest.mark.parametrize(
    ("cards", "axes"),
    [
        ({"NAXIS": 2, "NAXIS1": 3, "NAXIS2": 4}, [3, 4]),
        ({"NAXIS": "  =                    2 / number of array dimensions"}, []),  # found by atheris
        ({"NAXIS": 1e12}, []),
        ({"NAXIS": True, "NAXIS1": 3}, []),
        ({"NAXIS": 2, "NAXIS1": "3", "NAXIS2": 4}, []),
        ({}, []),
    ],
)
def test_axes_that_are_not_numbers_are_no_axes(cards: dict[str, object], axes: list[int]) -> None:
    assert axes_of(cards) == axes
