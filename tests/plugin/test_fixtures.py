"""The fixtures as a user's tests see them."""

import re

import pytest

ANYIO = """
    import json
    import queue
    import threading
    from http.server import BaseHTTPRequestHandler, HTTPServer
    import pytest
    from app import swap
    from a2e_async import A2ESession, InsufficientCoinsError, SubmissionUncertainError, TaskFailedError, TaskState
    from a2e_async.pytest_plugin import A2EAccount, A2EClock, A2EFaults, A2ERequests, A2ESandbox
    from a2e_async.sandbox import Rule

    pytestmark = pytest.mark.anyio

    @pytest.fixture
    def anyio_backend():
        return "asyncio"
"""


def test_an_app_is_tested_without_paying_and_without_waiting(project):
    ran = project.test(
        ANYIO
        + """
    @pytest.mark.parametrize("number", [1, 2])
    async def test_alone(number, a2e_sandbox: A2ESandbox, a2e_env: A2EAccount, a2e_requests: A2ERequests):
        done = await swap(a2e_sandbox.face_url, a2e_sandbox.video_url)
        assert done.state is TaskState.DONE
        (request,) = a2e_requests.paid
        assert request.endpoint == "face_swap.tasks.add"
        assert (request.status, request.body["name"]) == (200, "clip")
        assert a2e_requests.by_endpoint("face_swap.tasks.add") == [request] == a2e_requests[:1]
        assert request in a2e_requests and len(a2e_requests) > 2
        assert repr(a2e_requests).startswith("[<POST face_swap.tasks.add 200>, <")
        assert [task.status for task in a2e_env.tasks] == ["completed"]
        assert (a2e_env.coins, a2e_env.spent) == (990, 10)
        assert [(line.reason, line.delta) for line in a2e_env.ledger] == [("grant", 1000), ("charge", -10)]

    async def test_a_session_of_its_own(a2e_client, a2e_account, a2e_sandbox):
        async with a2e_client() as a2e:
            assert (await a2e.account.coins()).coins == 1000
            a2e_account.grant(5)
            a2e_account.price("face_swap", 1)
            task = await a2e.face_swap.tasks.add(
                name="n", face_url=a2e_sandbox.face_url, video_url=a2e_sandbox.video_url
            )
        assert a2e_account.coins == 1004

    async def test_time_is_moved_by_hand(a2e_client, a2e_clock: A2EClock, a2e_sandbox):
        a2e_clock.pace(0)
        async with a2e_client() as a2e:
            add, detail = a2e.face_swap.tasks.add, a2e.face_swap.tasks.detail
            task = await add(name="n", face_url=a2e_sandbox.face_url, video_url=a2e_sandbox.video_url)
            assert (await detail(id=task.id)).state is TaskState.QUEUED
            before = a2e_clock.now
            a2e_clock.advance(60)
            assert (a2e_clock.now - before).total_seconds() == 60
            assert (await detail(id=task.id)).state is TaskState.DONE
        assert repr(a2e_clock).startswith("<A2EClock 2")
        with pytest.raises(ValueError, match="time only moves forward"):
            a2e_clock.advance(-1)

    async def test_callbacks_come_with_the_clock(a2e_client, a2e_clock, a2e_sandbox):
        class Receiver(BaseHTTPRequestHandler):
            def do_POST(self):
                received.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *args):
                pass

        received = queue.Queue()
        with HTTPServer(("127.0.0.1", 0), Receiver) as server:
            thread = threading.Thread(target=server.handle_request)
            thread.start()
            async with a2e_client() as a2e:
                await a2e.face_swap.tasks.add(
                    name="n", face_url=a2e_sandbox.face_url, video_url=a2e_sandbox.video_url,
                    webhook_url=f"http://127.0.0.1:{server.server_port}/", webhook_token="w",
                )
            assert received.empty()
            a2e_clock.advance(60)
            assert received.get(timeout=20)
            thread.join()

    async def test_faults(a2e_sandbox, a2e_env, a2e_faults: A2EFaults, a2e_requests):
        rule = a2e_faults.add("reset_after:path=*/userFaceSwapTask/add,nth=1")
        with pytest.raises(SubmissionUncertainError):
            await swap(a2e_sandbox.face_url, a2e_sandbox.video_url)
        assert repr(a2e_requests) == "[<POST face_swap.tasks.add cut off (reset_after)>]"
        assert a2e_faults[0].strikes == len(a2e_faults) == 1
        assert repr(a2e_faults) == "[<reset_after: struck 1 of 1>]"
        a2e_faults.remove(rule)
        other = a2e_faults.add(Rule("status", status=502))
        a2e_faults.add("delay:seconds=1")
        a2e_faults.remove("delay")
        assert [one.id for one in a2e_faults] == [other.id] == [one.id for one in a2e_faults[:]]
        a2e_faults.clear()
        assert not a2e_faults
        with pytest.raises(LookupError, match="no rule has the effect 'delay'"):
            a2e_faults.remove("delay")
        with pytest.raises(LookupError, match="there is no rule"):
            a2e_faults.remove(other)
        with pytest.raises(ValueError, match="leave its id to the account"):
            a2e_faults.add(other)
        with pytest.raises(ValueError, match="effect must be one of delay, reset_before, "):
            a2e_faults.add("melt")

    @pytest.mark.a2e(credits=9)
    async def test_too_few_coins(a2e_sandbox, a2e_requests):
        with pytest.raises(InsufficientCoinsError):
            await swap(a2e_sandbox.face_url, a2e_sandbox.video_url)
        assert len(a2e_requests.paid) == 1

    async def test_a_failure_is_paid_back(a2e_sandbox, a2e_env):
        with pytest.raises(TaskFailedError):
            await swap(a2e_sandbox.face_url, a2e_sandbox.video_url, name="fail:no face")
        assert a2e_env.spent == 0
        assert [task.failure for task in a2e_env.tasks] == ["no face"]

    def test_misspelt_endpoints_are_noticed(a2e_requests):
        with pytest.raises(ValueError, match="there is no endpoint 'face_swap.task.add'; near it: face_swap.tasks.add"):
            a2e_requests.by_endpoint("face_swap.task.add")

    async def test_more_accounts(a2e_sandbox, a2e_account):
        other = a2e_sandbox.account(credits=1, clock="stepped")
        async with A2ESession(other.api_key, base_url=other.url) as a2e:
            assert (await a2e.account.coins()).coins == 1
        assert not a2e_account.requests and len(other.requests) == 1
        with pytest.raises(ValueError, match="exists: its clock, coins and seed are set"):
            a2e_sandbox.account(other.api_key, credits=2)
        assert a2e_sandbox.account(other.api_key).coins == 1
        with pytest.raises(ValueError, match="invalid token"):
            a2e_sandbox.account("nothing")
    """
    )
    ran.assert_outcomes(passed=10)


