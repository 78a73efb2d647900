"""What `import a2e_async` offers, and what it costs."""

import ast
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import a2e_async
from a2e_async import errors

ROOT = Path(a2e_async.__file__).parent
HEAVY = {"aiohttp", "msgspec", "asyncio", "anyio", "backoff", "rich", "av", "PIL", "ssl", "email"}
EXTRAS = ("django", "fastapi", "litestar", "starlette")


def typed() -> dict[str, str]:
    """Return the names that type checkers see, with the modules they come from."""
    tree = ast.parse((ROOT / "__init__.py").read_text(encoding="utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
    imports = [node for node in block.body if isinstance(node, ast.ImportFrom)]
    assert len(imports) == len(block.body)
    return {alias.name: str(node.module) for node in imports for alias in node.names}


def loaded_by(code: str) -> set[str]:
    """Return the modules that a fresh interpreter loads to run the code."""
    script = f"import sys\nbefore = set(sys.modules)\n{code}\nprint(*(set(sys.modules) - before), sep='\\n')"
    env = {**os.environ, "PYTHONPATH": str(ROOT.parent), "A2E_API_KEY": "sk_test"}
    run = subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, text=True, check=True)
    return set(run.stdout.split())


def test_all_is_sorted_and_is_what_type_checkers_see() -> None:
    names = a2e_async.__all__

    assert sorted(set(names)) == names
    assert {*typed(), "__version__"} == set(names)


@pytest.mark.parametrize(("name", "module"), typed().items())
def test_each_name_loads_and_is_the_one_type_checkers_see(name: str, module: str) -> None:
    assert getattr(a2e_async, name) is getattr(import_module(module), name)


def test_every_error_is_offered() -> None:
    made = {
        name for name, item in vars(errors).items() if isinstance(item, type) and issubclass(item, Exception | Warning)
    }

    assert made <= set(a2e_async.__all__)


def test_dir_shows_every_name_before_any_is_loaded() -> None:
    shown = loaded_by("import a2e_async\nprint(*dir(a2e_async), sep='\\n')")

    assert set(a2e_async.__all__) <= shown


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'a2e_async' has no attribute 'A2eSession'"):
        _ = a2e_async.A2eSession


def test_importing_the_package_loads_next_to_nothing() -> None:
    loaded = loaded_by("import a2e_async")

    assert loaded & HEAVY == set()
    assert {name for name in loaded if name.startswith("a2e_async")} == {"a2e_async", "a2e_async._version"}
    assert len(loaded) <= 40  # nearly all of it is what `typing` pulls in


@pytest.mark.parametrize(
    ("code", "absent"),
    [
        ("from a2e_async import A2EError, ModerationError", HEAVY),
        ("from a2e_async import SessionConfig, RetryPolicy", {"aiohttp", "asyncio", "anyio", "backoff"}),
        ("from a2e_async import FACE_SWAP, TaskState", {"aiohttp", "anyio", "backoff"}),
        ("from a2e_async import A2ESession", {"aiohttp", "sqlite3", "csv", "rich", "av", "PIL"}),
        ("from a2e_async import A2ESession\nA2ESession()", {"aiohttp", "sqlite3", "csv", "rich", "av", "PIL"}),
    ],
)
def test_a_name_loads_no_more_than_it_needs(code: str, absent: set[str]) -> None:
    loaded = loaded_by(code)

    assert loaded & absent == set()
    assert "a2e_async.sandbox" not in loaded
    assert "a2e_async.cli" not in loaded
    assert "a2e_async.integrations" not in loaded


@pytest.mark.parametrize("extra", EXTRAS)
def test_without_its_extra_an_integration_names_it(extra: str) -> None:
    code = f"sys.modules[{extra!r}] = None\ntry: import a2e_async.integrations.{extra}\n"
    code += "except ImportError as error: print(str(error).replace(' ', '_'))"

    assert f"pip_install_'a2e-async[{extra}]'" in str(loaded_by(code))


@pytest.mark.parametrize(
    ("module", "library"),
    [
        ("postgres", "psycopg"),
        ("postgres_limits", "psycopg_pool"),
        ("postgres_watch", "psycopg"),
        ("procrastinate", "procrastinate"),
    ],
)
def test_without_the_extra_of_several_machines_they_name_it(module: str, library: str) -> None:
    code = f"sys.modules[{library!r}] = None\ntry: import a2e_async.integrations.{module}\n"
    code += "except ImportError as error: print(str(error).replace(' ', '_'))"

    assert "pip_install_'a2e-async[postgres]'" in str(loaded_by(code))


def test_a_journal_in_postgresql_names_its_extra() -> None:
    code = """
import asyncio
from a2e_async import FACE_SWAP, A2ESession, ConfigError
sys.modules["psycopg"] = None
async def main():
    batch = A2ESession().batch(FACE_SWAP, journal="postgresql://a2e:well-kept@127.0.0.1:1/a2e")
    try: await batch.__aenter__()
    except ConfigError as error: print(str(error).replace(' ', '_'))
asyncio.run(main())"""
    said = str(loaded_by(code))

    assert "pip_install_'a2e-async[postgres]'" in said
    assert "well-kept" not in said


def test_a_journal_in_a_file_loads_nothing_of_an_extra() -> None:
    loaded = loaded_by("import a2e_async.batch, a2e_async._ledger, a2e_async.cli._parser")

    assert loaded & {"psycopg", "psycopg_pool", "procrastinate"} == set()


def test_the_pytest_plugin_which_every_run_loads_brings_nothing_with_it() -> None:
    loaded = loaded_by("import pytest\nbefore = set(sys.modules)\nimport a2e_async.pytest_plugin")

    foreign = {name for name in loaded if name.partition(".")[0] not in sys.stdlib_module_names}
    assert foreign == {"a2e_async", "a2e_async._version", "a2e_async.pytest_plugin"}


def test_a_session_loads_a_bounded_number_of_modules() -> None:
    loaded = loaded_by("from a2e_async import A2ESession\nA2ESession()")

    assert len([name for name in loaded if name.startswith("a2e_async")]) <= 45
    assert len(loaded) <= 240


def test_the_newer_families_are_loaded_when_one_is_asked_for() -> None:
    session = "from a2e_async import A2ESession\na2e = A2ESession()\n"
    families = {"a2e_async.groups.images", "a2e_async.groups.videos"}
    assert not families & loaded_by(session)
    assert families & loaded_by(f"{session}a2e.images") == {"a2e_async.groups.images"}
    # What another process wrote down is of a kind that this one has not heard of yet.
    handle = '{"a2e":1,"kind":"kling_omni","id":"x"}'
    assert families <= loaded_by(f"{session}assert a2e.take_up({handle!r}).task_id == 'x'")


def test_the_version_is_one_of_a_release() -> None:
    assert all(part.isdecimal() for part in a2e_async.__version__.split(".")[:2])
