"""Who may know whom, and how large anything may grow: read off the source, lazy and typing imports too."""

import ast
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from graphlib import TopologicalSorter
from itertools import zip_longest
from pathlib import Path
from statistics import median

import pytest

import a2e_async
from a2e_async import _sic
from a2e_async.groups import endpoints
from a2e_async.groups._family import Family

ROOT = Path(a2e_async.__file__).parent
LONGEST, USUAL = 350, 120

ALLOWED = {
    "_version": "",
    "_sic": "",
    "_limits": "config errors",
    "_sniff": "",
    "_surely": "",
    "errors": "",
    "_secret": "",
    "config": "_secret errors",
    "_wire": "_secret errors",
    "_answer": "_wire errors",
    "_endpoint": "_answer _wire errors",
    "_fields": "_wire errors",
    "jobs": "_fields _endpoint _wire errors",
    "_events": "",
    "tasks": "_html _endpoint _answer _wire _sic errors",
    "groups": "_endpoint groups.* tasks",
    "groups.avatar_videos": "_endpoint _answer _wire tasks groups.voices",
    "groups.avatars": "_endpoint _answer _wire tasks _sic groups.avatar_videos",
    "groups.images": "_endpoint groups.images.*",
    "groups.videos": "_endpoint groups.videos.*",
    "groups.*": "_surely _endpoint _answer _wire tasks _sic groups._family groups._terms",
    "observer": "tasks",
    "_telling": "observer tasks _endpoint errors",
    "_retry": "config errors",
    "_arriving": "_events errors",
    "_courier": "config errors",
    "_pool": "_courier _limits _secret _surely _version config",
    "_transport": "_telling _surely _arriving _deadline _events _retry _pool _endpoint _wire _secret config errors "
    "_version",
    "_durations": "tasks _endpoint",
    "_schedule": "_durations tasks config",
    "_reader": "tasks _endpoint _answer _wire errors",
    "poller": "_retry _reader _schedule _durations tasks _endpoint config errors",
    "_bounds": "tasks config errors",
    "watcher": "_telling _bounds poller _schedule tasks _endpoint _answer config errors",
    "webhooks": "poller _endpoint _secret errors",
    "_download": "_secret _answer _courier _surely _pool _transport _retry errors",
    "files": "_secret _answer _courier _download _surely _sniff _pool _transport _retry _endpoint _wire tasks "
    "groups.account errors",
    "_deadline": "_endpoint _limits errors",
    "_parting": "tasks _endpoint _wire errors",
    "job": "_surely _deadline _parting _download files watcher tasks _endpoint _wire config errors",
    "outcomes": "tasks _html",
    "_html": "_wire errors",
    "_saying": "errors",
    "_progress": "_notebook _bars _saying",
    "_bars": "_saying",
    "_notebook": "_saying",
    "_following": "_progress _saying _telling observer tasks",
    "running": "session",
    "_frozen": "_fields _wire tasks errors",
    "_rows": "errors",
    "_writer": "_rows _surely errors",
    "_lock": "",
    "journal": "_lock _rows _writer errors",
    "_ledger": "_rows _secret journal integrations.postgres config errors",
    "_budget": "errors",
    "_reconcile": "_retry _rows tasks _endpoint config errors",
    "_submit": "_deadline _budget _reconcile _frozen _rows tasks groups.account _limits _endpoint _wire errors",
    "_course": "_deadline _submit _budget _frozen _rows jobs outcomes watcher files tasks _endpoint "
    "_wire config errors",
    "batch": "_surely _parting _course _durations _submit _budget _reconcile _frozen _ledger _rows jobs outcomes "
    "files tasks _endpoint config errors",
    "session": "_* batch config errors files groups.* job observer poller tasks watcher",
    "": "_version errors config observer running tasks groups.* outcomes watcher job webhooks batch session",
    "integrations": "",
    "integrations._problems": "errors",
    "integrations._events": "integrations._problems _surely _wire tasks watcher errors",
    "integrations._receiver": "_secret session webhooks",
    "integrations.fastapi": "integrations.starlette session",
    "integrations.opentelemetry": "_version observer tasks",
    "integrations._database": "_retry _secret _surely config errors",
    "integrations._operations": "integrations._database _rows",
    "integrations.postgres": "_budget _rows integrations._database errors",
    "integrations._desk": "_budget _course _deadline _frozen _reconcile _retry _rows _submit errors "
    "integrations.postgres session",
    "integrations._queue": "_course _submit _wire errors integrations._database jobs tasks",
    "integrations._dead": "_frozen _rows errors integrations._database integrations._queue tasks watcher",
    "integrations.procrastinate": "_ledger _reconcile _retry _rows _surely errors integrations._database "
    "integrations._dead integrations._desk integrations._queue integrations.postgres integrations.postgres_limits "
    "integrations.postgres_watch jobs session tasks",
    "integrations.prometheus": "_secret integrations._operations observer tasks errors",
    "integrations.postgres_limits": "integrations._database _ledger _surely _telling observer session errors",
    "integrations.postgres_watch": "integrations._database integrations.postgres integrations.postgres_limits "
    "_deadline _endpoint _frozen _ledger _rows _submit _surely errors session tasks watcher",
    "integrations.*": "integrations._* session watcher webhooks errors",
    "_control": "",
    "_kit": "_control _secret groups sandbox sandbox.objects",
    "pytest_plugin": "_control _kit session sandbox",
    "sandbox": "sandbox.*",
    "sandbox.openapi": "_version sandbox.*",
    "sandbox.*": "sandbox sandbox.*",
    "cli": "*",
    "cli.*": "*",
    "__main__": "cli",
}
"""Module -> what it may import of this package; the package itself is ''."""

