import logging
import signal
from collections.abc import Iterator
from contextlib import nullcontext

import pytest
from hypothesis import settings

from a2e_async.sandbox import Sandbox, sandbox_thread
from tests import blocking
from tests.servers import PostgreSQL, RabbitMQ, Redis, wanted

pytest_plugins = ("pytester",)

# How long one example takes says nothing on a busy machine.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")
# What a shell runs in the background ignores Ctrl-C, and so would the processes that tests interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--screenshots", action="store_true", help="renew the pictures in docs/pages/img")
    parser.addoption("--blocking", action="store_true", help="let calls that block the event loop fail; not with --cov")
    parser.addoption("--loop", choices=["asyncio", "uvloop"], default="asyncio", help="loop of asynchronous tests")


@pytest.fixture(scope="session", autouse=True)
def nothing_blocks(request: pytest.FixtureRequest) -> Iterator[None]:
    with blocking.watched() if request.config.getoption("--blocking") else nullcontext():
        yield


@pytest.fixture(autouse=True)
def root_log_as_before() -> Iterator[None]:
    """Frameworks, and blocks of the documentation, set up logging for the whole process."""
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    yield
    root.setLevel(level)
    # Handlers of pytest's own come and go around each test.
    for handler in [one for one in root.handlers if one not in handlers and not hasattr(one, "reset")]:
        root.removeHandler(handler)


@pytest.fixture
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    return "asyncio", {"use_uvloop": request.config.getoption("--loop") == "uvloop"}


@pytest.fixture
def sandbox_in_thread() -> Iterator[Sandbox]:
    """A sandbox that outlives the event loops of one test."""
    with sandbox_thread(clock="scaled:100") as sandbox:
        yield sandbox


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgreSQL]:
    """One for all tests of a worker; a test that stops it, or wants it durable, starts its own."""
    wanted(PostgreSQL)
    with PostgreSQL() as server:
        yield server


@pytest.fixture(scope="session")
def postgres_dsn(postgres: PostgreSQL) -> str:
    return postgres.dsn()


@pytest.fixture
def database(postgres: PostgreSQL) -> Iterator[str]:
    """The DSN of an empty database."""
    dsn = postgres.create()
    yield dsn
    postgres.drop(dsn)


@pytest.fixture
def own_postgres() -> Iterator[PostgreSQL]:
    """One to be killed and restarted."""
    wanted(PostgreSQL)
    with PostgreSQL() as server:
        yield server


@pytest.fixture(scope="session")
def rabbitmq_url() -> Iterator[str]:
    """Its queues are everybody's: take names of your own."""
    wanted(RabbitMQ)
    with RabbitMQ() as server:
        yield server.url


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """Its keys are everybody's: take names of your own."""
    wanted(Redis)
    with Redis() as server:
        yield server.url
