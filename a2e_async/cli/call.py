"""`a2e call`: any declared endpoint, by its name."""

import contextlib
import json
import warnings
from collections.abc import Generator, Sequence
from typing import Any, cast

import msgspec

from a2e_async._answer import Page
from a2e_async._endpoint import Endpoint
from a2e_async._fields import Fields, did_you_mean
from a2e_async._saying import say
from a2e_async._wire import Request
from a2e_async.cli._terminal import give, if_interrupted
from a2e_async.errors import ProvisionalEndpointWarning, RequestError
from a2e_async.groups import endpoints
from a2e_async.session import A2ESession


async def run(*, target: str, fields: list[str], as_json: bool) -> int:
    """Call the endpoint and print what it answers."""
    endpoint = _endpoint(target)
    try:
        request = _request(Fields(endpoint.request), fields)
    except RequestError as error:
        raise RequestError(str(error), endpoint=target) from None
    async with A2ESession() as a2e:
        with _as_lines(), if_interrupted(lambda: f"The service may have carried out {target} all the same."):
            reply = await _reply(a2e, endpoint, request)
    give(reply if isinstance(reply, str) and not as_json else json.dumps(_builtins(reply)))
    return 0


def _endpoint(target: str) -> Endpoint[..., Any]:
    known = {f"{endpoint.noun}.{endpoint.name}": endpoint for endpoint in endpoints()}
    if target in known:
        return known[target]
    group = target if any(name.startswith(f"{target}.") for name in known) else target.rpartition(".")[0]
    inside = [name for name in known if group and name.startswith(f"{group}.")]
    hint = did_you_mean(target, known)
    if inside:
        raise RequestError(f"no endpoint {target!r}: {hint}{group} has {', '.join(inside)}.")
    groups = dict.fromkeys(name.rpartition(".")[0] for name in known)
    hint = hint or did_you_mean(group or target, groups)
    raise RequestError(f"no group {group or target!r}: {hint}Groups: {', '.join(groups)}.")


def _request(fields: Fields, words: Sequence[str]) -> Request:
    given: dict[str, list[str]] = {}
    for word in words:
        key, equals, text = word.partition("=")
        if not equals:
            raise RequestError(f"{word!r} is no key=value.")
        given.setdefault(fields.attribute(key), []).append(text)
    for name, texts in given.items():
        if len(texts) > 1 and not fields.repeatable(name):
            raise RequestError("given more than once, but it is no list.", field=name)
    return fields.request({name: texts if len(texts) > 1 else texts[0] for name, texts in given.items()})


async def _reply(a2e: A2ESession, endpoint: Endpoint[..., Any], request: Request) -> object:
    if getattr(request, "stream", False):
        return "".join([text async for text in a2e.stream(endpoint, request)])
    return await a2e.call(endpoint, request)


def _builtins(reply: object) -> object:
    if isinstance(reply, Page):
        page = cast("Page[object]", reply)
        return {"count": page.count, "items": msgspec.to_builtins(page.items)}
    return msgspec.to_builtins(reply)


@contextlib.contextmanager
def _as_lines() -> Generator[None]:
    """Show the warning about endpoints that were never documented as a line, whatever filters say."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ProvisionalEndpointWarning)
        try:
            yield
        finally:
            for warning in caught:
                say(f"a2e: warning: {warning.message}")
