"""`a2e sandbox doctor`: what recorded answers differ in from the sandbox's."""

import base64
import json
import re
import socket

import pytest

from a2e_async.cli._shape import differences
from tests.cli.conftest import KEY
from tests.recorded import recorded

SWAP = "/api/v1/userFaceSwapTask"
ID = "66aa00000000000000000001"
OF_ITS_STATE = {
    "GET /api/v1/anchor/character_list": "avatars of one's own stand among them",
    "POST /api/v1/custom_back/allBackground": "so do backgrounds of one's own",
    "POST /api/v1/userVideoTwin/continueTranining": "refused as long as it is being trained",
    "POST /api/v1/userVideoTwin/addVoiceClone": "refused as long as it is being trained",
    "POST /api/v1/userText2Image/quickAddAvatar": "refused as long as the picture is being made",
    "GET /api/v1/veoVideo/{_id}/1080p": "made some time after the task has ended",
    "GET /api/v1/streaming-avatar/get-qa-context": "of a room that was left",
    "POST /api/v1/streaming-avatar/ask": "of a room that was left",
    "POST /api/v1/streaming-avatar/set-qa-context": "of a room that was left",
    "POST /api/v1/streaming-avatar/speak": "of a room that was left",
}
"""Rows whose answer follows from more than the request and the states in the answer."""


def done(**fields):
    task = {
        "_id": ID, "name": "n", "face_url": "u", "video_url": "u", "result_url": "u", "current_status": "completed",
        "faild_message": "", "error_code": "", "duration": 6.0, "coins": 10,
        "createdAt": "2026", "updatedAt": "2026",
    }  # fmt: skip
    return {"code": 0, "data": task | fields, "trace_id": "t"}


@pytest.fixture
def doctor(a2e, tmp_path):
    def examine(*recordings, options=()):
        (tmp_path / "recorded.json").write_text(json.dumps(recordings[0] if len(recordings) == 1 else recordings))
        return a2e("sandbox", "doctor", "recorded.json", *options)

    return examine


def detail(**fields):
    return {"method": "GET", "path": f"{SWAP}/{ID}", "status": 200, "body": done(**fields)}


def har(*entries):
    return {
        "log": {
            "version": "1.2",
            "entries": [
                {
                    "request": {
                        "method": method,
                        "url": url,
                        "headers": [{"name": "Authorization", "value": f"Bearer {KEY}"}],
                        "cookies": [{"name": "session", "value": KEY}],
                        **({"postData": {"mimeType": "application/json", "text": json.dumps(sent)}} if sent else {}),
                    },
                    "response": {"status": status, "content": content},
                }
                for method, url, sent, status, content in entries
            ],
        }
    }


def test_the_sandbox_agrees_with_all_that_a_sandbox_answered(doctor):
    known = [one for one in recorded() if one.body[:1] == b"{"]
    ran = doctor(
        *(
            {"method": one.endpoint.method, "path": one.path, "status": one.status, "body": json.loads(one.body)}
            | ({"request": json.loads(one.sent)} if one.sent else {})
            for one in known
        ),
        options=["--json"],
    )
    assert len(known) > 150
    assert {found["row"] for found in ran.json[0]} == OF_ITS_STATE.keys()


def test_the_same_shape_is_no_difference_whatever_the_values(doctor):
    ran = doctor(detail(name="another", coins=12.5, result_url=None))
    assert (ran.code, ran.out) == (0, "")
    assert ran.err == "compared: 1; rows that differ: 0\n"


def test_differences_are_listed_by_row(doctor):
    odd = detail(coins="10", progress=5, current_status="archiving")
    del odd["body"]["data"]["name"]
    ran = doctor(odd, odd, {"method": "get", "path": "/api/v1/nothing", "status": 200, "body": {}})
    assert ran.code == 1
    assert ran.out.splitlines() == [
        "GET /api/v1/nothing",
        "  path                 live: HTTP 200                  sandbox: unknown",
        "GET /api/v1/userFaceSwapTask/{_id}",
        "  data.coins           live: string                    sandbox: number  (2 times)",
        "  data.current_status  live: unknown word 'archiving'  sandbox: -  (2 times)",
        "  data.name            live: -                         sandbox: string  (2 times)",
        "  data.progress        live: number                    sandbox: -  (2 times)",
    ]
    assert ran.err == "compared: 3; rows that differ: 2\n"


def test_as_json(doctor):
    ran = doctor(detail(progress=5), options=["--json"])
    assert ran.code == 1
    assert ran.json == [
        [{"row": f"GET {SWAP}/{{_id}}", "where": "data.progress", "live": "number", "sandbox": "-", "count": 1}]
    ]
    assert doctor(detail(), options=["--json"]).json == [[]]


