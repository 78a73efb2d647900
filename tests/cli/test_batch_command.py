"""`a2e batch` and what it does with a journal, over TCP; as processes where one is killed or interrupted."""

import asyncio
import csv
import json
import os
import shlex
import subprocess
import sys
import time
from collections import Counter
from datetime import datetime

import pytest

from a2e_async.cli import batch
from a2e_async.journal import Journal, Phase
from a2e_async.sandbox import Rule
from a2e_async.sandbox.media import probe
from tests.cli.conftest import KEY, ROOT, SAMPLES
from tests.waiting import until

posix = pytest.mark.skipif(
    os.name == "nt",
    reason="Windows cannot send Ctrl-C to one process: it would reach the test runner as well",
)
ADD = "/api/v1/userFaceSwapTask/add"
REFUSED = '{"code": 1003, "msg": "SANDBOX: not allowed"}'
RISK = "a2e: without --journal this cannot be continued: run again, it would pay for every job anew."


@pytest.fixture
def slow(sandbox_in_thread):
    sandbox_in_thread.account(KEY, clock="stepped")
    return sandbox_in_thread


def rows(sandbox, count):
    inputs = {"face_url": sandbox.face_url, "video_url": sandbox.video_url}
    return [{"key": f"k{n}", "name": f"n{n}"} | inputs for n in range(count)]


def write(path, found):
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, list(found[0]))
        table.writeheader()
        table.writerows(found)
    return path


def tasks(sandbox):
    """Return how many tasks the server has under each of the names that jobs were given."""
    return Counter(name_of(task).split()[-1] for task in sandbox.account(KEY).tasks)


def name_of(task):
    return json.loads(task.fields)["name"]


def once(count):
    return {f"n{n}": 1 for n in range(count)}


def last(ran):
    """Return the summary, without the time."""
    (line,) = [line for line in ran.err.splitlines() if line.startswith("a2e: ") and "; " in line]
    return line.rpartition("; ")[0]


def go_on(ran):
    """Return the words of the command that continues."""
    word, _, command = ran.err.splitlines()[-1].partition(": ")
    assert word == "To continue"
    name, *words = shlex.split(command)
    assert name == "a2e"
    return words


def played(process, account):
    """Let the account's time pass until the process has ended."""

    def ended():
        account.advance(10)
        return process.poll() is not None

    until(ended)
    return process.ended()


# --- From a file to results -------------------------------------------------------------------------------------------


def test_from_local_files_to_files_and_known_when_run_again(a2e, sandbox, tmp_path):
    (tmp_path / "in").mkdir()
    for sample in SAMPLES.glob("*.[jm]p*"):
        (tmp_path / "in" / sample.name).write_bytes(sample.read_bytes())
    inputs = {"face_url": "face.jpg", "video_url": "clip.mp4"}
    write(tmp_path / "in" / "jobs.csv", [{"key": f"k{n}", "name": f"n{n}"} | inputs for n in range(3)])
    words = ("batch", "in/jobs.csv", "--journal", "j.sqlite", "--out", "new/{key}.mp4")
    ran = a2e(*words)
    paths = [os.path.join("new", f"k{n}.mp4") for n in range(3)]  # noqa: PTH118 - as texts
    assert (ran.code, sorted(ran.out.splitlines())) == (0, [f"k{n} done {path}" for n, path in enumerate(paths)])
    assert all(probe(tmp_path / path).frames > 90 for path in paths)
    assert last(ran) == "a2e: 3 done; 30 coins"
    assert "To continue" not in ran.err
    assert RISK not in ran.err

    again = a2e(*words, "--json")
    assert again.code == 0
    assert sorted((row["key"], row["path"], row["known"], row["error"]) for row in again.json) == [
        (f"k{n}", path, True, None) for n, path in enumerate(paths)
    ]
    assert last(again) == "a2e: 3 done (3 known from before); 0 coins, 30 with earlier runs"
    assert (tasks(sandbox), sandbox.account(KEY).coins) == (once(3), 970)


