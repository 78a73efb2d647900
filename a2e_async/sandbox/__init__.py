"""A local A2E: a server that answers as the service would, for tests, demos and clients in any language."""

from a2e_async.sandbox.account import Account
from a2e_async.sandbox.bank import Charge
from a2e_async.sandbox.faults import Rule, storm
from a2e_async.sandbox.journal import Entry
from a2e_async.sandbox.life import Task
from a2e_async.sandbox.server import Sandbox, sandbox_thread

__all__ = ["Account", "Charge", "Entry", "Rule", "Sandbox", "Task", "sandbox_thread", "storm"]
