"""Writes the reference: one Markdown page for each group, out of the declarations themselves."""

import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FunctionType
from typing import Any, get_args, get_type_hints

import msgspec

import a2e_async
from a2e_async import batch, config, errors, job, outcomes, sandbox, session, watcher
from a2e_async._answer import Record
from a2e_async._endpoint import Endpoint, Group, subgroup
from a2e_async.files import Files
from a2e_async.groups import all_groups, endpoints
from a2e_async.tasks import KINDS, Task, TaskKind, TaskState
from a2e_async.webhooks import Webhooks
from docs import commands
from docs.calls import CONVENIENCES, EXAMPLES, example_of, key_of, script
from docs.classes import class_section, function_section, signature, wired
from docs.describe import (
    MARKS,
    MissingError,
    attribute_docs,
    class_node,
    described,
    doc_of,
    evidence_of,
    hints_of,
    home_of,
    kind_of,
    module_doc,
    own_doc,
    prose,
    shape_of,
)
from docs.markup import code, heading, link, table

COMMON = (
    session.A2ESession,
    Files,
    watcher.TaskWatcher,
    watcher.Transition,
    job.Job,
    batch.Batch,
    outcomes.Outcome,
    outcomes.BatchStatus,
    Webhooks,
    Task,
    Record,
    TaskState,
    TaskKind,
    config.SessionConfig,
    config.PollPolicy,
    config.WaitLimits,
    config.RetryPolicy,
    config.Limits,
    config.Limiter,
)
"""What is not a group, in the order in which one meets it."""

_RETURNS = {
    "one": "{record}",
    "many": "a list of {record}",
    "several": "a list of {record}",
    "page": "one page of {record}; iterate over `{name}.each(...)` for the records of all pages",
    "text": "`str`",
    "plain": "whatever JSON the service sends: its shape was never public",
    "nothing": "nothing",
}


def write(folder: Path) -> list[Path]:
    """Write all pages into a folder and return them; MissingError for what has no docstring or example."""
    folder.mkdir(parents=True, exist_ok=True)
    pages = {"session": session_page(), "sandbox": sandbox_page(), "commands": commands.page()}
    pages |= {group.noun: group_page(group) for group in all_groups()}
    for name, text in pages.items():
        (folder / f"{name}.md").write_text(text, encoding="utf-8")
    index = folder / "index.md"
    index.write_text(index_page(), encoding="utf-8")
    return [index, *(folder / f"{name}.md" for name in pages)]


def index_page() -> str:
    """List every endpoint, and say how sure each is."""
    found = [(group, endpoint) for group in all_groups() for endpoint in endpoints(group)]
    rows = [(link(key_of(e), f"{g.noun}.md"), f"`{e.label}`", evidence_of(e).confidence) for g, e in found]
    marks = [(f"**{mark}**", text) for mark, text in MARKS.items()]
    return f"""\
# Reference

Everything on these pages is generated from the declarations that the package sends requests by. What belongs to no
group is on the page [Session and watching](session.md). The examples take for granted a `face.jpg`, a `clip.mp4` and a
`voice.wav` where you are, and the variables that `a2e sandbox` prints; a name such as `fail: no face` makes the sandbox
fail the task.

## How sure this is {{ #evidence }}

Nobody here could reach the service. Each endpoint says what it rests on:

{table(("mark", "source"), marks)}

Confidence is about verb, path and parameters; answers are less well known. An endpoint of confidence low or unknown is
*provisional*: its first call in a session warns with `ProvisionalEndpointWarning`.

## All endpoints

{table(("attribute", "request", "confidence"), rows)}
"""


def group_page(group: type[Group]) -> str:
    """Describe a group: its endpoints, what joins them, and the records they answer."""
    parts = [f"# {group.noun}", doc_of(group)]
    for inner in _with_inner(group):
        if inner is not group:
            parts += [heading(2, inner.noun), doc_of(inner)]
        own = [endpoint for endpoint in endpoints(group) if endpoint.noun == inner.noun]
        parts += [endpoint_section(inner, endpoint) for endpoint in own]
        parts += [convenience_section(inner, name, method) for name, method in _conveniences(inner)]
    parts += [class_section(cls) for cls in _structs(group)]
    return "\n\n".join(parts) + "\n"


def _with_inner(group: type[Group]) -> list[type[Group]]:
    inner: list[subgroup[Any]] = [item for item in vars(group).values() if isinstance(item, subgroup)]
    return [group, *(item.group for item in inner)]


