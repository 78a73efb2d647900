"""Videos by the newer model families, one module for each or for a few that are alike. Contract 4.14 to 4.36."""

from a2e_async._endpoint import Group, subgroup
from a2e_async.groups.videos.kling import KLING, Kling

__all__ = ["KLING", "Videos"]


class Videos(Group):
    """Videos made of words, pictures, sounds and other videos, by the newer model families.

    All are used alike: ``start``, ``records``, ``details``, ``detail``, ``remove``.
    """

    noun = "videos"

    kling = subgroup(Kling)
    """Kling."""
