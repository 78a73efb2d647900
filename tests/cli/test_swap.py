"""`a2e swap`, from files or URLs to a file."""

from pathlib import Path

import pytest

from a2e_async.sandbox import Rule, Sandbox, sandbox_thread
from a2e_async.sandbox.media import probe
from tests.cli.conftest import KEY, SAMPLES

FACE, CLIP = SAMPLES / "face.jpg", SAMPLES / "clip.mp4"
ADD = "/api/v1/userFaceSwapTask/add"


def only_task(sandbox: Sandbox):
    (task,) = sandbox.account(KEY).tasks
    return task


def untouched(sandbox: Sandbox) -> bool:
    """No coin is gone, and nothing that could have cost one was sent."""
    account = sandbox.account(KEY)
    return account.coins == 1000 and not any(entry.path == ADD for entry in account.requests)


def test_local_files_to_a_file(a2e, sandbox, tmp_path):
    ran = a2e("swap", FACE, CLIP, "-o", tmp_path / "new" / "out.mp4")
    assert (ran.code, ran.out) == (0, f"{tmp_path / 'new' / 'out.mp4'}\n")
    assert probe(tmp_path / "new" / "out.mp4").frames > 90
    assert (tmp_path / "new" / "out.mp4").read_bytes() != CLIP.read_bytes()
    task = only_task(sandbox)
    lines = ran.err.splitlines()
    assert lines[0] == f"{task.id} queued"
    assert lines[-2:] == [f"{task.id} done", f"{task.id} saved; it cost 10 coins"]
    assert task.wire_fields()["name"] == "clip"


def test_urls_to_a_folder_and_json(a2e, sandbox, tmp_path):
    ran = a2e("swap", sandbox.face_url, sandbox.video_url, "-o", tmp_path, "--name", "mine", "--json")
    task = only_task(sandbox)
    assert ran.json == [{"id": task.id, "path": str(tmp_path / f"{task.id}.mp4"), "coins": 10.0}]
    assert task.wire_fields()["name"] == "mine"


def test_name_of_a_url_is_that_of_its_file(a2e, sandbox, tmp_path):
    assert a2e("swap", FACE, f"{sandbox.video_url}?v=a/b.mov", "-o", tmp_path / "o.mp4").code == 0
    assert only_task(sandbox).wire_fields()["name"] == "clip"


@pytest.mark.parametrize(
    ("face", "video", "said"),
    [
        ("notes.txt", str(CLIP), "face_url: notes.txt"),
        ("gone.jpg", str(CLIP), "face_url: gone.jpg cannot be read"),
        (str(CLIP), str(CLIP), f"face_url: {CLIP}"),
        ("http://127.0.0.1/my face.jpg", str(CLIP), "face_url: 'http://127.0.0.1/my face.jpg' holds a space"),
        (str(FACE), "http://127.0.0.1/a clip.mp4", "video_url: 'http://127.0.0.1/a clip.mp4' holds a space"),
        (str(FACE), "notes.txt", "video_url: notes.txt"),
        (str(FACE), "http://[x/a.mp4", "video_url: 'http://[x/a.mp4' is no URL"),
    ],
)
def test_bad_input_costs_nothing(a2e, sandbox, tmp_path, face, video, said):
    (tmp_path / "notes.txt").write_text("no picture")
    ran = a2e("swap", face, video, "-o", "out.mp4")
    assert ran.code == 2
    assert said in ran.error
    assert untouched(sandbox)
    assert not (tmp_path / "out.mp4").exists()


def test_no_place_for_the_result_costs_nothing(a2e, sandbox, tmp_path):
    (tmp_path / "file").write_text("in the way")
    ran = a2e("swap", FACE, CLIP, "-o", Path("file", "out.mp4"))
    assert ran.code == 2
    assert "cannot write to file" in ran.error
    assert untouched(sandbox)


def test_too_few_coins(a2e, serve):
    with sandbox_thread(coins=1) as poor:
        serve(poor)
        ran = a2e("swap", FACE, CLIP, "-o", "out.mp4")
        assert ran.code == 1
        assert "Top up the account" in ran.error
        assert poor.account(KEY).coins == 1


def test_failed_job(a2e, sandbox, tmp_path):
    ran = a2e("swap", FACE, CLIP, "-o", "out.mp4", "--name", "fail:no face found")
    assert ran.code == 1
    assert "no face found" in ran.error
    assert "a2e watch" not in ran.error
    assert not (tmp_path / "out.mp4").exists()


def test_moderation(a2e, sandbox):
    ran = a2e("swap", FACE, CLIP, "-o", "out.mp4", "--name", "moderation:not this")
    assert ran.code == 1
    assert "This decision is final" in ran.error


def test_deadline_names_the_command_to_go_on_with(a2e, serve):
    with sandbox_thread(clock="stepped") as still:
        serve(still)
        ran = a2e("swap", FACE, CLIP, "-o", "out.mp4", "--deadline", "1")
        assert ran.code == 1
        assert ran.error.endswith(f"a2e watch face_swap {only_task(still).id}")


def test_a_deadline_takes_back_what_is_queued_if_asked_for(a2e, serve):
    with sandbox_thread(clock="stepped") as still:
        serve(still)
        ran = a2e("swap", FACE, CLIP, "-o", "out.mp4", "--deadline", "1", "--on-cancel", "remove")
        assert ran.code == 1
        assert "Taken back, as still queued: " in ran.error
        assert "a2e watch" not in ran.error
        assert (still.account(KEY).tasks, still.account(KEY).coins) == ([], 1000)


def test_unsaved_result_names_the_command_that_finds_it(a2e, sandbox):
    sandbox.account(KEY).fault(Rule("status", path="/results/*", status=403))
    ran = a2e("swap", FACE, CLIP, "-o", "out.mp4")
    assert ran.code == 1
    assert ran.error.endswith(f"a2e watch face_swap {only_task(sandbox).id}")


def test_lost_answer_is_not_sent_again(a2e, sandbox):
    sandbox.account(KEY).fault(Rule("reset_after", path=ADD))
    ran = a2e("swap", FACE, CLIP, "-o", "out.mp4")
    assert ran.code == 1
    assert "may have cost coins" in ran.error
    assert "'name': 'clip'" in ran.error
    assert only_task(sandbox).coins == 10