def test_each_end_has_a_line_and_a_failure_the_exit_code_1(a2e, sandbox, tmp_path):
    sandbox.account(KEY).fault(Rule("reset_after", path=ADD, name="lost"))
    jobs = rows(sandbox, 1)[0]
    lines = [
        jobs,
        jobs | {"key": "failed", "name": "fail:no\nface"},
        jobs | {"key": "lost", "name": "lost"},
        jobs | {"key": "wrong", "model_version": "v9"},
    ]
    (tmp_path / "jobs.jsonl").write_text("\n".join(map(json.dumps, lines)))
    ran = a2e("batch", "jobs.jsonl", "--json")
    assert ran.code == 1
    found = {row["key"]: row for row in ran.json}
    assert {key: row["state"] for key, row in found.items()} == {
        "k0": "done",
        "failed": "failed",
        "lost": "uncertain",
        "wrong": "failed",
    }
    done = found["k0"]
    (task,) = [task for task in sandbox.account(KEY).tasks if name_of(task) == "n0"]
    assert (done["id"], done["coins"], done["path"], done["error"]) == (task.id, 10, None, None)
    assert done["result_url"].startswith(sandbox.url)
    assert (done["known"], done["twins"]) == (False, [])
    assert done["seconds"] > 0
    assert "jobs.jsonl:4: model_version: " in found["wrong"]["error"]
    assert ran.err.splitlines()[0] == RISK
    assert last(ran) == "a2e: 1 done, 2 failed, 1 uncertain; 10 coins"

    text = a2e("batch", "jobs.jsonl")
    lines = {line.split()[0]: line for line in text.out.splitlines()}
    assert lines["k0"].startswith(f"k0 done {sandbox.url}/results/")
    assert lines["failed"].startswith("failed failed ")
    assert "no face" in lines["failed"]
    assert lines["lost"].startswith("lost uncertain ")


def test_a_result_that_is_not_saved_is_no_success(a2e, sandbox, tmp_path):
    write(tmp_path / "jobs.csv", rows(sandbox, 2))
    rule = sandbox.account(KEY).fault(Rule("status", path="/results/*", nth=1, status=418))
    words = ("batch", "jobs.csv", "--journal", "j.sqlite", "--out", "{key}.mp4", "--json")
    ran = a2e(*words)
    assert ran.code == 1
    assert sorted(row["state"] for row in ran.json) == ["done", "done"]
    assert [row["path"] is None for row in ran.json if row["error"]] == [True]
    assert "saved 1" in ran.err
    again = a2e(*words)
    assert (again.code, rule.strikes, tasks(sandbox)) == (0, 1, once(2))
    assert sorted(path.name for path in tmp_path.glob("*.mp4")) == ["k0.mp4", "k1.mp4"]


def test_other_kinds(a2e, sandbox, tmp_path):
    write(tmp_path / "jobs.csv", [{"key": "a", "name": "a", "source_url": sandbox.video_url}])
    ran = a2e("batch", "jobs.csv", "--kind", "caption_removal", "--json")
    assert (ran.code, [row["state"] for row in ran.json]) == (0, ["done"])


def test_piped_progress_counts_every_state(a2e, sandbox, tmp_path):
    write(tmp_path / "jobs.csv", rows(sandbox, 5))
    ran = a2e("batch", "jobs.csv", "--out", "{key}.mp4")
    lines = ran.err.splitlines()
    assert lines[0] == RISK
    progress = [line.partition(" s  ")[2] for line in lines[1:-1]]
    assert 2 <= len(progress) <= 10
    names = [line.split()[0:12:2] for line in progress]
    assert names == [["submitting", "queued", "running", "done", "failed", "saved"]] * len(progress)
    assert progress[-1].startswith("submitting 0  queued 0  running 0  done 5  failed 0  saved 5  50 coins, ")


