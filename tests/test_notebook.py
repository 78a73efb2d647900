"""A real notebook: one kernel, one session over several cells, with await at the top level."""

from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("nbclient", reason="needs the dependency group `notebook`")
pytest.importorskip("ipykernel", reason="needs the dependency group `notebook`")

import nbclient
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook

from a2e_async.sandbox import Sandbox
from tests.service import KEY
from tests.snippets import ROOT, SAMPLES, blocks

# What the kernel's own libraries complain about is no matter of ours.
pytestmark = pytest.mark.filterwarnings("default")

Run = Callable[..., list[NotebookNode]]
PAGE = ROOT / "docs" / "pages" / "notebooks.md"


def told(cell: NotebookNode) -> str:
    """Return what a cell has written to stderr and stdout."""
    return "".join(output["text"] for output in cell.outputs if output.output_type == "stream")


def html(cell: NotebookNode) -> str:
    """Return the HTML that is left below a cell."""
    shown = [output["data"] for output in cell.outputs if "data" in output]
    return "".join(data.get("text/html", "") for data in shown)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sandbox_in_thread: Sandbox) -> Run:
    monkeypatch.setenv("A2E_API_KEY", KEY)
    monkeypatch.setenv("A2E_BASE_URL", sandbox_in_thread.url)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    for name in ("face.jpg", "clip.mp4"):
        (tmp_path / name).write_bytes((SAMPLES / name).read_bytes())

    def run_cells(*cells: str) -> list[NotebookNode]:
        notebook = new_notebook(cells=[new_code_cell(cell) for cell in cells])
        client = nbclient.NotebookClient(notebook, timeout=60, resources={"metadata": {"path": str(tmp_path)}})
        client.execute()
        return notebook.cells

    return run_cells


def test_one_session_serves_several_cells_and_tasks_show_their_player(run) -> None:
    *_, started, done, progressed, batch, left, refused = run(
        "from pathlib import Path\nfrom a2e_async import A2ESession, FACE_SWAP, run\na2e = A2ESession()",
        'job = dict(name="n", face_url=Path("face.jpg"), video_url=Path("clip.mp4"))',
        "task = await a2e.face_swap.tasks.add(**job)\ntask",
        "await a2e.watch(task)",
        "async with a2e.progress():\n    await a2e.files.save(await a2e.run(FACE_SWAP, **job), 'out.mp4')",
        "async with a2e.batch(FACE_SWAP) as batch:\n    [o async for o in batch.run([job, job])]\nbatch.status()",
        "import asyncio\nawait a2e.aclose()\n"
        "print([t.get_name() for t in asyncio.all_tasks() if 'a2e' in t.get_name()])",
        "try:\n    run(lambda a2e: a2e.account.coins())\nexcept RuntimeError as error:\n    print(error)",
    )
    assert "queued" in html(started)
    assert "<video" in html(done)
    assert "running" not in html(progressed)
    assert "face_swap" in html(progressed)
    assert "<progress" in html(progressed)
    assert "download" in html(progressed)
    assert "<th>done</th><td>2</td>" in html(batch)
    assert told(left) == "[]\n"
    assert "await" in told(refused)
    assert not [told(cell) for cell in (started, done, progressed, batch) if told(cell)]


def test_the_cells_of_the_page_run_one_after_the_other(run) -> None:
    started, watched, progressed, batch = run(*(block for block in blocks(PAGE) if "a2e_async.run" not in block))

    assert "queued" in html(started)
    assert " done, " in told(watched)
    assert "download" in html(progressed)
    assert told(batch).count("done") == 20
