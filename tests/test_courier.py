"""Files and other hosts: what these get to see, where they may lead; and what of a lent session is used."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult
from multidict import CIMultiDict
from yarl import URL

from a2e_async import A2EError, A2ESession, AuthenticationError, DecodeError, RetryPolicy, TransportError
from a2e_async._courier import Courier, is_public
from a2e_async.groups.face_swap import Swap
from a2e_async.sandbox import Rule, Sandbox
from a2e_async.sandbox.objects import SAMPLES
from tests.service import KEY, SWIFT, host, scene

pytestmark = pytest.mark.anyio

FACE = SAMPLES / "face.jpg"
FILE = b"\0" * 1000
PLAIN = {"accept", "accept-encoding", "content-length", "content-type", "host", "user-agent"}


async def file(_request: web.Request) -> web.StreamResponse:
    return web.Response(body=FILE, content_type="video/mp4")


def to(place: str) -> Any:
    async def answer(request: web.Request) -> web.StreamResponse:
        return web.Response(status=302, headers={"Location": place.format(port=request.url.port)})

    return answer


async def balance(_request: web.Request) -> web.StreamResponse:
    answer = web.json_response({"code": 0, "data": {"coins": 1}})
    answer.enable_compression(web.ContentCoding.gzip)
    return answer


# -- what is shown to other hosts --------------------------------------------------------------------------


@asynccontextmanager
async def lent(**settings: Any) -> AsyncIterator[aiohttp.ClientSession]:
    jar = aiohttp.CookieJar(unsafe=True)
    jar.update_cookies({"mine": "1"}, URL("http://127.0.0.1"))
    if "auth" in settings:
        settings["auth"] = aiohttp.BasicAuth(*settings["auth"])  # deprecated, and still used
    async with aiohttp.ClientSession(cookie_jar=jar, **settings) as http:
        yield http


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"headers": {"Authorization": "Bearer of-another-service", "X-Api-Key": "mine"}},
        {"auth": ("me", "mine")},
        {"trust_env": True},
        {"raise_for_status": True},
        {"auto_decompress": False},
        {"base_url": "http://127.0.0.1:1/"},
    ],
    ids=lambda settings: next(iter(settings), "cookies"),
)
async def test_a_lent_session_keeps_what_it_has_to_itself(
    settings: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".netrc").write_text("default login me password mine\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    async with lent(**settings) as http, host(balance, to("/next"), file, http=http) as (url, seen, a2e):
        assert (await a2e.account.coins()).coins == 1
        await a2e.files.save(url, tmp_path / "out.mp4")
    asked, *fetched = seen
    assert asked.headers.getall("Authorization") == [f"Bearer {KEY}"]
    assert [request.path for request in fetched] == ["/result.mp4", "/next"]
    for request in fetched:
        assert {name.lower() for name in request.headers} <= PLAIN


async def test_an_upload_from_a_lent_session_shows_nothing_either(tmp_path: Path) -> None:
    async with Sandbox() as sandbox, lent(headers={"Authorization": "Bearer x"}, raise_for_status=True) as http:
        async with A2ESession(KEY, base_url=sandbox.url, http=http, **SWIFT) as a2e:
            await a2e.files.upload(FACE)
            sandbox.account(KEY).fault(Rule("status", path="/api/*", status=401))
            with pytest.raises(AuthenticationError):
                await a2e.account.coins()
        with_token = {entry.path.split("/")[1] for entry in sandbox.account(KEY).requests if entry.authorization}
        assert with_token == {"api"}


async def test_no_middleware_of_a_lent_session_sends_a_paid_request_again() -> None:
    async def twice(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        (await handler(request)).release()
        return await handler(request)

    async with aiohttp.ClientSession(middlewares=(twice,)) as http, scene(http=http) as s:
        await s.a2e.face_swap.tasks.add(**s.swap)
        assert len(s.account.tasks) == 1


async def test_the_traces_of_a_lent_session_see_no_token() -> None:
    seen: list[str] = []

    async def note(_session: object, _context: object, params: aiohttp.TraceRequestStartParams) -> None:
        seen.append(repr(params))

    trace = aiohttp.TraceConfig()
    trace.on_request_start.append(note)
    async with aiohttp.ClientSession(trace_configs=[trace]) as http, scene(http=http) as s:
        await s.a2e.account.coins()
    assert len(seen) == 1
    assert KEY not in seen[0]


async def test_proxies_of_the_environment_get_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    async with host(balance) as (proxy, caught, _):
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, str(URL(proxy).origin()))
        async with host(balance, file) as (url, seen, a2e):
            await a2e.account.coins()
            await a2e.files.save(url, tmp_path / "out.mp4")
    assert (len(seen), caught) == (2, [])


# -- where a file may lead ---------------------------------------------------------------------------------


async def test_redirects_of_a_file_end(tmp_path: Path) -> None:
    async with host(to("/again?signature=secret")) as (url, seen, a2e):
        with pytest.raises(TransportError) as caught:
            await a2e.files.save(url, tmp_path / "out.mp4")
    assert len(seen) <= 5 * SWIFT["retry"].attempts
    assert "secret" not in str(caught.value)


class Everywhere(AbstractResolver):
    """All names mean this machine."""

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET) -> Any:
        where = {"hostname": host, "host": "127.0.0.1", "port": port, "family": family, "proto": 0, "flags": 0}
        return [ResolveResult(**where)]

    async def close(self) -> None:
        pass


@asynccontextmanager
async def public(*answers: Any) -> AsyncIterator[tuple[str, list[web.Request], A2ESession]]:
    """A service at what seems to be a public address, over http because the user says so."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(resolver=Everywhere())) as http:
        async with host(*answers) as (url, seen, _):
            port = URL(url).port
            there = f"http://service.example:{port}"
            async with A2ESession(KEY, base_url=there, http=http, allow_http=True, **SWIFT) as a2e:
                yield there, seen, a2e


