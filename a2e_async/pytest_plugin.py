"""Fixtures for testing an app against a sandbox, under any async plugin or none; nothing heavy loads before their use.

Types for annotations: `A2ESandbox`, `A2EAccount`, `A2EClock`, `A2EFaults`, `A2ERequests`, `A2ERequest`.
"""

import os
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, suppress
from functools import partial
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

if TYPE_CHECKING:
    from a2e_async._kit import A2EAccount, A2EClock, A2EFaults, A2ERequest, A2ERequests, A2ESandbox
    from a2e_async.session import A2ESession

__all__ = ["A2EAccount", "A2EClock", "A2EFaults", "A2ERequest", "A2ERequests", "A2ESandbox"]

_CLOCK = "per-poll:5"
_MAX_PAUSE = "0.01"
_MARKER = "a2e(credits=1000, seed=0, faults=[...]): begin the test's A2E account so, and use a2e_env"
_TAKES = ("credits", "seed", "faults")
_account = pytest.StashKey["A2EAccount"]()
_running = pytest.StashKey[ExitStack]()
_kept = pytest.StashKey[str]()


def __getattr__(name: str) -> object:
    if name in __all__:
        return getattr(import_module("a2e_async._kit"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the plugin's options."""
    group = parser.getgroup("a2e", "A2E sandbox")
    group.addoption("--a2e-sandbox-url", metavar="URL", help="use the sandbox that runs there, instead of starting one")
    group.addoption(
        "--a2e-sandbox-keep", action="store_true", help="serve the sandbox after the tests until Ctrl-C, to look inside"
    )
    parser.addini("a2e_sandbox_seed", "seed of A2E accounts without one of their own (0)", default="0")


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker, and refuse settings that cannot be meant."""
    config.addinivalue_line("markers", _MARKER)
    _seed(config)
    _port(config)
    if config.getoption("--a2e-sandbox-keep"):
        if config.getoption("--a2e-sandbox-url"):
            raise pytest.UsageError("--a2e-sandbox-keep keeps what --a2e-sandbox-url does not start: leave one out")
        if _worker(config) or config.getoption("numprocesses", None):
            raise pytest.UsageError("--a2e-sandbox-keep needs all tests in one process: leave out -n")


@pytest.fixture(scope="session")
def a2e_sandbox(request: pytest.FixtureRequest) -> "Iterator[A2ESandbox]":
    """Run a sandbox in a thread of its own for all tests of this process, or use the one of --a2e-sandbox-url.

    A2E_SANDBOX_HOST, A2E_SANDBOX_PORT (plus the worker's number under xdist), A2E_SANDBOX_DB (with the worker's name in
    it) and A2E_SANDBOX_SEED say how it is started.
    """
    from a2e_async._kit import A2ESandbox  # noqa: PLC0415 - see the module's docstring

    config: pytest.Config = request.config
    with ExitStack() as stack:
        try:
            url = config.getoption("--a2e-sandbox-url") or _start(config, stack)
            sandbox = A2ESandbox(url)
            sandbox.check()
        except (OSError, ValueError) as error:
            raise pytest.fail.Exception(f"a2e_sandbox: {error}", pytrace=False) from None
        if config.getoption("--a2e-sandbox-keep"):
            config.stash[_kept], config.stash[_running] = url, stack.pop_all()
        yield sandbox


@pytest.fixture
def a2e_account(request: pytest.FixtureRequest, a2e_sandbox: "A2ESandbox") -> "A2EAccount":
    """Make an account for the test, with 1000 coins and a clock that moves on by five seconds with each reading.

    What is drawn, such as durations, follows from the test's id and the seed, so it is the same in each run.
    """
    from a2e_async._control import AccountExistsError  # noqa: PLC0415 - see the module's docstring

    node: pytest.Item = request.node
    wanted = _wanted(node)
    key = f"sk_{sha256(node.nodeid.encode()).hexdigest()[:32]}"
    coins, seed = wanted.get("credits", 1000), wanted.get("seed", _seed(request.config))
    begin = partial(a2e_sandbox.account, credits=coins, seed=seed, clock=_CLOCK)
    try:
        try:
            account = begin(key)
        except AccountExistsError:  # the test runs again, or ran against this very sandbox before
            account = begin()
        for rule in wanted.get("faults", ()):
            account.faults.add(rule)
    except (TypeError, ValueError) as error:
        raise pytest.fail.Exception(f"@pytest.mark.a2e of {node.nodeid}: {error}", pytrace=False) from None
    node.stash[_account] = account
    return account


@pytest.fixture
def a2e_env(a2e_account: "A2EAccount") -> "Iterator[A2EAccount]":
    """Set A2E_BASE_URL and A2E_API_KEY for the test, and A2E_MAX_PAUSE so that nothing waits for long."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("A2E_BASE_URL", a2e_account.url)
        patch.setenv("A2E_API_KEY", a2e_account.api_key)
        patch.setenv("A2E_MAX_PAUSE", _MAX_PAUSE)
        yield a2e_account


@pytest.fixture
def a2e_client(a2e_env: "A2EAccount") -> "Callable[[], A2ESession]":
    """Return what makes an unopened session of the test's account, so that it is opened in the test's own loop."""
    from a2e_async.session import A2ESession  # noqa: PLC0415 - see the module's docstring

    def unopened() -> A2ESession:
        return A2ESession(a2e_env.api_key, base_url=a2e_env.url)

    return unopened


@pytest.fixture
def a2e_clock(a2e_account: "A2EAccount") -> "A2EClock":
    """Return the time of the test's account."""
    return a2e_account.clock


@pytest.fixture
def a2e_faults(a2e_account: "A2EAccount") -> "A2EFaults":
    """Return what goes wrong for the test's account."""
    return a2e_account.faults


@pytest.fixture
def a2e_requests(a2e_account: "A2EAccount") -> "A2ERequests":
    """Return what reached the sandbox from the test's account."""
    return a2e_account.requests


def pytest_itemcollected(item: pytest.Item) -> None:
    """Let the marker do what it says also where the test asks for none of the fixtures."""
    names: list[str] | None = getattr(item, "fixturenames", None)
    if names is not None and "a2e_env" not in names and item.get_closest_marker("a2e"):
        names.insert(0, "a2e_env")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Attach the account's requests to a test that failed."""
    report = yield
    account = item.stash.get(_account, None)
    if account and report.failed:
        try:
            text = account.requests.report()
        except Exception as error:  # noqa: BLE001 - whatever is wrong with the log, the report is what matters
            text = f"cannot be read: {error}"
        report.sections.append(("A2E requests", text))
    return report


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> Generator[None, object, object]:
    """Serve on after all else was told, where that was asked for."""
    result = yield
    if url := session.config.stash.get(_kept, None):
        with session.config.stash[_running], suppress(KeyboardInterrupt):
            if terminal := session.config.pluginmanager.get_plugin("terminalreporter"):
                terminal.write_line(f"The sandbox is kept at {url}; its first page shows what happened. Stop: Ctrl-C")
                terminal.flush()
            while True:
                time.sleep(0.5)  # Windows tells of Ctrl-C between sleeps only
    return result


def _start(config: pytest.Config, stack: ExitStack) -> str:
    from a2e_async.sandbox import sandbox_thread  # noqa: PLC0415 - see the module's docstring

    worker = _worker(config)
    host, db = os.environ.get("A2E_SANDBOX_HOST", "127.0.0.1"), os.environ.get("A2E_SANDBOX_DB", ":memory:")
    if worker and db != ":memory:":
        db = str(Path(db).with_stem(f"{Path(db).stem}-{worker}"))
    try:
        return stack.enter_context(sandbox_thread(host, _port(config), db, clock=_CLOCK, seed=_seed(config))).url
    except Exception as error:  # noqa: BLE001 - of the system, of SQLite or of a setting: who reads it knows which
        raise ValueError(f"cannot start on {host} with {db}: {error}") from None


def _worker(config: pytest.Config) -> str:
    # Not from the environment: a run within a worker's test is no worker.
    return str(getattr(config, "workerinput", {}).get("workerid", ""))


def _port(config: pytest.Config) -> int:
    port = _whole("A2E_SANDBOX_PORT", os.environ.get("A2E_SANDBOX_PORT", "0"))
    return port and port + int(_worker(config).removeprefix("gw") or 0)


def _seed(config: pytest.Config) -> int:
    text: str | None = os.environ.get("A2E_SANDBOX_SEED")
    if text is not None:
        return _whole("A2E_SANDBOX_SEED", text)
    return _whole("a2e_sandbox_seed", str(config.getini("a2e_sandbox_seed")))


def _whole(name: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise pytest.UsageError(f"{name} must be a whole number, not {text!r}") from None


def _wanted(node: pytest.Item) -> dict[str, Any]:
    """Return what the markers say; the closest wins."""
    from a2e_async.sandbox import Rule  # noqa: PLC0415 - see the module's docstring

    wanted: dict[str, Any] = {}
    for marker in node.iter_markers("a2e"):
        odd = [*map(repr, marker.args), *(name for name in marker.kwargs if name not in _TAKES)]
        if odd:
            pytest.fail(f"@pytest.mark.a2e takes {', '.join(_TAKES)} by name, not {odd[0]}", pytrace=False)
        wanted = {**marker.kwargs, **wanted}
    rules = wanted.get("faults", [])
    if not isinstance(rules, list) or not all(isinstance(one, str | Rule) for one in cast("list[object]", rules)):
        pytest.fail("@pytest.mark.a2e: faults must be a list of rules, such as ['reset_after:nth=1']", pytrace=False)
    return wanted
