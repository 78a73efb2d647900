"""What type checkers promise to users: checked, never run; each ignore is on a line that must be wrong."""
# pyright: reportUnnecessaryTypeIgnoreComment=true

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import assert_type

from a2e_async import (
    FACE_SWAP,
    FACE_SWAP_PREVIEW,
    FLUX2,
    KLING,
    SEEDANCE,
    A2ESession,
    Batch,
    Limits,
    Outcome,
    Task,
    TaskKind,
    TaskState,
    TaskWatcher,
    Transition,
    WaitLimits,
    run,
)
from a2e_async._answer import Page
from a2e_async.groups.account import Balance, Language, Quote, Transaction
from a2e_async.groups.face_swap import AddSwap, Face, Swap, SwapPreview
from a2e_async.groups.images.flux2 import Flux2Pictures
from a2e_async.groups.videos.hailuo import HailuoVideo
from a2e_async.groups.videos.kling import KlingOmniVideo, KlingVideo, Shot
from a2e_async.groups.videos.seedance import SeedanceVideo
from a2e_async.groups.videos.wan import Wan30Input, Wan30Parameters, Wan30Video, WanReferenceVideo, WanVideo
from a2e_async.pytest_plugin import A2EAccount, A2EClock, A2EFaults, A2ERequest, A2ERequests, A2ESandbox
from a2e_async.sandbox import Rule
from a2e_async.tasks import kind_of


async def endpoints(a2e: A2ESession, face: Path) -> None:
    task = await a2e.face_swap.tasks.add(name="n", face_url=face, video_url="https://x/y", model_version="v2")
    assert_type(task, Swap)
    assert_type(task.state, TaskState)
    assert_type(task.coins, float | None)
    assert_type(await a2e.face_swap.tasks.detail(id="a"), Swap)
    assert_type(await a2e.face_swap.tasks.details(ids=["a"]), list[Swap])
    assert_type(await a2e.face_swap.tasks.processing(), list[Swap])
    assert_type(await a2e.face_swap.images.add(face_url=face), list[Face])
    assert_type(await a2e.face_swap.previews.status(id="a"), SwapPreview)
    assert_type(await a2e.account.coins(), Balance)
    assert_type(await a2e.account.languages(locale=None), list[Language])
    assert_type(await a2e.account.quote(endpoint="/x", body={"name": 1}), Quote)
    await a2e.face_swap.tasks.remove(id="a")

    await a2e.face_swap.tasks.add(name="n", face_url=face)  # type: ignore[call-arg]
    await a2e.face_swap.tasks.add("n", face_url=face, video_url=face)  # type: ignore[call-arg]
    await a2e.face_swap.tasks.add(name="n", face_ulr=face, video_url=face)  # type: ignore[call-arg]
    await a2e.face_swap.tasks.add(name=5, face_url=face, video_url=face)  # type: ignore[arg-type]
    await a2e.face_swap.tasks.add(name="n", face_url=face, video_url=face, model_version="v3")  # type: ignore[arg-type]
    await a2e.face_swap.tasks.detail(_id="a")  # type: ignore[call-arg]
    await a2e.account.exchange_diamonds(diamonds="3")  # type: ignore[arg-type]
    a2e.account.coin()  # type: ignore[attr-defined]


async def listings(a2e: A2ESession) -> None:
    assert_type(await a2e.face_swap.tasks.records(page=2), Page[Swap])
    assert_type((await a2e.face_swap.tasks.records()).items, list[Swap])
    assert_type(a2e.face_swap.tasks.records.each(size=10), AsyncIterator[Swap])
    async for swap in a2e.face_swap.tasks.records.each():
        assert_type(swap, Swap)
    async for row in a2e.account.history.each(spendings=True):
        assert_type(row, Transaction)

    a2e.face_swap.tasks.records.each(sise=10)  # type: ignore[call-arg]
    a2e.face_swap.tasks.records.each(size="10")  # type: ignore[arg-type]


