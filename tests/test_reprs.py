"""What a notebook or a prompt shows of tasks and batches, hostile ones too."""

from html.parser import HTMLParser
from pathlib import Path

import pytest

from a2e_async import BatchStatus, Outcome, Task, TaskFailedError, TaskState
from a2e_async.groups.face_swap import Swap

SCRIPT = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>\u202e\x1b[2J"
ID = "65f0c0ffee0000000000000a"


class Read(HTMLParser):
    """Elements with their attributes, and the text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


def swap(**fields: object) -> Swap:
    return Swap(**{"id": ID, "status": "completed", "coins": 20.0} | fields)


@pytest.mark.parametrize(
    ("path", "tag"),
    [
        ("a.mp4", "video"),
        ("a.WEBM", "video"),
        ("a.jpg", "img"),
        ("a.png", "img"),
        ("a.mp3", "audio"),
        ("a.wav", "audio"),
    ],
)
def test_a_finished_task_shows_its_result(path, tag):
    url = f"https://cdn.example/{path}?sign=a&b=c"
    read = Read(swap(result_url=url, face_url="https://cdn.example/face.jpg", name="clip")._repr_html_())

    assert [element["src"] for element in read.all(tag)] == [url]
    assert [link["href"] for link in read.all("a")] == [url, "https://cdn.example/face.jpg"]
    assert all(link["rel"] == "noopener noreferrer" for link in read.all("a"))
    assert "done Swap" in read.text
    assert f"{ID} 20 coins" in read.text


@pytest.mark.parametrize("path", ["result", "a.exe", "a.html", "a.svg.zip", ""])
def test_what_is_no_medium_by_its_name_is_a_link_alone(path):
    read = Read(swap(result_url=f"https://cdn.example/{path}")._repr_html_())

    assert len(read.all("a")) == 1
    assert not read.all("video") + read.all("img") + read.all("audio")


@pytest.mark.parametrize("status", ["initialized", "processing", "archiving", "failed"])
def test_a_task_without_an_end_shows_no_player(status):
    read = Read(swap(status=status, result_url="https://cdn.example/a.mp4")._repr_html_())

    assert not read.all("video")
    assert status[:4] in read.text or TaskState(read.text.split()[0])


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)//a.mp4",
        " javascript:alert(1)//a.mp4",
        "data:text/html,<script>alert(1)</script>",
        "file:///etc/passwd.mp4",
        "//cdn.example/a.mp4",
        "https://cdn.example/a b.mp4",
        "https://[.mp4",
    ],
)
def test_other_schemes_become_neither_links_nor_players(url):
    read = Read(swap(result_url=url, face_url=url)._repr_html_())

    assert {tag for tag, _ in read.elements} <= {"div", "span", "b", "code"}


def test_hostile_texts_stay_texts():
    url = f"https://cdn.example/{SCRIPT}.mp4".replace(" ", "%20")
    failed = swap(id=SCRIPT, status="failed", failed_message=SCRIPT, face_url=url)
    html = failed._repr_html_() + swap(status=SCRIPT, result_url=url)._repr_html_()
    html += Outcome(key=SCRIPT, state=TaskState.DONE, path=Path(SCRIPT), error=ValueError(SCRIPT))._repr_html_()
    read = Read(html)

    assert {tag for tag, _ in read.elements} <= {"div", "span", "b", "code", "a", "video"}
    assert not [name for _, attributes in read.elements for name in attributes if name.startswith("on")]
    assert read.text.count("<script>alert(1)</script>") == 6
    assert not {"\u202e", "\x1b"} & set(read.text + repr(failed))


def test_an_outcome_shows_its_task_and_what_went_wrong():
    error = TaskFailedError("no face was found", task_id=ID)
    task = swap(status="failed", failed_message="no face")
    read = Read(Outcome(key="k1", state=TaskState.FAILED, task=task, error=error)._repr_html_())

    assert read.text.startswith("failed k1")
    assert read.text.count("no face") == 1
    late = Outcome(key="k1", state=TaskState.RUNNING, task=swap(status="process"), error=error)
    assert "TaskFailedError: no face was found" in Read(late._repr_html_()).text
    saved = Outcome(key="k2", state=TaskState.DONE, task=swap(), path=Path("out") / "k2.mp4")
    assert f"saved as {Path('out') / 'k2.mp4'}" in Read(saved._repr_html_()).text


def test_a_batchs_status_shows_what_there_is():
    status = BatchStatus(done=3, coins=40.0)

    assert repr(status) == "BatchStatus(done=3, coins=40.0)"
    assert [name for name, _ in Read(status._repr_html_()).elements].count("tr") == 2


def test_a_prompt_shows_a_task_in_short():
    url = "https://cdn.example/a.mp4?signature=secret"
    assert repr(swap(result_url=url)) == f"<Swap {ID} done, 20 coins>"
    assert repr(Task(id=ID, status="failed", failed_message="no\nface")) == f"<Task {ID} failed: no face>"
    assert repr(Task(id=ID, status="pending")) == f"<Task {ID} queued>"
