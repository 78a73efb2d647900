"""`results.png`: the ratios; `growth.png`: growth and schedules; `scale.png`: the plan. Only this needs matplotlib."""

import json
import math
from pathlib import Path
from typing import Any

from _budgets import budgets

OURS = {"a2e", "a2e journal", "a2e run"}
MINE, OTHER, PALE = "#1b6ca8", "#9a9a9a", "#d9a441"


def draw(folder: Path, target: Path) -> str:
    """Draw what was measured, and say so, or why not."""
    try:
        from matplotlib.figure import Figure  # noqa: PLC0415 - may be missing
    except ImportError:
        return "matplotlib is not installed: no plot"
    found = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in folder.glob("*.json")}
    figure = Figure(figsize=(15, 9), layout="constrained")
    axes = figure.subplot_mosaic([["jobs", "kept"], ["tasks", "kept"]])
    if "batch" in found:
        _jobs(axes["jobs"], found["batch"])
    if "watch" in found:
        _tasks(axes["tasks"], found["watch"])
    _kept(axes["kept"], found)
    figure.savefig(target / "results.png", dpi=110)
    figure = Figure(figsize=(15, 9), layout="constrained")
    above, below = figure.subfigures(2, 1)
    if "growth" in found:
        _growth(above.subplots(1, 4), found["growth"], found.get("watch", {}))
    if "schedule" in found:
        draws = found["schedule"]["draws"]
        for axes, (draw, costs) in zip(below.subplots(1, len(draws)), draws.items(), strict=True):
            _schedule(axes, draw, costs)
    figure.savefig(target / "growth.png", dpi=110)
    return f"wrote {target / 'results.png'} and growth.png"


def _jobs(axes: Any, batch: dict[str, Any]) -> None:
    count = max((key for key in batch if key.isdecimal()), key=int)
    rows = {name: row for name, row in batch[count].items() if "cpu_ms_job" in row}
    names = sorted(rows, key=lambda name: -rows[name]["cpu_ms_job"][0])
    values = [rows[name]["cpu_ms_job"][0] / rows["by hand"]["cpu_ms_job"][0] for name in names]
    labels = [name if rows[name]["all_done"] else f"{name} (gave up)" for name in names]
    bars = axes.barh(labels, values, color=[MINE if name in OURS else OTHER for name in names])
    axes.bar_label(bars, [f" {value:.1f}" if value < 10 else f" {value:.0f}" for value in values])
    axes.set_xscale("log")
    axes.set_xlim(0.7, max(values) * 2)
    axes.set_title(f"CPU per job, {int(count):,} jobs submitted and watched,\nas a multiple of a hand-written loop")


def _tasks(axes: Any, watch: dict[str, Any]) -> None:
    counts = sorted(int(key) for key in watch if key.isdecimal())
    for way, colour in (("loop each", OTHER), ("a2e", MINE)):
        values = [watch[str(count)][way]["cpu_us"][0] for count in counts]
        axes.loglog(counts, values, "o-", color=colour, label=way)
    axes.set_title("µs of CPU per watched task, by tasks watched at once")
    axes.legend()


def _growth(axes: Any, growth: dict[str, Any], watch: dict[str, Any]) -> None:
    """Draw what one task costs; what was measured over TCP stands beside it."""
    kinds = {
        "µs of CPU a task": ("cpu_us", 1),
        "requests a task": ("requests", 1),
        "kB a task": ("bytes", 1e-3),
        "late, s": ("late_p50", 1),
    }
    counts = sorted((key for key in growth if key.isdecimal()), key=int)
    sizes = [int(count) for count in counts]
    for one, (title, (key, scale)) in zip(axes, kinds.items(), strict=True):
        values = [(growth[n]["memory"][key] if key == "bytes" else growth[n][key][0]) * scale for n in counts]
        one.loglog(sizes, values, "o-", color=MINE, label="median" if key == "late_p50" else "a2e, simulated")
        if key == "late_p50":
            one.loglog(sizes, [growth[n]["late_p95"][0] for n in counts], "o--", color=MINE, label="95 of 100")
        one.set_title(f"{title}, by tasks in flight", fontsize=10)
        one.set_ylim(min(values) / 4, max(values) * 8)
        one.legend(fontsize=8)
    over = sorted((key for key in watch if key.isdecimal()), key=int)
    for way, colour in (("loop each", OTHER), ("a2e", PALE)):
        for one, key in ((axes[0], "cpu_us"), (axes[1], "requests")):
            values = [watch[n][way][key][0] / (int(n) if key == "requests" else 1) for n in over]
            one.loglog([int(n) for n in over], values, "s:", color=colour, label=f"{way}, over TCP, shorter jobs")
            one.legend(fontsize=8)