@pytest.mark.parametrize(
    ("name", "text", "jobs"),
    [
        ("a.csv", 'key,name\n\n1,"a\nb"\n , \n2,c\n', 2),
        ("a.CSV", "key,name\r\n1,a\r\n2,b", 2),
        ("a.csv", f'key\n"{"x" * 200_000}"\n', None),
        ("a.jsonl", '{"a": 1}\n \n{"a": 2}', 2),
        ("a.jsonl", "", 0),
    ],
)
def test_jobs_are_counted_beforehand_where_that_is_cheap(tmp_path, monkeypatch, name, text, jobs):
    (tmp_path / name).write_text(text, newline="")
    assert batch._count(tmp_path / name) == jobs
    monkeypatch.setattr(batch, "_LARGE", len(text) - 1)
    assert batch._count(tmp_path / name) is None


def test_without_a_count_the_rest_is_not_guessed(a2e, sandbox, tmp_path, monkeypatch):
    monkeypatch.setattr(batch, "_LARGE", 0)
    write(tmp_path / "jobs.csv", rows(sandbox, 2))
    ran = a2e("batch", "jobs.csv")
    assert (ran.code, last(ran)) == (0, "a2e: 2 done; 20 coins")
    assert " left" not in ran.err


# --- Stopped early ----------------------------------------------------------------------------------------------------


def test_budget_stops_it_and_a_larger_one_continues(a2e, sandbox, tmp_path):
    (tmp_path / "my jobs").mkdir()
    write(tmp_path / "my jobs" / "jobs.csv", rows(sandbox, 5))
    ran = a2e("batch", "my jobs/jobs.csv", "--journal", "j.sqlite", "--max-coins", "25", "--out", "{key}.mp4")
    assert ran.code == 3
    assert "20 of max_coins=25 are spent" in ran.err
    assert last(ran) == "a2e: 2 done, 3 open; 20 coins"
    words = go_on(ran)
    assert words == ["batch", "my jobs/jobs.csv", "--journal", "j.sqlite", "--max-coins", "25", "--out", "{key}.mp4"]
    still = a2e(*words)
    assert (still.code, sum(tasks(sandbox).values())) == (3, 2)
    more = a2e(*words, "--max-coins", "50")
    assert (more.code, tasks(sandbox)) == (0, once(5))
    assert last(more) == "a2e: 5 done (2 known from before); 30 coins, 50 with earlier runs"


@pytest.mark.parametrize(
    ("rule", "options", "said"),
    [
        (Rule("status", path=ADD, status=401), [], "Check A2E_API_KEY"),
        (Rule("status", path=ADD, status=403), [], "includes API access"),
        (Rule("status", path=ADD, status=402), [], "Top up the account"),
        (Rule("status", path=ADD, status=403, body=REFUSED), ["--max-failed", "0.5"], "max_failed=0.5"),
    ],
)
def test_what_stops_a_batch_ends_it_with_3(a2e, sandbox, tmp_path, rule, options, said):
    write(tmp_path / "jobs.csv", rows(sandbox, 30))
    sandbox.account(KEY).fault(rule)
    ran = a2e("batch", "jobs.csv", "--journal", "j.sqlite", "--max-in-flight", "5", *options)
    assert ran.code == 3
    assert said in ran.err
    assert not tasks(sandbox)
    assert go_on(ran)[:2] == ["batch", "jobs.csv"]


def test_stopped_without_a_journal_it_says_where_to_look(a2e, sandbox, tmp_path):
    write(tmp_path / "jobs.csv", rows(sandbox, 3))
    ran = a2e("batch", "jobs.csv", "--max-coins", "15")
    assert ran.code == 3
    assert ran.err.splitlines()[-1] == (
        "What was started goes on at the service; without a journal it cannot be continued. "
        "To look: a2e call face_swap.tasks.records"
    )


