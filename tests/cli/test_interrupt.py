"""Ctrl-C in the commands that wait."""

import os

import pytest

from a2e_async.sandbox import Rule
from tests.cli.conftest import KEY, SAMPLES
from tests.waiting import until

pytestmark = pytest.mark.skipif(
    os.name == "nt",
    reason="Windows cannot send Ctrl-C to one process: it would reach the test runner as well",
)
FACE, CLIP = SAMPLES / "face.jpg", SAMPLES / "clip.mp4"


@pytest.fixture
def slow(sandbox_in_thread):
    sandbox_in_thread.account(KEY, clock="stepped")
    return sandbox_in_thread


def test_swap_names_the_command_that_goes_on(start, slow, tmp_path):
    process = start("swap", FACE, CLIP, "-o", tmp_path / "out.mp4", url=slow.url)
    task_id = process.until(" queued").split()[0]
    process.interrupt()
    ran = process.ended()
    assert (ran.code, ran.out) == (130, "")
    told = f"a2e: interrupted. The job goes on at the service. To continue: a2e watch face_swap {task_id}"
    assert ran.err.splitlines() == [f"{task_id} queued", told]
    slow.account(KEY).advance(100)
    again = start(*told.split(": a2e ")[1].split(), url=slow.url).ended()
    assert (again.code, again.out.split()[:2]) == (0, [task_id, "done"])


def test_what_is_queued_is_taken_back_if_asked_for(start, slow, tmp_path):
    process = start("swap", FACE, CLIP, "-o", tmp_path / "out.mp4", "--on-cancel", "remove", url=slow.url)
    task_id = process.until(" queued").split()[0]
    process.interrupt()
    ran = process.ended()
    assert (ran.code, ran.out) == (130, "")
    assert ran.err.endswith(f"a2e: interrupted. Taken back, as it was still queued: {task_id}\n")
    assert not slow.account(KEY).tasks
    assert slow.account(KEY).coins == 1000


def test_before_anything_left_it_says_that_nothing_was_started(start, slow, tmp_path):
    rule = slow.account(KEY).fault(Rule("delay", method="PUT", path="/storage/*", seconds=60))
    process = start("swap", FACE, CLIP, "-o", tmp_path / "out.mp4", url=slow.url)
    until(lambda: rule.hits)
    process.interrupt()
    ran = process.ended()
    assert (ran.code, ran.err) == (130, "a2e: interrupted. Nothing was started.\n")


SWAP, SPEAK = "/api/v1/userFaceSwapTask/add", "/api/v1/video/send_tts"


@pytest.mark.parametrize(
    ("words", "path", "said"),
    [
        (
            ["swap", FACE, CLIP, "-o", "out.mp4"],
            SWAP,
            "The job may have started. To look: a2e call face_swap.tasks.records",
        ),
        (
            ["say", "Hello", "--voice", "c3464e59de0e55c0823d2b01", "-o", "out.wav"],
            SPEAK,
            "The text may have been spoken. To look: a2e call voices.outputs",
        ),
        (
            ["call", "face_swap.tasks.add", "name=n", f"face_url={FACE}", f"video_url={CLIP}"],
            SWAP,
            "The service may have carried out face_swap.tasks.add all the same.",
        ),
    ],
)
def test_without_an_answer_it_says_what_may_have_happened(start, slow, tmp_path, words, path, said):
    rule = slow.account(KEY).fault(Rule("delay", path=path, seconds=60))
    process = start(*words, url=slow.url, cwd=tmp_path)
    until(lambda: rule.hits)
    process.interrupt()
    ran = process.ended()
    assert ran.code == 130
    *logged, last = ran.err.splitlines()
    assert last == f"a2e: interrupted. {said}"
    assert all("the task may exist" in text for text in logged)


def test_watch_names_what_is_left(start, slow, tmp_path):
    swap = start("swap", FACE, CLIP, "-o", tmp_path / "out.mp4", url=slow.url)
    task_id = swap.until(" queued").split()[0]
    swap.interrupt()
    assert swap.ended().code == 130
    process = start("watch", "face_swap", task_id, url=slow.url)
    process.until(" queued")
    process.interrupt()
    ran = process.ended()
    assert ran.code == 130
    assert ran.err.endswith(f"To continue: a2e watch face_swap {task_id}\n")


def test_demo_leaves_no_half_written_file(start, tmp_path):
    process = start("demo", "--jobs", "2", "--out", tmp_path / "out")
    process.until("queued 2")
    process.interrupt()
    ran = process.ended()
    assert (ran.code, ran.out) == (130, "")
    assert "Traceback" not in ran.err
    assert not (tmp_path / "out").exists()
