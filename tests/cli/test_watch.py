"""`a2e watch`, for tasks that others started."""

import asyncio
import json

import msgspec
import pytest

from a2e_async import A2ESession
from a2e_async.cli._least import least
from a2e_async.groups.face_swap import AddSwap, FaceSwapTasks
from a2e_async.tasks import KINDS
from tests.cli.conftest import KEY


@pytest.fixture
def ids(sandbox) -> list[str]:
    async def submit() -> list[str]:
        async with A2ESession(KEY, base_url=sandbox.url) as a2e:
            jobs = [
                AddSwap(name=name, face_url=sandbox.face_url, video_url=sandbox.video_url)
                for name in ("one", "two", "fail:too dark")
            ]
            return [(await a2e.call(FaceSwapTasks.add, job)).id for job in jobs]

    return asyncio.run(submit())


def test_all_done(a2e, ids, sandbox):
    ran = a2e("watch", "face_swap", *ids[:2], ids[0])
    assert ran.code == 0
    assert sorted(line.split()[:2] for line in ran.out.splitlines()) == sorted([key, "done"] for key in ids[:2])
    assert all(line.split()[2].startswith(f"{sandbox.url}/results/") for line in ran.out.splitlines())
    assert {line.split()[0] for line in ran.err.splitlines()} == set(ids[:2])


def test_one_failed(a2e, ids):
    ran = a2e("watch", "face_swap", *ids)
    assert ran.code == 1
    (line,) = [line for line in ran.out.splitlines() if line.startswith(ids[2])]
    assert line.split()[1] == "failed"
    assert "too dark" in line


def test_json_lines(a2e, ids):
    ran = a2e("watch", "face_swap", *ids, "--json")
    assert (ran.code, ran.err) == (1, "")
    for key in ids:
        rows = [row for row in ran.json if row["id"] == key]
        assert [row["previous"] for row in rows] == [None, *(row["state"] for row in rows[:-1])]
        assert list(rows[-1]) == ["kind", "id", "previous", "state", "at", "result_url", "coins", "error"]
        assert rows[-1]["kind"] == "face_swap"
    last = {row["id"]: row for row in ran.json}
    assert [last[key]["state"] for key in ids] == ["done", "done", "failed"]
    assert last[ids[0]]["result_url"].startswith("http")
    assert (last[ids[0]]["coins"], last[ids[0]]["error"]) == (10.0, None)
    assert (last[ids[2]]["result_url"], "too dark" in last[ids[2]]["error"]) == (None, True)


def test_unknown_id_harms_no_other(a2e, ids):
    unknown = "5f" + 22 * "0"
    ran = a2e("watch", "face_swap", ids[0], unknown, "--json")
    assert ran.code == 1
    assert unknown in str(ran.json)
    rows = {row["id"]: row for row in ran.json}
    assert rows[ids[0]]["state"] == "done"
    assert (rows[unknown]["state"], "404" in rows[unknown]["error"]) == (None, True)
    assert "404" in ran.error


def test_malformed_id(a2e, sandbox):
    ran = a2e("watch", "face_swap", "nonsense")
    assert ran.code == 1
    assert "400" in ran.error


def test_typo_in_the_kind(a2e, sandbox):
    ran = a2e("watch", "face_swp", "5f" + 22 * "0")
    assert ran.code == 2
    assert "did you mean 'face_swap'?" in ran.error


def test_no_such_kind(a2e, sandbox):
    ran = a2e("watch", "zzz", "5f" + 22 * "0")
    assert ran.code == 2
    assert "no kind 'zzz': Kinds: " in ran.error
    assert all(kind in ran.error for kind in KINDS)


def test_wrong_key_is_said_once(a2e, ids, monkeypatch):
    monkeypatch.setenv("A2E_API_KEY", "sk_invalid")
    ran = a2e("watch", "face_swap", *ids)
    assert ran.code == 1
    assert "Check A2E_API_KEY" in ran.error


@pytest.fixture
def started(a2e, sandbox):
    """Start a task of each kind; return the ids by kind."""
    sandbox.account(KEY).grant(10_000)
    name, face, video = "name=n", f"face_url={sandbox.face_url}", f"video_url={sandbox.video_url}"
    speech = a2e("say", "Hello", "-o", "speech.wav", "--json").json[0]["url"]
    anchor = a2e("call", "avatar_videos.characters", "type=public").json[0][0]["_id"]
    image, source = f"image_url={sandbox.face_url}", f"source_url={sandbox.video_url}"
    starts = {
        "face_swap": ["face_swap.tasks.add", name, face, video],
        "face_swap_preview": ["face_swap.previews.add", face, video],
        "voice_clone": ["voices.start", name, f"voice_urls={speech}"],
        "avatar_video": ["avatar_videos.start", f"anchor_id={anchor}", "anchor_type=0", f"audio_url={speech}"],
        "avatar": ["avatars.start", name, "gender=male", video],
        "dubbing": ["dubbing.start", name, source, "source_lang=auto", "target_lang=fr"],
        "image_to_video": ["image_to_video.start", image],
        "caption_removal": ["caption_removal.start", name, source],
    }
    media = {"picture": sandbox.face_url, "video": sandbox.video_url, "audio": speech}
    for kind in KINDS.values():
        if kind.start.noun.startswith(("images.", "videos.")):
            values = msgspec.to_builtins(least(kind.start.request, media))
            words = [f"{key}={one if isinstance(one, str) else json.dumps(one)}" for key, one in values.items()]
            starts[kind.name] = [f"{kind.start.noun}.start", *words]
    return {kind: a2e("call", *words).json[0]["_id"] for kind, words in starts.items()}


def test_every_kind_is_known(a2e, started):
    started["continued_avatar"] = started["avatar"]
    assert started.keys() == KINDS.keys()
    for kind in sorted(started, key="continued_avatar".__eq__):
        if kind == "continued_avatar":
            a2e("call", "avatars.continue_training", f"id={started[kind]}")
        ran = a2e("watch", kind, started[kind])
        assert (ran.code, ran.out.split()[:2]) == (0, [started[kind], "done"]), kind
        assert "None" not in ran.out