def _schedule(axes: Any, draw: str, costs: dict[str, dict[str, float]]) -> None:
    for name, cost in costs.items():
        at = cost["requests"], cost["late"]
        mine = name.startswith("a2e")
        axes.loglog(*at, "o", color=MINE if mine else OTHER, markersize=8)
        axes.annotate(f"  {name}  ", at, fontsize=8, va="center", ha="right" if mine else "left")
    axes.set_xlabel("requests a job")
    axes.set_ylabel("late, s, mean")
    axes.margins(0.15)
    asked = [cost["requests"] for cost in costs.values()]
    axes.set_xlim(min(asked) / 20, max(asked) * 10)
    axes.set_title(f"jobs of {draw}: further left and lower is better", fontsize=10)


def _kept(axes: Any, found: dict[str, Any]) -> None:
    rows = [row for row in budgets(found) if row.limit and not math.isnan(row.value)][::-1]
    values = [row.value / row.limit for row in rows]
    bars = axes.barh([row.what for row in rows], values, color=[PALE if "no" in row.kept else MINE for row in rows])
    axes.bar_label(bars, [f" {value:.2f}" for value in values], fontsize=7)
    axes.axvline(1, color="black", linewidth=1)
    axes.tick_params(axis="y", labelsize=7)
    axes.set_xlim(0, max(values) * 1.15)
    axes.set_title("measured / budget: left of the line is kept", loc="left")


def scale(stream: dict[str, dict[str, dict[str, float]]], carries: list[tuple[str, float]], target: Path) -> None:
    """Draw what one poller asks and how late it is, and how many tasks a day fill each part."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - may be missing

    figure = Figure(figsize=(11, 7), layout="constrained")
    above, below = figure.subfigures(2, 1, height_ratios=(3, 2))
    requests, late = above.subplots(1, 2)
    bottom = below.subplots()
    volumes = sorted(stream, key=int)
    for key, axes, title in (
        ("requests_s", requests, "requests a second, one poller"),
        ("late_p50", late, "seconds until an end is told, median"),
    ):
        for way, colour, label in (("polled", MINE, "polled"), ("called", PALE, "with callbacks")):
            values = [stream[volume][way][key] for volume in volumes]
            axes.loglog([int(volume) for volume in volumes], values, "o-", color=colour, label=label)
        axes.set_title(title, fontsize=10)
        axes.set_xlabel("tasks a day")
        axes.legend(fontsize=8)
    bars = bottom.barh(
        [what.replace("`", "") for what, _ in carries][::-1], [value for _, value in carries][::-1], color=MINE
    )
    bottom.bar_label(bars, [f" {value:.2g}" for _, value in carries][::-1], fontsize=8)
    for volume in (1e6, 1e8):
        bottom.axvline(volume, color="black", linewidth=1, linestyle=":")
    bottom.set_xscale("log")
    bottom.set_xlim(1e5, 1e9)
    bottom.tick_params(axis="y", labelsize=8)
    bottom.set_title("tasks a day that fill one of each; dotted: a million, a hundred million", fontsize=10)
    figure.savefig(target, dpi=100)
