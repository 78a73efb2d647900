"""The documentation: every example in it runs, and nothing public is left out."""

import ast
import logging
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import a2e_async
from a2e_async import sandbox
from a2e_async._answer import nothing
from a2e_async._endpoint import get
from a2e_async._wire import Nothing, blueprint
from a2e_async.groups import all_groups, endpoints
from a2e_async.groups.account import Account
from a2e_async.sandbox import Sandbox
from a2e_async.tasks import TaskKind
from docs import families, reference
from docs.calls import all_examples, key_of
from docs.describe import MissingError, class_node, described
from tests.snippets import ROOT, blocks_of, run, settle
from tests.story import Story

EXAMPLES = all_examples()
PAGES = ROOT / "docs" / "pages"
PACKAGE = Path(a2e_async.__path__[0])
SERVED = {
    "engines.md": "integrations/test_engines.py",
    "machines.md": "integrations/test_machines_pages.py",
    "runbook.md": "integrations/test_machines_pages.py",
    "shared-account.md": "integrations/test_shared_page.py",
    "taskiq.md": "integrations/test_engines.py",
    "testing.md": "plugin/test_page.py",
    "web-apps.md": "integrations/test_page.py",
}
"""Pages whose blocks are whole apps or test modules, with the tests that run them."""
WRITTEN = [ROOT / "README.md", *(page for page in sorted(PAGES.glob("*.md")) if page.name not in SERVED)]


