"""One module per group of endpoints; `GROUPS` lists them in the order of the service's documentation."""

from collections.abc import Iterator
from typing import Any, cast

from a2e_async._endpoint import Endpoint, Group, subgroup
from a2e_async.groups.account import Account
from a2e_async.groups.face_swap import FaceSwap

GROUPS: tuple[type[Group], ...] = (FaceSwap, Account)


def endpoints(*groups: type[Group]) -> Iterator[Endpoint[..., Any]]:
    """Yield every declared endpoint, groups within groups included."""
    for group in groups or GROUPS:
        for item in vars(group).values():
            if isinstance(item, Endpoint):
                yield item
            elif isinstance(item, subgroup):
                yield from endpoints(cast("subgroup[Group]", item).group)
