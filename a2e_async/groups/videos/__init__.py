"""Videos by the newer model families, one module for each or for a few that are alike. Contract 4.14 to 4.36."""

from a2e_async._endpoint import Group, subgroup
from a2e_async.groups.videos.grok import GROK, Grok
from a2e_async.groups.videos.hailuo import HAILUO, Hailuo
from a2e_async.groups.videos.happyhorse import HAPPYHORSE, HappyHorse
from a2e_async.groups.videos.kling import KLING, KLING_OMNI, Kling, KlingOmni
from a2e_async.groups.videos.minimax import MINIMAX_H3, MinimaxH3
from a2e_async.groups.videos.motion import ACTOR_SWAP, MOTION_TRANSFER, ActorSwap, MotionTransfer
from a2e_async.groups.videos.seedance import SEEDANCE, SEEDANCE2, Seedance, Seedance2
from a2e_async.groups.videos.sora import SORA, Sora
from a2e_async.groups.videos.talking import TALKING_PHOTO, TALKING_VIDEO, TalkingPhoto, TalkingVideo
from a2e_async.groups.videos.think_sound import THINK_SOUND, ThinkSound
from a2e_async.groups.videos.upscale import UPSCALE, Upscale
from a2e_async.groups.videos.veo import VEO, Veo
from a2e_async.groups.videos.wan import WAN, WAN_REFERENCE, Wan, Wan30, WanReference

__all__ = [
    "ACTOR_SWAP",
    "GROK",
    "HAILUO",
    "HAPPYHORSE",
    "KLING",
    "KLING_OMNI",
    "MINIMAX_H3",
    "MOTION_TRANSFER",
    "SEEDANCE",
    "SEEDANCE2",
    "SORA",
    "TALKING_PHOTO",
    "TALKING_VIDEO",
    "THINK_SOUND",
    "UPSCALE",
    "VEO",
    "WAN",
    "WAN_REFERENCE",
    "Videos",
]


class Videos(Group):
    """Videos made of words, pictures, sounds and other videos, by the newer model families.

    All are used alike: ``start``, ``records``, ``details``, ``detail``, ``remove``; where one lacks some of them, its
    own text says so.
    """

    noun = "videos"

    wan = subgroup(Wan)
    """Wan 2.5 to 2.7."""
    wan_reference = subgroup(WanReference)
    """Wan 2.6, of given people or things."""
    happyhorse = subgroup(HappyHorse)
    """HappyHorse."""
    talking_photo = subgroup(TalkingPhoto)
    """Photos that speak."""
    talking_video = subgroup(TalkingVideo)
    """Videos that speak."""
    think_sound = subgroup(ThinkSound)
    """Sound for silent videos."""
    motion_transfer = subgroup(MotionTransfer)
    """A person moved as in a video."""
    actor_swap = subgroup(ActorSwap)
    """Another actor in a video."""
    veo = subgroup(Veo)
    """Veo."""
    kling = subgroup(Kling)
    """Kling."""
    kling_omni = subgroup(KlingOmni)
    """Kling Omni."""
    grok = subgroup(Grok)
    """Grok."""
    hailuo = subgroup(Hailuo)
    """Hailuo."""
    minimax_h3 = subgroup(MinimaxH3)
    """MiniMax H3."""
    sora = subgroup(Sora)
    """Sora."""
    seedance = subgroup(Seedance)
    """Seedance 1.5."""
    seedance2 = subgroup(Seedance2)
    """Seedance 2.x."""
    upscale = subgroup(Upscale)
    """Videos and pictures made larger."""
    wan30 = subgroup(Wan30)
    """Wan 3.0."""
