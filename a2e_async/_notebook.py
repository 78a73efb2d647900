"""Progress in a notebook: one piece of HTML that is replaced as things move. IPython is there where this is loaded."""

import sys
import time
from html import escape
from importlib import import_module

from a2e_async._saying import Counts, Row, Rows


class Page:
    """A table below the cell."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        display = import_module("IPython.display").display
        self._handle = display(_both(""), raw=True, display_id=True)

    def give(self, text: str) -> None:
        """Write a line to stdout."""
        sys.stdout.write(text + "\n")

    def show(self, counts: Counts, note: str = "", rows: Rows = ()) -> None:
        """Replace what is shown."""
        total = sum(count for name, count in counts.items() if name != "saved") or 1
        rows = rows or [Row(name, str(count), part=count / total) for name, count in counts.items()]
        text = f"{time.monotonic() - self._began:.0f} s {note}".strip()
        lines = "".join(_line(row) for row in rows)
        self._handle.update(_both(f"<table>{lines}</table><small>{escape(text)}</small>", text), raw=True)

    def close(self, counts: Counts, note: str = "", rows: Rows = ()) -> None:
        """Replace it for the last time."""
        self.show(counts, note, rows)


def _line(row: Row) -> str:
    bar = "" if row.part is None else f'<progress max="1" value="{row.part:.3f}"></progress>'
    cells = (escape(row.label), escape(row.word), bar, escape(row.text))
    return "<tr>" + "".join(f'<td style="text-align:left">{cell}</td>' for cell in cells) + "</tr>"


def _both(html: str, text: str = "") -> dict[str, str]:
    return {"text/html": html, "text/plain": text}
