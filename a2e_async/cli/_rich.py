"""Counts of jobs as bars that move, by rich."""

import time
from collections.abc import Mapping

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

_WIDTH = 40
_COLOURS = {"submitting": "cyan", "queued": "yellow", "running": "blue", "done": "green", "failed": "red"}


class Bars:
    """A bar for each state, redrawn in place."""

    def __init__(self, total: int | None) -> None:
        self._began = time.monotonic()
        self._total = total
        self._live = Live(console=Console(stderr=True), auto_refresh=False, redirect_stdout=False)
        self._live.start()

    def show(self, counts: Mapping[str, int]) -> None:
        """Redraw."""
        self._live.update(self._table(counts), refresh=True)

    def close(self, counts: Mapping[str, int]) -> None:
        """Redraw for the last time, and give the cursor back."""
        self.show(counts)
        self._live.stop()

    def _table(self, counts: Mapping[str, int]) -> Table:
        table = Table.grid(padding=(0, 1))
        total = self._total or sum(counts.values()) or 1
        for name, count in counts.items():
            colour = _COLOURS.get(name, "white")
            bar = ProgressBar(total, count, width=_WIDTH, complete_style=colour, finished_style=colour)
            table.add_row(f"  {name:10}", f"[{colour}]{count:6}[/]", bar)
        table.add_row("", f"{time.monotonic() - self._began:4.0f} s")
        return table