def test_a_deadline_leaves_jobs_that_resume_finishes(a2e, slow, serve, start, tmp_path):
    serve(slow)
    write(tmp_path / "jobs.csv", rows(slow, 3))
    ran = a2e("batch", "jobs.csv", "--journal", "j.sqlite", "--deadline", "0.2")
    assert ran.code == 1
    assert last(ran) == "a2e: 3 open; 30 coins"
    assert go_on(ran) == ["batch", "jobs.csv", "--journal", "j.sqlite", "--deadline", "0.2"]
    (tmp_path / "jobs.csv").unlink()
    resumed = start("batch", "resume", "j.sqlite", "--out", "{key}.mp4", "--json", url=slow.url, cwd=tmp_path)
    ended = played(resumed, slow.account(KEY))
    assert ended.code == 0
    assert sorted(row["path"] for row in ended.json) == ["k0.mp4", "k1.mp4", "k2.mp4"]
    assert tasks(slow) == once(3)
    assert last(ended) == "a2e: 3 done; 0 coins, 30 with earlier runs"


@pytest.mark.parametrize("phase", ["queue", "stall"])
def test_a_limit_gives_up_on_what_does_not_move(a2e, slow, serve, tmp_path, phase):
    serve(slow)
    write(tmp_path / "jobs.csv", rows(slow, 2))
    ran = a2e("batch", "jobs.csv", "--journal", "j.sqlite", f"--{phase}-limit", "0.3", "--json")
    assert ran.code == 1
    said = {"queue": "not begun after 0.3 s", "stall": "unchanged for 0.3 s"}[phase]
    assert all(said in row["error"] for row in ran.json)
    ran = a2e("batch", "resume", "j.sqlite", f"--{phase}-limit", "0.3")
    assert ran.out.count(said) == 2


@posix
def test_ctrl_c_takes_back_what_is_queued_if_asked_for(start, slow, tmp_path):
    write(tmp_path / "jobs.csv", rows(slow, 4))
    words = ("batch", "jobs.csv", "--journal", "j.sqlite", "--on-cancel", "remove")
    process = start(*words, url=slow.url, cwd=tmp_path)
    process.until("queued 4")
    process.interrupt()
    ran = process.ended()
    assert ran.code == 130
    assert "a2e: taken back, as still queued: 4" in ran.err
    assert slow.account(KEY).coins == 1000
    again = played(start(*go_on(ran), url=slow.url, cwd=tmp_path), slow.account(KEY))
    assert (again.code, tasks(slow)) == (0, once(4))


@pytest.mark.skipif(os.name == "nt", reason="a pipe without a reader is another error there")
@pytest.mark.parametrize("options", [[], ["--json"]])
def test_a_reader_that_goes_away_stops_it(start, slow, tmp_path, options):
    write(tmp_path / "jobs.csv", rows(slow, 3))
    process = start("batch", "jobs.csv", "--journal", "j.sqlite", *options, url=slow.url, cwd=tmp_path)
    process.until("queued 3")
    process.stdout.close()
    process.stdout = None
    ran = played(process, slow.account(KEY))
    assert ran.code == 1
    assert "Traceback" not in ran.err
    assert go_on(ran)[:2] == ["batch", "jobs.csv"]


# --- Killed, interrupted ----------------------------------------------------------------------------------------------


def test_killed_and_run_again_there_is_one_task_for_each_key(start, slow, a2e, tmp_path):
    write(tmp_path / "jobs.csv", rows(slow, 12))
    slow.account(KEY).fault(Rule("reset_after", path=ADD, name="*n5", first=1))
    words = ("batch", "jobs.csv", "--journal", "j.sqlite", "--json")
    first = start(*words, "--max-in-flight", "8", url=slow.url, cwd=tmp_path)
    until(lambda: len(slow.account(KEY).tasks) == 8)
    (held,) = a2e("batch", "status", "j.sqlite", "--json").json[0]
    assert held["holder"].startswith(f"process {first.pid} ")
    first.kill()
    assert first.wait() != 0
    assert tasks(slow) == once(8)
    ran = played(start(*words, url=slow.url, cwd=tmp_path), slow.account(KEY))
    assert (ran.code, {row["key"] for row in ran.json}) == (0, {f"k{n}" for n in range(12)})
    assert tasks(slow) == once(12)
    assert slow.account(KEY).coins == 1000 - 120


