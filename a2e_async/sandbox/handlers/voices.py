"""Public voices, cloned voices, and speech made with either."""

from functools import cache
from itertools import chain, cycle
from pathlib import Path
from uuid import uuid4

import anyio.to_thread
import msgspec
from msgspec.structs import asdict

from a2e_async.sandbox import prices
from a2e_async.sandbox.account import Draft
from a2e_async.sandbox.call import Call
from a2e_async.sandbox.draws import digest
from a2e_async.sandbox.kinds import QUOTES, Paging, begin, document_row, existing, fate, page_of, polled
from a2e_async.sandbox.life import Task
from a2e_async.sandbox.routing import serves
from a2e_async.sandbox.speech import likely_seconds, seconds_of, synthesize
from a2e_async.sandbox.wire import REFUSED, Refusal, iso

VOICE, SPEECH = "userVoice", "ttsPreview"
_TRAINING = 30.0, 70.0
"""Shortest and longest training in seconds; the service says about a minute."""
_MESSAGE_LIMIT = 1000
_DAY = 24 * 3600 * 1000
_WORDS = {"initialized": "sent", "pending": "pendding"}
_LOCALES = ("en-US", "en-GB", "zh-CN", "es-ES", "fr-FR", "de-DE", "ja-JP", "pt-BR")
_NAMES = {
    "female": "Ada Bea Cleo Dana Elif Faye Gina Hana Iris Jade Kira Luna",
    "male": "Amir Boris Carl Dean Emil Finn Gus Hugo Ivan Joel Kurt Leon",
}
_RATES = (1.0, 1.0, 2.0, 5.0)


class _PublicVoice(msgspec.Struct, frozen=True):
    value: str
    label: str
    ttsRate: float  # noqa: N815 - its name on the wire
    language: str


@serves("GET", "/api/v1/anchor/voice_list")
async def voice_list(call: Call) -> object:
    """Return the voices of a locale by gender; none for a locale without voices."""
    locale = f"{call.text('country')}-{call.text('region')}".lower()
    return [
        {
            "value": gender,
            "label": gender.capitalize(),
            "children": [voice for voice in voices if voice.language.lower() == locale],
        }
        for gender, voices in _public().items()
    ]


@serves("POST", "/api/v1/anchor/tts_list")
async def tts_list(_call: Call) -> object:
    """Return the voices of all locales as one list; its fields are a guess."""
    return [{**asdict(voice), "gender": gender} for gender, voices in _public().items() for voice in voices]


@serves("POST", "/api/v1/userVoice/training")
async def train(call: Call) -> object:
    """Start the cloning of a voice and charge for it; one at a time."""
    name, urls = call.text("name"), call.value("voice_urls", list[str])
    failure = fate(name)
    if not urls:
        raise Refusal("voice_urls must hold at least one URL")
    await call.inputs("voice_urls", urls, "audio")
    coins = await _training_price(call)
    if call.account.busy(VOICE):
        raise Refusal("a voice is in training: wait until it has ended", status=403, code=REFUSED)
    fields: dict[str, object] = {
        "name": name,
        "voice_urls": urls,
        "gender": call.text("gender"),
        "model": call.text("model"),
        "language": _language(call),
        "denoise": call.args.get("denoise", False),
        "enhance_voice_similarity": call.args.get("enhance_voice_similarity", False),
    }
    draft = Draft(
        noun=VOICE,
        coins=coins,
        span=_TRAINING,
        fields=fields,
        inputs=(),
        suffix="wav",
        failure=failure,
    )
    [task] = begin(call, _row, draft)
    return _row(call, task)


@serves("GET", "/api/v1/userVoice/completedRecord")
async def completed(call: Call) -> object:
    """Return the finished clones, newest first."""
    return [row for row in _rows(call) if row["current_status"] == "completed"]


@serves("GET", "/api/v1/userVoice/trainingRecord")
async def records(call: Call) -> object:
    """Return the clones in every state, newest first, whatever the name of the row says."""
    return _rows(call)


@serves("GET", "/api/v1/userVoice/{_id}")
async def detail(call: Call) -> object:
    """Return one clone."""
    return _row(call, polled(call, VOICE))


@serves("PUT", "/api/v1/userVoice/{_id}")
async def rename(call: Call) -> object:
    """Give a clone another name."""
    task = existing(call, VOICE)
    call.account.amend(task, {**task.wire_fields(), "name": call.text("name")})
    return {}


@serves("DELETE", "/api/v1/userVoice/{_id}")
async def remove(call: Call) -> object:
    """Delete a clone."""
    call.account.remove(existing(call, VOICE))
    return {}


