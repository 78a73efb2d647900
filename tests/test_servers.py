"""The servers that other tests stand on: they answer, come back after SIGKILL, and outlive nobody."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from unittest.mock import ANY

import pytest

from tests.servers import SERVERS, PostgreSQL, RabbitMQ, Redis, Server, said, wanted
from tests.waiting import until

ROOT = Path(__file__).parents[1]
posix = pytest.mark.skipif(os.name != "posix", reason="starts servers, and runs a shell, on POSIX only")


def query(dsn, text):
    where = PostgreSQL.program("initdb").rpartition("/")[0]
    done = subprocess.run([f"{where}/psql", "-Atq", dsn, "-c", text], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def alive(port):
    return said(port, b"anything\r\n\r\n") != b""


def test_a_database_is_empty_and_gone_afterwards(postgres):
    dsn = postgres.create()
    assert dsn != postgres.create()
    assert query(dsn, "select count(*) from pg_stat_user_tables") == "0"
    query(dsn, "create table kept (one int)")
    postgres.drop(dsn)
    name = dsn.rpartition("/")[2]
    assert query(postgres.dsn(), f"select count(*) from pg_database where datname = '{name}'") == "0"


def test_what_was_confirmed_is_there_after_a_kill(own_postgres):
    dsn = own_postgres.create()
    query(dsn, "create table kept (one int); insert into kept values (7)")
    own_postgres.kill()
    assert not own_postgres.ready()
    own_postgres.start()
    assert query(dsn, "select one from kept") == "7"
    own_postgres.restart()
    assert query(dsn, "select one from kept") == "7"


@pytest.mark.parametrize(("durable", "fsync"), [(False, "off"), (True, "on")])
def test_durable_is_told_to_the_server(durable, fsync):
    wanted(PostgreSQL)
    with PostgreSQL(durable=durable, settings={"work_mem": "5MB"}) as server:
        assert query(server.dsn(), "show fsync") == fsync
        assert query(server.dsn(), "show work_mem") == "5MB"


@pytest.mark.parametrize("kind", SERVERS, ids=lambda kind: kind.package)
def test_a_server_ends_with_its_owner_even_if_that_is_killed(kind):
    wanted(kind)
    code = f"""if True:
        import time
        from tests.servers import {kind.__name__} as Kind
        with Kind() as server:
            print(server.port, server.folder, flush=True)
            time.sleep(600)
    """
    owner = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    with owner:
        port, folder = owner.stdout.readline().split()
        assert Path(folder).exists()
        owner.kill()
    until(lambda: not alive(int(port)))
    until(lambda: not Path(folder).exists())


@pytest.mark.parametrize("kind", [RabbitMQ, Redis], ids=lambda kind: kind.package)
def test_a_server_comes_back_on_its_port(kind):
    wanted(kind)
    with kind() as server:
        server.kill()
        assert not server.ready()
        server.start()
        assert server.ready()
        folder = server.folder
    assert not server.ready()
    assert not folder.exists()


class Absent(Server):
    name, package, programs = "Absent", "absent", ("no-such-program",)


@posix
def test_what_is_missing_is_named(monkeypatch):
    monkeypatch.delenv("A2E_TEST_SERVERS", raising=False)
    with pytest.raises(pytest.skip.Exception, match="Absent is not installed: there is no no-such-program"):
        wanted(Absent)


@posix
def test_where_servers_were_promised_none_may_be_missing(monkeypatch):
    monkeypatch.setenv("A2E_TEST_SERVERS", "1")
    with pytest.raises(pytest.fail.Exception, match="Absent is not installed"):
        wanted(Absent)


class Failing(Server):
    name, package, programs = "Failing", "failing", ("sh",)

    def command(self):
        return ["sh", "-c", "echo no such setting; exit 1"]

    def ready(self):
        return False


@posix
def test_a_server_that_cannot_start_says_why_and_leaves_nothing(monkeypatch):
    monkeypatch.setattr("tests.servers._PATIENCE", 1.0)
    server = Failing()
    with pytest.raises(AssertionError, match=r"Failing does not answer:\nno such setting"), server:
        pass
    assert not server.folder.exists()


@pytest.fixture
def bare(tmp_path):
    """A PATH with a shell, an apt-get that writes down what it was asked for, and none of the servers."""
    for name in ("bash", "dirname", "id", "ln", "sh", "tee", "chmod", "rm"):
        (tmp_path / name).symlink_to(shutil.which(name))
    (tmp_path / "sudo").write_text('#!/bin/sh\nexec "$@"\n')
    (tmp_path / "apt-get").write_text(
        '#!/bin/sh\n$POLICY || echo "$? $@" >>"$ASKED"\n[ $1 = update ] || eval "$THEN"\n'
    )
    for name in ("sudo", "apt-get"):
        (tmp_path / name).chmod(0o755)
    return tmp_path


def services(bare, then="true"):
    asked, policy = bare / "asked", bare / "policy"
    own = {"PATH": bare, "PYTHON": sys.executable, "ASKED": asked, "POLICY": policy, "THEN": then}
    done = subprocess.run([ROOT / ".ci/services"], env=own, capture_output=True, text=True, check=False)
    assert (done.stdout, policy.exists()) == ("", False)
    return done, asked.read_text().splitlines() if asked.exists() else []


debian = pytest.mark.skipif(sys.platform != "linux", reason="apt is Debian's")
INSTALL = f"for name in {' '.join({one for kind in SERVERS for one in kind.programs})}; do ln -sf {{}} {{}}/$name; done"


@debian
def test_ci_installs_what_is_missing_and_lets_no_service_start(bare):
    done, (update, install) = services(bare, INSTALL.format(shutil.which("true"), bare))
    assert (done.returncode, done.stderr) == (0, "")
    assert update.startswith("101 update")
    assert install.startswith("101 install")
    assert "redis-server" in install.split()
    assert services(bare) == (ANY, [update, install]), "the second time nothing is missing"


@debian
def test_ci_says_what_apt_did_not_install(bare):
    done, _ = services(bare)
    assert done.returncode == 1
    assert "redis-server" in done.stderr