async def jobs(a2e: A2ESession, face: Path) -> None:
    async with a2e.job(deadline=600.0, limits=WaitLimits(run=60.0), on_cancel="remove") as job:
        assert_type(await job.run(FACE_SWAP, name="n", face_url=face, video_url=face), Swap)
        task = await job.start(FACE_SWAP, name="n", face_url=face, video_url=face)
        watcher, preview = job.watch(task), job.watch(FACE_SWAP_PREVIEW, "a")
        _ = assert_type(watcher, TaskWatcher[Swap])
        assert_type(await preview, SwapPreview)
        assert_type(await job.save(task, "out.mp4"), Path)
        await job.run(FACE_SWAP, name="n", face_url=face)  # type: ignore[call-arg]
    a2e.job(on_cancel="kill")  # type: ignore[arg-type]


async def watching(a2e: A2ESession, task: Swap, kind: TaskKind[..., SwapPreview]) -> None:
    watcher = a2e.watch(task, deadline=60.0)
    _ = assert_type(watcher, TaskWatcher[Swap])
    limited = a2e.watch(task, limits=WaitLimits(queue=60.0))
    _ = assert_type(limited, TaskWatcher[Swap])
    assert_type(await watcher, Swap)
    assert_type(watcher.task, Swap | None)
    async for change in a2e.watch(task):
        assert_type(change, Transition[Swap])
        assert_type(change.previous, TaskState | None)
        assert_type(change.task, Swap)
    assert_type(await a2e.watch(FACE_SWAP, "a"), Swap)
    assert_type(await a2e.watch(kind, "a", every=2.0), SwapPreview)
    assert_type(kind_of(task), TaskKind[..., Swap])

    a2e.watch("a")  # type: ignore[call-overload]
    a2e.watch(FACE_SWAP)  # type: ignore[call-overload]
    a2e.watch(task, deadline="soon")  # type: ignore[call-overload]


async def running(a2e: A2ESession, face: Path) -> None:
    assert_type(await a2e.run(FACE_SWAP, name="n", face_url=face, video_url=face), Swap)
    assert_type(await a2e.run(FACE_SWAP_PREVIEW, face_url=face, video_url="https://x/y"), SwapPreview)

    assert_type(run(lambda a2e: a2e.account.coins()), Balance)
    async with a2e.progress(total=3) as nothing:
        assert_type(nothing, None)

    await a2e.run(FACE_SWAP, face_url=face, video_url=face)  # type: ignore[call-arg]
    await a2e.run(FACE_SWAP_PREVIEW, name="n", face_url=face, video_url=face)  # type: ignore[call-arg]
    await a2e.run(FACE_SWAP, name="n", face_url=face, video_url=3)  # type: ignore[arg-type]


class Shared:
    async def acquire(self, weight: int = 1) -> bool:
        return weight > 0


class Local:
    def acquire(self) -> bool:
        return True


def limiting() -> None:
    Limits(limiter=Shared())
    Limits(limiter=Local())  # type: ignore[arg-type]


async def batches(a2e: A2ESession, face: Path) -> None:
    async with a2e.batch(FACE_SWAP, max_in_flight=10) as batch:
        assert_type(batch, Batch[Swap])
        job = AddSwap(name="n", face_url=face, video_url=face)
        async for outcome in batch.run([job, {"key": "1", "name": "n"}]):
            assert_type(outcome, Outcome[Swap])
            assert_type(outcome.task, Swap | None)
            assert_type(outcome.error, Exception | None)
            assert_type(outcome.state, TaskState)

    batch.run([5])  # type: ignore[list-item]
    AddSwap(name="n", face_url=face)  # type: ignore[call-arg]
    job.name = "other"  # type: ignore[misc]


async def results(a2e: A2ESession, task: Swap, plain: Task) -> None:
    assert_type(await a2e.files.save(task, "out.mp4", max_bytes=1), Path)
    assert_type(await a2e.files.save(plain, Path("out.mp4")), Path)
    assert_type(await a2e.files.upload("face.jpg"), str)

    await a2e.files.save(5, "out.mp4")  # type: ignore[arg-type]


