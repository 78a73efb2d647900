"""What is under way as bars that move, by rich."""

import sys
import time

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.progress_bar import ProgressBar
from rich.table import Table

from a2e_async._saying import Counts, Rows, harmless

_WIDTH = 40
_COLOURS = {
    "submitting": "cyan",
    "queued": "yellow",
    "running": "blue",
    "done": "green",
    "failed": "red",
    "uncertain": "magenta",
}


def fit() -> bool:
    """Tell whether the terminal can redraw a line."""
    return not Console(stderr=True).is_dumb_terminal


class Bars:
    """A bar for each row or state, redrawn in place."""

    def __init__(self, total: int | None, *, redirect: bool = False) -> None:
        self._began = time.monotonic()
        self._total = total
        self._above: list[str] = []
        redirect = redirect and sys.stdout.isatty()  # what is piped is data
        self._live = Live(console=Console(stderr=True), auto_refresh=False, redirect_stdout=redirect)
        self._live.start()

    def show(self, counts: Counts, note: str = "", rows: Rows = ()) -> None:
        """Redraw, below what was given meanwhile."""
        if self._above:
            self._live.console.print("\n".join(self._above), markup=False, highlight=False, soft_wrap=True)
            self._above.clear()
        self._live.update(self._rows(rows, note) if rows else self._table(counts, note), refresh=True)

    def close(self, counts: Counts, note: str = "", rows: Rows = ()) -> None:
        """Redraw for the last time, and give the cursor back."""
        self.show(counts, note, rows)
        self._live.stop()

    def give(self, text: str) -> None:
        """Write a line to stdout; where that is a terminal too, above the bars with the next redrawing."""
        if sys.stdout.isatty():
            self._above.append(text)
        else:
            sys.stdout.write(text + "\n")
            sys.stdout.flush()

    def _table(self, counts: Counts, note: str) -> Table:
        table = Table.grid(padding=(0, 1))
        total = self._total or sum(count for name, count in counts.items() if name != "saved") or 1
        for name, count in counts.items():
            colour = _COLOURS.get(name, "white")
            bar = ProgressBar(total, count, width=_WIDTH, complete_style=colour, finished_style=colour)
            table.add_row(f"  {name:10}", f"[{colour}]{count:6}[/]", bar)
        table.add_row("", f"{time.monotonic() - self._began:4.0f} s", note)
        return table

    def _rows(self, rows: Rows, note: str) -> Table:
        table = Table.grid("", "", "", "", padding=(0, 1))
        for column in table.columns:
            column.no_wrap = True
        for row in rows:
            colour = _COLOURS.get(row.word, "cyan")
            bar = ProgressBar(1.0, row.part or 0.0, width=_WIDTH // 4, complete_style=colour, finished_style=colour)
            table.add_row(f"  {escape(harmless(row.label))}", f"[{colour}]{row.word}[/]", bar, row.text)
        table.add_row("", f"{time.monotonic() - self._began:4.0f} s", "", note)
        return table
