"""Each budget of the design beside what was measured."""

import math
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from _measure import HERE, Spread

Results = Mapping[str, dict[str, Any]]
DEFAULT = ("fal", "replicate", "runway", "openai", "runware", "comfy")
BEST = (*DEFAULT, "runway+aiohttp", "openai+aiohttp")
ENDS, GROWN = 8.0, 1.25
SIZE = 1.5


class Budget(NamedTuple):
    """One row: what, the limit, the median, how it spread, and what stands beside it."""

    what: str
    limit: float | None
    """None where the design has set none."""
    value: float
    told: str
    beside: str = ""

    @property
    def kept(self) -> str:
        if self.limit is None or math.isnan(self.value):
            return "-"
        return "yes" if self.value <= self.limit else "**no**"


def text(spread: list[float]) -> str:
    return str(Spread(*spread))


def budgets(found: Results) -> Iterator[Budget]:
    """Yield those whose benchmark has run."""
    for name, rows in ROWS.items():
        if name in found:
            yield from rows(found[name])


def _call(call: dict[str, Any]) -> Iterator[Budget]:
    for what, label in (("status", "status call through the SDK / bare"), ("start", "start / bare `json=` POST")):
        for concurrency, row in call[what].items():
            ratio, bare, mine = row["a2e / bare"], row["bare"][0], row["a2e"][0]
            name = f"{label}, CPU, concurrency {concurrency}"
            yield Budget(name, 1.0, ratio[0], text(ratio), f"bare {bare:.0f} µs, a2e {mine:.0f} µs")


def finished(told: dict[str, Any], names: tuple[str, ...], key: str) -> tuple[str, float]:
    """Return the best of these peers among those that finished all jobs."""
    rows = {name: told[name][key][0] for name in names if told.get(name, {}).get("all_done")}
    return min(rows.items(), key=lambda item: item[1]) if rows else ("no peer", float("nan"))


def _batch(batch: dict[str, Any]) -> Iterator[Budget]:
    for count in ("200", "1000"):
        told = batch.get(count, {})
        if "a2e" not in told:
            continue
        mine = told["a2e"]["cpu_ms_job"]
        for kind, peers, limit in (
            # The budgets were set without runware, which is over aiohttp by default and polls at growing intervals.
            ("best peer", _without(BEST, "runware"), 0.10),
            ("best peer, runware included", BEST, 0.10),
            ("best default peer", _without(DEFAULT, "runware"), 0.05),
        ):
            peer, its = finished(told, peers, "cpu_ms_job")
            what = f"batch of {count}, CPU per job / {kind}"
            median, low, high = told.get(peer, {}).get("beside a2e", [math.nan] * 3)
            ratio = [1 / median, 1 / high, 1 / low]
            yield Budget(what, limit, ratio[0], text(ratio), f"a2e {mine[0]:.3g} ms, {peer} {its:.3g} ms")
        if count == "200":
            peer, its = finished(told, BEST, "requests_job")
            value = told["a2e"]["requests_job"]
            yield Budget("batch of 200, requests per job", 1.2, value[0], text(value), f"{peer} {its:.3g}")
        yield _journal(count, told)
    if "a2e" in batch.get("1000", {}):
        yield from _at_once(batch["1000"])


def _without(names: tuple[str, ...], left: str) -> tuple[str, ...]:
    return tuple(name for name in names if name != left)


def _journal(count: str, told: dict[str, Any]) -> Budget:
    above = told["a2e journal"]["above a2e"]
    return Budget(f"batch of {count}, journal per job, ms of CPU", 0.15, above[0], text(above))


def _at_once(told: dict[str, Any]) -> Iterator[Budget]:
    mine = told["a2e"]
    undone = 1000 - mine["done"][1] + len(mine["errors"])
    failed = [name for name in BEST if name in told and not told[name].get("all_done")]
    beside = f"not all done: {', '.join(failed)}" if failed else "all peers finished"
    yield Budget("1,000 at once: jobs not done, and errors", 0, undone, f"{undone:.0f}", beside)
    yield Budget("1,000 at once: connections", 64, mine["connections"][2], f"{mine['connections'][2]:.0f}")
    peer, its = finished(told, BEST, "wall")
    yield Budget("1,000 at once: wall, s", ENDS + 2, mine["wall"][0], text(mine["wall"]), f"{peer} {its:.3g}")
    for part, limit in (("p50", 0.55), ("p95", 1.05)):
        late = mine[f"late_{part}"]
        others = {name: told[name][f"late_{part}"][0] for name in BEST if told.get(name, {}).get("all_done")}
        peer, its = min(others.items(), key=lambda item: item[1], default=("no peer", float("nan")))
        yield Budget(
            f"batch of 1000, lateness {part}, of the interval", limit, late[0], text(late), f"{peer} {its:.3g}"
        )


