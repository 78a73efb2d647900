"""The recipes on the pages taskiq.md and engines.md, as printed: RabbitMQ, and worker processes that get SIGKILL."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from a2e_async import JournalError
from a2e_async.journal import read_summaries
from a2e_async.sandbox import Account, Rule, Sandbox, sandbox_thread
from tests.servers import PostgreSQL, wanted
from tests.service import KEY
from tests.snippets import ROOT, blocks_of
from tests.waiting import until

PAGES = {name: blocks_of(ROOT / "docs" / "pages" / name) for name in ("taskiq.md", "engines.md")}
ADD = "*/userFaceSwapTask/add"


class Engine(NamedTuple):
    """What a test has to know of an engine beyond what its page prints."""

    page: str
    package: str
    app: str
    """How the page's command names the app; the workers of the tests take it from `quick` instead."""
    quick: str
    """What a reader waits for, nobody waits for here."""
    send: str
    queues: tuple[str, ...]


TASKIQ = Engine(
    page="taskiq.md",
    package="taskiq_aio_pika",
    app="swaps:broker",
    quick="""
from functools import partial
import swaps
swaps.A2ESession = partial(swaps.A2ESession, timeout=3)
swaps.DEADLINE = {deadline}
swaps.JOURNAL = {journal!r}
broker = swaps.broker
broker.middlewares[0].default_delay = 0.2
""",
    send="""
import asyncio
from swaps import broker, swap

async def main():
    await broker.startup()
    for name, jobs in messages:
        await swap.kiq(name, jobs)
    await broker.shutdown()

asyncio.run(main())
""",
    queues=("taskiq", "taskiq.delay", "taskiq.dead_letter"),
)
CELERY = Engine(
    page="engines.md",
    package="celery",
    app="celery_swaps",
    quick="""
from functools import partial
import once
once.A2ESession = partial(once.A2ESession, timeout=3)
from celery_swaps import app, swap
swap.default_retry_delay = 0.2
""",
    send="""
from celery_swaps import swap
for name, jobs in messages:
    swap.delay(name, jobs)
""",
    queues=("celery",),
)

aio_pika = pytest.importorskip("aio_pika")


class Place:
    """A folder with the files of the page, and the workers that run in it."""

    def __init__(self, engine: Engine, home: Path, sandbox: Sandbox, url: str) -> None:
        self.engine, self.home, self.sandbox = engine, home, sandbox
        self.journal = "swaps.sqlite"
        own = {"A2E_API_KEY": KEY, "A2E_BASE_URL": sandbox.url, "A2E_MAX_PAUSE": "0.01"}
        self._env = os.environ | own | {"AMQP_URL": url, "JOURNAL": self.journal}
        for block in PAGES[engine.page]:
            if block.title.endswith(".py"):
                (home / block.title).write_text(block.text, encoding="utf-8")
        self.workers: list[subprocess.Popen[bytes]] = []

    @property
    def account(self) -> Account:
        return self.sandbox.account(KEY)

    def hurry(self, deadline: float = 600) -> None:
        (self.home / "quick.py").write_text(
            self.engine.quick.format(deadline=deadline, journal=self.journal), encoding="utf-8"
        )

    def work(self) -> subprocess.Popen[bytes]:
        """Start workers as the page says."""
        app, quick = self.engine.app, self.engine.app.replace(self.engine.app.partition(":")[0], "quick")
        words = next(block.text for block in PAGES[self.engine.page] if f" {app} " in block.text).split()
        command = [sys.executable, "-m", *(quick if word == app else word for word in words)]
        with (self.home / "log").open("ab") as log:
            self.workers.append(
                subprocess.Popen(command, cwd=self.home, env=self._env, stdout=log, stderr=log, start_new_session=True)
            )
        return self.workers[-1]

    def kill(self) -> None:
        """Send SIGKILL to the workers that were started first, all processes of them."""
        worker = self.workers.pop(0)
        os.killpg(worker.pid, signal.SIGKILL)
        worker.wait()

    def close(self) -> None:
        while self.workers:
            self.kill()
        asyncio.run(emptied(self._env["AMQP_URL"], self.engine.queues))

    def send(self, messages: list[tuple[str, list[str]]], prefix: str = "") -> None:
        media = {"face_url": self.sandbox.face_url, "video_url": self.sandbox.video_url}
        found = [(name, [{"key": key, "name": prefix + key, **media} for key in keys]) for name, keys in messages]
        self.run("-c", f"messages = {found!r}\n{self.engine.send}")

    def run(self, *words: str) -> None:
        subprocess.run([sys.executable, *words], cwd=self.home, env=self._env, check=True)

    def count(self, phase: str) -> int:
        """Return how many jobs the journal has in a phase; none until it is made."""
        try:
            return sum(one.counts[phase] for one in read_summaries(self.home / "swaps.sqlite"))
        except JournalError:
            return 0

    def done(self) -> int:
        return self.count("done")

    def log(self) -> str:
        return (self.home / "log").read_text(encoding="utf-8")

    def charges(self) -> Counter[str]:
        """Return how often each job was paid for."""
        return Counter(json.loads(task.fields)["name"].split()[-1] for task in self.account.tasks)


