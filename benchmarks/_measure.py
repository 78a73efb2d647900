"""What all benchmarks share: the server, processes of their own, interleaved rounds, paired ratios, tables."""

import argparse
import json
import math
import os
import platform
import random
import statistics
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

HERE = Path(__file__).resolve().parent
sys.path.insert(1, str(HERE.parent))  # what is measured is the checkout that this lies in, installed or not
R = TypeVar("R")


class Spread(NamedTuple):
    """The middle of several rounds, and how far apart they lie."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{number(self.median)} ({number(self.low)} to {number(self.high)})"


def number(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"


def spread(values: Iterable[float]) -> Spread:
    found = sorted(values)
    return Spread(statistics.median(found), found[0], found[-1]) if found else Spread(*[float("nan")] * 3)


def paired(values: Sequence[float], bases: Sequence[float]) -> Spread:
    """Return the ratios within each round: what disturbs a round disturbs both."""
    return spread(value / base for value, base in zip(values, bases, strict=False) if base)


def share(values: Sequence[float], part: float) -> float:
    """Return the value that so great a part of all does not exceed."""
    found = sorted(values)
    return found[min(len(found) - 1, round(part * (len(found) - 1)))] if found else float("nan")


def interleaved(names: Sequence[str], rounds: int, run: Callable[[str, int], R]) -> dict[str, list[R]]:
    """Run all, in an order drawn anew each round, so that no one always follows the same one."""
    results: dict[str, list[R]] = {name: [] for name in names}
    for number in range(rounds):
        for name in random.sample(names, len(names)):
            results[name].append(run(name, number))
    return results


class Service:
    """The benchmarks' server, seen from outside."""

    def __init__(self, url: str) -> None:
        self.url = url

    def ask(self, command: str, **query: float) -> Any:
        words = "&".join(f"{name}={value}" for name, value in query.items())
        with urllib.request.urlopen(f"{self.url}/_bench/{command}?{words}", timeout=60) as answer:
            return json.load(answer)


@contextmanager
def service() -> Iterator[Service]:
    """Run the server in a process of its own."""
    words = [sys.executable, str(HERE / "_service.py")]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            url = process.stdout.readline().strip()
            if not url:
                raise SystemExit("the benchmarks' server did not start")
            yield Service(url)
        finally:
            process.stdin.close()


def child(script: str, *words: object, python: str = sys.executable, limit: float = 900) -> dict[str, Any]:
    """Run one of these scripts in a process of its own, and return the JSON that it prints last."""
    command = [python, "-W", "ignore", str(HERE / script), *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=limit, check=False)
    if done.returncode or not done.stdout.strip():
        return {"error": (done.stderr.strip().splitlines() or ["no output"])[-1]}
    return json.loads(done.stdout.strip().splitlines()[-1])


def resident(field: str = "VmRSS") -> float:
    """Return this process's memory in kB, with VmHWM the most it ever was; NaN where nothing tells."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return float("nan")
    return next((float(line.split()[1]) for line in lines if line.startswith(field)), float("nan"))


def machine() -> dict[str, str]:
    cpu = platform.processor() or platform.machine()
    try:
        info = Path("/proc/cpuinfo").read_text(encoding="utf-8")
        cpu = next(line.split(": ")[1] for line in info.splitlines() if line.startswith("model name"))
    except (OSError, StopIteration, IndexError):
        pass
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "system": f"{platform.system()} {platform.release()}",
        "cpu": f"{os.cpu_count()} x {cpu}",
        "load": " ".join(f"{load:.1f}" for load in os.getloadavg()[:1]) if hasattr(os, "getloadavg") else "not told",
    }


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a Markdown table; its first column is text, the others are numbers."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def _cell(cell: object) -> str:
    if isinstance(cell, float):
        return number(cell)
    return f"{cell:,}" if isinstance(cell, int) else str(cell)


def renew(page: Path, name: str, text: str) -> None:
    """Put what was measured, and when, between the two marks of this name on a page."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    before, _, rest = page.read_text(encoding="utf-8").partition(begin)
    about = f"Python {machine()['python'].split()[1]}, {machine()['date']}."
    page.write_text(f"{before}{begin}\n\n{text}\n\n{about}\n\n{end}{rest.partition(end)[2]}", encoding="utf-8")


def parser(doc: str) -> argparse.ArgumentParser:
    """Return a parser with what all benchmarks take."""
    made = argparse.ArgumentParser(description=doc.splitlines()[0])
    made.add_argument("--json", type=Path, help="file for the results")
    return made


def save(path: Path | None, result: Mapping[str, Any]) -> None:
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"machine": machine()} | dict(result), indent=1) + "\n", encoding="utf-8")
