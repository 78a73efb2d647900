"""Every place where bytes from outside become values: what it reads, and what it may raise."""

import asyncio
import atexit
import contextlib
import csv
import io
import json
import os
import pickle
import shutil
import tempfile
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from random import Random
from types import UnionType
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

import msgspec

from a2e_async import _sniff, errors
from a2e_async._answer import Page, Record, explain, number_in, retry_after
from a2e_async._arriving import texts
from a2e_async._course import _LONGEST
from a2e_async._durations import took
from a2e_async._endpoint import Endpoint
from a2e_async._events import EventReader
from a2e_async._fields import Fields, did_you_mean
from a2e_async._frozen import freeze, thaw
from a2e_async._wire import Request, blueprint, media_of, refuse, url_problem
from a2e_async.batch import _pattern
from a2e_async.cli import _inputs, call, sandbox
from a2e_async.cli._parser import read as read_command
from a2e_async.config import Limits, PollPolicy, RetryPolicy, SessionConfig
from a2e_async.errors import A2EError, DecodeError, RequestError
from a2e_async.files import UNSAFE, _inspect, _target, result_url
from a2e_async.groups import endpoints
from a2e_async.groups.face_swap import Swap
from a2e_async.jobs import Item, _item, _rows
from a2e_async.session import A2ESession
from a2e_async.tasks import KINDS, Handle, Start, Task, TaskState, born, kind_of, made_at, state_of
from a2e_async.watcher import age_of, failure
from a2e_async.webhooks import Webhooks
from tests import journals, wires
from tests.mutations import KEYS, Draw, mutated, noise, odd_object, scrambled
from tests.recorded import Recorded

ENDPOINTS = list(endpoints())
STATUSES = (*[200] * 7, 201, 204, 302, 400, 401, 402, 403, 404, 408, 429, 500, 501, 503, 599, 0, 999)
PAUSES = (
    "", "0", "7", " 7 ", "-1", "1.5", "soon", "9" * 400, "²", "٣", "1_0", "\x00", "\udcff", "Oct", ", ,", "2,3",
    "Wed, 21 Oct 2099 07:28:00 GMT", "Wed, 21 Oct 2015 07:28:00 -0000", "Wed, 99 Oct 2099 07:28:00 GMT",
    "21 Oct 99999 07:28:00 +9999", "Wed, 21 Oct 2099 99:28:00 +99999999999999",
)  # fmt: skip
TOKEN = "0123456789abcdef"
MOST = 600
"""Characters of a message that repeats what it complains about."""


class Decoder(NamedTuple):
    name: str
    make: Callable[[Draw], bytes]
    """Draws an input."""
    read: Callable[[bytes], object]
    """Reads it, and looks at what came of it."""
    raises: tuple[type[BaseException], ...] = (A2EError,)
    """What it may raise; anything else is a defect."""
    share: float = 1.0
    """How many of all inputs it gets, beside the others."""


class Caller:
    """Whoever asks gets no answer."""

    async def call(self, endpoint: Endpoint[..., Any], _request: Request, _permit: object = None) -> Any:
        raise errors.NotFoundError("nobody is here", http_status=404, endpoint=endpoint.label)

    async def prepare(self, _endpoint: Endpoint[..., Any], request: Request) -> Request:
        return request


@cache
def _loop() -> asyncio.AbstractEventLoop:
    return asyncio.new_event_loop()


def _run(main: Any) -> Any:
    return _loop().run_until_complete(main)


@cache
def _folder() -> Path:
    made = tempfile.mkdtemp(prefix="a2e-fuzz-")
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return Path(made)


def decoders(answers: list[Recorded]) -> list[Decoder]:
    """Return all of them; ``answers`` are what the inputs are made of."""
    return [
        *_of_answers(answers),
        *_of_texts(),
        *_of_files(),
        *_of_requests(),
        Decoder("errors: pickled", noise, _pickled, ()),
        Decoder("HTTP", wires.http, lambda data: _run(wires.ask(_folder(), data)), share=0.3),
    ]


# --- Answers ----------------------------------------------------------------------------------------------------------


