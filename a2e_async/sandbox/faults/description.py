"""The effects as data, enough to make a form for each."""

from functools import cache

import msgspec

from a2e_async.sandbox.faults.catalogue import COMMON, EFFECTS, PARAMETERS
from a2e_async.sandbox.faults.rule import Rule


class _Schema(msgspec.Struct):
    properties: dict[str, dict[str, object]]


@cache
def effects() -> dict[str, object]:
    """Return what each effect does, strikes and takes, and the fields of every rule, as JSON Schema."""
    _, parts = msgspec.json.schema_components([Rule])
    known = msgspec.convert(parts["Rule"], _Schema).properties
    told = {name: {**known[name], "description": means} for name, means in (COMMON | PARAMETERS).items()}
    return {
        "effects": [
            {
                "effect": name,
                "does": effect.does,
                "strikes": effect.strikes,
                "parameters": {parameter: told[parameter] for parameter in effect.takes},
            }
            for name, effect in EFFECTS.items()
        ],
        "common": {name: told[name] for name in COMMON},
    }
