"""One module per group of endpoints; importing this package registers all of them."""

from a2e_async.sandbox.handlers import billing, face_swap, misc, storage

__all__ = ["billing", "face_swap", "misc", "storage"]
