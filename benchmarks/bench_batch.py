"""CPU per job, from submission to its seen end: by hand, a2e without and with a journal, and every installed peer.

python benchmarks/bench_batch.py [--jobs 200 1000] [--rounds 3] [--peer-rounds 2] [--only "by hand" a2e] [--json FILE]

Each contender runs in a process of its own; all poll at the same interval where they let one set it, and every n-th job
takes as long as any other client's n-th. With more than 300 jobs each peer runs once: three of them do not finish.
"""

import argparse
from collections.abc import Sequence
from typing import Any

from _contenders import CONTENDERS, OURS, version
from _measure import Service, child, interleaved, paired, parser, save, service, spread, table

MANY = 300
HEAD = (
    "client",
    "done",
    "CPU ms/job",
    "beside by hand",
    "requests/job",
    "late p50 s",
    "late p95 s",
    "kB/job",
    "wall s",
    "jobs/s a core",
)
Rounds = dict[str, list[dict[str, Any]]]


def measure(running: Service, count: int, names: Sequence[str], args: argparse.Namespace) -> Rounds:
    def once(name: str, number: int) -> dict[str, Any]:
        if name not in OURS and number >= (1 if count > MANY else args.peer_rounds):
            return {}
        print(f"{count} jobs, round {number + 1} of {args.rounds}: {name}", flush=True)
        return child("_contenders.py", name, running.url, "--jobs", count, "--limit", args.limit, "--seed", number)

    return interleaved(names, args.rounds, once)


def summary(found: Rounds, count: int) -> dict[str, dict[str, Any]]:
    """Return for each client medians over its rounds, and ratios to the hand-written loop in the same rounds."""
    told: dict[str, dict[str, Any]] = {}
    for name, rounds in found.items():
        good = [one for one in rounds if "cpu_ms_job" in one]
        if not good:
            told[name] = {"error": next((one["error"] for one in rounds if "error" in one), "not run")}
            continue
        row: dict[str, Any] = {key: spread(one[key] for one in good) for key in good[0] if key != "errors"}
        row |= {"rounds": len(good), "errors": sorted({error for one in good for error in one["errors"]})}
        row["all_done"] = row["done"].low == count
        for base in ("by hand", "a2e"):
            pairs = [
                (one["cpu_ms_job"], other["cpu_ms_job"])
                for one, other in zip(rounds, found.get(base, ()), strict=False)
                if "cpu_ms_job" in one and "cpu_ms_job" in other
            ]
            if pairs:
                row[f"beside {base}"] = paired(*zip(*pairs, strict=True))
                row[f"above {base}"] = spread(mine - its for mine, its in pairs)
        told[name] = row
    return told


def shown(told: dict[str, dict[str, Any]], count: int) -> str:
    rows = []
    for name, row in sorted(told.items(), key=lambda item: item[1].get("cpu_ms_job", (1e9,))[0]):
        if "error" in row:
            rows.append([name, row["error"], *[""] * (len(HEAD) - 2)])
            continue
        done = f"{row['done'].low:.0f} of {count}"
        numbers = [row[key].median for key in ("requests_job", "late_p50", "late_p95", "memory_kb_job", "wall")]
        cpu = row["cpu_ms_job"]
        ratio = row.get("beside by hand", "")
        rows.append([name, done, str(cpu), str(ratio), *numbers, 1000 / cpu.median if row["all_done"] else "-"])
    return table(HEAD, rows)


def main() -> None:
    args_of = parser(__doc__)
    args_of.add_argument("--jobs", type=int, nargs="+", default=[200, 1000])
    args_of.add_argument("--rounds", type=int, default=3)
    args_of.add_argument("--peer-rounds", type=int, default=2)
    args_of.add_argument("--limit", type=float, default=60.0, help="seconds after which a client is given up")
    args_of.add_argument("--only", nargs="+", choices=CONTENDERS, default=list(CONTENDERS))
    args = args_of.parse_args()
    missing = [name for name in args.only if not version(name)]
    names = [name for name in args.only if name not in missing]
    result: dict[str, Any] = {"missing": missing, "versions": {name: version(name) for name in names}}
    with service() as running:
        for count in args.jobs:
            found = measure(running, count, names, args)
            told = result[str(count)] = summary(found, count)
            print(f"\n{count} jobs, medians (lowest to highest)\n\n{shown(told, count)}\n")
            for name, row in told.items():
                if row.get("errors"):
                    print(f"{name}: {'; '.join(row['errors'])}")
            if "a2e journal" in told and "above a2e" in told["a2e journal"]:
                print(f"journal, ms of CPU a job: {told['a2e journal']['above a2e']}\n", flush=True)
    if missing:
        print("not installed, left out:", ", ".join(missing))
    save(args.json, result)


if __name__ == "__main__":
    main()
