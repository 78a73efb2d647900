"""Settings of a session. Nothing here is read at import; the environment is read when a session is made."""

import math
import os
import re
from ipaddress import ip_address
from typing import Protocol, Self, TypeVar
from urllib.parse import urlsplit

import msgspec
from msgspec.structs import force_setattr, replace

from a2e_async._secret import Secret
from a2e_async.errors import ConfigError

ConfigT = TypeVar("ConfigT", bound="SessionConfig")

DEFAULT_BASE_URL = "https://video.a2e.ai"
# What every reader of URLs takes for the same host and port; names in other scripts have a form in these letters.
_PLAIN_HOST = re.compile(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?")


class RetryPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """How often, and how far apart, a call that may be repeated is repeated; never a lost paid POST."""

    attempts: int = 5
    """Sends in total, the first included."""
    base: float = 0.5
    """Seconds before the first repeat at the most; doubles each time, drawn with full jitter."""
    longest: float = 20.0
    """Longest pause in seconds. A server's Retry-After is never shortened by it."""
    patience: float = 120.0
    """Seconds after which no further repeat begins; a Retry-After beyond it is raised instead."""

    def __post_init__(self) -> None:
        # Asked for what is right, or NaN would pass.
        if not self.attempts >= 1 or not all(span >= 0 for span in (self.base, self.longest, self.patience)):
            raise ConfigError("RetryPolicy: attempts must be at least 1, and no duration may be negative.")


class PollPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """How tasks are watched: in shared rounds, as often as what was learned of their kind's durations makes it pay."""

    shortest: float = 1.0
    """Seconds between two reads at the least; also the grid on which rounds are aligned."""
    longest: float = 15.0
    """Seconds between two reads at the most, unless only the end is waited for and is known not to be near, more is
    watched than may be read in that time, or callbacks tell of each end."""
    grace: float = 30.0
    """Seconds after its start in which a task may still be missing from the service's answers."""
    deadline: float | None = None
    """Seconds that a wait may last; None takes the kind's own (a little over the service's two hours)."""

    def __post_init__(self) -> None:
        late = self.deadline is not None and not self.deadline > 0
        if not 0 < self.shortest <= self.longest or not self.grace >= 0 or late:
            raise ConfigError("PollPolicy: needs 0 < shortest <= longest, grace >= 0 and a positive deadline.")


class WaitLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How long a task may stay where it is while somebody waits for it: seconds as we see it, None sets no bound."""

    queue: float | None = None
    """Until it is begun; then `QueueTimeoutError`."""
    run: float | None = None
    """From when it was first seen running until it is done; then `RunTimeoutError`."""
    stall: float | None = None
    """Without any change of its status word or of ``updated_at``; then `StallTimeoutError`."""

    def __post_init__(self) -> None:
        if not all(limit is None or limit > 0 for limit in (self.queue, self.run, self.stall)):
            raise ConfigError("WaitLimits: queue, run and stall must be positive numbers of seconds.")


class Limiter(Protocol):
    """What `Limits` takes to keep a rate that is shared with others: other sessions, processes, machines."""

    async def acquire(self, weight: int = 1, /) -> object:
        """Return when so many requests may be sent; raise where that cannot be told.

        Called once for each request, one call after the other on each event loop. It is cancelled where the request
        is: then nothing is sent, and whether it counts is the limiter's to decide.
        """
        ...


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What one session asks of the service at once and in a second, on each event loop."""

    concurrency: int = 64
    """Requests under way at once, submissions and reads together."""
    transfers: int = 8
    """Uploads and downloads under way at once."""
    submissions: int = 32
    """Submissions of a batch under way at once: as many may be in doubt after a crash."""
    rate: float | None = None
    """Requests a second on average, repeats included, transfers not; None sets no bound."""
    limiter: Limiter | None = None
    """Asked before each such request besides: for a rate shared between processes. Where it raises, nothing is sent."""

    def __post_init__(self) -> None:
        if self.limiter is not None and not callable(getattr(self.limiter, "acquire", None)):
            raise ConfigError("Limits: limiter must have one asynchronous method acquire(weight).")
        counts = (self.concurrency, self.transfers, self.submissions)
        if not all(count >= 1 for count in counts) or (self.rate is not None and not self.rate > 0):
            raise ConfigError("Limits: all counts must be at least 1, and a rate positive.")


class SessionConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Where to send what, and with whose token. Its repr leaves the token out."""

    api_key: str
    """The account's token."""
    base_url: str = DEFAULT_BASE_URL
    """Where the service is."""
    timeout: float = 60.0
    """Seconds that one request may take, from connecting to the last byte."""
    retry: RetryPolicy = RetryPolicy()
    """How calls that may be repeated are repeated."""
    poll: PollPolicy = PollPolicy()
    """How tasks are watched."""
    limits: Limits = Limits()
    """What is asked of the service at once."""
    allow_http: bool = False
    """Whether the token may travel in the clear to a host other than this machine."""

    def __post_init__(self) -> None:
        if not self.api_key or not self.api_key.isascii() or not self.api_key.isprintable() or " " in self.api_key:
            raise ConfigError(
                "The API key is empty or holds blanks or characters that no token has: check how it was copied."
            )
        if not self.timeout > 0:
            raise ConfigError("timeout must be a positive number of seconds.")
        force_setattr(self, "api_key", Secret(self.api_key))
        _check_base(self.base_url, allow_http=self.allow_http)

    def __repr__(self) -> str:
        return f"SessionConfig(base_url={self.base_url!r}, timeout={self.timeout!r}, api_key='***')"

    def __rich_repr__(self) -> list[tuple[str, object]]:
        return [("base_url", self.base_url), ("timeout", self.timeout)]

    @classmethod
    def from_env(  # noqa: PLR0913 - settings, all optional
        cls,
        api_key: str | None = None,
        base_url: str | None = None,
        *,
        timeout: float = 60.0,
        retry: RetryPolicy | None = None,
        poll: PollPolicy | None = None,
        limits: Limits | None = None,
        allow_http: bool = False,
    ) -> Self:
        """Fill what is not given from A2E_API_KEY and A2E_BASE_URL; raise ConfigError if there is no key.

        A2E_MAX_PAUSE=0.01 is for tests against a sandbox: where the base URL is on this machine, nothing pauses for
        more seconds than that between two reads or repeats, whatever the policies say.
        """
        api_key = Secret((os.environ.get("A2E_API_KEY", "") if api_key is None else api_key).strip())
        if not api_key:
            raise ConfigError(
                "No API key: set A2E_API_KEY, or pass api_key=. Tokens are made on the service's page "
                "Account > API Token; to try without one, run `a2e demo`."
            )
        base = (base_url or os.environ.get("A2E_BASE_URL") or DEFAULT_BASE_URL).strip().rstrip("/")
        config = cls(
            api_key=api_key,
            base_url=base,
            timeout=timeout,
            retry=retry or RetryPolicy(),
            poll=poll or PollPolicy(),
            limits=limits or Limits(),
            allow_http=allow_http,
        )
        most = os.environ.get("A2E_MAX_PAUSE", "").strip()
        return _hurried(config, most) if most and is_loopback(urlsplit(base).hostname or "") else config


def _hurried(config: ConfigT, text: str) -> ConfigT:
    try:
        most = float(text)
    except ValueError:
        most = math.nan
    if not most > 0:
        raise ConfigError(f"A2E_MAX_PAUSE must be a positive number of seconds, not {text!r}.")
    poll, retry = config.poll, config.retry
    spans = {"shortest": min(poll.shortest, most), "longest": min(poll.longest, most)}
    # A test of what is missing must not wait for long; lists of a sandbox may lag by some readings all the same.
    spans["grace"] = min(poll.grace, 100 * most)
    pauses = {"base": min(retry.base, most), "longest": min(retry.longest, most)}
    return replace(config, poll=replace(poll, **spans), retry=replace(retry, **pauses))


def _check_base(base_url: str, *, allow_http: bool) -> None:
    try:
        url = urlsplit(base_url)
        odd = url.port == 0
    except ValueError:
        url, odd = urlsplit(""), True
    if "@" in base_url:
        raise ConfigError("base_url holds a user name or a password: A2E takes neither, only the API key.")
    odd = odd or not base_url.isascii() or not base_url.isprintable() or bool(set(base_url) & set(" \\?#"))
    if odd or url.scheme not in {"http", "https"} or not _PLAIN_HOST.fullmatch(url.netloc):
        raise ConfigError(f"base_url must look like {DEFAULT_BASE_URL}, not {base_url!r}.")
    if url.scheme == "http" and not (allow_http or is_loopback(url.hostname or "")):
        raise ConfigError(
            f"base_url {base_url!r} would send the token in the clear: use https, or say allow_http=True if "
            "everyone on the way may read it."
        )


def is_loopback(host: str) -> bool:
    """Tell whether a host name or address means this very machine (RFC 6761 for names)."""
    name = host.removesuffix(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback  # with a dot at its end it would be a name, and anybody's
    except ValueError:
        return False