@posix
def test_ctrl_c_ends_it_soon_and_names_the_command_that_goes_on(start, slow, tmp_path):
    write(tmp_path / "my jobs.csv", rows(slow, 6))
    words = ("batch", "my jobs.csv", "--journal", "j.sqlite", "--max-in-flight", "4", "--out", "{key}.mp4")
    process = start(*words, url=slow.url, cwd=tmp_path)
    process.until("queued 4")
    began = time.monotonic()
    process.interrupt()
    ran = process.ended()
    assert time.monotonic() - began < 30
    assert (ran.code, ran.out) == (130, "")
    assert ran.err.splitlines()[-3] == "a2e: interrupted."
    assert last(ran) == "a2e: 6 open; 40 coins"
    assert go_on(ran) == list(words)
    again = played(start(*go_on(ran), url=slow.url, cwd=tmp_path), slow.account(KEY))
    assert (again.code, tasks(slow)) == (0, once(6))


@posix
def test_ctrl_c_in_the_middle_of_a_submission(start, slow, tmp_path):
    write(tmp_path / "jobs.csv", rows(slow, 2))
    rule = slow.account(KEY).fault(Rule("delay", path=ADD, seconds=60))
    process = start("batch", "jobs.csv", "--journal", "j.sqlite", url=slow.url, cwd=tmp_path)
    until(lambda: rule.hits == 2)
    began = time.monotonic()
    process.interrupt()
    assert process.ended().code == 130
    assert time.monotonic() - began < 30


# --- Bad use ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["gone.csv"], "gone.csv cannot be read"),
        (["jobs.txt"], "jobs are read from .csv, .jsonl"),
        (["typo.csv"], "no column 'nmae': did you mean 'name'?"),
        (["empty.csv"], "no line that names the columns"),
        (["jobs.csv", "--kind", "fac_swap"], "--kind: no kind 'fac_swap': did you mean 'face_swap'?"),
        (["jobs.csv", "--out", "all.mp4"], "must hold {key}"),
        (["jobs.csv", "--out", "typo.csv/{key}.mp4"], "cannot write to typo.csv"),
        (["jobs.csv", "--max-failed", "0"], "max_failed: must be more than 0"),
        (["jobs.csv", "--journal", "gone/j.sqlite"], "j.sqlite cannot be opened"),
        (["jobs.csv", "--journal", "typo.csv"], "is no journal of a2e-async"),
        (["jobs.csv", "--retry", "failed"], "name one with --journal"),
        (["resume", "gone.sqlite"], "there is no journal gone.sqlite"),
        (["resume", "gone.sqlite", "--kind", "dub"], "--kind: no kind 'dub': did you mean 'dubbing'?"),
        (["status", "gone.sqlite"], "there is no journal gone.sqlite"),
        (["status", "typo.csv"], "is no journal of a2e-async"),
        (["export", "gone.sqlite"], "there is no journal gone.sqlite"),
    ],
)
def test_bad_use_ends_with_2_and_spends_nothing(a2e, sandbox, tmp_path, words, said):
    write(tmp_path / "jobs.csv", rows(sandbox, 2))
    write(tmp_path / "typo.csv", [{"key": "a", "nmae": "b"}])
    (tmp_path / "empty.csv").touch()
    before = sorted(tmp_path.iterdir())
    ran = a2e("batch", *words)
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.error
    assert not sandbox.account(KEY).requests
    assert sorted(tmp_path.iterdir()) == before


def test_no_key(a2e, sandbox, tmp_path, monkeypatch):
    write(tmp_path / "jobs.csv", rows(sandbox, 1))
    monkeypatch.delenv("A2E_API_KEY")
    ran = a2e("batch", "jobs.csv", "--journal", "j.sqlite")
    assert (ran.code, ran.out, "No API key" in ran.error) == (2, "", True)


