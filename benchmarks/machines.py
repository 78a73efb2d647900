"""Several workers on one database, killed again and again, its server restarted, its network cut: what was paid.

python benchmarks/machines.py [--jobs 5000] [--workers 3] [--kills 20] [--seed 1] [--quick] [--only on|off] [--page FILE]
python benchmarks/machines.py --polling [--rate 20]

The sandbox, PostgreSQL and each `a2e worker` are processes of their own; each worker reaches the database through a
network of its own. At random instants a worker gets SIGKILL, and is started again a second later. When a third has
ended, PostgreSQL is restarted; at two thirds, one worker's network carries nothing for ten seconds, then resets. Then the
sandbox's books are held against the journal's. Once more, with every lost answer taken for nothing done, it shows what
reconciliation is worth. Exits with 1 unless, with it, every job has ended, each was paid once and the totals agree.

`--polling` counts the status requests of the same jobs with 1, 3 and 10 workers, `--rate` how many requests a second
all of them together sent under a shared rate.
"""

import argparse
import asyncio
import collections
import contextlib
import random
import re
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from _machines import Wire, Worker, a2e, background
from _measure import machine, renew, table
from chaos import FAULTS, KEY, Server, sandbox

from a2e_async import FACE_SWAP
from tests.servers import PostgreSQL

CUT = 10.0
LOOK = 0.5
OPEN = "new", "sending", "sent"


@dataclass
class Plan:
    """How large a trial is."""

    jobs: int
    workers: int
    kills: int
    seed: int
    every: tuple[float, float]
    limit: float


FULL = Plan(jobs=5000, workers=3, kills=20, seed=1, every=(3.0, 9.0), limit=1800)
QUICK = Plan(jobs=150, workers=2, kills=2, seed=1, every=(3.0, 6.0), limit=600)
