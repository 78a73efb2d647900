"""Runs all benchmarks one after the other, and writes `results.md`, `results.png` and `growth.png` beside this file.

python benchmarks [--quick] [--only call batch] [--report]

What each one measured is kept in `results/`; `--report` writes the table and the plot anew from that. `--quick` takes
few rounds and no peers at 1,000 jobs.
"""

import argparse
import subprocess
import sys
import time

import _plot
import _report
from _measure import HERE

BENCHES = ("ceiling", "call", "decode", "import", "memory", "watch", "lag", "growth", "schedule", "batch")
QUICK = {
    "call": ["--rounds", "5"],
    "decode": ["--rounds", "5"],
    "import": ["--rounds", "5"],
    "memory": ["--rounds", "1", "--tasks", "2000", "--outcomes", "2000"],
    "watch": ["--rounds", "1"],
    "lag": ["--rounds", "1", "--seconds", "5"],
    "growth": ["--rounds", "1", "--tasks", "100", "1000", "10000"],
    "schedule": ["--jobs", "300"],
    "batch": ["--rounds", "1", "--peer-rounds", "1", "--jobs", "200"],
}
RESULTS = HERE / "results"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", nargs="+", choices=BENCHES, default=list(BENCHES))
    parser.add_argument("--report", action="store_true", help="measure nothing, write the table and the plot")
    args = parser.parse_args()
    for name in () if args.report else args.only:
        began = time.monotonic()
        words = QUICK.get(name, []) if args.quick else []
        print(f"\n== bench_{name} {' '.join(words)}\n", flush=True)
        script = [sys.executable, str(HERE / f"bench_{name}.py"), "--json", str(RESULTS / f"{name}.json")]
        subprocess.run(script + words, check=True)
        print(f"\n{time.monotonic() - began:.0f} s", flush=True)
    (HERE / "results.md").write_text(_report.report(RESULTS), encoding="utf-8")
    print(f"\nwrote {HERE / 'results.md'}")
    print(_plot.draw(RESULTS, HERE))


if __name__ == "__main__":
    main()
