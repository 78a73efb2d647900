"""The input of batches: jobs from Python or from a file, one at a time."""

import csv
import json
import os
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Generator, Iterable, Mapping, Sequence
from contextlib import aclosing
from functools import partial
from itertools import islice
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple, TextIO, cast

import anyio
import msgspec
from anyio.to_thread import run_sync

from a2e_async._endpoint import Endpoint
from a2e_async._fields import Fields
from a2e_async._wire import Request
from a2e_async.errors import RequestError

Job = Request | Mapping[str, Any]
"""A request of the kind, or a mapping of its field names with an optional ``key``."""
Jobs = Iterable[Job] | AsyncIterable[Job] | os.PathLike[str]
"""Jobs, or the path of a ``.csv``, ``.jsonl`` or ``.ndjson`` file whose columns or members are the field names."""

AT_ONCE = 256
"""Rows read in one hop to a thread."""


class Item(NamedTuple):
    """One job of the input."""

    number: int
    """Place in the input, from 1."""
    key: str
    """The user's own key, '' if none was given."""
    request: Request | RequestError
    """An error: this one job is wrong, the others go on."""


async def items(jobs: Jobs, endpoint: Endpoint[..., Any]) -> AsyncGenerator[Item]:
    """Yield the jobs as they are asked for, so the input may be endless; a file is closed with the generator.

    Raises RequestError before the first job where a file as a whole cannot be taken.
    """
    if isinstance(jobs, str | bytes | Mapping):
        raise RequestError("jobs are any number of requests or mappings, or a file of them as pathlib.Path(...).")
    number = 0
    if isinstance(jobs, os.PathLike):
        async with aclosing(_in_thread(_rows(Path(jobs), endpoint))) as rows:
            async for item in rows:
                yield item
    elif isinstance(jobs, AsyncIterable):
        async for job in jobs:
            number += 1
            yield _item(number, job, endpoint)
    else:
        for job in jobs:
            number += 1
            yield _item(number, job, endpoint)


def _item(number: int, job: object, endpoint: Endpoint[..., Any]) -> Item:
    wanted = endpoint.request
    if isinstance(job, wanted):
        return Item(number, "", job)
    if not isinstance(job, Mapping):
        text = f"a job is a {wanted.__name__} or a mapping, not {type(job).__name__}."
        return Item(number, "", RequestError(text, endpoint=endpoint.label))
    values = dict(cast("Mapping[str, Any]", job))
    given, key = values.pop("key", None), ""
    try:
        key = key if given is None else str(given)
        request: Request | RequestError = wanted(**values)
    except (ValueError, RecursionError):  # a number or a nest that Python does not write
        return Item(number, "", RequestError("is too large.", field="key", endpoint=endpoint.label))
    except TypeError as error:
        text = f"{error}. Fields: {', '.join(wanted.__struct_fields__)}."
        request = RequestError(text, endpoint=endpoint.label)
    return Item(number, key, request)


async def _in_thread(rows: Generator[Item]) -> AsyncGenerator[Item]:
    turn = Lock()  # a cancelled hop goes on in its thread, and a generator at work cannot be closed

    def some() -> list[Item]:
        with turn:
            return list(islice(rows, AT_ONCE))

    def close() -> None:
        with turn:
            rows.close()

    try:
        while found := await run_sync(some):
            for item in found:
                yield item
    finally:
        with anyio.CancelScope(shield=True):
            await run_sync(close)


_Row = tuple[int, Callable[[], dict[str, object]]]
"""Its first line, and what reads it: values by attribute, or RequestError."""


