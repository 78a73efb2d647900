"""The newer model families as the contract shows them: what goes into one, within which bounds, and what comes out."""

import re
from collections.abc import Mapping
from functools import cache
from typing import Literal, NamedTuple, TypeAlias, cast

import msgspec

from a2e_async.sandbox import contract
from a2e_async.sandbox.contract import Param, Row

Media: TypeAlias = Literal["image", "video", "audio"]

_URLS = re.compile(r"(?<!webhook)(_urls?|Urls?|_images|_media|image_list)$")
_BOUNDS = re.compile(
    r"exactly (?P<both>\d+)|at least (?P<low>\d+)|(?P<from>\d+)\.\.(?P<to>\d+)|(?:<=|max )(?P<high>\d+)"
)
_DAYS = re.compile(r"expire after (\d+) days")
_EITHER = frozenset({"target_image_url", "source_url", "reference_urls", "reference_media", "input"})
"""What takes pictures and videos; of `reference_urls`, `reference_media` and Wan 3.0's `input` that is a guess."""
_BASES = {"headSwap": "target_image_url", "userUpscale": "source_url"}
"""Whose results are pictures or videos as this input is."""


class Bounds(NamedTuple):
    """The least and the most of a parameter, where the contract knows: its value, characters, or entries."""

    low: int | None = None
    high: int | None = None


class Family(msgspec.Struct, frozen=True):
    """The rows of one family by their names; its tasks go by the noun in their paths."""

    noun: str
    title: str
    rows: Mapping[str, Row]

    @property
    def start(self) -> Row:
        """What starts a task."""
        return self.rows["Start"]

    @property
    def results(self) -> list[str]:
        """The fields that hold results; for Wan 3.0, of which no record is shown, the usual one."""
        shown = self.start.task.result_field if self.start.task else "result_url"
        return shown.partition(" (")[0].split(" or ")

    @property
    def base(self) -> str:
        """The input whose medium the result has; empty where the family alone decides."""
        return _BASES.get(self.noun, "")

    @property
    def pictures(self) -> bool:
        """Whether its results are pictures, unless an input decides."""
        return "image" in self.results[0]

    @property
    def inputs(self) -> dict[str, tuple[Media, ...]]:
        """The parameters that hold URLs, and which media they may lead to."""
        return {param.name: media_of(param) for param in self.start.params if media_of(param)}

    @property
    def days(self) -> int | None:
        """How many days a result can be fetched, where the contract knows."""
        found = _DAYS.search(self.start.notes)
        return int(found[1]) if found else None


@cache
def families() -> Mapping[str, Family]:
    """Return every family by its noun, in the order of the contract."""
    found: dict[str, dict[str, Row]] = {}
    groups = {row.group: noun_of(row) for row in contract.rows() if row.name == "Start" and not row.in_seed}
    for row in contract.rows():
        if row.group in groups:
            found.setdefault(row.group, {})[row.name] = row
    return {groups[group]: Family(groups[group], group.partition(": ")[2], rows) for group, rows in found.items()}


def noun_of(row: Row) -> str:
    """Return the noun in a row's path."""
    return (row.served_path or "").split("/")[3]


def media_of(param: Param) -> tuple[Media, ...]:
    """Return which media the URLs in a parameter may lead to; none for one that holds no URL."""
    if param.name in _EITHER:
        return ("image", "video")
    if not _URLS.search(param.name):
        return ()
    if "audio" in param.name:
        return ("audio",)
    return ("video",) if "video" in param.name or "clip" in param.name else ("image",)


def within(value: object) -> Mapping[str, object]:
    """Return an argument that is an object; nothing for any other."""
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}


def bounds(param: Param) -> Bounds:
    """Return what a parameter's description says of its bounds."""
    found = _BOUNDS.search(param.description)
    if not found:
        return Bounds()
    low, high = found["both"] or found["low"] or found["from"], found["both"] or found["to"] or found["high"]
    return Bounds(int(low) if low else None, int(high) if high else None)
