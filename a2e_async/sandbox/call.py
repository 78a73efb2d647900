"""What a handler is given: the caller's account, the checked arguments, and the sandbox's services."""

from collections.abc import Iterable
from typing import TypeVar

import msgspec
from yarl import URL

from a2e_async.sandbox.account import Account
from a2e_async.sandbox.contract import Row
from a2e_async.sandbox.inputs import Input, Inputs
from a2e_async.sandbox.objects import Objects
from a2e_async.sandbox.results import Results
from a2e_async.sandbox.webhooks import Outbox
from a2e_async.sandbox.wire import Refusal

T = TypeVar("T")
_HEX = frozenset("0123456789abcdef")


class Services(msgspec.Struct, frozen=True):
    """What all calls share."""

    objects: Objects
    inputs: Inputs
    results: Results
    outbox: Outbox


class Call(msgspec.Struct, frozen=True):
    """One call of one row; `base` is scheme and host as the caller wrote them, `lang` the x-lang header."""

    account: Account
    row: Row
    args: dict[str, object]
    base: URL
    services: Services
    lang: str = "en-US"

    def value(self, name: str, kind: type[T]) -> T:
        """Return an argument that the row requires, as that type; Refusal where it is missing from what is priced."""
        if name not in self.args:
            raise Refusal(f"{name} is required")
        return msgspec.convert(self.args[name], kind)

    def text(self, name: str, default: str = "") -> str:
        """Return a string argument."""
        value = self.args.get(name, default)
        return value if isinstance(value, str) else default

    def integer(self, name: str, default: int = 0) -> int:
        """Return a whole number among the arguments."""
        value = self.args.get(name, default)
        return int(value) if isinstance(value, int | float) else default

    def id(self, name: str) -> str:
        """Return an argument that is a record id, or Refusal 400 for a malformed one."""
        value = self.text(name).lower()
        if len(value) != 24 or not _HEX.issuperset(value):
            raise Refusal(f"{name} must be 24 hex digits")
        return value

    async def inputs(self, name: str, urls: Iterable[str], *families: str) -> list[Input]:
        """Return the inputs behind the URLs that an argument holds."""
        check = self.services.inputs.check
        return [await check(url, f"{name}[{at}]", self.base.authority, families) for at, url in enumerate(urls)]

    async def input(self, name: str, *families: str) -> Input:
        """Return the input behind a URL argument, fetched and checked; a family is `image` or the like."""
        return await self.services.inputs.check(self.text(name), name, self.base.authority, families)
