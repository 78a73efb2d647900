"""Veo: videos from text and pictures. Contract 4.26."""

from typing import Literal

from msgspec import field

from a2e_async._wire import Picture
from a2e_async.groups.videos._terms import Text, Way, unfit
from a2e_async.tasks import Start

_FRAMES = "FIRST_AND_LAST_FRAMES_2_VIDEO"
_WAYS = {
    "TEXT_2_VIDEO": Way(),
    _FRAMES: Way(needs=("image_urls",)),
    "REFERENCE_2_VIDEO": Way(needs=("image_urls",)),
}


class StartVeo(Start):
    """A prompt, and pictures for two of the three ways. Spends coins."""

    prompt: Text
    """What is to happen."""
    name: str | None = None
    """Label of the task."""
    generation_type: Literal["TEXT_2_VIDEO", "FIRST_AND_LAST_FRAMES_2_VIDEO", "REFERENCE_2_VIDEO"] | None = field(
        default=None, name="generationType"
    )
    """What is made of what; the service's default is not public."""
    image_urls: list[Picture] | None = field(default=None, name="imageUrls")
    """First and last picture, or pictures of what is to be seen."""
    model: Literal["veo3", "veo3_fast"] = "veo3_fast"
    """The fast one costs less."""
    aspect_ratio: Literal["16:9", "9:16", "Auto"] = field(default="Auto", name="aspectRatio")
    """Shape of the picture."""
    watermark: str | None = None
    """Text to lay over the video."""
    seed: int | None = field(default=None, name="seeds")
    """The same number gives a similar video again."""

    def problem(self) -> tuple[str, str] | None:
        """Refuse pictures that do not go with the way of working."""
        count = len(self.image_urls or ())
        if self.generation_type == _FRAMES and count > 2:
            return "imageUrls", f"are the first and the last picture: 2 at most, not {count}."
        return unfit(self, "generation_type", _WAYS)
