"""States, the one table of words, and what a record tells of its task."""

import json
import logging
from importlib.resources import files

import pytest
from msgspec.json import Decoder

from a2e_async import FACE_SWAP, FACE_SWAP_PREVIEW, TaskState, tasks
from a2e_async._endpoint import Listing
from a2e_async.groups.face_swap import Face, FaceSwapTasks, Swap, SwapPreview
from a2e_async.tasks import KINDS, WORDS, Task, kind_of, made_at, state_of


@pytest.fixture(autouse=True)
def nothing_warned_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "_warned", set())


def life_cycles() -> list[dict[str, list[str]]]:
    rows = json.loads(files("a2e_async.sandbox").joinpath("contract.json").read_text(encoding="utf-8"))
    return [row["task"] for row in rows if row.get("task")]


def test_every_word_of_the_contract_is_in_the_table() -> None:
    cycles = life_cycles()
    assert len(cycles) > 30
    for cycle in cycles:
        for word in cycle["running"]:
            assert not WORDS[word.partition("?")[0]].final, word  # a question mark marks a guess
        assert {WORDS[word] for word in cycle["succeeded"]} <= {TaskState.DONE}
        assert {WORDS[word] for word in cycle["failed"]} <= {TaskState.FAILED}


def test_only_done_and_failed_are_final() -> None:
    assert {state for state in TaskState if state.final} == {TaskState.DONE, TaskState.FAILED}


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("initialized", TaskState.QUEUED),
        ("pendding", TaskState.QUEUED),
        ("process", TaskState.RUNNING),
        ("copy", TaskState.RUNNING),
        (" Completed\n", TaskState.DONE),
        ("SUCCESS", TaskState.DONE),
        ("Fail", TaskState.FAILED),
    ],
)
def test_words_are_read_whatever_their_case(word: str, state: TaskState) -> None:
    assert state_of(word) is state


def test_an_unknown_word_ends_nothing_and_is_warned_about_once(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "a2e_async"):
        states = [state_of("archiving") for _ in range(3)]

    assert set(states) == {TaskState.UNKNOWN}
    assert not TaskState.UNKNOWN.final
    assert caplog.messages == ["Unknown status word 'archiving': treated as not final."]


def test_hostile_words_fill_neither_memory_nor_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "a2e_async"):
        for number in range(500):
            assert state_of(f"{number}" * 1000) is TaskState.UNKNOWN

    assert len(caplog.messages) == 100
    assert max(map(len, caplog.messages)) < 200


def test_a_result_without_a_word_is_done() -> None:
    assert Task(id="a", result_url="https://x/y").state is TaskState.DONE
    assert Task(id="a", result_url="https://x/y", status="processing").state is TaskState.RUNNING
    assert Task(id="a", result_url="").state is TaskState.UNKNOWN


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ('"failed_message": "no face"', "no face"),
        ('"faild_message": "no face"', "no face"),
        ('"faild_message": "b", "failed_message": "a"', "a"),
        ('"faild_message": null', ""),
        ('"status": 5', ""),
    ],
)
def test_both_spellings_of_the_reason_are_read(fields: str, error: str) -> None:
    assert Decoder(Task).decode(f'{{"_id": "a", {fields}}}').error == error


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ('"failed_code": 1003', 1003),
        ('"failed_code": "1003"', 1003),
        ('"error_code": "1001"', 1001),
        ('"failed_code": "", "error_code": "7"', 7),
        ('"error_code": "0"', 0),
        ('"error_code": ""', 0),
        ('"error_code": null', 0),
        ('"error_code": "E12"', 0),
        ('"error_code": "²"', 0),
        ('"failed_code": "--5"', 0),
    ],
)
def test_the_code_is_read_as_number_or_text(fields: str, code: int) -> None:
    assert Decoder(Task, strict=False).decode(f'{{"_id": "a", {fields}}}').code == code


def test_a_task_tells_its_kind() -> None:
    assert kind_of(Swap(id="a")) is FACE_SWAP
    assert kind_of(SwapPreview(id="a")) is FACE_SWAP_PREVIEW
    for stranger in (Task(id="a"), Face(id="a"), "a"):
        with pytest.raises(TypeError, match="is no task of a known kind"):
            kind_of(stranger)  # type: ignore[arg-type]


def test_kinds_are_listed_by_name() -> None:
    assert KINDS["face_swap"] is FACE_SWAP
    assert all(kind.name == name for name, kind in KINDS.items())
    assert repr(FACE_SWAP) == "<TaskKind face_swap>"


def test_a_kind_knows_how_its_tasks_are_read() -> None:
    assert FACE_SWAP.start is FaceSwapTasks.add
    assert FACE_SWAP.start.paid
    assert isinstance(FACE_SWAP.records, Listing)
    assert FACE_SWAP.patience > 7200, "the service itself gives up after two hours"
    assert (FACE_SWAP_PREVIEW.details, FACE_SWAP_PREVIEW.running, FACE_SWAP_PREVIEW.records) == (
        None,
        None,
        None,
    )
    for kind in KINDS.values():
        reads = kind.detail or kind.records
        assert reads is not None
        assert reads.answer.record is kind.start.answer.record


@pytest.mark.parametrize(
    ("task_id", "second"),
    [
        ("65a0b1c2d3e4f5a6b7c8d9e0", 0x65A0B1C2), ("FFFFFFFF" + "0" * 16, 0xFFFFFFFF), ("", 0), ("65a0b1c2", 0),
        ("-1234567" + "a" * 16, 0), (" +123456" + "a" * 16, 0), ("1234_567" + "a" * 16, 0),
        ("zzzzzzzz" + "a" * 16, 0),
    ],
)  # fmt: skip
def test_an_id_tells_when_its_record_was_made(task_id: str, second: int) -> None:
    assert made_at(task_id) == second