async def emptied(url: str, queues: Iterable[str]) -> None:
    """Leave no message to the next test."""
    async with await aio_pika.connect(url) as connection, connection.channel() as channel:
        for name in queues:
            await channel.queue_delete(name)


@pytest.fixture
def engine() -> Engine:
    return TASKIQ


@pytest.fixture
def place(engine: Engine, tmp_path: Path, rabbitmq_url: str) -> Iterator[Place]:
    pytest.importorskip(engine.package)
    with sandbox_thread(clock="scaled:20") as sandbox:
        place = Place(engine, tmp_path, sandbox, rabbitmq_url)
        place.hurry()
        yield place
        place.close()


@pytest.mark.parametrize("engine", [TASKIQ, CELERY], ids=lambda engine: engine.package)
def test_workers_that_are_killed_pay_for_each_job_once(place: Place) -> None:
    # Answers take their time, and some are lost: whoever is killed has submissions under way.
    place.account.fault(Rule("delay", path=ADD, seconds=0.1, longest=3.0))
    place.account.fault(Rule("reset_after", path=ADD, share=0.1))
    messages = [(f"order-{n}", [f"order-{n}-{part}" for part in range(1 + n % 3)]) for n in range(24)]
    keys = [key for _, keys in messages for key in keys]
    place.work()
    place.send(messages)
    for enough in (5, 20, 35):
        until(lambda enough=enough: len(place.account.tasks) >= enough)
        place.work()
        place.kill()

    until(lambda: place.done() >= len(keys))

    assert place.charges() == Counter(keys)
    assert place.account.coins == 1000 - 10 * len(keys)


def test_workers_of_many_machines_share_a_journal_in_postgresql(place: Place) -> None:
    psycopg = pytest.importorskip("psycopg")
    from a2e_async.integrations.postgres import migrate  # noqa: PLC0415 - wants the extra

    wanted(PostgreSQL)
    with PostgreSQL(settings={"max_connections": "300"}) as server:
        place.journal = server.dsn()
        asyncio.run(migrate(place.journal))
        place.hurry()
        place.account.fault(Rule("delay", path=ADD, seconds=0.1, longest=3.0))
        keys = [f"order-{n}" for n in range(16)]
        place.work()
        place.send([(key, [key]) for key in keys])
        until(lambda: len(place.account.tasks) >= 5)
        place.work()
        place.kill()
        with psycopg.connect(place.journal, autocommit=True) as db:
            sql = "SELECT count(*) FROM a2e_jobs WHERE phase = 'done'"
            until(lambda: db.execute(sql).fetchone()[0] >= len(keys))
        place.close()

    assert place.charges() == Counter(keys)


def test_a_message_that_comes_twice_pays_once(place: Place) -> None:
    place.account.fault(Rule("delay", path=ADD, seconds=1.0))
    place.work()
    place.send([("twice", ["one", "two"])] * 4)

    until(lambda: place.done() == 2)
    until(lambda: "is held by process" in place.log())

    assert place.charges() == Counter(["one", "two"])


def test_a_job_that_takes_longer_than_its_message_may_is_watched_by_the_next(place: Place) -> None:
    place.hurry(deadline=1)
    place.account.pace(0)
    place.work()
    place.send([("slow", ["slow"])])
    until(lambda: place.log().count("TaskTimeoutError") >= 3)
    place.account.advance(600)

    until(lambda: place.done() == 1)

    assert place.charges() == Counter(["slow"])


def test_what_moderation_refused_is_not_sent_again(place: Place) -> None:
    place.work()
    for turn in (1, 2, 3):
        place.send([("refused", ["refused"])], prefix="moderation:")
        until(lambda turn=turn: place.log().count("Executing task") == turn)
        until(lambda: place.count("failed") == 1)
    place.send([("next", ["next"])])
    until(lambda: place.done() == 1)

    asked = [entry for entry in place.account.requests if entry.path.endswith("/userFaceSwapTask/add")]
    assert sorted(entry.status for entry in asked) == [200, 403]


def test_the_page_sends_its_messages_as_printed(place: Place) -> None:
    words = next(block.text for block in PAGES["taskiq.md"] if "python send.py" in block.text).split()
    place.work()
    place.run("send.py", place.sandbox.face_url, *[place.sandbox.video_url for _ in words[3:]])

    until(lambda: len(list((place.home / "results").glob("*.mp4"))) == len(words) - 3)

    assert set(place.charges().values()) == {1}


def test_every_block_is_run_here_or_says_why_not() -> None:
    apps = (TASKIQ.app, CELERY.app)
    for block in (block for page in PAGES.values() for block in page):
        command = block.language == "sh" and any(f" {word} " in block.text for word in (*apps, "send.py"))
        if not command and not block.title:
            assert re.fullmatch(r"not run: \w.{15,}", block.mark), block
        if block.language == "python":
            compile(block.text, block.title, "exec")
