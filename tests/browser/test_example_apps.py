"""The example apps as somebody uses them: in a browser, against the sandbox, each in a process that may be killed."""

import os
import shutil
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.util import find_spec
from pathlib import Path
from threading import Thread
from typing import ClassVar

import pytest

from a2e_async.sandbox import Account, Rule, Sandbox, sandbox_thread
from tests.browsing import DEMANDED, LARGEST_PICTURE, PICTURES, Browser, needs_axe, needs_browser, picture, violations
from tests.ports import free_port
from tests.snippets import ROOT, SAMPLES
from tests.waiting import until

pytestmark = needs_browser

EXAMPLES = ROOT / "docs" / "examples"
NEEDS = {
    "fastapi": ("fastapi", "uvicorn", "python_multipart"),
    "aiohttp": (),
    "litestar": ("litestar", "uvicorn"),
    "django": ("django", "uvicorn"),
}
KEY = "sk_example"
PICTURED = {
    ("light", "form"): "example-form",
    ("light", "done"): "example-done",
    ("phone", "done"): "example-done-phone",
}
"""What stands in the documentation, by screen and sight."""
SPACE, ENTER = " ", "\ue007"
on_one_app = pytest.mark.parametrize("app", ["aiohttp"], indirect=True)
"""Marks tests of what all apps share."""


