"""Has a sandbox answer what the service was asked, after making there what the request is about."""

import re
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from itertools import count
from pathlib import PurePosixPath
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlencode

import aiohttp
import msgspec

from a2e_async._endpoint import Endpoint
from a2e_async._wire import blueprint
from a2e_async.cli._least import least
from a2e_async.cli._recording import Recording
from a2e_async.cli._shape import JSON, refusal, walk, words
from a2e_async.groups import declared, endpoints
from a2e_async.groups.avatar_videos import AvatarVideos
from a2e_async.groups.streaming import Streaming
from a2e_async.groups.voices import Voices
from a2e_async.sandbox import Account, Sandbox
from a2e_async.tasks import WORDS, TaskState

_ID = re.compile(r"\b[0-9a-fA-F]{24}\b")
_IMAGE = re.compile(r"\.(jpe?g|png|webp|gif|bmp)\b|face|image|img|cover|pic", re.IGNORECASE)
_AUDIO = re.compile(r"\.(mp3|wav|m4a|aac|ogg)\b|audio|voice", re.IGNORECASE)
_FAILS = "fail:no face was found"
_LATER, _SOON = 4000.0, 3.0
"""Seconds after which every task has ended, and after which a new one is being processed."""
_STARTS = {one.noun: one for one in endpoints() if one.name in {"start", "add"}}
_GIVEN = {"name": "n", "alias": "n", "gender": "female", "source_lang": "en", "target_lang": "fr", "anchor_type": 0}
"""What is sent to make a record, besides media."""


class Reply(NamedTuple):
    """What the sandbox answered."""

    status: int
    answer: bytes


class Stage:
    """A sandbox in which each recording has an account of its own."""

    def __init__(self, sandbox: Sandbox, http: aiohttp.ClientSession) -> None:
        self._sandbox, self._http = sandbox, http
        self._numbers = count(1)

    async def rehearse(self, recording: Recording, live: JSON) -> Reply:
        """Ask the sandbox the same: media are its samples, ids those of records made to be as the live ones are.

        What the service refused for a reason that is not found so is asked for once more without coins and records.
        """
        if recording.status == 401:
            return await self._role(coins=0, key="sk_invalid").play(recording)
        refused = recording.status >= 400 or refusal(live)
        if recording.status != 404:
            role = self._role(coins=1e9)
            await role.prepare(recording, {word for _, word in words(live)}, refused=refused)
            reply = await role.play(recording)
            if not refused or reply.status >= 400:
                return reply
        return await self._role(coins=0).play(recording)

    def _role(self, *, coins: float, key: str = "") -> "_Role":
        known = f"sk_doctor{next(self._numbers)}"
        account = self._sandbox.account(known, coins=coins, clock="stepped")
        return _Role(self._sandbox, self._http, account, key or known)


@asynccontextmanager
async def stage() -> AsyncGenerator[Stage]:
    """Open a sandbox that nothing leaves."""
    async with Sandbox(clock="stepped") as sandbox, aiohttp.ClientSession(sandbox.url) as http:
        yield Stage(sandbox, http)


