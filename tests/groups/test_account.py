"""Every endpoint of the account, over TCP against the sandbox."""

import warnings
from datetime import UTC, datetime, timedelta

import pytest

from a2e_async import A2ESession, APIError, InsufficientCoinsError, ProvisionalEndpointWarning, RequestError
from a2e_async.groups.account import Balance, Language, Quote, StoredFile, Transaction, UploadSlot
from tests.service import SWIFT, scene

pytestmark = pytest.mark.anyio

ADD = "/api/v1/userFaceSwapTask/add"


async def test_coins() -> None:
    async with scene("stepped") as s:
        assert await s.a2e.account.coins() == Balance(coins=1000.0, diamonds=0.0)


async def test_diamonds_are_bought_with_coins() -> None:
    async with scene("stepped") as s:
        assert await s.a2e.account.exchange_diamonds(diamonds=3) is None
        assert await s.a2e.account.coins() == Balance(coins=700.0, diamonds=3.0)
        with pytest.raises(InsufficientCoinsError, match="Top up"):
            await s.a2e.account.exchange_diamonds(diamonds=8)
        assert s.account.coins == 700.0


async def test_adding_a_user_is_provisional_and_says_so_once_a_session() -> None:
    async with scene("stepped") as s:
        with pytest.warns(ProvisionalEndpointWarning, match="POST /api/v1/user/add was never") as caught:
            assert await s.a2e.account.add_user(username="me") is None
        assert len(caught) == 1
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            await s.a2e.account.add_user(username="you")
        assert s.sent("POST", "/user/add") == [200, 200]

        async with A2ESession("sk_other", base_url=s.sandbox.url, **SWIFT) as other:
            with pytest.warns(ProvisionalEndpointWarning):
                await other.account.add_user(username="me")


async def test_documented_endpoints_do_not_warn() -> None:
    async with scene("stepped") as s:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            await s.a2e.account.coins()


async def test_languages_and_their_regions() -> None:
    async with scene("stepped") as s:
        languages = await s.a2e.account.languages(locale="en-US")

        english = languages[0]
        assert (type(english), english.value, english.label) == (Language, "en", "English")
        assert english.regions[0].value == "US"
        assert s.account.requests[-1].body == {"voice_map_type": "en-US"}
        assert await s.a2e.account.languages() == languages


async def test_a_public_file_is_copied() -> None:
    async with scene("stepped") as s:
        copy = await s.a2e.account.store_url(url=s.sandbox.face_url)

        assert (type(copy), copy.url.startswith(f"{s.sandbox.url}/cdn/")) == (StoredFile, True)
        with pytest.raises(RequestError, match="holds a space"):
            await s.a2e.account.store_url(url=f"{s.sandbox.url}/a b.jpg")


async def test_an_upload_url() -> None:
    async with scene("stepped") as s:
        slot = await s.a2e.account.upload_url(key="a.jpg", content_type="image/jpeg", file_size=3, expires_in=60)

        assert (type(slot), slot.bucket, slot.expires_in) == (UploadSlot, "3days-apac", 60.0)
        assert slot.key.endswith("/a.jpg")
        assert slot.upload_url.startswith(f"{s.sandbox.url}/storage/")
        assert (slot.cdn_url or "").startswith(f"{s.sandbox.url}/cdn/")
        with pytest.raises(RequestError, match="expiresIn"):
            await s.a2e.account.upload_url(key="a.jpg", expires_in=59)


async def test_a_quote_is_what_the_call_then_costs() -> None:
    async with scene("stepped") as s:
        quote = await s.a2e.account.quote(endpoint=ADD, body=s.swap)
        assert (type(quote), quote.validated, s.account.coins) == (Quote, True, 1000.0)
        task = await s.a2e.face_swap.tasks.add(**s.swap)
        assert task.coins == quote.coins

        part = await s.a2e.account.quote(endpoint=f"POST {ADD}", body={"video_url": s.sandbox.video_url})
        assert (part.validated, part.coins) == (False, quote.coins)
        with pytest.raises(APIError, match="cannot be priced"):
            await s.a2e.account.quote(endpoint="/api/v1/nowhere", body={})


async def test_history_newest_first_and_filtered() -> None:
    async with scene("stepped") as s:
        for diamonds in (1, 2, 3):
            await s.a2e.account.exchange_diamonds(diamonds=diamonds)
        history = s.a2e.account.history

        first = await history(size=2)
        assert [(type(row), row.amount) for row in first.items] == [
            (Transaction, -300.0),
            (Transaction, -200.0),
        ]
        assert first.count == 4
        assert datetime.fromisoformat(first.items[0].created_at).tzinfo is not None
        assert first.items[0].raw["reason"]
        assert [row.amount async for row in history.each(size=2)] == [-300.0, -200.0, -100.0, 1000.0]
        assert [row.amount async for row in history.each(spendings=True, size=2)] == [-300.0, -200.0, -100.0]
        assert [row.amount for row in (await history(spendings=False)).items] == [1000.0]
        assert "is_consumption=false" in s.account.requests[-1].query


async def test_history_of_some_days() -> None:
    async with scene("stepped") as s:
        today = datetime.fromtimestamp(s.account.clock.now() / 1000, UTC).date()
        tomorrow = today + timedelta(days=1)

        assert len((await s.a2e.account.history(start=f"{today}", end=f"{today}")).items) == 1
        assert (await s.a2e.account.history(start=f"{tomorrow}")).items == []
        assert (await s.a2e.account.history(end=f"{today - timedelta(days=1)}")).items == []