class App:
    """One of the apps as a process, which can be killed and started again at the same address."""

    def __init__(self, name: str, folder: Path, settings: dict[str, str]) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.script, self.folder, self.log = EXAMPLES / f"{name}_app.py", folder, folder / "app.log"
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("A2E_")}
        self.home = folder / "home"
        self.environment |= dict.fromkeys(("HOME", "USERPROFILE"), str(self.home))
        self.environment |= {"TMPDIR": str(folder), "TEMP": str(folder), "PORT": str(self.port), **settings}

    def start(self) -> None:
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                [sys.executable, self.script], env=self.environment, cwd=self.folder, stdout=log, stderr=log
            )
        until(self.answers)

    def answers(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        try:
            with urllib.request.urlopen(self.url):
                return True
        except OSError:
            return False

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """End it as Ctrl-C does, though a page may be watching."""
        self.process.terminate()
        return self.process.wait(10)

    def post(self, key: str, **headers: str) -> int:
        request = urllib.request.Request(f"{self.url}/swaps", b"", {"Idempotency-Key": key, **headers}, method="POST")
        try:
            with urllib.request.urlopen(request) as response:
                return response.status
        except urllib.error.HTTPError as error:
            with error:
                return error.code


def look_for(name: str) -> None:
    missing = [module for module in NEEDS[name] if not find_spec(module)]
    if missing and not DEMANDED:
        pytest.skip(f"needs {', '.join(missing)}: the dependency group `browser`")


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with sandbox_thread(clock="stepped") as running:
        yield running


@pytest.fixture(scope="module", params=NEEDS)
def app(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, sandbox: Sandbox) -> Iterator[App]:
    look_for(request.param)
    settings = {"A2E_API_KEY": f"{KEY}_{request.param}", "A2E_BASE_URL": sandbox.url}
    app = App(request.param, tmp_path_factory.mktemp(request.param), settings)
    app.start()
    yield app
    app.stop()
    assert [path.name for path in app.folder.iterdir()] == ["app.log"], "no upload is left behind"
    assert "Traceback" not in app.log.read_text()


@pytest.fixture
def account(app: App, sandbox: Sandbox) -> Account:
    return sandbox.account(app.environment["A2E_API_KEY"])


@pytest.fixture
def spent(account: Account) -> Iterator[list[int]]:
    """How many starts are to have been paid for in a test: one, unless it says otherwise."""
    before, expected = len(charges(account)), [1]
    yield expected
    assert [len(charges(account)) - before] == expected


def charges(account: Account) -> list[float]:
    return [line.delta for line in account.ledger if line.reason == "charge"]


def choose(browser: Browser, face: Path = SAMPLES / "face.jpg", clip: Path = SAMPLES / "clip.mp4") -> None:
    for name, path in (("face", face), ("clip", clip)):
        browser.driver.find_element("id", name).send_keys(str(path))
    browser.find("#consent").click()


def choose_samples(browser: Browser) -> None:
    browser.find("#samples").click()
    browser.find("#clip-preview video")


def submit(browser: Browser, app: App, **files: Path) -> None:
    browser.visit(app.url)
    choose(browser, **files)
    browser.find("#start").click()


def state(browser: Browser, said: str) -> None:
    browser.wait(lambda: browser.text("#status"), lambda text: text == said)


def steps(browser: Browser) -> list[str]:
    return browser.run("return [...document.querySelectorAll('#steps li')].map((step) => step.className)")


def test_a_swap_is_started_once_watched_and_played(browser, app, sandbox, account, spent):
    browser.visit(app.url)
    choose(browser)
    browser.run("document.querySelector('#start').click(); document.querySelector('#start').click()")
    state(browser, "Waiting for its turn")
    account.advance(5)
    state(browser, "Being made")
    assert steps(browser) == ["passed", "now", ""]
    account.advance(60)
    state(browser, "Done")
    assert steps(browser) == ["passed", "passed", "done"]
    player = browser.find("#screen video")
    assert browser.run("return new URL(arguments[0].src).origin", player) == sandbox.url
    browser.tab_to("#screen video")
    browser.press(SPACE)
    browser.wait(lambda: browser.run("return arguments[0].currentTime", player), lambda seconds: seconds > 0.2)
    assert browser.complaints() == []


class Proxy(BaseHTTPRequestHandler):
    """Answers in place of a server that is away, and counts."""

    asked: ClassVar[list[str]] = []

    def do_GET(self):
        self.asked.append(self.path)
        self.send_error(502)

    def log_message(self, *args):
        pass


@on_one_app
def test_a_proxy_that_answers_for_the_server_in_the_meantime_is_outlasted(browser, app, account, spent):
    submit(browser, app)
    state(browser, "Waiting for its turn")
    app.kill()
    with HTTPServer(("127.0.0.1", app.port), Proxy) as proxy:
        thread = Thread(target=proxy.serve_forever, args=(0.05,))
        thread.start()
        browser.wait(lambda: len(Proxy.asked) > 2)
        proxy.shutdown()
        thread.join()
    app.start()
    account.advance(65)
    state(browser, "Done")


def test_a_reload_in_the_middle_goes_on_where_it_was(browser, app, account, spent):
    submit(browser, app)
    state(browser, "Waiting for its turn")
    queued = browser.text("#steps li:first-child time")
    account.advance(5)
    state(browser, "Being made")
    browser.driver.refresh()
    state(browser, "Being made")
    assert queued == browser.text("#steps li:first-child time")
    account.advance(60)
    state(browser, "Done")
    browser.driver.refresh()
    state(browser, "Done")
    assert browser.find("#screen video").accessible_name == "Result"


def test_a_server_that_is_killed_and_started_again_is_waited_for(browser, app, account, spent):
    submit(browser, app)
    state(browser, "Waiting for its turn")
    app.kill()
    browser.wait(lambda: browser.text("#link"), lambda text: text == "No connection, trying again")
    account.advance(5)
    app.start()
    state(browser, "Being made")
    assert browser.text("#link") == "Live"
    account.advance(60)
    state(browser, "Done")


@on_one_app
def test_a_page_that_was_left_too_early_says_that_nothing_was_paid(browser, app, spent):
    spent[:] = [0]
    browser.visit(app.url)
    browser.run("sessionStorage.setItem('form sent', '0123456789abcdefghij')")
    browser.driver.refresh()
    assert browser.text("#problem").startswith("nothing was started, and nothing was paid")
    browser.driver.refresh()
    browser.find("#form")
    assert not browser.all("#problem")


def test_a_reload_while_the_form_is_under_way_finds_the_swap(browser, app, account, spent):
    rule = account.fault(Rule("delay", path="*/add", seconds=0.5, first=1))
    submit(browser, app)
    browser.wait(lambda: rule.hits)
    browser.driver.refresh()
    state(browser, "Waiting for its turn")
    assert browser.run("return location.search").startswith("?task=")


@on_one_app
def test_a_lost_answer_is_looked_for_and_not_paid_for_again(browser, app, account, spent):
    account.fault(Rule("reset_after", path="*/add", first=1))
    submit(browser, app)
    assert "Press the button again" in browser.text("#problem")
    browser.find("#start").click()
    state(browser, "Waiting for its turn")


@on_one_app
def test_a_server_that_was_killed_with_the_form_knows_it_afterwards(browser, app, account, spent):
    before = len(charges(account))
    rule = account.fault(Rule("delay", path="*/add", seconds=0.5, first=1))
    submit(browser, app)
    browser.wait(lambda: rule.hits)
    app.kill()
    assert "cannot be reached" in browser.text("#problem")
    browser.wait(lambda: len(charges(account)) > before)
    app.start()
    browser.find("#start").click()
    state(browser, "Waiting for its turn")


def test_a_swap_that_fails_says_why(browser, app, account, spent, tmp_path):
    clip = shutil.copy(SAMPLES / "clip.mp4", tmp_path / "fail:nobody is to be seen.mp4")
    submit(browser, app, clip=clip)
    state(browser, "Waiting for its turn")
    account.advance(65)
    state(browser, "It failed")
    assert "nobody is to be seen" in browser.text("#reason")
    assert steps(browser) == ["passed", "passed", "failed"]


def test_a_wrong_file_is_told_before_a_coin_is_spent(browser, app, spent, tmp_path):
    spent[:] = [0]
    face = tmp_path / "face.jpg"
    face.write_text("no picture")
    submit(browser, app, face=face)
    assert "a picture (JPEG, PNG, WebP) is needed" in browser.text("#problem")
    assert str(app.folder) not in browser.text("#problem")
    assert browser.find("#start").accessible_name == "Swap the face", "it can be pressed again"


def test_what_is_too_large_is_refused_unread(browser, app, spent, tmp_path):
    spent[:] = [0]
    assert app.post("a" * 20, **{"Content-Length": "100000001"}) == 413
    with (tmp_path / "clip.mp4").open("wb") as clip:
        clip.truncate(100_000_000)
    submit(browser, app, clip=tmp_path / "clip.mp4")
    assert browser.text("#problem").startswith("Face and clip are too large: together they may have 100 MB")


def test_a_form_without_a_number_starts_nothing(app, spent):
    spent[:] = [0]
    assert app.post("") == 422, "a page of another site cannot send the header"


@on_one_app
def test_a_task_that_does_not_exist_is_told(browser, app):
    browser.visit(f"{app.url}/?task=66e63777a3ebb9f1e3a2ab5c")
    assert browser.text("#reason")


@on_one_app
def test_the_keyboard_alone_does_it_with_the_samples(browser, app, account, spent):
    browser.visit(app.url)
    for target, key, seen in (
        ("#samples", ENTER, "#clip-preview video"),
        ("#consent", SPACE, "#consent:checked"),
        ("#start", ENTER, "#watch"),
    ):
        browser.tab_to(target)
        browser.press(key)
        browser.find(seen)
    state(browser, "Waiting for its turn")


@on_one_app
def test_without_consent_nothing_is_sent(browser, app, spent):
    spent[:] = [0]
    browser.visit(app.url)
    choose(browser)
    browser.find("#consent").click()
    browser.find("#start").click()
    assert browser.run("return document.querySelector('#consent').matches(':user-invalid')")


def sights(browser: Browser, app: App, account: Account, tmp_path: Path) -> Iterator[str]:
    """Show everything that the page has to show, in turn."""
    browser.visit(app.url)
    choose_samples(browser)
    yield "form"
    browser.find("#consent").click()
    browser.find("#start").click()
    state(browser, "Waiting for its turn")
    account.advance(5)
    state(browser, "Being made")
    yield "running"
    account.advance(60)
    state(browser, "Done")
    # Played a little and stopped, so that no picture shows a player that is busy.
    browser.run("const player = document.querySelector('#screen video'); player.muted = true; player.play()")
    played = "return document.querySelector('#screen video').currentTime"
    browser.wait(lambda: browser.run(played), lambda seconds: seconds > 0.5)
    browser.run("document.querySelector('#screen video').pause()")
    yield "done"
    face = tmp_path / "face.jpg"
    face.write_text("no picture")
    submit(browser, app, face=face)
    browser.find("#problem")
    yield "refused"
    submit(browser, app, clip=shutil.copy(SAMPLES / "clip.mp4", tmp_path / "fail:nobody is to be seen.mp4"))
    state(browser, "Waiting for its turn")
    account.advance(65)
    state(browser, "It failed")
    yield "failed"


@needs_axe
@on_one_app
@pytest.mark.parametrize("shape", ["light", "dark", "phone"])
def test_nothing_keeps_readers_out_on_any_screen(browser, app, account, request, tmp_path, shape):
    width, height = (390, 900) if shape == "phone" else (1120, 760)
    folder = PICTURES if request.config.getoption("--screenshots") else tmp_path
    browser.shape(width, height, dark=shape == "dark")
    for sight in sights(browser, app, account, tmp_path):
        if name := PICTURED.get((shape, sight)):
            assert 10_000 < picture(browser, folder / f"{name}.png") < LARGEST_PICTURE
        assert (sight, violations(browser)) == (sight, [])
        assert browser.run("return document.documentElement.scrollWidth") <= width, sight


@pytest.mark.parametrize("name", NEEDS)
def test_one_command_starts_it_with_a_sandbox_of_its_own(browser, name, tmp_path):
    look_for(name)
    app = App(name, tmp_path, {})
    app.start()
    browser.visit(app.url)
    choose_samples(browser)
    browser.find("#consent").click()
    browser.find("#start").click()
    state(browser, "Waiting for its turn")
    if name == "aiohttp":  # what all apps share
        app.kill()
        app.start()
        browser.wait(lambda: browser.text("#status"), lambda text: text in {"Being made", "Done"})
    assert app.stop() in {0, -signal.SIGTERM}
    assert f"Open {app.url}/" in app.log.read_text()
    assert "Traceback" not in app.log.read_text()
