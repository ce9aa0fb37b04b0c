"""The doctor's result: faults as sentences that name files of the folder, as data for whoever renders a notebook."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from muse_nb import doctor
from muse_nb.core.html import FINDINGS_MIME

if TYPE_CHECKING:
    from muse_nb.simulator.night import Night


@pytest.fixture
def twice(night: Night, tmp_path: Path) -> Path:
    """A folder with the same pixel table twice."""
    (table, *_) = sorted((night.folder / "reduced").rglob("PIXTABLE_REDUCED_*.fits"))
    folder = tmp_path / "a <night>"
    folder.mkdir()
    for name in ("one.fits", "two.fits"):
        shutil.copy(table, folder / name)
    return folder


def test_faults_are_sentences_that_name_files_as_the_folder_does(twice: Path) -> None:
    found = doctor(twice)
    (fault,) = found.faults
    (sentence,) = found.findings
    assert sentence.startswith("one.fits, two.fits have the same DATE-OBS")
    assert sentence.endswith(f": {fault.consequence}; {fault.remedy}")
    assert f"finding: {sentence}" in str(found).splitlines()
    assert str(twice) not in "".join(found.findings)


def test_what_was_found_travels_as_data(twice: Path) -> None:
    found = doctor(twice)
    bundle = found._repr_mimebundle_()
    assert bundle[FINDINGS_MIME] == {"findings": list(found.findings)}
    assert bundle["text/html"] == found._repr_html_()
    assert bundle["text/plain"] == str(found)


def test_progress_counts_headers_then_checks(twice: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    doctor(twice, progress=lambda *step: seen.append(step))
    assert seen[:2] == [("headers read", 1, 2), ("headers read", 2, 2)]
    what, done, total = seen[-1]
    assert what == "checks done"
    assert done == total == len(seen) - 2
