"""An endpoint is declared once, as a constant of its group's class; read off a group it is a method."""

import inspect
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine
from functools import cached_property
from math import inf
from types import MethodType
from typing import (
    Any,
    ClassVar,
    Generic,
    NamedTuple,
    ParamSpec,
    Protocol,
    Self,
    TypeVar,
    cast,
    get_type_hints,
    overload,
)
from urllib.parse import quote, urlencode

import msgspec

from a2e_async._answer import Answer, Page, Record, page
from a2e_async._wire import Request, encode
from a2e_async.errors import RequestError

_WITH_BODY = frozenset({"POST", "PUT"})
_SLOT = re.compile(r"\{(\w+)\}")

P = ParamSpec("P")
R = TypeVar("R")
RecordT = TypeVar("RecordT", bound=Record)
G = TypeVar("G", bound="Group")


class Permit(msgspec.Struct):
    """Until when a request may leave. Times are the loop's, unless said otherwise."""

    until: float = inf
    left: float = 0.0
    """When it left, 0 while none is under way: a paid one is not cut short, as nobody would know what it came to."""
    lapse: float = inf
    """As ``until``, in seconds since 1970: that clock goes on while the machine sleeps."""
    missed: bool = False
    """Its time was up before it could leave."""


class Caller(Protocol):
    """What a group needs of a session."""

    async def call(self, endpoint: "Endpoint[..., R]", request: Request) -> R:
        """Send one request and return the typed answer; raise an `A2EError` where there is none."""
        ...


class Agent(Caller, Protocol):
    """What a job needs of a session."""

    async def call(self, endpoint: "Endpoint[..., R]", request: Request, permit: Permit | None = None) -> R:
        """Send one request, as a `Caller` does, but nothing after the permit's time: `TransportTimeoutError`."""
        ...

    async def prepare(self, endpoint: "Endpoint[..., Any]", request: Request) -> Request:
        """Check a request and upload its local files; raise `RequestError` for what the service would not take."""
        ...


class Host(Agent, Protocol):
    """What a group needs besides, for the steps that it joins into one call."""

    async def finish(self, task: RecordT, *, deadline: float | None = None) -> RecordT:
        """Wait for a task to be done; raise where it failed or the deadline (seconds) passed."""
        ...

    def stream(self, endpoint: "Endpoint[..., Any]", request: Request) -> AsyncGenerator[str]:
        """Send one request and yield the texts of its event stream as they come."""
        ...


class Parameter(NamedTuple):
    """One parameter as it travels."""

    name: str
    wire: str
    place: str
    """``path``, ``query`` or ``body``."""
    required: bool
    """Sent with every call: it has no default, or one that is always spelt out."""


class Endpoint(Generic[P, R]):
    """One row of the contract: verb, path, request, answer, and what repeating it may cost."""

    def __init__(  # noqa: PLR0913 - one row has this many facts
        self,
        method: str,
        path: str,
        request: Callable[P, Request],
        answer: Answer[R],
        *,
        paid: bool = False,
        safe: bool = False,
        provisional: bool = False,
        also: str = "",
        lookout: str = "",
    ) -> None:
        self.method = method
        self.path = path if path.startswith("/api/") else "/api/v1" + path
        self.request = cast("type[Request]", request)
        self.answer = answer
        self.paid = paid
        self.safe = safe or method != "POST"
        self.provisional = provisional
        self.also = also and "/api/v1" + also
        """Another spelling of the path, tried where the first is unknown."""
        self._lookout = lookout
        self.label = f"{method} {self.path}"
        self.name = self.noun = ""
        self.listed = False
        """Whether the group has records in which to look for what this started."""
        self._slots: list[str] = _SLOT.findall(self.path)

    def __repr__(self) -> str:
        return f"<Endpoint {self.noun}.{self.name}: {self.label}>"

    def __set_name__(self, owner: type["Group"], name: str) -> None:
        self.name, self.noun = name, owner.noun
        self.listed = "records" in vars(owner)

    @overload
    def __get__(self, group: None, owner: type["Group"]) -> Self: ...
    @overload
    def __get__(self, group: "Group", owner: type["Group"]) -> Callable[P, Coroutine[Any, Any, R]]: ...
    def __get__(self, group: "Group | None", owner: type["Group"]) -> Self | Callable[P, Coroutine[Any, Any, R]]:
        if group is None:
            return self
        bound = vars(group)[self.name] = MethodType(self._method, group)  # found there without coming here again
        return bound

    @cached_property
    def _method(self) -> Callable[..., Coroutine[Any, Any, R]]:
        def method(group: "Group", *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, R]:
            return group.caller.call(self, self.request(*args, **kwargs))

        method.__name__ = method.__qualname__ = self.name
        method.__doc__ = f"{self.label}\n\n{inspect.getdoc(self.request) or ''}"
        cast("Any", method).__signature__ = self.signature(bound=False)
        return method

    @property
    def lookout(self) -> str:
        """Where a task shows that this started, if its answer was lost."""
        records = f"{self.noun}.records()" if self.listed else "account.history() (this group has no records)"
        return self._lookout or records

    def signature(self, *, bound: bool = True) -> inspect.Signature:
        """Return the request's own signature, as `help` and editors show it."""
        hints = get_type_hints(self.request)
        parameters = inspect.signature(self.request).parameters.values()
        own = [p.replace(annotation=hints[p.name]) for p in parameters]
        me = [] if bound else [inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)]
        return inspect.Signature([*me, *own])

    def parameters(self) -> list[Parameter]:
        """List the parameters with their wire names, places and whether each call sends them."""
        rest = "body" if self.method in _WITH_BODY else "query"
        return [
            Parameter(
                info.name,
                info.encode_name,
                "path" if info.encode_name in self._slots else rest,
                info.required or (rest == "query" and info.default is not None),
            )
            for info in msgspec.structs.fields(self.request)
        ]

    def target(self, request: Request) -> tuple[str, bytes | None]:
        """Return the path with its query, and the body."""
        places = self._places
        path = places.head
        for name, text in places.path:
            path += _segment(str(getattr(request, name))) + text
        if places.whole:
            return path, encode(request)
        values: dict[str, Any] = {}
        for wire, name in places.rest:
            if (value := getattr(request, name)) is not None:
                values[wire] = value
        if self.method in _WITH_BODY:
            return path, encode(values)
        if not values:
            return path, None
        query = urlencode({wire: _text(value) for wire, value in values.items()})
        return f"{path}?{query}", None

    @cached_property
    def _places(self) -> "_Places":
        names = {p.wire: p.name for p in self.parameters()}
        head, *parts = _SLOT.split(self.path)
        path = [(names.pop(slot), text) for slot, text in zip(parts[::2], parts[1::2], strict=True)]
        return _Places(head, path, list(names.items()), whole=self.method in _WITH_BODY and not path)


