"""The documentation: every example in it runs, and nothing public is left out."""

import logging
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from a2e_async._answer import nothing
from a2e_async._endpoint import get
from a2e_async._wire import Nothing
from a2e_async.groups import GROUPS, endpoints
from a2e_async.groups.account import Account
from a2e_async.sandbox import Sandbox
from docs import reference
from docs.calls import all_examples, key_of
from docs.describe import MissingError
from tests.snippets import ROOT, blocks, run, settle

EXAMPLES = all_examples()
PAGES = ROOT / "docs" / "pages"
SERVED = {"web-apps.md"}
"""Pages whose blocks are whole apps: tests/integrations serves them."""
WRITTEN = [
    (page.name, number)
    for page in sorted(PAGES.glob("*.md"))
    if page.name not in SERVED
    for number in range(len(blocks(page)))
]


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

    called = [entry for entry in sandbox_in_thread.account("sk_known-token").requests if entry.status == 200]
    paths = {re.sub(r"\{\w+\}", r"[^/]+", e.path) for e in endpoints() if key_of(e) == name}
    assert all(any(re.fullmatch(path, entry.path) for entry in called) for path in paths)


@pytest.mark.parametrize(("page", "number"), WRITTEN)
def test_block(
    page: str, number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sandbox_in_thread: Sandbox
) -> None:
    settle(tmp_path, monkeypatch, sandbox_in_thread)
    code = blocks(PAGES / page)[number]
    for library in ("opentelemetry.sdk", "prometheus_client"):
        if f"from {library}" in code:
            pytest.importorskip(library, reason="needs the dependency group `observability`")

    run(code, page)


def test_every_endpoint_is_on_the_page_of_its_group_with_its_example(pages: dict[str, str]) -> None:
    for group in GROUPS:
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