def _of_answers(answers: list[Recorded]) -> Iterator[Decoder]:
    bodies = [found.body for found in answers]
    places = {endpoint: number for number, endpoint in enumerate(ENDPOINTS)}
    good = [found for found in answers if found.good]

    def answer(draw: Draw) -> bytes:
        found = draw.choice(good if draw.random() < 0.9 else answers)
        at = places[found.endpoint] if draw.random() < 0.9 else draw.randrange(len(ENDPOINTS))
        status = 0 if draw.random() < 0.8 else draw.randrange(len(STATUSES))
        return bytes((at, status, draw.randrange(len(PAUSES)))) + mutated(draw, [found.body])

    yield Decoder("answers of endpoints", answer, _answer, share=6)
    yield Decoder(
        "errors: explained",
        lambda draw: bytes(draw.randrange(256) for _ in range(3)) + mutated(draw, bodies),
        _explained,
        (),
    )
    kinds = {kind.start.answer.record: at for at, kind in enumerate(KINDS.values())}
    records = [
        (kinds[found.endpoint.answer.record], found.body) for found in good if found.endpoint.answer.record in kinds
    ]
    tasks = [(at, msgspec.json.encode(record)) for at, body in records for record in _records_in(body)]

    def task(draw: Draw) -> bytes:
        at, record = draw.choice(tasks)
        return bytes([at]) + mutated(draw, [record])

    yield Decoder("tasks: read again", task, _read_again, share=2)


def _records_in(body: bytes) -> list[Any]:
    data = msgspec.json.decode(body)["data"]
    lists = (
        (data[name] for name in ("rows", "data", "list") if name in data) if isinstance(data, dict) else iter([data])
    )
    rows = next(lists, [data])
    return [rows] if isinstance(rows, dict) else rows


def _answer(data: bytes) -> object:
    endpoint, status = ENDPOINTS[data[0] % len(ENDPOINTS)], STATUSES[data[1] % len(STATUSES)]
    pause = PAUSES[data[2] % len(PAUSES)]
    value = endpoint.answer.read(endpoint.label, status, {"Retry-After": pause}, data[3:])
    wanted = endpoint.answer.record
    items: list[Any] = value.items if isinstance(value, Page) else value if isinstance(value, list) else [value]
    if wanted not in {object, None}:
        assert all(type(item) is wanted for item in items)
    for item in items[:5]:
        if isinstance(item, Record):
            _look_at(item, data)
    json.dumps(call._builtins(value))
    return value


def _look_at(record: Record, data: bytes) -> None:
    if data.count(record.id.encode()) > 1:
        return  # of two with the same id in one answer `raw` shows but one
    before = _all_of(record)
    kept = record.to_json()
    assert repr(record)
    assert repr(pickle.loads(pickle.dumps(record))) == repr(record)
    if isinstance(record, Task):
        assert isinstance(record.state, TaskState)
        assert isinstance(record.error, str)
        assert isinstance(record.code, int)
        assert 0 <= took(record, 1.0, 2.0) <= 2
        assert born(record) == born(record)  # no NaN
        assert isinstance(failure(kind_of(record), record), A2EError)
        assert json.loads(record.handle())
        # What the journal keeps is what was seen.
        assert repr(kind_of(record).read(kept)) == repr(record)
    record.detach()
    assert isinstance(before, str) or _all_of(record) == before
    assert record.to_json() == kept


def _all_of(record: Record) -> object:
    try:
        raw = record.raw
    except DecodeError as error:
        return str(error)
    assert raw["_id"] == record.id
    return raw


def _explained(data: bytes) -> object:
    status, pause, misfit = data[0] * 4, PAUSES[data[1] % len(PAUSES)], "" if data[2] % 2 else "misfit"
    error = explain("GET /x", status, {"Retry-After": pause}, data[3:], misfit)
    assert isinstance(error, A2EError)
    assert str(error)
    _same_when_pickled(error)
    return error


def _read_again(data: bytes) -> object:
    kinds = list(KINDS.values())
    kind = kinds[data[0] % len(kinds)]
    task = kind.read(data[1:])
    _look_at(task, data)
    return task


