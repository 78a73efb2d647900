"""Text to image. Contract 4.4."""

from typing import Annotated, Literal

from msgspec import Meta, field

from a2e_async._answer import nothing, several
from a2e_async._endpoint import Group, post
from a2e_async._wire import ById, Picture
from a2e_async.groups._family import RECORDS, Labelled, Pictures, Ratio, Text, family, kind

_TWO = 2


class StartTextToImage(Labelled):
    """What is to be seen. Spends coins."""

    prompt: Text
    """What is to be seen."""
    width: Annotated[int, Meta(ge=1)] = 1024
    """Width in pixels."""
    height: Annotated[int, Meta(ge=1)] = 1024
    """Height in pixels."""
    model_type: Literal["a2e", "seedream"] = "a2e"
    """The model."""
    input_images: Annotated[list[Picture], Meta(max_length=10)] | None = None
    """Pictures to begin with; ``a2e`` takes 2."""
    skip_face_enhance: bool = False
    """Leave faces as the model makes them."""
    aspect_ratio: Ratio | None = None
    """Width to height."""
    style: Literal["high_aes_general_v21_L", "high_aes"] | None = field(default=None, name="req_key")
    """General or manga: what older servers ask for."""

    def problem(self) -> tuple[str, str] | None:
        """Refuse more pictures than the model takes."""
        if self.model_type == "a2e" and len(self.input_images or ()) > _TWO:
            return "input_images", "model_type a2e takes 2 of them; seedream takes 10."
        return None


class StartTextToImages(StartTextToImage):
    """One prompt, several pictures. Spends coins for each."""

    number: Annotated[int, Meta(ge=1, le=8)] = field(name="max_images")
    """1 to 8 pictures."""


class QuickAvatar(ById):
    """A finished picture to make an avatar of. Spends coins."""

    gender: Literal["female", "male"] | None = None
    """That of the person."""


class TextPictures(Pictures):
    """Pictures from words in the making, or made; a start may answer them finished."""


_TEXT_TO_IMAGE = family("userText2Image", StartTextToImage, TextPictures, RECORDS, also="userText2image")


class TextToImage(Group):
    """Pictures from words, by the service's own model or Seedream."""

    noun = "images.text_to_image"

    start, records, details, detail, remove = _TEXT_TO_IMAGE

    start_several = post(
        "/userText2Image/start", StartTextToImages, several(TextPictures), paid=True, also="/userText2image/start"
    )
    """Queue up to 8 pictures. Spends coins for each, so it is never blindly sent twice."""

    quick_avatar = post(
        "/userText2Image/quickAddAvatar", QuickAvatar, nothing(), paid=True, lookout="avatars.records()"
    )
    """Train an avatar on a finished picture; `Avatars.records` shows it. May spend coins; never blindly sent twice."""


TEXT_TO_IMAGE = kind("text_to_image", _TEXT_TO_IMAGE)
