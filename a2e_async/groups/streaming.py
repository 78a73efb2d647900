"""Streaming avatars: a room with an avatar that listens and speaks. Contract 3.12."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from math import inf
from typing import Annotated

from msgspec import Meta, field

from a2e_async._answer import Record, many, nothing, one, plain
from a2e_async._endpoint import Group, Permit, get, post
from a2e_async._surely import see_out, surely
from a2e_async._wire import Nothing, Reply, Request

LEAVING = 15.0
"""Seconds that leaving a room may take, and learning which one it is for whoever is cancelled while entering."""


class StreamingAvatar(Record):
    """An avatar that can be met in a room."""

    name: str = ""
    """Name of the avatar."""


class EnterRoom(Request):
    """An avatar to meet, and for how long. Charged in advance; the rest is refunded on leaving."""

    avatar_id: str
    """An ``id`` of `Streaming.avatars`."""
    expire_seconds: Annotated[int, Meta(ge=1)] | None = None
    """Length of the session; a client of the service sends 60."""


class RoomToken(Reply):
    """The key to a room of the vendor's RTC service (Agora), through which sound, picture and answers come."""

    channel: str
    """Name of the room."""
    app_id: str = field(default="", name="appId")
    """The vendor's application id at the RTC service."""
    token: str = ""
    """Key with which an RTC client joins."""
    uid: int | None = None
    """Number under which it joins."""
    expires_at: int | None = field(default=None, name="expire_epoch_timestamp")
    """Seconds since 1970."""


class ToRoom(Request):
    """Something said in a room."""

    channel: str
    """Name of the room."""
    text: Annotated[str, Meta(min_length=1)]
    """What is said."""


class SetContext(Request):
    """What the avatar is to know when it is asked."""

    channel: str
    """Name of the room."""
    text: Annotated[str, Meta(max_length=5000)]
    """At most 5000 characters."""


class ByChannel(Request):
    """One room."""

    channel: str
    """Name of the room."""


class Room:
    """An open room. Answers to `ask` come over the vendor's RTC channel, which is not part of this package."""

    def __init__(self, streaming: "Streaming", token: RoomToken) -> None:
        self._streaming = streaming
        self.token = token
        """What an RTC client needs to join."""

    async def ask(self, text: str) -> None:
        """Ask the avatar; it answers over the RTC channel."""
        await self._streaming.ask(channel=self.token.channel, text=text)

    async def speak(self, text: str) -> None:
        """Have the avatar say this."""
        await self._streaming.speak(channel=self.token.channel, text=text)

    async def set_context(self, text: str) -> None:
        """Tell the avatar what to know; at most 5000 characters."""
        await self._streaming.set_context(channel=self.token.channel, text=text)


class Streaming(Group):
    """Avatars that listen and speak. Rooms cost coins until they are left."""

    noun = "streaming"

    avatars = get("/streaming-avatar/all_avatars", Nothing, many(StreamingAvatar))
    """Avatars to meet."""

    enter = post("/streaming-avatar/agora-token", EnterRoom, one(RoomToken), paid=True)
    """Open a room. Spends coins in advance; `room` also sees to leaving."""

    set_context = post("/streaming-avatar/set-qa-context", SetContext, nothing(), safe=True)
    """Tell the avatar what to know."""

    context = get("/streaming-avatar/get-qa-context", ByChannel, plain(), provisional=True)
    """What the avatar was told; the row's path was never public."""

    ask = post("/streaming-avatar/ask", ToRoom, nothing())
    """Ask the avatar; the answer comes over the RTC channel."""

    speak = post("/streaming-avatar/speak", ToRoom, nothing())
    """Have the avatar say this."""

    leave = post("/streaming-avatar/leave", ByChannel, nothing(), safe=True)
    """Leave a room; unused time is refunded."""

    @asynccontextmanager
    async def room(self, avatar_id: str, expire_seconds: int | None = None) -> AsyncGenerator[Room]:
        """Open a room and leave it in any case, also on an error or when cancelled: forgetting it costs coins."""
        token = await self._surely_enter(EnterRoom(avatar_id=avatar_id, expire_seconds=expire_seconds))
        try:
            yield Room(self, token)
        finally:
            await surely(self._leave(token.channel))

    async def _surely_enter(self, request: EnterRoom) -> RoomToken:
        permit = Permit()
        entering = asyncio.ensure_future(self.caller.call(Streaming.enter, request, permit))
        try:
            await asyncio.wait([entering])  # a shield would report to the loop what nobody waits for any more
            return entering.result()
        except asyncio.CancelledError as error:
            # Only the answer tells which room is to be left.
            permit.until = -inf  # nothing is sent any more
            cancelled = await see_out(entering, LEAVING if permit.left else 0.0, error)
            if not entering.cancelled() and entering.exception() is None:
                await surely(self._leave(entering.result().channel))
            raise cancelled from None

    async def _leave(self, channel: str) -> None:
        limit = asyncio.timeout(LEAVING)
        try:
            async with limit:
                await self.leave(channel=channel)
        except TimeoutError as error:
            if not limit.expired():
                raise
            text = f"room {channel} could not be left within {LEAVING:g} s: it costs coins until it expires."
            raise TimeoutError(text) from error
