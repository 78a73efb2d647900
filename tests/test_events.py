"""Server-sent events, line by line."""

import pytest
from hypothesis import given
from hypothesis import strategies as some

from a2e_async._events import Event, EventReader


def read(text: bytes) -> list[Event]:
    reader = EventReader()
    return [event for line in text.splitlines(keepends=True) if (event := reader.feed(line)) is not None]


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        (b"data: a\n\n", [("message", "a")]),
        (b"event: delta\r\ndata: a\r\n\r\n", [("delta", "a")]),
        (b"data:a\ndata: b\n\n", [("message", "a\nb")]),
        (b": a comment\nid: 7\nretry: 9\n\n", []),
        (b"event: done\n\ndata: x\n\n", [("message", "x")]),
        (b"data: never ended", []),
    ],
)
def test_lines_make_events(stream: bytes, events: list[tuple[str, str]]) -> None:
    assert read(stream) == events


@pytest.mark.parametrize(
    ("data", "text"),
    [("plain", "plain"), ('"quoted"', "quoted"), ('{"delta": "a", "x": 1}', "a"), ('{"x": 1}', '{"x": 1}'), ("5", "5")],
)
def test_the_text_of_an_event(data: str, text: str) -> None:
    assert Event("delta", data).text() == text


@given(some.lists(some.binary(max_size=40)))
def test_any_bytes_are_read(lines: list[bytes]) -> None:
    reader = EventReader()
    for line in lines:
        event = reader.feed(line)
        assert event is None or isinstance(event.text(), str)
