"""Which C sources the kernels are: a digest that the build compiles in and the load compares.

No muse_nb and no third-party import here: ``setup.py`` runs this file by itself.
"""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

__all__ = ["digest"]


def digest(folder: Path) -> str:
    """Digest of all C files of a folder, names and contents; empty where there are none, as in a trimmed install."""
    paths = sorted(path for path in folder.iterdir() if path.suffix in (".c", ".h"))
    known = sha256()
    for path in paths:
        content = path.read_bytes()
        known.update(f"{path.name} {len(content)}\n".encode() + content)
    return known.hexdigest()[:16] if paths else ""
