"""`a2e endpoints`: what the SDK declares, and what the contract says of it."""

import json
import urllib.request
from collections import Counter

import pytest

from a2e_async.groups import endpoints
from a2e_async.sandbox.contract import rows

NONE = {"name": None, "method": None, "path": None, "paid": False, "provisional": False, "parameters": []}


@pytest.fixture
def entries(a2e):
    return a2e("endpoints", "--json").json[0]


def named(entries, name):
    (found,) = [entry for entry in entries if entry["name"] == name]
    return found


def test_lists_what_the_sdk_declares(entries):
    declared = Counter((f"{e.noun}.{e.name}", e.method, e.path) for e in endpoints())
    calls = [entry for entry in entries if entry["method"]]
    assert Counter((entry["name"], entry["method"], entry["path"]) for entry in calls) == declared
    assert all(entry["note"] is None for entry in calls)


def test_members_of_an_entry(entries):
    assert {tuple(entry) for entry in entries} == {
        (*NONE, "source", "in_source_document", "number", "confidence", "note")
    }
    add = named(entries, "face_swap.tasks.add")
    assert (add["method"], add["path"], add["paid"]) == ("POST", "/api/v1/userFaceSwapTask/add", True)
    webhook, _, name, *_ = add["parameters"]
    assert webhook["required"] is False
    assert name == {"name": "name", "wire": "name", "place": "body", "required": True}
    (detail,) = named(entries, "face_swap.tasks.detail")["parameters"]
    assert detail == {"name": "id", "wire": "_id", "place": "path", "required": True}


def test_all_rows_of_the_source_document_in_their_order(entries):
    source = [row for row in rows() if row.in_seed]
    numbered = {entry["number"]: entry for entry in entries if entry["in_source_document"]}
    assert list(numbered) == list(range(1, 67))
    assert [entry["source"] for entry in numbered.values()] == [row.name for row in source]
    assert [entry["confidence"] for entry in numbered.values()] == [row.confidence for row in source]
    for row, entry in zip(source, numbered.values(), strict=True):
        spelt = {(row.method, row.served_path)} | {(other.method, other.path) for other in row.alternatives}
        assert (entry["method"], entry["path"]) in spelt or row.served_path is None


def test_the_how_to_page_is_no_call(entries):
    (page,) = [entry for entry in entries if not entry["method"]]
    assert page | NONE == page
    assert (page["number"], page["source"]) == (5, "Getting API Tokens (2025 version)")
    assert "how-to page" in page["note"]
    assert "no call" in page["note"]


def test_what_only_newer_servers_have(entries):
    newer = [entry for entry in entries if not entry["in_source_document"]]
    assert newer
    assert all(entry["number"] is None and entry["source"] for entry in newer)
    assert named(entries, "account.quote")["source"] == "Estimate generation credit consumption"


def test_a_row_of_its_own_comes_before_another_spelling(entries):
    assert named(entries, "avatars.user_records")["source"] == "All video twin records"
    languages = named(entries, "account.languages")
    assert (languages["number"], languages["source"]) == (65, "List Available Languages")


def test_one_row_may_be_declared_twice(entries):
    assert [entry["name"] for entry in entries if entry["number"] == 46] == [
        "image_to_video.start",
        "image_to_video.start_several",
    ]


def test_provisional_is_what_the_contract_is_unsure_of(entries):
    for entry in entries:
        assert entry["provisional"] == (entry["confidence"] in {"low", "unknown"}), entry["name"]


def test_a_line_for_each(a2e, entries):
    lines = a2e("endpoints").out.splitlines()
    assert len(lines) == len(entries)
    (line,) = [line for line in lines if line.startswith("face_swap.tasks.add ")]
    assert line.split()[1:4] == ["POST", "/api/v1/userFaceSwapTask/add", "[paid]"]
    assert "name*" in line.split()
    for line, entry in zip(lines, entries, strict=True):
        assert ("[provisional]" in line) == entry["provisional"]
        assert ("[paid]" in line) == entry["paid"]
    assert lines[4].endswith("Getting API Tokens (2025 version): A how-to page: there is no call.")


def test_the_openapi_document_is_the_sandboxs(a2e, sandbox):
    with urllib.request.urlopen(f"{sandbox.url}/openapi.json") as response:
        served = json.load(response)
    assert a2e("endpoints", "--openapi").json == [served]
    assert a2e("endpoints", "--openapi", "--json").code == 2