@pytest.fixture(autouse=True)
def log_as_before() -> Iterator[None]:
    """What a block does to the log ends with it."""
    log = logging.getLogger("a2e_async")
    level, handlers = log.level, list(log.handlers)
    yield
    log.setLevel(level)
    log.handlers[:] = handlers


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The generated pages by their names."""
    found = reference.write(tmp_path_factory.mktemp("reference"))
    return {page.name: page.read_text(encoding="utf-8") for page in found}


@pytest.mark.filterwarnings("ignore::a2e_async.ProvisionalEndpointWarning")
@pytest.mark.parametrize("name", EXAMPLES)
def test_example(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sandbox_in_thread: Sandbox) -> None:
    settle(tmp_path, monkeypatch, sandbox_in_thread)

    run(EXAMPLES[name], name)

    # A rendition that is not ready yet is answered by 202, and whether it is ready depends on when the wait looked.
    called = [entry for entry in sandbox_in_thread.account("sk_known-token").requests if entry.status in {200, 202}]
    paths = {re.sub(r"\{\w+\}", r"[^/]+", e.path) for e in endpoints() if key_of(e) == name}
    assert all(any(re.fullmatch(path, entry.path) for entry in called) for path in paths)


@pytest.mark.filterwarnings("ignore::a2e_async.ProvisionalEndpointWarning")
@pytest.mark.timeout(300)
@pytest.mark.parametrize("page", WRITTEN, ids=lambda page: page.name)
def test_page_does_what_it_says(
    page: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    sandbox_in_thread: Sandbox,
) -> None:
    if os.name == "nt" and any(block.language == "sh" and block.runs for block in blocks_of(page)):
        pytest.skip("its commands are those of a POSIX shell")
    settle(tmp_path, monkeypatch, sandbox_in_thread)
    if page.name == "tutorial.md":  # whose reader stands in a checkout
        (tmp_path / "a2e_async").symlink_to(PACKAGE)

    Story(page, tmp_path, monkeypatch).tell(capsys)


@pytest.mark.parametrize(
    "page", [page for page in PAGES.glob("*.md") if page.name in SERVED], ids=lambda page: page.name
)
def test_page_that_is_not_run_here_is_run_elsewhere(page: Path) -> None:
    assert page.name in (ROOT / "tests" / SERVED[page.name]).read_text(encoding="utf-8")


def test_few_blocks_are_not_run_and_each_says_why() -> None:
    found = [block for page in WRITTEN for block in blocks_of(page) if block.runs]
    marked = [block.mark for block in found if block.mark.startswith(("not run", "run by .ci/run"))]

    assert len(marked) <= len(found) / 8
    assert all(re.fullmatch(r"(not run|run by \.ci/run): \w.{15,}", mark) for mark in marked)


def test_the_first_script_is_short() -> None:
    script = next(block.text for block in blocks_of(ROOT / "README.md") if "asyncio.run(" in block.text)

    assert len([line for line in script.splitlines() if line.strip()]) <= 10


def test_no_code_hides_from_being_run() -> None:
    pages = {page: blocks_of(page) for page in WRITTEN}
    files = [(page, block.title) for page, found in pages.items() for block in found if block.language == "python"]

    assert not {block.language for found in pages.values() for block in found} & {"", "bash", "console", "shell", "py"}
    for page, name in files:
        assert not name or any(f"python {name}" in block.text for block in pages[page] if block.runs)


@pytest.mark.skipif("A2E_TEST_INSTALL" not in os.environ, reason="it installs from the package index: .ci/run does")
@pytest.mark.timeout(600)
def test_tutorial_from_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    for name in ("A2E_API_KEY", "A2E_BASE_URL"):
        monkeypatch.delenv(name, raising=False)

    Story(PAGES / "tutorial.md", tmp_path, monkeypatch, installing=True).tell(capsys)


def test_the_tutorial_reaches_a_resumable_batch_in_under_ten_commands() -> None:
    commands = [block.text for block in blocks_of(PAGES / "tutorial.md") if block.language == "sh"]
    lines = "".join(commands).splitlines()

    batches = [number for number, line in enumerate(lines, 1) if "--journal" in line]
    assert len(batches) == 2
    assert batches[-1] < 10


def test_every_endpoint_is_on_the_page_of_its_group_with_its_example(pages: dict[str, str]) -> None:
    for group in all_groups():
        for endpoint in endpoints(group):
            page = pages[f"{group.noun}.md"]
            assert f"### {key_of(endpoint)} {{" in page
            assert f"`{endpoint.label}`" in page
            assert EXAMPLES[key_of(endpoint)] in page


def test_no_example_outlives_its_endpoint() -> None:
    assert reference.EXAMPLES.keys() == {key_of(endpoint) for endpoint in endpoints()}


def test_every_page_is_in_the_navigation(pages: dict[str, str]) -> None:
    navigation = (ROOT / "docs" / "mkdocs.yml").read_text(encoding="utf-8")

    for page in [*(f"reference/{name}" for name in pages), *(page.name for page in PAGES.glob("*.md"))]:
        assert f": {page}\n" in navigation


def test_every_method_that_joins_endpoints_is_shown(pages: dict[str, str]) -> None:
    joined = EXAMPLES.keys() - {key_of(endpoint) for endpoint in endpoints()}

    assert len(joined) >= 6
    assert all(f"### {name} {{" in pages[f"{name.partition('.')[0]}.md"] for name in joined)


def test_every_public_name_is_documented(pages: dict[str, str]) -> None:
    text = "\n".join(pages.values())
    kinds = {name for name in a2e_async.__all__ if isinstance(getattr(a2e_async, name), TaskKind)}
    classes = [*a2e_async.__all__, *sandbox.__all__]

    for name in kinds:
        assert f"**Task kind `{name}`.**" in text
    for name in {*classes} - kinds - {"__version__"}:
        assert re.search(rf"^##+ {name} {{", text, re.MULTILINE), name


def test_every_name_that_a_module_offers_is_written_about(pages: dict[str, str]) -> None:
    text = "\n".join([*pages.values(), *(page.read_text(encoding="utf-8") for page in PAGES.glob("*.md"))])
    modules = [*PACKAGE.glob("[!_]*.py"), *PACKAGE.glob("integrations/[!_]*.py")]

    code = " ".join(re.findall(r"```.*?```|`[^`\n]+`", text, re.DOTALL))
    words = {*re.findall(r"\w+", code)}
    assert {f"{module.stem}.{name}" for module in modules for name in offered(module) if name not in words} == set()


def offered(module: Path) -> list[str]:
    """Return what a module lists in `__all__`, or an integration defines, without importing what it may need."""
    body = ast.parse(module.read_text(encoding="utf-8")).body
    assigned = [node for node in body if isinstance(node, ast.Assign)]
    listed = [node.value for node in assigned if ast.unparse(node.targets[0]) == "__all__"]
    if listed or module.parent.name != "integrations":
        return [name for value in listed for name in ast.literal_eval(value)]
    kinds = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    return [node.name for node in body if isinstance(node, kinds) and not node.name.startswith("_")]


@pytest.mark.parametrize(
    ("page", "name"),
    [("session.md", name) for name in a2e_async.__all__] + [("sandbox.md", name) for name in sandbox.__all__],
)
def test_every_public_member_is_documented(page: str, name: str, pages: dict[str, str]) -> None:
    item = getattr(sandbox if page == "sandbox.md" else a2e_async, name)
    sections = dict(re.findall(r"^##+ (\w+) \{.*?$(.*?)(?=^##+ \w+ \{|\Z)", pages[page], re.MULTILINE | re.DOTALL))
    classes = [base for base in getattr(item, "__mro__", ()) if base.__module__.startswith("a2e_async")]
    told = "".join(sections.get(base.__name__, "") for base in classes)

    missing = {member for base in classes for member in public_members(base) if f"`{member}`" not in told}
    assert not {member for member in missing if not re.search(rf"^### \w+\.{member}$", told, re.MULTILINE)}


def public_members(item: type) -> set[str]:
    """Return what a class itself has for its users: methods, properties, what it keeps under a public name."""
    kept = {name for name, _ in described(node)} if (node := class_node(item)) else set()
    found = {*vars(item), *getattr(item, "__annotations__", ()), *kept}
    return {name for name in found if not name.startswith("_")}


def test_every_parameter_is_in_its_table(pages: dict[str, str]) -> None:
    for endpoint in endpoints():
        page = pages[f"{endpoint.noun.partition('.')[0]}.md"]
        section = page.partition(f"### {key_of(endpoint)} {{")[2].partition("\n### ")[0]
        for parameter in endpoint.parameters():
            assert f"| `{parameter.name}`" in section
            assert parameter.wire == parameter.name or f"on the wire `{parameter.wire}`" in section


def test_an_endpoint_without_a_docstring_stops_the_generator(monkeypatch: pytest.MonkeyPatch) -> None:
    class Silent(Account):
        silent = get("/user/remainingCoins", Nothing, nothing())

    monkeypatch.setitem(reference.EXAMPLES, "account.silent", reference.EXAMPLES["account.coins"])
    with pytest.raises(MissingError, match=r"Silent\.silent has no docstring"):
        reference.endpoint_section(Silent, Silent.silent)


def test_an_endpoint_without_an_example_stops_the_generator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(reference.EXAMPLES, "account.coins")

    with pytest.raises(MissingError, match=r"account\.coins has no example"):
        reference.group_page(Account)


def test_every_newer_family_is_in_the_table_of_models() -> None:
    table, people = families.whole().split("\n\nInputs in bold")

    for model in families.models():
        (row,) = [line for line in table.splitlines() if line.startswith(f"| [`{model.group.noun}`]")]
        assert model.family.title in row
        assert all(f"`{name}`" in row for name, kinds in blueprint(model.start.request).media.items() if kinds)
    for noun in ("images.head_swap", "videos.actor_swap", "videos.talking_photo", "videos.motion_transfer"):
        assert f"[`{noun}`]" in people


def test_the_table_of_models_has_its_place(tmp_path: Path) -> None:
    page = tmp_path / "models.md"
    page.write_text((PAGES / "models.md").read_text(encoding="utf-8"), encoding="utf-8")
    families.fill(page)
    assert families.whole() in page.read_text(encoding="utf-8")
    with pytest.raises(MissingError, match=r"models\.md has no <!--"):
        families.fill(page)