# --- Texts ------------------------------------------------------------------------------------------------------------

_HANDLES = (
    b'{"a2e":1,"kind":"face_swap","id":"65a0b1c2d3e4f5a6b7c8d9e0","state":"queued","until":1770000000.5}',
    b'{"a2e":1,"kind":"dubbing","id":"65a0b1c2d3e4f5a6b7c8d9e0"}',
)
_EVENTS = (
    b'event: delta\ndata: {"delta": "a smile"}\n\nevent: result\ndata: {"prompt": "a smile"}\n\nevent: done\ndata: {}\n\n',
    b": comment\r\nid: 7\r\ndata: a\r\ndata: b\r\n\r\n",
    b'event: error\ndata: {"code":1001,"msg":"no"}\n\n',
)
_HOOKS = (
    b'X-A2e-Webhook-Token: 0123456789abcdef\0\0{"_id":"65a0b1c2d3e4f5a6b7c8d9e0","current_status":"completed"}',
    b"x-a2e-webhook-token: 0123456789abcdef\0\0task_id=65a0b1c2d3e4f5a6b7c8d9e0&status=completed",
    b"x-a2e-webhook-token:0123456789abcdef\0\0%22_id%22%3A%2265a0b1c2d3e4f5a6b7c8d9e0%22",
)
_DATES = (b"Wed, 21 Oct 2099 07:28:00 GMT", b"Wednesday, 21-Oct-99 07:28:00 +0100", b"120", b"Wed Oct 21 07:28:00 2099")
_URLS = (
    b"https://cdn.example/results/65a0b1c2.mp4?token=%20x#y", b"http://[::1]:80/a.mp4", b"HTTP://u:p@h/a b", b"file:///a",
    b"https://h/" + b"n" * 300 + b".mp4", b"https://h/%2e%2e/..%2f..", b"https://h/a/..", b"https://h/.hidden.\xc3\xbc",
)  # fmt: skip
_KEYS = (
    b"job-1",
    b"../x",
    b"a\\b",
    b"CON",
    b"{key}",
    b"results/{key}.mp4",
    b"{key}/{id}",
    b"{id!r}",
    b"{key:>9}",
    b"a.",
)
_WORDS = (b"completed", b" PROCESSING ", b"\xc4\xb0nit", b"65a0b1c2d3e4f5a6b7c8d9e0", b"0x12_45a6b7c8d9e0a6b7c8",
    b"-1234567a6b7c8d9e0a6b7c8", b" +123456a6b7c8d9e0a6b7c8", b"12_45_67a6b7c8d9e0a6b7c8",
)  # fmt: skip
_FAULT = (
    b"status:status=503,share=0.1",
    b"delay:seconds=1,longest=3",
    b'{"effect": "status", "status": 429, "share": 0.01, "path": "*/add", "headers": {"Retry-After": "1"}}',
)
_URL_TOKENS = (
    b"http://",
    b"https://",
    b"[",
    b"]",
    b"@",
    b"..",
    b"/",
    b"%2f",
    b"#",
    b"?",
    b":99999",
    b"\t",
    b"\xc2\xa0",
)


def _of_texts() -> Iterator[Decoder]:
    def of(*seeds: bytes, tokens: tuple[bytes, ...] = ()) -> Callable[[Draw], bytes]:
        return lambda draw: mutated(draw, seeds, tokens)

    yield Decoder("handles", of(*_HANDLES), _handle)
    yield Decoder("events", of(*_EVENTS, tokens=(b"data: ", b"event: ", b"\n\n")), _events)
    yield Decoder("callbacks", of(*_HOOKS, tokens=(b"\0\0", b"%", b"_id", b"65a0b1c2d3e4f5a6b7c8d9e0")), _callback, ())
    yield Decoder("pauses", of(*_DATES, tokens=(b" GMT", b"+0000", b"Oct")), _pause, ())
    yield Decoder("URLs and file names", of(*_URLS, tokens=_URL_TOKENS), _url)
    yield Decoder("keys and patterns", of(*_KEYS, tokens=(b"{key}", b"{id}", b"{", b"}", b"/", b".")), _key)
    yield Decoder("status words and ids", of(*_WORDS), _word, ())
    yield Decoder("media", lambda draw: scrambled(draw, draw.choice(_MEDIA)), _media, ())
    yield Decoder("settings", lambda draw: draw.randbytes(8) + mutated(draw, _SETTINGS), _setting)
    yield Decoder("command line: words", _typed, _words)
    yield Decoder(
        "command line: options", of(*_COMMANDS, tokens=(b"\0", b"--", b"nan", b"-1")), _options, (SystemExit,), 0.02
    )
    yield Decoder("command line: faults", of(*_FAULT), lambda data: sandbox._rule(os.fsdecode(data)))


