"""The archive's exposures to choose from: a click chooses one, its calibrations come along."""

from __future__ import annotations

from typing import Any

import traitlets

from muse_nb.archive.fetch import list_archive
from muse_nb.archive.listing import HEAD, Listing
from muse_nb.core.html import FINDINGS_MIME
from muse_nb.widgets.shared import picture
from muse_nb.widgets.shared.base import Viewer
from muse_nb.widgets.shared.bundle import module, style
from muse_nb.widgets.shared.front_end import MimeBundle

__all__ = ["ArchiveTable"]


class ArchiveTable(Viewer):
    """Exposures that the archive has, a row each; clicks choose those to fetch.

    Parameters
    ----------
    found
        A listing; by default what `words` find.
    **words
        As of `muse_nb.list_archive`, where no listing is given; else `chosen` and `height`.

    Attributes
    ----------
    chosen : list of str
        The archive's names of the chosen exposures; all of them at first.

    Examples
    --------
    >>> table = muse_nb.ArchiveTable(target="NGC 6397", night="2014-07-26")
    >>> len(table.chosen)
    2
    >>> fetched = muse_nb.fetch("raw", table.listing)
    """

    _esm = module("archive/table")
    _stands_in = "text/html"
    _css = style("exposures/table")

    chosen = traitlets.List(traitlets.Unicode()).tag(sync=True)
    columns = traitlets.List(traitlets.Unicode()).tag(sync=True)
    rows = traitlets.List(traitlets.List(traitlets.Unicode())).tag(sync=True)
    findings = traitlets.List(traitlets.Unicode()).tag(sync=True)
    headline = traitlets.Unicode("", help="Numbers and size of what is chosen, calibrations included.").tag(sync=True)

    def __init__(self, found: Listing | None = None, **words: Any) -> None:
        options = {name: words.pop(name) for name in ("chosen", "height") if name in words}
        if found is not None and words:
            raise TypeError(f"a listing is given: {', '.join(sorted(words))} would ask again")
        self.found = list_archive(**words) if found is None else found
        options.setdefault("chosen", [file.dp_id for file in self.found.science])
        super().__init__(
            columns=list(HEAD[:-1]),
            rows=[self.found.cells(file)[:-1] for file in self.found.science],
            findings=list(self.found.notes),
            **options,
        )

    @property
    def listing(self) -> Listing:
        """The chosen exposures with the calibrations that serve them, for `muse_nb.fetch`."""
        return self.found.chosen(self.chosen)

    @traitlets.validate("chosen")
    def _known(self, proposal: Any) -> list[str]:
        there = [file.dp_id for file in self.found.science]
        unknown = [name for name in proposal["value"] if name not in there]
        if unknown:
            raise traitlets.TraitError(f"the list has no exposure {unknown[0]!r}")
        return [name for name in there if name in proposal["value"]]

    @traitlets.observe("chosen")
    def _tell(self, _: Any) -> None:
        self.headline = self.listing.headline

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[MimeBundle, MimeBundle] | None:
        bundle = super()._repr_mimebundle_(**kwargs)
        if bundle is not None:
            bundle[0]["text/html"] = self.listing._repr_html_()
            bundle[0][FINDINGS_MIME] = {"findings": list(self.findings)}
        return bundle

    def picture(self) -> bytes:
        """PNG of the table's first rows."""
        return picture.of_table(self.columns, self.rows, set(self.chosen), [self.headline])
