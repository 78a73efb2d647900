"""`a2e`, with every lost answer taken for nothing done: what reconciliation is worth is seen where it is missing."""

import sys
from typing import Any

from a2e_async._reconcile import Reconciler
from a2e_async.cli import main


async def nothing(*_: Any) -> list[Any]:
    return []


Reconciler.find = nothing
sys.exit(main())