SOURCES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix("__init__").rstrip("."): path
    for path in ROOT.rglob("*.py")
}
TREES = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in SOURCES.items()}
CORE = {name: tree for name, tree in TREES.items() if not name.startswith(("sandbox", "cli"))}


def imported(tree: ast.AST) -> Iterator[str]:
    """Yield every module imported anywhere, with the names taken from it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def own(tree: ast.AST) -> set[str]:
    """Return the modules of this package that a module imports."""
    names = {name.removeprefix("a2e_async").lstrip(".") for name in imported(tree) if name.startswith("a2e_async")}
    return {name if name in SOURCES else name.rpartition(".")[0] for name in names}


def without_typing(tree: ast.Module) -> ast.Module:
    """Return the module less its blocks for type checkers."""

    class Drop(ast.NodeTransformer):
        def visit_If(self, node: ast.If) -> ast.AST | None:
            typing = isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
            return None if typing else self.generic_visit(node)

    return Drop().visit(ast.parse(ast.unparse(tree)))


@pytest.mark.parametrize("name", SOURCES)
def test_each_module_imports_only_what_lies_below_it(name: str) -> None:
    rule = name if name in ALLOWED else f"{name.partition('.')[0]}.*"

    allowed = ALLOWED[rule].split()

    odd = [other for other in own(TREES[name]) if not any(fnmatchcase(other, mask) for mask in allowed)]
    assert odd == []


def test_no_allowance_is_without_a_module() -> None:
    for rule in ALLOWED:
        assert any(fnmatchcase(name, rule) for name in SOURCES), rule


def test_no_imports_go_in_a_circle() -> None:
    graph = {name: own(tree) - {name} for name, tree in TREES.items()}

    assert len(list(TopologicalSorter(graph).static_order())) == len(SOURCES)


def test_imports_are_seen_wherever_they_stand() -> None:
    text = "if TYPE_CHECKING:\n from a2e_async import batch\ndef f():\n import a2e_async.files\n"
    text += "from a2e_async.groups.account import Account\nfrom a2e_async import A2ESession\n"
    assert own(ast.parse(text)) == {"batch", "files", "groups.account", ""}
    assert own(without_typing(ast.parse(text))) == {"files", "groups.account", ""}


@pytest.mark.parametrize(
    ("library", "users"),
    [
        ("aiohttp", {"_pool", "_transport", "webhooks", "integrations.aiohttp"}),
        ("starlette", {"integrations.starlette"}),
        ("fastapi", {"integrations.fastapi"}),
        ("litestar", {"integrations.litestar"}),
        ("django", {"integrations.django"}),
        ("opentelemetry", {"integrations.opentelemetry"}),
        ("prometheus_client", {"integrations.prometheus"}),
        ("procrastinate", {"integrations._database", "integrations._queue", "integrations.procrastinate"}),
        ("psycopg", {"integrations._database"}),
        ("psycopg_pool", {"integrations._database"}),
        ("backoff", {"_retry"}),
        ("sqlite3", {"_lock", "_writer", "journal"}),
        ("requests", set()),
    ],
)
def test_a_library_has_one_home(library: str, users: set[str]) -> None:
    found = {
        name
        for name, tree in CORE.items()
        if any(path.partition(".")[0] == library for path in imported(without_typing(tree)))
    }
    assert found == users


def test_only_configuration_reads_the_environment() -> None:
    words = {"environ", "getenv", "environb"}
    found = {
        name
        for name, tree in CORE.items()
        for node in ast.walk(tree)
        if (isinstance(node, ast.Attribute) and node.attr in words)
        or (isinstance(node, ast.ImportFrom) and node.module == "os" and {a.name for a in node.names} & words)
    }
    assert found == {"config", "pytest_plugin"}


def test_misspelt_wire_words_stand_in_one_place() -> None:
    words = {value for name, value in vars(_sic).items() if name.isupper()}
    assert words
    found = {
        name
        for name, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and node.value in words and not name.startswith("sandbox")
    }
    assert found == {"_sic"}


def test_no_module_is_long(record_property: Callable[[str, object], None]) -> None:
    lengths = {name: len(path.read_text(encoding="utf-8").splitlines()) for name, path in SOURCES.items()}
    record_property(f"median length of a module (aim: {USUAL})", median(lengths.values()))

    assert {name: length for name, length in lengths.items() if length > LONGEST} == {}


def test_what_ties_it_to_an_engine_stays_thin() -> None:
    parts = [SOURCES[f"integrations.{name}"] for name in ("procrastinate", "_queue")]

    assert sum(len(part.read_text(encoding="utf-8").splitlines()) for part in parts) < 400


def undescribed(tree: ast.AST, made: set[str]) -> Iterator[str]:
    """Yield the names of class attributes made by these calls that no docstring follows."""
    for owner in ast.walk(tree):
        if isinstance(owner, ast.ClassDef):
            for node, after in zip(owner.body, [*owner.body[1:], None], strict=True):
                call = node.value if isinstance(node, ast.Assign) else None
                if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name) or call.func.id not in made:
                    continue
                constant = after.value if isinstance(after, ast.Expr) else None
                if not isinstance(constant, ast.Constant) or not isinstance(constant.value, str):
                    yield (f"{owner.name}.{ast.unparse(node.targets[0])}" if isinstance(node, ast.Assign) else "")


def test_each_endpoint_is_described_where_it_is_declared() -> None:
    made = {"get", "post", "put", "delete", "listing", "subgroup"}
    groups = [tree for name, tree in TREES.items() if name.startswith("groups.")]

    assert [name for tree in groups for name in undescribed(tree, made)] == []

    calls = [node.func for tree in groups for node in ast.walk(tree) if isinstance(node, ast.Call)]
    makers = [func.id for func in calls if isinstance(func, ast.Name) and func.id in made - {"subgroup"}]
    families = [func for func in calls if isinstance(func, ast.Name) and func.id == "family"]
    # The shape that families share is made in one place, and counts for each of them.
    found = len(makers) + (len(families) - 1) * len(Family._fields)
    assert found == len(list(endpoints())), "each group is in all_groups()"
    bare = ast.parse("class A:\n one = get()\n two = post()\n '''Described.'''\n three = get()\n")
    assert list(undescribed(bare, made)) == ["A.one", "A.three"]


def test_each_field_says_what_it_is() -> None:
    bare = [
        f"{name}: {node.name}.{ast.unparse(item.target)}"
        for name, tree in TREES.items()
        if name.startswith("groups.")
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        for item, after in zip_longest(node.body, node.body[1:])
        if isinstance(item, ast.AnnAssign)
        and not (isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant))
    ]
    assert bare == []


def test_no_public_function_takes_just_anything() -> None:
    found: list[str] = []
    for name, tree in CORE.items():
        if name.rpartition(".")[2].startswith("_"):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_"):
                every = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
                found += [
                    f"{name}.{node.name}: {a.arg}" for a in every if a.annotation and ast.unparse(a.annotation) == "Any"
                ]
    assert found == []
