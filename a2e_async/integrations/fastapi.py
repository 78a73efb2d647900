"""FastAPI: what there is for Starlette, and the session as a dependency: ``async def start(a2e: A2EDep)``."""

from typing import Annotated

from a2e_async.session import A2ESession

try:
    from fastapi import Depends
    from fastapi.requests import HTTPConnection
except ImportError as error:
    raise ImportError("this needs FastAPI: pip install 'a2e-async[fastapi]'") from error

from a2e_async.integrations.starlette import a2e_lifespan, answer_error, get_session, task_events, webhook_route

__all__ = ["A2EDep", "a2e_lifespan", "answer_error", "get_session", "task_events", "webhook_route"]


async def _session(connection: HTTPConnection) -> A2ESession:
    return get_session(connection)  # by itself it would be called in a thread


A2EDep = Annotated[A2ESession, Depends(_session)]
"""The app's session."""
