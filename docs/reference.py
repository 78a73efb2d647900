"""Writes the reference: one Markdown page for each group, out of the declarations themselves."""

import ast
import inspect
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast, get_args, get_type_hints

import msgspec

from a2e_async import batch, config, errors, session, watcher
from a2e_async._endpoint import Endpoint, Group, subgroup
from a2e_async._wire import Reply, Request
from a2e_async.files import Files
from a2e_async.groups import GROUPS
from a2e_async.sandbox.handlers import HANDLERS
from a2e_async.tasks import KINDS, Task, TaskKind, TaskState
from docs.describe import (
    MARKS,
    MissingError,
    attribute_docs,
    doc_of,
    evidence_of,
    hints_of,
    kind_of,
    own_doc,
    prose,
    shape_of,
)
from docs.examples import CONVENIENCES, EXAMPLES, example_of, key_of, script

COMMON = (
    session.A2ESession,
    Files,
    watcher.TaskWatcher,
    watcher.Transition,
    batch.Batch,
    batch.Outcome,
    Task,
    TaskState,
    TaskKind,
    config.PollPolicy,
    config.RetryPolicy,
    config.Limits,
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
    pages = {"session": session_page()} | {group.noun: group_page(group) for group in GROUPS}
    for name, text in pages.items():
        (folder / f"{name}.md").write_text(text, encoding="utf-8")
    index = folder / "index.md"
    index.write_text(index_page(), encoding="utf-8")
    return [index, *(folder / f"{name}.md" for name in pages)]


def index_page() -> str:
    """List every endpoint, and say how sure each is."""
    lines = [
        "# Reference",
        "",
        "Everything on these pages is generated from the declarations that the package sends requests by. What "
        "belongs to no group is on the page [Session and watching](session.md).",
        "",
        "## How sure this is { #evidence }",
        "",
        "Nobody here could reach the service. Each endpoint says what it rests on:",
        "",
        *_table(("mark", "source"), ((f"**{mark}**", text) for mark, text in MARKS.items())),
        "",
        "Confidence is about verb, path and parameters; answers are less well known. An endpoint of confidence low "
        "or unknown is *provisional*: its first call in a session warns with `ProvisionalEndpointWarning`.",
        "",
        "## All endpoints",
        "",
    ]
    found = [(group, endpoint) for group in GROUPS for endpoint in endpoints_of(group)]
    rows = [(_link(key_of(e), f"{g.noun}.md"), f"`{e.label}`", evidence_of(e).confidence) for g, e in found]
    return "\n".join([*lines, *_table(("attribute", "request", "confidence"), rows), ""])


def group_page(group: type[Group]) -> str:
    """Describe a group: its endpoints, what joins them, and the records they answer."""
    found = list(endpoints_of(group))
    parts = [f"# {group.noun}", doc_of(group)]
    for inner in (group, *(item.group for item in vars(group).values() if isinstance(item, subgroup))):
        if inner is not group:
            parts += [f"## {inner.noun} {{ #{_anchor(inner.noun)} }}", doc_of(inner)]
        parts += [endpoint_section(inner, e) for e in vars(inner).values() if isinstance(e, Endpoint)]
        parts += [convenience_section(inner, name, method) for name, method in _conveniences(inner)]
    parts += [class_section(cls) for cls in _structs(group, found)]
    return "\n\n".join(parts) + "\n"


def session_page() -> str:
    """Describe what belongs to no group, and the tree of errors."""
    parts = ["# Session and watching", "What is not an endpoint: opening a session, files, watching, batches, settings."]
    parts += [class_section(cls) for cls in COMMON]
    tree = inspect.cleandoc(errors.__doc__ or "").partition("::\n\n")[2].partition("\n\nEach error")[0]
    parts += ["## Errors { #errors }", f"```text\n{inspect.cleandoc(tree)}\n```"]
    parts += [f"### {cls.__name__} {{ #{_anchor(cls.__name__)} }}\n\n{doc_of(cls)}" for cls in _error_classes()]
    return "\n\n".join(parts) + "\n"


def _error_classes() -> list[type]:
    found = [item for item in vars(errors).values() if isinstance(item, type)]
    return [cls for cls in found if issubclass(cls, Exception | Warning)]


def endpoints_of(group: type[Group]) -> Iterator[Endpoint[..., Any]]:
    """Yield the endpoints of a group and of the groups in it."""
    for item in vars(group).values():
        if isinstance(item, Endpoint):
            yield item
        elif isinstance(item, subgroup):
            yield from endpoints_of(item.group)


def endpoint_section(group: type[Group], endpoint: Endpoint[..., Any]) -> str:
    """Describe one endpoint."""
    name = key_of(endpoint)
    if name not in EXAMPLES:
        raise MissingError(f"{name} has no example in docs/examples.py")
    parts = [
        f"### {name} {{ #{_anchor(name)} }}",
        f"`{endpoint.label}`",
        own_doc(group, endpoint.name),
        _provision(endpoint),
        _parameters(endpoint),
        f"**Returns** {_returns(endpoint)}.",
        f"**Money and repeats.** {_repeats(endpoint)}",
        *(_life(kind) for kind in KINDS.values() if kind.start is endpoint),
        _errors(endpoint),
        f"```python\n{example_of(endpoint)}\n```",
        "" if served(endpoint) else "The sandbox does not serve this row, so the example runs at the service only.",
        _evidence(endpoint),
    ]
    return "\n\n".join(filter(None, parts))


def served(endpoint: Endpoint[..., Any]) -> bool:
    """Tell whether the sandbox has a handler for an endpoint's row."""
    row = evidence_of(endpoint)
    return (row.method, row.served_path or "") in HANDLERS


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
            f"`{p.name}`" + (f"<br>on the wire `{p.wire}`" if p.wire != p.name else ""),
            p.place,
            _kind(hints[p.name]),
            _default(fields[p.name]),
            meanings.get(p.name, ""),
        )
        for p in found
    )
    if not found:
        return "Takes no parameters."
    return "\n".join(_table(("parameter", "place", "type", "default", "meaning"), rows))


