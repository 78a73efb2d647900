"""Chance that depends on who and which, never on when: draws by hash of seed, account and ordinal."""

from hashlib import blake2b


def digest(*parts: object) -> str:
    """Return 64 hex digits that follow from the parts alone."""
    return blake2b("\x1f".join(map(str, parts)).encode(), digest_size=32).hexdigest()


def between(low: float, high: float, *parts: object) -> float:
    """Return a number in [low, high) that follows from the parts alone."""
    return low + (high - low) * int(digest(*parts)[:13], 16) / 16**13


def object_id(milliseconds: int, *parts: object) -> str:
    """Return 24 hex digits: the creation second, then what follows from the parts."""
    return f"{milliseconds // 1000:08x}{digest(*parts)[:16]}"
