"""The contract as an OpenAPI document: every row with all that is known of it, and how sure that is."""

import json

import pytest

from a2e_async.sandbox import contract, openapi
from a2e_async.sandbox.handlers import HANDLERS
from a2e_async.sandbox.routing import OPEN
from a2e_async.sandbox.schemas import data_schema, typed

DOCUMENT = json.loads(json.dumps(openapi.document()))
OPERATIONS = {
    (method.upper(), path): operation for path, item in DOCUMENT["paths"].items() for method, operation in item.items()
}
ADD = OPERATIONS["POST", "/api/v1/userFaceSwapTask/add"]


def body(operation):
    return operation["requestBody"]["content"]["application/json"]["schema"]


def data(operation):
    answer, _ = operation["responses"]["200"]["content"]["application/json"]["schema"]["oneOf"]
    return answer["properties"]["data"]


@pytest.mark.anyio
async def test_the_sandbox_serves_it_to_anybody(call):
    reply = await call("GET", "/openapi.json", headers={"Authorization": ""})
    assert (reply.status, reply.json) == (200, DOCUMENT)
    assert DOCUMENT["openapi"].startswith("3.1.")


def test_every_row_and_every_other_form_of_it_is_in():
    rows = [row for row in contract.rows() if row.served_path]
    assert {(row.method, row.served_path) for row in rows} <= set(OPERATIONS)
    others = {(other.method, other.path) for row in rows for other in row.alternatives}
    assert set(OPERATIONS) == {(row.method, row.served_path) for row in rows} | others
    assert len({operation["operationId"] for operation in OPERATIONS.values()}) == len(OPERATIONS)


def test_each_row_says_how_sure_it_is():
    for row in contract.rows():
        if row.served_path:
            operation = OPERATIONS[row.method, row.served_path]
            assert operation["summary"] == row.name
            assert operation["description"].endswith(f"Confidence: {row.confidence}.")
            assert row.notes in operation["description"]
            assert operation.get("x-confidence") == (row.confidence if row.confidence in {"low", "unknown"} else None)


def test_what_the_sandbox_does_not_serve_answers_501():
    served = {home for home, operation in OPERATIONS.items() if "200" in operation["responses"]}
    assert set(HANDLERS) <= served
    assert {home for home, operation in OPERATIONS.items() if "501" in operation["responses"]} == set(
        OPERATIONS
    ) - served


def test_a_token_is_needed_but_where_none_is():
    assert DOCUMENT["security"] == [{"token": []}]
    assert {path for (_, path), operation in OPERATIONS.items() if operation.get("security") == []} == OPEN


def test_parameters_stand_where_they_are_sent():
    assert body(ADD)["required"] == ["name", "face_url", "video_url"]
    assert body(ADD)["properties"]["model_version"] == {
        "type": "string",
        "enum": ["v1", "v2"],
        "default": "v1",
        "description": body(ADD)["properties"]["model_version"]["description"],
    }
    records = OPERATIONS["GET", "/api/v1/userFaceSwapTask/records"]["parameters"]
    assert [(param["name"], param["in"], param["schema"]["default"]) for param in records] == [
        ("pageNum", "query", 1),
        ("pageSize", "query", 10),
    ]
    (in_path,) = OPERATIONS["GET", "/api/v1/userFaceSwapTask/{_id}"]["parameters"]
    assert (in_path["name"], in_path["in"], in_path["required"]) == ("_id", "path", True)
    start = OPERATIONS["POST", "/api/v1/userVideoTwin/startTraining"]
    assert [(param["name"], param["in"]) for param in start["parameters"]] == [("x-lang", "header")]
    for (_, path), operation in OPERATIONS.items():
        holes = [param["name"] for param in operation["parameters"] if param["in"] == "path" and param["required"]]
        assert [f"{{{name}}}" in path for name in holes] == [True] * path.count("{")


def test_another_form_sends_them_elsewhere():
    by_get, by_post = (OPERATIONS[method, "/api/v1/video/awsList"] for method in ("GET", "POST"))
    assert [param["in"] for param in by_get["parameters"]] == ["query", "query"]
    assert set(body(by_post)["properties"]) == {"current", "pageSize"}
    assert by_post["description"].startswith("Another form of GET /api/v1/video/awsList.")


def test_what_the_sandbox_does_without_is_not_demanded_and_its_guesses_are_told():
    assert "audioSrc" not in body(OPERATIONS["POST", "/api/v1/video/generate"])["required"]
    login = OPERATIONS["POST", "/api/login/account"]
    assert (body(login)["required"], set(body(login)["properties"])) == ([], {"account", "password"})
    retry = OPERATIONS["POST", "/api/v1/userVideoTwin/retry"]
    assert body(retry)["properties"] == {"_id": {"type": "string"}}


def test_sentences_are_no_defaults():
    defaults = [
        value["default"]
        for operation in OPERATIONS.values()
        if "requestBody" in operation
        for value in body(operation)["properties"].values()
        if "default" in value
    ]
    assert defaults
    assert not [default for default in defaults if " " in str(default)]


def test_answers_are_told_as_far_as_they_are_known():
    records = data(OPERATIONS["GET", "/api/v1/userFaceSwapTask/records"])
    assert (records["type"], records["properties"]["count"]) == ("object", {"type": "integer"})
    assert records["properties"]["rows"]["items"]["properties"]["_id"] == {"type": "string"}
    assert data(OPERATIONS["GET", "/api/v1/userVideoTwin/allCustomLipsync"]) == {}
    extension = OPERATIONS["POST", "/api/v1/userImage2Video/prompt_extension"]
    assert "text/event-stream" in extension["responses"]["200"]["content"]


@pytest.mark.parametrize(
    ("text", "schema"),
    [
        ("string", {"type": "string"}),
        ("string|integer|null", {"type": ["string", "integer", "null"]}),
        ("female|male", {"type": "string", "enum": ["female", "male"]}),
        ("array[string] (may already be filled)", {"type": "array", "items": {"type": "string"}}),
        ("integer 0..100", {"type": "integer", "minimum": 0, "maximum": 100}),
        ("string or array", {"type": ["string", "array"]}),
        ("ARRAY of running tasks", {"type": "array"}),
        ("ISO string", {"type": "string"}),
        ("string ('' at start, null when done)", {"type": ["string", "null"]}),
        ("object (array possible with more: not settled)", {}),
        ("unspecified (guess: {} or the deleted record)", {}),
        ("records of the last 24 h", {}),
        ("null", {}),
    ],
)
def test_prose_is_read_as_far_as_it_names_a_type(text, schema):
    found = typed(text)
    assert found.pop("description", text) == text
    assert found == schema


def test_paths_become_nested_schemas():
    response = {"code": "integer", "data.rows[].urls[]": "string", "data.total?": "integer", "trace_id": "string"}
    assert data_schema(response) == {
        "type": "object",
        "properties": {
            "rows": {
                "type": "array",
                "items": {"type": "object", "properties": {"urls": {"type": "array", "items": {"type": "string"}}}},
            },
            "total": {"type": "integer"},
        },
    }
    assert data_schema({"code": "integer"}) == {}
