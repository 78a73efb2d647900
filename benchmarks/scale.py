"""What a million and a hundred million tasks a day take, by measured constants, and which part is full first.

python benchmarks/scale.py [--page docs/pages/scale.md]
python benchmarks/scale.py --measure [stream] [ledger] [--seconds 5] [--processes 4]

Without options it prints the tables from what `results/` holds; `--page` writes them into the page, and draws the
picture beside it. `--measure` runs the poller on simulated time, and the journal against a PostgreSQL of its own (some
minutes), and keeps what came of it in `results/scale.json`.
"""

import argparse
import asyncio
import json
import sys
from collections.abc import Callable
from math import ceil
from pathlib import Path
from typing import Any, NamedTuple

from _arrivals import LATENCY, LONGEST, SHORTEST, arrivals
from _ledger import LISTENERS, measured, written
from _measure import HERE, child, save, table

from a2e_async import Limits, PollPolicy
from a2e_async._reader import BATCH
from a2e_async.config import SessionConfig
from a2e_async.poller import RATE

RESULTS = HERE / "results"
BEGIN, END = "<!-- scale: begin -->", "<!-- scale: end -->"
DAY = 86_400
VOLUMES = (100_000, 1_000_000, 10_000_000, 100_000_000)

# Assumed, as nobody here could measure them: the service publishes none of it.
TAKES = (SHORTEST + LONGEST) / 2
COINS = 10.0
RESULT_MB = 5.0
PEAK = 3.0
"""How many times the average the busiest minutes of a day are."""
FULL = 0.5
"""A part is full at half of what it can do."""
LATE = 15.0
"""Seconds by which the news of an end may be late at the most."""
UNDER_WAY = 1000
"""`max_in_flight` of a batch, unless set."""
CORES = 8
KEPT_DAYS = 30
SETTLE = SessionConfig(api_key="none").timeout + PollPolicy().grace
PAGE = 100
"""Records on a page of the service's lists, at the most."""
WORKERS = 16


class Known(NamedTuple):
    """The measured constants; seconds and bytes for one job."""

    batch: float
    memory: float
    client: float
    server: float
    listener: float
    row: float
    wal: float
    stream: dict[str, dict[str, dict[str, float]]]

    @classmethod
    def read(cls, folder: Path) -> "Known":
        batch, memory, own = (
            json.loads((folder / f"{name}.json").read_text("utf-8")) for name in ("batch", "memory", "scale")
        )
        ledger = own["ledger"]
        quiet, heard = ledger["a batch each"], ledger["listened to"]
        return cls(
            batch=batch["1000"]["a2e"]["cpu_ms_job"][0] / 1e3,
            memory=memory["peak"]["a2e journal"]["kb_job"][0] * 1e3,
            client=quiet["cpu_ms_job"] / 1e3,
            server=quiet["server_ms_job"] / 1e3,
            listener=max(heard["server_ms_job"] - quiet["server_ms_job"], 0.0) / LISTENERS / 1e3,
            row=ledger["bytes_row"],
            wal=ledger["wal_row"],
            stream=own["stream"],
        )

    def at(self, volume: int, way: str) -> dict[str, float]:
        return self.stream[str(volume)][way]


class Part(NamedTuple):
    what: str
    carries: float
    """Tasks a day that one of it carries when it is full."""
    change: str


def a_day(rate: float) -> float:
    return rate * DAY


def parts(known: Known) -> list[Part]:
    """Return what may be full, the first one first."""
    limits = Limits()
    busy = known.batch + known.client
    found = [
        Part(
            f"one process with `max_in_flight={UNDER_WAY:,}`, in flight",
            a_day(UNDER_WAY / TAKES),
            "a higher `max_in_flight`, for the memory of it; then more processes",
        ),
        Part(
            f"one batch, {limits.submissions} submissions at once",
            a_day(limits.submissions / LATENCY),
            "`Limits(submissions=)`, which is also how many are in doubt after a crash; then more processes",
        ),
        Part(
            f"one session, {limits.concurrency} requests at once, a start and a reading each",
            a_day(limits.concurrency / LATENCY / 2),
            "`Limits(concurrency=)`; then more processes",
        ),
        Part(
            f"one poller, an end told {LATE:g} s late at the most",
            a_day(RATE * BATCH * LATE / TAKES),
            "callbacks; or more accounts, each with a poller of its own",
        ),
        Part("one core of workers", a_day(FULL / busy), "more processes and machines"),
        Part(
            f"PostgreSQL with {CORES} cores, {WORKERS} listeners",
            a_day(CORES * FULL / (known.server + WORKERS * known.listener)),
            "a database for each group of accounts",
        ),
    ]
    return sorted(found, key=lambda part: part.carries)


