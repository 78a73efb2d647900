"""`a2e sandbox`: what it prints is enough to use it."""

import json
import os
import signal
import socket
import time
from urllib.request import Request, urlopen

import pytest

from a2e_async.sandbox import storm

posix = pytest.mark.skipif(
    os.name == "nt",
    reason="Windows cannot send Ctrl-C to one process: it would reach the test runner as well",
)


def greeting(process) -> dict[str, str]:
    """Read what it prints up to its last line, and return what it says to export."""
    lines = list(iter(process.stdout.readline, "Stop: Ctrl-C\n"))
    words = [line.split() for line in lines]
    return dict(word[1].split("=", 1) for word in words if word[:1] in (["export"], ["set"])) | {"all": "".join(lines)}


@posix
@pytest.mark.parametrize("way", ["SIGINT", "SIGTERM"])
def test_serves_until_it_is_told_to_stop(start, a2e, monkeypatch, tmp_path, way):
    process = start("sandbox", "--port", "0", "--clock", "scaled:100", "--coins", "77")
    told = greeting(process)
    for name in ("A2E_BASE_URL", "A2E_API_KEY"):
        monkeypatch.setenv(name, told[name])
    assert a2e("credits").out == "77 coins, 0 diamonds\n"
    (command,) = [line.split() for line in told["all"].splitlines() if line.startswith("  a2e swap ")]
    assert a2e(*command[1:]).out == "out.mp4\n"
    assert (tmp_path / "out.mp4").exists()
    began = time.monotonic()
    process.send_signal(getattr(signal, way))
    ran = process.ended()
    assert (ran.code, ran.err) == (0, "")
    assert time.monotonic() - began < 20  # open connections are not waited for


@posix
def test_database_outlives_it(start, a2e, monkeypatch, tmp_path):
    db = tmp_path / "a2e.sqlite"
    for coins in ("50", "60"):
        process = start("sandbox", "--port", "0", "--db", db, "--coins", coins)
        told = greeting(process)
        assert f"Data: {db} and {db}.files" in told["all"]
        monkeypatch.setenv("A2E_BASE_URL", told["A2E_BASE_URL"])
        assert a2e("credits").out == "50 coins, 0 diamonds\n"
        process.interrupt()
        assert process.ended().code == 0


def test_port_in_use(a2e):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ran = a2e("sandbox", "--port", str(port))
    assert ran.code == 2
    assert ran.err == ran.error + "\n"
    assert f"port {port} on 127.0.0.1 is in use" in ran.error


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--host", "0.0.0.0"], "add --allow-remote"),
        (["--clock", "sundial"], "scaled:FACTOR"),
        (["--fault", '{"effect": "status", "share": 2}'], "share must be within 0..1"),
        (["--fault", "melt"], "--fault melt: effect must be one of delay, "),
        (["--fault", "status:colour=red"], "--fault status:colour=red: "),
        (["--fault", "delay:word=x"], "delay takes no word"),
        (["--fault", "\udcff"], "--fault "),
        (["--storm", "2"], "--storm 2: share must be within 0..1"),
        (["--db", "gone/a2e.sqlite"], "cannot use gone/a2e.sqlite"),
        (["--host", "192.0.2.1", "--allow-remote"], "cannot serve on 192.0.2.1"),
    ],
)
def test_what_it_cannot_serve_with(a2e, options, said):
    ran = a2e("sandbox", "--port", "0", *options)
    assert ran.code == 2
    assert said in ran.error


@posix
def test_faults_reach_every_account(start, a2e, monkeypatch):
    rules = ['{"effect": "status", "path": "*/remainingCoins", "status": 403, "every": 2, "first": 1}']
    rules += ["status:path=*/remainingCoins,status=404,nth=2"]
    process = start("sandbox", "--port", "0", *(word for rule in rules for word in ("--fault", rule)))
    monkeypatch.setenv("A2E_BASE_URL", greeting(process)["A2E_BASE_URL"])
    for key in ("sk_one", "sk_two"):
        monkeypatch.setenv("A2E_API_KEY", key)
        assert "403" in a2e("credits").error
        assert "404" in a2e("credits").error
    process.interrupt()
    assert process.ended().code == 0


@posix
def test_a_storm_follows_the_rules_that_were_given(start):
    process = start("sandbox", "--port", "0", "--storm", "0.25", "--fault", "reset_after:share=0.01,path=*/add")
    url = f"{greeting(process)['A2E_BASE_URL']}/sandbox/faults"
    with urlopen(Request(url, headers={"Authorization": "Bearer sk_test"})) as answer:
        given, *rules = json.load(answer)
    assert (given["effect"], given["share"], given["path"]) == ("reset_after", 0.01, "*/add")
    assert {rule["share"] for rule in rules} == {0.25}
    assert len(rules) == len(storm(0.25))
    process.interrupt()
    assert process.ended().code == 0


@posix
def test_strict_remote_and_fetch_reach_the_server(start, a2e, monkeypatch):
    process = start("sandbox", "--port", "0", "--host", "0.0.0.0", "--allow-remote", "--strict", "--fetch", "any")
    monkeypatch.setenv("A2E_BASE_URL", greeting(process)["A2E_BASE_URL"])
    assert a2e("credits").code == 0
    face = "http://elsewhere.invalid/face.jpg"
    ran = a2e("swap", face, face, "-o", "out.mp4")
    assert ran.code == 1
    assert "cannot be fetched" in ran.error
    process.interrupt()
    assert process.ended().code == 0