def test_a_journal_of_another_account_unless_it_has_a_new_key(a2e, sandbox, tmp_path, monkeypatch):
    write(tmp_path / "jobs.csv", rows(sandbox, 1))
    words = ("batch", "jobs.csv", "--journal", "j.sqlite")
    assert a2e(*words).code == 0
    monkeypatch.setenv("A2E_API_KEY", "sk_other")
    ran = a2e(*words)
    assert (ran.code, "another account" in ran.error) == (2, True)
    again = a2e(*words, "--rekey")
    assert (again.code, last(again)) == (
        0,
        "a2e: 1 done (1 known from before); 0 coins, 10 with earlier runs",
    )


def test_a_journal_that_is_held_and_told_of_meanwhile(a2e, slow, serve, start, tmp_path):
    serve(slow)
    write(tmp_path / "jobs.csv", rows(slow, 2))
    process = start("batch", "jobs.csv", "--journal", "j.sqlite", url=slow.url, cwd=tmp_path)
    process.until("queued 2")
    ran = a2e("batch", "jobs.csv", "--journal", "j.sqlite")
    assert ran.code == 2
    assert f"is held by process {process.pid} " in ran.error
    (held,) = a2e("batch", "status", "j.sqlite", "--json").json[0]
    assert (held["jobs"], held["sent"], held["coins"]) == (2, 2, 20)
    assert played(process, slow.account(KEY)).code == 0
    (left,) = a2e("batch", "status", "j.sqlite", "--json").json[0]
    assert (left["done"], left["holder"]) == (2, None)


# --- What a journal holds ---------------------------------------------------------------------------------------------

DONE = b'{"_id": "66e63777a3ebb9f1e3a2ab5c", "current_status": "completed", "result_url": "https://a/SANDBOX.mp4"}'
FAILED = b'{"_id": "66e63777a3ebb9f1e3a2ab5d", "current_status": "failed", "failed_message": "no face"}'
SECRET = "hush-a-token"


async def _fill(path, kind, name, count):
    journal = await Journal.open(path, kind=kind, name=name, account="a")
    request = json.dumps({"name": "n", "webhook_token": SECRET}).encode()

    async def put(key):
        return await journal.intend(key, b"", request, f"a2e:{name}{key}", 10.0)

    await asyncio.gather(*(put(f"more-{n}") for n in range(count)))
    for key, phase, how in (
        ("done", Phase.DONE, {"record": DONE}),
        ("failed", Phase.FAILED, {"record": FAILED}),
        ("refused", Phase.FAILED, {"failure": b'{"message": "not allowed", "code": 1003, "http_status": 403}'}),
        ("uncertain", Phase.UNCERTAIN, {}),
    ):
        job = await put(key)
        await journal.ended(job, phase, 10.0 if phase is Phase.DONE else 0.0, **how)
        if phase is Phase.DONE:
            await journal.saved(job, "out/done.mp4")
    await journal.started(await put("sent"), "66e63777a3ebb9f1e3a2ab5e", None)
    await journal.withdrawn(await put("new"))
    await journal.aclose()


@pytest.fixture
def journal(tmp_path):
    """A journal of two batches, with a job in each phase and ten in one."""
    asyncio.run(_fill(tmp_path / "j.sqlite", "face_swap", "", 10))
    asyncio.run(_fill(tmp_path / "j.sqlite", "dubbing", "spring", 0))
    return "j.sqlite"


def test_status_is_a_table(a2e, journal, monkeypatch):
    monkeypatch.delenv("A2E_API_KEY")
    ran = a2e("batch", "status", journal)
    assert (ran.code, ran.err) == (0, "")
    assert [line.split() for line in ran.out.splitlines()] == [
        ["kind", "name", "jobs", "new", "sending", "sent", "done", "failed", "uncertain", "coins", "holder"],
        ["face_swap", "-", "16", "1", "10", "1", "1", "2", "1", "120", "-"],
        ["dubbing", "spring", "6", "1", "0", "1", "1", "2", "1", "20", "-"],
    ]
    assert (
        len({line.index(word) for line, word in zip(ran.out.splitlines(), ("name", "-", "spring"), strict=True)}) == 1
    )


