"""Rooms with a streaming avatar: paid in advance up to their expiry, the unused rest back on leaving."""

from datetime import UTC, datetime
from math import ceil

import msgspec

from a2e_async.sandbox import prices
from a2e_async.sandbox.account import Account, Document
from a2e_async.sandbox.call import Call
from a2e_async.sandbox.draws import digest
from a2e_async.sandbox.kinds import QUOTES
from a2e_async.sandbox.routing import serves
from a2e_async.sandbox.wire import REFUSED, Refusal

ROOM = "streaming-avatar"
HOSTS = 2
"""Rooms that one account can have open; invented, the service tells no number."""
_LONGEST = 30 * 24 * 3600
"""Seconds that a room can be open; invented."""
_CONTEXT_LIMIT = 5000
_AVATARS = {digest("streaming avatar", name)[:24]: name for name in ("Alba", "Bruno", "Chiara", "Dimitri")}


class _Room(msgspec.Struct):
    seconds: int
    left: bool = False
    context: str = ""


@serves("GET", "/api/v1/streaming-avatar/all_avatars")
async def avatars(_call: Call) -> object:
    """Return who can be met."""
    return [{"_id": id_, "name": name} for id_, name in _AVATARS.items()]


@serves("POST", "/api/v1/streaming-avatar/agora-token")
async def enter(call: Call) -> object:
    """Open a room and charge for all of it; at most two at a time."""
    if call.id("avatar_id") not in _AVATARS:
        raise Refusal("avatar_id: no such avatar; all_avatars lists them")
    seconds = _seconds(call)
    if sum(_is_open(call.account, room) for room in call.account.saved(ROOM)) >= HOSTS:
        raise Refusal(f"hosts are occupied: {HOSTS} rooms are open", status=200, code=REFUSED)
    fields = msgspec.to_builtins(_Room(seconds))
    room = call.account.save(ROOM, fields, coins=seconds * prices.STREAM_SECOND)
    expires = room.created // 1000 + seconds
    return {
        "appId": "SANDBOX",
        "channel": f"SANDBOX-{room.id}",
        "token": f"SANDBOX-{digest('room', room.id)}",
        "uid": int(room.id[-6:], 16) + 1,
        "expire_epoch_timestamp": expires,
        "expire_date_UTC": datetime.fromtimestamp(expires, UTC).isoformat().replace("+00:00", "Z"),
    }


@serves("POST", "/api/v1/streaming-avatar/set-qa-context")
async def set_context(call: Call) -> object:
    """Keep what the avatar is to know in an open room."""
    text = call.text("text")
    if len(text) > _CONTEXT_LIMIT:
        raise Refusal(f"text must have at most {_CONTEXT_LIMIT} characters")
    room = _open_room(call)
    call.account.amend(room, {**room.fields, "context": text})
    return {}


@serves("GET", "/api/v1/streaming-avatar/get-qa-context")
async def context(call: Call) -> object:
    """Return what the avatar knows; the shape is a guess."""
    return {"text": _read(_open_room(call)).context}


@serves("POST", "/api/v1/streaming-avatar/ask")
async def ask(call: Call) -> object:
    """Take a question; the answer would come over the room's own channel, never over HTTP."""
    _open_room(call)
    return {}


@serves("POST", "/api/v1/streaming-avatar/speak")
async def speak(call: Call) -> object:
    """Take a text to be said in the room."""
    _open_room(call)
    return {}


@serves("POST", "/api/v1/streaming-avatar/leave")
async def leave(call: Call) -> object:
    """Close a room and pay back the seconds not begun; once, however often it is called."""
    found = _room(call)
    room = _read(found)
    if _is_open(call.account, found):
        used = ceil((call.account.clock.now() - found.created) / 1000)
        refund = (room.seconds - used) * prices.STREAM_SECOND
        call.account.amend(found, {**found.fields, "left": True}, refund=refund)
    return {}


def _seconds(call: Call) -> int:
    seconds = call.integer("expire_seconds")
    if not 1 <= seconds <= _LONGEST:
        raise Refusal(f"expire_seconds must be within 1..{_LONGEST}")
    return seconds


def _read(room: Document) -> _Room:
    return msgspec.convert(room.fields, _Room)


def _is_open(account: Account, room: Document) -> bool:
    held = _read(room)
    return not held.left and account.clock.now() < room.created + held.seconds * 1000


def _room(call: Call) -> Document:
    channel = call.text("channel")
    for room in call.account.saved(ROOM):
        if channel == f"SANDBOX-{room.id}":
            return room
    raise Refusal("channel: no such room", status=404)


def _open_room(call: Call) -> Document:
    room = _room(call)
    if not _is_open(call.account, room):
        raise Refusal("channel: the room has ended")
    return room


async def _price(call: Call) -> float:
    return _seconds(call) * prices.STREAM_SECOND


QUOTES["/api/v1/streaming-avatar/agora-token"] = _price
