"""Reads what the package says about itself: docstrings of attributes, types and limits in words, evidence."""

import ast
import inspect
import re
import sys
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from itertools import pairwise
from os import PathLike
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NamedTuple, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec

import a2e_async
from a2e_async._endpoint import Endpoint
from a2e_async.groups._family import Family
from a2e_async.sandbox import contract
from a2e_async.sandbox.contract import Row
from a2e_async.tasks import TaskState, state_of
from docs.markup import link

MARKS = {
    "E1": "the source document: the vendor's page *Add User Face Swap Task* with its list of 66 entries",
    "E2a": "other pages of the vendor's documentation, 2024-12 to 2025-09",
    "E2b": "the vendor's OpenAPI document, a copy of 2026-08; strong on paths and parameters, weak on answers",
    "E3": "client code that shows signs of having been run against the service",
    "E4": "other client code",
    "G": "a guess, or analogy with other rows",
}
"""What an entry of the contract may rest on, strongest first."""

_MEDIA = {"picture": "picture", "video": "video", "audio": "recording"}


class MissingError(Exception):
    """Something public lacks the words or the example that its page needs."""


class Life(contract.Life, frozen=True):
    """The status words of a task, too."""

    running: tuple[str, ...] = ()
    succeeded: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()

    def states(self) -> dict[TaskState, list[str]]:
        """Return the words by the state that they mean."""
        found: dict[TaskState, list[str]] = {}
        for text in (*self.running, *self.succeeded, *self.failed):
            word = text.split("?")[0]
            found.setdefault(state_of(word), []).append(word)
        return found


class Evidence(Row, frozen=True):
    """A row of the contract, read for people."""

    task: Life | None = None

    def marks(self) -> str:
        """Return the marks of the sources, with what each tells."""
        return _named(self.evidence) or "none"

    def remarks(self) -> str:
        """Return the notes, less the sentences that speak of sources by marks only."""
        sentences = re.split(r"(?<=[.!])(?<!incl\.)\s+", _named(self.notes))
        return " ".join(s for s in sentences if re.match(r"[A-Z]", s) and "'s /" not in s)


def _named(text: str) -> str:
    return (
        text.replace("Seed ", "The source document ")
        .replace("The seed", "The source document")
        .replace("the seed", "the source document")
    )


@cache
def _contract() -> tuple[Evidence, ...]:
    text = files("a2e_async.sandbox").joinpath("contract.json").read_bytes()
    return msgspec.json.decode(text, type=tuple[Evidence, ...])


def evidence_of(endpoint: Endpoint[..., Any]) -> Evidence:
    """Return the row that an endpoint declares, by its own address or by another of its addresses."""
    rows = [row for row in _contract() if f"{row.method} {row.served_path}" == endpoint.label]
    others = [row for row in _contract() if endpoint.label in {f"{o.method} {o.path}" for o in row.alternatives}]
    return (rows + others)[0]


def shape_of(endpoint: Endpoint[..., Any]) -> str:
    """Return how the answer is read: one, many, page, several, text, plain or nothing."""
    return endpoint.answer.pick.__qualname__.partition(".")[0]


@cache
def class_node(cls: type) -> ast.ClassDef | None:
    """Return the source of a class; None for what is not written in a module."""
    source = sys.modules[cls.__module__].__file__
    if source is None:
        return None
    tree = ast.parse(Path(source).read_text(encoding="utf-8"))
    return next((node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == cls.__name__), None)


def attribute_docs(cls: type) -> dict[str, str]:
    """Return the docstrings that stand below the attributes of a class, inherited ones included."""
    found: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        node = class_node(base) if base.__module__.startswith("a2e_async") else None
        for name, text in described(node) if node else ():
            found.pop(name, None)
            if text:
                found[name] = prose(inspect.cleandoc(text))
    return found


def home_of(name: str) -> str:
    """Return the module that a name of the package comes from, as its imports for type checkers tell."""
    tree = ast.parse(Path(str(a2e_async.__file__)).read_text(encoding="utf-8"))
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    return next(str(node.module) for node in imports if name in {alias.name for alias in node.names})


def module_doc(module: str, name: str) -> str:
    """Return the docstring that stands below a name of a module; MissingError where there is none."""
    found = dict(described(ast.parse(Path(str(sys.modules[module].__file__)).read_text(encoding="utf-8"))))
    if not found.get(name):
        raise MissingError(f"{module}.{name} has no docstring")
    return prose(inspect.cleandoc(found[name]))


