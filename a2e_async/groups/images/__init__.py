"""Pictures by the newer model families, one module for each or for a few that are alike. Contract 4.4 to 4.25."""

from a2e_async._endpoint import Group, subgroup
from a2e_async.groups.images.flux2 import FLUX2, Flux2
from a2e_async.groups.images.gpt_image import GPT_IMAGE, GptImage
from a2e_async.groups.images.kling import KLING_IMAGE, KlingImage
from a2e_async.groups.images.nano_banana import NANO_BANANA, NanoBanana
from a2e_async.groups.images.outfits import IMAGE_EDIT, VIRTUAL_TRY_ON, ImageEdit, VirtualTryOn
from a2e_async.groups.images.people import HEAD_SWAP, PRODUCT_AVATAR, HeadSwap, ProductAvatar
from a2e_async.groups.images.photobook import PHOTOBOOK, Photobook
from a2e_async.groups.images.qwen import QWEN_IMAGE, Qwen
from a2e_async.groups.images.text_to_image import TEXT_TO_IMAGE, TextToImage
from a2e_async.groups.images.wan import WAN26_IMAGE, WAN27_IMAGE, Wan26, Wan27

__all__ = [
    "FLUX2",
    "GPT_IMAGE",
    "HEAD_SWAP",
    "IMAGE_EDIT",
    "KLING_IMAGE",
    "NANO_BANANA",
    "PHOTOBOOK",
    "PRODUCT_AVATAR",
    "QWEN_IMAGE",
    "TEXT_TO_IMAGE",
    "VIRTUAL_TRY_ON",
    "WAN26_IMAGE",
    "WAN27_IMAGE",
    "Images",
]


class Images(Group):
    """Pictures made of words and of other pictures, by the newer model families.

    All are used alike: ``start``, ``records``, ``details``, ``detail``, ``remove``. A task may hold several pictures:
    `Task.result_urls` lists them, `Files.save_all` saves them.
    """

    noun = "images"

    text_to_image = subgroup(TextToImage)
    """The service's own model, and Seedream."""
    nano_banana = subgroup(NanoBanana)
    """Nano Banana."""
    photobook = subgroup(Photobook)
    """One person in many pictures."""
    gpt_image = subgroup(GptImage)
    """GPT Image."""
    wan26 = subgroup(Wan26)
    """Wan 2.6."""
    wan27 = subgroup(Wan27)
    """Wan 2.7."""
    qwen = subgroup(Qwen)
    """Qwen Image."""
    flux2 = subgroup(Flux2)
    """Flux 2."""
    kling = subgroup(KlingImage)
    """Kling Image."""
    image_edit = subgroup(ImageEdit)
    """Other clothes, or a product in the hand."""
    virtual_try_on = subgroup(VirtualTryOn)
    """Other clothes."""
    product_avatar = subgroup(ProductAvatar)
    """People with a product."""
    head_swap = subgroup(HeadSwap)
    """Another head."""
