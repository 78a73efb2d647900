from collections.abc import Collection, Iterator
from textwrap import dedent

import pytest

from a2e_async.sandbox import Sandbox, sandbox_thread

APP = """
    from a2e_async import FACE_SWAP, A2ESession

    async def swap(face, video, name="clip"):
        async with A2ESession() as a2e:
            return await a2e.run(FACE_SWAP, name=name, face_url=face, video_url=video)
"""
"""A user's code: it knows nothing of tests."""


_OTHERS = {"asyncio", "aiohttp", "xdist", "anyio"}
"""Plugins that a user may have."""


class Project:
    """A user's project: `app.py`, and tests that are run as a user would."""

    def __init__(self, pytester: pytest.Pytester) -> None:
        self.path = pytester.path
        self._pytester = pytester
        pytester.makepyfile(app=dedent(APP))

    def test(self, code: str, *options: str, ini: str = "", plugins: Collection[str] = ()) -> pytest.RunResult:
        """Run one file of tests: in this process, which is quicker, unless it is with plugins named here."""
        self._pytester.makepyfile(test_app=dedent(code))
        self._pytester.makeini(f"[pytest]\n{ini}")
        if not plugins:
            return self._pytester.runpytest_inprocess(*without("asyncio", "aiohttp"), *options)
        return self._pytester.runpytest_subprocess(*without(*_OTHERS - {*plugins}), *options)


def without(*names: str) -> list[str]:
    """Return the options that leave plugins out."""
    return [word for name in ("cacheprovider", *names) for word in ("-p", f"no:{name}")]


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Project:
    for name in ("URL", "KEY", "HOST", "PORT", "DB", "SEED"):
        monkeypatch.delenv(f"A2E_SANDBOX_{name}", raising=False)
    for name in ("A2E_API_KEY", "A2E_BASE_URL", "A2E_MAX_PAUSE"):
        monkeypatch.delenv(name, raising=False)
    return Project(pytester)


@pytest.fixture
def elsewhere() -> Iterator[Sandbox]:
    """A sandbox that somebody else runs."""
    with sandbox_thread() as sandbox:
        yield sandbox
