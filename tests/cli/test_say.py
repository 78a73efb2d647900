"""`a2e say`: from a text to a sound file."""

import pytest

from a2e_async.sandbox import Rule
from tests.cli.conftest import KEY

SPEAK = "/api/v1/video/send_tts"


def sent(sandbox):
    (entry,) = [entry for entry in sandbox.account(KEY).requests if entry.path == SPEAK]
    return entry.body


def voices(a2e, *words):
    families = a2e("call", "voices.public", *words).json[0]
    return [voice["value"] for family in families for voice in family["children"]]


def test_a_sound_file_by_the_first_english_voice(a2e, sandbox, tmp_path):
    ran = a2e("say", "Hello there", "-o", tmp_path / "new" / "speech.wav")
    assert (ran.code, ran.out) == (0, f"{tmp_path / 'new' / 'speech.wav'}\n")
    assert (tmp_path / "new" / "speech.wav").read_bytes()[:4] == b"RIFF"
    first = voices(a2e, "country=en", "region=US")[0]
    assert sent(sandbox)["tts_id"] == first
    chosen, spoken = ran.err.splitlines()
    assert chosen.startswith(f"voice {first} (")
    assert spoken.startswith(f"speech {sandbox.url}/")


@pytest.mark.parametrize(("language", "region"), [("fr", "FR"), ("en-GB", "GB")])
def test_the_first_voice_of_another_language(a2e, sandbox, language, region):
    ran = a2e("say", "Bonjour", "-o", "out.wav", "--language", language, "--json")
    (said,) = ran.json
    assert said["path"] == "out.wav"
    assert said["url"] in ran.err
    first = voices(a2e, f"country={language[:2]}", f"region={region}")[0]
    assert sent(sandbox)["tts_id"] == first


def test_a_voice_and_a_speed_that_were_named(a2e, sandbox):
    last = voices(a2e, "country=en", "region=US")[-1]
    ran = a2e("say", "Hello", "-o", "out.wav", "--voice", last, "--rate", "1.5")
    assert ran.code == 0
    assert "voice" not in ran.err
    assert (sent(sandbox)["tts_id"], sent(sandbox)["speechRate"]) == (last, 1.5)


def test_a_cloned_voice(a2e, sandbox):
    url = a2e("say", "Hello", "-o", "out.wav", "--json").json[0]["url"]
    started = a2e("call", "voices.start", "name=mine", f"voice_urls={url}")
    (voice,) = started.json
    assert a2e("watch", "voice_clone", voice["_id"]).code == 0
    assert a2e("say", "Hello", "-o", "clone.wav", "--user-voice", voice["_id"]).code == 0
    entries = [entry for entry in sandbox.account(KEY).requests if entry.path == SPEAK]
    assert entries[-1].body["user_voice_id"] == voice["_id"]
    assert "tts_id" not in entries[-1].body


def test_a_language_without_a_voice(a2e, sandbox):
    ran = a2e("say", "Hello", "-o", "out.wav", "--language", "xx")
    assert ran.code == 2
    assert "no public voice speaks 'xx'. Languages: a2e call account.languages" in ran.error


@pytest.mark.parametrize(("text", "rate"), [("", "1"), ("Hello", "3")])
def test_bad_use_costs_nothing(a2e, sandbox, text, rate):
    ran = a2e("say", text, "-o", "out.wav", "--rate", rate, "--voice", "x")
    assert ran.code == 2
    assert ran.error
    assert not sandbox.account(KEY).requests


def test_no_place_for_the_sound_costs_nothing(a2e, sandbox, tmp_path):
    (tmp_path / "file").write_text("in the way")
    ran = a2e("say", "Hello", "-o", tmp_path / "file" / "out.wav")
    assert ran.code == 2
    assert "cannot write to" in ran.error
    assert not sandbox.account(KEY).requests


def test_lost_answer_is_not_sent_again(a2e, sandbox):
    sandbox.account(KEY).fault(Rule("reset_after", path=SPEAK))
    ran = a2e("say", "Hello", "-o", "out.wav")
    assert ran.code == 1
    assert "may have cost coins" in ran.error
    assert sent(sandbox)


def test_a_sound_that_cannot_be_saved_is_not_lost(a2e, sandbox):
    sandbox.account(KEY).fault(Rule("status", path="/cdn/*", status=403))
    ran = a2e("say", "Hello", "-o", "out.wav")
    assert ran.code == 1
    assert f"speech {sandbox.url}/" in ran.err


def test_debug_shows_the_traceback_here_too(a2e, monkeypatch):
    monkeypatch.setenv("A2E_API_KEY", "sk_invalid-and-secret")
    ran = a2e("say", "hello", "-o", "out.mp3", "--debug")  # a command of this name is a module beside `say`
    assert ran.code == 1
    assert "Traceback" in ran.err
    assert ran.err.splitlines()[-1].startswith("a2e: error: ")
