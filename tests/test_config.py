"""Settings: what is refused, where they come from, and that the token stays out of sight."""

import os
from collections.abc import Callable
from pprint import pformat
from reprlib import Repr
from typing import Any

import msgspec
import pytest
from multidict import CIMultiDict
from rich.pretty import pretty_repr

from a2e_async import A2ESession, ConfigError, Limits, PollPolicy, RetryPolicy, SessionConfig
from a2e_async.config import DEFAULT_BASE_URL

KEY = "sk_secret-token"
NAN = float("nan")


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("A2E_API_KEY", raising=False)
    monkeypatch.delenv("A2E_BASE_URL", raising=False)
    monkeypatch.delenv("A2E_MAX_PAUSE", raising=False)


def test_tests_against_this_machine_may_shorten_every_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A2E_MAX_PAUSE", "0.01")
    poll, retry = PollPolicy(shortest=5, longest=60, deadline=7), RetryPolicy(base=0.001, attempts=3)
    config = SessionConfig.from_env(KEY, "http://127.0.0.1:8723", poll=poll, retry=retry)

    assert config.poll == PollPolicy(shortest=0.01, longest=0.01, grace=1, deadline=7)
    assert config.retry == RetryPolicy(base=0.001, longest=0.01, attempts=3)
    assert SessionConfig.from_env(KEY) == SessionConfig(api_key=KEY), "the service is not hurried"


@pytest.mark.parametrize("text", ["0", "-1", "nan", "soon"])
def test_a_pause_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("A2E_MAX_PAUSE", text)
    with pytest.raises(ConfigError, match=f"A2E_MAX_PAUSE must be a positive number of seconds, not '{text}'"):
        SessionConfig.from_env(KEY, "http://127.0.0.1:8723")


def test_the_environment_fills_what_is_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A2E_API_KEY", f" {KEY}\n")
    monkeypatch.setenv("A2E_BASE_URL", " http://localhost:8080/ ")
    read = SessionConfig.from_env()
    assert (read.api_key, read.base_url) == (KEY, "http://localhost:8080")

    given = SessionConfig.from_env("sk_other", "https://video.a2e.com.cn/")
    assert (given.api_key, given.base_url) == ("sk_other", "https://video.a2e.com.cn")


def test_the_environment_is_read_when_a_session_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A2E_API_KEY", "sk_first")
    first = A2ESession()
    monkeypatch.setenv("A2E_API_KEY", "sk_second")

    assert (first.config.api_key, A2ESession().config.api_key) == ("sk_first", "sk_second")


def test_defaults() -> None:
    config = SessionConfig.from_env(KEY)

    assert config == SessionConfig(api_key=KEY)
    assert (config.base_url, config.timeout) == (DEFAULT_BASE_URL, 60.0)
    assert (config.retry, config.poll, config.limits) == (RetryPolicy(), PollPolicy(), Limits())


def test_policies_reach_the_configuration() -> None:
    retry, poll, limits = RetryPolicy(attempts=1), PollPolicy(deadline=5), Limits(concurrency=2)
    config = SessionConfig.from_env(KEY, timeout=3.0, retry=retry, poll=poll, limits=limits)

    assert (config.timeout, config.retry, config.poll, config.limits) == (3.0, retry, poll, limits)


@pytest.mark.parametrize("key", [None, "", "  "])
def test_no_key_says_where_to_get_one(key: str | None) -> None:
    with pytest.raises(ConfigError, match=r"A2E_API_KEY.*a2e demo"):
        SessionConfig.from_env(key)


def test_an_empty_key_does_not_fall_back_on_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A2E_API_KEY", KEY)
    with pytest.raises(ConfigError, match="No API key"):
        SessionConfig.from_env("")


@pytest.mark.parametrize("key", ["sk_a b", "sk_a\nb", "sk_ä", "sk_\x00", "sk_“quoted”"])
def test_a_key_that_cannot_be_a_header_is_refused_unseen(key: str) -> None:
    with pytest.raises(ConfigError, match="API key") as caught:
        SessionConfig.from_env(key)
    assert key not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        *("video.a2e.ai", "ftp://video.a2e.ai", "https://", "https://video.a2e.ai/?x=1", "https://video.a2e.ai/#x"),
        *("https://[::1", "//video.a2e.ai", "https:video.a2e.ai", "https://x:99999", "https://x:0", "https://x:y"),
        *(
            "https://vidéo.example",
            "https://ⓛocalhost",
            "https://a b",
            "https://a\tb",
            "https://a\\.b",
            "https://a%2eb",
        ),
        *("https://x/a b", "https://x\x00", "https://[v1.x]", "https://[fe80::1%25eth0]", "https://a,b"),
    ],
)
def test_an_odd_base_url_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match=r"base_url must look like https://video\.a2e\.ai"):
        SessionConfig.from_env(KEY, url)


@pytest.mark.parametrize(
    "url", ["https://me:hidden@x.example", "https://hidden@x", "http://localhost\\@hidden.example"]
)
def test_credentials_in_the_base_url_are_refused_unseen(url: str) -> None:
    with pytest.raises(ConfigError, match="user name or a password") as caught:
        SessionConfig.from_env(KEY, url)
    assert "hidden" not in str(caught.value)


