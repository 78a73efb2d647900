"""What each task costs, in coins. These prices are invented: the service publishes none for face swap."""

from math import ceil

COINS_PER_DIAMOND = 100


def face_swap(seconds: int | None) -> float:
    """Return 10 coins for each started 5 s of video; 5 for a picture, which has no duration."""
    return 5.0 if seconds is None else 10.0 * max(1, ceil(seconds / 5))


PREVIEW = 0.0
"""Previews are free."""
