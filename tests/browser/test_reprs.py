"""What a notebook is given, as a browser shows it: the result plays, and hostile texts do nothing."""

import asyncio
from pathlib import Path

from yarl import URL

from a2e_async import FACE_SWAP, A2ESession, Outcome, TaskState
from a2e_async.groups.face_swap import Swap
from a2e_async.sandbox import Sandbox
from tests.browsing import Browser, needs_browser
from tests.service import KEY

pytestmark = needs_browser

HOSTILE = "\"'><script>window.hit = 1</script><img src=x onerror='window.hit = 1'>"


async def swapped(sandbox: Sandbox) -> Swap:
    async with A2ESession(KEY, base_url=sandbox.url) as a2e:
        return await a2e.run(FACE_SWAP, name="n", face_url=sandbox.face_url, video_url=sandbox.video_url)


def test_a_result_plays_and_hostile_texts_do_nothing(
    browser: Browser, sandbox_in_thread: Sandbox, tmp_path: Path
) -> None:
    swap = asyncio.run(swapped(sandbox_in_thread))
    bad = Swap(id=HOSTILE, status=HOSTILE, failed_message=HOSTILE, face_url=f"https://x.invalid/{HOSTILE}.jpg")
    lost = Outcome(key=HOSTILE, state=TaskState.FAILED, error=ValueError(HOSTILE), task=bad)
    page = tmp_path / "page.html"
    page.write_text(f"<meta charset=utf-8>{swap._repr_html_()}{lost._repr_html_()}", encoding="utf-8")

    browser.visit(page.as_uri())

    assert browser.wait(lambda: browser.run("return document.querySelector('video').duration")) > 1
    assert browser.run("return window.hit") is None
    assert browser.text("body").count("<script>window.hit = 1</script>") == 4
    assert browser.asked() - {""} == {URL(sandbox_in_thread.url).authority}
