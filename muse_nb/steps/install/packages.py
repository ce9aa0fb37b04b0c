"""The Python packages that muse_nb asks for, and which of them are here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version

from packaging.requirements import Requirement

from muse_nb.core.text import listed
from muse_nb.steps.install.result import Part

__all__ = ["AskedPackage", "asked_packages", "package_parts"]

_EXTRAS = {  # of pyproject.toml, for users -> what works with it
    "cluster": "combining on more than one machine, or with several processes (--workers, --scheduler)",
    "mpdaf": "Cube and Image objects of mpdaf from files and results",
}
_COMPILED = {"mpdaf": " (for Python 3.13 and newer with a C compiler and Python's headers)"}
_TOLD = ("numpy", "scipy", "astropy", "jupyterlab", "ipywidgets", "anywidget")  # what a report of a fault needs


@dataclass(frozen=True)
class AskedPackage:
    """A package that muse_nb asks for.

    Attributes
    ----------
    name, bound, extra : str
        The bound of its version, and which extra asks for it; empty for all users.
    version : str
        The one that is here; empty where there is none.
    """

    name: str
    bound: str
    extra: str
    version: str

    @property
    def fits(self) -> bool:
        """Whether it is here and new enough."""
        return bool(self.version) and Requirement(f"x{self.bound}").specifier.contains(self.version, prereleases=True)

    def __str__(self) -> str:
        """Name it with its bound, and with what is here instead."""
        return f"{self.name}{self.bound} ({self.version or 'not installed'})"


def asked_packages() -> tuple[AskedPackage, ...]:
    """Read from the metadata of muse_nb what it asks for; nothing where it runs without having been installed."""
    found = []
    for requirement in map(Requirement, _required()):
        extra = next((name for name in _EXTRAS if _only_with(requirement, name)), "")
        if extra or requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            bound = str(requirement.specifier)
            found.append(AskedPackage(requirement.name, bound, extra, installed(requirement.name)))
    return tuple(found)


def installed(name: str) -> str:
    """Version of a package; empty where it is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def package_parts(packages: Sequence[AskedPackage]) -> list[Part]:
    """Judge the packages: those that all users need together, those of each extra together."""
    adds = "everything"
    needed = [package for package in packages if not package.extra]
    wrong = [package for package in needed if not package.fits]
    if not needed:
        detail = "muse_nb was not installed by pip or conda: the versions of what it needs were not looked at"
        parts = [Part("Python packages", True, detail, adds, needed=True)]
    elif wrong:
        remedy = f"pip install {' '.join(repr(package.name + package.bound) for package in wrong)}"
        detail = f"missing or too old: {listed(wrong, len(wrong))}"
        parts = [Part("Python packages", False, detail, adds, remedy, needed=True)]
    else:
        some = ", ".join(f"{package.name} {package.version}" for package in needed if package.name in _TOLD)
        detail = f"all {len(needed)} that are needed, new enough ({some})"
        parts = [Part("Python packages", True, detail, adds, needed=True)]
    for extra, what in _EXTRAS.items():
        inside = [package for package in packages if package.extra == extra]
        lacking = [package for package in inside if not package.fits]
        detail = listed(lacking) if lacking else ", ".join(package.version for package in inside)
        if inside:
            remedy = f"pip install 'muse_nb[{extra}]'{_COMPILED.get(extra, '')}" if lacking else ""
            parts.append(Part(inside[0].name, not lacking, detail, what, remedy))
    return parts


def _required() -> Sequence[str]:
    try:
        return requires("muse_nb") or ()
    except PackageNotFoundError:
        return ()


def _only_with(requirement: Requirement, extra: str) -> bool:
    marker = requirement.marker
    return marker is not None and marker.evaluate({"extra": extra}) and not marker.evaluate({"extra": ""})
