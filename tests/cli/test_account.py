"""`a2e credits`, and how every command fails."""

import json
import os

import pytest

from a2e_async.sandbox import sandbox_thread
from tests.ports import closed_port

pytestmark = pytest.mark.usefixtures("sandbox")


def test_credits(a2e):
    ran = a2e("credits")
    assert (ran.code, ran.out, ran.err) == (0, "1000 coins, 0 diamonds\n", "")


def test_credits_as_json(a2e):
    assert a2e("credits", "--json").json == [{"coins": 1000.0, "diamonds": 0}]


def test_large_and_broken_amounts_are_written_out(a2e, serve):
    with sandbox_thread(coins=12_345_678.5) as rich:
        serve(rich)
        assert a2e("credits").out == "12345678.50 coins, 0 diamonds\n"


def test_no_key(a2e, monkeypatch):
    monkeypatch.delenv("A2E_API_KEY")
    ran = a2e("credits")
    assert ran.code == 2
    assert ran.err == ran.error + "\n"
    assert "set A2E_API_KEY" in ran.error


def test_wrong_key(a2e, monkeypatch):
    monkeypatch.setenv("A2E_API_KEY", "sk_invalid-and-secret")
    ran = a2e("credits")
    assert ran.code == 1
    assert "Check A2E_API_KEY" in ran.error
    assert "sk_invalid" not in ran.out + ran.err


def test_nobody_there(a2e, monkeypatch):
    with closed_port() as port:
        monkeypatch.setenv("A2E_BASE_URL", f"http://127.0.0.1:{port}")
        ran = a2e("credits")
    assert ran.code == 1
    assert ran.err == ran.error + "\n"
    assert "Check the network" in ran.error
    assert f"127.0.0.1:{port}" in ran.error


def test_token_in_the_clear(a2e, monkeypatch):
    monkeypatch.setenv("A2E_BASE_URL", "http://a2e.example")
    ran = a2e("credits")
    assert ran.code == 2
    assert "use https" in ran.error


def test_debug_shows_the_traceback_and_no_token(a2e, monkeypatch):
    monkeypatch.setenv("A2E_API_KEY", "sk_invalid-and-secret")
    ran = a2e("credits", "--debug")
    assert "Traceback" in ran.err
    assert ran.err.splitlines()[-1].startswith("a2e: error: ")
    assert "sk_invalid" not in ran.err


def test_a_reader_that_has_gone_is_no_crash(start):
    reading, writing = os.pipe()
    os.close(reading)
    ran = start("endpoints", "--json", stdout=writing)
    os.close(writing)
    assert ran.ended()[::2] == (1, "")


def test_output_that_the_code_page_lacks(start, tmp_path, monkeypatch, sandbox):
    monkeypatch.setenv("PYTHONIOENCODING", "cp1252")
    folder = tmp_path / "\u732b"
    folder.mkdir()
    process = start("swap", sandbox.face_url, sandbox.video_url, "-o", folder / "out.mp4", "--json", url=sandbox.url)
    ran = process.ended()
    assert ran.code == 0
    assert json.loads(ran.out)["path"] == str(folder / "out.mp4")
    plain = start("swap", sandbox.face_url, sandbox.video_url, "-o", folder / "out.mp4", url=sandbox.url).ended()
    assert (plain.code, plain.out) == (0, f"{tmp_path}{os.sep}\\u732b{os.sep}out.mp4\n")
