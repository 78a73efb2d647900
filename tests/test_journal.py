"""What is on disk at which moment, who may write to it, and what happens where it cannot be written."""

import asyncio
import os
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from pathlib import Path
from random import Random
from typing import Any

import pytest

from a2e_async import FACE_SWAP, A2ESession, JournalError, PollPolicy, TaskState
from a2e_async._reconcile import new_tag
from a2e_async.batch import Batch
from a2e_async.jobs import Jobs
from a2e_async.journal import _SCHEMA, VERSION, Entry, Journal, check, read_entries, read_summaries
from tests import journals
from tests.journals import finish
from tests.service import KEY, Scene, scene

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parents[1]
POSIX = pytest.mark.skipif(os.name == "nt", reason="permissions and limits of POSIX")

CHILD = """
import asyncio, concurrent.futures.thread, os, sys
from a2e_async import A2EError
from a2e_async._reconcile import new_tag
from a2e_async.journal import Journal, Phase

async def main(path, name, work):
    try:
        journal = await Journal.open(path, kind="face_swap", account="me", name=name)
    except A2EError as error:
        print(type(error).__name__, error, flush=True)
        return
    print("open", flush=True)
    await work(journal)
    await journal.aclose()
    print("closed", flush=True)

async def one(journal, n):
    def say(*words):
        os.write(1, " ".join(map(str, words)).encode() + b"\\n")
    job = await journal.intend(f"k{n}", b"d", b"{}", new_tag(), 10.0)
    say("sending", n)
    await journal.started(job, f"id{n}", 10.0)
    say("sent", n)
    await journal.ended(job, Phase.DONE, 10.0, record=b"{}")
    say("done", n)

async def churn(journal):
    for start in range(0, 100_000, 40):
        await asyncio.gather(*(one(journal, start + n) for n in range(40)))

async def hold(journal):
    await asyncio.to_thread(sys.stdin.readline)

async def few(journal):
    await asyncio.gather(*(one(journal, n) for n in range(25)))
"""


@contextmanager
def child(path: Path, work: str, *, name: str = "", before: str = "") -> Iterator[subprocess.Popen[str]]:
    code = f"{CHILD}\n{before}\nasyncio.run(main({str(path)!r}, {name!r}, {work}))"
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    return process.stdout.readline().strip()


async def take_up(path: Path, name: str = "", **settings: Any) -> Journal:
    return await Journal.open(path, **({"kind": "face_swap", "account": "me", "name": name} | settings))


@asynccontextmanager
async def journal_at(path: Path, name: str = "", **settings: Any) -> AsyncIterator[Journal]:
    journal = await take_up(path, name, **settings)
    try:
        yield journal
    finally:
        await journal.aclose()


def entries(path: Path, batch: int = 1) -> dict[str, Entry]:
    return {entry.key: entry for entry in read_entries(path, batch)}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "swaps.sqlite"


# --- What is on disk when ---------------------------------------------------------------------------------------------


async def test_the_intent_is_on_disk_when_the_request_arrives(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str, str, str | None]] = []
    async with scene(clock="scaled:1000") as s:
        start = s.account.start

        def spy(draft: Any) -> Any:
            entry = entries(path)[draft.fields["name"].rpartition(" ")[2]]
            seen.append((entry.phase, entry.task_id, entry.tag))
            assert draft.fields["name"].startswith(f"{entry.tag} ")
            return start(draft)

        monkeypatch.setattr(s.account, "start", spy)
        jobs = [s.swap | {"key": f"k{n}", "name": f"k{n}"} for n in range(20)]
        async with s.a2e.batch(FACE_SWAP, journal=path) as batch:
            assert [o.error async for o in batch.run(jobs)] == [None] * 20
    assert [(phase, task) for phase, task, _ in seen] == [("sending", "")] * 20
    assert len({tag for _, _, tag in seen}) == 20


