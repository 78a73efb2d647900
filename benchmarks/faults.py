"""Every fault of the sandbox in turn, then all at once: what was lost, doubled, told wrongly, damaged, left behind.

python benchmarks/faults.py [--quick] [--only EFFECT] [--page docs/pages/faults.md]

A trial is a batch with a journal that saves its results, a quarter of its jobs with a file of their own to upload, and
watches beside it; some tasks fail at the service. Then the rules are switched off, and the batch is run once more with
the same input: what it told as not done must come to its end. Exits with 1 unless all is zero.
"""

import argparse
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from _measure import renew, table
from _trial import Plan, Result, trial

from a2e_async.sandbox import Rule, storm
from a2e_async.sandbox.faults import EFFECTS

FULL = Plan(jobs=120, watches=40, scale=50)
QUICK = Plan(jobs=12, watches=6, timeout=1.0, deadline=4.0, grace=1.0)
SHARE = 0.2
STORM = "all at once"
AT_ONCE = 3
LISTED = {"missing", "duplicate"}
"""Effects of lists, which a batch reads only when it looks for what became of a submission."""
HEAD = (
    "fault", "injected", "jobs", "watches", "lost", "paid twice", "waits ended wrongly", "files damaged", "leaks",
    "put off and told", "damage nobody can see",
)  # fmt: skip


def rules_of(name: str, jobs: int) -> tuple[list[Rule], list[Rule]]:
    """Return the rules of a trial, and what must go wrong beside them for them to matter."""
    if name == STORM:
        return storm(0.01), []
    if name == "coins_out":
        return [Rule("coins_out", path="*/add", nth=jobs // 2)], []
    forms = [rule for rule in storm(SHARE) if rule.effect == name]
    if not forms:
        raise SystemExit(f"no trial for {name}")
    for rule in forms:
        rule.share = SHARE * (3 if name in LISTED else 1) / len(forms)
    return forms, [Rule("reset_after", path="*/add", share=SHARE)] if name in LISTED else []


def row(name: str, got: Result) -> tuple[object, ...]:
    return (
        name, got.injected, got.jobs, got.watches, got.lost, got.doubled, got.wrong, got.damaged, got.leaks,
        got.put_off, got.hidden,
    )  # fmt: skip


def run(name: str, plan: Plan) -> Result:
    trial([], Plan(jobs=4, watches=2))  # what is loaded once is no leak
    rules, beside = rules_of(name, plan.jobs)
    return trial(rules, plan, beside)


def main(plan: Plan, only: str, page: Path | None) -> bool:
    names = [name for name in (*EFFECTS, STORM) if only in {"", name}]
    rows, clean = [], bool(names)
    # Most of a trial is waiting. Each has a process of its own, so that what it leaves behind is its own.
    with ProcessPoolExecutor(AT_ONCE, get_context("spawn"), max_tasks_per_child=1) as pool:
        for name, got in zip(names, pool.map(partial(run, plan=plan), names), strict=True):
            rows.append(row(name, got))
            good = got.clean and got.injected > 0
            clean = clean and good
            print(f"{name:15} {got.seconds:5.1f} s{'' if good else '  not as it must be'}", file=sys.stderr, flush=True)
            for text in [] if good else got.told[:12]:
                print(f"    {text}", file=sys.stderr)
    text = table(HEAD, rows)
    print(text)
    if page is not None:
        renew(page, "table of faults", text)
    return clean


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few jobs for each fault")
    parser.add_argument("--only", default="", help="one effect, or `all at once`")
    parser.add_argument("--page", type=Path, help="page whose table is to be replaced")
    given = parser.parse_args()
    sys.exit(0 if main(QUICK if given.quick else FULL, given.only, given.page) else 1)
