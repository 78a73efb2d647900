"""The dashboard as somebody sees, hears and drives it."""

import json
import shlex
import time
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from a2e_async.sandbox import Account, Rule, Sandbox, sandbox_thread
from a2e_async.sandbox.account import Draft
from tests.browsing import LARGEST_PICTURE, PICTURES, Browser, needs_axe, needs_browser, picture, violations

pytestmark = needs_browser

ADD, COINS = "/api/v1/userFaceSwapTask/add", "/api/v1/user/remainingCoins"
VIEWS = ("tasks", "requests", "ledger", "webhooks", "faults")
HOSTILE = "<img src=x onerror=\"document.title='taken'\"><script>document.title='taken'</script>"
ENTER, SPACE, ESCAPE = "\ue007", " ", "\ue00c"


class Client:
    """Somebody who uses the sandbox while the page is open."""

    def __init__(self, sandbox: Sandbox, key: str = "sk_test") -> None:
        self.sandbox, self.key = sandbox, key

    def __call__(self, path: str, body: object = None, method: str | None = None) -> int:
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.sandbox.url + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request) as response:
                return response.status
        except urllib.error.HTTPError as error:
            error.close()
            return error.code

    def start(self, name: str = "clip", **fields: object) -> None:
        body = {"name": name, "face_url": self.sandbox.face_url, "video_url": self.sandbox.video_url, **fields}
        assert self(ADD, body) == 200


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with sandbox_thread(clock="stepped") as running:
        yield running


@pytest.fixture
def account(sandbox: Sandbox) -> Account:
    return sandbox.account("sk_test")


@pytest.fixture
def client(sandbox: Sandbox, account: Account) -> Client:
    return Client(sandbox)


def show(browser: Browser, sandbox: Sandbox, view: str = "tasks", label: str = "account-1") -> None:
    browser.visit("about:blank")
    browser.visit(f"{sandbox.url}/#{label}/{view}")
    browser.wait(lambda: browser.text("#link"), lambda text: text == "Live")
    browser.find(f"#{view}")


def rows(browser: Browser, view: str = "tasks") -> list[str]:
    return browser.run(
        "return [...document.querySelectorAll(`#${arguments[0]} tbody tr`)].map((row) => row.innerText)", view
    )


def test_it_loads_without_a_complaint_and_asks_nobody_else(browser, sandbox, client, account):
    client.start(note="https://elsewhere.example/x.jpg")
    account.advance(100)
    for view in VIEWS:
        show(browser, sandbox, view)
        browser.wait(
            lambda view=view: browser.run("return document.querySelector(arguments[0]).offsetHeight", f"#{view}")
        )
        assert browser.complaints() == []
        assert browser.asked() == {sandbox.url.removeprefix("http://")}


def test_the_first_account_and_its_tasks_appear_by_themselves(browser, sandbox):
    browser.visit(sandbox.url)
    assert sandbox.url in browser.text("#settings")
    account, client = sandbox.account("sk_new"), Client(sandbox, "sk_new")
    for name in ("one", "two", "fail:no face"):
        client.start(name)
    browser.wait(lambda: rows(browser), lambda found: len(found) == 3)
    assert browser.text("#count") == "3"
    account.advance(10)
    browser.wait(lambda: rows(browser), lambda found: all("processing" in row for row in found))
    account.advance(90)
    browser.wait(
        lambda: rows(browser), lambda found: ["failed\nno face" in row for row in found] == [True, False, False]
    )
    browser.wait(lambda: rows(browser), lambda found: ["completed" in row for row in found] == [False, True, True])
    browser.wait(lambda: browser.text("#coins"), lambda coins: coins == "980")
    assert browser.complaints() == []


def test_a_running_clock_ends_tasks_on_the_page(browser, sandbox, client, account):
    account.pace(60)
    client.start()
    show(browser, sandbox)
    browser.wait(lambda: rows(browser), lambda found: "completed" in "".join(found))


def test_a_result_plays(browser, sandbox, client, account):
    client.start("beach")
    account.advance(100)
    show(browser, sandbox)
    still = "return document.querySelector('.play video')?.readyState ?? 0"
    browser.wait(lambda: browser.run(still), lambda state: state >= 1)
    browser.tab_to(".play")
    browser.press(ENTER)
    player = browser.find(".result video")
    assert player.accessible_name == "Result of beach"
    browser.tab_to(".result video")
    browser.press(SPACE)
    browser.wait(lambda: browser.run("return arguments[0].currentTime", player), lambda seconds: seconds > 0.2)
    assert browser.run("return arguments[0].readyState", player) >= 2
    browser.press(ESCAPE)
    browser.wait(lambda: browser.all("dialog"), lambda found: not found)
    assert browser.run("return document.activeElement.className") == "play"
    assert browser.run("return document.querySelectorAll('dialog video').length") == 0, "nothing plays on unseen"


