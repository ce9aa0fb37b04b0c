"""Same seed, same bytes: whatever the machine, the number of threads, and what was there before."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from muse_nb.core.progress import silent
from muse_nb.simulator.night import Night, simulate


def digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Night:
    """One exposure, made by one thread."""
    return simulate(tmp_path_factory.mktemp("alone"), 1, products=True, workers=1, progress=silent)


def test_threads_and_other_exposures_do_not_matter(alone: Night, night: Night) -> None:
    there = digests(night.folder)
    for name, digest in digests(alone.folder).items():
        if not name.startswith("truth/"):  # those grow with the number of exposures
            assert there[name] == digest, name


def test_another_seed_is_another_night(alone: Night, tmp_path: Path) -> None:
    other = digests(simulate(tmp_path, 1, seed=2, progress=silent).folder)
    same = [name for name, digest in digests(alone.folder).items() if other.get(name) == digest]
    assert not [name for name in same if "raw" in name or "stars" in name or "FLAT" in name or "BADPIX" in name]


def test_no_header_holds_the_time_of_now(alone: Night) -> None:
    from astropy.io import fits

    for path in alone.folder.rglob("*.fits"):
        with fits.open(path) as hdus:
            for hdu in hdus:
                assert "20" not in str(hdu.header.get("DATE", ""))[:2] or hdu.header["DATE"].startswith("2014-07")
                assert not any("updated 20" in str(comment) for comment in hdu.header.comments), path
