"""Coins and diamonds, languages, copies of remote files, users."""

from shutil import copyfile
from uuid import uuid4

import anyio.to_thread

from a2e_async.sandbox.call import Call
from a2e_async.sandbox.routing import serves
from a2e_async.sandbox.wire import Refusal, iso

USER = "user"
_LANGUAGES = {
    "en": ("English", {"US": "United States", "GB": "United Kingdom", "AU": "Australia"}),
    "zh": ("Chinese", {"CN": "Mainland China", "TW": "Taiwan"}),
    "es": ("Spanish", {"ES": "Spain", "MX": "Mexico"}),
    "fr": ("French", {"FR": "France", "CA": "Canada"}),
    "de": ("German", {"DE": "Germany"}),
    "ja": ("Japanese", {"JP": "Japan"}),
}


@serves("POST", "/api/v1/user/add")
async def add_user(call: Call) -> object:
    """Add a user; nothing but the first body field is known, so the answer is a guess."""
    user = call.account.save(USER, {"username": call.text("username")})
    return {"_id": user.id, **user.fields, "createdAt": iso(user.created)}


@serves("GET", "/api/v1/user/remainingCoins")
async def remaining_coins(call: Call) -> object:
    """Return the balance in both currencies."""
    coins, diamonds = call.account.bank.balance()
    return {"coins": coins, "diamonds": diamonds}


@serves("POST", "/api/v1/user/exchangeDiamonds")
async def exchange_diamonds(call: Call) -> object:
    """Buy diamonds for coins."""
    diamonds = call.integer("diamonds")
    if diamonds < 1:
        raise Refusal("diamonds must be at least 1")
    call.account.bank.exchange(diamonds)
    return {}


@serves("POST", "/api/v1/anchor/language_list")
async def languages(_call: Call) -> object:
    """Return a few of the service's languages with their regions."""
    return [
        {
            "value": code,
            "label": name,
            "children": [{"value": at, "label": label} for at, label in regions.items()],
        }
        for code, (name, regions) in _LANGUAGES.items()
    ]


@serves("POST", "/api/v1/tos/transferToStorage")
async def transfer(call: Call) -> object:
    """Copy what a URL holds into storage."""
    source = await call.input("url")
    objects = call.services.objects
    copy = objects.scratch()
    await anyio.to_thread.run_sync(copyfile, source.path, copy)
    path = f"/cdn/3days-apac/transfer/user/{call.account.user_id}/{uuid4().hex}"
    objects.keep(path, copy, source.kind.mime)
    return {"url": str(call.base.with_path(path))}
