"""Markdown: tables, links and anchors."""

from collections.abc import Iterable


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """Return a table; cells may hold anything but lines."""
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(_cell(text) for text in line)} |" for line in lines)


def heading(level: int, name: str) -> str:
    """Return a heading that can be linked to by its name."""
    return f"{'#' * level} {name} {{ #{_anchor(name)} }}"


def link(name: str, page: str = "") -> str:
    """Return a link to the heading of that name."""
    return f"[`{name}`]({page}#{_anchor(name)})"


def code(text: str, language: str = "python") -> str:
    """Return a block of code."""
    return f"```{language}\n{text}\n```"


def _cell(text: str) -> str:
    return text.replace("\n", " ").replace("|", "\\|")


def _anchor(name: str) -> str:
    return name.lower().replace(".", "-").replace(" ", "-")
