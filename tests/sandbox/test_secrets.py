"""No token stays in what the sandbox keeps, and nobody else on the machine reads that."""

import os
import stat
from pathlib import Path

import aiohttp
import pytest

from a2e_async.sandbox import Sandbox

pytestmark = pytest.mark.anyio

KEY, PASSWORD, HOOK = "sk_very-secret-indeed", "correct horse", "battery staple"
HEADERS = {"Authorization": f"Bearer {KEY}"}


async def test_the_files_hold_no_token(tmp_path):
    async with Sandbox(db=tmp_path / "db", clock="stepped") as sandbox:
        async with aiohttp.ClientSession(sandbox.url, headers=HEADERS) as http:
            tokens = await used(http, sandbox)
            sandbox.account(KEY).advance(100)
            held = await http.get("/sandbox/requests")
            log = await held.read()
    files = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert tmp_path / "db" in files
    for secret in (*tokens, KEY, PASSWORD, HOOK):
        assert [path for path, held in files.items() if secret.encode() in held] == []
        assert secret.encode() not in log
    assert b'"webhook_token":"***"' in log.replace(b'": "', b'":"')


async def used(http: aiohttp.ClientSession, sandbox: Sandbox) -> list[str]:
    """Make and use tokens in every way, and return them."""
    body = {"name": "x", "face_url": sandbox.face_url, "video_url": sandbox.video_url}
    hook = {"webhook_url": "http://127.0.0.1:9/", "webhook_token": HOOK}
    tokens = []
    for method, path, sent in (
        ("POST", "/api/v1/token/generate", {"alias": "laptop"}),
        ("POST", "/api/login/account", {"account": "a", "password": PASSWORD}),
        ("GET", "/api/v1/token/list", None),
        ("POST", "/api/v1/userFaceSwapTask/add", body | hook),
        ("GET", f"/api/v1/userFaceSwapTask/{KEY}?token={KEY}&api_key={KEY}", None),
        ("POST", "/api/v1/user/add", {"username": "x", "captchaVerifyParam": KEY}),
    ):
        async with http.request(method, path, json=sent) as response:
            data = (await response.json()).get("data")
            tokens += [data["token"]] if isinstance(data, dict) and "token" in data else []
    for token in tokens:
        async with http.get("/api/v1/user/remainingCoins", headers={"Authorization": f"Bearer {token}"}) as response:
            assert response.status == 200
    assert len(tokens) == 2
    return tokens


@pytest.mark.skipif(os.name == "nt", reason="Windows has other permissions")
async def test_only_their_owner_reads_the_files(tmp_path):
    umask = os.umask(0)
    try:
        async with Sandbox(db=tmp_path / "db") as sandbox:
            sandbox.account(KEY)
            assert {path.name: mode(path) for path in tmp_path.iterdir()} == {
                "db": 0o600,
                "db-shm": 0o600,
                "db-wal": 0o600,
                "db.files": 0o700,
            }
    finally:
        os.umask(umask)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def test_a_token_is_not_its_id(call):
    made = (await call("POST", "/api/v1/token/generate", json={"alias": "laptop"})).data
    guess = made["token"].rpartition("_")[0]
    assert made["_id"] in guess
    for token in (guess, f"{guess}_", f"{guess}_guess", f"{made['token']}x"):
        reply = await call("GET", "/api/v1/user/remainingCoins", headers={"Authorization": f"Bearer {token}"})
        assert reply.status == 401