def described(node: ast.ClassDef | ast.Module) -> Iterator[tuple[str, str]]:
    """Yield what a class or module sets, in its body and when it is made, each with its docstring or none."""
    makers = [part.body for part in node.body if isinstance(part, ast.FunctionDef) and part.name == "__init__"]
    for body in (node.body, *makers):
        kind = "id" if body is node.body else "attr"  # a plain name in `__init__` is nobody's business
        for line, after in pairwise([*body, ast.Pass()]):
            target = line.targets[0] if isinstance(line, ast.Assign) else getattr(line, "target", None)
            name = getattr(target, kind, None)
            told = after.value if isinstance(after, ast.Expr) else None
            if name:
                yield name, str(told.value) if isinstance(told, ast.Constant) else ""


def own_doc(cls: type, name: str) -> str:
    """Return the docstring of an attribute, or that which all families share; MissingError where there is none."""
    text = attribute_docs(cls).get(name) or attribute_docs(Family).get(name)
    if not text:
        raise MissingError(f"{cls.__module__}.{cls.__name__}.{name} has no docstring")
    return text


def doc_of(item: object) -> str:
    """Return the docstring of a class or method; MissingError where there is none of its own."""
    text = inspect.cleandoc(vars(item).get("__doc__") or "") if isinstance(item, type) else inspect.getdoc(item)
    if not text:
        raise MissingError(f"{item!r} has no docstring")
    return prose(text)


def prose(text: str) -> str:
    """Turn a docstring into Markdown, less its references to the sections of another document."""
    return re.sub(r"\s*\(contract [^)]*\)", "", text).replace("``", "`")


class Kind(NamedTuple):
    """A type in words, and what its values are limited to."""

    words: str
    limits: str


def hints_of(cls: type) -> dict[str, Any]:
    """Return the annotations of a Struct with their limits."""
    return get_type_hints(cls, include_extras=True)


def kind_of(hint: Any) -> Kind:
    """Say in words what a parameter or field takes."""
    parts = list(_flat(hint))
    metas = [meta for part in parts for meta in getattr(part, "__metadata__", ())]
    limits = ", ".join(filter(None, (_limits(meta, hint) for meta in metas)))
    extra = next((meta.extra["media"] for meta in metas if meta.extra and "media" in meta.extra), None)
    if extra is None:
        return Kind(_words(hint), limits)
    medium = " or ".join(_MEDIA[name] for name in extra)
    words = f"URL or `Path` ({medium})" if extra else "URL"
    return Kind(f"list of: {words}" if any(get_origin(part) is list for part in parts) else words, limits)


def _flat(hint: Any) -> list[Any]:
    inner = [part for arg in get_args(hint) if get_origin(hint) is not Literal for part in _flat(arg)]
    return [hint, *inner] if not isinstance(hint, msgspec.Meta) else []


def _words(hint: Any) -> str:
    origin, args = get_origin(hint), get_args(hint)
    if isinstance(hint, TypeVar) or origin is Annotated:
        return _words(args[0] if args else hint.__bound__)
    if origin in {Union, UnionType, Literal}:
        words = [f"`{arg!r}`" if origin is Literal else _words(arg) for arg in args if arg not in {NoneType, PathLike}]
        return " or ".join(words)
    if origin is list:
        return f"list of {_words(args[0])}"
    plain = origin or hint
    if isinstance(plain, type) and plain.__module__.startswith("a2e_async.groups"):
        return link(plain.__name__)
    return f"`{getattr(plain, '__name__', plain)}`"


def _limits(meta: msgspec.Meta, hint: Any) -> str:
    least, most = meta.ge, meta.le
    unit = ""
    if least is None and most is None:
        least, most = meta.min_length, meta.max_length
        unit = " entries" if get_origin(hint) is list or "list[" in str(hint) else " characters"
        if least == 1 and most is None:
            return "not empty"
    if meta.pattern:
        return "not empty"
    if least is not None and least == most:
        return f"{least}{unit}"
    if least is not None and most is not None:
        return f"{least} to {most}{unit}"
    if least is not None:
        return f"at least {least}{unit}"
    return f"at most {most}{unit}" if most is not None else ""
