"""`a2e image`, from a prompt to pictures on disk."""

import pytest
from PIL import Image

from a2e_async.cli import _models
from a2e_async.groups.images import Images
from a2e_async.sandbox import Rule, sandbox_thread
from tests.cli.conftest import KEY, SAMPLES

FACE = SAMPLES / "face.jpg"
FAMILIES = ["text_to_image", "nano_banana", "gpt_image", "wan26", "wan27", "qwen", "flux2", "kling"]


def only_task(sandbox):
    (task,) = sandbox.account(KEY).tasks
    return task


def started(sandbox):
    """Return path and body of the only start that was sent."""
    (entry,) = [entry for entry in sandbox.account(KEY).requests if entry.path.endswith("/start")]
    return entry.path, entry.body


def test_a_prompt_becomes_a_picture(a2e, sandbox, tmp_path):
    ran = a2e("image", "a lighthouse", "-o", tmp_path / "new" / "out.png")
    assert (ran.code, ran.out) == (0, f"{tmp_path / 'new' / 'out.png'}\n")
    with Image.open(tmp_path / "new" / "out.png") as picture:
        assert (picture.format, picture.size) == ("PNG", (1024, 1024))
    task, lines = only_task(sandbox), ran.err.splitlines()
    assert lines[0] in {f"{task.id} queued", f"{task.id} running"}
    assert lines[-2:] == [f"{task.id} done", f"{task.id} saved; it cost 10 coins"]
    path, body = started(sandbox)
    assert path == "/api/v1/userText2Image/start"
    assert (body["prompt"], body["name"], body.get("input_images")) == ("a lighthouse", "a lighthouse", None)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_makes_one(a2e, sandbox, tmp_path, family):
    ran = a2e("image", "a lighthouse", "-o", tmp_path, "--model", family, "--input", FACE, "--json")
    task = only_task(sandbox)
    assert ran.json == [{"id": task.id, "path": str(tmp_path / f"{task.id}.jpg"), "coins": task.coins}]
    with Image.open(tmp_path / f"{task.id}.jpg") as picture:
        assert picture.format == "JPEG"
    assert len(started(sandbox)[1]["input_images"]) == 1


def test_the_families_are_those_tried():
    assert [name for name, _ in _models.families(Images)] == FAMILIES


def test_model_pictures_and_shape(a2e, sandbox, tmp_path):
    words = ("--model", "gpt_image:gpt-image-2", "--input", FACE, "--input", sandbox.face_url, "--aspect-ratio", "16:9")
    assert a2e("image", "a lighthouse", "-o", tmp_path / "out.jpg", *words).code == 0
    path, body = started(sandbox)
    assert path == "/api/v1/userGptImage/start"
    assert (body["model"], body["aspect_ratio"]) == ("gpt-image-2", "16:9")
    assert len(body["input_images"]) == 2
    assert body["input_images"][1] == sandbox.face_url


def test_several_pictures_are_numbered(a2e, sandbox, tmp_path, monkeypatch):
    # No option asks for several: a service that makes more of its own accord does.
    monkeypatch.setattr("a2e_async.sandbox.handlers.families.count_of", lambda _fields: 3)
    ran = a2e("image", "a lighthouse", "-o", tmp_path / "out.png", "--model", "flux2", "--json")
    paths = [str(tmp_path / name) for name in ("out.png", "out-2.png", "out-3.png")]
    assert ran.json == [{"id": only_task(sandbox).id, "path": paths[0], "coins": 45.0, "paths": paths}]
    assert len({(tmp_path / name).read_bytes() for name in paths}) == 3
    assert sorted(str(path) for path in tmp_path.iterdir()) == sorted(paths)
    again = a2e("image", "a lighthouse", "-o", tmp_path / "out.png", "--model", "flux2")
    assert again.out.splitlines() == paths


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--model", "flux"], "model: no model family 'flux': did you mean 'flux2'? Families: text_to_image, nano_b"),
        (["--model", "?"], "model: no model family '?': Families: text_to_image, nano_banana"),
        (["--model", "gpt_image:gpt-image-3"], "did you mean 'gpt-image-2'? gpt_image has gpt-image-1.5, gpt-image-2."),
        (["--model", "flux2:pro"], "model: no model 'pro': flux2 has only one."),
        (["--model", "qwen", "--aspect-ratio", "16:9"], "aspect_ratio: qwen takes none."),
        (["--model", "nano_banana", "--aspect-ratio", "17:9"], "aspect_ratio: "),
        (["--input", "notes.txt"], "input_images"),
        (["--input", "gone.jpg"], "gone.jpg cannot be read"),
        (["--input", FACE] * 3, "input_images"),
    ],
)
def test_bad_use_costs_nothing(a2e, sandbox, tmp_path, words, said):
    (tmp_path / "notes.txt").write_text("no picture")
    words = [word for item in words for word in ([item] if not isinstance(item, list) else item)]
    ran = a2e("image", "a lighthouse", "-o", tmp_path / "out.png", *words)
    assert ran.code == 2
    assert said in ran.error
    assert not [entry for entry in sandbox.account(KEY).requests if entry.path.endswith("/start")]


def test_an_empty_prompt_costs_nothing(a2e, sandbox, tmp_path):
    ran = a2e("image", "", "-o", tmp_path / "out.png")
    assert ran.code == 2
    assert "prompt" in ran.error
    assert not sandbox.account(KEY).requests


def test_what_fails_and_what_moderation_stops(a2e, sandbox, tmp_path):
    failed = a2e("image", "fail:too dark", "-o", tmp_path / "out.png")
    assert (failed.code, "too dark" in failed.error, "a2e watch" in failed.error) == (1, True, False)
    assert sandbox.account(KEY).coins == 1000
    for family in FAMILIES:
        ran = a2e("image", "moderation:not this", "-o", tmp_path / "out.png", "--model", family)
        assert (ran.code, "not this" in ran.error) == (1, True)
    assert sandbox.account(KEY).coins == 1000
    assert not list(tmp_path.iterdir())


def test_lost_answer_is_not_sent_again(a2e, sandbox, tmp_path):
    sandbox.account(KEY).fault(Rule("reset_after", path="*/start"))
    ran = a2e("image", "a lighthouse", "-o", tmp_path / "out.png")
    assert ran.code == 1
    assert "may have cost coins" in ran.error
    assert only_task(sandbox).coins == 10


def test_deadline_names_the_command_to_go_on_with(a2e, serve, tmp_path):
    with sandbox_thread(clock="stepped") as still:
        serve(still)
        ran = a2e("image", "a lighthouse", "-o", tmp_path / "out.png", "--model", "kling", "--deadline", "1")
        assert ran.code == 1
        assert ran.error.endswith(f"a2e watch kling_image {only_task(still).id}")
