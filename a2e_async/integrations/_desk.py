"""What submits the jobs of one batch in one of many processes."""

import asyncio
from math import inf
from typing import Any
from weakref import WeakValueDictionary

from a2e_async._budget import Budget
from a2e_async._course import HOPELESS
from a2e_async._deadline import Clock
from a2e_async._frozen import thaw
from a2e_async._reconcile import Reconciler
from a2e_async._retry import passing
from a2e_async._rows import Entry, Phase
from a2e_async._submit import Draft, Submitter
from a2e_async.errors import A2EError, BatchStoppedError, JournalError, ModerationError
from a2e_async.integrations.postgres import PostgresJournal
from a2e_async.session import A2ESession

_RENEWED = 10.0


class LaterError(Exception):
    """What stood in the way passes: nothing is lost."""


class Desk:
    """What submits the jobs of one batch in one process."""

    def __init__(
        self, a2e: A2ESession, journal: PostgresJournal, reconciler: Reconciler[Any], *, limited: bool
    ) -> None:
        config, kind = a2e.config, reconciler.kind
        self.journal, self.kind, self.limited = journal, kind, limited
        # The database knows what all workers have spent: this one is only to ask for prices, and to learn them.
        self.submitter = Submitter[Any](
            a2e,
            kind,
            Budget(inf if limited else None, 0.0),
            reconciler,
            journal=journal,
            slots=config.limits.submissions,
            transfers=asyncio.Semaphore(config.limits.transfers),
            rate=None,
            pause=config.retry.longest,
        )
        self._renew = 0.0
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @property
    def worn(self) -> bool:
        """Whether it may be tried again if what stopped it is still so: until then, all meet the same."""
        return self.submitter.stopped is not None and asyncio.get_running_loop().time() >= self._renew

    async def take(self, key: str) -> None:
        """See to it that a job is a task, or has its end, or is on the list of the dead."""
        async with self._turns.setdefault(key, asyncio.Lock()):
            try:
                entry = await self.journal.find(key)
                if entry is not None and entry.phase in {Phase.NEW, Phase.SENDING}:
                    await self._submit(entry)
            except ModerationError:
                pass  # its end is noted
            except JournalError:
                raise
            except Exception as error:
                await self._note(key, error)
                if not isinstance(error, A2EError):
                    raise
            finally:
                self.journal.forget(key)

    async def _submit(self, entry: Entry) -> None:
        draft = Draft(entry.key, thaw(self.kind.start.request, entry.request), entry.digest, entry.request)
        clock = Clock(None)
        if entry.phase == Phase.SENDING and await self.submitter.resolve(entry, clock) is not None:
            return
        await self.submitter.submit(draft, clock)

    async def _note(self, key: str, error: Exception) -> None:
        why = self.submitter.stopped if isinstance(error, BatchStoppedError) and self.submitter.stopped else error
        if isinstance(why, HOPELESS):
            self.submitter.stop(why)
        if self.submitter.stopped:
            self._renew = self._renew or asyncio.get_running_loop().time() + _RENEWED
        now = await self.journal.find(key)
        if now is None or now.phase not in {Phase.NEW, Phase.SENDING}:
            return
        later = passing(why) or type(why) is A2EError  # so much for one that is lost again and again
        if not later or now.phase == Phase.SENDING:
            await self.journal.given_up(now.id, f"{type(why).__name__}: {why}")
        if later or now.phase == Phase.SENDING:
            raise LaterError(str(why)) from None