def _handle(data: bytes) -> object:
    found = Handle.from_json(data)
    assert found.kind in KINDS
    assert age_of(found.id) >= 0
    assert Handle.from_json(found.to_json()) == found
    return _session().take_up(os.fsdecode(data))


@cache
def _session() -> A2ESession:
    return A2ESession("sk_fuzz", base_url="https://example.com")


def _events(data: bytes) -> object:
    reader = EventReader()

    async def lines() -> Any:
        for line in data.splitlines(keepends=True):
            event = reader.feed(line)
            assert event is None or isinstance(event.text(), str)
            yield line

    async def told() -> list[str]:
        return [text async for text in texts(lines(), "GET /x")]

    return _run(told())


def _callback(data: bytes) -> object:
    head, _, body = data.partition(b"\0\0")
    fields = [(name, value.strip()) for name, _, value in (line.partition(b":") for line in head.split(b"\n"))]
    told: list[str] = []
    caller = Caller()
    hooks = Webhooks(caller, token=TOKEN, on_task=told.append)
    status = _run(hooks.receive(fields, body))
    assert status in {200, 400, 401, 413}
    assert all(len(task_id) == 24 for task_id in told)

    async def receive() -> dict[str, object]:
        return {"body": body}

    sent: list[dict[str, object]] = []

    async def send(message: dict[str, object]) -> None:
        sent.append(message)

    _run(hooks({"type": "http", "method": "POST", "headers": fields}, receive, send))
    assert sent[0]["status"] in {200, 400, 401}
    return status


def _pause(data: bytes) -> object:
    found = retry_after(data.decode("utf-8", "surrogateescape"))
    assert found is None or found >= 0
    return found


def _url(data: bytes) -> object:
    text = data.decode("utf-8", "replace")
    _inputs.name_of(text)
    _inputs.is_picture(text)
    assert len(url_problem(text, local=True)) < MOST
    folder = _folder()
    for source in (text, Swap(id=text[-24:] or "a", result_url=text)):
        target = _target(folder, source, result_url(source))
        assert target.parent == folder
        assert len(os.fsencode(target.name)) <= 200, "too long for a file's name"
        assert target.name not in {"", ".", ".."}
    return target


def _key(data: bytes) -> object:
    text = data.decode("utf-8", "replace")
    out = _pattern(text)
    for key in ("job-1", text):
        if not UNSAFE.search(key) and len(key.encode()) <= _LONGEST:
            named = Path("out", out.format(key=key, id="a" * 24)) if key == "job-1" else Path("out") / f"{key}.mp4"
            assert key != text or named.parent == Path("out")
    return out


def _word(data: bytes) -> object:
    text = data.decode("utf-8", "replace")
    assert isinstance(number_in(text), int)
    assert 0 <= made_at(text) < 2**32
    assert age_of(text) >= 0
    task = Swap(id=text, status=text, created_at=text, updated_at=text)
    assert isinstance(task.state, TaskState)
    assert born(task) == born(task)
    assert 1 <= took(task, 1.0, 2.0) <= 2
    assert len(did_you_mean(text, KINDS)) < 80
    return state_of(text)


_MEDIA = (
    b"\xff\xd8\xff\xe0", b"\x89PNG\r\n\x1a\n", b"RIFF\0\0\0\0WEBPVP8 ", b"RIFF\0\0\0\0WAVEfmt ", b"\0\0\0\x18ftypmp42",
    b"\0\0\0\x18ftypqt  ", b"ID3\x04", b"OggS", b"\x1aE\xdf\xa3", b"",
)  # fmt: skip


