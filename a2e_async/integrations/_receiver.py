"""Callbacks of the service, for whatever session an app has opened by the time they come."""

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from a2e_async._secret import Secret
from a2e_async.session import A2ESession
from a2e_async.webhooks import Webhooks, check_token

OnTask: TypeAlias = Callable[[str], Awaitable[None] | None]


class Receiver:
    """Makes the `Webhooks` of a session when it is known; `ConfigError` for a bad token at once."""

    def __init__(self, token: str, on_task: OnTask | None) -> None:
        token = Secret(token)  # the locals of a frame may be shown
        check_token(token)
        self._token, self._on_task = token, on_task
        self._made: tuple[A2ESession, Webhooks] | None = None

    def of(self, a2e: A2ESession) -> Webhooks:
        """Return what hands callbacks to the watchers of that session: the same each time, as it knows repeats."""
        if self._made is None or self._made[0] is not a2e:
            self._made = a2e, Webhooks(a2e, token=self._token, on_task=self._on_task)
        return self._made[1]