def test_the_environment_is_as_before_afterwards(project, monkeypatch):
    monkeypatch.setenv("A2E_API_KEY", "sk_mine")
    ran = project.test("""
    import os

    def test_set(a2e_env):
        assert os.environ["A2E_BASE_URL"] == a2e_env.url
        assert os.environ["A2E_API_KEY"] == a2e_env.api_key != "sk_mine"
        assert float(os.environ["A2E_MAX_PAUSE"]) < 0.1

    def test_as_before(a2e_account):
        assert os.environ["A2E_API_KEY"] == "sk_mine"
        assert not {"A2E_BASE_URL", "A2E_MAX_PAUSE"} & os.environ.keys()
    """)
    ran.assert_outcomes(passed=2)


DRAWN = """
    import pytest

    @pytest.mark.anyio
    {marker}
    async def test_drawn(a2e_client, a2e_sandbox):
        async with a2e_client() as a2e:
            task = await a2e.face_swap.tasks.add(
                name="n", face_url=a2e_sandbox.face_url, video_url=a2e_sandbox.video_url
            )
        print("drawn", task.id[8:])

    @pytest.fixture
    def anyio_backend():
        return "asyncio"
"""


def test_what_is_drawn_follows_from_the_test_and_the_seed(project, monkeypatch):
    def drawn(marker: str = "", ini: str = "") -> str:
        ran = project.test(DRAWN.format(marker=marker), "-s", ini=ini)
        return re.search(r"drawn (\w+)", ran.stdout.str())[1]

    usual = drawn()
    assert drawn() == usual
    seven = drawn("@pytest.mark.a2e(seed=7)", ini="a2e_sandbox_seed = 8")
    assert seven != usual
    assert drawn(ini="a2e_sandbox_seed = 7") == seven
    monkeypatch.setenv("A2E_SANDBOX_SEED", "7")
    assert drawn(ini="a2e_sandbox_seed = 8") == seven


