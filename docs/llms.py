"""Writes `llms.txt` (llmstxt.org): what there is to read, in the order of the navigation, and all of it in one file."""

import re
from pathlib import Path
from typing import NamedTuple


class Entry(NamedTuple):
    """A page as the navigation has it."""

    section: str
    title: str
    path: str


def navigation(settings: str) -> list[Entry]:
    """Return the pages that `mkdocs.yml` names, in its order."""
    section, found = "Start", []
    for title, path, indent in _lines(settings):
        if not path:
            section = title
        else:
            found.append(Entry(section if indent > 2 else "Start", title, path))
    return found


def _lines(settings: str) -> list[tuple[str, str, int]]:
    text = settings.partition("\nnav:\n")[2]
    rows = re.findall(r"^( *)- (.+?):(?: (\S+\.md))?$", text, re.MULTILINE)
    return [(title, path, len(indent)) for indent, title, path in rows]


def write(pages: Path, settings: str, site: Path) -> None:
    """Write `llms.txt`, `llms-full.txt` and the pages as Markdown into the site."""
    entries = navigation(settings)
    texts = {entry.path: _plain((pages / entry.path).read_text(encoding="utf-8")) for entry in entries}
    for path, text in texts.items():
        (site / path).write_text(text, encoding="utf-8")
    home = next(iter(texts.values()))
    lines = ["# a2e-async", "", f"> {_first(home)}", "", *_notes(home)]
    for section in dict.fromkeys(entry.section for entry in entries):
        lines += ["", f"## {section}", ""]
        lines += [f"- [{e.title}]({e.path}): {_first(texts[e.path])}" for e in entries if e.section == section]
    (site / "llms.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    whole = "\n\n".join(f"<!-- {path} -->\n\n{text.strip()}" for path, text in texts.items())
    (site / "llms-full.txt").write_text(whole + "\n", encoding="utf-8")


def _plain(text: str) -> str:
    return re.sub(r"^ *<!--[^\n]*-->\n", "", text, flags=re.MULTILINE)


def _notes(home: str) -> list[str]:
    """Return the notes of the home page: whose project this is, and how sure it is of the service."""
    notes = re.findall(r'^!!! note(?: "[^"]*")?\n\n((?:    .+\n)+)', home, re.MULTILINE)
    return [_words(note) for note in notes]


def _first(text: str) -> str:
    """Return the first sentence of a page, without its links."""
    body = [part for part in re.split(r"\n{2,}", text) if re.match(r"[A-Z`*\[]", part)]
    sentence = re.match(r".+?[.](?=\s|$)", _words(body[0]) if body else "")
    return sentence[0] if sentence else ""


def _words(text: str) -> str:
    return re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", " ".join(text.split()))