def _rows(path: Path, endpoint: Endpoint[..., Any]) -> Generator[Item]:
    fields = Fields(endpoint.request, folder=path.parent, also=["key"])
    try:
        read = _reader(path)
        with path.open(encoding="utf-8-sig", newline="") as file:
            while file.read(1 << 16):  # what is not UTF-8 is found before the first job is paid for
                pass
            file.seek(0)
            for number, (line, row) in enumerate(read(file, fields), 1):
                yield _checked(number, f"{path}:{line}", row, fields)
    except UnicodeDecodeError:
        raise RequestError(f"{path} is no UTF-8 text: save it as such.") from None
    except OSError as error:
        raise RequestError(f"{path} cannot be read ({error.strerror or error}).") from error
    except (RequestError, csv.Error) as error:
        raise RequestError(f"{path}: {error}") from None


def _checked(number: int, where: str, row: Callable[[], dict[str, object]], fields: Fields) -> Item:
    key = ""
    try:
        values = row()
        key = str(values.pop("key", ""))
        return Item(number, key, fields.request(values))
    except RequestError as error:
        wrong = RequestError(f"{where}: {error}")
        wrong.field = fields.names.get(error.field, "")
        return Item(number, key, wrong)


def _reader(path: Path) -> Callable[[TextIO, Fields], Iterable[_Row]]:
    readers = {".csv": _csv, ".jsonl": _jsonl, ".ndjson": _jsonl}
    if (suffix := path.suffix.lower()) in readers:
        return readers[suffix]
    raise RequestError(f"jobs are read from {', '.join(readers)}, told by the name of the file.")


def _csv(file: TextIO, fields: Fields) -> Generator[_Row]:
    rows = csv.reader(file, strict=True)
    columns = _columns(next((cells for cells in rows if _filled(cells)), list[str]()), fields)
    while True:
        line = rows.line_num + 1
        try:
            found: Sequence[str] | csv.Error | None = next(rows, None)
        except csv.Error as error:
            found = error
        if found is None:
            return
        if isinstance(found, csv.Error) or _filled(found):
            yield line, partial(_cells, columns, found)


def _filled(cells: Sequence[str]) -> bool:
    return any(cell.strip() for cell in cells)


def _columns(cells: Sequence[str], fields: Fields) -> Sequence[str]:
    if not cells:
        raise RequestError("there is no line that names the columns.")
    columns = [fields.attribute(cell, "column") for cell in cells]
    _once(columns)
    if missing := fields.missing(columns):
        raise RequestError(f"no column for {', '.join(missing)}.")
    return columns


def _cells(columns: Sequence[str], cells: Sequence[str] | csv.Error) -> dict[str, object]:
    if isinstance(cells, csv.Error):
        raise RequestError(f"{cells}.")
    if len(cells) != len(columns):
        raise RequestError(f"has {len(cells)} cells for {len(columns)} columns.")
    for name, cell in zip(columns, cells, strict=True):
        if "\0" in cell:
            raise RequestError("holds a NUL character.", field=name)
    return {name: cell for name, cell in zip(columns, cells, strict=True) if cell}


def _jsonl(file: TextIO, fields: Fields) -> Generator[_Row]:
    for line, text in enumerate(file, 1):
        if text.strip():
            yield line, partial(_members, text, fields)


def _members(text: str, fields: Fields) -> dict[str, object]:
    try:
        msgspec.json.decode(text)  # json takes NaN and halves of surrogate pairs
        data = json.loads(text, object_pairs_hook=_object)
    except RecursionError:
        raise RequestError("JSON is nested too deeply.") from None
    except ValueError as error:
        raise RequestError(f"{error}.") from None
    if not isinstance(data, dict):
        raise RequestError("is no JSON object.")
    members = cast("dict[str, object]", data)
    names = [fields.attribute(member, "member") for member in members]
    _once(names)
    given = {name: value for name, value in zip(names, members.values(), strict=True) if value is not None}
    if not isinstance(given.get("key", ""), str | int):
        raise RequestError("is a text or a whole number.", field="key")
    return given


def _object(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    _once([name for name, _ in pairs])
    return dict(pairs)


def _once(names: Sequence[str]) -> None:
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise RequestError(f"given more than once: {', '.join(twice)}.")
