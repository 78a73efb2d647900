"""Real servers for tests and trials: PostgreSQL, RabbitMQ, Redis, each private, on a free port, in a folder of its own.

`python -m tests.servers` prints the Debian packages that this machine lacks for them, for `.ci/services`. Standard
library only, as that runs before anything is installed.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import ClassVar, Self

from tests.ports import free_port

_PATIENCE = 90.0
"""Seconds until a server answers."""
_GUARD = """
import os, shutil, signal, sys
folder, *_ = sys.argv[1:]
alive = set()
for line in sys.stdin:
    (alive.add if line[0] == "+" else alive.discard)(int(line[1:]))
for pid in alive:
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
shutil.rmtree(folder, ignore_errors=True)
"""


def said(port: int, words: bytes, size: int = 64) -> bytes:
    """Return what a server answers first, or nothing if none is there."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as one:
            one.sendall(words)
            return one.recv(size)
    except OSError:
        return b""


class Server(ABC):
    """A server that does not outlive the process that started it, however that may end."""

    name: ClassVar[str]
    package: ClassVar[str]
    programs: ClassVar[tuple[str, ...]]
    places: ClassVar[tuple[str, ...]] = ()
    """Folders to look for the programs in, before PATH; patterns below `/`."""
    ending: ClassVar[signal.Signals] = signal.SIGTERM
    """What ends it without waiting for its clients."""

    def __init__(self) -> None:
        self.port = free_port()
        self.folder = Path(tempfile.mkdtemp(prefix=f"a2e-{self.package}-"))
        # It reads until the last end of its pipe is closed, by us or by the death of this process.
        self._guard = subprocess.Popen(
            [sys.executable, "-IS", "-c", _GUARD, str(self.folder)], stdin=subprocess.PIPE, start_new_session=True
        )
        self._process: subprocess.Popen[bytes] | None = None
        self._known = False
        self._others: list[subprocess.Popen[bytes]] = []

    @classmethod
    def program(cls, name: str) -> str | None:
        """Return the path of one of its programs, of the newest version, or None."""
        found = [path for place in cls.places for path in Path("/").glob(f"{place}/{name}")]
        newest = max(found, key=lambda path: [int(number) for number in re.findall(r"\d+", str(path))], default=None)
        return str(newest) if newest else shutil.which(name)

    @classmethod
    def missing(cls) -> str | None:
        """Say why it cannot run here, or return None."""
        if os.name != "posix":
            return f"{cls.name} is started by tests on POSIX only"
        lacks = [name for name in cls.programs if cls.program(name) is None]
        return f"{cls.name} is not installed: there is no {', '.join(lacks)}" if lacks else None

    @abstractmethod
    def command(self) -> Sequence[str]:
        """Return what runs it in the foreground."""

    @abstractmethod
    def ready(self) -> bool:
        """Return whether it answers."""

    def prepare(self) -> None:  # noqa: B027 - not every server wants something
        """Make what has to be there before the first start."""

    def environment(self) -> dict[str, str]:
        return {}

    def user(self) -> str | None:
        """Return who has to run it, None for whoever we are."""
        return None

    def start(self) -> None:
        """Return as soon as it answers."""
        end = time.monotonic() + _PATIENCE
        while not (self._process and self.ready() and self._process.poll() is None):
            assert time.monotonic() < end, f"{self.name} does not answer:\n{self.log()}"
            if self._process is None:
                self._process = self.spawn(self.command())
            elif self._process.poll() is not None:
                self.kill()
                if not self._known:  # somebody else may have taken the port meanwhile
                    self.port = free_port()
            time.sleep(0.05)
        self._known = True

    def spawn(self, command: Sequence[str]) -> subprocess.Popen[bytes]:
        """Start a program of it that is to end with it."""
        user = self.user()
        more = {} if user is None else {"user": user, "group": _group(user), "extra_groups": []}
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen(
                command,
                cwd=self.folder,
                env=os.environ | self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C at the tests is not meant for it
                **more,
            )
        self._tell(f"+{process.pid}")
        return process

    def run(self, *command: str) -> None:
        """Run a program of it to the end."""
        process = self.spawn(command)
        try:
            code = process.wait(_PATIENCE)
        finally:
            self._end(process)
        assert code == 0, f"{command[0]} ended with {code}:\n{self.log()}"

    def stop(self) -> None:
        """End it in its own way, and return when it has ended."""
        if self._process is not None:
            self._process.send_signal(self.ending)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(30)
            self.kill()

    def kill(self) -> None:
        """End it with SIGKILL; `start` starts it again, on the same port."""
        if self._process is not None:
            self._end(self._process)
            self._process = None

    def restart(self) -> None:
        self.stop()
        self.start()

    def log(self) -> str:
        return (self.folder / "log").read_text(encoding="utf-8", errors="replace")[-5000:]

    def _tell(self, line: str) -> None:
        self._guard.stdin.write(f"{line}\n".encode())
        self._guard.stdin.flush()

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)  # RabbitMQ's first process is but a shell
        process.wait()
        self._tell(f"-{process.pid}")

    def __enter__(self) -> Self:
        try:
            self.prepare()
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *args: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop it, and remove its folder."""
        try:
            self.stop()
        finally:
            for process in self._others:
                self._end(process)
            self._guard.stdin.close()
            self._guard.wait()


class PostgreSQL(Server):
    """PostgreSQL.

    Unless `durable`, it does not wait for the disk: what it confirmed survives its own death, not the machine's.
    """

    name, package = "PostgreSQL", "postgresql"
    programs = ("initdb", "postgres", "pg_isready", "createdb", "dropdb")
    places = ("usr/lib/postgresql/*/bin", "opt/homebrew/opt/postgresql@*/bin")
    ending = signal.SIGINT

    def __init__(self, *, durable: bool = False, settings: dict[str, str] | None = None) -> None:
        super().__init__()
        easy = {} if durable else {"fsync": "off", "full_page_writes": "off"}
        self._settings = {"max_connections": "100"} | easy | (settings or {})
        self._names = count(1)

    def user(self) -> str | None:
        """Return an ordinary user: PostgreSQL refuses to run as root."""
        if os.geteuid() != 0:
            return None
        import pwd  # noqa: PLC0415 - not on Windows

        return next(one.pw_name for one in pwd.getpwall() if one.pw_name in {"postgres", "nobody"})

    def prepare(self) -> None:
        if user := self.user():
            shutil.chown(self.folder, user)
        form = ("--auth=trust", "--username=a2e", "--encoding=UTF8", "--locale=C", "--no-sync", "--pgdata=data")
        self.run(self.program("initdb"), *form)

    def command(self) -> Sequence[str]:
        own = {"listen_addresses": "127.0.0.1", "unix_socket_directories": "", "port": str(self.port)}
        options = [f"--{name}={value}" for name, value in (own | self._settings).items()]
        return [self.program("postgres"), "-D", str(self.folder / "data"), *options]

    def ready(self) -> bool:
        command = [self.program("pg_isready"), *self._where("postgres"), "--quiet"]
        return subprocess.run(command, check=False).returncode == 0

    def create(self) -> str:
        """Make an empty database, and return its DSN."""
        name = f"a2e_{next(self._names)}"
        self.run(self.program("createdb"), *self._where("postgres", "--maintenance-db"), name)
        return self.dsn(name)

    def drop(self, dsn: str) -> None:
        """Remove a database, whoever uses it."""
        name = dsn.rpartition("/")[2]
        self.run(self.program("dropdb"), *self._where("postgres", "--maintenance-db"), "--force", name)

    def dsn(self, name: str = "postgres") -> str:
        return f"postgresql://a2e@127.0.0.1:{self.port}/{name}"

    def _where(self, database: str, option: str = "--dbname") -> list[str]:
        return ["--host=127.0.0.1", f"--port={self.port}", "--username=a2e", f"{option}={database}"]


class RabbitMQ(Server):
    """A node of RabbitMQ with an epmd of its own: it meets no other node."""

    name, package = "RabbitMQ", "rabbitmq-server"
    programs = ("rabbitmq-server", "epmd")
    # Debian's program in PATH insists on the system's user and folders; the one behind it does not.
    places = ("usr/lib/rabbitmq/bin",)

    def __init__(self) -> None:
        super().__init__()
        self._epmd, self._inner = free_port(), free_port()

    def prepare(self) -> None:
        for name in ("data", "logs", "config"):
            (self.folder / name).mkdir()
        for name in ("rabbitmq.conf", "env.conf"):
            (self.folder / name).touch()
        (self.folder / "plugins").write_text("[].\n", encoding="utf-8")
        self._others.append(self.spawn([self.program("epmd"), "-port", str(self._epmd), "-address", "127.0.0.1"]))

    def environment(self) -> dict[str, str]:
        own = {
            "CONFIG_FILE": self.folder / "rabbitmq.conf",
            "CONF_ENV_FILE": self.folder / "env.conf",
            "DIST_PORT": self._inner,
            "ENABLED_PLUGINS_FILE": self.folder / "plugins",
            "GENERATED_CONFIG_DIR": self.folder / "config",
            "LOGS": "-",
            "LOG_BASE": self.folder / "logs",
            "MNESIA_BASE": self.folder / "data",
            "NODENAME": f"a2e{self._inner}@localhost",
            "NODE_IP_ADDRESS": "127.0.0.1",
            "NODE_PORT": self.port,
            "PID_FILE": self.folder / "pid",
        }
        erlang = {"HOME": str(self.folder), "ERL_EPMD_PORT": str(self._epmd), "ERL_EPMD_ADDRESS": "127.0.0.1"}
        return erlang | {f"RABBITMQ_{name}": str(value) for name, value in own.items()}

    def command(self) -> Sequence[str]:
        return [self.program("rabbitmq-server")]

    def ready(self) -> bool:
        return said(self.port, b"AMQP\0\0\x09\x01").startswith(b"\1")

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@127.0.0.1:{self.port}/"


class Redis(Server):
    """Redis, which writes nothing to disk."""

    name, package = "Redis", "redis-server"
    programs = ("redis-server",)

    def command(self) -> Sequence[str]:
        where = ("--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self.folder))
        return [self.program("redis-server"), *where, "--save", "", "--appendonly", "no"]

    def ready(self) -> bool:
        return said(self.port, b"PING\r\n").startswith(b"+PONG")

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"


SERVERS: tuple[type[Server], ...] = (PostgreSQL, RabbitMQ, Redis)


def wanted(server: type[Server]) -> None:
    """Skip the test whose server is not here, and say which; fail it where A2E_TEST_SERVERS=1 promised all of them."""
    import pytest  # noqa: PLC0415 - `.ci/services` has none

    if reason := server.missing():
        (pytest.fail if os.environ.get("A2E_TEST_SERVERS") == "1" else pytest.skip)(reason)


def _group(user: str) -> int:
    import pwd  # noqa: PLC0415 - not on Windows

    return pwd.getpwnam(user).pw_gid


if __name__ == "__main__":
    print("\n".join(server.package for server in SERVERS if server.missing()))  # noqa: T201 - its purpose