def swap(url: str) -> Swap:
    return Swap(id="66e63777a3ebb9f1e3a2ab5c", status="completed", result_url=url)


async def test_plain_http_where_the_user_says_so(tmp_path: Path) -> None:
    async with public(balance, to("http://cdn.example:{port}/r"), file) as (there, seen, a2e):
        assert (await a2e.account.coins()).coins == 1
        await a2e.files.save(swap(f"{there}/r.mp4"), tmp_path / "out.mp4")
        assert [request.host.split(":")[0] for request in seen] == ["service.example"] * 2 + ["cdn.example"]


@pytest.mark.parametrize("inside", ["127.0.0.1", "localhost", "127.1", "2130706433", "[::ffff:127.0.0.1]", "10.0.0.1"])
async def test_a_public_service_leads_to_no_private_address(inside: str, tmp_path: Path) -> None:
    async with public(to(f"http://{inside}:{{port}}/latest/meta-data"), file) as (there, seen, a2e):
        for source in (swap(f"{there}/r.mp4"), f"{there}/r.mp4"):
            with pytest.raises(DecodeError, match="no public address"):
                await a2e.files.save(source, tmp_path / "out.mp4")
            seen.clear()
        port = URL(there).port
        with pytest.raises(DecodeError, match="no public address"):
            await a2e.files.save(swap(f"http://{inside}:{port}/r.mp4"), tmp_path / "out.mp4")
        assert not seen
    assert not list(tmp_path.iterdir())


async def test_a_private_address_that_the_user_gives_is_the_users_to_judge(tmp_path: Path) -> None:
    async with public(file) as (there, _, a2e):
        url = str(URL(there).with_host("127.0.0.1"))
        assert (await a2e.files.save(url, tmp_path / "out.mp4")).read_bytes() == FILE


async def test_no_file_is_uploaded_to_a_private_address() -> None:
    async def inside(request: web.Request) -> web.StreamResponse:
        return web.json_response({"code": 0, "data": {"uploadUrl": f"http://127.0.0.1:{request.url.port}/put"}})

    async with public(inside) as (_, seen, a2e):
        with pytest.raises(DecodeError, match="no public address"):
            await a2e.files.upload(FACE)
        assert [request.method for request in seen] == ["POST"]


