"""One client submits jobs and waits for them, in a process of its own; prints one JSON line.

python benchmarks/_contenders.py NAME URL --jobs 200      NAME is one of `CONTENDERS`

Every job counts as seen at the moment in which the caller's own code has its result.
"""

import argparse
import asyncio
import gc
import importlib
import importlib.metadata
import json
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

import aiohttp
import msgspec
from _measure import Service, resident, share

FACE, VIDEO = "https://cdn.example/f.jpg", "https://cdn.example/v.mp4"
SWAPS = "/api/v1/userFaceSwapTask"
SUBMITTERS, PAGE = 32, 200
T = TypeVar("T")


class Run:
    """What a contender is given, and where it tells of each result."""

    def __init__(self, url: str, interval: float) -> None:
        self.url, self.interval = url, interval
        self.seen: dict[str, float] = {}
        self.errors: list[str] = []

    def saw(self, task_id: str) -> None:
        self.seen[task_id] = time.monotonic()


class Swap(msgspec.Struct):
    """The record as one would declare it by hand."""

    id: str = msgspec.field(name="_id")
    name: str
    face_url: str
    video_url: str
    duration: float
    status: str = msgspec.field(name="current_status")
    result_url: str
    error_code: str
    faild_message: str
    created_at: str = msgspec.field(name="createdAt")
    updated_at: str = msgspec.field(name="updatedAt")


class Envelope(msgspec.Struct, Generic[T]):
    code: int
    data: T


def jobs(count: int) -> Iterator[dict[str, Any]]:
    for number in range(count):
        yield {"name": f"clip-{number}", "face_url": FACE, "video_url": VIDEO}


async def by_hand(run: Run, count: int) -> None:
    """Bounded POSTs, and one loop that reads all open tasks by 200: what a careful engineer writes once."""
    one, many = msgspec.json.Decoder(Envelope[Swap]).decode, msgspec.json.Decoder(Envelope[list[Swap]]).decode
    loop, todo, waiting, left = asyncio.get_running_loop(), jobs(count), set(), count

    async def submit() -> None:
        for job in todo:
            async with http.post(f"{SWAPS}/add", json=job) as answer:
                waiting.add(one(await answer.read()).data.id)

    async def watch() -> None:
        nonlocal left
        at = loop.time()
        while left:
            at += run.interval
            await asyncio.sleep(max(0.0, at - loop.time()))
            open_ids = list(waiting)
            for start in range(0, len(open_ids), PAGE):
                async with http.post(f"{SWAPS}/batchDetail", json={"ids": open_ids[start : start + PAGE]}) as answer:
                    for swap in many(await answer.read()).data:
                        if swap.status in {"completed", "failed"}:
                            waiting.discard(swap.id)
                            run.saw(swap.id)
                            left -= 1

    async with aiohttp.ClientSession(run.url, headers={"Authorization": "Bearer sk_bench"}) as http:
        await asyncio.gather(watch(), *(submit() for _ in range(SUBMITTERS)))


async def loop_each(run: Run, count: int) -> None:
    """One loop for each job: POST, then GET after each interval."""
    one = msgspec.json.Decoder(Envelope[Swap]).decode

    async def work(job: dict[str, Any]) -> None:
        async with http.post(f"{SWAPS}/add", json=job) as answer:
            swap = one(await answer.read()).data
        while swap.status not in {"completed", "failed"}:
            await asyncio.sleep(run.interval)
            async with http.get(f"{SWAPS}/{swap.id}") as answer:
                swap = one(await answer.read()).data
        run.saw(swap.id)

    async with aiohttp.ClientSession(run.url, headers={"Authorization": "Bearer sk_bench"}) as http:
        await _all(run, [work(job) for job in jobs(count)])


async def a2e(run: Run, count: int, journal: Path | None = None) -> None:
    from a2e_async import FACE_SWAP, A2ESession, PollPolicy  # noqa: PLC0415 - each process has its own client only

    poll = PollPolicy(shortest=run.interval)
    async with (
        A2ESession("sk_bench", base_url=run.url, poll=poll) as session,
        session.batch(FACE_SWAP, journal=journal) as batch,
    ):
        async for outcome in batch.run(jobs(count)):
            if outcome.task is None or outcome.error is not None:
                run.errors.append(repr(outcome.error))
            else:
                run.saw(outcome.task.id)