def session_page() -> str:
    """Describe what belongs to no group, and the tree of errors."""
    parts = ["# Session and watching", "Opening a session, files, watching, batches, webhooks, settings, errors."]
    parts += [class_section(cls) for cls in COMMON]
    parts += [other_section(name) for name in a2e_async.__all__ if name != "__version__"]
    tree = inspect.cleandoc(errors.__doc__ or "").partition("::\n\n")[2].partition("\n\nEach error")[0]
    parts += [heading(2, "Errors"), code(inspect.cleandoc(tree), "text")]
    for cls in vars(errors).values():
        if isinstance(cls, type) and issubclass(cls, Exception):
            parts += [heading(3, cls.__name__), doc_of(cls)]
            own = [(f"`{name}`", prose(text)) for name, text in described(class_node(cls)) if text]
            parts += [table(("attribute", "meaning"), own)] if own else []
    return "\n\n".join(filter(None, parts)) + "\n"


def other_section(name: str) -> str:
    """Describe a function or an alias that the package offers; nothing for what has its place elsewhere."""
    item = getattr(a2e_async, name)
    if isinstance(item, type | TaskKind):
        return ""
    if isinstance(item, FunctionType):
        return function_section(name, item)
    return f"{heading(2, name)}\n\n{module_doc(home_of(name), name)}"


def sandbox_page() -> str:
    """Describe what `a2e_async.sandbox` offers."""
    told = "What it answers, and what in it is invented, stands on [its own page](../sandbox.md)."
    parts = ["# Sandbox in Python", f"{doc_of(sandbox)} {told}"]
    for name in sorted(sandbox.__all__, key=lambda name: name != "Sandbox"):
        item = getattr(sandbox, name)
        parts.append(class_section(item) if isinstance(item, type) else function_section(name, item))
    return "\n\n".join(parts) + "\n"


def endpoint_section(group: type[Group], endpoint: Endpoint[..., Any]) -> str:
    """Describe one endpoint."""
    name = key_of(endpoint)
    if name not in EXAMPLES:
        raise MissingError(f"{name} has no example in docs/calls.py")
    parts = [
        heading(3, name),
        f"`{endpoint.label}`" + (f", or `{endpoint.also}` where that path is unknown" if endpoint.also else ""),
        own_doc(group, endpoint.name),
        _provision(endpoint),
        _parameters(endpoint),
        f"**Returns** {_returns(endpoint)}.",
        f"**Money and repeats.** {_repeats(endpoint)}",
        *(_life(kind) for kind in KINDS.values() if kind.start is endpoint),
        _errors(endpoint),
        code(example_of(endpoint)),
        _evidence(endpoint),
    ]
    return "\n\n".join(filter(None, parts))


def _provision(endpoint: Endpoint[..., Any]) -> str:
    if not endpoint.provisional:
        return ""
    return (
        '!!! warning "Provisional"\n\n    Never publicly documented: this is its best-supported form, and the service '
        "may know it under another path or with other fields, or not at all."
    )


def _parameters(endpoint: Endpoint[..., Any]) -> str:
    fields = {info.name: info for info in msgspec.structs.fields(endpoint.request)}
    hints, meanings = hints_of(endpoint.request), attribute_docs(endpoint.request)
    found = sorted(endpoint.parameters(), key=lambda p: (not fields[p.name].required, p.name.startswith("webhook")))
    rows = (
        (
            wired(p.name, p.wire),
            p.place,
            _kind(hints[p.name]),
            _default(fields[p.name]),
            meanings.get(p.name, ""),
        )
        for p in found
    )
    if not found:
        return "Takes no parameters."
    return table(("parameter", "place", "type", "default", "meaning"), rows)


def _kind(hint: Any) -> str:
    kind = kind_of(hint)
    return ", ".join(filter(None, kind))


def _default(info: msgspec.structs.FieldInfo) -> str:
    if info.required:
        return "required"
    if info.default is msgspec.NODEFAULT:
        return "empty"
    return f"`{info.default!r}`"


def _returns(endpoint: Endpoint[..., Any]) -> str:
    record = endpoint.answer.record
    name = link(record.__name__) if record else ""
    return _RETURNS[shape_of(endpoint)].format(record=name, name=endpoint.name)


