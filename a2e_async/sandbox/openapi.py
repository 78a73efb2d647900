"""The contract as an OpenAPI 3.1 document: what the sandbox answers to, for generators and browsers of APIs."""

import re
from collections.abc import Sequence
from functools import cache

import msgspec
from aiohttp import web

from a2e_async._version import __version__
from a2e_async.sandbox.check import demanded
from a2e_async.sandbox.contract import Param
from a2e_async.sandbox.handlers import HANDLERS
from a2e_async.sandbox.routing import OPEN, Route, routes
from a2e_async.sandbox.schemas import Schema, data_schema, typed

PATH = "/openapi.json"
_ABOUT = """\
A2E as public documents show it and as the sandbox of a2e-async serves it. Each operation says how sure its verb, path \
and parameters are; `x-confidence` marks what was never publicly documented. Rows that the sandbox does not serve \
answer 501.\
"""
_REFUSAL: Schema = {"$ref": "#/components/schemas/Refusal"}
_COMPONENTS = {
    "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "description": "An API token, sk_..."}},
    "schemas": {
        "Refusal": {
            "type": "object",
            "properties": {
                "code": {"type": "integer", "not": {"const": 0}, "description": "1003 and 1004: moderation, final"},
                "msg": {"type": "string"},
                "trace_id": {"type": "string"},
            },
            "required": ["code", "msg"],
        }
    },
    "responses": {
        "Refused": {"description": "Refused", "content": {"application/json": {"schema": _REFUSAL}}},
        "Missing": {
            "description": "No such record; a page where there is no such path",
            "content": {"application/json": {"schema": _REFUSAL}, "text/html": {}},
        },
    },
}
_REFUSED, _MISSING = ({"$ref": f"#/components/responses/{name}"} for name in ("Refused", "Missing"))


@cache
def document() -> Schema:
    """Return the document, which all callers share."""
    paths: dict[str, Schema] = {}
    for (method, shape), route in routes().items():
        hole = next((param.bare for param in route.params if param.place == "path"), "")
        path = shape.replace("{}", f"{{{hole}}}")
        paths.setdefault(path, {})[method.lower()] = _operation(method, path, route)
    return {
        "openapi": "3.1.0",
        "info": {"title": "A2E", "version": __version__, "description": _ABOUT},
        "servers": [{"url": "/"}],
        "security": [{"token": []}],
        "paths": paths,
        "components": _COMPONENTS,
    }


def response() -> web.Response:
    """Return the document as an answer."""
    return web.Response(body=_encoded(), content_type="application/json")


@cache
def _encoded() -> bytes:
    return msgspec.json.encode(document())


def _operation(method: str, path: str, route: Route) -> Schema:
    row = route.row
    home = row.method, row.served_path or ""
    served, other = HANDLERS.get(home), "" if home == (method, path) else f"Another form of {' '.join(home)}."
    params, optional = (route.params + served.more, served.optional) if served else (route.params, frozenset[str]())
    operation: Schema = {
        "operationId": "_".join(re.findall(r"[^\W_]+", f"{method.lower()}{path.removeprefix('/api')}")),
        "tags": [row.group],
        "summary": row.name,
        "description": " ".join(filter(None, [other, row.notes, f"Confidence: {row.confidence}."])),
        "parameters": [_parameter(param, optional) for param in params if param.place != "body"],
        "responses": (_successes(route) if served else {"501": _REFUSED}) | {"4XX": _REFUSED, "404": _MISSING},
    }
    if body := [param for param in params if param.place == "body"]:
        operation["requestBody"] = _body(body, optional)
    if row.provisional:
        operation["x-confidence"] = row.confidence
    if path in OPEN:
        operation["security"] = []
    return operation


def _successes(route: Route) -> Schema:
    # Some notes name a further status, such as that of what is still being made.
    return {status: _success(route) for status in ("200", *re.findall(r"HTTP (2\d\d)", route.row.notes))}


def _success(route: Route) -> Schema:
    envelope: Schema = {
        "type": "object",
        "properties": {
            "code": {"const": 0},
            "data": data_schema(route.row.response),
            "trace_id": {"type": "string"},
        },
        "required": ["code", "data"],
    }
    content: Schema = {"application/json": {"schema": {"oneOf": [envelope, _REFUSAL]}}}
    if any(param.name == "stream" for param in route.params):
        content["text/event-stream"] = {}
    return {"description": "Success, where code is 0", "content": content}


def _parameter(param: Param, optional: frozenset[str]) -> Schema:
    return {
        "name": param.bare,
        "in": param.place,
        "required": demanded(param, optional),
        "schema": _value(param, optional),
        **_described(param),
    }


def _body(params: Sequence[Param], optional: frozenset[str]) -> Schema:
    required = [param.bare for param in params if demanded(param, optional)]
    properties = {param.bare: _value(param, optional) | _described(param) for param in params}
    schema: Schema = {"type": "object", "properties": properties, "required": required}
    return {"required": bool(required), "content": {"application/json": {"schema": schema}}}


def _described(param: Param) -> Schema:
    return {"description": param.description} if param.description else {}


def _value(param: Param, optional: frozenset[str]) -> Schema:
    schema = typed(param.type)
    if param.type == "string" and demanded(param, optional):
        schema["minLength"] = 1
    if param.enum:
        schema["enum"] = param.enum
    # Some of the contract's defaults are sentences.
    if param.default is not None and " " not in str(param.default):
        schema["default"] = param.default
    return schema
