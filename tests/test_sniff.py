"""Media told by their first bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as some

from a2e_async._sniff import media_problem, media_type


@pytest.mark.parametrize(
    ("head", "mime"),
    [
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"RIFF\0\0\0\0WEBP", "image/webp"),
        (b"RIFF\0\0\0\0WAVE", "audio/wav"),
        (b"RIFF\0\0\0\0AVI ", "video/x-msvideo"),
        (b"RIFF\0\0\0\0????", ""),
        (b"\0\0\0\x20ftypisom", "video/mp4"),
        (b"\0\0\0\x20ftypqt  ", "video/quicktime"),
        (b"\0\0\0\x20ftypM4A ", "audio/mp4"),
        (b"\0\0\0\x20ftypavif", "image/avif"),
        (b"\x1aE\xdf\xa3", "video/webm"),
        (b"ID3\x04", "audio/mpeg"),
        (b"OggS", "audio/ogg"),
        (b"#!/bin/sh", ""),
        (b"", ""),
    ],
)
def test_types(head: bytes, mime: str) -> None:
    assert media_type(head) == mime


@pytest.mark.parametrize(
    ("head", "accepted", "problem"),
    [
        (b"ID3", ("audio",), ""),
        (b"GIF89a", ("video", "picture"), ""),
        (b"GIF89a", ("audio",), "is image/gif, but a recording (WAV, MP3, M4A, OGG, FLAC) is needed"),
        (b"text", ("video", "audio"), "is no media that is known here, but a video (MP4, MOV, WebM) or a recording"),
    ],
)
def test_problems(head: bytes, accepted: tuple[str, ...], problem: str) -> None:
    assert media_problem(head, accepted).startswith(problem)
    assert bool(media_problem(head, accepted)) == bool(problem)


@given(some.binary(max_size=40))
def test_any_bytes(head: bytes) -> None:
    assert isinstance(media_problem(head, ("picture", "video", "audio")), str)
