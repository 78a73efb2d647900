"""The session: what users open. One attribute for each group, and `watch`, `run`, `batch` over all of them."""

import time
from collections.abc import AsyncGenerator, Collection, Iterable
from contextlib import AbstractAsyncContextManager, aclosing
from functools import cached_property
from os import PathLike
from types import TracebackType
from typing import TYPE_CHECKING, Any, ParamSpec, Self, TypeVar, cast, overload
from urllib.parse import urlsplit

import msgspec

from a2e_async._answer import Record
from a2e_async._durations import durations_of
from a2e_async._endpoint import Endpoint, Permit
from a2e_async._parting import OnCancel
from a2e_async._secret import Secret
from a2e_async._telling import Teller
from a2e_async._transport import Transport
from a2e_async._wire import Blueprint, Request, blueprint, media_of, refuse
from a2e_async.config import Limits, PollPolicy, RetryPolicy, SessionConfig, WaitLimits
from a2e_async.files import Files
from a2e_async.groups.account import Account
from a2e_async.groups.avatar_videos import AvatarVideos
from a2e_async.groups.avatars import Avatars
from a2e_async.groups.backgrounds import Backgrounds
from a2e_async.groups.caption_removal import CaptionRemoval
from a2e_async.groups.dubbing import Dubbing
from a2e_async.groups.face_swap import FaceSwap
from a2e_async.groups.image_to_video import ImageToVideo
from a2e_async.groups.streaming import Streaming
from a2e_async.groups.tokens import Tokens
from a2e_async.groups.voices import Voices
from a2e_async.job import Job
from a2e_async.observer import Observer
from a2e_async.tasks import KINDS, Handle, Task, TaskKind, TaskState, kind_of
from a2e_async.watcher import TaskWatcher

if TYPE_CHECKING:
    import aiohttp

    from a2e_async.batch import Batch
    from a2e_async.groups.images import Images
    from a2e_async.groups.videos import Videos

P = ParamSpec("P")
R = TypeVar("R")
TaskT = TypeVar("TaskT", bound=Task)
RecordT = TypeVar("RecordT", bound=Record)

_AT_ONCE = 1e-3


