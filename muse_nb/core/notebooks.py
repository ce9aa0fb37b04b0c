"""Where the project's notebooks lie: beside the package in a clone, in it where it was installed."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

from muse_nb.core.atomic import atomic_write, refuse_existing
from muse_nb.core.errors import MuseError

__all__ = ["copy_notebooks", "in_clone", "new_notebooks", "notebooks_folder"]

_PACKAGE = Path(__file__).parents[1]


def in_clone() -> bool:
    """Whether the package is used from a clone of the project."""
    return (_PACKAGE.parent / "notebooks" / "start.ipynb").is_file()


def notebooks_folder() -> Path:
    """Folder of the notebooks as they came with this version.

    Raises
    ------
    MuseError
        They are not there: the installation is not whole.
    """
    folder = _PACKAGE.parent / "notebooks" if in_clone() else _PACKAGE / "notebooks"
    if not (folder / "start.ipynb").is_file():
        raise MuseError(f"{folder} holds no notebooks: install muse_nb again")
    return folder


def copy_notebooks(folder: Path) -> list[Path]:
    """Copy the notebooks that a folder does not have yet; return the copies.

    Raises
    ------
    MuseError
        The folder cannot be written to.
    """
    made = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for source in sorted(notebooks_folder().glob("*.ipynb")):
            copy = folder / source.name
            if not copy.exists():
                shutil.copyfile(source, copy)
                made.append(copy)
    except OSError as error:
        raise MuseError(f"{folder} cannot be written to: {error.strerror or error}") from error
    return made


def new_notebooks(folder: str | Path, night: str | Path, products: str | Path, *, force: bool = False) -> list[Path]:
    """Write the notebooks for a night of one's own, its folders in the cell with their parameters.

    Parameters
    ----------
    folder
        For the notebooks.
    night, products
        Folders that they look into and write to; named relative to the notebooks where they lie below `folder`.
    force
        Replace notebooks that are there.

    Returns
    -------
    list of pathlib.Path
        The notebooks, start first.

    Raises
    ------
    MuseError
        A notebook is there already, or the folder cannot be written to.
    """
    folder = Path(folder)
    sources = sorted(notebooks_folder().glob("*.ipynb"), key=lambda path: (path.stem != "start", path.name))
    made = [folder / source.name for source in sources]
    for path in made:
        refuse_existing(path, force=force, inputs=sources)
    places = {"night": _seen_from(folder, Path(night)), "products": _seen_from(folder, Path(products))}
    for source, path in zip(sources, made, strict=True):
        notebook = json.loads(source.read_text(encoding="utf-8"))
        for cell in notebook["cells"]:
            if "parameters" in cell.get("metadata", {}).get("tags", []):
                cell["source"] = [
                    _with_value(line, places) for line in "".join(cell["source"]).splitlines(keepends=True)
                ]
        with atomic_write(path, force=force) as part:
            part.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return made


def _seen_from(folder: Path, place: Path) -> str:
    """Name a folder so that notebooks in `folder` find it wherever they are moved together."""
    place, folder = place.resolve(), folder.resolve()
    return (place.relative_to(folder) if place.is_relative_to(folder) else place).as_posix()


def _with_value(line: str, values: dict[str, str]) -> str:
    """Give a line ``name = "..."`` another value, where there is one for the name."""
    match = re.match(r"(\w+) = ", line)
    if match is None or match[1] not in values:
        return line
    return f"{match[1]} = {json.dumps(values[match[1]])}" + ("\n" if line.endswith("\n") else "")
