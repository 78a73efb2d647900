"""`a2e dub`, `animate` and `uncaption`: what is their own, and what they share with `a2e swap`."""

import os
from pathlib import Path
from typing import NamedTuple

import pytest

from a2e_async.sandbox import Rule, sandbox_thread
from a2e_async.sandbox.media import probe
from tests.cli.conftest import KEY, SAMPLES

FACE, CLIP = SAMPLES / "face.jpg", SAMPLES / "clip.mp4"


class Job(NamedTuple):
    kind: str
    words: tuple[str, ...]
    start: str
    name: str
    price: int


JOBS = [
    Job("dubbing", ("dub", str(CLIP), "--to", "fr"), "/api/v1/userDubbing/startDubbing", "clip", 60),
    Job("image_to_video", ("animate", str(FACE)), "/api/v1/userImage2Video/start", "face", 100),
    Job("caption_removal", ("uncaption", str(CLIP)), "/api/v1/userCaptionRemoval/start", "clip", 10),
]
each = pytest.mark.parametrize("job", JOBS, ids=lambda job: job.words[0])


def only_task(sandbox):
    (task,) = sandbox.account(KEY).tasks
    return task


def sent(sandbox, job):
    """Return what the only start of a job was asked for."""
    (entry,) = [entry for entry in sandbox.account(KEY).requests if entry.path == job.start]
    return entry.body


@each
def test_from_a_file_to_a_file(a2e, sandbox, tmp_path, job):
    ran = a2e(*job.words, "-o", tmp_path / "new" / "out.mp4")
    assert (ran.code, ran.out) == (0, f"{tmp_path / 'new' / 'out.mp4'}\n")
    assert probe(tmp_path / "new" / "out.mp4").frames > 90
    task, lines = only_task(sandbox), ran.err.splitlines()
    assert lines[0] in {f"{task.id} queued", f"{task.id} running"}
    assert lines[-2:] == [f"{task.id} done", f"{task.id} saved; it cost {job.price} coins"]
    assert sent(sandbox, job)["name"] == job.name


@each
def test_json_names_the_file_in_a_folder(a2e, sandbox, tmp_path, job):
    ran = a2e(*job.words, "-o", tmp_path, "--json")
    task = only_task(sandbox)
    path = str(tmp_path / f"{task.id}.mp4")
    assert ran.json == [{"id": task.id, "path": path, "coins": float(job.price)}]


@each
def test_no_place_for_the_result_costs_nothing(a2e, sandbox, tmp_path, job):
    (tmp_path / "file").write_text("in the way")
    ran = a2e(*job.words, "-o", tmp_path / "file" / "out.mp4")
    assert ran.code == 2
    assert "cannot write to" in ran.error
    assert not sandbox.account(KEY).requests


@each
def test_a_bad_file_costs_nothing(a2e, sandbox, tmp_path, job):
    (tmp_path / "notes.txt").write_text("no picture, no video")
    ran = a2e(job.words[0], "notes.txt", *job.words[2:], "-o", "out.mp4")
    assert ran.code == 2
    assert "notes.txt" in ran.error
    assert not sandbox.account(KEY).tasks


@each
def test_failed_job(a2e, sandbox, tmp_path, job):
    source = tmp_path / f"fail:too dark{Path(job.words[1]).suffix}"
    source.write_bytes(CLIP.read_bytes() if source.suffix == ".mp4" else FACE.read_bytes())
    ran = a2e(job.words[0], source, *job.words[2:], "-o", "out.mp4")
    assert ran.code == 1
    assert "too dark" in ran.error
    assert "a2e watch" not in ran.error
    assert not (tmp_path / "out.mp4").exists()


@each
def test_deadline_names_the_command_to_go_on_with(a2e, serve, job):
    with sandbox_thread(clock="stepped") as still:
        serve(still)
        ran = a2e(*job.words, "-o", "out.mp4", "--deadline", "1")
        assert ran.code == 1
        assert ran.error.endswith(f"a2e watch {job.kind} {only_task(still).id}")


@each
def test_lost_answer_is_not_sent_again(a2e, sandbox, job):
    sandbox.account(KEY).fault(Rule("reset_after", path=job.start))
    ran = a2e(*job.words, "-o", "out.mp4")
    assert ran.code == 1
    assert "may have cost coins" in ran.error
    assert only_task(sandbox).coins == job.price


@pytest.mark.skipif(os.name == "nt", reason="Windows cannot send Ctrl-C to one process")
@each
def test_interrupted(start, sandbox_in_thread, tmp_path, job):
    sandbox_in_thread.account(KEY, clock="stepped")
    process = start(*job.words, "-o", tmp_path / "out.mp4", url=sandbox_in_thread.url)
    task_id = process.until(" queued").split()[0]
    process.interrupt()
    ran = process.ended()
    assert (ran.code, ran.out) == (130, "")
    assert ran.err.endswith(f"To continue: a2e watch {job.kind} {task_id}\n")


def test_options_of_a_dubbing(a2e, sandbox):
    assert a2e("dub", sandbox.video_url, "--to", "fr", "--from", "en", "--speakers", "2", "-o", "o.mp4").code == 0
    body = sent(sandbox, JOBS[0])
    assert (body["source_url"], body["name"]) == (sandbox.video_url, "clip")
    assert (body["source_lang"], body["target_lang"], body["num_speakers"]) == ("en", "fr", 2)


def test_the_language_spoken_need_not_be_known(a2e, sandbox):
    assert a2e(*JOBS[0].words, "-o", "o.mp4").code == 0
    assert sent(sandbox, JOBS[0])["source_lang"] == "auto"


def test_options_of_an_animation(a2e, sandbox):
    assert a2e("animate", sandbox.face_url, "--prompt", "a smile", "--seconds", "10", "-o", "o.mp4").code == 0
    body = sent(sandbox, JOBS[1])
    assert (body["image_url"], body["prompt"], body["video_time"]) == (sandbox.face_url, "a smile", 10)
    assert only_task(sandbox).coins == 200