@pytest.mark.parametrize(
    ("recording", "said"),
    [
        (detail() | {"status": 201}, "HTTP status  live: 201  sandbox: 200"),
        (
            {
                "method": "GET",
                "path": "/api/v1/user/remainingCoins",
                "status": 200,
                "body": {"code": 1001, "msg": "no"},
            },
            "code  live: refused  sandbox: 0",
        ),
        (detail() | {"body": "<html>"}, "body  live: string  sandbox: object"),
        (detail() | {"body": done() | {"took": 3}}, "took  live: number  sandbox: -"),
        (detail() | {"body": [done()]}, "body  live: array  sandbox: object"),
        (
            {"method": "POST", "path": f"{SWAP}/add", "request": {"name": "n"}, "status": 200, "body": done()},
            "HTTP status  live: 200  sandbox: 400: face_url is required",
        ),
    ],
)
def test_envelopes_and_refusals(doctor, recording, said):
    ran = doctor(recording)
    assert ran.code == 1
    assert said in [line.strip() for line in ran.out.splitlines()]


@pytest.mark.parametrize(
    ("path", "status", "sent"),
    [
        (f"{SWAP}/{ID}", 404, None),
        (f"{SWAP}/{ID}", 401, None),
        (f"{SWAP}/add", 400, {"name": "n"}),
        (f"{SWAP}/add", 400, {"name": "n", "face_url": "https://x.test/f.jpg", "video_url": "https://x.test/v.mp4"}),
    ],
)
def test_what_was_refused_is_refused_in_the_same_way(doctor, path, status, sent):
    body = {"code": 1001, "msg": "whatever", "trace_id": "t"}
    recording = {"method": "POST" if sent else "GET", "path": path, "status": status, "body": body}
    assert doctor(recording | ({"request": sent} if sent else {})).code == 0


@pytest.mark.parametrize(
    ("word", "times"),
    [
        ("initialized", {"initialized"}),
        ("processing", {"initialized", "processing"}),
        ("completed", {"initialized", "processing", "completed"}),
        ("failed", {"initialized", "processing", "completed"}),
        ("archiving", {"initialized", "processing"}),
    ],
)
def test_tasks_are_compared_in_the_state_in_which_they_were(doctor, word, times):
    row = done(current_status=word)["data"]
    body = {"code": 0, "data": [row], "trace_id": "t"}
    path = f"{SWAP}/batchDetail"
    ran = doctor({"method": "POST", "path": path, "request": {"ids": [ID]}, "status": 200, "body": body})
    assert set(re.findall(r"data\[\]\.(\w+)_time .* live: - .* sandbox: string", ran.out)) == times


@pytest.mark.parametrize("path", ["userCaptionRemoval/retry", "userVideoTwin/retry"])
@pytest.mark.parametrize(("status", "code"), [(200, 0), (400, 1001)])
def test_retries_are_of_what_has_failed(doctor, path, status, code):
    body = {"code": code, "trace_id": "t"} | ({"msg": "no"} if code else {"data": {"current_status": "initialized"}})
    ran = doctor({"method": "POST", "path": f"/api/v1/{path}", "request": {"_id": ID}, "status": status, "body": body})
    assert "HTTP status" not in ran.out


