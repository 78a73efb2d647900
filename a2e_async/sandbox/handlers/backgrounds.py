"""Pictures to put behind avatars: a few of the sandbox's own, and those that the account added."""

import secrets

import anyio.to_thread

from a2e_async.sandbox.account import Account
from a2e_async.sandbox.call import Call
from a2e_async.sandbox.draws import digest
from a2e_async.sandbox.family_media import write_shades
from a2e_async.sandbox.kinds import document_row
from a2e_async.sandbox.routing import serves
from a2e_async.sandbox.wire import Refusal

BACKGROUND = "custom_back"
_SIZE = 1280, 720
_SHADES = {
    "dawn": ((252, 196, 160), (120, 90, 150)),
    "forest": ((180, 210, 170), (40, 80, 60)),
    "harbour": ((190, 215, 235), (40, 70, 110)),
    "slate": ((205, 210, 215), (70, 75, 85)),
    "studio": ((250, 250, 250), (190, 190, 195)),
}
_IDS = {digest("background", name)[:24]: name for name in _SHADES}


def is_system(id_: str) -> bool:
    """Tell whether a background of that id is the sandbox's own."""
    return id_ in _IDS


def is_own(account: Account, id_: str) -> bool:
    """Tell whether the account added a background of that id."""
    return any(saved.id == id_ for saved in account.saved(BACKGROUND))


@serves("POST", "/api/v1/custom_back/allBackground")
async def all_backgrounds(call: Call) -> object:
    """Return the account's own backgrounds, newest first, then the sandbox's."""
    return [*_own(call), *await _system(call)]


@serves("POST", "/api/v1/custom_back/list")
async def own(call: Call) -> object:
    """Return the account's own backgrounds, newest first."""
    return _own(call)


@serves("POST", "/api/v1/custom_back/randomBackground")
async def some(call: Call) -> object:
    """Return one of the sandbox's backgrounds; needs no token."""
    return secrets.choice(await _system(call))


@serves("POST", "/api/v1/custom_back/add")
async def add(call: Call) -> object:
    """Add a picture."""
    await call.input("img_url", "image")
    return document_row(call.account.save(BACKGROUND, {"img_url": call.text("img_url")}))


@serves("POST", "/api/v1/custom_back/del")
async def delete(call: Call) -> object:
    """Forget one of the account's own backgrounds."""
    if not call.account.discard(BACKGROUND, call.id("_id")):
        raise Refusal("no such background", status=404)
    return {}


def _own(call: Call) -> list[dict[str, object]]:
    return [document_row(saved) for saved in call.account.saved(BACKGROUND)]


async def _system(call: Call) -> list[dict[str, object]]:
    objects = call.services.objects
    rows: list[dict[str, object]] = []
    for id_, name in _IDS.items():
        path = f"/cdn/backgrounds/SANDBOX-{name}.png"
        if not objects.find(path):
            drawn = objects.scratch(".png")
            await anyio.to_thread.run_sync(write_shades, drawn, _SIZE, *_SHADES[name])
            objects.keep(path, drawn, "image/png")
        rows.append({"_id": id_, "img_url": str(call.base.with_path(path)), "name": name})
    return rows
