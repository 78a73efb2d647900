"""Every decoder against inputs that nobody would write: a value or a documented error, and soon.

python benchmarks/fuzz.py [--inputs 1000000] [--seed 1] [--only NAME ...]

Inputs are the sandbox's own answers, files and texts, changed in their structure and in their bytes, and plain noise.
Prints what each decoder made of its part. Anything but a value or an error that it may raise, or an input that takes
long, is printed with what it takes to see it again, and the exit code is 1.
"""

import argparse
import collections
import logging
import os
import random
import sys
import threading
import time
import traceback
import warnings
from typing import Any

import _measure

from tests.decoders import Decoder, decoders
from tests.recorded import recorded

SLOW = 1.0
"""Seconds that one input may take; a hundred times as many as the slowest should."""
HUNG = 60.0


class Watchdog:
    """Ends the process, and says why, when one input never comes to an end."""

    def __init__(self) -> None:
        self.now: tuple[str, bytes] | None = None
        self.since = time.monotonic()
        threading.Thread(target=self._watch, daemon=True).start()

    def begin(self, name: str, data: bytes) -> None:
        self.since, self.now = time.monotonic(), (name, data)

    def _watch(self) -> None:
        while True:
            time.sleep(1.0)
            if self.now and time.monotonic() - self.since > HUNG:
                print(f"hangs: {self.now[0]}: {self.now[1]!r}", flush=True)
                os._exit(1)


_UNRAISABLE: list[str] = []
"""What destructors complained of, such as connections that nobody closed."""


class Tally:
    """What one decoder made of its inputs."""

    def __init__(self) -> None:
        self.inputs = self.values = 0
        self.errors: collections.Counter[str] = collections.Counter()
        self.spent = self.slowest = 0.0
        self.defects: dict[str, tuple[bytes, str]] = {}

    def take(self, decoder: Decoder, data: bytes, dog: Watchdog) -> None:
        self.inputs += 1
        dog.begin(decoder.name, data)
        began = time.thread_time()  # others on this machine are not its fault
        try:
            decoder.read(data)
            self.values += 1
        except decoder.raises as error:
            self.errors[type(error).__name__] += 1
        except Exception as error:  # noqa: BLE001 - what is looked for
            where = traceback.extract_tb(error.__traceback__)[-1]
            self._note(f"{type(error).__name__} in {where.name}", data, traceback.format_exc())
        took = time.thread_time() - began
        while _UNRAISABLE:
            self._note(f"left behind: {_UNRAISABLE.pop()}", data, "")
        self.spent += took
        self.slowest = max(self.slowest, took)
        if took > SLOW:
            self._note(f"slow: {took:.1f} s", data, "")

    def _note(self, what: str, data: bytes, trace: str) -> None:
        known = self.defects.get(what)
        if known is None or len(data) < len(known[0]):
            self.defects[what] = (data, trace)

    def row(self, name: str) -> list[Any]:
        told = ", ".join(f"{count:,} {error}" for error, count in self.errors.most_common())
        each = self.spent / max(1, self.inputs) * 1e6
        return [name, self.inputs, self.values, told or "-", round(each), round(self.slowest * 1e3, 1)]


def main(inputs: int, seed: int, only: list[str]) -> int:
    warnings.simplefilter("error")
    logging.disable()
    sys.unraisablehook = lambda what: _UNRAISABLE.append(type(what.exc_value).__name__)
    began, dog = time.monotonic(), Watchdog()
    found = [decoder for decoder in decoders(recorded()) if not only or decoder.name in only]
    draw = random.Random(seed)
    shares = [decoder.share for decoder in found]
    tallies = {decoder.name: Tally() for decoder in found}
    for decoder in draw.choices(found, shares, k=inputs):
        tallies[decoder.name].take(decoder, decoder.make(draw), dog)
    dog.now = None
    head = ["decoder", "inputs", "values", "errors by class", "µs each", "slowest, ms"]
    print(_measure.table(head, [tally.row(name) for name, tally in tallies.items()]))
    print(f"\n{inputs:,} inputs, seed {seed}, {time.monotonic() - began:.0f} s")
    defects = [(name, what, *found) for name, tally in tallies.items() for what, found in tally.defects.items()]
    for name, what, data, trace in defects:
        print(f"\n== {name}: {what}\n{data[:2000]!r}{' ...' if len(data) > 2000 else ''}\n{trace}")
    return 1 if defects else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", nargs="*", default=[], metavar="NAME", help="decoders, by the names in the table")
    given = parser.parse_args()
    sys.exit(main(given.inputs, given.seed, given.only))