def test_sounds_play_and_pictures_are_shown(browser, sandbox, client, account):
    client.start("still", video_url=sandbox.face_url)
    account.advance(100)
    show(browser, sandbox)
    loaded = "return [...document.querySelectorAll('#tasks img')].map((img) => img.naturalWidth)"
    browser.wait(lambda: browser.run(loaded), lambda widths: len(widths) == 3 and all(widths))


def test_a_fault_is_switched_on_and_off_by_keyboard(browser, sandbox, client, account):
    show(browser, sandbox)
    browser.tab_to("#views a[data-view=faults]")
    browser.press(ENTER)
    browser.find("#effect")
    browser.tab_to("#effect")
    browser.press("status")
    browser.tab_to("[name=path]")
    browser.press("*/remainingCoins")
    browser.tab_to("[name=status]")
    browser.press("418")
    browser.tab_to("#rule button.main")
    browser.press(ENTER)
    switch = "#faults [role=switch]"
    browser.find(switch)
    assert [client(COINS), account.rules[0].strikes] == [418, 1]
    browser.wait(lambda: rows(browser, "faults"), lambda found: "".join(found).split()[-3:] == ["1", "1", "Remove"])
    browser.tab_to(switch)
    browser.press(SPACE)
    browser.wait(lambda: account.rules[0].enabled, lambda enabled: not enabled)
    browser.wait(lambda: browser.text("#said"), lambda said: said == "Fault status is off")
    assert browser.run("return document.activeElement.matches(arguments[0])", switch), "the focus stays"
    assert client(COINS) == 200
    browser.tab_to(f"{switch} ~ button, #faults td button")
    browser.press(ENTER)
    browser.wait(lambda: account.rules, lambda rules: rules == [])


def test_every_effect_can_be_switched_on_from_its_form(browser, sandbox, account):
    show(browser, sandbox, "faults")
    browser.find("#effect")
    effects = browser.run("return [...document.querySelectorAll('#effect option')].map((one) => one.value)")
    for effect in effects:
        browser.run(
            "const choice = document.querySelector('#effect'); choice.value = arguments[0];"
            "choice.dispatchEvent(new Event('change')); document.querySelector('#rule').requestSubmit()",
            effect,
        )
        browser.wait(lambda: [rule.effect for rule in account.rules], lambda made, effect=effect: made[-1:] == [effect])
    assert not browser.all("#problem")


def test_what_the_server_refuses_is_said(browser, sandbox, account):
    show(browser, sandbox, "faults")
    browser.find("#effect")
    browser.find("[name=path]").send_keys("*/add")
    browser.run("document.querySelector('#rule details').open = true")
    browser.find("[name=share]").send_keys("7")
    browser.find("#rule button.main").click()
    assert "share must be within 0..1" in browser.text("#problem")
    assert account.rules == []


def test_the_clock_is_paused_sped_up_and_stepped(browser, sandbox, account):
    account.pace(1)
    show(browser, sandbox)
    browser.wait(lambda: browser.text("#pace"), lambda text: text == "runs at \N{MULTIPLICATION SIGN}1")
    for name, rate in (("Pause", 0), ("\N{MULTIPLICATION SIGN}60", 60), ("Pause", 0)):
        browser.tab_to(f"#rates button[value='{rate}']")
        browser.press(SPACE)
        browser.wait(lambda: account.clock.spec.rate, lambda found, rate=rate: found == rate)
        browser.wait(lambda: browser.text("#rates [aria-pressed=true]"), lambda text, name=name: text == name)
    before = account.clock.now()
    browser.tab_to("#seconds")
    browser.press("90", ENTER)
    browser.wait(account.clock.now, lambda now: now == before + 90_000)
    shown = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(account.clock.now() / 1000))
    browser.wait(lambda: browser.text("#now"), lambda text: text == shown)


def test_a_reload_keeps_account_and_view(browser, sandbox, account):
    Client(sandbox, "sk_other").start("theirs")
    show(browser, sandbox)
    browser.choose("#account", "account-2")
    browser.wait(lambda: rows(browser), lambda found: len(found) == 1 and "theirs" in found[0])
    browser.find("#views a[data-view=ledger]").click()
    browser.find("#ledger")
    browser.driver.refresh()
    browser.find("#ledger")
    browser.wait(
        lambda: browser.run("return document.querySelector('#account').value"), lambda value: value == "account-2"
    )
    browser.wait(lambda: rows(browser, "ledger"), lambda found: "charge" in "".join(found))