async def fixtures(
    a2e_client: Callable[[], A2ESession],
    a2e_sandbox: A2ESandbox,
    a2e_account: A2EAccount,
    a2e_clock: A2EClock,
    a2e_faults: A2EFaults,
    a2e_requests: A2ERequests,
) -> None:
    async with a2e_client() as a2e:
        assert_type(a2e, A2ESession)
    assert_type(a2e_sandbox.account(credits=5), A2EAccount)
    assert_type(a2e_account.clock, A2EClock)
    assert_type(a2e_faults.add("reset_after"), Rule)
    assert_type(a2e_faults[0].strikes, int)
    assert_type(a2e_requests[0], A2ERequest)
    assert_type(a2e_requests[:2], list[A2ERequest])
    assert_type(a2e_requests.paid, list[A2ERequest])
    a2e_clock.advance(60)

    a2e_clock.advance("60")  # type: ignore[arg-type]
    a2e_faults.add(5)  # type: ignore[arg-type]
    a2e_sandbox.account(coins=5)  # type: ignore[call-arg]


async def families(a2e: A2ESession, face: Path) -> None:
    task = await a2e.images.flux2.start(name="n", prompt="a fox", input_images=[face], resolution="2K")
    assert_type(task, Flux2Pictures)
    assert_type(task.result_urls, list[str])
    assert_type(await a2e.images.flux2.detail(id="a"), Flux2Pictures)
    assert_type(await a2e.images.flux2.details(ids=["a"]), list[Flux2Pictures])
    assert_type(await a2e.images.flux2.records(page=2), Page[Flux2Pictures])
    assert_type(a2e.images.flux2.records.each(size=5), AsyncIterator[Flux2Pictures])
    assert_type(await a2e.run(FLUX2, name="n", prompt="a fox"), Flux2Pictures)
    assert_type(await a2e.videos.kling.start(mode="text-to-video", prompt="a fox"), KlingVideo)
    assert_type(await a2e.watch(KLING, "a"), KlingVideo)
    assert_type(await a2e.files.save_all(task, "out"), list[Path])

    await a2e.images.flux2.start(name="n")  # type: ignore[call-arg]
    await a2e.images.flux2.start(name="n", prompt="a fox", resolution="8K")  # type: ignore[arg-type]
    await a2e.images.flux2.detail(_id="a")  # type: ignore[call-arg]
    await a2e.images.flux2.records(pageNum=2)  # type: ignore[call-arg]
    await a2e.run(KLING, prompt="a fox")  # type: ignore[call-arg]
    await a2e.images.flux3.detail(id="a")  # type: ignore[attr-defined]


async def videos(a2e: A2ESession, face: Path, clip: Path) -> None:
    assert_type(await a2e.videos.wan.start(prompt="p", image_url=face, seconds=10), WanVideo)
    assert_type(
        await a2e.videos.wan_reference.start(prompt="p", reference_urls=[face, "https://x/y"]), WanReferenceVideo
    )
    given = Wan30Input(prompt="p", media=[{"url": "https://x/y"}])
    video = await a2e.videos.wan30.start(model="wan3.0-video", input=given, parameters=Wan30Parameters(seconds=5))
    assert_type(video, Wan30Video)
    assert_type(await a2e.videos.hailuo.records(), Page[HailuoVideo])
    assert_type(await a2e.videos.veo.in_1080p(id="a"), object)
    assert_type(await a2e.videos.kling_omni.start(shots=[Shot(prompt="p", seconds=3)], multi_shot=True), KlingOmniVideo)
    assert_type(await a2e.run(SEEDANCE, prompt="p", seconds=5), SeedanceVideo)
    assert_type(await a2e.watch(SEEDANCE, "a"), SeedanceVideo)
    assert_type((await a2e.videos.talking_video.detail(id="a")).seconds, float | None)
    await a2e.videos.seedance2.rename(id="a", name="n")

    await a2e.videos.kling.start(mode="text-to-video", prompt="p", seconds="5")  # type: ignore[arg-type]
    await a2e.videos.kling.start(mode="t2v", prompt="p")  # type: ignore[arg-type]
    await a2e.videos.wan.start(prompt="p", duration=5)  # type: ignore[call-arg]
    await a2e.videos.wan_reference.start(prompt="p", reference_urls=clip)  # type: ignore[arg-type]
    await a2e.videos.kling_omni.start(shots=[{"prompt": "p"}])  # type: ignore[list-item]
    await a2e.videos.hailuo.details(ids=["a"])  # type: ignore[attr-defined]
    await a2e.videos.seedance.detail(id="a")  # type: ignore[attr-defined]
    await a2e.videos.talking_photo.start(name="n", prompt="p", image_url=face)  # type: ignore[call-arg]
