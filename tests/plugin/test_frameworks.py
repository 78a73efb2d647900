"""The same fixtures under every plugin that runs asynchronous tests, each in a process as users have it."""

import pytest

COMMON = """
    import asyncio
    import pytest
    from app import swap

    @pytest.mark.a2e(credits=10)
    {mark}
    async def test_passes(a2e_sandbox, a2e_env, a2e_client, a2e_requests):
        done = await swap(a2e_sandbox.face_url, a2e_sandbox.video_url)
        async with a2e_client() as a2e:
            assert (await a2e.account.coins()).coins == 0
        assert len(a2e_requests.paid) == 1

    {mark}
    async def test_fails(a2e_sandbox, a2e_env, a2e_requests):
        assert not a2e_requests
        await swap(a2e_sandbox.face_url, a2e_sandbox.video_url)
        assert not a2e_requests.paid
"""


def check(ran: pytest.RunResult, passed: int = 1) -> None:
    ran.assert_outcomes(passed=passed, failed=1)
    ran.stdout.fnmatch_lines(["*- A2E requests -*", "POST /api/v1/userFaceSwapTask/add -> 200 *"])
    assert "Warning" not in ran.stdout.str() + ran.stderr.str()


def test_no_plugin_at_all(project):
    check(
        project.test("""
    import asyncio
    from app import swap

    def test_passes(a2e_sandbox, a2e_env, a2e_requests):
        asyncio.run(swap(a2e_sandbox.face_url, a2e_sandbox.video_url))
        assert len(a2e_requests.paid) == 1

    def test_fails(a2e_sandbox, a2e_env, a2e_requests):
        asyncio.run(swap(a2e_sandbox.face_url, a2e_sandbox.video_url))
        assert not a2e_requests.paid
    """)
    )


def test_unittest_and_its_own_loop(project):
    check(
        project.test("""
    import unittest
    import pytest
    from app import swap

    @pytest.mark.a2e
    class Swaps(unittest.IsolatedAsyncioTestCase):
        @pytest.fixture(autouse=True)
        def given(self, a2e_sandbox, a2e_requests):
            self.sandbox, self.requests = a2e_sandbox, a2e_requests

        async def test_passes(self):
            await swap(self.sandbox.face_url, self.sandbox.video_url)
            self.assertEqual(len(self.requests.paid), 1)

        async def test_fails(self):
            await swap(self.sandbox.face_url, self.sandbox.video_url)
            self.assertFalse(self.requests.paid)
    """)
    )


def test_django(project):
    pytest.importorskip("django")
    check(
        project.test(
            """
    import pytest
    from django.conf import settings
    from django.http import JsonResponse
    from django.test import SimpleTestCase
    from django.urls import path
    from app import swap

    async def swapped(request):
        done = await swap(request.GET["face"], request.GET["video"])
        return JsonResponse({"url": done.result_url})

    urlpatterns = [path("swap", swapped)]
    settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], SECRET_KEY="made-up")

    @pytest.mark.a2e
    class Swaps(SimpleTestCase):
        @pytest.fixture(autouse=True)
        def given(self, a2e_sandbox, a2e_requests):
            self.requests = a2e_requests
            self.query = {"face": a2e_sandbox.face_url, "video": a2e_sandbox.video_url}

        async def test_passes(self):
            answer = await self.async_client.get("/swap", self.query)
            self.assertIn("/results/", answer.json()["url"])
            self.assertEqual(len(self.requests.paid), 1)

        def test_fails(self):
            self.assertEqual(self.client.get("/swap", self.query).status_code, 200)
            self.assertFalse(self.requests.paid)
    """,
            plugins=["anyio"],
        )
    )


def test_pytest_asyncio(project):
    pytest.importorskip("pytest_asyncio")
    ini = "asyncio_mode = strict\nasyncio_default_fixture_loop_scope = function"
    check(project.test(COMMON.format(mark="@pytest.mark.asyncio"), ini=ini, plugins=["asyncio"]))


def test_anyio(project):
    backend = """
    @pytest.fixture
    def anyio_backend():
        return "asyncio"
    """
    check(project.test(COMMON.format(mark="@pytest.mark.anyio") + backend))


def test_pytest_aiohttp(project):
    pytest.importorskip("pytest_aiohttp")
    code = (
        COMMON.format(mark="")
        + """
    from aiohttp import web

    async def swapped(request):
        body = await request.json()
        done = await swap(body["face"], body["video"])
        return web.json_response({"url": done.result_url})

    async def test_an_app(aiohttp_client, a2e_env, a2e_sandbox, a2e_requests):
        app = web.Application()
        app.router.add_post("/", swapped)
        client = await aiohttp_client(app)
        answer = await client.post("/", json={"face": a2e_sandbox.face_url, "video": a2e_sandbox.video_url})
        assert (await answer.json())["url"].startswith(a2e_sandbox.url)
        assert len(a2e_requests.paid) == 1
    """
    )
    ini = "asyncio_mode = auto\nasyncio_default_fixture_loop_scope = function"
    check(project.test(code, ini=ini, plugins=["asyncio", "aiohttp"]), passed=2)
