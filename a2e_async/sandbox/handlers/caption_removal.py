"""Caption removal: the lower edge of a video, blurred."""

from pathlib import Path

from a2e_async.sandbox import prices
from a2e_async.sandbox.account import Draft
from a2e_async.sandbox.call import Call
from a2e_async.sandbox.kinds import QUOTES, Kind, begin, existing, fate, generic, task_group
from a2e_async.sandbox.life import USUAL, Task
from a2e_async.sandbox.media_more import render_uncaptioned
from a2e_async.sandbox.results import RENDERERS, How
from a2e_async.sandbox.routing import serves
from a2e_async.sandbox.wire import Refusal

REMOVAL = "userCaptionRemoval"
_START = f"/api/v1/{REMOVAL}/start"


@serves("POST", _START)
async def start(call: Call) -> object:
    """Start a removal and charge for it."""
    failure = fate(call.text("name"))
    source = await call.input("source_url", "video")
    draft = Draft(
        noun=REMOVAL,
        coins=prices.caption_removal(source.kind.seconds),
        span=USUAL,
        fields={"name": call.text("name"), "source_url": call.text("source_url")},
        inputs=(str(source.path),),
        suffix="mp4",
        failure=failure,
    )
    [task] = begin(call, generic, draft)
    return generic(call, task)


@serves("POST", f"/api/v1/{REMOVAL}/retry", more=("_id",))
async def retry(call: Call) -> object:
    """Run a failed removal anew for its price; that the body is an id is a guess."""
    task = existing(call, REMOVAL)
    state = task.state(call.account.clock.now())
    if state != "failed":
        raise Refusal(f"_id: this task is {state}, not failed")
    return generic(call, call.account.restart(task, task.coins, USUAL))


async def _price(call: Call) -> float:
    seconds = (await call.input("source_url", "video")).kind.seconds
    return call.account.cost(REMOVAL, prices.caption_removal(seconds))


def _render(task: Task, out: Path) -> How:
    [source] = task.input_files()
    return render_uncaptioned(source, out, task.id)


QUOTES[_START] = _price
RENDERERS[REMOVAL] = _render
task_group(Kind(REMOVAL, generic, generic), listing="allRecords", running="allProcessing", limit=None)
