"""The contract file, read into frozen Structs: the one source of the sandbox's routes."""

from functools import cache
from importlib.resources import files

import msgspec


class Param(msgspec.Struct, frozen=True, rename={"place": "in"}):
    """One parameter of a row; a question mark in its name marks a guess."""

    name: str
    place: str
    type: str
    required: bool
    description: str
    default: str | int | float | bool | None = None
    enum: tuple[str | int, ...] | None = None

    @property
    def bare(self) -> str:
        """Its name on the wire."""
        return self.name.removesuffix("?")


class Alternative(msgspec.Struct, frozen=True):
    """Another spelling or verb under which sources show the same endpoint."""

    method: str
    path: str
    params_in: str | None = None
    params: tuple[str, ...] = ()


class Life(msgspec.Struct, frozen=True):
    """What evidence there is of a row's tasks: the field of their results, and how sure that is."""

    result_field: str = ""


class Row(msgspec.Struct, frozen=True):
    """One endpoint as the evidence shows it."""

    group: str
    name: str
    method: str
    path: str | None
    params: tuple[Param, ...]
    confidence: str
    in_seed: bool
    notes: str
    response: dict[str, str]
    guess_path: str | None = None
    alternatives: tuple[Alternative, ...] = ()
    evidence: str = ""
    task: Life | None = None

    @property
    def provisional(self) -> bool:
        """Whether the row was never publicly documented."""
        return self.confidence in {"low", "unknown"}

    @property
    def served_path(self) -> str | None:
        """The path the sandbox answers at: the known one, else the best guess; None for a how-to page."""
        return self.path or self.guess_path


@cache
def rows() -> tuple[Row, ...]:
    """Return every row of the contract, in the order of its file."""
    text = files("a2e_async.sandbox").joinpath("contract.json").read_bytes()
    return msgspec.json.decode(text, type=tuple[Row, ...])
