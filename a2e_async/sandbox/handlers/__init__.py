"""One module per group of endpoints; HANDLERS taken from here is complete, since all have registered."""

from a2e_async.sandbox.handlers import billing, face_swap, misc, storage
from a2e_async.sandbox.routing import HANDLERS

__all__ = ["HANDLERS", "billing", "face_swap", "misc", "storage"]