def test_status_does_without_the_sdk(a2e, journal, tmp_path):
    code = f"""
import sys
from a2e_async.cli import main
main(["batch", "status", {journal!r}])
print({{"aiohttp", "msgspec", "anyio", "rich"}} & set(sys.modules), file=sys.stderr)
"""
    environment = os.environ | {"PYTHONPATH": str(ROOT.parent)}
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, check=True, text=True
    )
    assert ran.stderr == "set()\n"


def test_export_has_every_job_and_no_secret(a2e, journal):
    ran = a2e("batch", "export", journal, "--json")
    assert (ran.code, ran.err) == (0, "")
    assert len(ran.json) == 16 + 6
    found = {row["key"]: row for row in ran.json if row["batch"] == 2}
    assert {key: row["phase"] for key, row in found.items()} == {
        "done": "done",
        "failed": "failed",
        "refused": "failed",
        "uncertain": "uncertain",
        "sent": "sent",
        "new": "new",
    }
    assert {key: row["error"] for key, row in found.items() if row["error"]} == {
        "failed": "dubbing 66e63777a3ebb9f1e3a2ab5d failed: no face.",
        "refused": "not allowed",
        "uncertain": "sent, no answer, and nothing can tell what became of it: it may have cost coins",
    }
    done, new = found["done"], found["new"]
    assert (done["kind"], done["name"], done["path"], done["coins"]) == ("dubbing", "spring", "out/done.mp4", 10)
    assert done["result_url"] == "https://a/SANDBOX.mp4"
    assert datetime.fromisoformat(done["submitted_at"]) <= datetime.fromisoformat(done["ended_at"])
    assert (new["submitted_at"], new["ended_at"], new["twins"]) == (None, None, [])
    assert found["sent"]["task_id"] == "66e63777a3ebb9f1e3a2ab5e"

    for words in ([], ["--csv"]):
        table = a2e("batch", "export", journal, *words)
        cells = list(csv.DictReader(table.out.splitlines()))
        assert [row["key"] for row in cells] == [row["key"] for row in ran.json]
        assert list(cells[0]) == list(done)
        assert SECRET not in table.out + ran.out
        assert {"" if row["error"] is None else row["error"] for row in ran.json} == {row["error"] for row in cells}


def test_ten_thousand_jobs_are_exported(a2e, tmp_path):
    asyncio.run(_fill(tmp_path / "j.sqlite", "face_swap", "", 10_000))
    ran = a2e("batch", "export", "j.sqlite")
    assert len(ran.out.splitlines()) == 1 + 10_000 + 6


def test_resume_wants_to_know_which_batch(a2e, journal, serve, sandbox):
    for words, said in (
        ([], "which batch? Say so by --kind and --name. It holds: face_swap, dubbing 'spring'."),
        (["--name", "autumn"], "no such batch. It holds: face_swap, dubbing 'spring'."),
    ):
        ran = a2e("batch", "resume", journal, *words)
        assert (ran.code, said in ran.error) == (2, True)
    # The one that is meant is found, and belongs to somebody else.
    ran = a2e("batch", "resume", journal, "--name", "spring")
    assert (ran.code, "another account" in ran.error) == (2, True)


def test_words_after_batch(a2e, tmp_path):
    for words in (["status", "x"], ["export", "x"]):
        for argv in (["batch", *words], ["--debug", "batch", *words]):
            assert "there is no journal x" in a2e(*argv).err
    assert "status.csv cannot be read" in a2e("batch", "status.csv").error
    assert "unrecognized arguments: x" in a2e("batch", "--json", "status", "x").err
