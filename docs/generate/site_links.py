"""Every link of the built site: files and anchors that are there, nothing that the network would be asked for.

``python docs/generate/site_links.py build/docs`` lists what is wrong; its exit status is then 1.
"""

from __future__ import annotations

import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

__all__ = ["wrong_links"]

OTHERS = {"demo", "_static"}  # rendered notebooks, which their own tests hold to ask for nothing; the theme's templates
ADDRESS = re.compile(r"https://[a-z0-9-]+(\.[a-z0-9-]+)+(:\d+)?(/[\w./~%+@:,()?=&#!-]*)?")  # of a page elsewhere
LOADS = {"script": "src", "img": "src", "iframe": "src", "link": "href", "source": "src", "object": "data"}
NOT_LOADED = {"canonical", "search", "author", "license", "index", "next", "prev", "top", "copyright"}


class _Page(HTMLParser):
    def __init__(self, path: Path) -> None:
        super().__init__(convert_charrefs=True)
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.feed(path.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what a tag names, points to and loads."""
        given = {name: value or "" for name, value in attrs}
        self.anchors |= {given[name] for name in ("id", "name") if name in given}
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        loaded = given.get(LOADS.get(tag, ""), "")
        if loaded and not (tag == "link" and given.get("rel", "") in NOT_LOADED):
            self.loaded.append(loaded)


def wrong_links(site: Path) -> list[str]:
    """Follow every link and list those that lead nowhere, a line each.

    Addresses elsewhere are held against a pattern only: the site is built without a network.
    """
    site = site.resolve()
    pages = {path: _Page(path) for path in site.rglob("*.html") if path.relative_to(site).parts[0] not in OTHERS}
    wrong = []
    for path, page in sorted(pages.items()):
        for link in page.links:
            if reason := _wrong(path, link, pages):
                wrong.append(f"{path.relative_to(site)}: {link} {reason}")
        for link in page.loaded:
            if urlsplit(link).netloc:
                wrong.append(f"{path.relative_to(site)}: loads {link} from the network")
            elif not link.startswith("data:") and (reason := _wrong(path, link, pages)):
                wrong.append(f"{path.relative_to(site)}: {link} {reason}")
    return wrong


def _wrong(path: Path, link: str, pages: dict[Path, _Page]) -> str:
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        return "" if parts.scheme == "mailto" or ADDRESS.fullmatch(link) else "is no address (https://...)"
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    if not target.exists():
        return "is not there"
    if parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].anchors:
        return "has no such anchor"
    return ""


if __name__ == "__main__":
    found = wrong_links(Path(sys.argv[1]))
    print(*found, sep="\n", end="\n" if found else "")
    sys.exit(bool(found))
