"""The cells of a notebook as HTML."""

from __future__ import annotations

import base64
import mimetypes
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cache
from html import escape, unescape
from typing import Any
from urllib.parse import unquote

from muse_nb.sharing.clean import Places, safe_html
from muse_nb.sharing.states import view_of

__all__ = ["Cells", "findings_of", "title_of"]

_ANSI = re.compile(r"\x1b\[[0-9;]*m")
_MATH = re.compile(
    r"(?P<code>(?P<fence>`+).+?(?P=fence))|(?<![\\$])\$\$(?P<block>[^$]+)\$\$|(?<![\\$\w])\$(?P<inline>[^$\n]+)\$(?![\d$])",
    re.S,
)
_FINDINGS = re.compile(r'<ul class="findings">(.*?)</ul>', re.S)
_LINK = re.compile(r'(<a\b[^>]*?\bhref=")([^":#?]*\.ipynb)(")', re.I)
_IMAGE = re.compile(r'(<img\b[^>]*?\bsrc=")([^"]*)(")', re.I)
_LARGEST_IMAGE = 5_000_000  # bytes of a picture beside the notebook


def title_of(notebook: Any) -> str:
    """Return the notebook's first heading, without markup."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            for line in cell.source.splitlines():
                if line.startswith("#"):
                    return re.sub(r"[*`]", "", line.lstrip("# ")).strip()
    return "Notebook"


def findings_of(notebook: Any) -> list[str]:
    """List what the steps of a notebook that was run found wrong."""
    texts = []
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            html = "".join(output.get("data", {}).get("text/html", ""))
            for found in _FINDINGS.findall(html):
                texts += [unescape(text) for text in re.findall("<li>(.*?)</li>", found, re.S)]
    return texts


def with_stills(outputs: list[Any]) -> list[Any]:
    """Put the picture that stands in for a view, an output of its own in JupyterLab, back beside the view."""
    joined: list[Any] = []
    for output in outputs:
        model = output.get("metadata", {}).get("muse_nb", {}).get("still_of")
        if joined and model is not None and view_of(joined[-1].get("data", {})) == model:
            joined[-1] = type(output)({**joined[-1], "data": {**joined[-1]["data"], **output["data"]}})
        else:
            joined.append(output)
    return joined


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

    def html(self, notebook: Any) -> str:
        """HTML of all cells."""
        tags = {tag for cell in notebook.cells for tag in cell.metadata.get("tags", [])}
        unused = {"parameters"} if "injected-parameters" in tags else set()  # defaults that others replaced
        hidden = {"remove_cell"} | unused
        shown = [c for c in notebook.cells if c.source.strip() and not hidden & set(c.metadata.get("tags", []))]
        return "\n".join(self._cell(cell) for cell in shown)

    def _cell(self, cell: Any) -> str:
        if cell.cell_type == "markdown":
            return f"<section class='text'>{self._markdown(cell.source, cell.get('attachments', {}))}</section>"
        if cell.cell_type != "code":
            return f"<pre>{escape(cell.source)}</pre>"
        outputs = "".join(self._output(output) for output in with_stills(cell.outputs))
        return (
            f"<section class='cell'><div class='code'>{_highlight(self.places.hide(cell.source))}</div>"
            f"<div class='outputs'>{outputs}</div></section>"
        )

    def _markdown(self, source: str, attachments: dict[str, Any] | None = None) -> str:
        from nbconvert.filters import markdown2html

        formulas: list[str] = []

        def keep(match: re.Match[str]) -> str:
            if match["code"]:
                return match[0]
            formulas.append(_formula(match["block"] or match["inline"], block=bool(match["block"])))
            return f"@@formula{len(formulas) - 1}@@"

        html = re.sub(r'<a class="anchor-link".*?</a>', "", markdown2html(_MATH.sub(keep, source)))
        html = _IMAGE.sub(lambda m: m[1] + self._embedded(unquote(m[2]), attachments or {}) + m[3], html)
        html = _LINK.sub(lambda m: m[1] + self.pages.get(unquote(m[2]), m[2]) + m[3], html)
        return re.sub(r"@@formula(\d+)@@", lambda m: formulas[int(m[1])], safe_html(html))

    def _embedded(self, source: str, attachments: dict[str, Any]) -> str:
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

    def _text(self, text: Any) -> str:
        return escape(self.places.hide(_ANSI.sub("", "".join(text))))

    def _output(self, output: Any) -> str:
        if output.output_type == "stream":
            return f"<pre>{self._text(output.text)}</pre>"
        if output.output_type == "error":
            text = "\n".join(output.traceback) or f"{output.ename}: {output.evalue}"
            return f"<div class='error'><pre>{self._text(text)}</pre></div>"
        data = output.get("data", {})
        picture = _picture(data)
        if (model := view_of(data)) is not None:
            return self._view(model, data, picture)
        if "text/html" in data:
            return f"<div class='scroll'>{safe_html(self.places.hide(''.join(data['text/html'])))}</div>"
        if picture:
            return picture
        if "text/markdown" in data:
            return self._markdown(self.places.hide("".join(data["text/markdown"])))
        if "text/latex" in data:
            return self._markdown("".join(data["text/latex"]))
        return f"<pre>{self._text(data.get('text/plain', ''))}</pre>"

    def _view(self, model: str, data: dict[str, Any], picture: str) -> str:
        """A view: its picture, which also stands where scripts are off and on paper."""
        still = picture or f"<pre>{self._text(data.get('text/plain', ''))}</pre>"
        if model in self.dropped:
            return f"{still}<p class='note'>A picture only: alive, it would make this page too large.</p>"
        if model not in self.live:
            return still
        return f'<div class="view" data-widget="{escape(model)}"><div class="still">{still}</div></div>'


def _formula(tex: str, *, block: bool) -> str:
    from latex2mathml.converter import convert

    try:
        return str(convert(tex, display="block" if block else "inline"))
    except Exception:  # an odd formula is shown as it was typed
        return f"<code>{escape(tex)}</code>"


@cache
def _formatter() -> Any:
    from pygments.formatters import HtmlFormatter

    return HtmlFormatter(noclasses=True, style="default")


def _highlight(source: str) -> str:
    from pygments import highlight
    from pygments.lexers import PythonLexer

    return str(highlight(source, PythonLexer(), _formatter()))


def _picture(data: dict[str, Any]) -> str:
    for kind in ("image/png", "image/jpeg"):
        if kind in data:
            text = re.sub(r"[^A-Za-z0-9+/=]", "", "".join(data[kind]))
            return f'<img alt="figure" src="data:{kind};base64,{text}">'
    if "image/svg+xml" in data:
        text = base64.b64encode("".join(data["image/svg+xml"]).encode()).decode()
        return f'<img alt="figure" src="data:image/svg+xml;base64,{text}">'
    return ""
