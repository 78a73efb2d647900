"""Qwen Image. Contract 4.10."""

import re
from typing import Literal

from a2e_async._endpoint import Group
from a2e_async._wire import Picture
from a2e_async.groups._family import LISTED, Pictures, Prompted, family, kind


class StartQwenImage(Prompted):
    """What is to be seen, and pictures to begin with. Spends coins."""

    model: Literal["qwen-image-2.0", "qwen-image-2.0-pro", "qwen-image-3.0", "qwen-image-3.0-pro"] | None = None
    """The model; the service's default is not public."""
    input_images: list[Picture] | None = None
    """Pictures to begin with."""
    size: str = "1024*1024"
    """Width and height in pixels."""

    def problem(self) -> tuple[str, str] | None:
        """Refuse a size that is not written as the service has it."""
        if re.fullmatch(r"[1-9]\d*\*[1-9]\d*", self.size):
            return None
        return "size", f"{self.size[:80]!r} is no width and height: write 1024*1024."


class QwenPictures(Pictures):
    """Pictures by Qwen Image in the making, or made."""


_QWEN = family("userQwen2Image", StartQwenImage, QwenPictures, LISTED)


class Qwen(Group):
    """Pictures by Qwen Image."""

    noun = "images.qwen"

    start, records, details, detail, remove = _QWEN


QWEN_IMAGE = kind("qwen_image", _QWEN)