def _kind(hint: Any) -> str:
    kind = kind_of(hint)
    return ", ".join(filter(None, kind))


def _default(info: msgspec.structs.FieldInfo) -> str:
    if info.required:
        return "required"
    if info.default is msgspec.NODEFAULT:
        return "empty"
    return "–" if info.default is None else f"`{info.default!r}`"


def _returns(endpoint: Endpoint[..., Any]) -> str:
    record = endpoint.answer.record
    name = _link(record.__name__) if record else ""
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
    ways = [("details", "up to 200 ids in a request"), ("running", "a list of what runs"), ("records", "pages of records")]
    found = [f"`{getattr(kind, name).name}` ({text})" for name, text in ways if getattr(kind, name)]
    lines = [
        f"**Task kind `{constant}`.** Start, wait and return the finished task: `await a2e.run({constant}, ...)` with "
        f"the parameters above; watch one: `a2e.watch({constant}, task_id)`; many: `a2e.batch({constant})`.",
        "",
        *_table(
            ("state", "status words of the service"),
            ((f"`{s.name}`", ", ".join(f"`{w}`" for w in words)) for s, words in task.states().items()),
        ),
        "",
        f"Rounds of watching read it by {_listed([*found, f'`{kind.detail.name}` (one by one)'])}. A wait without a "
        f"deadline ends after {kind.patience:g} s. `FAILED` raises `TaskFailedError`, or `ModerationError` where "
        "moderation stopped it.",
    ]
    return "\n".join(lines)


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
    own = ", ".join(_link(name, "session.md") for name, true in rules.items() if true)
    return f"**Errors** {own + ', and ' if own else ''}[what every call may raise](../errors.md#every-call)."


def _evidence(endpoint: Endpoint[..., Any]) -> str:
    row = evidence_of(endpoint)
    where = f"“{row.name}” in the source document, under *{row.group}*" if row.in_seed else "not in the source document"
    marks = row.evidence or "none"
    return f"**Evidence** Confidence {row.confidence}; [{marks}](index.md#evidence); {where}. {row.remarks()}".strip()


def _conveniences(group: type[Group]) -> Iterator[tuple[str, Callable[..., Any]]]:
    for name, item in vars(group).items():
        if inspect.isfunction(item) and not name.startswith("_"):
            yield name, item


def convenience_section(group: type[Group], name: str, method: Callable[..., Any]) -> str:
    """Describe a method that joins several endpoints."""
    key = f"{group.noun}.{name}"
    if key not in CONVENIENCES:
        raise MissingError(f"{key} has no example in docs/examples.py")
    parts = [
        f"### {key} {{ #{_anchor(key)} }}",
        _signature(group, name, f"a2e.{key}"),
        doc_of(method),
        f"```python\n{script(CONVENIENCES[key])}\n```",
    ]
    return "\n\n".join(parts)


def _signature(cls: type, name: str, called: str) -> str:
    tree = ast.parse(Path(str(sys.modules[cls.__module__].__file__)).read_text(encoding="utf-8"))
    node = next(n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == cls.__name__)
    functions = [n for n in node.body if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef) and n.name == name]
    forms = [f for f in functions if any(ast.unparse(d) == "overload" for d in f.decorator_list)] or functions
    return "```text\n" + "\n".join(_form(form, called) for form in forms) + "\n```"