MARKED = """
    import os
    import pytest

    pytestmark = pytest.mark.a2e(credits=5, faults=["delay:seconds=0"])

    @pytest.mark.a2e(credits=6)
    class TestClosest:
        def test_wins(self, a2e_account, a2e_faults):
            assert a2e_account.coins == 6
            assert [rule.effect for rule in a2e_faults] == ["delay"]

        @pytest.mark.a2e(faults=[])
        def test_adds_nothing(self, a2e_account):
            assert a2e_account.coins == 6 and not a2e_account.faults

    @pytest.mark.parametrize("number", [1, 2])
    def test_is_enough_by_itself(number):
        assert os.environ["A2E_API_KEY"].startswith("sk_")
"""


def test_markers_say_how_an_account_begins(project):
    project.test(MARKED, "--strict-markers").assert_outcomes(passed=4)


@pytest.mark.parametrize(
    ("marker", "said"),
    [
        ("faults=['melt']", "test_it: effect must be one of delay, reset_before, reset_after, status, *"),
        ("faults=['status:status=9']", "test_it: status must be within 200..599"),
        ("faults=['status', 7]", "faults must be a list of rules, such as *"),
        ("faults='status'", "faults must be a list of rules, such as *"),
        ("coins=5", "takes credits, seed, faults by name, not coins"),
        ("'x'", "takes credits, seed, faults by name, not 'x'"),
        ("credits=-1", "*test_it: Expected `float` >= 0.0 - at `$.coins`"),
        ("seed='x'", "*test_it: Expected `int | null`, got `str` - at `$.seed`"),
    ],
)
def test_a_marker_that_says_nothing_sensible_is_an_error_of_its_test(project, marker, said):
    ran = project.test(f"""
    import pytest

    @pytest.mark.a2e({marker})
    def test_it():
        pass
    """)
    ran.assert_outcomes(errors=1)
    ran.stdout.fnmatch_lines([f"*@pytest.mark.a2e*{said}"])
    assert "Traceback" not in ran.stdout.str()
    assert "pytest_plugin.py" not in ran.stdout.str()


FAILING = """
    import pytest
    from pathlib import Path
    from app import swap

    @pytest.mark.anyio
    @pytest.mark.a2e(faults=["status:path=*/remainingCoins"])
    async def test_fails(a2e_env, a2e_client, a2e_sandbox):
        Path("key").write_text(a2e_env.api_key)
        await swap(a2e_sandbox.face_url, a2e_sandbox.video_url, name="x" * 500)
        async with a2e_client() as a2e:
            await a2e.tokens.add(alias="".join(a2e_env.api_key))
            await a2e.account.coins()

    @pytest.fixture
    def anyio_backend():
        return "asyncio"
"""


def test_a_failed_test_shows_its_requests_and_no_token(project):
    ran = project.test(FAILING, "--showlocals")
    ran.assert_outcomes(failed=1)
    ran.stdout.fnmatch_lines(
        [
            "*- A2E requests -*",
            'POST /api/v1/userFaceSwapTask/add -> 200 {"name": "xxx*...',
            "GET /api/v1/userFaceSwapTask/* -> 200",
            'POST /api/v1/token/generate -> 200 {"alias": "[*][*][*]"}',
            "GET /api/v1/user/remainingCoins -> 503 [[]status[]]",
        ]
    )
    key = (project.path / "key").read_text()
    assert len(key) > 20
    assert key not in ran.stdout.str()


def test_the_newest_of_many_requests_are_shown(project):
    ran = project.test("""
    from urllib.request import Request, urlopen

    def test_fails(a2e_account):
        for _ in range(53):
            ask = Request(
                f"{a2e_account.url}/api/v1/user/remainingCoins",
                headers={"Authorization": f"Bearer {a2e_account.api_key}"},
            )
            urlopen(ask).close()
        assert not a2e_account.requests
    """)
    ran.stdout.fnmatch_lines(["(3 before these)", "GET /api/v1/user/remainingCoins -> 200"])
    assert ran.stdout.str().count("remainingCoins -> 200") == 50


def test_a_log_that_is_gone_spoils_no_report(project):
    ran = project.test("""
    def test_fails(a2e_account):
        a2e_account.requests._control._base = "http://127.0.0.1:9/"
        assert False
    """)
    ran.assert_outcomes(failed=1)
    ran.stdout.fnmatch_lines(["*- A2E requests -*", "cannot be read: *"])
