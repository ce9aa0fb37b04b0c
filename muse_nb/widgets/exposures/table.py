"""The survey to click: one row an exposure, and the one that is selected."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import traitlets

from muse_nb.core.errors import MuseError
from muse_nb.core.html import FINDINGS_MIME
from muse_nb.steps.survey.exposures import Exposure
from muse_nb.steps.survey.result import Survey, cells, headings
from muse_nb.steps.survey.survey import survey
from muse_nb.widgets.shared import picture
from muse_nb.widgets.shared.base import Viewer
from muse_nb.widgets.shared.bundle import module, style
from muse_nb.widgets.shared.front_end import MimeBundle

__all__ = ["ExposureTable"]


class ExposureTable(Viewer):
    """Exposures of a survey as a table; a click selects one.

    Parameters
    ----------
    found
        A survey, or a folder to survey.
    **options
        `selected`, `height`.

    Attributes
    ----------
    selected : str
        Label of the selected exposure, empty for none; also takes a DATE-OBS.

    Examples
    --------
    >>> table = muse_nb.ExposureTable("night")
    >>> table.selected = "2014-07-27T031430"  # or a click
    >>> [path.name for path in table.exposure.files("IMAGE_FOV")]
    ['IMAGE_FOV_0001.fits']
    """

    _esm = module("exposures/table")
    _stands_in = "text/html"
    _css = style("exposures/table")

    selected = traitlets.Unicode("").tag(sync=True)
    columns = traitlets.List(traitlets.Unicode()).tag(sync=True)
    rows = traitlets.List(traitlets.List(traitlets.Unicode())).tag(sync=True)
    findings = traitlets.List(traitlets.Unicode()).tag(sync=True)

    def __init__(self, found: Survey | str | Path, **options: Any) -> None:
        self.survey = found if isinstance(found, Survey) else survey(found)
        super().__init__(
            columns=headings(self.survey),
            rows=[
                cells(exposure, self.survey.categories, logged=self.survey.logged) for exposure in self.survey.exposures
            ],
            findings=self.survey.findings,
            **options,
        )

    @property
    def exposure(self) -> Exposure | None:
        """The selected exposure with its files, None where none is selected."""
        return self.survey.exposure(self.selected) if self.selected else None

    @traitlets.validate("selected")
    def _known(self, proposal: Any) -> str:
        try:
            return self.survey.exposure(proposal["value"]).label if proposal["value"] else ""
        except MuseError as error:  # what a trait refuses is a TraitError; the sentence stays
            raise traitlets.TraitError(str(error)) from error

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[MimeBundle, MimeBundle] | None:
        bundle = super()._repr_mimebundle_(**kwargs)
        if bundle is not None:
            bundle[0]["text/html"] = self.survey._repr_html_()
            bundle[0][FINDINGS_MIME] = {"findings": list(self.findings)}
        return bundle

    def picture(self) -> bytes:
        """PNG of the table's first rows."""
        number = len(self.findings)
        return picture.of_table(self.columns, self.rows, {self.selected}, [f"{number} finding{'s' * (number != 1)}"])