async def test_the_id_is_on_disk_before_anybody_sees_it(path: Path) -> None:
    async with scene(clock="stepped") as s, s.a2e.batch(FACE_SWAP, journal=path) as batch:
        run = asyncio.ensure_future(anext(aiter(batch.run([s.swap | {"key": "k"}]))))
        while not batch.status().queued:
            assert not batch._course.running
            await asyncio.sleep(0)
        entry = entries(path)["k"]
        assert (entry.phase, entry.task_id, entry.coins) == ("sent", s.account.tasks[0].id, 10.0)
        run.cancel()
        await asyncio.gather(run, return_exceptions=True)


@pytest.mark.parametrize("seed", range(4))
async def test_what_was_told_survives_a_kill(path: Path, seed: int) -> None:
    """The process dies after a random number of notes; each that was acknowledged is there, and no other is torn."""
    order = ["sending", "sent", "done"]
    told: dict[str, str] = {}
    with child(path, "churn") as process:
        assert line(process) == "open"
        for _ in range(Random(seed).randint(1, 2500)):
            phase, _, number = line(process).partition(" ")
            told[f"k{number}"] = phase
        process.kill()
        assert process.stdout
        for rest in process.stdout:
            phase, _, number = rest.strip().partition(" ")
            if number.isdecimal() and rest.endswith("\n"):
                told[f"k{number}"] = phase
    async with journal_at(path) as journal:
        assert await journal._writer.do(lambda db: db.execute("PRAGMA integrity_check").fetchall()) == [("ok",)]
        rows = entries(path)
        for key, phase in told.items():
            assert order.index(rows[key].phase) >= order.index(phase), key
        assert len(rows) - len(told) <= 40
        # What was under way then can only become visible from now on: its time to settle begins anew.
        assert all(row.doubted for row in rows.values() if row.phase == "sending")


async def test_many_notes_share_a_commit(path: Path) -> None:
    statements: list[str] = []
    async with journal_at(path) as journal:
        await journal._writer.do(lambda db: db.set_trace_callback(statements.append))
        await asyncio.gather(*(finish(journal, str(n)) for n in range(1000)))
        await journal._writer.do(lambda db: db.set_trace_callback(None))
    changes = sum(text.startswith(("INSERT", "UPDATE")) for text in statements)
    assert changes == 3000
    assert statements.count("COMMIT") <= 30


async def test_many_read_while_one_writes(path: Path) -> None:
    stop = threading.Event()
    broken: list[BaseException] = []
    looks = 0

    def look() -> None:
        nonlocal looks
        last = 0
        try:
            while not stop.is_set():
                [summary] = read_summaries(path)
                done = summary.counts["done"]
                assert summary.coins >= done * 10
                assert sum(1 for entry in read_entries(path, summary.id) if entry.phase == "done") >= done >= last
                last = done
                looks += 1
        except BaseException as error:  # noqa: BLE001 - told below
            broken.append(error)

    async with journal_at(path) as journal:
        readers = [threading.Thread(target=look) for _ in range(4)]
        for reader in readers:
            reader.start()
        for start in range(0, 600, 20):
            await asyncio.gather(*(finish(journal, f"{start + n}") for n in range(20)))
        while looks < 8 and not broken:
            await asyncio.sleep(0.001)
        stop.set()
        for reader in readers:
            await asyncio.to_thread(reader.join)
        assert broken == []
        assert (await journal.summary()).counts["done"] == 600


async def test_a_name_that_is_no_text_is_said(path: Path) -> None:
    for place, name in ((path, "\ud800"), (path.with_name("nul\0"), "")):
        with pytest.raises(ValueError, match=r"surrogates|null"):
            await asyncio.wait_for(take_up(place, name), 2)


async def test_one_bad_note_does_not_silence_the_writer(path: Path) -> None:
    async with journal_at(path) as journal:
        with pytest.raises(Exception, match="surrogates"):
            await asyncio.wait_for(journal.find("\ud800"), 2)
        await finish(journal, "k")
        assert entries(path)["k"].phase == "done"


