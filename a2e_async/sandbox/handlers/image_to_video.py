"""Image to video: a picture, slowly enlarged; and longer prompts for it."""

from pathlib import Path

from aiohttp import web

from a2e_async.sandbox import prices
from a2e_async.sandbox.account import Draft
from a2e_async.sandbox.call import Call
from a2e_async.sandbox.kinds import QUOTES, Kind, begin, existing, fate, generic, task_group
from a2e_async.sandbox.life import USUAL, Task
from a2e_async.sandbox.media_more import render_still
from a2e_async.sandbox.results import RENDERERS, How
from a2e_async.sandbox.routing import serves
from a2e_async.sandbox.wire import Refusal, to_text

VIDEO = "userImage2Video"
_PATH = f"/api/v1/{VIDEO}"
_MOST = 8
_TEXTS = ("name", "image_url", "prompt", "end_image_url", "lora")
_EXTENSION = " [SANDBOX extension: no model wrote this, the sandbox only repeats your prompt]"


@serves("POST", f"{_PATH}/start", more=("negative_prmpt",))
async def start(call: Call) -> object:
    """Start one video or, all or none, several of the same picture; several are answered as an array."""
    failure = fate(call.text("name"))
    count, seconds = _count(call), call.integer("video_time", 5)
    draft = Draft(
        noun=VIDEO,
        coins=prices.image_to_video(seconds),
        span=USUAL,
        fields=_fields(call, seconds),
        inputs=await _inputs(call),
        suffix="mp4",
        failure=failure,
    )
    tasks = [generic(call, task) for task in begin(call, generic, *[draft] * count)]
    return tasks if count > 1 else tasks[0]


@serves("GET", f"{_PATH}/avgProcessingTime")
async def average_time(_call: Call) -> object:
    """Return how long videos take; the name of the field is a guess."""
    return {"avgProcessingTime": sum(USUAL) / 2}


@serves("GET", f"{_PATH}/unlimitedQueueLevel")
async def queue_level(_call: Call) -> object:
    """Return the first level of the queue; the name of the field is a guess."""
    return {"level": 0}


@serves("POST", f"{_PATH}/{{_id}}/markShared")
@serves("POST", f"{_PATH}/{{_id}}/markDownloaded")
@serves("POST", f"{_PATH}/{{_id}}/markCopied")
async def mark(call: Call) -> object:
    """Note what became of a video, which nothing shows."""
    existing(call, VIDEO)
    return {}


@serves("POST", f"{_PATH}/prompt_extension", optional=("negative_prompt",))
@serves("POST", f"{_PATH}/flf2v_prompt_extension", optional=("negative_prompt",))
async def extend(call: Call) -> object:
    """Return a longer prompt, whole or as an event stream; the names of its fields are guesses."""
    await call.input("image_url", "image")
    if "end_image_url" in call.args:
        await call.input("end_image_url", "image")
    longest = call.integer("max_length", len(call.text("prompt")) + len(_EXTENSION))
    if longest < 1:
        raise Refusal("max_length must be at least 1")
    text = (call.text("prompt") + _EXTENSION)[:longest]
    whole = {"prompt": text, "negative_prompt": call.text("negative_prompt")}
    return _stream(text, whole) if call.args.get("stream") else whole


def _count(call: Call) -> int:
    count = call.integer("number_of_images", 1)
    if not 1 <= count <= _MOST:
        raise Refusal(f"number_of_images must be within 1..{_MOST}")
    return count


async def _price(call: Call) -> float:
    usual = prices.image_to_video(call.integer("video_time", 5))
    return _count(call) * call.account.cost(VIDEO, usual)


async def _inputs(call: Call) -> tuple[str, ...]:
    names = ["image_url"]
    if call.text("model_type") == "FLF2V":
        if not call.text("end_image_url"):
            raise Refusal("end_image_url is required when model_type is FLF2V")
        names.append("end_image_url")
    return tuple([str((await call.input(name, "image")).path) for name in names])


def _fields(call: Call, seconds: int) -> dict[str, object]:
    fields: dict[str, object] = {name: call.text(name) for name in _TEXTS}
    negative = call.text("negative_prompt") or call.text("negative_prmpt")
    version = call.text("model_version")
    return {
        **fields,
        "negative_prompt": negative,
        "model_type": call.text("model_type"),
        # The contract's default is a sentence.
        "model_version": version if " " not in version else "a2e",
        "video_time": seconds,
    }


def _stream(text: str, whole: dict[str, str]) -> web.Response:
    words = text.split(" ")
    pieces = [word if at == 0 else f" {word}" for at, word in enumerate(words)]
    events = [("delta", {"text": piece}) for piece in pieces] + [("result", whole), ("done", {})]
    body = "".join(f"event: {name}\ndata: {to_text(data)}\n\n" for name, data in events)
    return web.Response(text=body, content_type="text/event-stream")


def _render(task: Task, out: Path) -> How:
    return render_still(task.input_files()[0], out, task.id, seconds=int(str(task.wire_fields()["video_time"])))


QUOTES[f"{_PATH}/start"] = _price
RENDERERS[VIDEO] = _render
task_group(Kind(VIDEO, generic, generic), listing="allRecords")
