"""`a2e video`, from a prompt to a video on disk."""

import pytest

from a2e_async.cli import _models
from a2e_async.groups.videos import Videos
from a2e_async.sandbox.media import probe
from tests.cli.conftest import KEY, SAMPLES
from tests.cli.test_image import only_task, started

FACE = SAMPLES / "face.jpg"
SWITCHES = {
    "wan": ("task_type", "text_to_video", "first_frame", "image_url"),
    "happyhorse": ("mode", "t2v", "i2v", "image_url"),
    "veo": ("generationType", "TEXT_2_VIDEO", "FIRST_AND_LAST_FRAMES_2_VIDEO", "imageUrls"),
    "kling": ("mode", "text-to-video", "image-to-video", "image_url"),
    "kling_omni": ("", None, None, "image_list"),
    "grok": ("model_type", "text-to-video", "image-to-video", "image_url"),
    "hailuo": ("", None, None, "image_url"),
    "minimax_h3": ("mode", "text-to-video", "image-to-video", "first_frame_url"),
    "sora": ("model_type", "text-to-video", "image-to-video", "image_urls"),
    "seedance": ("mode", "text-to-video", "image-to-video", "image_url"),
    "seedance2": ("", None, None, "image_url"),
}
"""What tells the model what it begins with, without and with a picture, and where the picture goes."""


def test_a_prompt_becomes_a_video(a2e, sandbox, tmp_path):
    ran = a2e("video", "a lighthouse", "-o", tmp_path / "out.mp4")
    assert (ran.code, ran.out) == (0, f"{tmp_path / 'out.mp4'}\n")
    found = probe(tmp_path / "out.mp4")
    assert (found.frames, found.width, found.height) == (125, 1024, 576)
    task = only_task(sandbox)
    assert ran.err.splitlines()[-2:] == [f"{task.id} done", f"{task.id} saved; it cost 100 coins"]
    path, body = started(sandbox)
    assert path == "/api/v1/userWan25/start"
    assert (body["prompt"], body["name"], body["task_type"]) == ("a lighthouse", "a lighthouse", "text_to_video")


@pytest.mark.parametrize("family", SWITCHES)
def test_words_alone(a2e, sandbox, tmp_path, family):
    switch, word, _, place = SWITCHES[family]
    ran = a2e("video", "a lighthouse", "-o", tmp_path, "--model", family, "--json")
    task = only_task(sandbox)
    assert ran.json == [{"id": task.id, "path": str(tmp_path / f"{task.id}.mp4"), "coins": task.coins}]
    body = started(sandbox)[1]
    assert (body.get(switch), body.get(place)) == (word, None)


@pytest.mark.parametrize("family", SWITCHES)
def test_a_picture_to_begin_with(a2e, sandbox, tmp_path, family):
    switch, _, word, place = SWITCHES[family]
    assert (
        a2e("video", "she smiles", "-o", tmp_path / "o.mp4", "--model", family, "--input", sandbox.face_url).code == 0
    )
    body = started(sandbox)[1]
    assert body.get(switch, word) == word  # the default of its declaration need not be sent
    assert body[place] in (sandbox.face_url, [sandbox.face_url])


def test_the_families_are_those_tried():
    assert [name for name, _ in _models.families(Videos)] == ["wan", "wan_reference", *list(SWITCHES)[1:]]


def test_what_a_reference_needs(a2e, sandbox, tmp_path):
    words = ("video", "they meet", "-o", tmp_path / "out.mp4", "--model", "wan_reference")
    ran = a2e(*words)
    assert (ran.code, "input: wan_reference needs something to begin with." in ran.error) == (2, True)
    assert not sandbox.account(KEY).requests
    assert a2e(*words, "--input", sandbox.video_url, "--input", FACE).code == 0
    assert started(sandbox)[1]["reference_urls"][0] == sandbox.video_url


def test_model_shape_and_length(a2e, sandbox, tmp_path):
    words = ("--model", "kling:3.0", "--aspect-ratio", "9:16", "--seconds", "7")
    assert a2e("video", "a lighthouse", "-o", tmp_path / "out.mp4", *words).code == 0
    body = started(sandbox)[1]
    assert (body["version"], body["aspect_ratio"], body["duration"]) == ("3.0", "9:16", "7")
    found = probe(tmp_path / "out.mp4")
    assert (found.frames, found.width, found.height) == (175, 576, 1024)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--model", "klign"], "model: no model family 'klign': did you mean 'kling'? Families: wan, wan_reference"),
        (["--model", "kling:4.0"], "kling has 2.6, 3.0, standard, fast."),
        (["--model", "veo", "--seconds", "8"], "seconds: veo takes none."),
        (["--model", "minimax_h3", "--seconds", "3"], "seconds"),
        (["--model", "grok", "--seconds", "soon"], "seconds"),
        (["--model", "kling", "--input", FACE, "--input", FACE], "input: kling takes one, not 2."),
    ],
)
def test_bad_use_costs_nothing(a2e, sandbox, tmp_path, words, said):
    ran = a2e("video", "a lighthouse", "-o", tmp_path / "out.mp4", *words)
    assert ran.code == 2
    assert said in ran.error
    assert not [entry for entry in sandbox.account(KEY).requests if entry.path.endswith("/start")]
