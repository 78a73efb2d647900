"""What the sandbox answers to every endpoint: queued, ended and refused, as bytes."""

import asyncio
from collections import defaultdict
from typing import Any, NamedTuple

import aiohttp
import msgspec

from a2e_async._endpoint import Endpoint
from a2e_async.cli._least import least
from a2e_async.groups import endpoints
from a2e_async.groups.avatar_videos import AvatarVideos
from a2e_async.groups.streaming import Streaming
from a2e_async.groups.voices import Voices
from a2e_async.sandbox import Sandbox

KEY = "sk_recorder"
_FIRST = {"start", "add"}
_LAST = ("remove", "leave")
_TEXTS = {
    "name": "clip", "title": "clip", "gender": "female", "source_lang": "en", "target_lang": "fr",
    "prompt": "a smile", "text": "Hello", "msg": "Hello there.", "account": "me",
    "password": "secret", "alias": "mine", "key": "a.jpg", "username": "me", "watermark_type": "text",
    "endpoint": "/api/v1/userFaceSwapTask/add",
}  # fmt: skip


class Recorded(NamedTuple):
    endpoint: Endpoint[..., Any]
    path: str
    sent: bytes | None
    status: int
    body: bytes

    @property
    def good(self) -> bool:
        return msgspec.json.decode(self.body)["code"] == 0


def recorded() -> list[Recorded]:
    """Ask a sandbox all there is to ask."""
    return asyncio.run(_record())


async def _record() -> list[Recorded]:
    async with (
        Sandbox(clock="stepped", coins=1e6) as sandbox,
        aiohttp.ClientSession(sandbox.url, headers={"Authorization": f"Bearer {KEY}"}) as http,
    ):
        recorder = _Recorder(sandbox, http)
        await recorder.prepare()
        last = [endpoint for endpoint in endpoints() if endpoint.name.startswith(_LAST)]
        rest = [endpoint for endpoint in endpoints() if endpoint not in last]
        for endpoint in rest:
            await recorder.ask(endpoint)
        sandbox.account(KEY).advance(4000)
        for endpoint in [endpoint for endpoint in rest if endpoint.name not in _FIRST] + last:
            await recorder.ask(endpoint)
        for endpoint in last:  # once more, when it is gone
            await recorder.ask(endpoint)
        return recorder.found


class _Recorder:
    def __init__(self, sandbox: Sandbox, http: aiohttp.ClientSession) -> None:
        self._http = http
        self.found: list[Recorded] = []
        face, video = sandbox.face_url, sandbox.video_url
        body = {"name": "n", "face_url": face, "video_url": video}
        pictures = dict.fromkeys(("face_url", "image_url", "img_url", "end_image_url", "url"), face)
        videos = dict.fromkeys(("video_url", "source_url", "media_url"), video)
        more = {"requestBody": body, "diamonds": 1, "number_of_images": 2, "anchor_type": 0, "isAutoToPublicPool": True}
        self._given: dict[str, Any] = _TEXTS | pictures | videos | more
        self._ids: defaultdict[str, str] = defaultdict(lambda: "f" * 24)
        self._media = {"picture": face, "video": video}

    async def prepare(self) -> None:
        """Learn what other requests need."""
        [family, *_] = await self.ask(Voices.public)
        self._given["tts_id"] = family["children"][0]["value"]
        speech = await self.ask(Voices.speak)
        self._given |= {"audioSrc": speech, "voice_urls": [speech]}
        self._media["audio"] = speech
        self._given["anchor_id"] = (await self.ask(AvatarVideos.characters))[0]["_id"]
        self._given["avatar_id"] = (await self.ask(Streaming.avatars))[0]["_id"]
        self._given["channel"] = (await self.ask(Streaming.enter))["channel"]

    async def ask(self, endpoint: Endpoint[..., Any]) -> Any:
        """Send one request with all that is required of it, and return the data of the answer."""
        noun = endpoint.noun
        mine = self._ids[noun]
        given = self._given | {
            "ids": [mine, "e" * 24],
            **dict.fromkeys(("_id", "id", "video_id", "reference_id"), mine),
        }
        values = least(endpoint.request, self._media, given)
        if endpoint.name.startswith("watermark"):
            values["text"] = "mine"
        path, body = endpoint.target(endpoint.request(**values))
        async with self._http.request(endpoint.method, path, data=body, headers=_JSON) as response:
            raw = await response.read()
        self.found.append(Recorded(endpoint, path, body, response.status, raw))
        data = msgspec.json.decode(raw).get("data")
        first = data[0] if isinstance(data, list) and data else data
        if endpoint.name in _FIRST and isinstance(first, dict) and "_id" in first:
            self._ids[noun] = first["_id"]
        return data


_JSON = {"Content-Type": "application/json"}
