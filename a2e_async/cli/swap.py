"""`a2e swap`."""

from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from a2e_async.cli._terminal import check_writable, give, if_interrupted, number, resumable, say
from a2e_async.groups.face_swap import FACE_SWAP, Swap
from a2e_async.session import A2ESession


async def run(  # noqa: PLR0913 - what a swap takes
    *, face: str, video: str, out: str, name: str | None, deadline: float | None, as_json: bool
) -> int:
    """Swap, wait, save."""
    target = _target(out)
    name = name or _name(video)
    async with A2ESession() as a2e:
        with if_interrupted(lambda: f"The job may have started: look for {name!r} in the account's swaps."):
            task = await a2e.face_swap.tasks.add(name=name, face_url=_media(face), video_url=_media(video))
        with resumable(FACE_SWAP.name, [task.id]):
            task = await _follow(a2e, task, deadline)
            path = await a2e.files.save(task, target)
    say(f"{task.id} saved" + ("" if task.coins is None else f"; it cost {number(task.coins)} coins"))
    give({"id": task.id, "path": str(path), "coins": task.coins} if as_json else str(path))
    return 0


def _target(out: str) -> Path:
    path = Path(out)
    check_writable(path if path.is_dir() else path.parent)
    return path


async def _follow(a2e: A2ESession, task: Swap, deadline: float | None) -> Swap:
    watcher = a2e.watch(task, deadline=deadline)
    async for change in watcher:
        say(f"{task.id} {change.state}")
    return await watcher


def _media(text: str) -> str | Path:
    return text if _is_url(text) else Path(text)


def _is_url(text: str) -> bool:
    return text.lower().startswith(("http://", "https://"))


def _name(video: str) -> str:
    path = PurePosixPath(unquote(urlsplit(video).path)) if _is_url(video) else Path(video)
    return path.stem or "swap"
