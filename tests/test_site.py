"""What the documentation's build adds to the pages: a look at every link, and `llms.txt`."""

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from docs import links, llms
from tests.snippets import ROOT

SETTINGS = (ROOT / "docs" / "mkdocs.yml").read_text(encoding="utf-8")
HEAD = '<html><body><h1 id="top">Top</h1><a id="here"></a>'


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "sub").mkdir()
    (tmp_path / "index.html").write_text(f'{HEAD}<a href="sub/page.html#top">fine</a>', encoding="utf-8")
    (tmp_path / "sub" / "page.html").write_text(f"{HEAD}<img src='../a.png' alt='a'>", encoding="utf-8")
    (tmp_path / "a.png").touch()
    return tmp_path


def put(site: Path, html: str) -> list[str]:
    (site / "sub" / "page.html").write_text(HEAD + html, encoding="utf-8")
    return links.problems(site)


@pytest.mark.parametrize(
    "html",
    [
        '<a href="#here">in the page</a>',
        '<a href="../index.html#top">another</a>',
        '<a href="/sub/page.html">from the root</a>',
        '<a href="../">a folder</a>',
        '<a href="https://example.org/a?b#c">another host</a>',
        '<a href="http://127.0.0.1:8723">this machine</a>',
        '<a href="mailto:anna@example.org">mail</a>',
    ],
)
def test_what_is_there_is_no_problem(site: Path, html: str) -> None:
    assert put(site, html) == []


@pytest.mark.parametrize(
    ("html", "problem"),
    [
        ('<a href="gone.html">x</a>', "gone.html leads nowhere"),
        ('<a href="#gone">x</a>', "#gone: there is no such place on that page"),
        ('<a href="../index.html#gone">x</a>', "../index.html#gone: there is no such place on that page"),
        ('<a href="../../outside.html">x</a>', "../../outside.html leads nowhere"),
        ('<img src="../a.png">', "../a.png has no text for those who do not see it"),
        ('<script src="gone.js"></script>', "gone.js leads nowhere"),
        ('<a href="http://example.org">x</a>', "http://example.org is no https link"),
        ('<a href="https:///path">x</a>', "https:///path is no https link"),
        ('<a href="https://[::1">x</a>', "https://[::1: Invalid IPv6 URL"),
    ],
)
def test_what_leads_nowhere_is_told_with_its_page(site: Path, html: str, problem: str) -> None:
    assert put(site, html) == [f"{Path('sub', 'page.html')}: {problem}"]


def test_the_links_of_llms_txt_are_looked_at_too(site: Path) -> None:
    (site / "llms.txt").write_text("- [Gone](gone.md): x\n- [Home](index.html): y\n", encoding="utf-8")

    assert links.problems(site) == ["llms.txt: gone.md leads nowhere"]


def test_llms_txt_lists_every_page_in_its_section(tmp_path: Path) -> None:
    entries = llms.navigation(SETTINGS)
    (tmp_path / "reference").mkdir()
    for entry in entries:
        text = f"# {entry.title}\n\n<!-- not run: why -->\nAbout [it](x.md), in short. More.\n"
        (tmp_path / entry.path).write_text(text, encoding="utf-8")
    (tmp_path / "index.md").write_text("# Home\n\nWhat it is. More.\n\n!!! note\n\n    Not known.\n", encoding="utf-8")

    llms.write(tmp_path, SETTINGS, tmp_path)
    listed, whole = ((tmp_path / name).read_text(encoding="utf-8") for name in ("llms.txt", "llms-full.txt"))

    assert len(entries) == len(re.findall(r"\S+\.md$", SETTINGS, re.MULTILINE)) > 25
    assert listed.startswith(
        "# a2e-async\n\n> What it is.\n\nNot known.\n\n## Start\n\n- [Home](index.md): What it is.\n"
    )
    assert "\n## How-to guides\n\n- [Run a batch of 10,000](batch-of-10000.md): About it, in short.\n" in listed
    assert listed.count("](") == len(entries)
    assert whole.count("About [it](x.md)") == len(entries) - 1
    assert "not run" not in whole


@pytest.mark.parametrize("drawing", sorted((ROOT / "docs" / "pages" / "img").glob("*.svg")), ids=lambda path: path.name)
def test_drawing_is_read_out_and_needs_nothing_from_elsewhere(drawing: Path) -> None:
    root = ET.parse(drawing).getroot()
    title, told = (root.find(f"{{http://www.w3.org/2000/svg}}{name}") for name in ("title", "desc"))
    text = drawing.read_text(encoding="utf-8")

    assert root.get("role") == "img"
    assert root.get("aria-labelledby") == "title desc"
    assert title is not None
    assert told is not None
    assert len(told.text or "") > 80
    assert "prefers-color-scheme: dark" in text
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)|@import|<image|<script", text)


def test_what_the_readme_links_to_is_there() -> None:
    found = re.findall(r"\]\(((?!https?:)[^)#]+)", (ROOT / "README.md").read_text(encoding="utf-8"))

    assert len(found) >= 4
    assert [name for name in found if not (ROOT / name).exists()] == []
