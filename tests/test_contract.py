"""The declarations against the contract file that the sandbox serves from, both ways."""

from collections.abc import Iterable, Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from a2e_async._answer import nothing
from a2e_async._endpoint import Endpoint, post
from a2e_async._wire import Nothing
from a2e_async.groups import endpoints
from a2e_async.groups.account import Account, AddUser
from a2e_async.groups.face_swap import FaceSwapTasks
from a2e_async.sandbox.contract import Row, rows

_BODY = "its body was never documented"
_MODERATION = "acknowledges what moderation objects to, and goes on: moderation is final here"
_WEB = "for the vendor's own web page only: tokens of programs skip captchas"
LEFT_OUT = {
    "POST /api/v1/r2/get_upload_presigned_url": "the newer route replaces it and always answers a public URL",
    "GET /api/v1/userFaceSwapTask/status: _id": "no vendor text has it; the list is short; detail reads one",
    "POST /api/v1/video/send_tts: type": _WEB,
    "POST /api/v1/video/send_tts: turnstile_token": _WEB,
    "POST /api/v1/video/send_tts: captchaVerifyParam": _WEB,
    "POST /api/v1/userVideoTwin/startTraining: x-lang": "a header, sent with every request",
    "POST /api/v1/userVideoTwin/continueTraining": "the other spelling of a declared row, which falls back to it",
    "POST /api/v1/custom_avatar/add": _BODY,
    "POST /api/v1/custom_avatar/list": _BODY,
    "POST /api/v1/custom_avatar/del": _BODY,
    "PUT /api/v1/custom_avatar/{_id}": _BODY,
    "POST /api/v1/userVideoTwin/upload": _BODY,
    "GET /api/v1/userVideoTwin/uploadStatus": "belongs to upload; its answer was never documented",
    "POST /api/v1/userVideoTwin/eyeContact": "its answer was never documented",
    "POST /api/v1/userVideoTwin/training": "an older form of startTraining; " + _BODY,
    "POST /api/v1/userNanoBanana/start: force_generate": _MODERATION,
    "POST /api/v1/userGptImage/start: force_generate": _MODERATION,
    "POST /api/v1/userWan26Image/start: force_generate": _MODERATION,
    "POST /api/v1/userWan27Image/start: force_generate": _MODERATION,
    "POST /api/v1/userFlux2/start: force_generate": _MODERATION,
}
"""What the contract has and we do not declare, a row or one of its parameters, with the reason."""

GUESSED = {
    "POST /api/v1/userCaptionRemoval/retry, _id is not in the contract",
    "POST /api/v1/userVideoTwin/retry, _id is not in the contract",
}
"""Parameters that the contract's notes guess and its tables leave out."""

TWICE = {
    "POST /api/v1/userImage2Video/start",
    "POST /api/v1/userText2Image/start",
    "GET /api/v1/userVideoTwin/{_id}",
}
"""Rows that answer in two shapes and are therefore declared once for each."""

SCOPE = [row for row in rows() if row.served_path]
NAMES = {f"{row.method} {row.served_path}": row.name for row in rows()}
DECLARED = list(endpoints())


def label(row: Row) -> str:
    return f"{row.method} {row.served_path}"


def addresses(row: Row) -> set[str]:
    others = {f"{other.method} {other.path}" for other in row.alternatives}
    return {label(row)} | {other for other in others if NAMES.get(other, row.name) == row.name}


def differences(row: Row, endpoint: Endpoint[..., Any]) -> list[str]:
    """Say in what the declaration of one row departs from it; a question mark in a name marks a guess."""
    theirs = {param.name: param for param in row.params if not param.name.endswith("?")}
    guessed = {param.name.removesuffix("?") for param in row.params} - theirs.keys()
    ours = {param.wire: param for param in endpoint.parameters()}
    mandatory = {param.wire for param in endpoint.parameters() if param.name in _without_default(endpoint)}
    found = [f"{label(row)}: {name}" for name in theirs.keys() - ours.keys()]
    found += [f"{name} is not in the contract" for name in ours.keys() - theirs.keys() - guessed]
    found = [difference for difference in found if f"{label(row)}, {difference}" not in GUESSED]
    for name in theirs.keys() & ours.keys():
        if ours[name].place != theirs[name].place:
            found.append(f"{name} goes into the {theirs[name].place}, not the {ours[name].place}")
        if theirs[name].required and not ours[name].required:
            found.append(f"{name} must be sent")
        if name in mandatory and not theirs[name].required:
            found.append(f"{name} may be left out")
    if endpoint.provisional != (row.confidence in {"low", "unknown"}):
        found.append(f"confidence is {row.confidence}, provisional is {endpoint.provisional}")
    return sorted(difference for difference in found if difference not in LEFT_OUT)


def _without_default(endpoint: Endpoint[..., Any]) -> set[str]:
    return {name for name, param in endpoint.signature().parameters.items() if param.default is param.empty}