ABROAD = [
    *("http://video.a2e.ai", "http://127.0.0.1.evil.example", "http://localhost.example", "http://xlocalhost"),
    *("http://127.0.0.1.", "http://127.1", "http://2130706433", "http://0x7f000001", "http://0177.0.0.1"),
    *("http://0.0.0.0", "http://10.0.0.1:80", "http://[::]", "http://[fd00::1]", "http://128.0.0.1"),
]


@pytest.mark.parametrize("url", ABROAD)
def test_the_token_travels_in_the_clear_only_where_that_is_said(url: str) -> None:
    with pytest.raises(ConfigError, match=r"in the clear.*allow_http=True"):
        SessionConfig.from_env(KEY, url)
    with pytest.raises(ConfigError, match="in the clear"):
        A2ESession(KEY, base_url=url)

    assert SessionConfig.from_env(KEY, url, allow_http=True).base_url == url
    assert A2ESession(KEY, base_url=url, allow_http=True).config.allow_http


def test_the_environment_cannot_say_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A2E_BASE_URL", ABROAD[0])
    for name in ("A2E_ALLOW_HTTP", "ALLOW_HTTP"):
        monkeypatch.setenv(name, "1")
    with pytest.raises(ConfigError, match="in the clear"):
        A2ESession(KEY)


@pytest.mark.parametrize(
    "url",
    [
        *("http://localhost:1", "http://LOCALHOST.", "http://a2e.localhost:80", "http://127.0.0.1:8080"),
        *(
            "http://127.255.0.9",
            "http://[::1]:80",
            "https://x/base",
            "https://10.0.0.1",
            "https://xn--vido-bpa.example",
        ),
    ],
)
def test_a_loopback_or_https_address_is_taken(url: str) -> None:
    assert SessionConfig.from_env(KEY, url).base_url == url


@pytest.mark.parametrize("timeout", [0, -1, NAN])
def test_a_timeout_must_be_positive(timeout: float) -> None:
    with pytest.raises(ConfigError, match="timeout"):
        SessionConfig.from_env(KEY, timeout=timeout)


@pytest.mark.parametrize("show", [repr, str, pretty_repr, "{!r:.80}".format])
def test_no_way_of_showing_the_configuration_shows_the_token(show: Any) -> None:
    assert KEY not in show(SessionConfig.from_env(KEY))
    assert KEY not in show(A2ESession(KEY))


def shortened(held: object) -> str:
    return pretty_repr(held, max_string=8)


@pytest.mark.parametrize("show", [repr, pretty_repr, shortened, pformat, "{!r}".format, Repr().repr])
def test_no_way_of_showing_what_holds_the_token_shows_it(show: Callable[[object], str]) -> None:
    token = SessionConfig.from_env(KEY).api_key
    for held in (token, token[3:9], token[:9], [token], {"Authorization": token}, CIMultiDict(Authorization=token)):
        assert "***" in show(held)
        assert not any(KEY[start : start + 4] in show(held) for start in range(len(KEY) - 4))
    assert f"Bearer {token}" == f"Bearer {KEY}"


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        (RetryPolicy, {"attempts": 0}),
        (RetryPolicy, {"base": -0.1}),
        (RetryPolicy, {"longest": -1.0}),
        (RetryPolicy, {"patience": -1.0}),
        (PollPolicy, {"shortest": 0.0}),
        (PollPolicy, {"shortest": 2.0, "longest": 1.0}),
        *((RetryPolicy, {name: NAN}) for name in ("attempts", "base", "longest", "patience")),
        *((PollPolicy, {name: NAN}) for name in ("shortest", "longest", "grace", "deadline")),
        *((Limits, {name: NAN}) for name in ("concurrency", "rate")),
        (PollPolicy, {"grace": -1.0}),
        (PollPolicy, {"deadline": 0.0}),
        (PollPolicy, {"deadline": -1.0}),
        (Limits, {"concurrency": 0}),
        (Limits, {"transfers": 0}),
    ],
)
def test_a_policy_out_of_bounds_is_refused(kind: type[msgspec.Struct], settings: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=f"^{kind.__name__}: "):
        kind(**settings)


@pytest.mark.parametrize("setting", [RetryPolicy(), PollPolicy(), Limits(), SessionConfig(api_key=KEY)])
def test_settings_are_frozen(setting: msgspec.Struct) -> None:
    with pytest.raises(AttributeError, match="immutable"):
        setattr(setting, setting.__struct_fields__[0], 1)


def test_policies_at_their_bounds_are_taken() -> None:
    assert RetryPolicy(attempts=1, base=0, longest=0, patience=0).attempts == 1
    assert PollPolicy(shortest=1, longest=1, grace=0, deadline=0.1).deadline == 0.1
    assert Limits(concurrency=1, transfers=1).transfers == 1


def test_nothing_is_read_at_import() -> None:
    assert "A2E_API_KEY" not in os.environ
    assert SessionConfig(api_key=KEY).base_url == DEFAULT_BASE_URL