def test_hostile_texts_are_only_texts(browser, sandbox, client, account):
    account.fault(Rule("status", path=f"*{HOSTILE}*", name=HOSTILE, body=HOSTILE, first=1))
    client.start(HOSTILE, webhook_url=f"http://127.0.0.1:1/{'x' * 20}?{'<b>'}")
    client.start(f"fail:{HOSTILE}")
    client(f"{COINS}?x=<script>alert(1)</script>".replace("<", "%3C").replace(">", "%3E"), {"text": HOSTILE}, "GET")
    account.advance(100)
    for view in VIEWS:
        show(browser, sandbox, view)
        browser.wait(lambda view=view: rows(browser, view))
        if name := browser.all(f"#{view} tbody button.name"):
            name[0].click()
            browser.find("dialog pre")
        assert browser.driver.title == "A2E sandbox"
        assert browser.all("main img[src=x], dialog img[src=x], main script, dialog script") == []
        assert browser.complaints() == []
    show(browser, sandbox)
    assert HOSTILE in browser.wait(lambda: rows(browser))[1]


def test_a_request_is_shown_as_it_came_and_can_be_sent_again(browser, sandbox, client, account):
    odd = {"name": 'it\'s "odd" $HOME `id` \\ \n é', "face_url": sandbox.face_url, "video_url": sandbox.video_url}
    for body in (odd, {"name": "second"}):
        client(ADD, body)
    client(f"{COINS}?from=a%20b&to=%27")
    show(browser, sandbox, "requests")
    browser.wait(lambda: rows(browser, "requests"), lambda found: len(found) == 3)
    browser.find("#requests-text").send_keys("$HOME")
    browser.wait(lambda: rows(browser, "requests"), lambda found: len(found) == 1)
    browser.find("#requests tbody button.name").click()
    browser.wait(lambda: browser.text("#details-title"), lambda title: title == f"POST {ADD}")
    sent = account.requests[0]
    assert browser.run("return document.querySelector('pre[aria-label=Body]').textContent") == sent.text
    assert "Bearer ***" in browser.text("pre[aria-label=Headers]")
    again = curl(browser)
    assert again[:4] == ["curl", "-X", "POST", f"{sandbox.url}{ADD}"]
    assert again[4:6] == ["-H", "Authorization: Bearer $A2E_API_KEY"]
    assert "Content-Type: application/json" in again
    assert again[-2:] == ["--data-raw", sent.text]
    browser.press(ESCAPE)
    browser.run("document.querySelector('#requests-text').value = ''")
    browser.choose("#requests-status", "4xx")
    browser.wait(lambda: rows(browser, "requests"), lambda found: len(found) == 1 and "400" in found[0])
    browser.choose("#requests-status", "2xx")
    browser.wait(lambda: rows(browser, "requests"), lambda found: len(found) == 2)
    browser.find("#requests tbody button.name").click()
    browser.wait(lambda: browser.text("#details-title"), lambda title: title == f"GET {COINS}")
    again = curl(browser)
    assert again[3] == f"{sandbox.url}{COINS}?from=a%20b&to=%27"


def curl(browser: Browser) -> list[str]:
    """Return the words of the command that is offered."""
    text = browser.run("return document.querySelector('pre[aria-label=\"As curl\"]').textContent")
    return shlex.split(text.replace(" \\\n", " "))


def test_the_focus_stays_where_rows_change(browser, sandbox, client, account):
    for name in ("one", "two"):
        client.start(name)
    show(browser, sandbox)
    browser.wait(lambda: rows(browser), lambda found: len(found) == 2)
    browser.tab_to("tbody tr:last-child .name")
    client.start("three")
    account.advance(5)
    browser.wait(lambda: rows(browser), lambda found: len(found) == 3 and "processing" in found[-1])
    assert browser.run("return document.activeElement.textContent") == "one"


def test_thousands_of_tasks_are_shown_a_hundred_at_a_time(browser, sandbox, account):
    draft = Draft(noun="userFaceSwapTask", coins=0, span=(20, 60), fields={"name": "n"}, inputs=(), suffix="mp4")
    account.start_all([draft] * 3000)
    show(browser, sandbox)
    assert browser.wait(lambda: len(rows(browser))) == 100
    assert browser.text("#count") == "3,000"
    browser.find("#tasks .foot + button").click()
    browser.wait(lambda: len(rows(browser)), lambda count: count == 200)
    account.advance(30)
    chip = "#states button[value=completed]"
    browser.wait(lambda: browser.text(chip), lambda text: text == f"completed {account.tally.counts()[0].count:,}")
    browser.find(chip).click()
    browser.wait(lambda: rows(browser), lambda found: len(found) == 200 and all("completed" in row for row in found))


