"""What a recipe, or the reduction of an exposure, made and took."""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape
from pathlib import Path

from muse_nb.core.html import Shown, findings_html, table_html

__all__ = ["RecipeResult", "Reduction"]


@dataclass(frozen=True)
class RecipeResult(Shown):
    """What a recipe made and what it took.

    Attributes
    ----------
    recipe, backend : str
    products : dict of str to list of pathlib.Path
        By PRO CATG, in the order of their names.
    log : pathlib.Path
    seconds, cpu_seconds : float
        Wall and CPU time [s].
    peak_memory : int
        [byte].
    findings : list of str
        What is odd about the frames or the products, a sentence each.
    """

    recipe: str
    backend: str
    products: dict[str, list[Path]]
    log: Path
    seconds: float
    cpu_seconds: float
    peak_memory: int
    findings: list[str] = field(default_factory=list)

    def _repr_html_(self) -> str:
        files = [(tag, path) for tag, paths in self.products.items() for path in paths]
        facts = f"{self.seconds:.1f} s, {self.cpu_seconds:.1f} s of CPU, {self.peak_memory / 1e6:.0f} MB"
        head = f"<p><b>{escape(self.recipe)}</b> by {escape(self.backend)}: {facts}</p>"
        return head + table_html(("product", "file"), files) + findings_html(self.findings)


@dataclass(frozen=True)
class Reduction(Shown):
    """What the reduction of an exposure made and took.

    Attributes
    ----------
    label : str
        Name of the exposure and of its folder.
    folder : pathlib.Path
    object_red : list of pathlib.Path
        One for each IFU.
    pixtable_reduced, cube, image_fov : pathlib.Path
        `image_fov` is the first where there are several filters.
    logs : list of pathlib.Path
    seconds, cpu_seconds : float
        Wall and CPU time [s]; 0 when all was there.
    peak_memory : int
        Of the largest recipe [byte]; 0 when all was there.
    findings : list of str
        What is odd about the frames or the products, a sentence each.
    """

    label: str
    folder: Path
    object_red: list[Path]
    pixtable_reduced: Path
    cube: Path
    image_fov: Path
    logs: list[Path]
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_memory: int = 0
    findings: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, label: str, folder: Path) -> Reduction:
        """Name the products in the folder of an exposure."""
        names = ("PIXTABLE_REDUCED_0001.fits", "DATACUBE_FINAL.fits", "IMAGE_FOV_0001.fits")
        table, cube, image = (folder / name for name in names)
        frames, logs = sorted(folder.glob("OBJECT_RED_*.fits")), sorted(folder.glob("*.log"))
        return cls(label, folder, frames, table, cube, image, logs)

    def _repr_html_(self) -> str:
        took = f"{self.seconds:.1f} s, {self.peak_memory / 1e6:.0f} MB" if self.seconds else "it was there"
        paths = [*self.object_red, self.pixtable_reduced, self.cube, self.image_fov]
        names = ", ".join(escape(path.name) for path in paths)
        head = f"<p><b>{escape(self.label)}</b> ({took}) in {escape(str(self.folder))}: {names}</p>"
        return head + findings_html(self.findings)
