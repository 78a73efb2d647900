"""A headless Chromium for tests of pages: what it shows, what it complains about, and whom it asks."""

import contextlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pytest
from PIL import Image
from yarl import URL

from tests.snippets import ROOT

if TYPE_CHECKING:
    from selenium.webdriver.remote.webelement import WebElement

try:
    from selenium import webdriver
    from selenium.common import StaleElementReferenceException, TimeoutException
    from selenium.webdriver import ActionChains
    from selenium.webdriver.chrome.service import Service
    from selenium.webdriver.support.select import Select
    from selenium.webdriver.support.wait import WebDriverWait
except ImportError:
    webdriver = None

T = TypeVar("T")

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
DEMANDED = "A2E_TEST_BROWSER" in os.environ
"""Whether nothing is skipped, so that what is missing is an error."""
MISSING = [
    name for name, found in (("chromium", CHROMIUM), ("chromedriver", DRIVER), ("selenium", webdriver)) if not found
]
needs_browser = pytest.mark.skipif(
    bool(MISSING) and not DEMANDED,
    reason=f"needs {', '.join(MISSING)}: Debian's chromium and chromium-driver, and the dependency group `browser`",
)
"""Marks tests that open a page."""
AXE = ROOT / ".cache" / "axe" / "node_modules" / "axe-core" / "axe.min.js"
needs_axe = pytest.mark.skipif(
    not (AXE.exists() or DEMANDED), reason="needs axe-core: npm install --prefix .cache/axe axe-core@4"
)
"""Marks tests that look for what keeps readers out."""
PICTURES = ROOT / "docs" / "pages" / "img"
LARGEST_PICTURE = 150_000
"""Bytes of a picture for the documentation at the most."""

_SWITCHES = (
    "headless=new", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking",
    "disable-component-update", "disable-sync", "hide-scrollbars",
)  # fmt: skip


class Browser:
    """One window; each `visit` begins with empty logs."""

    def __init__(self, profile: Path) -> None:
        options = webdriver.ChromeOptions()
        options.binary_location = CHROMIUM or "chromium"
        for switch in _SWITCHES:
            options.add_argument(f"--{switch}")
        options.add_argument(f"--user-data-dir={profile}")
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        # The path is given, so that nothing is looked for or downloaded.
        self.driver = webdriver.Chrome(options, Service(DRIVER or "chromedriver"))

    def visit(self, url: str) -> None:
        for log in ("browser", "performance"):
            self.driver.get_log(log)
        self.driver.get(url)

    def run(self, script: str, *args: object) -> Any:
        return self.driver.execute_script(script, *args)

    def find(self, css: str) -> "WebElement":
        return self.wait(lambda: next(iter(self.all(css)), None))

    def all(self, css: str) -> "list[WebElement]":
        return [found for found in self.driver.find_elements("css selector", css) if found.is_displayed()]

    def text(self, css: str) -> str:
        """Return what is shown there; of a row that is being replaced, what is shown in its place."""

        def read() -> str | None:
            with contextlib.suppress(StaleElementReferenceException):
                return self.find(css).text or ""
            return None

        return self.wait(read, lambda text: text is not None) or ""

    def press(self, *keys: str) -> None:
        ActionChains(self.driver).send_keys(*keys).perform()

    def choose(self, css: str, text: str) -> None:
        Select(self.find(css)).select_by_visible_text(text)

    def tab_to(self, css: str) -> None:
        """Press Tab until what is wanted has the focus; a test of its own that a keyboard leads there."""
        for _ in range(200):
            if self.run("return document.activeElement.matches(arguments[0])", css):
                return
            self.press("\ue004")
        raise AssertionError(f"no way by Tab to {css}")

    def wait(self, look: Callable[[], T], met: Callable[[T], object] = bool) -> T:
        """Return what is seen once it is as wanted; AssertionError with what is seen instead after 15 seconds."""
        seen: list[T] = []

        def looked(_driver: object) -> bool:
            seen[:] = [look()]
            return bool(met(seen[0]))

        try:
            WebDriverWait(self.driver, 15, 0.05).until(looked)
        except TimeoutException:
            raise AssertionError(f"waited in vain, last seen: {seen}; console: {self.complaints()}") from None
        return seen[0]

    def complaints(self) -> list[str]:
        """Return the warnings and errors in the console since the last visit."""
        return [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] in {"WARNING", "SEVERE"}]

    def asked(self) -> set[str]:
        """Return whom the page has sent requests to since the last visit."""
        sent = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        urls = [URL(one["params"]["request"]["url"]) for one in sent if one["method"] == "Network.requestWillBeSent"]
        return {url.authority for url in urls if url.scheme != "data"}

    def shape(self, width: int, height: int, *, dark: bool = False) -> None:
        """Give the page a size, and the colours a reader prefers."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})


@contextlib.contextmanager
def opened(profile: Path) -> Iterator[Browser]:
    """Open a browser with a fresh profile, and close it."""
    browser = Browser(profile)
    try:
        yield browser
    finally:
        browser.driver.quit()


def violations(browser: Browser) -> list[str]:
    """Return what keeps readers out of the page as it is shown, by axe-core."""
    browser.run(AXE.read_text(encoding="utf-8"))
    script = "const done = arguments[0]; axe.run(document).then((found) => done(found.violations))"
    found = browser.driver.execute_async_script(script)
    return [f"{one['id']}: {one['help']}: {one['nodes'][0]['html']}" for one in found]


def picture(browser: Browser, path: Path) -> int:
    """Save what is seen with 256 colours, and return the size in bytes."""
    path.parent.mkdir(exist_ok=True)
    with Image.open(BytesIO(browser.driver.get_screenshot_as_png())) as seen:
        seen.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)
    return path.stat().st_size