# --- Who may have it --------------------------------------------------------------------------------------------------


async def test_two_batches_share_a_file_in_one_process(path: Path) -> None:
    async with journal_at(path, "a") as a, journal_at(path, "b") as b, journal_at(path, kind="dubbing") as c:
        journals = (a, b, c)
        await asyncio.gather(*(finish(journal, f"k{n}") for journal in journals for n in range(100)))
        assert [summary.counts["done"] for summary in read_summaries(path)] == [100] * 3
    assert [(s.kind, s.name, s.holder) for s in read_summaries(path)] == [
        ("face_swap", "a", ""),
        ("face_swap", "b", ""),
        ("dubbing", "", ""),
    ]


async def test_two_batches_share_a_file_in_several_processes(path: Path) -> None:
    """All make the file at the same moment."""
    names = ["a", "b", "c", "d"]
    code = f"{CHILD}\nasyncio.run(main({str(path)!r}, sys.argv[1], few))"
    every = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", code, name), cwd=ROOT, stdout=asyncio.subprocess.PIPE
        )
        for name in names
    ]
    said = await asyncio.gather(*(process.communicate() for process in every))
    assert [out.split()[-1:] for out, _ in said] == [[b"closed"]] * 4, said
    assert {(s.name, s.counts["done"]) for s in read_summaries(path)} == {(name, 25) for name in names}


def test_a_file_that_becomes_a_journal_while_it_is_looked_at_is_one(path: Path) -> None:
    path.touch()
    with closing(sqlite3.connect(path)) as db, closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as other:

        def meanwhile(statement: str) -> None:
            if "sqlite_schema" in statement:
                with suppress(sqlite3.OperationalError):  # it has to wait
                    for one in _SCHEMA:
                        other.execute(one)

        db.set_trace_callback(meanwhile)
        check(path, db, fresh=True)
        db.set_trace_callback(None)
        assert not db.in_transaction


async def test_another_process_that_leaves_does_not_take_the_log_away(path: Path) -> None:
    """A file opened and closed on the side would drop this process's locks on it, as POSIX has it."""
    async with journal_at(path, "a") as a, journal_at(path, "b"):
        await finish(a, "early")
        with child(path, "few", name="c") as process:
            assert process.stdout
            assert process.stdout.read().split()[-1] == "closed"
        assert path.with_name(f"{path.name}-wal").exists()
        await finish(a, "late")
        assert set(entries(path)) == {"early", "late"}
    assert set(entries(path)) == {"early", "late"}


async def test_a_second_process_is_told_who_has_it(path: Path) -> None:
    with child(path, "hold") as process:
        assert line(process) == "open"
        with pytest.raises(JournalError, match=rf"its face_swap batch is held by process {process.pid} on .+ since 20"):
            await take_up(path)
        async with journal_at(path, "another"):
            pass
        [held, _] = read_summaries(path)
        assert held.holder.startswith(f"process {process.pid} ")
        process.kill()
        process.wait()
        async with journal_at(path):
            assert read_summaries(path)[0].holder.startswith(f"process {os.getpid()} ")


@POSIX
async def test_another_name_of_the_file_is_the_same_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alias = path.with_name("alias.sqlite")
    async with journal_at(path):
        alias.symlink_to(path)
        with pytest.raises(JournalError, match="is held by"):
            await take_up(alias)
        monkeypatch.chdir(path.parent)
        with pytest.raises(JournalError, match="is held by"):
            await take_up(Path(path.name))


