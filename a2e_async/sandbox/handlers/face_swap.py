"""Face swap: saved faces, previews, tasks."""

from pathlib import Path

from a2e_async.sandbox import prices
from a2e_async.sandbox.account import Draft
from a2e_async.sandbox.call import Call
from a2e_async.sandbox.inputs import Input
from a2e_async.sandbox.kinds import QUOTES, Kind, begin, document_row, existing, fate, task_group
from a2e_async.sandbox.life import QUICK, USUAL, Task
from a2e_async.sandbox.results import RENDERERS, How
from a2e_async.sandbox.routing import serves
from a2e_async.sandbox.wire import Refusal, iso

IMAGE, PREVIEW, TASK = "userFaceSwapImage", "userFaceSwapPreview", "userFaceSwapTask"


@serves("POST", "/api/v1/userFaceSwapImage/add")
async def add_image(call: Call) -> object:
    """Save a face; the answer is the whole collection."""
    await call.input("face_url", "image")
    call.account.save(IMAGE, {"face_url": call.text("face_url")})
    return await images(call)


@serves("GET", "/api/v1/userFaceSwapImage/records")
async def images(call: Call) -> object:
    """Return every saved face, newest first."""
    return [document_row(saved) for saved in call.account.saved(IMAGE)]


@serves("DELETE", "/api/v1/userFaceSwapImage/{_id}")
async def remove_image(call: Call) -> object:
    """Forget a face."""
    if not call.account.discard(IMAGE, call.id("_id")):
        raise Refusal("no such face", status=404)
    return {}


@serves("POST", "/api/v1/userFaceSwapTask/add")
async def add_task(call: Call) -> object:
    """Start a swap and charge for it."""
    name = call.text("name")
    failure = fate(name)
    face, target = await _inputs(call)
    fields = {"name": name, "video_url": call.text("video_url"), "duration": target.kind.seconds or 0}
    draft = Draft(
        noun=TASK,
        coins=await _price(call),
        span=USUAL,
        fields={**fields, "face_url": call.text("face_url")},
        inputs=(str(face.path), str(target.path)),
        suffix=_suffix(target),
        failure=failure,
    )
    [task] = begin(call, _shape, draft)
    return _shape(call, task)


@serves("GET", "/api/v1/userFaceSwapTask/status")
async def running(call: Call) -> object:
    """Return the tasks that still run, as a bare array; `_id` narrows it."""
    call.account.polled()
    tasks = call.account.running(TASK)
    wanted = {call.id("_id")} if call.text("_id") else {task.id for task in tasks}
    return [
        {
            "current_status": task.state(now),
            "result_url": "",
            "error_code": None,
            "faild_message": None,
            "_id": task.id,
        }
        for now in [call.account.clock.now()]
        for task in tasks
        if task.id in wanted
    ]


@serves("POST", "/api/v1/userFaceSwapPreview/add")
async def add_preview(call: Call) -> object:
    """Start a preview."""
    face, target = await _inputs(call)
    fields: dict[str, object] = {"video_url": call.text("video_url"), "face_url": call.text("face_url")}
    draft = Draft(
        noun=PREVIEW,
        coins=prices.PREVIEW,
        span=QUICK,
        fields=fields,
        inputs=(str(face.path), str(target.path)),
        suffix=_suffix(target),
    )
    return _preview(call, call.account.start(draft))


@serves("GET", "/api/v1/userFaceSwapPreview/status", optional=("_id",))
async def preview_status(call: Call) -> object:
    """Return one preview; without an id the latest, as older clients ask."""
    call.account.polled()
    if call.text("_id"):
        return _preview(call, existing(call, PREVIEW))
    latest, _ = call.account.page(PREVIEW, 1, 1)
    if not latest:
        raise Refusal("no preview was made yet", status=404)
    return _preview(call, latest[0])


async def _price(call: Call) -> float:
    return call.account.cost(TASK, prices.face_swap((await call.input("video_url", "video", "image")).kind.seconds))


async def _preview_price(call: Call) -> float:
    return call.account.cost(PREVIEW, prices.PREVIEW)


async def _inputs(call: Call) -> tuple[Input, Input]:
    face = await call.input("face_url", "image")
    target = await call.input("video_url", "video", "image")
    if call.text("model_version") == "v2" and target.kind.family != "image":
        raise Refusal("video_url: model_version v2 takes pictures only")
    return face, target


def _suffix(target: Input) -> str:
    return "jpg" if target.kind.family == "image" else "mp4"


def _outcome(call: Call, task: Task) -> dict[str, object]:
    state = task.state(call.account.clock.now())
    done = state == "completed"
    return {
        "current_status": state,
        "result_url": call.services.results.url(call.base, task) if done else "",
        "error_code": {"completed": "0", "failed": "1001"}.get(state, ""),
        "faild_message": None if done else task.failure if state == "failed" else "",
        "_id": task.id,
    }


def _shape(call: Call, task: Task) -> dict[str, object]:
    return {
        **task.wire_fields(),
        **_outcome(call, task),
        "coins": task.coins,
        "createdAt": iso(task.created),
        "updatedAt": iso(task.changed(call.account.clock.now())),
    }


def _row(call: Call, task: Task) -> dict[str, object]:
    # That a time is absent until it has come is a guess: the one record that was shown has them all.
    times = (("initialized", task.created), ("processing", task.processing), ("completed", task.ends))
    now = call.account.clock.now()
    return _shape(call, task) | {f"{name}_time": iso(at) for name, at in times if now >= at}


def _preview(call: Call, task: Task) -> dict[str, object]:
    return {**task.wire_fields(), **_outcome(call, task), "user_id": call.account.user_id}


def _render(task: Task, out: Path) -> How:
    # Imported late: the codecs behind it take half a second to load, and many runs never ask for a result.
    from a2e_async.sandbox.media import render_face_swap

    face, video = task.input_files()
    return render_face_swap(face, video, out, task.id)


QUOTES["/api/v1/userFaceSwapTask/add"] = _price
QUOTES["/api/v1/userFaceSwapPreview/add"] = _preview_price
RENDERERS[TASK] = RENDERERS[PREVIEW] = _render
task_group(Kind(TASK, _shape, _row), listing="records")
