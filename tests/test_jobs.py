"""The input of batches: from Python, from CSV and from JSONL."""

import asyncio
import contextlib
import csv
import gc
import io
import json
import os
import pickle
import threading
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import anyio
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as some

from a2e_async import RequestError
from a2e_async._wire import Request, blueprint
from a2e_async.groups.avatar_videos import AvatarVideos, CaptionStyle, StartAvatarVideo
from a2e_async.groups.face_swap import AddSwap, FaceSwapTasks
from a2e_async.groups.image_to_video import ImageToVideo, StartImageToVideo
from a2e_async.groups.videos.kling import KlingOmni, Shot, StartKlingOmni
from a2e_async.groups.voices import StartVoice, Voices
from a2e_async.jobs import AT_ONCE, Item, _in_thread, items

SWAP = FaceSwapTasks.add
HEAD = "name,face_url,video_url\n"
ROW = "n,https://a/f.jpg,https://a/v.mp4\n"
GIVEN = {"name": "n", "face_url": "https://a/f.jpg", "video_url": "https://a/v.mp4"}
LINE = json.dumps(GIVEN)


def read(jobs, endpoint=SWAP) -> list[Item]:
    async def every():
        return [item async for item in items(jobs, endpoint)]

    return asyncio.run(every())


@pytest.fixture
def file(tmp_path):
    def write(content: str | bytes, name: str = "jobs.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


def test_jobs_from_python():
    face = Path("face.jpg")
    jobs = [AddSwap(**GIVEN), GIVEN | {"key": "mine", "face_url": face}, GIVEN | {"key": 0}, GIVEN | {"key": None}]
    swap = AddSwap(**GIVEN)

    assert read(jobs) == [
        (1, "", swap),
        (2, "mine", AddSwap(**GIVEN | {"face_url": face})),
        (3, "0", swap),
        (4, "", swap),
    ]


def test_asynchronous_jobs():
    async def jobs() -> AsyncIterator[dict[str, str]]:
        for key in "ab":
            await asyncio.sleep(0)
            yield GIVEN | {"key": key}

    assert [(item.number, item.key) for item in read(jobs())] == [(1, "a"), (2, "b")]


def test_a_wrong_job_is_one_item():
    wrong = [GIVEN | {"key": "typo", "nam": "x"}, {"name": "n"}, "nonsense", {1: 2}]
    typo, few, text, number, good = read([*wrong, GIVEN])
    assert typo.key == "typo"
    assert "'nam'. Fields: webhook_url, webhook_token, name, face_url, video_url, " in str(typo.request)
    assert "Missing required argument 'face_url'. Fields: " in str(few.request)
    assert "a job is a AddSwap or a mapping, not str." in str(text.request)
    assert {item.request.endpoint for item in (typo, few, text, number)} == {SWAP.label}
    assert good == (5, "", AddSwap(**GIVEN))


def test_a_key_that_cannot_be_written_is_one_wrong_job():
    knot = []
    for _ in range(200_000):  # far deeper than any stack
        knot = [knot]
    found = read([GIVEN | {"key": 10**5000}, GIVEN | {"key": knot}, GIVEN])
    assert [item.request.field for item in found[:2]] == ["key", "key"]
    assert found[2].request == AddSwap(**GIVEN)


@pytest.mark.parametrize("jobs", ["jobs.csv", b"jobs.csv", GIVEN])
def test_a_text_or_a_single_mapping_is_no_input(jobs):
    with pytest.raises(RequestError, match=r"a file of them as pathlib\.Path"):
        read(jobs)


def test_input_from_python_is_taken_one_at_a_time():
    taken = 0

    def endless() -> Iterator[dict[str, str]]:
        nonlocal taken
        while True:
            taken += 1
            yield GIVEN

    async def one():
        source = items(endless(), SWAP)
        await anext(source)
        await source.aclose()

    asyncio.run(one())
    assert taken == 1


@pytest.mark.parametrize("start", ["", "\ufeff", "\n\r\n"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_csv_with_either_name_and_what_is_left_out(file, start, end):
    text = "name,face_url,video_url,model_version,key,cover_url\n"
    text += 'one,https://a/f,HTTP://a/v,v2,k,\n\n"two\n2",https://a/f,https://a/v,,,\n,,,,,\n'
    two = AddSwap(name=f"two{end}2", face_url="https://a/f", video_url="https://a/v")

    found = read(file(start + text.replace("\n", end), "jobs.CSV"))

    assert found == [
        (1, "k", AddSwap(name="one", face_url="https://a/f", video_url="HTTP://a/v", model_version="v2")),
        (2, "", two),
    ]
    voice = file('name,voice_urls,denoise\nn,https://a/1,true\nn,"[""https://a/1"",""b.wav""]",\n')
    assert [item.request for item in read(voice, Voices.start)] == [
        StartVoice(name="n", voice_urls=["https://a/1"], denoise=True),
        StartVoice(name="n", voice_urls=["https://a/1", voice.parent / "b.wav"]),
    ]
    clip = file("image_url,video_time,extend_prompt\nhttps://a/1,10,false\n")
    (item,) = read(clip, ImageToVideo.start)
    assert item.request == StartImageToVideo(image_url="https://a/1", seconds=10, extend_prompt=False)


@pytest.mark.parametrize("name", ["jobs.jsonl", "jobs.ndjson"])
def test_jsonl(file, name):
    job = {"anchor_id": "1", "anchor_type": 0, "audioSrc": "a.wav", "title": None, "key": 7}
    style = {"Fontsize": 20, "font_name": "Arial"}
    path = file(f"{json.dumps(job)}\n  \n{json.dumps(job | {'caption_style': style, 'key': 'é'})}", name)
    plain = StartAvatarVideo(anchor_id="1", anchor_type=0, audio_url=path.parent / "a.wav")

    assert read(path, AvatarVideos.start) == [
        (1, "7", plain),
        (2, "é", msgspec.structs.replace(plain, caption_style=CaptionStyle(font_size=20, font_name="Arial"))),
    ]


def test_parts_of_a_request_are_objects_in_a_list(file):
    shots = [{"prompt": "a", "seconds": 2}, {"prompt": "b", "duration": "3"}]
    path = file(json.dumps({"multi_shot": True, "shots": shots, "image_list": ["a.jpg"]}), "jobs.jsonl")

    (item,) = read(path, KlingOmni.start)
    assert item.request == StartKlingOmni(
        multi_shot=True,
        shots=[Shot(prompt="a", seconds=2), Shot(prompt="b", seconds=3)],
        image_urls=[path.parent / "a.jpg"],
    )
    (wrong,) = read(file(json.dumps({"mode": "best"}), "jobs.jsonl"), KlingOmni.start)
    assert "mode: Invalid enum value 'best': it takes std, pro." in str(wrong.request)
    (wrong,) = read(file(json.dumps({"shots": [{"prompt": "a", "secs": 2}]}), "jobs.jsonl"), KlingOmni.start)
    assert "shots: no field 'secs': did you mean 'seconds'? It takes prompt, seconds." in str(wrong.request)


def test_local_files_lie_beside_the_list(file, tmp_path):
    away = tmp_path.parent / "v.mp4"
    path = file(f"{HEAD}n,in/f.jpg,{away}\nn,~/f.jpg,v\nn,~nobody-of-this-name/f.jpg,v\n")

    first, home, nobody = read(path)

    assert first.request == AddSwap(name="n", face_url=tmp_path / "in/f.jpg", video_url=away)
    assert home.request.face_url == Path.home() / "f.jpg"
    assert f"{path}:4: face_url: " in str(nobody.request)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("jobs.txt", HEAD, "jobs are read from .csv, .jsonl, .ndjson"),
        ("jobs.csv", "", "there is no line that names the columns."),
        ("jobs.csv", "name,fase_url\n", "no column 'fase_url': did you mean 'face_url'? It takes webhook_url,"),
        ("jobs.csv", "name,face_url,\n", "no column '': It takes webhook_url,"),
        ("jobs.csv", "key,name\n", "no column for face_url, video_url."),
        ("jobs.csv", "name,name,face_url,video_url\n", "given more than once: name."),
        ("jobs.csv", '"name,face_url', "unexpected end of data"),
        ("jobs.csv", HEAD.encode("utf-16"), "is no UTF-8 text"),
        ("jobs.csv", (HEAD + 5000 * ROW).encode() + b"\xe9", "is no UTF-8 text"),
        ("jobs.jsonl", 5000 * LINE.encode() + b"\xe9", "is no UTF-8 text"),
    ],
)
def test_what_is_wrong_with_the_file_is_said_before_the_first_job(file, name, content, said):
    path = file(content, name)
    with pytest.raises(RequestError) as caught:
        asyncio.run(anext(items(path, SWAP)))
    assert str(caught.value).startswith(str(path))
    assert said in str(caught.value)


@pytest.mark.parametrize("name", ["gone.csv", "gone.jsonl", "folder.csv"])
def test_a_file_that_cannot_be_read(tmp_path, name):
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(RequestError, match=rf"{name} cannot be read \(\w"):
        read(tmp_path / name)


def test_a_list_without_jobs(file):
    assert read(file(HEAD)) == read(file("\n", "jobs.jsonl")) == []


@pytest.mark.parametrize(
    ("row", "said", "field"),
    [
        ("n,https://a/f.jpg", "has 2 cells for 3 columns.", ""),
        (f"n{ROW.strip()},", "has 4 cells for 3 columns.", ""),
        (",https://a/f.jpg,v", "missing: name.", ""),
        ('n,"f"x,v', "',' expected after '\"'.", ""),
        ("n,f\0,v", "face_url: holds a NUL character.", "face_url"),
        (f"{'n' * 200_000},f,v", "field larger than field limit", ""),
    ],
)
def test_a_wrong_row_is_one_item(file, row, said, field):
    path = file(HEAD + ROW + row + "\n" + ROW)
    first, wrong, last = read(path)
    assert first.request == last.request == AddSwap(**GIVEN)
    assert (first.number, wrong.number, last.number) == (1, 2, 3)
    assert str(wrong.request).startswith(f"{path}:3: {said}")
    assert wrong.request.field == field
    assert str(pickle.loads(pickle.dumps(wrong.request))) == str(wrong.request)


def test_a_quote_that_stays_open_makes_no_job(file):
    good, wrong = read(file(f'{HEAD}{ROW}n,f,"v\n{ROW}'))
    assert good.request == AddSwap(**GIVEN)
    assert str(wrong.request).endswith("jobs.csv:3: unexpected end of data.")


@pytest.mark.parametrize(
    ("line", "said", "field"),
    [
        ('{"name": ', "Input data was truncated.", ""),
        ("[1]", "is no JSON object.", ""),
        (f"{LINE}{LINE}", "JSON is malformed: trailing characters", ""),
        ('{"name": "a", "name": "b"}', "given more than once: name.", ""),
        ('{"anchor_id": "1", "audio_url": "a", "audioSrc": "b"}', "given more than once: audio_url.", ""),
        ('{"anchor_id": "1", "anchor_tipe": 1}', "no member 'anchor_tipe': did you mean 'anchor_type'?", ""),
        ('{"anchor_id": "1", "audio_url": null, "anchor_type": 1}', "missing: audio_url.", ""),
        ('{"anchor_id": "1", "audio_url": "\\u0000", "anchor_type": 1}', "audio_url: holds a NUL", "audioSrc"),
        ('{"anchor_id": 1, "audio_url": "a", "anchor_type": 1}', "anchor_id: Expected `str`, got `int`.", "anchor_id"),
        ('{"anchor_id": "1", "audio_url": ["a"], "anchor_type": 1}', "audio_url: Expected `str`", "audioSrc"),
        ('{"anchor_id": "1", "audio_url": "a", "anchor_type": 2}', "anchor_type: Invalid enum value", "anchor_type"),
        ('{"anchor_id": "1", "key": []}', "key: is a text or a whole number.", "key"),
        ('{"anchor_id": "\\ud800"}', "Input data was truncated.", ""),
        ('{"resolution": NaN}', "JSON is malformed", ""),
        ("[" * 100_000, "JSON is nested too deeply.", ""),
        ('{"resolution": 1' + "0" * 5000 + "}", "Integer value out of range", ""),
    ],
)
def test_a_wrong_line_is_one_item(file, line, said, field):
    good = '{"anchor_id": "1", "anchor_type": 1, "audio_url": "https://a/x"}'
    path = file(f"{good}\n{line}\n{good}\n", "jobs.jsonl")
    first, wrong, last = read(path, AvatarVideos.start)
    assert first.request == last.request
    assert isinstance(first.request, Request)
    assert str(wrong.request).startswith(f"{path}:2: {said}")
    assert wrong.request.field == field


def test_the_key_of_a_wrong_row_is_kept(file):
    path = file(json.dumps(GIVEN | {"key": "k", "model_version": "v3"}), "jobs.jsonl")
    assert [(item.key, item.request.field) for item in read(path)] == [("k", "model_version")]


def test_a_file_is_read_in_a_thread_and_a_little_at_a_time():
    threads: set[int] = set()
    rows = 0

    def endless() -> Iterator[Item]:
        nonlocal rows
        while True:
            rows += 1
            threads.add(threading.get_ident())
            yield Item(rows, "", AddSwap(**GIVEN))

    async def some_of_it():
        source = _in_thread(endless())
        numbers = [(await anext(source)).number for _ in range(AT_ONCE)]
        await source.aclose()
        return numbers

    assert asyncio.run(some_of_it()) == list(range(1, rows + 1))
    assert rows == AT_ONCE
    assert threading.get_ident() not in threads


def test_memory_does_not_grow_with_the_file(file):
    path = file(HEAD + 20_000 * ROW)

    async def count():
        return len([None async for _ in items(path, SWAP)])

    tracemalloc.start()
    assert asyncio.run(count()) == 20_000
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20_000 * len(ROW)


def closed(path: Path) -> bool:
    gc.collect()
    # By its type: Django's settings say only when they are asked what they are, and then that they are not there.
    return str(path) not in {name_of(one) for one in gc.get_objects() if issubclass(type(one), io.TextIOWrapper)}


def name_of(file: io.TextIOWrapper) -> str:
    try:
        return getattr(file, "name", "")
    except ValueError:
        return ""  # somebody else's, detached


@pytest.mark.parametrize("end", ["aclose", "cancel", "forgotten"])
def test_the_file_is_closed_with_the_iterator(file, end):
    path = file(HEAD + 2000 * ROW)

    async def main():
        source = items(path, SWAP)
        assert await anext(source) == (1, "", AddSwap(**GIVEN))
        if end == "aclose":
            await source.aclose()
            path.rename(path.with_name("moved.csv"))  # Windows refuses this for an open file
        elif end == "cancel":
            async with asyncio.timeout(0.01):
                async for _ in source:
                    await asyncio.sleep(0.001)

    if end == "cancel":
        with pytest.raises(TimeoutError):
            asyncio.run(main())
    else:
        asyncio.run(main())
    assert closed(path)


@pytest.mark.parametrize("scoped", [False, True])
def test_cancelled_while_a_thread_reads(scoped):
    began, go_on, ended = threading.Event(), threading.Event(), threading.Event()

    def slow() -> Iterator[Item]:
        try:
            began.set()
            go_on.wait(10)
            while True:
                yield Item(1, "", AddSwap(**GIVEN))
        finally:
            ended.set()

    async def main():
        rows, scope = slow(), anyio.CancelScope()  # the rows are held here: they do not end by being forgotten

        async def reads():
            with scope:
                async for _ in _in_thread(rows):
                    pass

        reader = asyncio.ensure_future(reads())
        await asyncio.to_thread(began.wait, 10)
        (scope if scoped else reader).cancel()
        asyncio.get_running_loop().call_later(0.05, go_on.set)
        await asyncio.wait([reader])
        assert ended.is_set()
        assert reader.cancelled() or (scoped and reader.exception() is None)

    asyncio.run(main())


PIECES = [
    *(HEAD.encode(), ROW.encode(), LINE.encode(), b"key", b'"name":', b'"anchor_type":', b'{"', b"\xef\xbb\xbf"),
    *(b'"', b",", b"\n", b"\r", b"\0", b"\xff", b"{", b"}", b"[", b"]", b":", b"null", b"1e999", b"\\ud800", b"~x"),
]


@given(some.binary() | some.lists(some.sampled_from(PIECES)).map(b"".join), some.sampled_from([".csv", ".jsonl"]))
def test_any_bytes_are_jobs_or_errors(tmp_path_factory, content, suffix):
    path = tmp_path_factory.getbasetemp() / f"any{suffix}"
    path.write_bytes(content)
    found: list[Item] = []
    with contextlib.suppress(RequestError):
        found = read(path)
    assert [item.number for item in found] == list(range(1, len(found) + 1))
    assert all(isinstance(item.request, Request | RequestError) for item in found)


texts = some.text(some.characters(exclude_characters="\0", codec="utf-8"), min_size=1)
media = some.sampled_from(["https://a/1", "HTTP://a/2", Path(os.sep).resolve() / "a b" / "3.wav"])
ratios = some.floats(0, 1)
styles = some.builds(
    CaptionStyle, title=some.none() | texts, font_size=some.none() | some.integers(0, 99), position=ratios
)
avatars = some.builds(
    StartAvatarVideo,
    anchor_id=texts,
    anchor_type=some.sampled_from([0, 1]),
    audio_url=media,
    title=some.none() | some.text(some.sampled_from('[{ü"\n ,'), min_size=1, max_size=40),
    resolution=some.integers(-(2**63), 2**63 - 1),
    captions=some.none() | some.booleans(),
    caption_style=some.none() | styles,
    erode_factor=some.none() | some.floats(allow_nan=False, allow_infinity=False),
    gp_model=some.none() | some.dictionaries(texts, some.integers(0, 9) | texts),
)
voices = some.builds(
    StartVoice, name=texts, voice_urls=some.lists(media, min_size=1), denoise=some.booleans(), language=texts
)


def written(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value, enc_hook=str).decode().strip('"')


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
@given(some.lists(avatars, min_size=1) | some.lists(voices, min_size=1), some.booleans())
def test_requests_written_down_are_read_back(tmp_path_factory, suffix, requests, wired):
    path = tmp_path_factory.getbasetemp() / f"written{suffix}"
    names = blueprint(type(requests[0])).names
    rows = [{names[n] if wired else n: getattr(one, n) for n in names} for one in requests]
    with path.open("w", encoding="utf-8", newline="") as file:
        if suffix == ".csv":
            writer = csv.writer(file)
            writer.writerow(rows[0])
            writer.writerows([["" if v is None else written(v) for v in row.values()] for row in rows])
        else:
            file.writelines(msgspec.json.encode(row, enc_hook=str).decode() + "\n" for row in rows)

    endpoint = Voices.start if isinstance(requests[0], StartVoice) else AvatarVideos.start
    assert [item.request for item in read(path, endpoint)] == requests
