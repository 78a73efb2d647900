"""Rooms of streaming avatars: paid in advance, refunded once, over by themselves."""

import pytest

pytestmark = pytest.mark.anyio

BASE = "/api/v1/streaming-avatar"


async def enter(call, **fields):
    avatars = (await call("GET", f"{BASE}/all_avatars")).data
    assert set(avatars[0]) == {"_id", "name"}
    return await call("POST", f"{BASE}/agora-token", json={"avatar_id": avatars[0]["_id"], **fields})


async def leave(call, room):
    return await call("POST", f"{BASE}/leave", json={"channel": room["channel"]})


async def test_a_room_is_paid_in_advance(call, account):
    room = (await enter(call, expire_seconds=100)).data
    assert set(room) == {"appId", "channel", "token", "uid", "expire_epoch_timestamp", "expire_date_UTC"}
    assert account.coins == 950
    assert room["expire_epoch_timestamp"] == account.clock.now() // 1000 + 100
    assert room["expire_date_UTC"].endswith("Z")
    assert (await enter(call)).data["channel"] != room["channel"]
    assert account.coins == 920


async def test_the_unused_part_comes_back_once(call, account):
    room = (await enter(call, expire_seconds=100)).data
    account.advance(29.5)
    for _ in range(3):
        assert (await leave(call, room)).data == {}
        account.advance(1)
    assert account.coins == 985
    assert [charge.delta for charge in account.ledger] == [1000, -50, 35]
    assert len({charge.task for charge in account.ledger[1:]}) == 1


async def test_an_expired_room_gives_nothing_back(call, account):
    room = (await enter(call)).data
    account.advance(60)
    reply = await call("POST", f"{BASE}/ask", json={"channel": room["channel"], "text": "still there?"})
    assert (reply.status, reply.msg) == (400, "channel: the room has ended")
    assert (await leave(call, room)).data == {}
    assert account.coins == 970


async def test_hosts_run_out_until_a_room_ends(call, account):
    first, _ = [(await enter(call, expire_seconds=60)).data for _ in range(2)]
    refused = await enter(call)
    assert (refused.status, refused.json["code"]) == (200, 1001)
    assert "hosts are occupied" in refused.msg
    assert account.coins == 940
    await leave(call, first)
    assert (await enter(call, expire_seconds=1)).data
    account.advance(1)
    assert (await enter(call)).data


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"expire_seconds": 0}, "expire_seconds must be within 1..2592000"),
        ({"avatar_id": "x"}, "avatar_id must be 24 hex digits"),
        ({"avatar_id": "a" * 24}, "avatar_id: no such avatar; all_avatars lists them"),
        ({"expire_seconds": 10**6}, "insufficient credits"),
        ({"expire_seconds": 10**12}, "expire_seconds must be within 1..2592000"),
    ],
)
async def test_rooms_that_cannot_be(call, account, fields, said):
    reply = await enter(call, **fields)
    assert reply.status == 400
    assert said in reply.msg
    assert account.coins == 1000
    assert len(account.ledger) == 1


async def test_talking(call):
    room = (await enter(call)).data["channel"]
    for word in ("ask", "speak"):
        assert (await call("POST", f"{BASE}/{word}", json={"channel": room, "text": "hello"})).data == {}
        reply = await call("POST", f"{BASE}/{word}", json={"channel": "elsewhere", "text": "hello"})
        assert (reply.status, reply.msg) == (404, "channel: no such room")
        assert (await call("POST", f"{BASE}/{word}", json={"channel": room})).msg == "text is required"


async def test_context(call):
    room = (await enter(call)).data["channel"]
    read = {"params": {"channel": room}}
    assert (await call("GET", f"{BASE}/get-qa-context", **read)).data == {"text": ""}
    for text, status in (("x" * 5000, 200), ("y" * 5001, 400)):
        reply = await call("POST", f"{BASE}/set-qa-context", json={"channel": room, "text": text})
        assert reply.status == status
    assert reply.msg == "text must have at most 5000 characters"
    assert (await call("GET", f"{BASE}/get-qa-context", **read)).data == {"text": "x" * 5000}
    await leave(call, {"channel": room})
    assert (await call("GET", f"{BASE}/get-qa-context", **read)).status == 400


async def test_rooms_belong_to_their_account(call):
    room = (await enter(call)).data
    headers = {"Authorization": "Bearer sk_other"}
    assert (await call("POST", f"{BASE}/leave", json={"channel": room["channel"]}, headers=headers)).status == 404


async def test_quote(call, account):
    body = {"endpoint": f"POST {BASE}/agora-token", "requestBody": {"avatar_id": "x", "expire_seconds": 10}}
    assert (await call("POST", "/api/v1/generation/quote", json=body)).data["coins"] == 5
    assert account.coins == 1000
