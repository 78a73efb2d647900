"""Hailuo: videos from text or pictures. Contract 4.30."""

from typing import Literal

from msgspec import field

from a2e_async._wire import Picture
from a2e_async.groups.videos._terms import SixOrTen, empty, twice
from a2e_async.tasks import Start


class StartHailuo(Start):
    """A prompt or a picture. Spends coins."""

    prompt: str | None = None
    """What is to happen."""
    name: str | None = None
    """Label of the task."""
    image_url: Picture | None = None
    """The picture, where there is one."""
    image_urls: list[Picture] | None = None
    """The pictures, where there are several."""
    resolution: Literal["768P", "1080P"] | None = None
    """Lines of the picture."""
    seconds: SixOrTen | None = field(default=None, name="duration")
    """Length of the video."""

    def problem(self) -> tuple[str, str] | None:
        """Refuse pictures given twice, and a request that says nothing."""
        return twice(self, "image_url", "image_urls") or empty(self, ("prompt", "image_url", "image_urls"))