async def passed(courier: Courier, *urls: str) -> list[str]:
    """Send requests on, one after the other; return what arrived."""
    arrived: list[str] = []

    async def handler(request: Any) -> Any:
        arrived.append(str(request.url))

    for url in urls:
        await courier(SimpleNamespace(url=URL(url), headers=CIMultiDict()), handler)  # type: ignore[arg-type]
    return arrived


async def test_nothing_leads_from_https_to_http() -> None:
    service = "https://video.a2e.ai"
    for hops in (["http://cdn.example/r"], ["https://cdn.example/r", "http://cdn.example/r"]):
        with pytest.raises(DecodeError, match="from https to what anybody may read"):
            await passed(Courier("GET result", service), *hops)
    with pytest.raises(DecodeError, match="from https"):
        await passed(
            Courier("GET result", service, gave="https://a.example/r"), "https://a.example/r", "http://a.example"
        )
    hops = ["http://a.example/r", "https://a.example/r"]
    assert await passed(Courier("GET result", service, gave=hops[0]), *hops) == hops
    assert await passed(Courier("GET result", "http://localhost:1"), hops[0]) == hops[:1]


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        *(("1.1.1.1", True), ("cdn.example", True), ("2606:4700::1111", True), ("video.a2e.ai.", True)),
        *(("localhost", False), ("LOCALHOST.", False), ("x.localhost", False), ("127.8.9.1", False), ("::1", False)),
        *(("10.1.2.3", False), ("192.168.0.1", False), ("172.16.0.1", False), ("169.254.169.254", False)),
        *(("fe80::1%eth0", False), ("fd00::1", False), ("::ffff:10.0.0.1", False), ("100.64.0.1", False)),
        *(("0", False), ("0.0.0.0", False), ("0x7f.1", False), ("0177.0.0.1", False), ("2852039166", False)),
        *(("127.0.0.1.", False), ("a" * 300, True), ("é.example", True)),
    ],
)
def test_what_is_a_public_host(host: str, expected: bool) -> None:
    assert is_public(host) is expected


# -- transfers that do not move ----------------------------------------------------------------------------


async def slot(request: web.Request) -> web.StreamResponse:
    place = str(request.url.with_path("/put"))
    return web.json_response({"code": 0, "data": {"uploadUrl": place, "cdnUrl": "https://cdn.example/x"}})


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """One that does not fit into the buffers between here and there."""
    path = tmp_path / "large.jpg"
    path.write_bytes(FACE.read_bytes() + bytes(30_000_000))
    return path


def test_an_upload_that_nobody_reads_ends(picture: Path) -> None:
    async def deaf(_request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(30)
        return web.Response()

    async def main() -> list[str]:
        async with host(slot, deaf, timeout=0.3, retry=RetryPolicy(attempts=2, base=0)) as (_, seen, a2e):
            with pytest.raises(TransportError, match="no complete answer"):
                await a2e.files.upload(picture)
            return [request.method for request in seen]

    # On a loop of its own, as older releases of aiohttp leave it an error that nobody waits for.
    assert asyncio.run(main()) == ["POST", "PUT", "PUT"]


async def test_an_upload_that_moves_may_last_longer_than_the_timeout(picture: Path) -> None:
    parts: list[int] = []

    async def slow(request: web.Request) -> web.StreamResponse:
        while part := await request.content.readany():
            parts.append(len(part))
            await asyncio.sleep(0.1 if len(parts) < 15 else 0)
        return web.Response()

    async with host(slot, slow, timeout=1.0) as (_, seen, a2e):
        began = time.monotonic()
        assert await a2e.files.upload(picture) == "https://cdn.example/x"
        assert time.monotonic() - began > 1.0
        assert (len(seen), sum(parts)) == (2, picture.stat().st_size)


async def test_a_result_that_dribbles_ends(tmp_path: Path) -> None:
    async def dribble(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "video/mp4"})
        await response.prepare(request)
        while True:
            await response.write(b"x")
            await asyncio.sleep(0.02)

    async with host(dribble, timeout=0.2) as (url, _, a2e):
        with pytest.raises(A2EError, match="slower than 1024 bytes a second"):
            await a2e.files.save(url, tmp_path / "out.mp4")
    assert not list(tmp_path.iterdir())
