"""Avatars from a video or a picture: training, further training, the voice of one."""

from pathlib import Path

from a2e_async.sandbox import prices
from a2e_async.sandbox.account import Draft
from a2e_async.sandbox.anchors import LIP_SYNC, TWIN, TWIN_ID, anchor_of
from a2e_async.sandbox.call import Call
from a2e_async.sandbox.kinds import QUOTES, Kind, existing, fate, generic, task_group
from a2e_async.sandbox.life import USUAL, Task
from a2e_async.sandbox.media_more import render_dubbing, render_still
from a2e_async.sandbox.results import RENDERERS, How
from a2e_async.sandbox.routing import serves
from a2e_async.sandbox.sniff import sniff
from a2e_async.sandbox.wire import Refusal

VOICE = "userVoice"
_START, _CONTINUE = f"/api/v1/{TWIN}/startTraining", f"/api/v1/{TWIN}/continueTranining"
_RIGHT_SPELLING = f"/api/v1/{TWIN}/continueTraining"
_PREVIEW_SECONDS = 4.0
_REPEATED = ("name", "gender", "model_version", "prompt", "negative_prompt")


@serves("POST", _START, more=("video_background_color", "video_background_image"))
async def start(call: Call) -> object:
    """Train an avatar: free from a video, a diamond or its worth in coins from a picture."""
    failure = fate(call.text("name"))
    given = [name for name in ("video_url", "image_url") if call.text(name)]
    if len(given) != 1:
        raise Refusal("video_url, image_url: give one of them, not both")
    source = await call.input(given[0], given[0].removesuffix("_url"))
    fields: dict[str, object] = {name: call.text(name) for name in _REPEATED if name in call.args}
    fields[given[0]] = call.text(given[0])
    fields |= await _background(call)
    draft = Draft(
        noun=TWIN,
        coins=await _price(call),
        span=USUAL,
        fields={**fields, "skipPreview": call.args.get("skipPreview", False)},
        inputs=(str(source.path),),
        suffix="mp4",
        failure=failure,
        in_diamonds=True,
    )
    return _shape(call, call.account.start(draft))


@serves("POST", _CONTINUE)
@serves("POST", _RIGHT_SPELLING)
async def train_further(call: Call) -> object:
    """Train a finished avatar anew under the same id, for a diamond or its worth in coins."""
    answer = _again(call, "completed", prices.DIAMOND)
    call.account.save(LIP_SYNC, {"name": answer["name"], TWIN_ID: answer["_id"]})
    return answer


@serves("POST", f"/api/v1/{TWIN}/retry", more=("_id",))
async def retry(call: Call) -> object:
    """Train a failed avatar anew for its price; that the body is an id is a guess."""
    return _again(call, "failed", existing(call, TWIN).coins)


@serves("POST", f"/api/v1/{TWIN}/remove")
async def remove(call: Call) -> object:
    """Forget an avatar by the rules for tasks."""
    call.account.remove(existing(call, TWIN))
    return {}


@serves("GET", f"/api/v1/{TWIN}/userRecords")
async def all_records(call: Call) -> object:
    """Return every training, newest first."""
    call.account.polled()
    return [_shape(call, task) for task in call.account.page(TWIN, 1, -1)[0]]


@serves("POST", f"/api/v1/{TWIN}/addVoiceClone")
async def clone_voice(call: Call) -> object:
    """Clone the voice of an avatar's video; that it is finished at once, and the answer, are guesses."""
    task = existing(call, TWIN)
    fields = task.wire_fields()
    if "video_url" not in fields:
        raise Refusal("_id: this avatar comes from a picture, which has no voice")
    if task.state(call.account.clock.now()) != "completed":
        raise Refusal("_id: this avatar is not finished")
    voice: dict[str, object] = {
        "name": fields["name"],
        "voice_urls": [fields["video_url"]],
        "gender": fields["gender"],
        "model": "a2e",
        "language": call.lang,
        "denoise": False,
        "enhance_voice_similarity": False,
    }
    draft = Draft(noun=VOICE, coins=prices.VOICE_FROM_AVATAR, span=(0, 0), fields=voice, inputs=(), suffix="wav")
    made = call.account.start(draft)
    return {"_id": made.id, "name": fields["name"], "current_status": "completed", "coins": made.coins}


@serves("POST", "/api/v1/custom_avatar/list")
async def custom_avatars(_call: Call) -> object:
    """Return nothing: how one is added was never made public."""
    return []


@serves("GET", "/api/v1/custom_avatar/all_tags")
async def tags(_call: Call) -> object:
    """Return nothing, as there are no custom avatars."""
    return []


async def _price(call: Call) -> float:
    return call.account.cost(TWIN, prices.DIAMOND if call.text("image_url") else 0.0)


async def _further_price(call: Call) -> float:
    return call.account.cost(TWIN, prices.DIAMOND)


async def _background(call: Call) -> dict[str, object]:
    fields: dict[str, object] = {}
    for misspelt in ("video_backgroud_color", "video_backgroud_image"):
        given = misspelt if call.text(misspelt) else misspelt.replace("groud", "ground")
        if given.endswith("image") and call.text(given):
            await call.input(given, "image")
        if call.text(given):
            fields[misspelt] = call.text(given)
    return fields


def _again(call: Call, wanted: str, coins: float) -> dict[str, object]:
    task = existing(call, TWIN)
    state = task.state(call.account.clock.now())
    if state != wanted:
        raise Refusal(f"_id: this avatar is {state}, not {wanted}")
    return _shape(call, call.account.restart(task, coins, USUAL, in_diamonds=True))


def _shape(call: Call, task: Task) -> dict[str, object]:
    record = generic(call, task)
    preview, skipped = record.pop("result_url"), record.pop("skipPreview")
    done = record["current_status"] == "completed"
    return {
        **record,
        "user_video_twin_id": task.id,
        "anchor_id": anchor_of(task.id) if done else "",
        "preview_result_url": "" if skipped else preview,
    }


def _render(task: Task, out: Path) -> How:
    [source] = task.input_files()
    if sniff(source).family == "image":
        return render_still(source, out, task.id, seconds=_PREVIEW_SECONDS)
    return render_dubbing(source, out, task.id, audio=None)


QUOTES[_START] = _price
QUOTES[_CONTINUE] = QUOTES[_RIGHT_SPELLING] = _further_price
RENDERERS[TWIN] = _render
task_group(Kind(TWIN, _shape, _shape), listing="records", running="trainingRecords", removal=False)