class A2ESession:
    """Everything of one account, over one pool of connections for each event loop.

    Use it with ``async with``, or close it by `aclose`; a module-level session serves successive ``asyncio.run``
    calls, since each loop's connections are closed with it. ``api_key`` and ``base_url`` default to A2E_API_KEY and
    A2E_BASE_URL. ``http`` lends a session of your own, which is never closed here: its connections and proxy are used,
    its middlewares and credentials are not. ``timeout`` is in seconds for one request. ``allow_http`` lets the token
    travel unencrypted to another machine. ``observers`` are told what happens, see `Observer`.
    Raises `ConfigError` where something is missing or wrong.
    """

    def __init__(  # noqa: PLR0913 - keyword-only settings, all optional
        self,
        api_key: str | None = None,
        *,
        base_url: str | None = None,
        http: "aiohttp.ClientSession | None" = None,
        timeout: float = 60.0,
        retry: RetryPolicy | None = None,
        poll: PollPolicy | None = None,
        limits: Limits | None = None,
        allow_http: bool = False,
        observers: Iterable[Observer] = (),
    ) -> None:
        api_key = None if api_key is None else Secret(api_key)  # the locals of this frame may be shown, too
        self.config = SessionConfig.from_env(
            api_key, base_url, timeout=timeout, retry=retry, poll=poll, limits=limits, allow_http=allow_http
        )
        """The settings it was made with; their repr leaves the token out."""
        self._teller = Teller(urlsplit(self.config.base_url).hostname or "", observers)
        self._transport = Transport(self.config, http, self._teller)
        self.files = Files(self, self._transport)
        """Uploads and downloads."""
        self.tokens = Tokens(self)
        """API tokens."""
        self.voices = Voices(self)
        """Speech from text, and cloned voices."""
        self.avatar_videos = AvatarVideos(self)
        """Avatars that speak."""
        self.avatars = Avatars(self)
        """Avatars of your own."""
        self.backgrounds = Backgrounds(self)
        """Pictures to put behind avatars."""
        self.face_swap = FaceSwap(self)
        """Faces put into videos and pictures."""
        self.dubbing = Dubbing(self)
        """Speech in another language."""
        self.image_to_video = ImageToVideo(self)
        """Videos from still pictures."""
        self.caption_removal = CaptionRemoval(self)
        """Videos without their burnt-in captions."""
        self.streaming = Streaming(self)
        """Avatars that listen and speak."""
        self.account = Account(self)
        """Coins, languages, storage."""

    @cached_property
    def images(self) -> "Images":
        """Pictures, by the newer model families."""
        from a2e_async.groups.images import Images  # noqa: PLC0415 - many classes, which few scripts need

        return Images(self)

    @cached_property
    def videos(self) -> "Videos":
        """Videos, by the newer model families."""
        from a2e_async.groups.videos import Videos  # noqa: PLC0415 - many classes, which few scripts need

        return Videos(self)

    def __repr__(self) -> str:
        config = vars(self).get("config")  # there is none yet where it was refused, and a traceback may want this
        return f"<A2ESession {config.base_url if config else '?'}>"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the running loop's connections. Using the session again opens new ones."""
        await self._transport.aclose()

    def brake(self, seconds: float) -> None:
        """Send nothing for so many seconds, then begin one by one, as after a 429: if another process met one.

        Holds for the running loop, does not shorten a pause that is already on, and is not told to observers.
        """
        self._transport.pool().gate.brake(seconds)

    async def call(self, endpoint: Endpoint[..., R], request: Request, permit: Permit | None = None) -> R:
        """Send any endpoint's request: check it, upload its local files, send it, decode the answer."""
        plan = blueprint(type(request))
        if refuse(request, plan, endpoint.label):
            request = await self._localized(request, plan)
        if not endpoint.paid or not self._teller.hears_tasks:
            return await self._transport.call(endpoint, request, permit)
        with self._teller.submission(endpoint) as taken:
            answer = await self._transport.call(endpoint, request, permit)
            return answer if taken is None else taken(answer)

    async def prepare(self, endpoint: Endpoint[..., Any], request: Request) -> Request:
        """Check a request and upload its local files: what comes back can be sent as it is."""
        plan = blueprint(type(request))
        return await self._localized(request, plan) if refuse(request, plan, endpoint.label) else request

    async def _localized(self, request: Request, plan: Blueprint) -> Request:
        # All files are looked into before the first is sent: a bad one must not cost the upload of a good one.
        values = {name: media_of(request, name) for name in plan.media}
        files = {
            (name, place): await self.files.inspect(value, accept=plan.media[name], field=plan.names[name])
            for name, found in values.items()
            for place, value in enumerate(found)
            if not isinstance(value, str)
        }
        for (name, place), file in files.items():
            values[name][place] = await self.files.send(file)
        changed = {
            name: values[name] if isinstance(getattr(request, name), list) else values[name][0] for name, _ in files
        }
        return msgspec.structs.replace(request, **changed)

    async def finish(self, task: RecordT, *, deadline: float | None = None) -> RecordT:
        """Wait for a task, as awaiting `watch` does."""
        return cast("RecordT", await self.watch(cast("Task", task), deadline=deadline))

    async def stream(self, endpoint: Endpoint[..., Any], request: Request) -> AsyncGenerator[str]:
        """Send a request whose answer is an event stream, and yield its texts as they come."""
        plan = blueprint(type(request))
        if refuse(request, plan, endpoint.label):
            request = await self._localized(request, plan)
        async with aclosing(self._transport.stream(endpoint, request)) as texts:
            async for text in texts:
                yield text

    @overload
    def watch(
        self,
        task: TaskT,
        *,
        deadline: float | None = None,
        every: float | None = None,
        limits: WaitLimits | None = None,
    ) -> TaskWatcher[TaskT]: ...
    @overload
    def watch(
        self,
        task: TaskKind[..., TaskT],
        task_id: str,
        *,
        deadline: float | None = None,
        every: float | None = None,
        limits: WaitLimits | None = None,
    ) -> TaskWatcher[TaskT]: ...
    def watch(
        self,
        task: TaskT | TaskKind[..., TaskT],
        task_id: str = "",
        *,
        deadline: float | None = None,
        every: float | None = None,
        limits: WaitLimits | None = None,
    ) -> TaskWatcher[TaskT]:
        """Watch a task, or a kind and an id: iterate for transitions, or await for the finished task.

        ``deadline`` is in seconds from the first wait on; without one the policy's, else the kind's patience holds.
        ``every`` fixes the seconds between readings, instead of what was learnt of the kind. ``limits`` bound the
        single phases.
        """
        kind, what = (task, task_id) if isinstance(task, TaskKind) else (kind_of(task), task)
        policy = self.config.poll
        return TaskWatcher(self, kind, what, deadline=deadline, every=every, policy=policy, limits=limits)

    def take_up(self, handle: str | bytes) -> TaskWatcher[Any]:
        """Go on watching what `Task.handle` or `TaskWatcher.handle` wrote down, in whatever process.

        Raises `RequestError` for what is no handle; a task of another account is not found.
        """
        found = Handle.from_json(handle)
        left = None if found.until is None else max(found.until - time.time(), _AT_ONCE)
        # The earliest time that a loop knows: what has ended is told all the same.
        passed = _AT_ONCE if left == _AT_ONCE else None
        kind, policy = KINDS[found.kind], self.config.poll
        return TaskWatcher(self, kind, found.id, deadline=left, policy=policy, seen=found.state, until=passed)

    async def run(self, kind: TaskKind[P, TaskT], *args: P.args, **kwargs: P.kwargs) -> TaskT:
        """Start a task and return it finished. Takes the start endpoint's fields; raises what awaiting it does.

        Cancelling this cancels no job.
        """
        return await self.watch(await self.call(kind.start, kind.start.request(*args, **kwargs)))

    def job(
        self,
        *,
        deadline: float | None = None,
        limits: WaitLimits | None = None,
        on_cancel: OnCancel = "detach",
    ) -> Job:
        """Do one job, or a few, under one deadline, from the upload to the saved result: ``async with a2e.job(...)``.

        ``deadline`` is in seconds. ``on_cancel="remove"`` takes back what is still queued when the block is cancelled
        or left by an exception; see `Job`.
        """
        return Job(self, self.files, self.config.poll, deadline=deadline, limits=limits, on_cancel=on_cancel)

    def progress(self, total: int | None = None) -> AbstractAsyncContextManager[None]:
        """Show on stderr what this session does while the block runs: ``async with a2e.progress():``.

        Rows with uploads, states, elapsed and usual times, and downloads; counts where it is more than a few. Bars on
        a terminal (extra ``cli``), HTML in a notebook, else lines. ``total``: jobs in all, to tell how long the rest
        will take.
        """
        from a2e_async._following import following  # noqa: PLC0415 - few scripts need it

        return following(self._teller, lambda kind: durations_of(self, kind).usual, total)

    def batch(  # noqa: PLR0913 - settings, all optional
        self,
        kind: TaskKind[..., TaskT],
        *,
        journal: str | PathLike[str] | None = None,
        name: str = "",
        max_in_flight: int = 1000,
        rate: float | None = None,
        deadline: float | None = None,
        max_coins: float | None = None,
        max_failed: float | None = None,
        out: str | PathLike[str] | None = None,
        retry: Collection[TaskState | str] = (),
        rekey: bool = False,
        limits: WaitLimits | None = None,
        on_cancel: OnCancel = "detach",
    ) -> "Batch[TaskT]":
        """Run many jobs of one kind, each paid for once; see `Batch`. Raises `RequestError` for what makes no sense.

        ``journal``: file that lets the batch be taken up again, also after a crash; one file may hold several, told
        apart by ``name``. ``max_in_flight``: jobs between being taken up and their outcome handed over. ``rate``:
        submissions a second. ``deadline``: seconds for each job, from its upload to its saved result; what holds it
        back, such as ``rate`` or an outage, does not count. ``limits`` bound its task's phases. ``max_coins``: what
        the whole batch, earlier runs included, may spend. ``max_failed``: share of jobs, 0 to 1, whose failure stops
        submission. ``out``: where results are saved, with ``{key}`` or ``{id}`` in it; further ones of a task as
        `Files.save_all` names them. ``retry``: `TaskState.FAILED` and `TaskState.UNCERTAIN` ends in the journal to be
        paid for anew; what moderation refused never is. ``rekey``: the journal is of this account, although its key
        has changed. ``on_cancel="remove"``: when `Batch.run` is cancelled or left early, what is still queued is taken
        back, within five seconds.
        """
        from a2e_async.batch import Batch  # noqa: PLC0415 - brings SQLite, which few scripts need

        return Batch(
            self,
            kind,
            self.files,
            self.config,
            journal=journal,
            name=name,
            max_in_flight=max_in_flight,
            rate=rate,
            deadline=deadline,
            max_coins=max_coins,
            max_failed=max_failed,
            out=out,
            retry=retry,
            rekey=rekey,
            limits=limits,
            on_cancel=on_cancel,
        )
