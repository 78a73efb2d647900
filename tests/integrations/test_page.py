"""The apps on the page about web apps, served as they are printed."""

import sys
from collections.abc import Iterator
from contextlib import ExitStack
from types import ModuleType
from typing import Any

import pytest

from a2e_async import A2ESession
from tests.integrations.serving import FRAMEWORKS, Stage, run, staged
from tests.service import KEY
from tests.snippets import ROOT, blocks

BLOCKS = blocks(ROOT / "docs" / "pages" / "web-apps.md")


def printed(framework: str) -> list[str]:
    """Return the blocks that belong to a framework."""
    return [block for block in BLOCKS if f"integrations.{framework}" in block]


class Page:
    """Makes modules of the page's blocks."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, stack: ExitStack) -> None:
        self.monkeypatch, self.stack = monkeypatch, stack

    def module(self, block: str) -> ModuleType:
        module = ModuleType("printed")
        self.monkeypatch.setitem(sys.modules, "printed", module)
        exec(compile(block, "web-apps.md", "exec"), vars(module))
        return module

    def app(self, framework: str, number: int = 0) -> Any:
        pytest.importorskip(framework)
        return self.django() if framework == "django" else self.module(printed(framework)[number]).app

    def django(self) -> Any:
        from django.test import override_settings  # noqa: PLC0415 - it may be missing
        from django.urls import clear_url_caches  # noqa: PLC0415

        from a2e_async.integrations.django import get_session  # noqa: PLC0415
        from tests.integrations.django_app import configure  # noqa: PLC0415

        configure()
        get_session.cache_clear()
        settings, urls, asgi = printed("django")
        found = {name: value for name, value in vars(self.module(settings)).items() if name.isupper()}
        self.stack.enter_context(override_settings(**found, ROOT_URLCONF=self.module(urls)))
        self.stack.callback(clear_url_caches)
        clear_url_caches()
        return self.module(asgi).application


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> Iterator[Page]:
    monkeypatch.setenv("A2E_API_KEY", KEY)
    with ExitStack() as stack:
        yield Page(monkeypatch, stack)


def test_every_block_belongs_to_a_framework() -> None:
    assert sum(len(printed(framework)) for framework in FRAMEWORKS) == len(BLOCKS)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_the_app_tells_of_a_task_to_its_end(framework: str, page: Page) -> None:
    def make(framework: str, a2e: A2ESession) -> Any:
        page.monkeypatch.setenv("A2E_BASE_URL", a2e.config.base_url)
        return page.app(framework)

    async def main() -> None:
        async with staged(framework, "per-poll:60", make=make) as s:
            told = await s.told(await started(s, framework))
            assert told[-1].data["state"] == "done"
            async with s.http.post(f"{s.server.url}/a2e") as response:
                assert response.status == 401

    run(main())


async def started(s: Stage, framework: str) -> str:
    if framework != "fastapi":
        return await s.add()
    await s.add()  # the inputs are looked into once
    async with s.http.post(
        f"{s.server.url}/swaps", json={"face_url": s.sandbox.face_url, "video_url": s.sandbox.video_url}
    ) as response:
        return (await response.json())["id"]


@pytest.mark.parametrize(
    ("framework", "number", "path"),
    [("fastapi", 0, "/openapi.json"), ("fastapi", 1, "/openapi.json"), ("litestar", 0, "/schema/openapi.json")],
)
def test_the_app_describes_itself(framework: str, number: int, path: str, page: Page) -> None:
    async def main() -> None:
        async with staged(framework, make=lambda framework, _: page.app(framework, number)) as s:
            async with s.http.get(f"{s.server.url}{path}") as response:
                assert response.status == 200
                assert "a2e" not in await response.text()

    run(main())