def _watch(watch: dict[str, Any]) -> Iterator[Budget]:
    if "10000" not in watch:
        return
    both = watch["10000"]
    for key, limit, label in (("cpu_us", 0.03, "CPU"), ("requests", 0.01, "requests")):
        ratio = both["ratio"][f"{key} beside loop each"]
        beside = f"loop each {both['loop each'][key][0]:,.0f}, a2e {both['a2e'][key][0]:,.0f}"
        yield Budget(f"10,000 watched, {label} / a loop per task", limit, ratio[0], text(ratio), beside)
    slack = 0.05 / watch["interval"]
    for count in ("1000", "10000"):
        for part, limit in (("p50", 0.55), ("p95", 1.0)):
            late, its = (watch[count][way][f"late_{part}"] for way in ("a2e", "loop each"))
            what = f"{int(count):,} watched, lateness {part}, of the interval"
            yield Budget(what, limit + (slack if part == "p95" else 0), late[0], text(late), f"loop each {its[0]:.3g}")
    first, last = (watch[count]["a2e"]["cpu_us"][0] for count in ("100", "10000"))
    told = ", ".join(f"{int(n):,}: {watch[n]['a2e']['cpu_us'][0]:.0f} µs" for n in ("100", "1000", "10000"))
    yield Budget("growth, CPU per watched task: 10,000 / 100", 1.0, last / first, f"{last / first:.3g}", told)


def _lag(lag: dict[str, Any]) -> Iterator[Budget]:
    idle = lag["ways"]["idle"]["p99"][0]
    for way, row in lag["ways"].items():
        if way.endswith("transfers"):
            what = f"{lag['jobs']:,} waits and downloads, {way}: loop lag p99, ms"
            bare = lag["ways"][f"aiohttp, {way.split()[0]}"]["p99"][0]
            beside = f"idle {idle:.3g}, aiohttp alone {bare:.3g}; p50 {row['p50'][0]:.3g}, max {row['max'][0]:.3g}"
            yield Budget(what, 20, row["p99"][0], text(row["p99"]), beside)


def _growth(growth: dict[str, Any]) -> Iterator[Budget]:
    counts = sorted((count for count in growth if count.isdecimal()), key=int)
    for less, more in pairwise(counts):
        first, last = (growth[count]["cpu_us"][0] for count in (less, more))
        what = f"growth, CPU per task, simulated: {int(more):,} / {int(less):,}"
        yield Budget(what, 1.0, last / first, f"{last / first:.3g}", f"{last:.0f} and {first:.0f} µs")


def _memory(memory: dict[str, Any]) -> Iterator[Budget]:
    handle, waited, task, _ = memory["watched"].values()
    beside = f"the handle alone {handle[0]:.0f}, the rest is what waits"
    yield Budget("memory per watched task, handle and future, bytes", 300, waited[0], text(waited), beside)
    yield Budget("memory per watched task, with a waiting asyncio task, bytes", 1200, task[0], text(task))
    peak = memory["peak"]
    mine = peak["a2e"]["kb_job"][0]
    for label, names in (("best peer", _without(BEST, "runware")), ("best peer, runware included", BEST)):
        rows = {name: peak[name] for name in names if name in peak and peak[name]["done"] == 1000}
        if rows:
            name = min(rows, key=lambda name: rows[name]["kb_job"][0])
            ratio = rows[name]["a2e beside it"]
            beside = f"a2e {mine:.3g} kB, {name} {rows[name]['kb_job'][0]:.3g} kB"
            yield Budget(f"peak memory per job, batch of 1,000 / {label}", 0.30, ratio[0], text(ratio), beside)


def _imports(found: dict[str, Any]) -> Iterator[Budget]:
    mine, its = found["imports"]["a2e"], found["imports"].get("fal")
    if its is None:
        return
    label = "`import a2e_async` / `import fal_client`"
    for step, what, limit in (("import", label, 0.60), ("client", f"{label}, and a client made", None)):
        ratio = its[step]["a2e beside it"]
        beside = f"a2e {mine[step]['ms'][0]:.0f} ms, fal {its[step]['ms'][0]:.0f} ms"
        told = f"{beside}; aiohttp loaded: {mine[step]['aiohttp']}"
        yield Budget(f"{what}, user CPU", limit, ratio[0], text(ratio), told)


def _decode(found: dict[str, Any]) -> Iterator[Budget]:
    mine = found["ways"]["Answer.read"]["ns_record"][0]
    for name, row in found["ways"].items():
        if name != "Answer.read":
            ratio, beside = row["Answer.read beside it"], f"{mine:.0f} and {row['ns_record'][0]:.0f} ns a record"
            yield Budget(f"page of 100, Answer.read / kept {name}", 1.10, ratio[0], text(ratio), beside)
    size = sum(path.stat().st_size for path in _own()) / 1e6
    yield Budget("own installed size, MB", SIZE, size, f"{size:.2f}", "without byte code")


def _own() -> list[Path]:
    return [path for path in (HERE.parent / "a2e_async").rglob("*") if path.is_file() and path.suffix != ".pyc"]


ROWS: dict[str, Callable[[dict[str, Any]], Iterator[Budget]]] = {
    "call": _call,
    "batch": _batch,
    "watch": _watch,
    "lag": _lag,
    "growth": _growth,
    "memory": _memory,
    "import": _imports,
    "decode": _decode,
}
