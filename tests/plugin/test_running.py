"""How the sandbox of a run is started, shared and kept."""

import os
import re
import signal
import subprocess
import sys
from urllib.request import urlopen

import pytest

from a2e_async.sandbox import sandbox_thread
from tests.plugin.conftest import without
from tests.ports import free_ports

ACCOUNT = """
    from a2e_async.pytest_plugin import A2EAccount

    def test_it(a2e_account, a2e_sandbox):
        assert type(a2e_account) is A2EAccount
        assert a2e_account.coins == 1000
        print("at", a2e_sandbox.url)
"""


def url_in(text: str) -> str:
    return re.search(r"at (http://\S+)", text)[1]


def test_each_xdist_worker_has_a_sandbox_of_its_own(project, monkeypatch):
    monkeypatch.setenv("A2E_SANDBOX_PORT", str(free_ports(2)))
    monkeypatch.setenv("A2E_SANDBOX_DB", str(project.path / "kept.sqlite"))
    ran = project.test(
        """
    import os
    import pytest

    @pytest.mark.parametrize("number", range(4))
    def test_it(number, a2e_sandbox, a2e_account, worker_id):
        assert a2e_account.coins == 1000
        assert a2e_sandbox.url.endswith(str(int(os.environ["A2E_SANDBOX_PORT"]) + int(worker_id[2:])))

    def test_fails(a2e_account):
        a2e_account.grant(5)
        assert False
    """,
        *("-n", "2", "--dist", "each"),
        plugins=["xdist"],
    )
    ran.assert_outcomes(passed=8, failed=2)
    assert {path.name for path in project.path.glob("*.sqlite")} == {"kept-gw0.sqlite", "kept-gw1.sqlite"}
    assert ran.stdout.str().count("- A2E requests -") == 2


def test_a_database_outlives_the_run_and_its_tests_begin_anew(project, monkeypatch):
    monkeypatch.setenv("A2E_SANDBOX_DB", str(project.path / "kept.sqlite"))
    code = ACCOUNT + "        a2e_account.grant(5)\n"
    for _ in range(2):
        project.test(code).assert_outcomes(passed=1)
    with (
        sandbox_thread(db=project.path / "kept.sqlite") as sandbox,
        urlopen(f"{sandbox.url}/sandbox/accounts") as answer,
    ):
        assert answer.read().count(b"label") == 2


def test_a_sandbox_that_runs_is_used(project, elsewhere):
    for _ in range(2):
        ran = project.test(ACCOUNT, "-s", "--a2e-sandbox-url", f"{elsewhere.url}/")
        ran.assert_outcomes(passed=1)
        assert url_in(ran.stdout.str()) == elsewhere.url
    with urlopen(f"{elsewhere.url}/sandbox/accounts") as answer:
        assert answer.read().count(b"label") == 2


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://127.0.0.1:9", "*a2e_sandbox: no sandbox answers at http://127.0.0.1:9: *"),
        ("file:///etc", "*a2e_sandbox: no sandbox answers at file:///etc: file:///etc/sandbox/ is no URL of a sandbox"),
        ("nonsense", "*a2e_sandbox: no sandbox answers at nonsense: *"),
    ],
)
def test_where_no_sandbox_answers_is_said(project, url, said):
    ran = project.test(ACCOUNT, "--a2e-sandbox-url", url)
    ran.assert_outcomes(errors=1)
    ran.stdout.fnmatch_lines([said])


def test_what_is_no_sandbox_is_not_used(project, elsewhere):
    ran = project.test(ACCOUNT, "--a2e-sandbox-url", f"{elsewhere.url}/?")
    ran.assert_outcomes(errors=1)
    ran.stdout.fnmatch_lines(["a2e_sandbox: no sandbox answers at http://*: JSON is malformed: *"])


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        (
            "A2E_SANDBOX_HOST",
            "0.0.0.0",
            "a2e_sandbox: cannot start on 0.0.0.0 with :memory:: 0.0.0.0 can be reached from other machines*",
        ),
        ("A2E_SANDBOX_DB", "gone/a2e.sqlite", "a2e_sandbox: cannot start on * with gone/a2e.sqlite: unable to open*"),
        ("A2E_SANDBOX_PORT", "{taken}", "a2e_sandbox: cannot start on *{taken}*"),
    ],
)
def test_a_sandbox_that_cannot_start_says_why(project, elsewhere, monkeypatch, name, value, said):
    taken = elsewhere.url.rpartition(":")[2]
    monkeypatch.setenv(name, value.format(taken=taken))
    ran = project.test(ACCOUNT)
    ran.assert_outcomes(errors=1)
    ran.stdout.fnmatch_lines([said.format(taken=taken)])
    assert "Traceback" not in ran.stdout.str()


@pytest.mark.parametrize(
    ("options", "env", "ini", "said"),
    [
        (["--a2e-sandbox-keep", "--a2e-sandbox-url", "http://127.0.0.1:9"], {}, "", "*leave one out"),
        (["--a2e-sandbox-keep", "-n", "2"], {}, "", "*--a2e-sandbox-keep needs all tests in one process: leave out -n"),
        ([], {"A2E_SANDBOX_SEED": "x"}, "", "*A2E_SANDBOX_SEED must be a whole number, not 'x'"),
        ([], {"A2E_SANDBOX_PORT": "any"}, "", "*A2E_SANDBOX_PORT must be a whole number, not 'any'"),
        ([], {}, "a2e_sandbox_seed = 1.5", "*a2e_sandbox_seed must be a whole number, not '1.5'"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(project, monkeypatch, options, env, ini, said):
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    ran = project.test("def test_it(): pass", *options, ini=ini)
    assert ran.ret == pytest.ExitCode.USAGE_ERROR
    ran.stderr.fnmatch_lines([said])


@pytest.mark.skipif(os.name == "nt", reason="Ctrl-C would reach the test runner as well")
def test_kept_sandboxes_are_served_until_ctrl_c(project, pytester):
    pytester.makepyfile(test_app="def test_it(a2e_account):\n    a2e_account.grant(5)")
    pytester.makeini("[pytest]")
    command = [sys.executable, "-m", "pytest", *without("asyncio", "aiohttp"), "--a2e-sandbox-keep"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            seen = ""
            for line in process.stdout:
                seen += line
                if "is kept" in line:
                    break
            url = re.search(r"kept at (\S+);", seen)[1]
            assert "1 passed" in seen
            with urlopen(f"{url}/sandbox/accounts/account-1/ledger") as answer:
                assert b'"coins":1005' in answer.read().replace(b".0", b"")
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=60) == 0
        finally:
            process.kill()


def test_options_and_marker_are_told(project):
    told = project.test("", "--help").stdout.str() + project.test("", "--markers").stdout.str()
    for word in ("--a2e-sandbox-url=URL", "--a2e-sandbox-keep", "a2e_sandbox_seed", "@pytest.mark.a2e(credits=1000, "):
        assert word in told


def test_nothing_heavy_loads_before_a_fixture_is_used(project, monkeypatch):
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # other plugins load what they like
    ran = project.test(
        """
    import sys

    def test_it():
        ours = {name for name in sys.modules if name.startswith("a2e_async")}
        assert ours == {"a2e_async", "a2e_async._version", "a2e_async.pytest_plugin"}
        assert not {"aiohttp", "msgspec", "anyio", "backoff"} & sys.modules.keys()
    """,
        *("-p", "a2e_async.pytest_plugin"),
        plugins=["none"],
    )
    ran.assert_outcomes(passed=1)
