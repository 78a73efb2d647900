"""Inputs and results of tasks as the dashboard shows them: they stand in no log, and no fault strikes them."""

import hmac
from functools import lru_cache
from pathlib import Path, PurePosixPath

from aiohttp import web

from a2e_async.sandbox.account import Account
from a2e_async.sandbox.life import Task
from a2e_async.sandbox.objects import Objects
from a2e_async.sandbox.results import RENDERERS, Results, expiry
from a2e_async.sandbox.sniff import sniff
from a2e_async.sandbox.wire import SEALED, FileAnswer, Refusal
from a2e_async.sandbox.world import World

PREFIX = "/sandbox/media/"
_FAMILIES = {"mp4": "video", "jpg": "image", "png": "image", "wav": "audio"}
_RESULT = "result"


class Previews:
    """Files by signed paths, so that a page needs no token to show them."""

    def __init__(self, world: World, objects: Objects, results: Results) -> None:
        self._world, self._objects, self._results = world, objects, results

    def of(self, task: Task, now: int) -> dict[str, object]:
        """Return what a task's result is by now, if there is one, and each input: its family and its path."""
        result = {"family": _FAMILIES[task.suffix], "url": self._path(task, _RESULT)} if _is_made(task, now) else None
        inputs = [
            {"family": family, "url": self._path(task, str(at))}
            for at, file in enumerate(task.input_files())
            if (family := _family(file)) in _FAMILIES.values()
        ]
        return {"result": result, "inputs": inputs}

    async def serve(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer with the file behind a signed path; Refusal where there is none."""
        path = PurePosixPath(request.path)
        signature = self._objects.signature(request.path, {})
        held = self._world.task(path.parent.name)
        if not held or not hmac.compare_digest(request.query.get("sig", "").encode(), signature.encode()):
            raise Refusal("there is no such file", status=404)
        try:
            file = await self._file(*held, path.name)
            return FileAnswer(file, {"Content-Type": sniff(file).mime, **SEALED})
        except FileNotFoundError:
            raise Refusal("the file is gone", status=404) from None
        except (OSError, ValueError) as error:
            raise Refusal(f"the file cannot be made: {error}", status=500) from None

    async def _file(self, account: Account, task: Task, name: str) -> Path:
        if name != _RESULT:
            return task.input_files()[int(name)]
        if not _is_made(task, account.clock.now()):
            raise Refusal("there is no result yet, or none any more", status=404)
        return (await self._results.file(task))[0]

    def _path(self, task: Task, name: str) -> str:
        # Signed, since a page cannot send a token with a picture.
        path = f"{PREFIX}{task.id}/{name}"
        return f"{path}?sig={self._objects.signature(path, {})}"


def _is_made(task: Task, now: int) -> bool:
    return task.state(now) == "completed" and task.noun in RENDERERS and now < expiry(task)


@lru_cache(maxsize=10_000)
def _family(file: Path) -> str:
    try:
        return sniff(file).family
    except OSError:
        return ""
