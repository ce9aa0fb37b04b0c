"""``NightChooser``: the night that the notebooks look at; where there is none, the demo's to make or one to choose."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any

import ipywidgets

from muse_nb.core.errors import MuseError
from muse_nb.core.html import findings_html
from muse_nb.core.notebooks import new_notebooks
from muse_nb.steps.survey.result import Survey
from muse_nb.steps.survey.survey import survey
from muse_nb.widgets.recipe import RecipeRunner
from muse_nb.widgets.shared.front_end import fit_to_front_end

__all__ = ["NightChooser"]

MOST = 200  # folders that are listed


class NightChooser(ipywidgets.VBox):
    """What is in the night's folder; where it is not there, two ways to one.

    Parameters
    ----------
    night, products
        Folders as the notebooks name them.
    demo
        `muse_nb.demo.demo.demo`, to make the demo's night beside `night`; without, that is not offered.
    start
        Folder in which a night of one's own is looked for first.

    Attributes
    ----------
    survey : Survey or None
        What is there.
    notebooks : list of pathlib.Path
        Notebooks that were written for a night of one's own.

    Examples
    --------
    >>> chooser = muse_nb.NightChooser("night", "products")
    >>> len(chooser.survey.exposures)
    4
    """

    def __init__(
        self,
        night: str | Path,
        products: str | Path,
        demo: Callable[..., object] | None = None,
        start: str | Path = "..",
    ) -> None:
        self.night, self.products, self._demo = Path(night), Path(products), demo
        self.survey: Survey | None = None
        self.notebooks: list[Path] = []
        self._found, self._answer = ipywidgets.HTML(), ipywidgets.HTML()
        wide = ipywidgets.Layout(width="min(46em, 100%)")
        self._folder = ipywidgets.Text(str(Path(start).resolve()), description="folder", layout=wide)
        self._inside = ipywidgets.Select(rows=8, description="in it", layout=wide)
        self._use = ipywidgets.Button(description="Use this folder", button_style="primary", icon="folder-open")
        self._use.on_click(lambda _: self.choose(self._folder.value))
        self._folder.observe(lambda _: self._list(), ["value"])
        self._inside.observe(self._enter, ["value"])
        super().__init__([self._found])
        self._look()

    def _look(self) -> None:
        """Show what is in the night; the ways to one where it is not there."""
        if self.night.is_dir():
            self.survey = survey(self.night)
            self._found.value = self.survey._repr_html_()
            self.children = [self._found]
            return
        self._found.value = (
            f"<p><b>There is no night in {escape(str(self.night))} yet.</b> Make the demo's there, or choose a folder"
            " of your own.</p>"
        )
        parts: list[Any] = [self._found]
        if self._demo is not None:
            words = "Make the demo's night: about six minutes with ESO's recipes, three without, and 3 GB of disk"
            self.runner = RecipeRunner(self._make_demo, title="the demo")
            parts += [ipywidgets.HTML(f"<p>{words}.</p>"), self.runner]
        own = ipywidgets.HTML(
            "<p>A night of your own: raw frames or products, in any subfolders. They are not changed.</p>"
        )
        self.children = [*parts, own, self._folder, self._inside, self._use, self._answer]
        self._list()

    def _make_demo(self, progress: Callable[[str, int, int], object], cancel: object) -> Survey:
        assert self._demo is not None
        self._demo(self.night.parent, pages=False, progress=progress, cancel=cancel)
        self.survey = survey(self.night)
        return self.survey

    def choose(self, folder: str | Path) -> None:
        """Take a folder for the night: show what is in it, and write notebooks with its name in them."""
        try:
            found = survey(folder)
            if not found.facts:
                raise MuseError(f"{folder} holds no FITS files: choose another")
            home = Path(f"notebooks-{Path(folder).resolve().name}")
            self.notebooks = new_notebooks(home, folder, home / "products")
        except MuseError as error:
            self._answer.value = findings_html([str(error)])
            return
        self.survey = found
        told = f"<p><b>{escape(str(self.notebooks[1]))}</b> and the others were written for it: open them.</p>"
        self._answer.value = told + found._repr_html_()

    def _list(self) -> None:
        """List the folders in the one that is named."""
        place = Path(self._folder.value).expanduser()
        try:
            names = sorted(path.name for path in place.iterdir() if path.is_dir() and not path.name.startswith("."))
        except OSError:
            names = []
        self._use.disabled = not place.is_dir()
        self._inside.unobserve(self._enter, ["value"])
        self._inside.options = ["..", *names[:MOST]]
        self._inside.value = None
        self._inside.observe(self._enter, ["value"])

    def _enter(self, change: dict[str, Any]) -> None:
        if change["new"]:
            self._folder.value = str((Path(self._folder.value).expanduser() / change["new"]).resolve())

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        bundle = super()._repr_mimebundle_(**kwargs)
        data = bundle[0] if isinstance(bundle, tuple) else bundle
        if data is not None:  # for pages without a kernel
            data["text/html"] = self._found.value
            fit_to_front_end(data)
        return bundle
