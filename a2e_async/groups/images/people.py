"""People with a product, or with another head: product avatar, head swap. Contract 4.24 and 4.25."""

from typing import Annotated

from msgspec import Meta

from a2e_async._endpoint import Group
from a2e_async._wire import Clip, Picture, Request
from a2e_async.groups._family import RECORDS, Labelled, Made, family, kind
from a2e_async.groups._terms import Patience
from a2e_async.tasks import Start


class ProductRect(Request, omit_defaults=False):
    """Where the product goes. The units are not public."""

    x: float
    """Left offset."""
    y: float
    """Top offset."""
    width: float
    """Width."""
    height: float
    """Height."""
    rotation: float = 0.0
    """How far it is turned."""
    scale: float = 1.0
    """By how much it is enlarged."""


class StartProductAvatar(Labelled):
    """A product, a person, and where the one goes on the other. Spends coins."""

    image_urls: Annotated[list[Picture], Meta(min_length=2, max_length=2)]
    """The product, then the person."""
    product_rect: ProductRect
    """Where the product goes."""
    prompt: str | None = None
    """What is to be seen."""
    timeout: Patience = 120
    """Seconds after which the service gives up."""


class ProductPicture(Made):
    """A person with a product, in the making, or made."""


class StartHeadSwap(Start):
    """A head, and the picture or video to put it into. Spends coins."""

    image_url: Picture
    """Picture of the head, with the person's consent."""
    target_image_url: Clip
    """Picture to put it into, or a video of up to 15 seconds."""


class HeadSwapped(Made):
    """A head swap in the making, or made: a picture or a video, as what it was put into."""


_PRODUCT_AVATAR = family("productAvatar", StartProductAvatar, ProductPicture, RECORDS)
_HEAD_SWAP = family("headSwap", StartHeadSwap, HeadSwapped, RECORDS)


class ProductAvatar(Group):
    """Pictures of people with a product. Have the consent of the people they show."""

    noun = "images.product_avatar"

    start, records, details, detail, remove = _PRODUCT_AVATAR


class HeadSwap(Group):
    """Put a head into a picture or a video. Have the consent of the people it shows."""

    noun = "images.head_swap"

    start, records, details, detail, remove = _HEAD_SWAP


PRODUCT_AVATAR = kind("product_avatar", _PRODUCT_AVATAR)
HEAD_SWAP = kind("head_swap", _HEAD_SWAP)
