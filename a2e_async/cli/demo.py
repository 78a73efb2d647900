"""`a2e demo`: a batch of swaps, from local files to results on disk, with no account and at no cost."""

import asyncio
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

import a2e_async.sandbox
from a2e_async._progress import progress
from a2e_async._saying import say
from a2e_async.batch import Batch
from a2e_async.cli._terminal import FAILED, check_writable, complain, give, number
from a2e_async.cli.contact_sheet import contact_sheet
from a2e_async.errors import A2EError
from a2e_async.groups.face_swap import FACE_SWAP, Swap
from a2e_async.outcomes import Outcome
from a2e_async.sandbox import Sandbox
from a2e_async.sandbox.media import have_media
from a2e_async.session import A2ESession

_SAMPLES = Path(a2e_async.sandbox.__path__[0], "samples")
# A swap takes 20 to 60 s of the sandbox's time: long enough to be watched, short enough to be waited for.
_CLOCK = "scaled:5"
_CREDITS = (
    "face.jpg: head of the Portrait of Pere Tanguy, Vincent van Gogh, 1887 (public domain)",
    "clip.mp4: of Big Buck Bunny, (c) 2008 Blender Foundation, bigbuckbunny.org (CC BY 3.0; cut, scaled)",
)
_MARKED = "Files of a local sandbox, marked SANDBOX: the sample clip with the face inset. No model made them."
_UNMARKED = "Files of a local sandbox: the sample clip unchanged, as the media extra is missing. No model made them."


class _Report(msgspec.Struct):
    jobs: int
    done: int
    failed: int
    seconds: float
    out: str
    results: list[str]
    contact_sheet: str | None
    coins_spent: float
    """Balance before less balance after."""
    coins_of_tasks: float
    """Sum of what the tasks say they cost."""
    note: str
    credits: tuple[str, ...] = _CREDITS


async def run(*, jobs: int, out: str, as_json: bool) -> int:
    """Make swaps and report."""
    folder = Path(out)
    check_writable(folder)
    began = time.monotonic()
    async with (
        Sandbox(clock=_CLOCK, coins=100.0 * jobs) as sandbox,
        A2ESession("sk_demo", base_url=sandbox.url) as a2e,
    ):
        say(f"{jobs} swaps at a sandbox inside this process ({sandbox.url})")
        before = (await a2e.account.coins()).coins
        maker = _Maker(a2e, folder, jobs)
        await maker.run()
        after = (await a2e.account.coins()).coins
    report = _Report(
        jobs=jobs,
        done=len(maker.saved),
        failed=jobs - len(maker.saved),
        seconds=round(time.monotonic() - began, 1),
        out=str(folder),
        results=[str(path) for path in sorted(maker.saved)],
        contact_sheet=await asyncio.to_thread(_sheet, sorted(maker.saved), folder),
        coins_spent=before - after,
        coins_of_tasks=maker.coins,
        note=_MARKED if have_media() else _UNMARKED,
    )
    give(msgspec.to_builtins(report) if as_json else _text(report))
    return FAILED if report.failed or report.coins_spent != report.coins_of_tasks else 0


class _Maker:
    """Runs the batch and saves each result as soon as it is there."""

    def __init__(self, a2e: A2ESession, folder: Path, jobs: int) -> None:
        self._a2e, self._folder, self._jobs = a2e, folder, jobs
        self.saved: list[Path] = []
        self.coins = 0.0

    async def run(self) -> None:
        async with (
            self._a2e.batch(FACE_SWAP) as batch,
            progress(lambda: self._counts(batch), self._jobs),
            asyncio.TaskGroup() as saving,
        ):
            async for outcome in batch.run(self._inputs()):
                saving.create_task(self._save(outcome))

    def _counts(self, batch: Batch[Swap]) -> Mapping[str, int]:
        status = batch.status()
        shown = ("submitting", "queued", "running", "done", "failed")
        return {name: getattr(status, name) for name in shown} | {"saved": len(self.saved)}

    def _inputs(self) -> Iterator[dict[str, Any]]:
        width = max(2, len(str(self._jobs)))
        for job in range(1, self._jobs + 1):
            name = f"swap-{job:0{width}}"
            yield {
                "key": name,
                "name": name,
                "face_url": _SAMPLES / "face.jpg",
                "video_url": _SAMPLES / "clip.mp4",
            }

    async def _save(self, outcome: Outcome[Swap]) -> None:
        self.coins += outcome.coins
        problem = outcome.error
        if outcome.task is not None and problem is None:
            try:
                self.saved.append(await self._a2e.files.save(outcome.task, self._folder / f"{outcome.key}.mp4"))
            except (A2EError, OSError) as error:
                problem = error
        if problem is not None:
            problem.add_note(f"({outcome.key})")
            complain(problem)


def _sheet(videos: list[Path], folder: Path) -> str | None:
    if not have_media():
        say("No contact sheet: it needs the media extra, pip install 'a2e-async[media]'.")
        return None
    if not videos:
        return None
    sheet = folder / "contact-sheet.png"
    contact_sheet(videos, sheet)
    return str(sheet)


def _text(report: _Report) -> str:
    spent, sums = number(report.coins_spent), number(report.coins_of_tasks)
    agree = "the same" if report.coins_spent == report.coins_of_tasks else "NOT the same"
    credited = "\n".join(f"  {line}" for line in report.credits)
    return f"""\
{report.done} of {report.jobs} swaps done in {report.seconds:.1f} s.
Results:  {Path(report.out, "swap-*.mp4")}
Overview: {report.contact_sheet or "none"}
Coins:    {spent} fewer on the account; the tasks say {sums}: {agree}. Sandbox coins, no money.
{report.note}
Sample inputs ({_SAMPLES / "CREDITS.md"}):
{credited}"""