async def a2e_journal(run: Run, count: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        await a2e(run, count, Path(folder) / "jobs.db")


async def a2e_run(run: Run, count: int) -> None:
    """One task of asyncio for each job, as one uses the peers."""
    from a2e_async import FACE_SWAP, A2ESession, PollPolicy  # noqa: PLC0415 - as above

    async with A2ESession("sk_bench", base_url=run.url, poll=PollPolicy(shortest=run.interval)) as session:

        async def work(job: dict[str, Any]) -> None:
            run.saw((await session.run(FACE_SWAP, **job)).id)

        await _all(run, [work(job) for job in jobs(count)])


async def fal(run: Run, count: int) -> None:
    client = importlib.import_module("fal_client.client")
    client.QUEUE_URL_FORMAT = run.url + "/"
    http = client.AsyncClient(key="k")

    async def work(job: dict[str, Any]) -> None:
        handle = await http.submit("fal-ai/swap", arguments=job)
        await handle.get(interval=run.interval)
        run.saw(handle.request_id)

    await _all(run, [work(job) for job in jobs(count)])


async def replicate(run: Run, count: int) -> None:
    client = importlib.import_module("replicate").Client(api_token="k", base_url=run.url)
    client.poll_interval = run.interval

    async def work(job: dict[str, Any]) -> None:
        prediction = await client.predictions.async_create(version="0" * 64, input=job)
        await prediction.async_wait()
        run.saw(prediction.id)

    await _all(run, [work(job) for job in jobs(count)])


async def runway(run: Run, count: int, **options: Any) -> None:
    library, polling = importlib.import_module("runwayml"), importlib.import_module("runwayml.lib.polling")
    polling.POLL_TIME, polling.POLL_JITTER = run.interval, 0.0
    if options.pop("aio", False):
        options["http_client"] = library.DefaultAioHttpClient()

    async def work() -> None:
        face, clip = {"type": "image", "uri": FACE}, {"type": "video", "uri": VIDEO}
        task = await client.character_performance.create(model="act_two", character=face, reference=clip)
        await task.wait_for_task_output(timeout=None)
        run.saw(task.id)

    async with library.AsyncRunwayML(api_key="k", base_url=run.url, **options) as client:
        await _all(run, [work() for _ in range(count)])


async def runway_aio(run: Run, count: int) -> None:
    await runway(run, count, aio=True)


async def openai(run: Run, count: int, **options: Any) -> None:
    library = importlib.import_module("openai")
    if options.pop("aio", False):
        options["http_client"] = library.DefaultAioHttpClient()
    pause = int(run.interval * 1000)

    async def work() -> None:
        video = await client.videos.create_and_poll(prompt="x", model="sora-2", poll_interval_ms=pause)
        run.saw(video.id)

    async with library.AsyncOpenAI(api_key="k", base_url=f"{run.url}/v1", **options) as client:
        await _all(run, [work() for _ in range(count)])


async def openai_aio(run: Run, count: int) -> None:
    await openai(run, count, aio=True)


async def runware(run: Run, count: int) -> None:
    library = importlib.import_module("runware")

    async def work(job: dict[str, Any]) -> None:
        order = {"model": "acme:1@1", "taskType": "videoInference", "positivePrompt": job["name"]}
        (result,) = await client.run(order)
        run.saw(result["videoUUID"])

    async with library.Runware(api_key="k", transport="rest", http_base_url=f"{run.url}/runware") as client:
        await _all(run, [work(job) for job in jobs(count)])


async def comfy(run: Run, count: int) -> None:
    import os  # noqa: PLC0415 - the only way to tell this client its server is the environment

    os.environ["COMFY_BASE_URL"] = run.url
    library = importlib.import_module("comfy_sdk")

    async def work(job: dict[str, Any]) -> None:
        graph = {"1": {"class_type": "Swap", "inputs": job}, "2": {"class_type": "Save", "inputs": {"v": ["1", 0]}}}
        run.saw((await client.run(client.workflows.from_json(graph))).id)

    async with library.AsyncComfy(api_key="k") as client:
        await _all(run, [work(job) for job in jobs(count)])


class Contender(NamedTuple):
    work: Callable[[Run, int], Awaitable[None]]
    package: str
    """Distribution that has to be installed."""
    note: str = ""


CONTENDERS = {
    "by hand": Contender(by_hand, "aiohttp", "aiohttp + msgspec, one shared loop over batchDetail"),
    "loop each": Contender(loop_each, "aiohttp", "aiohttp + msgspec, one loop per job"),
    "a2e": Contender(a2e, "aiohttp", "batch"),
    "a2e journal": Contender(a2e_journal, "aiohttp", "batch with journal"),
    "a2e run": Contender(a2e_run, "aiohttp", "run, one asyncio task per job"),
    "fal": Contender(fal, "fal-client"),
    "replicate": Contender(replicate, "replicate"),
    "runway": Contender(runway, "runwayml"),
    "runway+aiohttp": Contender(runway_aio, "httpx-aiohttp", "runwayml with its optional aiohttp transport"),
    "openai": Contender(openai, "openai"),
    "openai+aiohttp": Contender(openai_aio, "httpx-aiohttp", "openai with its optional aiohttp transport"),
    "runware": Contender(runware, "runware-sdk", "its REST transport; its own schedule, 0.5 s growing to 10 s"),
    "comfy": Contender(comfy, "comfy-sdk", "its own schedule, 0.5 s growing to 5 s"),
}
OURS = ("by hand", "loop each", "a2e", "a2e journal", "a2e run")


def version(name: str) -> str:
    """Return the version of what a contender needs, '' if it is not installed."""
    try:
        return importlib.metadata.version(CONTENDERS[name].package)
    except importlib.metadata.PackageNotFoundError:
        return ""


async def _all(run: Run, works: list[Any]) -> None:
    for error in await asyncio.gather(*works, return_exceptions=True):
        if isinstance(error, BaseException):
            run.errors.append(f"{type(error).__name__}: {error}"[:160])


async def measure(args: argparse.Namespace) -> dict[str, Any]:
    work, url, count, limit = CONTENDERS[args.name].work, args.url, args.jobs, args.limit
    steer, run = Service(url), Run(url, args.interval)
    steer.ask("reset", low=0, high=0)
    await work(Run(url, 0.01), 2)  # loads what is loaded late: imports, certificates
    steer.ask("reset", seed=args.seed)
    gc.collect()
    memory, cpu, wall = resident(), time.process_time(), time.monotonic()
    task = asyncio.ensure_future(work(run, count))
    await asyncio.wait([task], timeout=limit)
    cpu, wall, memory = time.process_time() - cpu, time.monotonic() - wall, resident("VmHWM") - memory
    if task.done():
        task.result()
    else:
        run.errors.append(f"not finished after {limit:g} s")
        task.cancel()
        await asyncio.wait([task], timeout=10)
    stats, ends = steer.ask("stats"), steer.ask("ends")
    late = [at - ends[key] for key, at in run.seen.items()]
    return {
        "done": len(run.seen),
        "errors": sorted(set(run.errors))[:3],
        "cpu_ms_job": cpu / count * 1e3,
        "wall": wall,
        "requests_job": stats["requests"] / count,
        "bytes_job": (stats["received"] + stats["sent"]) / count,
        "connections": stats["connections"],
        "memory_kb_job": memory / count,
        "late_p50": share(late, 0.5),
        "late_p95": share(late, 0.95),
        "service_cpu_share": stats["cpu"] / wall,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=CONTENDERS)
    parser.add_argument("url")
    parser.add_argument("--jobs", type=int, default=200)
    parser.add_argument("--interval", type=float, default=1.0)
    parser.add_argument("--limit", type=float, default=120.0)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    print(json.dumps(asyncio.run(measure(args))))


if __name__ == "__main__":
    main()