def test_a_sandbox_that_goes_and_comes_back_is_noticed(browser, tmp_path):
    db = tmp_path / "world.sqlite"
    with sandbox_thread(db=db) as sandbox:
        sandbox.account("sk_test")
        port = int(sandbox.url.rpartition(":")[2])
        show(browser, sandbox)
    browser.wait(lambda: browser.text("#link"), lambda text: text == "No connection")
    with sandbox_thread(db=db, port=port) as sandbox:
        browser.wait(lambda: browser.text("#link"), lambda text: text == "Live")
        sandbox.account("sk_test").advance(5)
        Client(sandbox).start("afterwards")
        browser.wait(lambda: rows(browser), lambda found: "afterwards" in "".join(found))


def test_where_other_machines_reach_it_it_asks_for_the_key(browser):
    with sandbox_thread(allow_remote=True) as sandbox:
        Client(sandbox, "sk_theirs").start("theirs")
        Client(sandbox, "sk_mine").start("mine")
        browser.visit(sandbox.url)
        browser.find("#key")
        assert browser.text("#link") == "Waiting for a key"
        assert not browser.all("#problem")
        browser.find("#key").send_keys("sk_invalid\n")
        browser.wait(lambda: browser.text("#problem"), lambda text: text == "invalid token")
        browser.find("#key").send_keys("sk_mine\n")
        browser.wait(lambda: rows(browser), lambda found: len(found) == 1 and "mine" in found[0])
        assert browser.run("return document.querySelector('#account').innerText") == "account-2"
        browser.wait(lambda: browser.run("return document.querySelectorAll('#tasks img')[0]?.naturalWidth"))
        browser.driver.refresh()
        browser.wait(lambda: rows(browser), lambda found: len(found) == 1)


@needs_axe
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_nothing_keeps_readers_out(browser, sandbox, client, account, dark):
    browser.shape(1280, 860, dark=dark)
    furnish(client, account)
    for view in VIEWS:
        show(browser, sandbox, view)
        browser.wait(lambda view=view: rows(browser, view))
        assert violations(browser) == []
        if name := browser.all(f"#{view} tbody button.name"):
            name[0].click()
            browser.find("dialog pre")
            assert violations(browser) == []


@pytest.mark.parametrize("view", VIEWS)
def test_a_phone_shows_all_of_it_without_scrolling_sideways(browser, sandbox, client, account, view):
    browser.shape(390, 844)
    furnish(client, account)
    show(browser, sandbox, view)
    browser.wait(lambda: rows(browser, view))
    assert browser.run("return document.documentElement.scrollWidth") <= 390
    small = "[...document.querySelectorAll('button, input, select, a')].filter((one) => one.offsetParent)"
    assert browser.run(f"return {small}.filter((one) => one.offsetHeight < 24).map((one) => one.outerHTML)") == []


def furnish(client: Client, account: Account) -> None:
    """Let there be something of everything."""
    account.fault(Rule("status", path="*/remainingCoins", status=429, first=1))
    hook = "http://127.0.0.1:1/hook"
    for name in ("Opening scene", "fail:the face could not be found", "Beach at dusk", "Interview, second take"):
        client.start(name, webhook_url=hook)
    client(COINS)
    account.advance(100)
    client(COINS)
    for name in ("Closing credits", "Trailer"):
        client.start(name)
    account.advance(12)


@pytest.mark.parametrize(("name", "size"), [("dashboard", (1280, 860)), ("dashboard-phone", (390, 1200))])
def test_pictures_for_the_documentation(browser, sandbox, client, account, request, tmp_path, name, size):
    furnish(client, account)
    browser.shape(*size)
    show(browser, sandbox)
    clips = "[...document.querySelectorAll('#tasks td :is(video, img)')].filter((one) => one.offsetParent)"
    on_screen = "filter((one) => one.getBoundingClientRect().top < innerHeight)"
    browser.wait(
        lambda: browser.run(f"return {clips}.{on_screen}.every((one) => one.readyState >= 2 || one.naturalWidth)")
    )
    folder = PICTURES if request.config.getoption("--screenshots") else tmp_path
    assert 10_000 < picture(browser, folder / f"{name}.png") < LARGEST_PICTURE
