"""`a2e status`, `a2e migrate`, `a2e dead`: looking after what several machines share, on a real PostgreSQL."""

import csv
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

pytest.importorskip("psycopg", reason="needs the dependency group `engines`")

import psycopg

from tests.cli.conftest import Ran
from tests.ports import closed_port
from tests.waiting import until

PASSWORD = "well-kept-password"
COMMANDS = [("status",), ("migrate",), ("dead",), ("dead", "retry", "key"), ("dead", "adopt", "key", "id")]


@pytest.fixture
def shared(a2e: Callable[..., Ran], database: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A database with the tables, which the commands find by themselves."""
    monkeypatch.setenv("A2E_DSN", database)
    assert a2e("migrate").code == 0
    return database


@pytest.fixture
def batch(a2e: Callable[..., Ran], shared: str, sandbox, tmp_path: Path) -> Callable[..., Ran]:
    """Run swaps of these names, whose keys they are."""

    def run(*names: str, **options: str) -> Ran:
        with (tmp_path / "jobs.csv").open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["key", "name", "face_url", "video_url"])
            rows.writerows([name, name, sandbox.face_url, sandbox.video_url] for name in names)
        return a2e("batch", "jobs.csv", "--journal", shared, *options)

    return run


def execute(dsn: str, sql: str) -> list[tuple]:
    with closing(psycopg.connect(dsn, autocommit=True)) as db:
        found = db.execute(sql)
        return found.fetchall() if found.description else []


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_no_database_is_named(a2e, monkeypatch, command):
    monkeypatch.delenv("A2E_DSN", raising=False)
    ran = a2e(*command)
    assert ran.code == 2
    assert ran.err == ran.error + "\n"
    assert "pass --dsn, or set A2E_DSN" in ran.error


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_what_is_no_dsn(a2e, command):
    ran = a2e(*command, "--dsn", f"{PASSWORD}@nowhere")
    assert ran.code == 2
    assert "postgresql://user:password@host:port/database" in ran.error
    assert PASSWORD not in ran.out + ran.err


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_no_server(a2e, command):
    with closed_port() as port:
        ran = a2e(*command, "--dsn", f"postgresql://a2e:{PASSWORD}@127.0.0.1:{port}/a2e", "--debug")
    assert ran.code == 2
    assert f"postgresql://127.0.0.1:{port}/a2e cannot be used" in ran.err.splitlines()[-1]
    assert PASSWORD not in ran.out + ran.err


def test_no_tables(a2e, database):
    ran = a2e("status", "--dsn", database)
    assert ran.code == 2
    assert ran.err == ran.error + "\n"
    assert "make them with `a2e migrate`" in ran.error


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_wrong_password(a2e, database, command):
    place = Path(execute(database, "SHOW hba_file")[0][0])
    before = place.read_text(encoding="utf-8")
    address = database.replace("a2e@", f"guarded:{PASSWORD}@")
    try:
        place.write_text(f"host all guarded 127.0.0.1/32 scram-sha-256\n{before}", encoding="utf-8")
        execute(database, "CREATE ROLE guarded LOGIN PASSWORD 'another'")
        execute(database, "SELECT pg_reload_conf()")
        ran = a2e(*command, "--dsn", address, "--debug")
    finally:
        place.write_text(before, encoding="utf-8")
        execute(database, "DROP ROLE guarded")
        execute(database, "SELECT pg_reload_conf()")
    assert ran.code == 2
    assert "password authentication failed" in ran.err.splitlines()[-1]
    assert PASSWORD not in ran.out + ran.err


def test_migrate_makes_the_tables_once(a2e, database):
    first, again = (a2e("migrate", "--dsn", database) for _ in range(2))
    assert (first.code, again.code) == (0, 0)
    assert first.out.endswith(": the missing tables were made; layout 1\n")
    assert again.out.endswith(": nothing was missing; layout 1\n")
    place = database.replace("a2e@", "")
    assert a2e("migrate", "--dsn", database, "--json").json == [{"database": place, "layout": 1, "made": False}]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_tables_of_a_newer_version(a2e, shared, command):
    execute(shared, "UPDATE a2e_layout SET version = 99")
    ran = a2e(*command)
    assert ran.code == 2
    assert "set up by a newer a2e-async (layout 99" in ran.error


def test_nothing_yet(a2e, shared):
    ran = a2e("status")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines()[1:] == ["queue: 0 waiting, 0 taken up; workers: 0; no brake", "watched: nothing"]
    assert a2e("status", "--dsn", shared, "--json").json[0]["batches"] == []


def test_how_a_batch_stands(a2e, batch):
    assert batch("one", "two", "moderation:faces").code == 1
    ran = a2e("status")
    head, row, *_ = ran.out.splitlines()
    told = dict(zip(head.split(), row.split(), strict=True))
    assert told["kind"] == "face_swap"
    assert {told[name] for name in ("name", "of", "oldest")} == {"-"}
    assert {name: told[name] for name in ("jobs", "new", "done", "failed", "dead", "coins")} == {
        "jobs": "3", "new": "0", "done": "2", "failed": "1", "dead": "1", "coins": "20",
    }  # fmt: skip
    [found] = a2e("status", "--json").json[0]["batches"]
    assert (found["done"], found["failed"], found["dead"], found["coins"], found["oldest_seconds"]) == (
        2,
        1,
        1,
        20.0,
        None,
    )


def test_what_is_open_has_an_age(a2e, batch, shared):
    batch("one", "two")
    execute(shared, "UPDATE a2e_jobs SET phase = 'sent', intended = now() - interval '2 hours' WHERE key = 'two'")
    [found] = a2e("status", "--json").json[0]["batches"]
    assert (found["sent"], found["done"]) == (1, 1)
    assert 7200 <= found["oldest_seconds"] < 7800
    assert "2.0 h" in a2e("status").out


def test_workers_and_queue(a2e, shared):
    execute(shared, "INSERT INTO procrastinate_workers(last_heartbeat) VALUES (now()), (now() - interval '1 hour')")
    execute(shared, "INSERT INTO procrastinate_jobs(queue_name, task_name) VALUES ('a2e', 'x'), ('a2e', 'x')")
    execute(shared, "UPDATE procrastinate_jobs SET status = 'doing' WHERE id = 1")
    assert a2e("status").out.splitlines()[1] == "queue: 1 waiting, 1 taken up; workers: 1; no brake"


def test_a_brake(a2e, shared):
    execute(shared, "INSERT INTO a2e_brakes VALUES ('x', now() + interval '1 hour'), ('y', now() - interval '1 hour')")
    assert "; braked for " in a2e("status").out
    assert 3000 < a2e("status", "--json").json[0]["brake_seconds"] <= 3600


def test_which_worker_watches(a2e, start, batch, shared, sandbox):
    batch("one")
    execute(shared, "UPDATE a2e_jobs SET phase = 'sent', ended = NULL")
    worker = start("worker", "--dsn", shared, url=sandbox.url)
    until(lambda: a2e("status", "--json").json[0]["watched"])
    [watched] = a2e("status", "--json").json[0]["watched"]
    assert watched["kind"] == "face_swap"
    assert watched["by"].startswith("127.0.0.1:")
    assert f"watched: face_swap by {watched['by']}" in a2e("status").out
    worker.kill()
    until(lambda: not a2e("status", "--json").json[0]["watched"])


def test_without_the_extra(a2e, monkeypatch):
    for name in [name for name in sys.modules if name.startswith(("a2e_async.integrations.", "a2e_async.cli."))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "psycopg", None)
    ran = a2e("status", "--dsn", "postgresql://127.0.0.1/a2e")
    assert ran.code == 2
    assert "pip install 'a2e-async[postgres]'" in ran.error


@pytest.fixture
def dead(a2e, batch, shared) -> str:
    """Three dead jobs, and one that is done."""
    batch("good", "fail:because", "moderation:faces", "lost")
    sql = "UPDATE a2e_jobs SET phase = 'uncertain', task_id = '', coins = NULL, record = NULL WHERE key = 'lost'"
    execute(shared, sql)
    return shared


def test_no_job_is_dead(a2e, shared):
    ran = a2e("dead")
    assert (ran.code, ran.out, ran.err) == (0, "", "")


def test_each_dead_job_has_its_reason(a2e, dead):
    ran = a2e("dead")
    assert ran.code == 0
    first, third, second = sorted(ran.out.splitlines())
    assert first.startswith("face_swap - fail:because failed: ")
    assert "because" in first.partition(": ")[2]
    assert second.startswith("face_swap - moderation:faces failed: ")
    assert third.startswith("face_swap - lost uncertain: ")
    told = {job["key"]: job for job in a2e("dead", "--json").json}
    assert told.keys() == {"fail:because", "moderation:faces", "lost"}
    assert [told[key]["final"] for key in told] == [key == "moderation:faces" for key in told]


def test_retry_hands_a_job_out_once_more(a2e, dead):
    ran = a2e("dead", "retry", "fail:because")
    assert (ran.code, ran.out) == (0, "")
    assert "fail:because is in the queue again" in ran.err
    assert "fail:because" not in a2e("dead").out
    [status] = a2e("status", "--json").json
    assert (status["batches"][0]["new"], status["waiting"]) == (1, 1)


def test_retry_of_all_that_were_never_sent(a2e, dead):
    sql = "UPDATE a2e_jobs SET phase = 'new', reason = 'BudgetExceededError: raise it', record = NULL, failure = NULL"
    execute(dead, f"{sql} WHERE key IN ('good', 'fail:because')")
    assert "BudgetExceededError: raise it" in a2e("dead").out
    ran = a2e("dead", "retry", "--unsent")
    assert (ran.code, ran.out) == (0, "")
    assert {job["key"] for job in a2e("dead", "--json").json} == {"moderation:faces", "lost"}
    [status] = a2e("status", "--json").json
    assert (status["batches"][0]["new"], status["waiting"]) == (2, 2)
    assert a2e("dead", "retry", "--unsent").err == ""


def test_retry_of_nothing(a2e, dead):
    ran = a2e("dead", "retry")
    assert ran.code == 2
    assert "name the jobs, or say --unsent" in ran.error


def test_what_moderation_refused_is_not_handed_out(a2e, dead):
    ran = a2e("dead", "retry", "moderation:faces")
    assert ran.code == 2
    assert "refused by moderation, which is final" in ran.error
    assert a2e("status", "--json").json[0]["waiting"] == 0


def test_adopt_says_which_task_it_was(a2e, dead):
    ran = a2e("dead", "adopt", "lost", "6b0b85671422525dba9ed566")
    assert (ran.code, ran.out) == (0, "")
    assert "lost is task 6b0b85671422525dba9ed566" in ran.err
    assert "lost" not in a2e("dead").out
    assert execute(dead, "SELECT phase, task_id FROM a2e_jobs WHERE key = 'lost'") == [
        ("sent", "6b0b85671422525dba9ed566")
    ]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("retry", "good"), "'good' is no dead job"),
        (("retry", "nobody"), "'nobody' is no dead job"),
        (("retry", "lost", "--name", "other"), "'lost' is no dead job of the face_swap batch 'other'"),
        (("retry", "lost", "--kind", "face_swop"), "did you mean 'face_swap'"),
        (("adopt", "fail:because", "6b0b85671422525dba9ed566"), "'fail:because' is no dead job"),
    ],
)
def test_what_cannot_be_said_of_a_job(a2e, dead, words, told):
    ran = a2e("dead", *words)
    assert ran.code == 2
    assert told.lower() in ran.error.lower()
