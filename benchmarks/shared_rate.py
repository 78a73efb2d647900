"""A rate that several processes share: what comes of it, who gets how much, and whether the event loop stands still.

python benchmarks/shared_rate.py [--rate 20 100] [--processes 4] [--seconds 8]

Each process has a gate with five requests that wait for it; the first second is left out. Then the database's processes
are stopped for two seconds, and the longest pause of a process's event loop is taken. Starts its own servers.
"""

import argparse
import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from _measure import table

from a2e_async._limits import Gate
from a2e_async.integrations._database import migrate
from a2e_async.integrations.postgres_limits import SharedRate
from tests.servers import PostgreSQL, Redis

WAYS = ("SharedRate", "pyrate-limiter, Redis", "pyrate-limiter, PostgreSQL", "the same, in a thread")


class Buckets:
    """pyrate-limiter's limiter as a session takes it."""

    def __init__(self, limiter, *, threads=False):
        self.limiter, self.threads = limiter, threads

    async def acquire(self, weight=1):
        if self.threads:
            return await asyncio.to_thread(self.limiter.try_acquire, "a2e", weight)
        return await self.limiter.try_acquire_async("a2e", weight)


async def limiter(way, rate, dsn, redis_url):
    if way == "SharedRate":
        return await SharedRate(dsn, rate).__aenter__()
    from pyrate_limiter import Limiter, PostgresBucket, Rate, RedisBucket  # noqa: PLC0415 - as few as are needed

    rates = [Rate(rate, 1000)]
    if "Redis" in way:
        from redis.asyncio import Redis as Client  # noqa: PLC0415 - as above

        return Buckets(Limiter(await RedisBucket.init(rates, Client.from_url(redis_url), f"rate-{rate}")))
    from psycopg_pool import ConnectionPool  # noqa: PLC0415 - as above

    pool = ConnectionPool(dsn, min_size=2, open=True)
    return Buckets(Limiter(PostgresBucket(pool, f"rate_{rate}", rates)), threads="thread" in way)


async def child(way, rate, dsn, redis_url, seconds):
    """Pass the gate until time is up; print when, and the longest pause of the loop in the stop."""
    gate = Gate(64, None, await limiter(way, rate, dsn, redis_url))
    print("ready", flush=True)
    start, passed, lags = float(sys.stdin.readline()), [], []
    await asyncio.sleep(start - time.time())

    async def passing():
        while True:
            ticket = await gate.enter()
            passed.append(time.time() - start)
            gate.leave(ticket)

    async def ticking():
        while True:
            began = time.time()
            await asyncio.sleep(0.005)
            lags.append((began - start, time.time() - began - 0.005))

    tasks = [asyncio.ensure_future(one) for one in (ticking(), *(passing() for _ in range(5)))]
    await asyncio.sleep(seconds + 3)
    stopped = max(lag for at, lag in lags if at >= seconds - 0.1)
    print(json.dumps([[t for t in passed if 1 <= t < seconds], stopped]), flush=True)
    os._exit(len(tasks) - 6)  # threads of a limiter may wait for ever


def trial(way, rate, postgres, redis_url, args):
    dsn = postgres.create()
    asyncio.run(migrate(dsn))
    words = [sys.executable, __file__, "--child", way, str(rate), dsn, redis_url, str(args.seconds)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    children = [subprocess.Popen(words, **pipes) for _ in range(args.processes)]
    for one in children:
        one.stdout.readline()
    start = time.time() + 0.5
    for one in children:
        one.stdin.write(f"{start}\n".encode())
        one.stdin.flush()
    time.sleep(start + args.seconds - time.time())
    pids = [int(path.parent.name) for path in Path("/proc").glob("[0-9]*/stat") if serves(path, dsn)]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    time.sleep(2)
    for pid in pids:
        os.kill(pid, signal.SIGCONT)
    found = [json.loads(one.communicate()[0]) for one in children]
    passed = sorted(at for times, _ in found for at in times)
    most = max(sum(at <= other < at + 1 for other in passed) for at in passed)
    each = sorted(len(times) for times, _ in found)
    average = len(passed) / (args.seconds - 1)
    shares = ", ".join(map(str, each))
    return way, rate, f"{average:.2f}", most, shares, f"{1000 * max(lag for _, lag in found):.0f} ms"


def serves(path, dsn):
    """Tell whether a process is one of the database's that serves a client."""
    try:
        return f" {dsn.rpartition('/')[2]} 127.0.0.1" in (path.parent / "cmdline").read_text(encoding="utf-8")
    except OSError:
        return False


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=int, nargs="+", default=[20, 100])
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--child", nargs=5, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        way, rate, dsn, redis_url, seconds = args.child
        asyncio.run(child(way, int(rate), dsn, redis_url, float(seconds)))
    with PostgreSQL() as postgres, Redis() as redis:
        rows = [trial(way, rate, postgres, redis.url, args) for rate in args.rate for way in WAYS]
    heads = ("way", "rate", "a second", "most in one", "requests of each process", "loop's longest pause in the stop")
    print(table(heads, rows))


if __name__ == "__main__":
    main()
