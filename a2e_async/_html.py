"""Tasks and outcomes as a notebook shows them. Every text is escaped, no link but an http(s) one is made one."""

from collections.abc import Mapping
from html import escape
from pathlib import Path
from urllib.parse import urlsplit

from a2e_async._wire import url_problem
from a2e_async.errors import visible

_COLOURS = {"queued": "#9a6700", "running": "#0969da", "done": "#1a7f37", "failed": "#cf222e"}
_SIZE = 'style="display:block;max-width:min(100%,480px);max-height:480px;margin-top:4px"'
_ENDINGS = {
    "video": "mp4 m4v mov webm",
    "audio": "mp3 wav m4a aac ogg flac",
    "image": "jpg jpeg png gif webp avif",
}
_FAMILIES = {ending: family for family, endings in _ENDINGS.items() for ending in endings.split()}
_PLAYERS = {
    "video": ('video controls preload="metadata"', "</video>"),
    "audio": ('audio controls preload="metadata"', "</audio>"),
    "image": ('img alt="result" referrerpolicy="no-referrer"', ""),
}


def card(  # noqa: PLR0913 - what there is to show
    kind: str,
    task_id: str,
    word: str,
    *,
    coins: float | None,
    error: str,
    result: str | None,
    links: Mapping[str, str],
) -> str:
    """Show a task: its state, coins, links, why it failed, and its picture or player."""
    price = "" if coins is None else f" {coins:g} coins"
    shown = [_link(name.removesuffix("_url"), url) for name, url in ({"result": result or ""} | dict(links)).items()]
    parts = [
        f"<div>{_badge(word)} <b>{_safe(kind)}</b> <code>{_safe(task_id)}</code>{price}</div>",
        f"<div>{_safe(error)}</div>" if error else "",
        f"<div>{' · '.join(filter(None, shown))}</div>" if any(shown) else "",
        _player(result or ""),
    ]
    return "".join(parts)


def told(key: str, word: str, *, error: str, path: Path | None, below: str) -> str:
    """Show how a job ended; ``below`` is its task's HTML."""
    parts = [
        f"<div>{_badge(word)} <b>{_safe(key)}</b></div>",
        f"<div>{_safe(error)}</div>" if error else "",
        f"<div>saved as <code>{_safe(str(path))}</code></div>" if path else "",
    ]
    return "".join(parts) + below


def table(facts: Mapping[str, object]) -> str:
    """Show names and numbers."""
    rows = (f"<tr><th>{_safe(name)}</th><td>{_safe(str(value))}</td></tr>" for name, value in facts.items())
    return f"<table>{''.join(rows)}</table>"


def _badge(word: str) -> str:
    colour = _COLOURS.get(word, "#57606a")
    style = f"background:{colour};color:#fff;border-radius:8px;padding:1px 8px"
    return f'<span style="{style}">{_safe(word)}</span>'


def _link(name: str, url: str) -> str:
    if not _fetchable(url):
        return ""
    return f'<a href="{escape(url)}" target="_blank" rel="noopener noreferrer">{_safe(name)}</a>'


def _player(url: str) -> str:
    # What a name does not tell is left a link: a player that shows nothing looks like a failure.
    family = _FAMILIES.get(urlsplit(url).path.rpartition(".")[2].lower()) if _fetchable(url) else None
    if family is None:
        return ""
    opening, closing = _PLAYERS[family]
    return f'<{opening} {_SIZE} src="{escape(url)}">{closing}'


def _fetchable(url: str) -> bool:
    return not url_problem(url, local=False)


def _safe(text: str) -> str:
    return escape(visible(text[:400]))
