"""People with other clothes, or with a product: image edit, virtual try-on. Contract 4.13 and 4.20."""

from typing import Annotated, Literal

from msgspec import Meta

from a2e_async._endpoint import Group
from a2e_async._wire import Picture
from a2e_async.groups._family import RECORDS, Labelled, Made, family, kind
from a2e_async.groups._terms import Patience
from a2e_async.tasks import WORDS, TaskState


class StartImageEdit(Labelled):
    """A person, and clothes or a product. Spends coins."""

    edit_type: Literal["clothing", "product"]
    """What the person is to wear, or to hold."""
    image_urls: Annotated[list[Picture], Meta(min_length=2)]
    """The person and what is added, 2 pictures or more."""
    timeout: Patience = 120
    """Seconds after which the service gives up."""


class EditedPictures(Made):
    """An edited picture in the making, or made."""

    image_urls: list[str] | None = None
    """The pictures of the start, or the results: it is not public which."""

    @property
    def result_urls(self) -> list[str]:
        """Where the pictures lie; empty until done."""
        told, pictures = super().result_urls, self.image_urls or []
        if told:
            return pictures if told[0] in pictures else told
        return pictures if WORDS.get(self.status) is TaskState.DONE else []


class StartTryOn(Labelled):
    """A person and clothes. Spends coins."""

    image_urls: Annotated[list[Picture], Meta(min_length=2, max_length=4)]
    """The person, then clothes: 2 to 4 pictures. Older servers want the person, its mask, the clothes, their mask."""
    timeout: Patience = 120
    """Seconds after which the service gives up."""


class TryOn(Made):
    """A person in other clothes, in the making, or made."""


_IMAGE_EDIT = family("userImageEdit", StartImageEdit, EditedPictures, RECORDS)
_TRY_ON = family("virtualTryOn", StartTryOn, TryOn, RECORDS)


class ImageEdit(Group):
    """Pictures of people with other clothes, or holding a product. Have the consent of the people they show."""

    noun = "images.image_edit"

    start, records, details, detail, remove = _IMAGE_EDIT


class VirtualTryOn(Group):
    """Pictures of people in other clothes. Have the consent of the people they show."""

    noun = "images.virtual_try_on"

    start, records, details, detail, remove = _TRY_ON


IMAGE_EDIT = kind("image_edit", _IMAGE_EDIT)
VIRTUAL_TRY_ON = kind("virtual_try_on", _TRY_ON)
