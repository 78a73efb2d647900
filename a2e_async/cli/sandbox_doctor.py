"""`a2e sandbox doctor`."""

import re
from collections import Counter
from collections.abc import Iterator
from itertools import groupby

import msgspec
from msgspec import UNSET, UnsetType
from msgspec.structs import asdict

from a2e_async._saying import say
from a2e_async.cli._recording import Recording, read
from a2e_async.cli._rehearsal import Reply, stage
from a2e_async.cli._shape import JSON, Difference, differences, refusal
from a2e_async.cli._terminal import FAILED, give
from a2e_async.sandbox.routing import find_route

_LONGEST = 200
_TOKEN = re.compile(r"sk_\w+")

Found = Counter[tuple[str, Difference]]
"""How many recordings of a row show a difference."""


async def run(*, files: list[str], as_json: bool) -> int:
    """Compare recorded answers with the sandbox's to the same requests; nothing leaves this machine.

    Returns 0 where their shapes are the same, 1 where they differ.
    """
    recordings = [recording for file in files for recording in read(file)]
    found: Found = Counter()
    async with stage() as sandbox:
        for recording in recordings:
            live = _json(recording.answer)
            if row := _row(recording):
                reply = await sandbox.rehearse(recording, None if live is UNSET else live)
                found.update((row, difference) for difference in set(_compare(recording, live, reply)))
            else:
                what = f"{recording.method} {_TOKEN.sub('sk_***', recording.path)[:_LONGEST]}"
                found[what, Difference("path", f"HTTP {recording.status}", "unknown")] += 1
    if as_json:
        give([{"row": row, **asdict(one), "count": count} for (row, one), count in sorted(found.items(), key=_order)])
    else:
        for line in _table(found):
            give(line)
    rows = len({row for row, _ in found})
    say(f"compared: {len(recordings)}; rows that differ: {rows}")
    return FAILED if found else 0


def _row(recording: Recording) -> str:
    match = find_route(recording.method, recording.path)
    return f"{match.route.row.method} {match.route.row.served_path}" if match else ""


def _compare(recording: Recording, live: "JSON | UnsetType", reply: Reply) -> Iterator[Difference]:
    ours = _json(reply.answer)
    if recording.status != reply.status:
        yield Difference("HTTP status", str(recording.status), f"{reply.status}{_why(ours)}")
    if not recording.answer.strip():
        return  # browsers may leave it out
    if live is UNSET or ours is UNSET:
        if live is not ours:
            yield Difference("body", *("no JSON" if one is UNSET else "JSON" for one in (live, ours)))
    elif refusal(live) == refusal(ours):
        yield from differences(live, ours)
    elif recording.status == reply.status:
        yield Difference("code", *(("refused", "0") if refusal(live) else ("0", f"refused{_why(ours)}")))


def _json(text: bytes) -> "JSON | UnsetType":
    try:
        found: JSON = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return UNSET
    return found


def _why(answer: "JSON | UnsetType") -> str:
    said = answer.get("msg") if isinstance(answer, dict) else None
    return f": {said[:_LONGEST]}" if isinstance(said, str) else ""


def _order(item: tuple[tuple[str, Difference], int]) -> tuple[str, str]:
    (row, difference), _ = item
    return row, difference.where


def _table(found: Found) -> Iterator[str]:
    items = sorted(found.items(), key=_order)
    lines = [(one.where, one.live, one.sandbox) for (_, one), _ in items]
    first, second = (max((len(line[at]) for line in lines), default=0) for at in (0, 1))
    for row, group in groupby(items, key=lambda item: item[0][0]):
        yield row
        for (_, one), count in group:
            times = f"  ({count} times)" if count > 1 else ""
            yield f"  {one.where:{first}}  live: {one.live:{second}}  sandbox: {one.sandbox}{times}"