def _media(data: bytes) -> object:
    for accepted in (("picture",), ("video", "picture"), ("video", "audio"), ()):
        assert isinstance(_sniff.media_problem(data[: _sniff.HEAD], accepted), str)
    return _sniff.media_type(data)


_SETTINGS = (
    b"sk_0123\0https://video.a2e.ai",
    b"sk_x\0http://127.0.0.1:8723/",
    b"sk_x\0http://[::1]:80/a?b#c",
    b" k \0",
)
_DURATIONS = (*[1.0, 2.0, 0.5] * 6, 60.0, 0.0, -1.0, 1e-9, 1e300, float("nan"), float("inf"), float("-inf"))


def _setting(data: bytes) -> object:
    (a, b, c, d), numbers = (_DURATIONS[at % len(_DURATIONS)] for at in data[:4]), data[4:8]
    key, _, url = data[8:].decode("utf-8", "surrogateescape").partition("\0")
    retry = RetryPolicy(attempts=numbers[0] - 9, base=a, longest=b, patience=c)
    poll = PollPolicy(shortest=a, longest=b, grace=c, deadline=d if numbers[1] % 2 else None)
    limits = Limits(concurrency=numbers[2] - 9, rate=d if numbers[3] % 2 else None)
    config = SessionConfig.from_env(key or "sk_x", url, timeout=d, retry=retry, poll=poll, limits=limits)
    durations = (retry.base, retry.longest, retry.patience, poll.shortest, poll.longest, poll.grace)
    assert all(value >= 0 for value in durations), "a duration that is none"
    assert all(value is None or value > 0 for value in (config.timeout, poll.deadline, limits.rate))
    assert config.api_key[:3] != "sk_" or config.api_key in url or config.api_key not in repr(config)
    return config


_CALL_TOKENS = (b"\0", b"=", b"{", b"[", b"name=", b"_id=", b"ids=", b"page=", b"~", b"~root/", b"null", b"\xff")


def _typed(draw: Draw) -> bytes:
    at = draw.randrange(len(ENDPOINTS))
    words = [f"{name}={_as_text(value)}" for name, value in _fit(draw, ENDPOINTS[at].request).items()]
    text = "\0".join(words).encode()
    return bytes([at]) + (text if draw.random() < 0.1 else scrambled(draw, text, [text], _CALL_TOKENS))


def _words(data: bytes) -> object:
    endpoint = ENDPOINTS[data[0] % len(ENDPOINTS)]
    words = [os.fsdecode(word) for word in data[1:].split(b"\0")]
    with contextlib.suppress(RequestError):
        call._endpoint(words[0])
    request = call._request(Fields(endpoint.request), words)
    _sendable(endpoint, request)
    return request


_COMMANDS = (
    b"swap\0a.jpg\0b.mp4\0-o\0out.mp4\0--deadline\x0060", b"batch\0jobs.csv\0--max-coins\x00100\0--rate\x001.5\0--max-failed\x000.5",
    b"watch\0face_swap\x0065a0b1c2d3e4f5a6b7c8d9e0", b"call\0account.coins\0--json", b"sandbox\0--port\x000\0--coins\x005",
    b"--debug\0batch\0status\0j.sqlite", b"animate\0a.jpg\0--seconds\x0010\0-o\0x",
)  # fmt: skip


def _options(data: bytes) -> object:
    with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
        return read_command([os.fsdecode(word) for word in data.split(b"\0")])


# --- Files ------------------------------------------------------------------------------------------------------------

_CSV = (
    b"key,name,face_url,video_url\r\nk,n,https://a/f.jpg,https://a/v.mp4\r\n", b'name,face_url,video_url\n"a\nb",x.jpg,"y"\n',
    b"\xef\xbb\xbfname,face_url,video_url,cover_url\n\nn,~/f,https://a,\n", b"name,name\n", b'name,face_url,video_url\n"n,x,y\n',
)  # fmt: skip
_STARTS = [kind.start for kind in KINDS.values()]


