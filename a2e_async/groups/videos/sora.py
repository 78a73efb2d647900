"""Sora: videos from text and pictures. Contract 4.32."""

from typing import Literal

from msgspec import field

from a2e_async._wire import Picture
from a2e_async.groups.videos._terms import Text, Way, unfit
from a2e_async.tasks import Start

_WAYS = {"text-to-video": Way(), "image-to-video": Way(needs=("image_urls",))}


class StartSora(Start):
    """A prompt, and pictures unless ``model_type`` says otherwise. Spends coins."""

    prompt: Text
    """What is to happen."""
    name: str | None = None
    """Label of the task."""
    model_type: str = "image-to-video"
    """What the video is made from; ``text-to-video`` by analogy, as other values are not public."""
    image_urls: list[Picture] | None = None
    """list[Picture], which ``image-to-video`` needs."""
    aspect_ratio: Literal["portrait", "landscape"] | None = None
    """Shape of the picture."""
    seconds: Literal[5, 10, 15] | None = field(default=None, name="duration_seconds")
    """Length of the video."""
    quality: Literal["standard", "high"] | None = None
    """The service's default is not public."""

    def problem(self) -> tuple[str, str] | None:
        """Refuse pictures that do not go with the type."""
        return unfit(self, "model_type", _WAYS)
