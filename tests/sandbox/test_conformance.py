"""What the sandbox answers is what its OpenAPI document says, to requests that fit the document and to others."""

import json
from collections.abc import Iterable, Iterator
from itertools import cycle

import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from a2e_async.sandbox import Sandbox, openapi, sandbox_thread
from a2e_async.sandbox.families import families

schemathesis = pytest.importorskip("schemathesis", reason="it is in the dependency group `conformance`")

from requests import Session  # noqa: E402
from schemathesis.specs.openapi import checks  # noqa: E402

# No operation documents a 500, which is how an error of the sandbox's own would show.
CHECKS = [checks.status_code_conformance, checks.content_type_conformance, checks.response_schema_conformance]
SCHEMA = schemathesis.openapi.from_dict(json.loads(json.dumps(openapi.document())))
OPERATIONS = {found.ok().label: found.ok() for found in SCHEMA.get_all_operations()}
SERVED = {name for name, operation in OPERATIONS.items() if "200" in operation.definition.raw["responses"]}
TOKEN = {"Authorization": "Bearer sk_test"}
COMMON = {
    "account": "a", "password": "p", "title": "t", "msg": "m", "text": "t", "watermark_type": "text", "key": "k",
    "bucket": "b", "urlPrefix": "p", "contentType": "a/b", "startDate": "2026-01-01", "endDate": "2026-01-31T00:00:00Z",
    "pageNum": 1, "current": 1, "pageSize": 10, "speechRate": 1, "expire_seconds": 9, "expiresIn": 60, "diamonds": 1,
    "anchor_type": 0, "web_bg_width": 9, "web_bg_height": 9, "web_people_width": 9, "web_people_height": 9,
    "number_of_images": 2, "num_speakers": 2, "max_length": 9, "fontsize": 9, "fontcolor": [0, 0, 0], "scale_ratio": 1,
    "source_lang": "en", "target_lang": "fr", "gender": "female", "alias": "a",
    "endpoint": "/api/v1/userFaceSwapTask/add", "page": 1, "page_size": 10, "prompt": "p", "negative_prompt": "n",
    "duration": 5, "duration_seconds": 5, "total_count": 4, "max_images": 2, "n": 2, "product_rect": {},
    "parameters": {}, "input": {"prompt": "p"}, "timeout": 9, "seed": 1, "seeds": 1, "input_video_seconds": 5,
    "input_video_duration": 5,
}  # fmt: skip
RIVALS = {"image_url", "custom_voice", "user_voice_id", "back_id", "custom_back_id", "webhook_url"}
"""Fields that exclude others, or want what they do not say."""
MAKERS = {
    "userVoice": ("userVoice/training", "voice_urls"),
    "video": ("video/generate", "anchor_id", "anchor_type", "audioSrc"),
    "userVideoTwin": ("userVideoTwin/startTraining", "gender", "video_url"),
    "userFaceSwapTask": ("userFaceSwapTask/add", "face_url", "video_url"),
    "userFaceSwapPreview": ("userFaceSwapPreview/add", "face_url", "video_url"),
    "userFaceSwapImage": ("userFaceSwapImage/add", "face_url"),
    "userDubbing": ("userDubbing/startDubbing", "source_url", "source_lang", "target_lang"),
    "userImage2Video": ("userImage2Video/start", "image_url"),
    "userCaptionRemoval": ("userCaptionRemoval/start", "source_url"),
    "custom_back": ("custom_back/add", "img_url"),
    "token": ("token/generate", "alias"),
    "streaming-avatar": ("streaming-avatar/agora-token", "avatar_id"),
    **{
        noun: (f"{noun}/start", *(param.name for param in family.start.params if param.required))
        for noun, family in families().items()
    },
}
"""What makes a record of a noun, and of which fields."""
NOUNS = {"video_id": "video", "user_video_twin_id": "userVideoTwin"}
"""Ids whose noun is not the one in the path."""


def few(count: int) -> settings:
    unhurried = list(HealthCheck)
    return settings(
        max_examples=count,
        phases=[Phase.generate],
        derandomize=True,
        database=None,
        suppress_health_check=unhurried,
    )


