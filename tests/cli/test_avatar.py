"""`a2e avatar create` and `a2e avatar say`."""

import asyncio
import contextlib
import os

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from a2e_async import A2EError, A2ESession
from a2e_async.cli.avatar_create import anchor_of
from a2e_async.groups.avatars import Avatar
from a2e_async.sandbox import Rule, sandbox_thread
from a2e_async.sandbox.media import probe
from tests.cli.conftest import KEY, SAMPLES

FACE, CLIP = SAMPLES / "face.jpg", SAMPLES / "clip.mp4"
TRAIN, GENERATE = "/api/v1/userVideoTwin/startTraining", "/api/v1/video/generate"
ANN = ("--name", "Ann", "--gender", "female")


def sent(sandbox, path):
    (entry,) = [entry for entry in sandbox.account(KEY).requests if entry.path == path]
    return entry.body


def public(a2e):
    return a2e("call", "avatar_videos.characters", "type=public").json[0][0]["_id"]


def test_an_avatar_of_a_video(a2e, sandbox):
    ran = a2e("avatar", "create", CLIP, *ANN)
    assert ran.code == 0
    anchor = ran.out.strip()
    (own,) = a2e("call", "avatar_videos.characters", "type=custom").json[0]
    assert own["_id"] == anchor
    (task,) = sandbox.account(KEY).tasks
    lines = ran.err.splitlines()
    assert lines[0] == f"{task.id} queued"
    assert lines[-2:] == [f"{task.id} done", f"{task.id} trained; it cost 0 coins"]
    body = sent(sandbox, TRAIN)
    assert (body["name"], body["gender"], "image_url" in body) == ("Ann", "female", False)


def test_an_avatar_of_a_picture_and_json(a2e, sandbox):
    ran = a2e("avatar", "create", sandbox.face_url, *ANN, "--json")
    (made,) = ran.json
    (task,) = sandbox.account(KEY).tasks
    assert (made["id"], made["coins"], len(made["anchor_id"])) == (task.id, 100.0, 24)
    body = sent(sandbox, TRAIN)
    assert (body["image_url"], "video_url" in body) == (sandbox.face_url, False)


def test_a_training_that_failed(a2e, sandbox):
    ran = a2e("avatar", "create", CLIP, "--name", "fail:two faces", "--gender", "male")
    assert (ran.code, ran.out) == (1, "")
    assert "two faces" in ran.error


def test_an_avatar_of_your_own_speaks(a2e, sandbox, tmp_path):
    anchor = a2e("avatar", "create", CLIP, *ANN).out.strip()
    ran = a2e("avatar", "say", "Good morning", "--anchor", anchor, "--own", "-o", tmp_path / "out.mp4")
    assert (ran.code, ran.out) == (0, f"{tmp_path / 'out.mp4'}\n")
    assert probe(tmp_path / "out.mp4").frames
    body = sent(sandbox, GENERATE)
    assert (body["anchor_id"], body["anchor_type"], body["title"]) == (anchor, 1, "Good morning")
    assert body["audioSrc"] in ran.err


def test_a_public_avatar_speaks_with_a_voice_that_was_named(a2e, sandbox):
    families = a2e("call", "voices.public", "country=en", "region=GB").json[0]
    voice = families[0]["children"][2]["value"]
    ran = a2e("avatar", "say", "Long " * 20, "--anchor", public(a2e), "--voice", voice, "-o", "out.mp4", "--json")
    (made,) = ran.json
    assert (ran.code, made["path"]) == (0, "out.mp4")
    assert sent(sandbox, "/api/v1/video/send_tts")["tts_id"] == voice
    body = sent(sandbox, GENERATE)
    assert (body["anchor_type"], len(body["title"])) == (0, 40)


def test_an_avatar_that_is_not_there(a2e, sandbox):
    ran = a2e("avatar", "say", "Hello", "--anchor", 24 * "0", "-o", "out.mp4")
    assert ran.code == 1
    assert "anchor_id" in ran.error
    assert f"speech {sandbox.url}/" in ran.err


@pytest.mark.parametrize(
    ("words", "path"),
    [(("create", str(CLIP), *ANN), TRAIN), (("say", "Hello", "--anchor", "", "-o", "out.mp4"), GENERATE)],
)
def test_lost_answer_is_not_sent_again(a2e, sandbox, words, path):
    words = [public(a2e) if word == "" else word for word in words]
    sandbox.account(KEY).fault(Rule("reset_after", path=path))
    ran = a2e("avatar", *words)
    assert ran.code == 1
    assert "may have cost coins" in ran.error
    assert sent(sandbox, path)


def test_deadline_names_the_command_to_go_on_with(a2e, serve):
    with sandbox_thread(clock="stepped") as still:
        serve(still)
        ran = a2e("avatar", "create", CLIP, *ANN, "--deadline", "1")
        assert ran.error.endswith(f"a2e watch avatar {still.account(KEY).tasks[0].id}")
        ran = a2e("avatar", "say", "Hello", "--anchor", public(a2e), "-o", "out.mp4", "--deadline", "1")
        assert ran.error.endswith(f"a2e watch avatar_video {still.account(KEY).tasks[-1].id}")


@pytest.mark.skipif(os.name == "nt", reason="Windows cannot send Ctrl-C to one process")
def test_interrupted(start, sandbox_in_thread):
    sandbox_in_thread.account(KEY, clock="stepped")
    process = start("avatar", "create", CLIP, *ANN, url=sandbox_in_thread.url)
    task_id = process.until(" queued").split()[0]
    process.interrupt()
    ran = process.ended()
    assert (ran.code, ran.out) == (130, "")
    assert ran.err.endswith(f"To continue: a2e watch avatar {task_id}\n")


@pytest.mark.parametrize(
    ("listed", "said"),
    [([{"_id": 24 * "a"}], 24 * "a"), ([], "it is trained but not listed yet")],
)
def test_an_older_server_tells_the_anchor_id_in_its_list_only(listed, said):
    async def look() -> str:
        async def answer(request):
            assert request.query["user_video_twin_id"] == 24 * "1"
            return web.json_response({"code": 0, "data": listed})

        app = web.Application()
        app.router.add_get("/api/v1/anchor/character_list", answer)
        async with TestServer(app) as server, A2ESession(KEY, base_url=str(server.make_url(""))) as a2e:
            return await anchor_of(a2e, Avatar(id=24 * "1"))

    with contextlib.nullcontext() if listed else pytest.raises(A2EError, match=said):
        assert asyncio.run(look()) == said
