"""`results.png`: the ratios. Needs matplotlib, which nothing else here does."""

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
    figure.savefig(target, dpi=110)
    return f"wrote {target}"


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


def _kept(axes: Any, found: dict[str, Any]) -> None:
    rows = [row for row in budgets(found) if row.limit and not math.isnan(row.value)][::-1]
    values = [row.value / row.limit for row in rows]
    bars = axes.barh([row.what for row in rows], values, color=[PALE if "no" in row.kept else MINE for row in rows])
    axes.bar_label(bars, [f" {value:.2f}" for value in values], fontsize=7)
    axes.axvline(1, color="black", linewidth=1)
    axes.tick_params(axis="y", labelsize=7)
    axes.set_xlim(0, max(values) * 1.15)
    axes.set_title("measured / budget: left of the line is kept", loc="left")
