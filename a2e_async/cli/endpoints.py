"""`a2e endpoints`."""

from typing import Any

from a2e_async._endpoint import Endpoint
from a2e_async.cli._terminal import give, say
from a2e_async.groups import endpoints


async def run(*, as_json: bool) -> int:
    """List every declared endpoint."""
    rows = [_row(endpoint) for endpoint in endpoints()]
    if as_json:
        give(rows)
        return 0
    width = max(len(row["name"]) for row in rows)
    for row in rows:
        names = " ".join(one["name"] + "*" * one["required"] for one in row["parameters"])
        marks = "".join(f" [{mark}]" for mark in ("paid", "provisional") if row[mark])
        give(f"{row['name']:{width}}  {row['verb']:6} {row['path']}{marks}  {names}".rstrip())
    say("* always sent   [paid] may spend coins   [provisional] never publicly documented")
    return 0


def _row(endpoint: Endpoint[..., Any]) -> dict[str, Any]:
    return {
        "name": f"{endpoint.noun}.{endpoint.name}",
        "verb": endpoint.method,
        "path": endpoint.path,
        "paid": endpoint.paid,
        "provisional": endpoint.provisional,
        "parameters": [parameter._asdict() for parameter in endpoint.parameters()],
    }
