"""Describes classes and methods: what they are, their fields, how they are called."""

import ast
import inspect
from collections.abc import Iterator
from functools import cached_property
from types import FunctionType, NoneType
from typing import Any, cast, get_args, get_type_hints

import msgspec

from a2e_async._wire import Reply, Request
from docs.describe import attribute_docs, class_node, doc_of, hints_of, kind_of, module_doc, prose
from docs.markup import code, heading, table

_WIDTH = 84


def class_section(cls: type[object]) -> str:
    """Describe a class with its fields and methods; one that is made by its users, with how."""
    parts = [heading(2, cls.__name__), doc_of(cls)]
    if "async with" in doc_of(cls):
        parts.append(signature(cls, "__init__", cls.__name__))
    rows = [*_fields(cls), *_properties(cls)]
    if any(kind for _, kind, _ in rows):
        parts.append(table(("attribute", "type", "meaning"), rows))
    elif rows:
        parts.append(table(("attribute", "meaning"), [(name, meaning) for name, _, meaning in rows]))
    for name, item in methods(cls).items():
        called = name if isinstance(item, FunctionType) else f"{cls.__name__}.{name}"
        parts += [f"### {cls.__name__}.{name}", signature(cls, name, called), doc_of(getattr(cls, name))]
    return "\n\n".join(parts)


def methods(cls: type) -> dict[str, object]:
    """Return the public methods of a class of its own, static ones and those of the class included."""
    if issubclass(cls, Request):
        return {}
    kinds = FunctionType | classmethod | staticmethod
    return {name: item for name, item in vars(cls).items() if isinstance(item, kinds) and not name.startswith("_")}


def function_section(name: str, function: FunctionType) -> str:
    """Describe a function that belongs to no class; one that is made by another is called as its docstring says."""
    if function.__doc__ is None:
        return "\n\n".join([heading(2, name), code(f"{name}(...)", "text"), module_doc(function.__module__, name)])
    return "\n\n".join([heading(2, name), code(f"{name}{inspect.signature(function)}", "text"), doc_of(function)])


def _fields(cls: type) -> list[tuple[str, str, str]]:
    meanings = {name: text for name, text in attribute_docs(cls).items() if not name.startswith("_")}
    if not issubclass(cls, msgspec.Struct):
        return [(f"`{name}`", "", text) for name, text in meanings.items()]
    hints, travels = hints_of(cls), issubclass(cls, Reply | Request)
    return [
        (wired(f.name, f.encode_name if travels else f.name), _may_be_none(hints[f.name]), meanings.get(f.name, ""))
        for f in msgspec.structs.fields(cls)
    ]


def _properties(cls: type) -> list[tuple[str, str, str]]:
    kinds = property | cached_property
    found = {name: item for base in cls.__mro__ for name, item in vars(base).items() if isinstance(item, kinds)}
    return [
        (f"`{name}`", _answered(item), prose(inspect.getdoc(item) or ""))
        for name, item in found.items()
        if not name.startswith("_")
    ]


def _answered(item: property | cached_property[Any]) -> str:
    # What is loaded at first use only has no type before.
    return _may_be_none(get_type_hints(item.fget).get("return")) if isinstance(item, property) else ""


def wired(name: str, wire: str) -> str:
    """Return a name with the one that it has on the wire, if that is another."""
    return f"`{name}`" if name == wire else f"`{name}`<br>on the wire `{wire}`"


def _may_be_none(hint: Any) -> str:
    kind = kind_of(hint)
    none = " or `None`" if NoneType in get_args(hint) else ""
    return ", ".join(filter(None, (kind.words + none, kind.limits)))


def signature(cls: type, name: str, called: str) -> str:
    """Return how a method is called, each of its overloads."""
    functions = [
        part
        for part in cast("ast.ClassDef", class_node(cls)).body
        if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef) and part.name == name
    ]
    forms = [f for f in functions if any(ast.unparse(mark) == "overload" for mark in f.decorator_list)] or functions
    return code("\n".join(_form(form, called) for form in forms), "text")


def _form(node: ast.FunctionDef | ast.AsyncFunctionDef, called: str) -> str:
    how, answer = "", ast.unparse(node.returns).replace("'", "") if node.returns else ""
    if isinstance(node, ast.AsyncFunctionDef):
        how = "await "
        if any("contextmanager" in ast.unparse(mark) for mark in node.decorator_list):
            how = "async with "
        elif any(isinstance(part, ast.Yield) for part in ast.walk(node)):
            how = "async for ... in "
    arguments = list(_arguments(node.args))
    after = f" -> {answer}" if answer not in {"", "None"} else ""
    line = f"{how}{called}({', '.join(arguments)}){after}"
    return line if len(line) <= _WIDTH else f"{how}{called}(\n    " + ",\n    ".join(arguments) + f",\n){after}"


def _arguments(args: ast.arguments) -> Iterator[str]:
    missing: list[ast.expr | None] = [None] * (len(args.args) - len(args.defaults))
    defaults = [*missing, *args.defaults]
    yield from (_argument(arg, default) for arg, default in zip(args.args[1:], defaults[1:], strict=True))
    if args.vararg:
        yield f"*{ast.unparse(args.vararg)}"
    elif args.kwonlyargs:
        yield "*"
    yield from (_argument(arg, default) for arg, default in zip(args.kwonlyargs, args.kw_defaults, strict=True))
    if args.kwarg:
        yield f"**{ast.unparse(args.kwarg)}"


def _argument(arg: ast.arg, default: ast.expr | None) -> str:
    text = ast.unparse(arg).replace("'", "")
    return f"{text} = {ast.unparse(default)}" if default else text
