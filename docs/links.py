"""Looks at every link of the built site: what it leads to must be there. Other hosts are not asked."""

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit


class Page(NamedTuple):
    """What a page can be linked by, and what it links to; `flaws` are wrong in themselves."""

    anchors: set[str]
    links: list[str]
    flaws: list[str]


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.page = Page({""}, [], [])

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if given.get("id"):
            self.page.anchors.add(str(given["id"]))
        if tag == "a" and given.get("name"):
            self.page.anchors.add(str(given["name"]))
        self.page.links.extend(str(given[name]) for name in ("href", "src") if given.get(name) is not None)
        if tag == "img" and not given.get("alt"):
            self.page.flaws.append(f"{given.get('src')} has no text for those who do not see it")


def read(text: str) -> Page:
    """Return what matters of a page in HTML."""
    reader = _Reader()
    reader.feed(text)
    return reader.page


def problems(site: Path) -> list[str]:
    """Return what is wrong with the links of a site, one line each; nothing is fetched."""
    pages = {path: read(path.read_text(encoding="utf-8")) for path in sorted(site.rglob("*.html"))}
    listed = site / "llms.txt"
    if listed.exists():
        pages[listed] = Page({""}, re.findall(r"\]\((\S+?)\)", listed.read_text(encoding="utf-8")), [])
    found = []
    for path, page in pages.items():
        whole = [problem for link in page.links if (problem := _problem(link, path, site, pages))]
        found += [f"{path.relative_to(site)}: {problem}" for problem in [*page.flaws, *whole]]
    return found


def _problem(link: str, path: Path, site: Path, pages: dict[Path, Page]) -> str:
    try:
        parts = urlsplit(link)
    except ValueError as error:
        return f"{link}: {error}"
    if parts.scheme in {"mailto", "data"}:
        return ""
    if parts.scheme or parts.netloc:
        # Pages tell of servers on this machine too.
        fine = parts.hostname and (parts.scheme == "https" or parts.hostname in {"127.0.0.1", "localhost"})
        return "" if fine else f"{link} is no https link"
    start = site if parts.path.startswith("/") else path.parent
    target = (start / unquote(parts.path).lstrip("/")).resolve() if parts.path else path
    if target.is_dir():
        target /= "index.html"
    if not target.is_relative_to(site.resolve()) or not target.exists():
        return f"{link} leads nowhere"
    known = pages.get(site / target.relative_to(site.resolve()))
    if known and unquote(parts.fragment) not in known.anchors:
        return f"{link}: there is no such place on that page"
    return ""