async def test_closing_may_be_cancelled(path: Path) -> None:
    """What was noted is written, and the next may have the batch at once."""
    journal = await take_up(path)
    busy = asyncio.Event()
    loop = asyncio.get_running_loop()

    def slow(_db: sqlite3.Connection) -> None:
        loop.call_soon_threadsafe(busy.set)
        threading.Event().wait(0.2)

    journal._writer.later(slow)
    await busy.wait()
    note = asyncio.ensure_future(journal.intend("k", b"d", b"{}", new_tag(), 1.0))
    await asyncio.sleep(0)
    closing = asyncio.ensure_future(journal.aclose())
    await asyncio.sleep(0)
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    async with journal_at(path):
        assert set(entries(path)) == {"k"}
    assert await note


@POSIX
async def test_only_the_owner_reads_it_and_it_holds_no_token(path: Path) -> None:
    old = os.umask(0)
    try:
        async with scene(clock="scaled:1000") as s, s.a2e.batch(FACE_SWAP, journal=path) as batch:
            jobs = [s.swap | {"key": "k"}, s.swap | {"key": "m", "name": "moderation:no"}]
            ends = [o async for o in batch.run(jobs)]
            files = sorted(path.parent.glob(f"{path.name}*"))
            modes = {file.suffix: stat.S_IMODE(file.stat().st_mode) for file in files}
            assert {".sqlite", ".sqlite-shm", ".sqlite-wal", ".lock"} <= set(modes)
            assert set(modes.values()) == {0o600}
            told = [repr(ends), repr(batch), repr(batch._journal), repr(batch.status()), repr(list(entries(path)))]
        told += [repr(vars(summary) if hasattr(summary, "__dict__") else summary) for summary in read_summaries(path)]
    finally:
        os.umask(old)
    assert not any(KEY in text for text in told)
    # Read when nobody has it open any more: closing a file on the side would drop the locks of this process.
    data = b"".join(file.read_bytes() for file in path.parent.glob("*"))
    assert KEY.encode() not in data
    assert b"moderation" in data


# --- What is no journal, or cannot be written -------------------------------------------------------------------------


def newer(path: Path) -> None:
    asyncio.run(_made(path))
    with closing(sqlite3.connect(path)) as db:
        db.execute(f"PRAGMA user_version = {VERSION + 1}")


async def _made(path: Path) -> None:
    async with journal_at(path) as journal:
        await finish(journal, "k")


