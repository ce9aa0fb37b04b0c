"""How the site is built: ``make docs``. No network is needed to build it or to read it."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS / "generate"))

import command_pages
import notebook_pages
import reference_pages
import tables
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

import muse_nb

project, release, language = "muse_nb", muse_nb.__version__, "en"
copyright = "the muse_nb developers, BSD 3-Clause"
extensions = ["sphinx.ext.autodoc", "sphinx.ext.autosummary", "numpydoc", "myst_parser"]
exclude_patterns = ["generate", "generated/dq.md", "generated/causes.md"]  # the latter are included by others
suppress_warnings = ["myst.header"]  # pages taken from README begin below its title

# ---- the reference --------------------------------------------------------------------------------------------------
default_role = "autolink"  # `muse_nb.combine` in a docstring is a link, `progress` is not
add_module_names = False
toc_object_entries = False  # the pages' own headings lead through them
python_maximum_signature_line_length = 88
autodoc_preserve_defaults = True
autodoc_member_order = "bysource"
autosummary_generate = False
numpydoc_show_class_members = False
numpydoc_xref_param_type = False
numpydoc_validation_checks = {  # what a public docstring must have; each is an error of the build
    "GL01", "GL03", "GL05", "GL06", "GL07", "GL08", "GL09", "GL10",
    "SS01", "SS02", "SS03", "SS04", "PR01", "PR02", "PR03", "PR05", "PR06", "PR10", "RT02", "YD01",
}  # fmt: skip
numpydoc_validation_exclude = {
    r"^muse_nb\.\w+\.",  # methods and results: a line and what they raise, where names and types say the rest
    r"^muse_nb\.(ImageFov|ObjectRed|OffsetList|PixelTable)$",  # made by functions: attributes in place of parameters
    r"^muse_nb\.(combine|cube|reduce|reduce_all)$",  # each keyword of a TypedDict by itself (tests/docs holds it)
    r"^muse_nb\.RecipeRunner$",  # *arguments and **options on one line
}
# Types of Python and of other packages: their lists of pages are in the network, so that they stay plain text here.
# Modules inside of muse_nb that docstrings point to by their name have no page of their own.
nitpick_ignore_regex = [
    (r"py:.*", r"(?!muse_nb\.).*"),
    (r"py:(obj|class)", r"muse_nb\.[a-z]\w*\.\w.*"),
]

# ---- pages in Markdown ----------------------------------------------------------------------------------------------
myst_enable_extensions = ["deflist", "attrs_block", "colon_fence"]
myst_heading_anchors = 3

# ---- how it looks ---------------------------------------------------------------------------------------------------
html_theme = "pydata_sphinx_theme"
html_title = f"muse_nb {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = False
html_show_search_summary = False  # browsers do not let a page from disk fetch another one
html_theme_options = {
    "logo": {"text": "muse_nb"},
    "header_links_before_dropdown": 8,
    "navbar_end": ["theme-switcher"],
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "show_prev_next": True,
    "navigation_with_keys": False,
    "back_to_top_button": False,
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
html_sidebars = {page: [] for page in ("index", "start", "formats", "generated/notebooks", "examples")}
html_context = {"default_mode": "auto"}


def write_pages(app: Sphinx) -> None:
    """Write the pages that are made from the package itself, before any page is read."""
    folder = Path(app.srcdir) / "generated"
    reference_pages.write(folder / "reference")
    command_pages.write(folder / "commands")
    notebook_pages.write(folder / "notebooks.md")
    tables.write(folder)


def link_short_name(app: Sphinx, env: BuildEnvironment, node: pending_xref, text: Any) -> Any:
    """Find the page of a class that a signature calls by its short name."""
    name = reference_pages.homes().get(node.get("reftarget", ""))
    if name is None or node.get("refdomain") != "py":
        return None
    return env.get_domain("py").resolve_xref(env, node["refdoc"], app.builder, "obj", name, node, text)


def link_names(app: Sphinx, doctree: Any) -> None:
    """Make links of the public names and commands that a page writes as code, outside of what is a link already."""
    for node in list(doctree.findall(lambda one: one.tagname == "literal")):
        words = re.match(r"muse_nb\.(\w+)|muse-nb (\w+)", node.astext())
        inside = {parent.tagname for parent in (node.parent, node.parent.parent) if parent is not None}
        if words is None or inside & {"reference", "pending_xref", "download_reference", "term"}:
            continue
        link = {"refdoc": app.env.docname, "refexplicit": True, "refwarn": True}
        if words[1] in reference_pages.names():
            link |= {"refdomain": "py", "reftype": "obj", "reftarget": f"muse_nb.{words[1]}"}
        elif words[2] in command_pages.names() and not app.env.docname.startswith("generated/commands/"):
            link |= {"refdomain": "std", "reftype": "doc", "reftarget": f"/generated/commands/{words[2]}"}
        else:
            continue
        node.replace_self(pending_xref("", node.deepcopy(), **link))


def finish(app: Sphinx, error: Exception | None) -> None:
    """Put the rendered notebooks into the site."""
    if error is None and app.builder.name == "html":
        notebook_pages.copy(Path(app.outdir))


def setup(app: Sphinx) -> None:
    """Connect all of it."""
    app.connect("builder-inited", write_pages)
    app.connect("doctree-read", link_names)
    app.connect("missing-reference", link_short_name)
    app.connect("build-finished", finish)