def _form(node: ast.FunctionDef | ast.AsyncFunctionDef, called: str) -> str:
    arguments = [ast.unparse(part) for part in _arguments(node)]
    answer = ast.unparse(node.returns) if node.returns else ""
    yields = any(isinstance(part, ast.Yield) for part in ast.walk(node))
    managed = any("contextmanager" in ast.unparse(mark) for mark in node.decorator_list)
    how = "async with " if managed else "async for ... in " if yields else "await "
    how = how if isinstance(node, ast.AsyncFunctionDef) else ""
    line = f"{how}{called}({', '.join(arguments)})"
    if len(line) > 96:  # noqa: PLR2004 - what fits on the page
        line = f"{how}{called}(\n    " + ",\n    ".join(arguments) + ",\n)"
    return f"{line} -> {answer}" if answer not in {"", "None"} else line


def _arguments(node: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[ast.AST]:
    found = ast.unparse(node.args)
    tree = cast("ast.FunctionDef", ast.parse(f"def f({found}): ...").body[0]).args
    defaults = [None] * (len(tree.args) - len(tree.defaults)) + list(tree.defaults)
    pairs = list(zip(tree.args, defaults, strict=True))[1:]
    yield from (_argument(arg, default) for arg, default in pairs)
    if tree.vararg:
        yield ast.Name(f"*{ast.unparse(tree.vararg)}")
    elif tree.kwonlyargs:
        yield ast.Name("*")
    yield from (_argument(arg, d) for arg, d in zip(tree.kwonlyargs, tree.kw_defaults, strict=True))
    if tree.kwarg:
        yield ast.Name(f"**{ast.unparse(tree.kwarg)}")


def _argument(arg: ast.arg, default: ast.expr | None) -> ast.AST:
    return ast.Name(ast.unparse(arg) + (f" = {ast.unparse(default)}" if default else ""))


def _structs(group: type[Group], found: list[Endpoint[..., Any]]) -> list[type]:
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

    for endpoint in found:
        add(endpoint.answer.record)
        for hint in hints_of(endpoint.request).values():
            add(hint)
    for _, method in _conveniences(group):
        for hint in get_type_hints(method).values():
            add(hint)
    return list(seen)


def class_section(cls: type) -> str:
    """Describe a class: what it is, its fields, its methods."""
    level = "##"
    parts = [f"{level} {cls.__name__} {{ #{_anchor(cls.__name__)} }}", doc_of(cls)]
    if "__init__" in vars(cls) and not issubclass(cls, Exception) and cls in {session.A2ESession}:
        parts.append(_signature(cls, "__init__", cls.__name__))
    rows = _fields(cls)
    if rows:
        parts.append("\n".join(_table(("attribute", "type", "meaning"), rows)))
    for name, item in vars(cls).items():
        if inspect.isfunction(item) and not name.startswith("_") and name not in {"problem"} and item.__doc__:
            parts += [f"### {cls.__name__}.{name}", _signature(cls, name, name), doc_of(item)]
    return "\n\n".join(parts)


def _fields(cls: type) -> list[tuple[str, str, str]]:
    meanings = attribute_docs(cls)
    if not issubclass(cls, msgspec.Struct):
        return [(f"`{name}`", "", text) for name, text in meanings.items() if not name.startswith("_")]
    hints, wires = hints_of(cls), {f.name: f.encode_name for f in msgspec.structs.fields(cls)}
    shown = [(n, w) for n, w in wires.items() if not n.startswith("_")]
    rows = [
        (
            f"`{name}`" + (f"<br>on the wire `{wire}`" if wire != name and issubclass(cls, Reply | Request) else ""),
            _kind(hints[name]),
            meanings.get(name, ""),
        )
        for name, wire in shown
    ]
    known = {name for base in cls.__mro__ for name, item in vars(base).items() if isinstance(item, property)}
    for name in sorted(n for n in known if not n.startswith("_") and n != "source"):
        getter = cast("property", inspect.getattr_static(cls, name)).fget
        rows.append((f"`{name}`", _kind(get_type_hints(getter).get("return")), prose(inspect.getdoc(getter) or "")))
    return rows


def _table(head: tuple[str, ...], rows: Any) -> list[str]:
    lines = [head, tuple("---" for _ in head), *rows]
    return ["| " + " | ".join(cell.replace("\n", " ").replace("|", "\\|") for cell in row) + " |" for row in lines]


def _link(name: str, page: str = "") -> str:
    return f"[`{name}`]({page}#{_anchor(name)})"


def _anchor(name: str) -> str:
    return name.lower().replace(".", "-")