def other_application(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE notes(text)")


def marked(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA application_id = 77")


def no_database(path: Path) -> None:
    path.write_text("key,name\n" * 500)


def damaged(path: Path) -> None:
    asyncio.run(_made(path))
    data = bytearray(path.read_bytes())
    data[100:] = b"\xa5" * (len(data) - 100)
    path.write_bytes(data)


def missing_folder(path: Path) -> None:
    path.parent.rmdir()


BAD: list[tuple[Callable[[Path], object], str]] = [
    (newer, "newer a2e-async"),
    (other_application, "no journal of a2e-async"),
    (marked, "no journal of a2e-async"),
    (no_database, "no journal of a2e-async"),
    (damaged, "is damaged"),
    (Path.mkdir, "cannot be opened"),
    (missing_folder, "cannot be opened"),
]


@pytest.mark.parametrize(("spoil", "why"), BAD, ids=[spoil.__name__ for spoil, _ in BAD])
async def test_what_is_no_journal_is_refused_before_anything_is_paid(tmp_path: Path, spoil: Any, why: str) -> None:
    path = tmp_path / "folder" / "swaps.sqlite"
    path.parent.mkdir()
    await asyncio.to_thread(spoil, path)
    before = path.read_bytes() if path.is_file() else None
    async with scene() as s:
        batch = s.a2e.batch(FACE_SWAP, journal=path)
        with pytest.raises(JournalError, match=why):
            async with batch:
                raise AssertionError
        with pytest.raises(JournalError, match="inside"):
            [o async for o in batch.run([s.swap])]
        assert s.account.requests == []
    assert (path.read_bytes() if path.is_file() else None) == before


@pytest.mark.parametrize(
    ("table", "column", "odd"),
    [
        ("batches", "salt", "x"), ("batches", "created", b""),
        ("batches", "holder", b"x"), ("jobs", "key", b"k"), ("jobs", "digest", "x"), ("jobs", "request", "{}"),
        ("jobs", "phase", "lost"),
        ("jobs", "task_id", b"x"), ("jobs", "price", float("inf")), ("jobs", "coins", -1), ("jobs", "coins", "many"),
        ("jobs", "intended", 1e300), ("jobs", "ended", b""), ("jobs", "twins", b"x"), ("jobs", "lost", "x"),
        ("jobs", "record", 7), ("jobs", "failure", 7.5),
    ],
)  # fmt: skip
async def test_a_row_that_nobody_wrote_is_told_as_damage(tmp_path: Path, table: str, column: str, odd: object) -> None:
    path = tmp_path / "j"
    path.write_bytes(await asyncio.to_thread(journals.whole, tmp_path))
    with closing(sqlite3.connect(path)) as db, db:
        db.execute(f"UPDATE {table} SET {column} = ?" + (" WHERE key = 'sent'" if table == "jobs" else ""), (odd,))
    with pytest.raises(JournalError, match="is damaged: restore it from a copy"):
        await asyncio.to_thread(journals.look_through, path)


@pytest.mark.parametrize(
    ("key", "column", "odd", "what"),
    [
        ("done", "record", b"{", "task"),
        ("failed", "record", b'{"_id":7}', "task"), ("refused", "failure", b"{}", "refusal"),
        ("refused", "failure", None, "refusal"), ("uncertain", "request", b"\xff", "request"),
    ],
)  # fmt: skip
async def test_what_cannot_be_read_any_more_is_told(
    tmp_path: Path, key: str, column: str, odd: object, what: str
) -> None:
    path = tmp_path / "j"
    path.write_bytes(await asyncio.to_thread(journals.whole, tmp_path))
    with closing(sqlite3.connect(path)) as db, db:
        db.execute(f"UPDATE jobs SET {column} = ? WHERE key = ?", (odd, key))
    with pytest.raises(JournalError, match=f"a {what} in the journal cannot be read"):
        await asyncio.to_thread(journals.look_through, path)


async def test_a_damaged_page_is_told_by_whoever_reads(tmp_path: Path) -> None:
    path = tmp_path / "j"
    data = bytearray(await asyncio.to_thread(journals.whole, tmp_path))
    start = data.index(b"a2e:") // 4096 * 4096
    data[start : start + 4096] = b"\xa5" * 4096
    path.write_bytes(data)
    with pytest.raises(JournalError, match="is damaged"):
        read_summaries(path)
    with pytest.raises(JournalError, match="is damaged"):
        list(read_entries(path, 1))


async def test_an_index_that_goes_round_in_circles_is_told(tmp_path: Path) -> None:
    data = await asyncio.to_thread(journals.whole, tmp_path)
    # The third of the open jobs becomes the first once more.
    entry = b"\6\4\x09\1\1\3\3"
    assert data.count(entry) == 1
    path = tmp_path / "j"
    path.write_bytes(data.replace(entry, b"\6\4\x09\1\1\3\1"))
    journal = await Journal.open(path, kind="face_swap", account=journals.ACCOUNT)
    with pytest.raises(JournalError, match=r"is damaged: .* out of order"):
        await journal.unfinished()
    await journal.aclose()


async def test_reading_says_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="there is no journal"):
        read_summaries(tmp_path / "none")
    for spoil, why in BAD[:5]:
        path = tmp_path / spoil.__name__
        await asyncio.to_thread(spoil, path)
        with pytest.raises(JournalError, match=why):
            read_summaries(path)
        with pytest.raises(JournalError, match=why):
            next(read_entries(path, 1))


@POSIX
async def test_a_file_that_may_not_be_written_is_refused(path: Path) -> None:
    await _made(path)
    path.chmod(0o444)
    path.parent.chmod(0o555)
    drop = "" if os.getuid() else "os.setgid(65534); os.setuid(65534)"
    if drop:
        for parent in [path.parent, *path.parent.parents]:
            if parent.stat().st_uid == 0 and not parent.stat().st_mode & 0o001:
                parent.chmod(parent.stat().st_mode | 0o011)
    try:
        with child(path, "few", before=drop) as process:
            assert process.stdout
            said = process.stdout.read()
    finally:
        path.parent.chmod(0o755)
    assert said.startswith("JournalError")
    assert "cannot be written to" in said or "cannot be opened" in said


@POSIX
@pytest.mark.parametrize("limit", [0, 4096, 20_000])
async def test_a_full_disk_is_told_when_it_is_opened(path: Path, limit: int) -> None:
    before = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))"
    with child(path, "hold", before=before) as process:
        said = line(process)
    assert said.startswith("JournalError")
    assert "disk" in said
    async with journal_at(path) as journal:
        await finish(journal, "k")


