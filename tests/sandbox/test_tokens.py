"""Tokens made by program stand for the account that made them, until they are revoked."""

import aiohttp
import pytest

from a2e_async.sandbox import Sandbox

pytestmark = pytest.mark.anyio

LOGIN, GENERATE = "/api/login/account", "/api/v1/token/generate"
COINS = "/api/v1/user/remainingCoins"


def bearer(token):
    return {"headers": {"Authorization": f"Bearer {token}"}}


async def made(call, alias="laptop"):
    return (await call("POST", GENERATE, json={"alias": alias})).data


async def test_login_needs_no_token_and_gives_one(sandbox):
    body = {"account": "a@example.org", "password": "x"}
    async with aiohttp.ClientSession(sandbox.url) as http:
        tokens = []
        for change in ({}, {}, {"password": "y"}):
            async with http.post(LOGIN, json={**body, **change}) as response:
                assert response.status == 200
                tokens.append((await response.json())["data"]["token"])
        assert tokens[0] == tokens[1] != tokens[2]
        async with http.get(COINS, **bearer(tokens[0])) as response:
            assert response.status == 200
        async with http.get(COINS) as response:
            assert response.status == 401


@pytest.mark.parametrize(("body", "field"), [({"account": "a"}, "password"), ({"password": "a"}, "account")])
async def test_login_names_what_is_missing(call, body, field):
    reply = await call("POST", LOGIN, json=body)
    assert (reply.status, reply.msg) == (400, f"{field} is required")


async def test_a_made_token_spends_the_coins_of_its_maker(call, account):
    token = await made(call)
    assert set(token) == {"_id", "token"}
    reply = await call("POST", "/api/v1/user/exchangeDiamonds", json={"diamonds": 1}, **bearer(token["token"]))
    assert reply.data == {}
    assert account.coins == 900


async def test_list_and_delete(call, sandbox):
    first, second = await made(call, "one"), await made(call, "two")
    listed = (await call("GET", "/api/v1/token/list")).data
    assert [row["_id"] for row in listed] == [second["_id"], first["_id"]]
    assert listed[1]["alias"] == "one"
    assert set(listed[1]) == {"_id", "alias", "createdAt", "updatedAt"}
    assert (await call("POST", "/api/v1/token/delete", json={"_id": first["_id"]})).data == {}
    assert (await call("POST", "/api/v1/token/delete", json={"_id": first["_id"]})).status == 404
    assert (await call("POST", "/api/v1/token/delete", json={"_id": "x"})).status == 400
    assert (await call("GET", COINS, **bearer(first["token"]))).status == 401
    assert (await call("GET", COINS, **bearer(second["token"]))).status == 200
    with pytest.raises(ValueError, match="exists"):
        sandbox.account(second["token"], coins=5)


async def test_only_the_owner_deletes(call):
    token = await made(call)
    reply = await call("POST", "/api/v1/token/delete", json={"_id": token["_id"]}, **bearer("sk_other"))
    assert reply.status == 404


async def test_made_tokens_outlive_the_sandbox(tmp_path):
    async with Sandbox(db=tmp_path / "db", clock="stepped") as sandbox:
        async with aiohttp.ClientSession(sandbox.url, **bearer("sk_kept")) as http:
            async with http.post(GENERATE, json={"alias": "x"}) as response:
                token = (await response.json())["data"]["token"]
        user_id = sandbox.account("sk_kept").user_id
    async with Sandbox(db=tmp_path / "db") as sandbox:
        assert sandbox.account(token).user_id == user_id
