"""The wire formats of the peers, as far as their public clients read them; names and values are made up."""

import time
from collections.abc import Callable
from typing import NamedTuple

import msgspec

AT, LATER = "2025-01-15T08:30:00.123Z", "2025-01-16T08:30:00.123Z"
RESULT = "https://cdn.example/results/2025/01/15/{}.mp4"
_HEAD = b"HTTP/1.1 %d OK\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: %d\r\n\r\n%b"


class Request(NamedTuple):
    method: bytes
    path: bytes
    query: bytes
    body: bytes


class Tasks:
    def __init__(self, url: str) -> None:
        self.url = url
        self.ends: dict[str, float] = {}
        """When each task ends, by the monotonic clock that all processes of one machine share."""
        self.named: dict[str, str] = {}
        """Ids that clients chose, and ours for them."""

    def add(self) -> str:
        raise NotImplementedError

    def ended(self, task_id: str) -> bool:
        return time.monotonic() >= self.ends[task_id]


def ok(body: bytes, status: int = 200) -> bytes:
    return _HEAD % (status, len(body), body)


def fal(tasks: Tasks, request: Request) -> dict[str, object]:
    """`/fal-ai/APP`, `/fal-ai/APP/requests/ID`, the latter with `/status`."""
    parts = request.path.decode().split("/")
    task_id = tasks.add() if request.method == b"POST" else parts[4]
    if request.method != b"POST" and parts[-1] != "status":
        return {"video": {"url": RESULT.format(task_id), "content_type": "video/mp4", "file_size": 123456}}
    url = f"{tasks.url}/fal-ai/{parts[2]}/requests/{task_id}"
    status = "IN_QUEUE" if request.method == b"POST" else "COMPLETED" if tasks.ended(task_id) else "IN_PROGRESS"
    links = {"response_url": url, "status_url": f"{url}/status", "cancel_url": f"{url}/cancel"}
    return links | {"status": status, "request_id": task_id, "queue_position": 0, "logs": None, "metrics": {}}


def replicate(tasks: Tasks, request: Request) -> dict[str, object]:
    """`/v1/predictions`, `/v1/predictions/ID`."""
    task_id = tasks.add() if request.method == b"POST" else request.path.decode().rsplit("/", 1)[1]
    done = request.method != b"POST" and tasks.ended(task_id)
    return {
        "id": task_id,
        "model": "acme/face-swap",
        "version": "0" * 64,
        "input": {"face": "https://cdn.example/f.jpg", "video": "https://cdn.example/v.mp4"},
        "logs": "",
        "output": RESULT.format(task_id) if done else None,
        "error": None,
        "source": "api",
        "status": "succeeded" if done else "processing",
        "created_at": AT,
        "started_at": AT,
        "completed_at": LATER if done else None,
        "metrics": {"predict_time": 3.2} if done else {},
        "urls": {"get": f"/v1/predictions/{task_id}", "cancel": f"/v1/predictions/{task_id}/cancel"},
    }


def runway_start(tasks: Tasks, _request: Request) -> dict[str, object]:
    """`/v1/character_performance`."""
    return {"id": tasks.add(), "estimatedCost": {"credits": 5}}


def runway_read(tasks: Tasks, request: Request) -> dict[str, object]:
    """`/v1/tasks/ID`."""
    task_id = request.path.decode().rsplit("/", 1)[1]
    task: dict[str, object] = {"id": task_id, "createdAt": AT}
    if tasks.ended(task_id):
        return task | {"status": "SUCCEEDED", "output": [RESULT.format(task_id)], "cost": {"credits": 5}}
    return task | {"status": "RUNNING", "progress": 0.5, "estimatedCost": {"credits": 5}}


def openai(tasks: Tasks, request: Request) -> dict[str, object]:
    """`/v1/videos`, `/v1/videos/ID`."""
    task_id = tasks.add() if request.method == b"POST" else request.path.decode().rsplit("/", 1)[1]
    done = request.method != b"POST" and tasks.ended(task_id)
    return {
        "id": task_id,
        "object": "video",
        "model": "sora-2",
        "created_at": 1736929800,
        "completed_at": 1736929860 if done else None,
        "expires_at": 1737929860 if done else None,
        "status": "completed" if done else "in_progress",
        "progress": 100 if done else 50,
        "seconds": "8",
        "size": "720x1280",
        "quality": "standard",
        "prompt": "x",
        "remixed_from_video_id": None,
        "error": None,
    }


def comfy(tasks: Tasks, request: Request) -> dict[str, object]:
    """`/api/v2/jobs`, `/api/v2/jobs/ID`."""
    task_id = tasks.add() if request.method == b"POST" else request.path.decode().rsplit("/", 1)[1]
    done = request.method != b"POST" and tasks.ended(task_id)
    link = f"/api/v2/jobs/{task_id}"
    return {
        "id": task_id,
        "status": "succeeded" if done else "running",
        "created_at": AT,
        "started_at": AT,
        "completed_at": LATER if done else None,
        "expires_at": LATER,
        "queue_position": None,
        "progress": None,
        "outputs": [],
        "error": None,
        "urls": {"self": link, "events": f"{link}/events", "cancel": f"{link}/cancel"},
    }


def runware(tasks: Tasks, request: Request) -> dict[str, object]:
    """`/runware`: one array of tasks in, each an order or a `getResponse`."""
    (order,) = msgspec.json.decode(request.body)
    named = order["taskUUID"]
    if order["taskType"] != "getResponse":
        tasks.named[named] = tasks.add()
        return {"data": [{"taskType": order["taskType"], "taskUUID": named, "status": "processing"}]}
    task_id = tasks.named[named]
    item = {"taskType": "videoInference", "taskUUID": named, "status": "processing"}
    if tasks.ended(task_id):
        item |= {"status": "success", "videoUUID": task_id, "videoURL": RESULT.format(task_id)}
    return {"data": [item]}


WIRES: dict[bytes, Callable[[Tasks, Request], dict[str, object]]] = {
    b"/fal-ai/": fal,
    b"/v1/predictions": replicate,
    b"/v1/character_performance": runway_start,
    b"/v1/tasks/": runway_read,
    b"/v1/videos": openai,
    b"/api/v2/jobs": comfy,
    b"/runware": runware,
}


def answer(tasks: Tasks, request: Request) -> bytes:
    wire = next((wire for prefix, wire in WIRES.items() if request.path.startswith(prefix)), None)
    if wire is None:
        return ok(b'{"code":404,"msg":"no such path"}', 404)
    status = 201 if wire is comfy and request.method == b"POST" else 200
    return ok(msgspec.json.encode(wire(tasks, request)), status)