async def test_a_disk_that_fills_up_stops_what_could_not_be_noted(path: Path) -> None:
    async with scene(clock="scaled:1000", coins=1e6) as s:
        jobs = [s.swap | {"key": f"k{n}", "name": f"n{n} " + "x" * 800} for n in range(300)]
        async with s.a2e.batch(FACE_SWAP, journal=path, max_in_flight=30) as batch:
            await _fill_up(batch._journal, pages=40)
            told: list[str] = []
            with pytest.raises(JournalError, match=r"disk is full.*nothing is lost"):
                await _tell(batch, jobs, told)
        known = entries(path)
        assert {key for key, entry in known.items() if entry.phase == "done"} >= set(told)
        sent = {entry.body["name"].partition(" ")[0] for entry in s.account.requests if entry.path.endswith("/add")}
        assert 0 < len(sent) < 300
        assert sent <= {entry.tag for entry in known.values()}
        async with _again(s, path) as batch:
            ends = {o.key: o.state async for o in batch.run(jobs)}
        assert ends == {f"k{n}": TaskState.DONE for n in range(300)}
        assert len(s.account.tasks) == 300
        assert batch.status().coins == 1e6 - s.account.coins == 3000


async def _tell(batch: Batch[Any], jobs: Jobs, told: list[str]) -> None:
    async for outcome in batch.run(jobs):
        assert outcome.error is None
        told.append(outcome.key)


async def _fill_up(journal: Journal | None, pages: int) -> None:
    assert journal is not None
    await journal._writer.do(lambda db: db.execute(f"PRAGMA max_page_count = {pages}"))


@asynccontextmanager
async def _again(s: Scene, path: Path) -> AsyncIterator[Any]:
    policy = PollPolicy(shortest=0.05, longest=0.2, grace=0.3)
    async with A2ESession(KEY, base_url=s.sandbox.url, timeout=0.7, poll=policy) as a2e:
        async with a2e.batch(FACE_SWAP, journal=path) as batch:
            yield batch


@POSIX
@pytest.mark.parametrize("how", ["removed", "replaced"])
async def test_a_file_that_is_taken_away_stops_the_batch(path: Path, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What would be written then is nowhere."""
    async with scene(clock="stepped") as s, s.a2e.batch(FACE_SWAP, journal=path, max_in_flight=3) as batch:
        run = aiter(batch.run([s.swap | {"key": f"k{n}"} for n in range(20)]))
        first = asyncio.ensure_future(anext(run))
        while batch.status().queued < 3:
            await asyncio.sleep(0)
        monkeypatch.chdir(path.parent)
        await batch._journal.summary()
        path.unlink()
        if how == "replaced":
            path.touch()
        s.account.advance(200)
        with pytest.raises(JournalError, match="removed or replaced"):
            await first
        assert len(s.sent("POST", "/add")) == 3
