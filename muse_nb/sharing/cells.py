"""The cells of a notebook as HTML."""

from __future__ import annotations

import base64
import mimetypes
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from html import unescape
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote
from xml.etree.ElementTree import tostring

from markupsafe import Markup

from muse_nb.core.html import FINDINGS_MIME
from muse_nb.core.saved import MARK, STILL_OF
from muse_nb.sharing.clean import Places, safe_html
from muse_nb.sharing.colours import coloured
from muse_nb.sharing.fill import fill_template
from muse_nb.sharing.states import view_of

if TYPE_CHECKING:
    from nbformat import NotebookNode

__all__ = ["Cells", "findings_of", "title_of"]

_ANSI = re.compile(r"\x1b\[[0-9;]*m")
_MATH = re.compile(
    r"(?P<code>(?P<fence>`+).+?(?P=fence))|(?<![\\$])\$\$(?P<block>[^$]+)\$\$|(?<![\\$\w])\$(?P<inline>[^$\n]+)\$(?![\d$])",
    re.S,
)
_LINK = re.compile(r'(<a\b[^>]*?\bhref=")([^":#?]*\.ipynb)(")', re.I)
_IMAGE = re.compile(r'(<img\b[^>]*?\bsrc=")([^"]*)(")', re.I)
_LARGEST_IMAGE = 5_000_000  # bytes of a picture beside the notebook

MimeBundle = Mapping[str, Any]
"""What an output holds: type of media -> content as JSON has it, texts perhaps as lists of lines."""


def title_of(notebook: NotebookNode) -> str:
    """Return the notebook's first heading, without markup."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            for line in cell.source.splitlines():
                if line.startswith("#"):
                    return re.sub(r"[*`]", "", line.lstrip("# ")).strip()
    return "Notebook"


def findings_of(notebook: NotebookNode) -> list[str]:
    """List what the steps of a notebook that was run found wrong."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    found = [output.get("data", {}).get(FINDINGS_MIME, {}) for output in outputs]
    return [str(text) for one in found for text in one.get("findings", [])]


def with_stills(outputs: Sequence[NotebookNode]) -> list[NotebookNode]:
    """Put the picture that stands in for a view, an output of its own in JupyterLab, back beside the view."""
    joined: list[NotebookNode] = []
    for output in outputs:
        model = output.get("metadata", {}).get(MARK, {}).get(STILL_OF)
        if joined and model is not None and view_of(joined[-1].get("data", {})) == model:
            joined[-1] = type(output)({**joined[-1], "data": {**joined[-1]["data"], **output["data"]}})
        else:
            joined.append(output)
    return joined


@dataclass(frozen=True)
class Output:
    """What a cell showed, as its template takes it.

    Attributes
    ----------
    kind : str
        ``text``, ``error``, ``table``, ``markdown``, ``picture``, ``view``, or a view that was ``dropped``.
    text : str
        Plain text; of a view without a picture, what stands in for it.
    html : str
        `Markup` of a table or of markdown.
    picture : str
        A data URL.
    model : str
        Id of the widget that a view shows.
    """

    kind: str
    text: str = ""
    html: str = ""
    picture: str = ""
    model: str = ""


