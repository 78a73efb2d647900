"""Counts of jobs as bars that move, by rich."""

import sys
import time
from collections.abc import Mapping

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

from a2e_async.cli._terminal import give, line

_WIDTH = 40
_COLOURS = {
    "submitting": "cyan",
    "queued": "yellow",
    "running": "blue",
    "done": "green",
    "failed": "red",
    "uncertain": "magenta",
}


class Bars:
    """A bar for each state, redrawn in place."""

    def __init__(self, total: int | None) -> None:
        self._began = time.monotonic()
        self._total = total
        self._above: list[str] = []
        self._live = Live(console=Console(stderr=True), auto_refresh=False, redirect_stdout=False)
        self._live.start()

    def show(self, counts: Mapping[str, int], note: str = "") -> None:
        """Redraw, below what was given meanwhile."""
        if self._above:
            self._live.console.print("\n".join(self._above), markup=False, highlight=False, soft_wrap=True)
            self._above.clear()
        self._live.update(self._table(counts, note), refresh=True)

    def close(self, counts: Mapping[str, int], note: str = "") -> None:
        """Redraw for the last time, and give the cursor back."""
        self.show(counts, note)
        self._live.stop()

    def give(self, data: object) -> None:
        """Write data to stdout; where that is a terminal too, above the bars with the next redrawing."""
        if sys.stdout.isatty():
            self._above.append(line(data))
        else:
            give(data)

    def _table(self, counts: Mapping[str, int], note: str) -> Table:
        table = Table.grid(padding=(0, 1))
        total = self._total or sum(count for name, count in counts.items() if name != "saved") or 1
        for name, count in counts.items():
            colour = _COLOURS.get(name, "white")
            bar = ProgressBar(total, count, width=_WIDTH, complete_style=colour, finished_style=colour)
            table.add_row(f"  {name:10}", f"[{colour}]{count:6}[/]", bar)
        table.add_row("", f"{time.monotonic() - self._began:4.0f} s", note)
        return table
