"""`a2e submit` and `a2e worker`: a file goes into the queue, and workers, which may be told to stop, empty it."""

import csv
import signal
import sys
from pathlib import Path

import pytest

pytest.importorskip("procrastinate", reason="needs the dependency group `engines`")

from a2e_async.cli._parser import read
from tests.ports import closed_port
from tests.waiting import until

PASSWORD = "well-kept-password"
COMMANDS = [("worker",), ("submit", "face_swap", "jobs.csv")]


@pytest.fixture
def shared(a2e, database: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("A2E_DSN", database)
    assert a2e("migrate").code == 0
    return database


@pytest.fixture
def jobs(sandbox, tmp_path: Path) -> str:
    with (tmp_path / "jobs.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["key", "name", "face_url", "video_url"])
        rows.writerows([f"k{n}", f"n{n}", sandbox.face_url, sandbox.video_url] for n in range(12))
    return "jobs.csv"


@pytest.mark.parametrize("command", COMMANDS, ids="-".join)
def test_where_there_is_no_database(a2e, jobs, database, monkeypatch, command):
    monkeypatch.delenv("A2E_DSN", raising=False)
    ran = a2e(*command)
    assert (ran.code, ran.err) == (2, ran.error + "\n")
    assert "pass --dsn, or set A2E_DSN" in ran.error
    with closed_port() as port:
        ran = a2e(*command, "--dsn", f"postgresql://a2e:{PASSWORD}@127.0.0.1:{port}/a2e")
    assert (ran.code, ran.err) == (2, ran.error + "\n")
    assert f"postgresql://127.0.0.1:{port}/a2e cannot be used" in ran.error
    assert PASSWORD not in ran.out + ran.err
    ran = a2e(*command, "--dsn", database)
    assert (ran.code, ran.err) == (2, ran.error + "\n")
    assert "make them with `a2e migrate`" in ran.error


def test_what_cannot_be_submitted(a2e, shared, jobs, tmp_path):
    ran = a2e("submit", "face_swop", jobs)
    assert ran.code == 2
    assert "face_swap" in ran.error
    assert a2e("submit", "face_swap", "none.csv").code in {1, 2}
    (tmp_path / "local.jsonl").write_text('{"name": "n", "face_url": "face.jpg", "video_url": "clip.mp4"}\n')
    ran = a2e("submit", "face_swap", "local.jsonl")
    assert ran.code == 2
    assert "face_url" in ran.error


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_file_is_submitted_once_and_workers_stop_when_told(a2e, start, sandbox, shared, jobs, how):
    first, again = (a2e("submit", "face_swap", jobs, "--max-coins", "1000") for _ in range(2))
    assert (first.code, first.out) == (0, "12 jobs are in the queue; 0 were known from before\n")
    assert (again.code, again.out) == (0, "0 jobs are in the queue; 12 were known from before\n")
    worker = start("worker", "--dsn", shared, "--concurrency", "3", url=sandbox.url)
    assert worker.until("Stop: Ctrl-C").startswith("a2e: submits and watches the jobs in postgresql://127.0.0.1")
    until(lambda: a2e("status", "--json").json[0]["batches"][0]["done"] == 12)
    worker.send_signal(how)
    ran = worker.ended()
    assert (ran.code, ran.out) == (0, "")
    assert ran.err.splitlines()[-1] == "a2e: waits for answers under way, and leaves the rest to others."
    [batch] = a2e("status", "--json").json[0]["batches"]
    assert (batch["coins"], batch["max_coins"]) == (120, 1000)


def test_how_to_go_on_names_no_password():
    again = read(["batch", "jobs.csv", f"--journal=postgresql://a2e:{PASSWORD}@host/a2e"]).again
    assert again == "a2e batch jobs.csv '--journal=postgresql://a2e:***@host/a2e'"