@dataclass(frozen=True)
class Cells:
    """Makes HTML of cells.

    Attributes
    ----------
    places : Places
        Paths are given relative to these; pictures that a text refers to are looked for in its folder.
    live : collection of str
        Models whose views come alive.
    dropped : collection of str
        Models whose views were too large for that.
    pages : mapping
        Notebooks by file name that are pages beside this one: links to them lead there.
    """

    places: Places
    live: Collection[str] = ()
    dropped: Collection[str] = ()
    pages: Mapping[str, str] = field(default_factory=dict)

    def html(self, notebook: NotebookNode) -> Markup:
        """HTML of all cells."""
        tags = {tag for cell in notebook.cells for tag in cell.metadata.get("tags", [])}
        unused = {"parameters"} if "injected-parameters" in tags else set()  # defaults that others replaced
        hidden = {"remove_cell"} | unused
        shown = [c for c in notebook.cells if c.source.strip() and not hidden & set(c.metadata.get("tags", []))]
        return fill_template("cells.html", cells=[self._cell(cell) for cell in shown])

    def _cell(self, cell: NotebookNode) -> dict[str, object]:
        """A cell as its template takes it."""
        if cell.cell_type == "markdown":
            return {"kind": "markdown", "html": self._markdown(cell.source, cell.get("attachments", {}))}
        if cell.cell_type != "code":
            return {"kind": "raw", "text": cell.source}
        outputs = [self._output(output) for output in with_stills(cell.outputs)]
        return {"kind": "code", "html": coloured(self.places.hide(cell.source)), "outputs": outputs}

    def _markdown(self, source: str, attachments: Mapping[str, Mapping[str, str]] | None = None) -> Markup:
        from nbconvert.filters import markdown2html

        formulas: list[Markup] = []

        def keep(match: re.Match[str]) -> str:
            if match["code"]:
                return match[0]
            formulas.append(_formula(match["block"] or match["inline"], block=bool(match["block"])))
            return f"@@formula{len(formulas) - 1}@@"

        html = re.sub(r'<a class="anchor-link".*?</a>', "", markdown2html(_MATH.sub(keep, source)))
        html = _IMAGE.sub(lambda m: m[1] + self._embedded(unquote(m[2]), attachments or {}) + m[3], html)
        html = _LINK.sub(lambda m: m[1] + self.pages.get(unquote(m[2]), m[2]) + m[3], html)
        return Markup(re.sub(r"@@formula(\d+)@@", lambda m: formulas[int(m[1])], safe_html(html)))

    def _embedded(self, source: str, attachments: Mapping[str, Mapping[str, str]]) -> str:
        """Picture of a text as a data URL; one from elsewhere is left out."""
        if source.startswith("attachment:"):
            for kind, text in attachments.get(source.removeprefix("attachment:"), {}).items():
                return f"data:{kind};base64,{text}"
        path = self.places.folder / source
        if "://" in source or source.startswith("data:"):
            return source
        kind = mimetypes.guess_type(path.name)[0] or ""
        if not kind.startswith("image/") or not path.is_file() or path.stat().st_size > _LARGEST_IMAGE:
            return source
        return f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"

    def _text(self, text: str | Sequence[str]) -> str:
        return self.places.hide(_ANSI.sub("", "".join(text)))

    def _output(self, output: NotebookNode) -> Output:
        if output.output_type == "stream":
            return Output("text", self._text(output.text))
        if output.output_type == "error":
            return Output("error", self._text("\n".join(output.traceback) or f"{output.ename}: {output.evalue}"))
        data = output.get("data", {})
        picture, text = _picture(data), self._text(data.get("text/plain", ""))
        if (model := view_of(data)) is not None:
            kind = "view" if model in self.live else "picture" if picture else "text"
            return Output("dropped" if model in self.dropped else kind, text, picture=picture, model=model)
        if "text/html" in data:
            return Output("table", html=Markup(safe_html(self.places.hide("".join(data["text/html"])))))
        if picture:
            return Output("picture", picture=picture)
        if "text/markdown" in data:
            return Output("markdown", html=self._markdown(self.places.hide("".join(data["text/markdown"]))))
        if "text/latex" in data:
            return Output("markdown", html=self._markdown("".join(data["text/latex"])))
        return Output("text", text)


def _formula(tex: str, *, block: bool) -> Markup:
    from latex2mathml.converter import convert_to_element

    try:
        formula = convert_to_element(tex, display="block" if block else "inline")
    except Exception:  # an odd formula is shown as it was typed
        return Markup("<code>{}</code>").format(tex)
    for part in formula.iter():  # signs are entities in its texts, which are to be escaped like any other
        part.text = unescape(part.text) if part.text else part.text
    return Markup(tostring(formula, encoding="unicode"))


def _picture(data: MimeBundle) -> str:
    """The output's picture as a data URL; empty where there is none."""
    for kind in ("image/png", "image/jpeg"):
        if kind in data:
            return f"data:{kind};base64," + re.sub(r"[^A-Za-z0-9+/=]", "", "".join(data[kind]))
    if "image/svg+xml" in data:
        text = base64.b64encode("".join(data["image/svg+xml"]).encode()).decode()
        return f"data:image/svg+xml;base64,{text}"
    return ""
