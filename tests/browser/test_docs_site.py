"""The documentation as built by `python docs/build.py`, in a real browser, in both colours and on a phone."""

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.browsing import DEMANDED, Browser, needs_browser
from tests.snippets import ROOT

SITE = ROOT / ".cache" / "docs" / "site"
AXE = ROOT / ".cache" / "axe" / "node_modules" / "axe-core" / "axe.min.js"
PAGES = ["index", "tutorial", "paid-requests", "comparison", "reference/face_swap"]

pytestmark = [
    needs_browser,
    pytest.mark.skipif(not (SITE.exists() or DEMANDED), reason="needs the site: python docs/build.py"),
]


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    """The site as a server shows it: search asks for files in another way where there is none."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=SITE)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def show(browser: Browser, url: str, width: int, *, dark: bool) -> None:
    browser.shape(width, 860, dark=dark)
    browser.visit(url)
    browser.run("localStorage.clear()")  # the theme keeps the colours of the first visit there
    browser.visit(url)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("page", PAGES)
def test_page_is_whole_at_this_width(browser: Browser, site: str, page: str, width: int, *, dark: bool) -> None:
    show(browser, f"{site}/{page}.html", width, dark=dark)

    assert browser.complaints() == []
    assert browser.asked() == {site.removeprefix("http://")}
    assert browser.run("return document.documentElement.scrollWidth <= innerWidth")
    broken = "return [...document.images].filter((image) => !image.complete || !image.naturalWidth).map((i) => i.src)"
    assert browser.wait(lambda: browser.run(broken), lambda found: not found) == []


@pytest.mark.skipif(not (AXE.exists() or DEMANDED), reason="needs axe-core: npm install --prefix .cache/axe axe-core@4")
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("page", PAGES)
def test_page_has_nothing_that_axe_finds_wrong(browser: Browser, site: str, page: str, *, dark: bool) -> None:
    show(browser, f"{site}/{page}.html", 1280, dark=dark)
    browser.run(AXE.read_text(encoding="utf-8"))

    # The theme gives each copy button a landmark of its own, all of one name; and lets wide code have the focus only
    # where there is a pointer that can hover, which this browser has not.
    options = "{rules: {'landmark-unique': {enabled: false}, 'scrollable-region-focusable': {enabled: false}}}"
    script = f"const done = arguments[0]; axe.run(document, {options}).then((found) => done(found.violations))"
    found = browser.driver.execute_async_script(script)

    assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found] == []