class _Places(msgspec.Struct, frozen=True):
    head: str
    path: list[tuple[str, str]]
    """Attributes, each with the text that follows it."""
    rest: list[tuple[str, str]]
    """Wire names and attributes."""
    whole: bool
    """The request as it is becomes the body."""


def _segment(value: str) -> str:
    if value.isascii() and value.isalnum():
        return value
    if not value.strip("."):
        raise RequestError(f"the id {value!r} would lead to another path.")  # as `..` does, which no quoting hides
    return quote(value, safe="")


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


class Listing(Endpoint[P, Page[RecordT]]):
    """An endpoint that answers one page; its method also has ``each``, which walks them all."""

    @overload
    def __get__(self, group: None, owner: type["Group"]) -> Self: ...
    @overload
    def __get__(self, group: "Group", owner: type["Group"]) -> "Pages[P, RecordT]": ...
    def __get__(self, group: "Group | None", owner: type["Group"]) -> "Self | Pages[P, RecordT]":
        return self if group is None else Pages(group.caller, self)


class Pages(Generic[P, RecordT]):
    """A listing bound to a session: await it for one page, or iterate over ``each()``."""

    def __init__(self, caller: Caller, listing: Listing[P, RecordT]) -> None:
        self._caller, self._listing = caller, listing

    @property
    def __signature__(self) -> inspect.Signature:
        return self._listing.signature()

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, Page[RecordT]]:
        """Read one page."""
        return self._caller.call(self._listing, self._listing.request(*args, **kwargs))

    async def each(self, *args: P.args, **kwargs: P.kwargs) -> AsyncIterator[RecordT]:
        """Walk the records from the given page on to the last, none twice though new ones shift the pages."""
        request: Any = self._listing.request(*args, **kwargs)
        seen: set[str] = set()
        while True:
            found = await self._caller.call(self._listing, request)
            fresh = [record for record in found.items if record.id not in seen]
            for record in fresh:
                yield record
            # A service that ignores the page number must not be asked for ever.
            ended = not fresh if found.count is None else request.page * request.size >= found.count
            if ended or len(found.items) < request.size:
                return
            seen.update(record.id for record in fresh)
            request = msgspec.structs.replace(request, page=request.page + 1)


def get(path: str, request: Callable[P, Request], answer: Answer[R], *, provisional: bool = False) -> Endpoint[P, R]:
    """Declare a read."""
    return Endpoint("GET", path, request, answer, provisional=provisional)


def listing(path: str, request: Callable[P, Request], record: type[RecordT]) -> Listing[P, RecordT]:
    """Declare a read that is split into pages."""
    return Listing("GET", path, request, page(record))


def post(  # noqa: PLR0913 - one row has this many facts
    path: str,
    request: Callable[P, Request],
    answer: Answer[R],
    *,
    paid: bool = False,
    safe: bool = False,
    provisional: bool = False,
    also: str = "",
    lookout: str = "",
) -> Endpoint[P, R]:
    """Declare a POST. ``paid``: may cost coins. ``safe``: may be repeated. ``provisional``: never documented.

    ``lookout``: where it shows that a paid one went through, if that is not the group's records.
    """
    flags = {"paid": paid, "safe": safe, "provisional": provisional}
    return Endpoint("POST", path, request, answer, **flags, also=also, lookout=lookout)


def put(path: str, request: Callable[P, Request], answer: Answer[R]) -> Endpoint[P, R]:
    """Declare a change that may be repeated."""
    return Endpoint("PUT", path, request, answer)


def delete(path: str, request: Callable[P, Request], answer: Answer[R], *, provisional: bool = False) -> Endpoint[P, R]:
    """Declare a removal."""
    return Endpoint("DELETE", path, request, answer, provisional=provisional)


class Group:
    """Endpoints that belong together; ``noun`` is where a session keeps them."""

    noun: ClassVar[str] = ""

    def __init__(self, caller: Host) -> None:
        self.caller = caller


class subgroup(Generic[G]):  # noqa: N801 - used like `property`
    """A group inside a group."""

    def __init__(self, group: type[G]) -> None:
        self.group = group
        self._name = group.noun.rpartition(".")[2]

    @overload
    def __get__(self, outer: None, owner: type[Group]) -> Self: ...
    @overload
    def __get__(self, outer: Group, owner: type[Group]) -> G: ...
    def __get__(self, outer: Group | None, owner: type[Group]) -> Self | G:
        if outer is None:
            return self
        inner = vars(outer)[self._name] = self.group(outer.caller)
        return inner