def _of_files() -> Iterator[Decoder]:
    tokens = (b"key", b"name", b"face_url", b"video_url", b",", b'"', b"\n", b"\0", b"~", b"\xff")

    def table(draw: Draw) -> bytes:
        at = draw.randrange(len(_STARTS))
        file = io.StringIO()
        row = {"key": "k"} | _fit(draw, _STARTS[at].request)
        writer = csv.writer(file)
        writer.writerow(row)
        for _ in range(draw.randint(1, 3)):
            writer.writerow([_as_text(value) for value in row.values()])
        return bytes([at]) + (
            scrambled(draw, file.getvalue().encode(), _CSV, tokens) if draw.random() < 0.9 else noise(draw)
        )

    def lines(draw: Draw) -> bytes:
        at = draw.randrange(len(_STARTS))
        row = json.dumps({"key": 7} | _fit(draw, _STARTS[at].request)).encode()
        return bytes([at]) + b"\n".join(mutated(draw, [row], tokens) for _ in range(draw.choice((1, 1, 2))))

    def frozen(draw: Draw) -> bytes:
        at = draw.randrange(len(_STARTS))
        return bytes([at]) + mutated(draw, [json.dumps(_fit(draw, _STARTS[at].request)).encode()])

    yield Decoder("jobs: CSV", table, partial(_jobs, "any.csv"))
    yield Decoder("jobs: JSONL", lines, partial(_jobs, "any.jsonl"))
    yield Decoder("jobs: mappings", noise, _mapping)
    yield Decoder("requests: thawed", frozen, _thawed)
    yield Decoder("journals: bytes", _journal, _look_through, share=0.05)
    yield Decoder("journals: rows", noise, _look_through_rows, share=0.05)


def _as_text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _jobs(name: str, data: bytes) -> object:
    path = _folder() / name
    path.write_bytes(data[1:])
    found = list(_rows(path, _STARTS[data[0] % len(_STARTS)]))
    for number, item in enumerate(found, 1):
        assert item.number == number
        _check(item)
    return found


def _check(item: Item) -> None:
    assert isinstance(item.request, Request | RequestError)
    assert isinstance(item.key, str)
    if isinstance(item.request, Request):
        with contextlib.suppress(RequestError):
            _sendable(next(start for start in _STARTS if start.request is type(item.request)), item.request)


def _mapping(data: bytes) -> object:
    draw = Random(data)
    start = draw.choice(_STARTS)
    names = [*start.request.__struct_fields__, "key", *KEYS]
    job = {draw.choice(names): odd_object(draw) for _ in range(draw.randint(0, 6))}
    item = _item(1, job if draw.random() < 0.9 else odd_object(draw), start)
    _check(item)
    return item


def _journal(draw: Draw) -> bytes:
    return journals.bytes_changed(draw, journals.whole(_folder()))


def _look_through(data: bytes) -> object:
    path = _folder() / "any.sqlite"
    for old in _folder().glob("any.sqlite*"):
        old.unlink()
    path.write_bytes(data)
    return journals.look_through(path)


def _look_through_rows(data: bytes) -> object:
    path = _folder() / "rows.sqlite"
    for old in _folder().glob("rows.sqlite*"):
        old.unlink()
    path.write_bytes(journals.whole(_folder()))
    journals.row_changed(path, Random(data))
    return journals.look_through(path)


def _thawed(data: bytes) -> object:
    request = thaw(_STARTS[data[0] % len(_STARTS)].request, data[1:])
    assert isinstance(request, Request)
    return request


# --- Requests ---------------------------------------------------------------------------------------------------------


def _of_requests() -> Iterator[Decoder]:
    yield Decoder("requests: any values", noise, _request, share=2)


def _fit(draw: Draw, cls: type[Request]) -> dict[str, Any]:
    """Return members, by their wire names, of a request that is fine, or nearly so."""
    hints = get_type_hints(cls, include_extras=True)
    infos = [info for info in msgspec.structs.fields(cls) if info.required or draw.random() < 0.3]
    return {info.encode_name: _fitting(draw, hints[info.name]) for info in infos}


