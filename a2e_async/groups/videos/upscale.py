"""Upscale: a video or picture made larger. Contract 4.35."""

from a2e_async._wire import Clip
from a2e_async.tasks import Start


class StartUpscale(Start):
    """A video or picture that is to be larger. Spends coins."""

    source_url: Clip
    """The video or picture."""
    name: str | None = None
    """Label of the task."""