class _Role:
    """An account that stands in for the live one."""

    def __init__(self, sandbox: Sandbox, http: aiohttp.ClientSession, account: Account, key: str) -> None:
        self._sandbox, self._http, self._account, self._key = sandbox, http, account, key
        self._ids: list[str] = []
        self._learnt: dict[str, str] = {}

    async def prepare(self, recording: Recording, seen: Iterable[str], *, refused: bool) -> None:
        """Make the records that a request is about, in the states in which the live ones were."""
        endpoint = declared(recording.method, recording.path)
        start = _STARTS.get(endpoint.noun) if endpoint else None
        needed = _required(start) if start else []
        await self._learn(f"{recording.query} {recording.sent.decode(errors='replace')} {' '.join(needed)}")
        if endpoint is None or start is None or start is endpoint:
            return
        states = {WORDS.get(word.strip().casefold(), TaskState.RUNNING) for word in seen} or {TaskState.DONE}
        if endpoint.paid:  # it makes something new of what has ended, and a retry of what has failed
            states = {TaskState.FAILED if "retry" in endpoint.path and not refused else TaskState.DONE}
        for state, after in (
            (TaskState.DONE, 0.0),
            (TaskState.FAILED, _LATER),
            (TaskState.RUNNING, _SOON),
            (TaskState.QUEUED, 0.0),
        ):
            if state in states:
                await self._make(start, _FAILS if state is TaskState.FAILED else "n")
            self._account.advance(after)

    async def play(self, recording: Recording) -> Reply:
        """Send the request, with what was prepared in the place of what the service knows."""
        path = _ID.sub(lambda found: self._ids[0] if self._ids else found[0], recording.path)
        query = [
            (name, str(self._put(name, value))) for name, value in parse_qsl(recording.query, keep_blank_values=True)
        ]
        try:
            sent = self._put("", msgspec.json.decode(recording.sent)) if recording.sent else None
        except (msgspec.DecodeError, RecursionError):
            sent = None  # a form, such as the service takes nowhere
        body = None if sent is None else msgspec.json.encode(sent)
        return await self._ask(recording.method, f"{path}?{urlencode(query)}" if query else path, body)

    async def _learn(self, asked: str) -> None:
        """Find out what the sandbox calls things, as far as the request names them."""
        if "avatar_id" in asked or "channel" in asked:
            self._learnt["avatar_id"] = (await self._data(Streaming.avatars))[0]["_id"]
        if "channel" in asked:
            room = await self._data(Streaming.enter, avatar_id=self._learnt["avatar_id"])
            self._learnt["channel"] = room["channel"]
        if "anchor_id" in asked:
            self._learnt["anchor_id"] = (await self._data(AvatarVideos.characters))[0]["_id"]
        if "tts_id" in asked or _AUDIO.search(asked):
            self._learnt["tts_id"] = (await self._data(Voices.public))[0]["children"][0]["value"]
            self._learnt["audio"] = await self._data(Voices.speak, msg="Hello", tts_id=self._learnt["tts_id"])

    async def _make(self, start: Endpoint[..., Any], name: str) -> None:
        media = {"picture": self._sandbox.face_url, "video": self._sandbox.video_url, "audio": self._sample("audio")}
        names = {"name": name, "title": name}
        values = least(start.request, media, _GIVEN | {"audioSrc": media["audio"]} | self._learnt | names)
        values |= {one: name for one, wire in blueprint(start.request).names.items() if wire in names}
        path, body = start.target(start.request(**values))
        made = _data(await self._ask(start.method, path, body))
        self._ids += [one for where, one in walk(made) if where in {"_id", "[]._id"} and isinstance(one, str)][:1]

    async def _data(self, endpoint: Endpoint[..., Any], **body: object) -> Any:
        return _data(await self._ask(endpoint.method, endpoint.path, msgspec.json.encode(body) if body else None))

    async def _ask(self, method: str, path: str, body: bytes | None) -> Reply:
        headers = {"Authorization": f"Bearer {self._key}"} | ({"Content-Type": "application/json"} if body else {})
        async with self._http.request(method, path, data=body, headers=headers, allow_redirects=False) as response:
            return Reply(response.status, await response.read())

    def _put(self, name: str, value: JSON) -> JSON:
        """Return a value of the request as the sandbox can make sense of it."""
        match value:
            case dict():
                return {key: self._put(key, one) for key, one in value.items()}
            case list() if value and all(isinstance(one, str) and _ID.fullmatch(one) for one in value):
                return [*self._ids] or value
            case list():
                return [self._put(name, one) for one in value]
            case str():
                return self._text(name, value)
            case _:
                return value

    def _text(self, name: str, value: str) -> str:
        if name in self._learnt:
            return self._learnt[name]
        if value.startswith(("http://", "https://")):
            return self._sample(PurePosixPath(re.split("[?#]", value)[0]).suffix or name)
        return self._ids[0] if self._ids and _ID.fullmatch(value) else value

    def _sample(self, hint: str) -> str:
        """Return the URL of a sample that may stand for the one that a URL or a name hints at."""
        if _AUDIO.search(hint) and "audio" in self._learnt:
            return self._learnt["audio"]
        return self._sandbox.face_url if _IMAGE.search(hint) else self._sandbox.video_url


def _data(reply: Reply) -> Any:
    return msgspec.json.decode(reply.answer).get("data")


def _required(start: Endpoint[..., Any]) -> list[str]:
    return [field.encode_name for field in msgspec.structs.fields(start.request) if field.required]
