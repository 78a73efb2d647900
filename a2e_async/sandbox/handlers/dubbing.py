"""Dubbing: a video or a recording, spoken over."""

from pathlib import Path

from a2e_async.sandbox import prices
from a2e_async.sandbox.account import Draft
from a2e_async.sandbox.call import Call
from a2e_async.sandbox.kinds import QUOTES, Kind, begin, fate, generic, task_group
from a2e_async.sandbox.life import USUAL, Task
from a2e_async.sandbox.media_more import render_dubbing
from a2e_async.sandbox.results import RENDERERS, How
from a2e_async.sandbox.routing import serves
from a2e_async.sandbox.speech import synthesize
from a2e_async.sandbox.wire import Refusal

DUBBING = "userDubbing"
_START = f"/api/v1/{DUBBING}/startDubbing"
_REPEATED = ("name", "source_url", "source_lang", "target_lang", "num_speakers", "drop_background_audio")


@serves("POST", _START)
async def start(call: Call) -> object:
    """Start a dubbing and charge for it."""
    failure = fate(call.text("name"))
    if call.integer("num_speakers", 1) < 1:
        raise Refusal("num_speakers must be at least 1")
    source = await call.input("source_url", "video", "audio")
    draft = Draft(
        noun=DUBBING,
        coins=await _price(call),
        span=USUAL,
        fields={name: call.args[name] for name in _REPEATED},
        inputs=(str(source.path),),
        suffix="mp4",
        failure=failure,
    )
    [task] = begin(call, generic, draft)
    return generic(call, task)


async def _price(call: Call) -> float:
    seconds = (await call.input("source_url", "video", "audio")).kind.seconds
    return call.account.cost(DUBBING, prices.dubbing(seconds))


def _render(task: Task, out: Path) -> How:
    [source] = task.input_files()
    spoken, fields = out.with_suffix(".wav"), task.wire_fields()
    try:
        text = f"This is a sandbox. Nothing was dubbed from {fields['source_lang']} to {fields['target_lang']}."
        synthesize(text, spoken)
        return render_dubbing(source, out, task.id, audio=spoken)
    finally:
        spoken.unlink(missing_ok=True)


QUOTES[_START] = _price
RENDERERS[DUBBING] = _render
task_group(Kind(DUBBING, generic, generic), listing="allRecords", running="allProcessing", batch=False, limit=None)