def _repeats(endpoint: Endpoint[..., Any]) -> str:
    if endpoint.paid:
        return (
            "Taken to cost coins, so it is **never blindly sent twice**: when it was sent and no readable answer came, "
            "`SubmissionUncertainError` says what to look for. Only a 429 and a connection that was never made are "
            "repeated."
        )
    if endpoint.safe:
        return "Not marked as paid; repeated by itself after a lost answer, a 5xx and a 429."
    return (
        "Not marked as paid, but sending it twice may do it twice: after a lost answer it is not repeated, only after "
        "a 429 and a connection that was never made."
    )


def _life(kind: TaskKind[..., Any]) -> str:
    constant = kind.name.upper()
    task = evidence_of(kind.start).task
    if task is None:
        raise MissingError(f"the contract knows no states of {kind.name}")
    ways = {
        "details": "up to 200 ids in a request",
        "running": "a list of what runs",
        "records": "pages of records",
        "detail": "one by one",
    }
    found = [f"`{getattr(kind, name).name}` ({text})" for name, text in ways.items() if getattr(kind, name)]
    states = [(f"`{state.name}`", ", ".join(f"`{w}`" for w in words)) for state, words in task.states().items()]
    return f"""\
**Task kind `{constant}`.** Start, wait and return the finished task: `await a2e.run({constant}, ...)` with the
parameters above; watch one: `a2e.watch({constant}, task_id)`; many: `a2e.batch({constant})`.

{table(("state", "status words of the service"), states)}

Rounds of watching read it by {_listed(found)}. A wait without a deadline ends
after {kind.patience:g} s. A `FAILED` task raises `TaskFailedError`, or `ModerationError` where moderation stopped it.
The result is, by its name on the wire, {task.result_field}."""


def _listed(ways: list[str]) -> str:
    return " or, where the service does not offer that, ".join([ways[0], *ways[1:]])


def _errors(endpoint: Endpoint[..., Any]) -> str:
    fields = endpoint.parameters()
    takes_media = any("URL" in _kind(hint) for hint in hints_of(endpoint.request).values())
    rules = {
        "RequestError": bool(fields),
        "NotFoundError": any(p.name in {"id", "video_id", "channel"} for p in fields),
        "InsufficientCoinsError": endpoint.paid,
        "ModerationError": endpoint.paid or takes_media,
        "SubmissionUncertainError": endpoint.paid,
    }
    own = ", ".join(link(name, "session.md") for name, true in rules.items() if true)
    return f"**Errors** {own + ', and ' if own else ''}[what every call may raise](../errors.md#every-call)."


def _evidence(endpoint: Endpoint[..., Any]) -> str:
    row = evidence_of(endpoint)
    named = f"“{row.name}” in the source document, under *{row.group}*"
    where = named if row.in_seed else "not in the source document"
    marks = f"[{row.marks()}](index.md#evidence)"
    return f"**Evidence** Confidence {row.confidence}; {marks}; {where}. {row.remarks()}".strip()


def _conveniences(group: type[Group]) -> Iterator[tuple[str, Callable[..., Any]]]:
    for name, item in vars(group).items():
        if inspect.isfunction(item) and not name.startswith("_"):
            yield name, item


def convenience_section(group: type[Group], name: str, method: Callable[..., Any]) -> str:
    """Describe a method that joins several endpoints."""
    key = f"{group.noun}.{name}"
    if key not in CONVENIENCES:
        raise MissingError(f"{key} has no example in docs/calls.py")
    parts = [
        heading(3, key),
        signature(group, name, f"a2e.{key}"),
        doc_of(method),
        code(script(CONVENIENCES[key])),
    ]
    return "\n\n".join(parts)


def _structs(group: type[Group]) -> list[type]:
    """Return the classes that a group's page has to explain: answers, what they hold, what it yields."""
    seen: dict[type, None] = {}

    def add(hint: Any) -> None:
        for part in [hint, *get_args(hint)]:
            if part is not hint:
                add(part)
        own = isinstance(hint, type) and hint.__module__.startswith("a2e_async.groups")
        if own and not issubclass(hint, Group) and hint not in seen:
            seen[hint] = None
            for inner in hints_of(hint).values() if issubclass(hint, msgspec.Struct) else ():
                add(inner)

    for endpoint in endpoints(group):
        add(endpoint.answer.record)
        for hint in hints_of(endpoint.request).values():
            add(hint)
    for _, method in _conveniences(group):
        for hint in get_type_hints(method).values():
            add(hint)
    return list(seen)