def rows(known: Known) -> list[list[object]]:
    """Return what each volume takes, one line for each figure."""

    def line(what: str, value: Callable[[int, float], object]) -> list[object]:
        return [what, *(value(volume, volume / DAY) for volume in VOLUMES)]

    busy = known.batch + known.client
    return [
        line("submissions a second, on average", lambda _, rate: rate),
        line(f"... at the peak, {PEAK:g} times that", lambda _, rate: rate * PEAK),
        line(f"in flight, {TAKES:g} s each", lambda _, rate: round(rate * TAKES)),
        line("one poller: requests a second", lambda volume, _: known.at(volume, "polled")["requests_s"]),
        line("... a task", lambda volume, rate: known.at(volume, "polled")["requests_s"] / rate),
        line("... late, median, s", lambda volume, _: known.at(volume, "polled")["late_p50"]),
        line("... late, 95 of 100, s", lambda volume, _: known.at(volume, "polled")["late_p95"]),
        line("... µs of CPU a task", lambda volume, _: known.at(volume, "polled")["cpu_us_task"]),
        line("with callbacks: requests a second", lambda volume, _: known.at(volume, "called")["requests_s"]),
        line("... late, median, s", lambda volume, _: known.at(volume, "called")["late_p50"]),
        line("... µs of CPU a task", lambda volume, _: known.at(volume, "called")["cpu_us_task"]),
        line(f"pollers, where {LATE:g} s late will do", lambda _, rate: ceil(rate * TAKES / (RATE * BATCH * LATE))),
        line(f"processes with `max_in_flight={UNDER_WAY:,}`", lambda _, rate: ceil(rate * TAKES / UNDER_WAY)),
        line("cores of workers, at the peak", lambda _, rate: ceil(rate * PEAK * busy / FULL)),
        line("pages of records to walk for a doubt", lambda _, rate: ceil(rate * SETTLE / PAGE) + 1),
        line("memory of what is in flight, MB", lambda _, rate: rate * TAKES * known.memory / 1e6),
        line("statements a second in PostgreSQL", lambda _, rate: rate * 4),
        line(
            f"its cores, {WORKERS} listeners, at the peak",
            lambda _, rate: ceil(rate * PEAK * (known.server + WORKERS * known.listener) / FULL),
        ),
        line(
            "... with 500 listeners",
            lambda _, rate: ceil(rate * PEAK * (known.server + 500 * known.listener) / FULL),
        ),
        line("its log, MB a second", lambda _, rate: rate * known.wal / 1e6),
        line("rows a day", lambda volume, _: volume),
        line("GB of rows a day", lambda volume, _: volume * known.row / 1e9),
        line(f"GB of rows, {KEPT_DAYS} days", lambda volume, _: volume * known.row * KEPT_DAYS / 1e9),
        line(f"coins a day, {COINS:g} a task", lambda volume, _: round(volume * COINS)),
        line(f"results, TB a day, {RESULT_MB:g} MB each", lambda volume, _: volume * RESULT_MB / 1e6),
        line("... Gbit a second, on average", lambda _, rate: rate * RESULT_MB * 8 / 1e3),
    ]


def text(known: Known) -> str:
    """Return both tables."""
    head = ("what", *(f"{volume:,}" for volume in VOLUMES))
    full = [[part.what, int(float(f"{part.carries:.2g}")), part.change] for part in parts(known)]
    lines = table(("part", "carries, tasks a day", "what to change next"), full).splitlines()
    lines[1] = "| --- | ---: | --- |"
    return f"{table(head, rows(known))}\n\n" + "\n".join(lines)


def streams() -> dict[str, dict[str, Any]]:
    stream: dict[str, dict[str, Any]] = {}
    for volume in VOLUMES:
        for way in ("polled", "called"):
            print(f"{volume:,} a day, {way}", file=sys.stderr, flush=True)
            stream.setdefault(str(volume), {})[way] = child("scale.py", "part", "stream", volume / DAY, way)
    return stream


def measure(parts: list[str], seconds: float, processes: int) -> None:
    path = RESULTS / "scale.json"
    found = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    found.pop("machine", None)
    if "stream" in parts or not parts:
        found["stream"] = streams()
    if "ledger" in parts or not parts:
        found["ledger"] = measured(seconds, processes)
    save(path, found)


def part(words: list[str]) -> None:
    """Be the process that is measured."""
    if words[0] == "stream":
        found = arrivals(float(words[1]), 60.0, calls=words[2] == "called")
    else:
        found = asyncio.run(written(words[1], int(words[2]), float(words[3])))
    print(json.dumps(found))


def write(page: Path, known: Known) -> None:
    from _plot import scale  # noqa: PLC0415 - matplotlib may be missing

    scale(known.stream, [(one.what, one.carries) for one in parts(known)], page.parent / "img" / "scale.png")
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    page.write_text(f"{before}{BEGIN}\n\n{text(known)}\n\n{END}{rest.partition(END)[2]}", encoding="utf-8")


def main() -> None:
    if sys.argv[1:2] == ["part"]:
        part(sys.argv[2:])
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--measure", nargs="*", choices=["stream", "ledger"], help="measure all anew, or this alone")
    parser.add_argument("--seconds", type=float, default=5.0, help="for each load of the journal")
    parser.add_argument("--processes", type=int, default=4, help="that write to the journal at once")
    parser.add_argument("--page", type=Path, help="page whose tables are to be replaced")
    given = parser.parse_args()
    if given.measure is not None:
        measure(given.measure, given.seconds, given.processes)
    known = Known.read(RESULTS)
    print(text(known))
    if given.page is not None:
        write(given.page, known)


if __name__ == "__main__":
    main()