class Place:
    """A sandbox, an account that is never poor, and values that its calls take."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.url, self.account, self.http = sandbox.url, sandbox.account("sk_test"), Session()
        self.begin()
        face, clip = sandbox.face_url, sandbox.video_url
        self._values: dict[str, object] = {
            **COMMON,
            **dict.fromkeys(("face_url", "image_url", "end_image_url", "img_url", "watermark_image_url"), face),
            **dict.fromkeys(("video_backgroud_image", "video_background_image"), face),
            **dict.fromkeys(("video_url", "source_url", "media_url", "url"), clip),
            **{
                name: [clip if media == ("video",) else face] * 2 if name.endswith("s") else face
                for family in families().values()
                for name, media in family.inputs.items()
                if media != ("audio",) and name not in {"video_url", "source_url", "input"}
            },
            "requestBody": {"name": "n", "face_url": face, "video_url": clip},
            "anchor_id": self._call("GET", "anchor/character_list?type=public")[0]["_id"],
            "avatar_id": self._call("GET", "streaming-avatar/all_avatars")[0]["_id"],
            "tts_id": self._call("GET", "anchor/voice_list")[0]["children"][0]["value"],
        }
        sound = self._speak()
        self._values |= {"audioSrc": sound, "voice_urls": [sound]}

    def begin(self) -> None:
        """Begin anew with records that end well; every other one ends badly, and every third does not end at once."""
        self._names, self._spans = cycle(["fine", "fail:not fine"]), cycle([100, 100, 0])

    def values(self, path: str, fields: Iterable[str]) -> dict[str, object]:
        """Return what a call takes for as many of its fields as there is something, be it made for it."""
        found = {field: self._values[field] for field in fields if field in self._values}
        for field in {"_id", "id", "ids", "channel", *NOUNS}.intersection(fields):
            id_ = self.fresh(NOUNS.get(field, path.split("/")[3]))
            found[field] = [id_] if field == "ids" else id_
        return found

    def fresh(self, noun: str) -> str:
        """Make a record and return its id."""
        if noun == "tts":
            self._speak()
            return self._call("GET", "tts/preview/list")["data"][0]["_id"]
        self.account.advance(100)
        path, *fields = MAKERS[noun]
        name = next(self._names)
        family = families().get(noun)
        words = {param.name: param.enum[0] for param in family.start.params if param.enum} if family else {}
        body = self._values | words
        given = {field: body[field] for field in fields if field != "name"}
        made = self._call("POST", path, name=name, title=name, **given)
        if noun == "streaming-avatar":
            return made["channel"]
        self.account.advance(next(self._spans))
        return (made[0] if isinstance(made, list) else made)["_id"]

    def _speak(self) -> str:
        return self._call("POST", "video/send_tts", msg="hello", tts_id=self._values["tts_id"])

    def _call(self, method: str, path: str, **body: object):
        url = f"{self.url}/api/v1/{path}"
        return self.http.request(method, url, json=body or None, headers=TOKEN).json()["data"]


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    with sandbox_thread(clock="per-poll:5", coins=1e9) as sandbox:
        yield Place(sandbox)


def make_plausible(case, place: Place) -> None:
    """Give the fields of a request values that are not only of the right type."""
    raw, noun = case.operation.definition.raw, case.path.split("/")[3]
    place.account.advance(100)  # only one voice is trained at a time, and only two rooms are open
    if noun in MAKERS and case.method == "GET" and not case.path_parameters:
        place.fresh(noun)  # for lists to show
    for container, where in ((case.path_parameters, "path"), (case.query, "query")):
        container.update(
            place.values(case.path, [param["name"] for param in raw["parameters"] if param["in"] == where])
        )
    if "requestBody" in raw:
        schema = raw["requestBody"]["content"]["application/json"]["schema"]
        drawn = case.body if isinstance(case.body, dict) else {}
        fields = drawn | place.values(case.path, schema["properties"])
        case.body = {field: fields[field] for field in fields if field not in RIVALS or field in schema["required"]}


def succeeded(response) -> bool:
    (kind,) = response.headers["content-type"]
    return response.status_code == 200 and ("event-stream" in kind or response.json()["code"] == 0)


def exchange(case, place: Place, **headers: str):
    response = case.call(base_url=place.url, session=place.http, headers=headers)
    case.validate_response(response, checks=CHECKS)
    return response


@pytest.mark.parametrize("name", OPERATIONS)
def test_requests_that_fit_the_document(name: str, place: Place) -> None:
    successes = 0
    place.begin()

    @few(12 if name in SERVED else 2)
    @given(case=OPERATIONS[name].as_strategy(schemathesis.GenerationMode.POSITIVE), plausible=st.booleans())
    def ask(case, plausible: bool) -> None:
        nonlocal successes
        if plausible and name in SERVED:
            make_plausible(case, place)
        successes += succeeded(exchange(case, place, **TOKEN))

    ask()
    assert (successes > 0) == (name in SERVED)


# Of an operation that takes nothing, not even a token, nothing can be wrong.
@pytest.mark.parametrize("name", sorted(OPERATIONS.keys() - {"POST /api/v1/custom_back/randomBackground"}))
def test_requests_that_do_not_fit_the_document(name: str, place: Place) -> None:
    @few(12 if name in SERVED else 2)
    @given(case=OPERATIONS[name].as_strategy(schemathesis.GenerationMode.NEGATIVE))
    def ask(case) -> None:
        assume(len(str(case.query)) < 1000)  # aiohttp itself refuses longer lines, in its own words
        exchange(case, place)

    ask()
