"""`results.md`: each budget beside its measured value, and under it what every benchmark found."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bench_batch
import bench_growth
import bench_lag
import bench_schedule
from _budgets import budgets, text
from _contenders import CONTENDERS
from _measure import Spread, table

TITLE = """# What it costs

Ratios are medians of the ratios within each round of one interleaved run, with the lowest and the highest in brackets;
CPU is that of the client's process. Every figure was measured by `python benchmarks`, against a server of its own on
the loopback. The machine had other work at the same time: differences below 10 % are noise, wall times more so.
Peers run with their default client, as their documentation shows, one asyncio task for each job, all at an interval of
1 s where they let one choose; the rows marked +aiohttp have the aiohttp transport that those two offer as an extra.
"""


WHY = """
What is missed, and why:

- One call: `bench_instructions.py`, which noise does not reach, tells more than CPU time. What is left above bare
  aiohttp is the gate before the pool and the deadline of each request, which is aiohttp's own timer.
- Watching 10,000, CPU and memory: here every task has an asyncio task that waits for it, as users have. The budget's
  prototype had a bare future; the asyncio task and its coroutine alone take more than half of the 1,200 bytes.
- Beside runware-sdk: it came to the peers after the budgets were set, and is by far the leanest of them.
- The journal's share is the difference of two noisy figures, most of it spent in commits.
- Lag with 32 transfers: bare aiohttp with as many downloads lags more. The default is 8.
- A page beside a record written by hand: ours holds the fields of all families, and those of the record itself.
"""


def report(folder: Path) -> str:
    found = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))}
    parts = [TITLE, _about(found)]
    rows = [
        (row.what, "-" if row.limit is None else f"≤ {row.limit:.4g}", row.told, row.kept, row.beside)
        for row in budgets(found)
    ]
    parts += ["## Budgets\n", table(("what", "budget", "measured", "kept", "beside it"), rows), WHY]
    parts += [""]
    for name, section in SECTIONS.items():
        if name in found:
            parts += [*section(found[name]), ""]
    return "\n".join(parts)


def _about(found: dict[str, Any]) -> str:
    machines = [one["machine"] for one in found.values()]
    dates, loads = (
        sorted(one["date"] for one in machines),
        sorted((one["load"] for one in machines), key=lambda load: (len(load), load)),
    )
    where = sorted({f"{one['python']}, {one['system']}, {one['cpu']}" for one in machines})
    needed = {CONTENDERS[name].package: version for name, version in found.get("batch", {}).get("versions", {}).items()}
    missing = sorted({name for one in found.values() for name in one.get("missing", ())})
    lines = (
        f"- from {dates[0]} to {dates[-1]}; load average {loads[0]} to {loads[-1]}",
        *(f"- {place}" for place in where),
        f"- {', '.join(f'{package} {version}' for package, version in needed.items())}",
        f"- not installed, left out: {', '.join(missing) or 'nothing'}",
    )
    return "\n".join([*lines, ""])


def _ceiling(found: dict[str, Any]) -> Iterator[str]:
    yield f"## The server's own ceiling ({found['loop']})\n"
    rows = [(name, *row.values()) for name, row in found["requests"].items()]
    yield table(("request", "a second", "server, µs of CPU", "loader, µs of CPU"), rows)


def _call(found: dict[str, Any]) -> Iterator[str]:
    yield "## One call\n"
    head = "call", "concurrency", "bare, µs of CPU", "a2e", "a2e / bare"
    rows = [
        (what, int(concurrency), *map(text, row.values()))
        for what in ("status", "start")
        for concurrency, row in found[what].items()
    ]
    yield table(head, rows)


def _decode(found: dict[str, Any]) -> Iterator[str]:
    yield f"## A page of 100 records, {found['bytes']:,} bytes\n"
    yield table(
        ("way", "ns a record", "Answer.read beside it"), [(n, *map(text, r.values())) for n, r in found["ways"].items()]
    )


def _imports(found: dict[str, Any]) -> Iterator[str]:
    yield "## Import, user CPU above bare Python\n"
    rows = [
        (name, step, text(row["ms"]), text(row["a2e beside it"]), row["modules"], row["aiohttp"])
        for name, steps in found["imports"].items()
        for step, row in steps.items()
    ]
    yield table(("package", "up to", "ms", "a2e beside it", "modules", "loads aiohttp"), rows)


def _memory(found: dict[str, Any]) -> Iterator[str]:
    yield "## Memory\n\nOf one watched task, bytes:\n"
    yield table(("form", "bytes"), [(form, text(row)) for form, row in found["watched"].items()])
    yield "\nPeak growth of a batch of 1,000, kB a job:\n"
    rows = [(name, text(row["kb_job"]), row["done"], text(row["a2e beside it"])) for name, row in found["peak"].items()]
    yield table(("client", "kB/job", "done", "a2e beside it"), rows)
    yield "\nA batch over an input that is made as it is asked for:\n"
    flow = found["stream"]
    yield table(
        ("input", *next(iter(flow.values()))), [(f"{int(size):,}", *row.values()) for size, row in flow.items()]
    )


def _watch(found: dict[str, Any]) -> Iterator[str]:
    yield f"## Watching, interval {found['interval']:g} s, ends from 5 to 20 s; lateness as a share of the interval\n"
    head = (
        "tasks",
        "way",
        "requests",
        "µs of CPU a task",
        "bytes a task",
        "late p50",
        "late p95",
        "CPU share",
        "kB a task",
    )
    rows = [
        [int(count), way, *(value[0] for value in each[way].values())]
        for count, each in found.items()
        if count.isdecimal()
        for way in ("loop each", "a2e")
    ]
    yield table(head, rows)


def _lag(found: dict[str, Any]) -> Iterator[str]:
    yield f"## Loop lag with {found['jobs']:,} jobs in flight, results of 2 MB\n"
    yield table(bench_lag.HEAD, bench_lag.rows(found["ways"]))
    yield (
        "\nLag grows with the transfers, probably as one pass of the loop takes in what has arrived on all of them: "
        f"aiohttp alone, with 32 downloads on end, has a p99 of {found['ways']['aiohttp, 32']['p99'][0]:.0f} ms."
    )


def _growth(found: dict[str, Any]) -> Iterator[str]:
    yield "## Ten times more tasks, in simulated time\n\n![growth and schedules](growth.png)\n"
    yield table(bench_growth.HEAD, bench_growth.rows(found))
    yield bench_growth.told(found)


def _schedule(found: dict[str, Any]) -> Iterator[str]:
    for draw, costs in found["draws"].items():
        yield f"## Schedules, durations {draw}, latency {found['latency']:g} s, {found['jobs']:,} jobs\n"
        yield table(bench_schedule.HEAD, bench_schedule.rows(costs))
        yield bench_schedule.told(costs)
        yield ""


def _batch(found: dict[str, Any]) -> Iterator[str]:
    for count, told in found.items():
        if not count.isdecimal():
            continue
        rows = {
            name: {key: Spread(*value) if _is_spread(value) else value for key, value in row.items()}
            for name, row in told.items()
        }
        yield f"## Batch of {int(count):,}, submitted and watched to the end\n"
        yield bench_batch.shown(rows, int(count))
        yield ""
        yield from (f"- {name}: {'; '.join(row['errors'])}" for name, row in told.items() if row.get("errors"))
        yield ""
    yield "\n".join(f"- {name}: {one.note}" for name, one in CONTENDERS.items() if one.note)


def _is_spread(value: object) -> bool:
    return isinstance(value, list) and len(value) == 3 and not isinstance(value[0], str)


SECTIONS = {
    "batch": _batch,
    "watch": _watch,
    "lag": _lag,
    "growth": _growth,
    "schedule": _schedule,
    "call": _call,
    "decode": _decode,
    "import": _imports,
    "memory": _memory,
    "ceiling": _ceiling,
}