def unmatched(scope: Iterable[Row], declared: Sequence[Endpoint[..., Any]]) -> list[str]:
    """List rows that no endpoint declares, and endpoints that are no row or are declared twice."""
    known = [(row, addresses(row)) for row in scope]
    missing = [
        label(row)
        for row, where in known
        if label(row) not in LEFT_OUT and not any(endpoint.label in where for endpoint in declared)
    ]
    odd = [e.label for e in declared if sum(e.label in where for _, where in known) != 1]
    labels = [endpoint.label for endpoint in declared]
    return missing + odd + [name for name in set(labels) if labels.count(name) > 1 + (name in TWICE)]


def row_of(endpoint: Endpoint[..., Any]) -> Row:
    return next(row for row in SCOPE if endpoint.label in addresses(row))


def test_all_rows_of_the_source_document_are_in_scope() -> None:
    source = [row for row in rows() if row.in_seed]
    assert len(source) == 66
    assert [row.name for row in source if row not in SCOPE] == ["Getting API Tokens (2025 version)"]


@pytest.mark.parametrize("row", SCOPE, ids=label)
def test_each_row_is_declared_once(row: Row) -> None:
    declared = [endpoint for endpoint in DECLARED if endpoint.label in addresses(row)]

    assert len(declared) == (0 if label(row) in LEFT_OUT else 2 if label(row) in TWICE else 1)


@pytest.mark.parametrize("endpoint", DECLARED, ids=lambda endpoint: endpoint.label)
def test_each_declaration_agrees_with_its_row(endpoint: Endpoint[..., Any]) -> None:
    row = row_of(endpoint)
    twins = [other for other in DECLARED if other.label == endpoint.label]
    assert set.intersection(*(set(differences(row, twin)) for twin in twins)) == set()


def test_both_sides_hold_the_same_rows() -> None:
    assert unmatched(SCOPE, DECLARED) == []


def test_no_exception_is_out_of_date() -> None:
    declared = {endpoint.label: {p.wire for p in endpoint.parameters()} for endpoint in DECLARED}
    for exception in LEFT_OUT:
        where, _, name = exception.partition(": ")
        row = next(row for row in SCOPE if label(row) == where)
        assert (name in {param.name for param in row.params}) if name else (where not in declared)
        assert name not in declared.get(where, set())


def test_a_row_missing_on_either_side_is_noticed() -> None:
    assert unmatched(SCOPE, [e for e in DECLARED if e is not FaceSwapTasks.add]) == [FaceSwapTasks.add.label]
    without = [row for row in SCOPE if row.served_path != FaceSwapTasks.add.path]
    assert unmatched(without, DECLARED) == [FaceSwapTasks.add.label]


def test_a_path_or_verb_misspelt_on_either_side_is_noticed() -> None:
    row = row_of(Account.store_url)
    rest = [other for other in SCOPE if other is not row]
    for odd in (replace(row, path="/api/v1/tos/transferToStorge"), replace(row, method="GET")):
        assert unmatched([*rest, odd], DECLARED) == [label(odd), label(row)]
    wrong = post("/user/ad", AddUser, nothing(), provisional=True)
    declared = [wrong if endpoint is Account.add_user else endpoint for endpoint in DECLARED]
    assert unmatched(SCOPE, declared) == ["POST /api/v1/user/add", "POST /api/v1/user/ad"]
    assert unmatched(SCOPE, [*DECLARED, Account.coins]) == [Account.coins.label]


def test_an_alternative_verb_of_the_contract_is_as_good() -> None:
    row = row_of(Account.languages)
    swapped = replace(row, method="GET", alternatives=(replace(row.alternatives[0], method="POST"),))

    assert unmatched([swapped], [Account.languages]) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"name": "diamond"},
            ["POST /api/v1/user/exchangeDiamonds: diamond", "diamonds is not in the contract"],
        ),
        ({"required": False}, ["diamonds may be left out"]),
        ({"place": "query"}, ["diamonds goes into the query, not the body"]),
        ({"name": "diamonds?"}, []),
    ],
)
def test_a_parameter_that_differs_is_noticed(change: dict[str, Any], said: list[str]) -> None:
    row = row_of(Account.exchange_diamonds)
    altered = replace(row, params=(replace(row.params[0], **change),))

    assert differences(altered, Account.exchange_diamonds) == said


def test_a_parameter_or_mark_that_is_only_on_one_side_is_noticed() -> None:
    row = row_of(Account.languages)
    required = replace(row, params=(replace(row.params[0], required=True),))
    assert differences(required, Account.languages) == ["voice_map_type must be sent"]
    assert differences(replace(row, params=()), Account.languages) == ["voice_map_type is not in the contract"]

    bare = post("/anchor/language_list", Nothing, nothing())
    assert differences(row, bare) == ["POST /api/v1/anchor/language_list: voice_map_type"]
    unsure = replace(row_of(Account.coins), confidence="low")
    assert differences(unsure, Account.coins) == ["confidence is low, provisional is False"]
