"""Pictures by the newer model families, one module for each or for a few that are alike. Contract 4.4 to 4.13."""

from a2e_async._endpoint import Group, subgroup
from a2e_async.groups.images.flux2 import FLUX2, Flux2

__all__ = ["FLUX2", "Images"]


class Images(Group):
    """Pictures made of words and of other pictures, by the newer model families.

    All are used alike: ``start``, ``records``, ``details``, ``detail``, ``remove``. A task may hold several pictures.
    """

    noun = "images"

    flux2 = subgroup(Flux2)
    """Flux 2."""
