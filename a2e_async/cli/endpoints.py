"""`a2e endpoints`."""

from typing import Any

from a2e_async._endpoint import Endpoint
from a2e_async._saying import say
from a2e_async.cli._terminal import give
from a2e_async.groups import endpoints
from a2e_async.sandbox.contract import rows

_PAGE = "A how-to page: there is no call."


async def run(*, as_json: bool, openapi: bool) -> int:
    """List every declared endpoint, and what has no call, in the order of the source document."""
    if openapi:
        from a2e_async.sandbox.openapi import document

        give(document())
        return 0
    entries = _entries()
    if as_json:
        give(entries)
        return 0
    width = max(len(entry["name"] or "") for entry in entries)
    for entry in entries:
        give(_line(entry, width))
    say("* always sent   [paid] may spend coins   [provisional] never publicly documented")
    return 0


def _line(entry: dict[str, Any], width: int) -> str:
    if entry["note"]:
        return f"{'-':{width}}  {entry['source']}: {entry['note']}"
    names = " ".join(one["name"] + "*" * one["required"] for one in entry["parameters"])
    marks = "".join(f" [{mark}]" for mark in ("paid", "provisional") if entry[mark])
    return f"{entry['name']:{width}}  {entry['method']:6} {entry['path']}{marks}  {names}".rstrip()


def _entries() -> list[dict[str, Any]]:
    places = _places()
    pages = [_entry(at, None) for at, row in enumerate(rows()) if row.served_path is None]
    calls = [_entry(places[endpoint.label], endpoint) for endpoint in endpoints()]
    return sorted(pages + calls, key=lambda entry: entry.pop("at"))


def _places() -> dict[str, int]:
    """Say where in the contract each verb and path stands."""
    found = {f"{row.method} {row.served_path}": at for at, row in enumerate(rows())}
    for at, row in enumerate(rows()):
        for other in row.alternatives:
            found.setdefault(f"{other.method} {other.path}", at)
    return found


def _entry(at: int, endpoint: Endpoint[..., Any] | None) -> dict[str, Any]:
    row = rows()[at]
    return {
        "at": at,
        "name": f"{endpoint.noun}.{endpoint.name}" if endpoint else None,
        "method": endpoint.method if endpoint else None,
        "path": endpoint.path if endpoint else None,
        "paid": bool(endpoint and endpoint.paid),
        "provisional": bool(endpoint and endpoint.provisional),
        "parameters": [one._asdict() for one in endpoint.parameters()] if endpoint else [],
        "source": row.name,
        "in_source_document": row.in_seed,
        "number": at + 1 if row.in_seed else None,  # they come first in the contract
        "confidence": row.confidence,
        "note": None if endpoint else _PAGE,
    }
