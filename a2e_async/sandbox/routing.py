"""From a method and a path to a row of the contract, and from a row to the handler that serves it."""

import re
from collections.abc import Awaitable, Callable, Mapping
from functools import cache
from typing import NamedTuple, TypeAlias

from msgspec import structs

from a2e_async.sandbox import contract
from a2e_async.sandbox.call import Call
from a2e_async.sandbox.contract import Alternative, Param, Row

Handler: TypeAlias = Callable[[Call], Awaitable[object]]


class Served(NamedTuple):
    """A handler, what it can do without although the row demands it, and further parameters it takes."""

    handler: Handler
    optional: frozenset[str]
    more: tuple[Param, ...]


class Route(NamedTuple):
    """One way to reach a row; an alternative may read its parameters from another place."""

    row: Row
    params: tuple[Param, ...]


class Match(NamedTuple):
    """A route and the text found in its path parameter, if it has one."""

    route: Route
    in_path: dict[str, str]


_HOLE = re.compile(r"\{(\w+)\}")

HANDLERS: dict[tuple[str, str], Served] = {}
OPEN = frozenset({"/api/login/account", "/api/v1/custom_back/randomBackground"})
"""Paths that answer without a token."""


def serves(
    method: str, path: str, *, optional: tuple[str, ...] = (), more: tuple[str, ...] = ()
) -> Callable[[Handler], Handler]:
    """Register the decorated coroutine function for the row with that method and path.

    `more` are texts in the body that the row lacks: other spellings, and guesses where it names nothing.
    An answer that is an HTTP response already leaves as it is, anything else in the envelope.
    """

    def register(handler: Handler) -> Handler:
        if (method, path) in HANDLERS:
            raise ValueError(f"{method} {path} has two handlers")
        further = tuple(Param(name, "body", "string", required=False, description="") for name in more)
        HANDLERS[method, path] = Served(handler, frozenset(optional), further)
        return handler

    return register


def find_route(method: str, path: str) -> Match | None:
    """Return the row that answers this request; fixed paths win over those that hold an id."""
    table = routes()
    if route := table.get((method, path)):
        return Match(route, {})
    parts = path.split("/")
    for at in range(len(parts) - 1, 2, -1):
        route = table.get((method, "/".join([*parts[:at], "{}", *parts[at + 1 :]])))
        if route and parts[at]:
            return Match(route, {_path_name(route.row): parts[at]})
    return None


@cache
def routes() -> Mapping[tuple[str, str], Route]:
    """Return every route by its method and path, where `{}` stands for an id."""
    table: dict[tuple[str, str], Route] = {}
    for row in contract.rows():
        if row.served_path:
            table[row.method, _shape(row.served_path)] = Route(row, row.params)
    # Some alternatives are rows of their own, too; those win.
    for row in contract.rows():
        for other in row.alternatives:
            table.setdefault((other.method, _shape(other.path)), Route(row, _other_params(row, other)))
    return table


def _other_params(row: Row, other: Alternative) -> tuple[Param, ...]:
    # A GET cannot carry the body of the POST it stands in for: its parameters move to the query, and back.
    place = other.params_in or ("query" if other.method == "GET" else None)
    moved = tuple(structs.replace(param, place=place) if place else param for param in row.params)
    return moved + tuple(Param(name, "query", "string", required=False, description="") for name in other.params)


def _shape(path: str) -> str:
    return _HOLE.sub("{}", path)


def _path_name(row: Row) -> str:
    hole = _HOLE.search(row.served_path or "")
    return hole[1] if hole else ""