def _fitting(draw: Draw, hint: Any) -> Any:
    origin, parts = get_origin(hint), get_args(hint)
    metas = [meta for meta in getattr(hint, "__metadata__", ()) if isinstance(meta, msgspec.Meta)]
    if any(meta.extra for meta in metas):
        return draw.choice(("https://a/f.jpg", "HTTPS://a/v.mp4?x=[1]", "~/a.jpg", "clip.mp4"))
    if origin is Annotated:
        return 1 if parts[0] in {int, float} else _fitting(draw, parts[0])
    if origin is Literal:
        return draw.choice(parts)
    if origin in {Union, UnionType}:
        return _fitting(draw, draw.choice(parts))
    if origin is list:
        return [_fitting(draw, parts[0]) for _ in range(draw.randint(1, 2))]
    if isinstance(hint, type) and issubclass(hint, Request):
        return _fit(draw, hint)
    plain = {str: "a text", int: 7, float: 0.5, bool: True, type(None): None}
    return plain.get(hint, {"a": [1]})


def _request(data: bytes) -> object:
    draw = Random(data)
    endpoint = draw.choice(ENDPOINTS)
    request = _made(draw, endpoint.request)
    _sendable(endpoint, request)
    return request


def _made(draw: Draw, cls: type[Request]) -> Request:
    values = {
        info.name: _value(draw, info) for info in msgspec.structs.fields(cls) if info.required or draw.random() < 0.3
    }
    return cls(**values)


def _value(draw: Draw, info: Any) -> object:
    if draw.random() < 0.25:
        return odd_object(draw)
    name = info.encode_name
    if name.endswith(("_url", "url", "Src", "_img", "custom_voice")):
        return draw.choice(("https://a/f.jpg", Path("a.jpg"), "https://a/" + "x" * 2100, "a b"))
    return draw.choice(("name", 5, 1.5, True, "female", ["a"], {"a": 1}, None, 1, 0, "general"))


def _sendable(endpoint: Endpoint[..., Any], request: Request) -> None:
    """Refuse a request as a session would, or see that it can be sent, and written down."""
    plan = blueprint(type(request))
    if refuse(request, plan, endpoint.label):
        for name, accepted in plan.media.items():
            for value in media_of(request, name):
                if not isinstance(value, str):
                    _inspect(Path(value), accepted, name)
        return
    path, body = endpoint.target(request)
    head, _, _query = path.partition("?")
    assert path.isascii() and path.isprintable() and " " not in path
    assert head.count("/") == endpoint.path.count("/")
    assert ".." not in head.split("/")
    if body is not None:
        msgspec.json.decode(body)
    if isinstance(request, Start):
        kept = freeze(request)
        assert freeze(thaw(type(request), kept)) == kept


# --- Errors -----------------------------------------------------------------------------------------------------------

_CLASSES = [found for found in vars(errors).values() if isinstance(found, type) and issubclass(found, A2EError)]


def _pickled(data: bytes) -> object:
    draw = Random(data)
    cls: Any = draw.choice(_CLASSES)
    texts = [draw.choice((*KEYS, "\ud800", "\0" * 9, data.decode("latin-1"), "x" * 999)) for _ in range(4)]
    given: dict[str, Any] = {"endpoint": texts[1]}
    match cls.__name__:
        case _ if issubclass(cls, errors.TaskError):
            given |= {"task_id": texts[2], "task": draw.choice((None, Swap(id="a")))}
        case "RateLimitError":
            given |= {"retry_after": draw.choice((None, 0.0, float("inf")))}
        case "SubmissionUncertainError":
            given |= {"request": {texts[3]: texts[2]}, "sent_at": texts[3]}
        case "DecodeError":
            given |= {"excerpt": texts[3]}
        case "RequestError":
            given |= {"field": texts[3]}
        case _ if issubclass(cls, errors.APIError):
            given |= {"http_status": draw.randrange(999), "trace_id": texts[2], "code": draw.choice((0, 2**70))}
    error = cls(texts[0], **given)
    _same_when_pickled(error)
    return error


def _same_when_pickled(error: A2EError) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), again.__dict__) == (type(error), str(error), error.__dict__)
    assert again.args == error.args