def test_a_browsers_recording_is_read_and_nobody_is_asked(a2e, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as service:
        service.settimeout(0)
        url = f"http://127.0.0.1:{service.getsockname()[1]}"
        body = {"name": "n", "face_url": f"{url}/a.jpg", "video_url": f"{url}/{KEY}", "webhook_url": f"{url}/hook"}
        text, encoded = json.dumps(done()), base64.b64encode(json.dumps(done(extra=KEY)).encode()).decode()
        recorded_ = har(
            ("GET", f"{url}/logo.png", None, 200, {"mimeType": "image/png"}),
            ("GET", f"{url}{SWAP}/{ID}?token={KEY}", None, 200, {"text": text}),
            ("OPTIONS", f"{url}{SWAP}/{ID}", None, 204, {}),
            ("GET", f"{url}{SWAP}/{ID}", None, 304, {}),
            ("GET", f"{url}{SWAP}/{ID}", None, 0, {}),
            ("GET", f"{url}{SWAP}/{ID}", None, 200, {"text": encoded, "encoding": "base64"}),
            ("GET", f"{url}{SWAP}/{ID}", None, 200, {"text": "%", "encoding": "base64"}),
            ("POST", f"{url}{SWAP}/add", body, 200, {}),
            ("GET", f"{url}/api/v1/{KEY}", None, 200, {"text": text}),
            ("GET", "https://elsewhere.test/api/v1/track", None, 200, {"text": text}),
        )
        (tmp_path / "site.har").write_text("\ufeff" + json.dumps(recorded_), encoding="utf-8")
        ran = a2e("sandbox", "doctor", "site.har")
        with pytest.raises(BlockingIOError):
            service.accept()
    assert ran.code == 1
    assert "GET /api/v1/sk_***-kept-secret" in ran.out
    assert "data.extra  live: string" in ran.out
    assert "elsewhere" not in ran.out
    assert ran.err == "compared: 5; rows that differ: 2\n"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot read it.har: No such file"),
        (b"", "none of 0 has a path that it has"),
        (b"<html>", "holds no recorded answers"),
        (b"\xff\xfe{\x00", "holds no recorded answers"),
        (b"[" * 100_000, "holds no recorded answers"),
        (b'{"log": {}}', "Object missing required field `entries` - at `$.log`"),
        (b'{"log": {"entries": []}}', "none of 0 has a path that it has"),
        (b'{"log": {"entries": [{"request": 7}]}}', "holds no recorded answers"),
        (b"[]", "none of 0 has a path that it has"),
        (b"7", "holds no recorded answers"),
        (b'{"method": "GET", "path": "/api/v1/x", "status": "sk_well-kept-secret", "body": 1}', "Expected `int`"),
        (b'{"method": "GET", "path": "http://[/api/v1/x", "status": 200, "body": 1}', "a URL or text that is none"),
        (b'{"method": "GET", "path": "/index.html", "status": 200, "body": 1}', "none of 1 has a path that it has"),
    ],
)
def test_what_is_no_recording_is_bad_use(a2e, tmp_path, content, said):
    if content is not None:
        (tmp_path / "it.har").write_bytes(content)
    ran = a2e("sandbox", "doctor", "it.har")
    assert ran.code == 2
    assert said in ran.error
    assert ran.out == ""


@pytest.mark.parametrize(
    "sent",
    [
        b"{",
        b"[" * 5000,
        b"7",
        b'"x"',
        b'{"name": {"a": [1, {"b": null}]}}',
        b'{"ids": [], "_id": 7}',
        b'{"face_url": "http://[:"}',
    ],
)
def test_odd_requests_are_compared_all_the_same(a2e, tmp_path, sent):
    entry = har(("POST", f"https://a2e.test{SWAP}/add", None, 200, {"text": '{"code": 0}'}))
    entry["log"]["entries"][0]["request"]["postData"] = {"text": sent.decode()}
    (tmp_path / "it.har").write_text(json.dumps(entry))
    ran = a2e("sandbox", "doctor", "it.har")
    assert ran.code == 1
    assert "HTTP status  live: 200  sandbox: 400" in ran.out


def test_odd_answers_are_compared_all_the_same(doctor):
    deep = "x"
    for _ in range(300):
        deep = [{"a": deep}]
    ran = doctor(detail(**{"\x1b[2J": deep, "a.b[]": deep, "long" * 100: 1}))
    assert ran.code == 1
    assert "\x1b" not in ran.out
    assert max(map(len, ran.out.splitlines())) < 200


def test_files_are_needed(a2e):
    assert a2e("sandbox", "doctor").code == 2


@pytest.mark.parametrize(
    ("live", "ours", "found"),
    [
        ({"a": None}, {"a": 1}, []),
        ({"a": 1.5}, {"a": 1}, []),
        ({"a": True}, {"a": 1}, ["a"]),
        ({"a": [{"b": 1}]}, {"a": []}, []),
        ({"a": [{"b": 1}, {"c": 1}]}, {"a": [{"b": 1, "c": 1}]}, []),
        ({"a": [{"b": 1}, {"c": {"d": 1}}]}, {"a": [{"b": 1}]}, ["a[].c"]),
        ({"a": {"b": {"c": 1}}}, {"a": {}}, ["a.b"]),
        ({"a": [1]}, {"a": {"b": 1}}, ["a"]),
        ({"a": [1]}, {"a": ["x"]}, ["a[]"]),
        ({"a": [[1]]}, {"a": [["x"]]}, ["a[][]"]),
        ({"a": {"b": 1}}, {"a": None}, []),
        ({"status": "gone"}, {"status": "completed"}, ["status"]),
        ({"status": "gone"}, {"status": "open"}, []),
        (1, "x", ["body"]),
    ],
)
def test_the_uppermost_place_is_told(live, ours, found):
    assert [one.where for one in differences(live, ours)] == found
