"""Texts that others chose, as a terminal and a spreadsheet get them."""

import asyncio
import csv
import io
import json

import pytest

from a2e_async.journal import Journal, Phase
from a2e_async.sandbox import Rule
from tests.cli.conftest import KEY

STEERING = "\x1b]0;title\x07\x1b[31mred\x9b2J\rover\u202etxt"
SHOWN = r"\x1b]0;title\x07\x1b[31mred\x9b2J over\u202etxt"


def answer(text: str, code: int = 0) -> str:
    return json.dumps({"code": code, "data": text, "msg": text})


@pytest.mark.parametrize("words", [[], ["--debug"]])
def test_no_error_of_the_services_steers_the_terminal(a2e, sandbox, words):
    sandbox.account(KEY).fault(Rule("status", status=400, body=answer(STEERING, 1001)))
    ran = a2e(*words, "call", "account.coins")
    assert SHOWN in ran.err
    assert not set(ran.err) & set(STEERING) & {"\x1b", "\x07", "\x9b", "\r", "\u202e"}
    assert ("Traceback" in ran.err) == bool(words)


def test_no_text_of_the_services_steers_the_terminal(a2e, sandbox):
    sandbox.account(KEY).fault(Rule("html", body=answer(f"two\nlines {STEERING}")))
    ran = a2e("call", "voices.speak", "text=x", "tts_id=y")
    assert ran.out == f"two\nlines {SHOWN}\n"


def test_no_cell_is_a_formula_and_none_steers_the_terminal(a2e, tmp_path):
    keys = ["=cmd|' /C calc'!A0", "+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", " =1", "plain", "a=1", f"={STEERING}"]

    async def fill():
        journal = await Journal.open(tmp_path / "j.sqlite", kind="face_swap", account="a")
        for key in keys:
            job = await journal.intend(key, bytes(16), b"{}", None, 1.0)
            refusal = {"message": key, "code": 1003, "http_status": 400}
            await journal.ended(job, Phase.FAILED, 0.0, failure=json.dumps(refusal).encode())
        await journal.aclose()

    asyncio.run(fill())
    rows = list(csv.DictReader(io.StringIO(a2e("batch", "export", "j.sqlite").out)))

    for row, key in zip(rows, keys, strict=True):
        guarded = key.lstrip()[0] in "=+-@"
        for cell in (row["key"], row["error"]):
            assert cell.startswith("'") == guarded
            assert cell.isprintable()
    assert rows[7]["key"] == "plain"
    assert rows[-1]["key"] == f"'={SHOWN}"
    assert [row["key"] for row in a2e("batch", "export", "j.sqlite", "--json").json] == keys