@serves("POST", "/api/v1/video/send_tts")
async def send_tts(call: Call) -> object:
    """Speak a text at once; the answer is nothing but the URL of the sound."""
    ttsrate, text, speed = _speech_wish(call)
    objects = call.services.objects
    part = objects.scratch(".wav")
    try:
        seconds = await anyio.to_thread.run_sync(_speak, text, part, speed)
        path = f"/cdn/7days-tos/tts/user/{call.account.user_id}/SANDBOX-{uuid4().hex}.wav"
        url = str(call.base.with_path(path))
        fields: dict[str, object] = {
            "msg": text,
            "url": url,
            "tts_id": call.text("tts_id"),
            "user_voice_id": call.text("user_voice_id"),
            "speechRate": speed,
            "duration": seconds,
        }
        call.account.save(SPEECH, fields, coins=prices.speech(ttsrate, seconds))
        objects.keep(path, part, "audio/wav")
    finally:
        part.unlink(missing_ok=True)
    return url


@serves("GET", "/api/v1/tts/preview/list")
async def speeches(call: Call) -> object:
    """Return one page of the speech of the last 24 hours; its shape follows awsList, which pages alike."""
    number, size = page_of(call, Paging(number="current"))
    since = call.account.clock.now() - _DAY
    rows = [document_row(saved) for saved in call.account.saved(SPEECH) if saved.created > since]
    return {"data": rows[(number - 1) * size : number * size], "total": len(rows)}


@serves("DELETE", "/api/v1/tts/preview/{id}")
async def remove_speech(call: Call) -> object:
    """Take speech off the list; its sound stays."""
    if not call.account.discard(SPEECH, call.id("id")):
        raise Refusal("no such output", status=404)
    return {}


@cache
def _public() -> dict[str, list[_PublicVoice]]:
    return {
        gender: [
            _PublicVoice(digest("voice", locale, name)[:24], name, rate, locale)
            for locale in _LOCALES
            for name, rate in zip(names.split(), cycle(_RATES), strict=False)
        ]
        for gender, names in _NAMES.items()
    }


def _language(call: Call) -> str:
    [param] = [param for param in call.row.params if param.name == "language"]
    given = call.text("language")
    # The contract's default is a sentence: the x-lang header stands in for a missing language.
    return call.lang if given in {"", param.default} else given


def _rows(call: Call) -> list[dict[str, object]]:
    call.account.polled()
    tasks, _ = call.account.page(VOICE, 1, -1)
    return [_row(call, task) for task in tasks]


def _row(call: Call, task: Task) -> dict[str, object]:
    now, fields = call.account.clock.now(), task.wire_fields()
    state = task.state(now)
    return {
        "_id": task.id,
        **fields,
        "lang": str(fields["language"]).partition("-")[0],
        "current_status": _WORDS.get(state, state),
        "speaker_id": f"a2e-voice-{task.id}" if state == "completed" else "",
        "coins": task.coins,
        "ttsRate": prices.VOICE_RATES[str(fields["model"])],
        "hasRefundCoin": state == "failed",
        "user_id": call.account.user_id,
        "createdAt": iso(task.created),
        "updatedAt": iso(task.changed(now)),
    }


def _speech_wish(call: Call) -> tuple[float, str, float]:
    """Return what ten seconds cost, the text and the speed, or Refusal."""
    text, speed = call.text("msg"), call.value("speechRate", float)
    if not text.strip() or len(text) > _MESSAGE_LIMIT:
        raise Refusal(f"msg must have 1 to {_MESSAGE_LIMIT} characters")
    if not 0.5 <= speed <= 2:
        raise Refusal("speechRate must be within 0.5..2")
    given = [name for name in ("tts_id", "user_voice_id") if call.text(name)]
    if len(given) != 1:
        raise Refusal("give either tts_id or user_voice_id")
    rate = _public_rate(call) if given == ["tts_id"] else _own_rate(call)
    return rate, text, speed


def _public_rate(call: Call) -> float:
    wanted = call.id("tts_id")
    for voice in chain.from_iterable(_public().values()):
        if voice.value == wanted:
            return voice.ttsRate
    raise Refusal("tts_id: no such voice; voice_list shows them")


def _own_rate(call: Call) -> float:
    found = call.account.find(VOICE, call.id("user_voice_id"))
    if not found:
        raise Refusal("user_voice_id: no such voice")
    voice = _row(call, found[0])
    if voice["current_status"] != "completed":
        raise Refusal(f"user_voice_id: the voice is {voice['current_status']}")
    return prices.VOICE_RATES[str(voice["model"])]


def _speak(text: str, out: Path, speed: float) -> float:
    synthesize(text, out, rate=speed)
    return seconds_of(out)


async def _training_price(call: Call) -> float:
    return call.account.cost(VOICE, prices.VOICE_TRAINING[call.text("model", "a2e")])


async def _speech_price(call: Call) -> float:
    rate, text, speed = _speech_wish(call)
    return prices.speech(rate, likely_seconds(text, speed))


QUOTES["/api/v1/userVoice/training"] = _training_price
QUOTES["/api/v1/video/send_tts"] = _speech_price
