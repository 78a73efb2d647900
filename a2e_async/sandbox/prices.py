"""What each task costs, in coins. These prices are invented: the service publishes none for face swap."""

from collections.abc import Mapping
from math import ceil

from a2e_async.sandbox.families import families

COINS_PER_DIAMOND = 100

NOUNS = {
    "face_swap": "userFaceSwapTask",
    "face_swap_preview": "userFaceSwapPreview",
    "voice_clone": "userVoice",
    "avatar_video": "video",
    "avatar": "userVideoTwin",
    "dubbing": "userDubbing",
    "image_to_video": "userImage2Video",
    "caption_removal": "userCaptionRemoval",
    **{noun: noun for noun in families()},
}
"""The kinds of task that have a price, and the nouns of their tasks; a newer family's kind is its noun."""


def face_swap(seconds: int | None) -> float:
    """Return 10 coins for each started 5 s of video; 5 for a picture, which has no duration."""
    return 5.0 if seconds is None else 10.0 * max(1, ceil(seconds / 5))


PREVIEW = 0.0
"""Previews are free."""

VOICE_TRAINING = {"a2e": 20.0, "cartesia": 40.0, "minimax": 60.0, "elevenlabs": 100.0}
"""Cloning a voice, by engine."""

VOICE_RATES = {"a2e": 1.0, "cartesia": 2.0, "minimax": 2.0, "elevenlabs": 5.0}
"""Coins for each started 10 s of speech with a cloned voice, by its engine."""

STREAM_SECOND = 0.5
"""One second in a room of a streaming avatar."""


def speech(rate: float, seconds: float) -> float:
    """Return a voice's rate for each started 10 s."""
    return rate * max(1, ceil(seconds / 10))


def avatar_video(seconds: int) -> float:
    """Return 10 coins for each started 10 s of sound."""
    return 10.0 * max(1, ceil(seconds / 10))


DIAMOND = float(COINS_PER_DIAMOND)
"""An avatar from a picture, and further training: a diamond, says the service. Coins do as well: invented."""

VOICE_FROM_AVATAR = VOICE_TRAINING["a2e"]
"""The voice of an avatar's video costs as much as one from a recording."""


def image_to_video(seconds: int) -> float:
    """Return 100 coins for each 5 s: one 5 s video was sold at 100 in early 2025."""
    return 20.0 * seconds


def dubbing(seconds: int | None) -> float:
    """Return 60 coins for each started minute."""
    return 60.0 * max(1, ceil((seconds or 0) / 60))


def caption_removal(seconds: int | None) -> float:
    """Return 10 coins for each started 10 s of video."""
    return 10.0 * max(1, ceil((seconds or 0) / 10))


WATERMARK = 0.0
"""Watermarks are free."""

PUBLIC = {
    "userText2Image": "10 to 20 coins a picture",
    "userNanoBanana": "15 to 20 coins a picture",
    "userGptImage": "gpt-image-1.5: 20 or 35 coins; gpt-image-2: 25, 35 or 45",
    "talkingVideo": "13 coins for 5 s",
}
"""What public documents and clients say of the prices of newer families; which model costs which is a guess."""
_GPT = {"1K": 25.0, "2K": 35.0, "4K": 45.0}


def family(noun: str, args: Mapping[str, object], amount: float, *, still: bool) -> float:
    """Return what a task of a newer family costs for so many pictures or seconds.

    Where nothing is public, a picture costs 15 coins and a second of video 20, as image to video does.
    """
    if noun == "talkingVideo":
        return float(ceil(amount * 13 / 5))
    if noun == "userText2Image":
        each = 20.0 if args.get("model_type") == "seedream" else 10.0
    elif noun == "userNanoBanana":
        each = 20.0 if args.get("model") == "nano-banana-pro" else 15.0
    elif noun == "userGptImage" and args.get("model") == "gpt-image-1.5":
        each = 35.0 if args.get("quality") == "high" else 20.0
    elif noun == "userGptImage":
        each = _GPT[str(args.get("resolution", "1K"))]
    else:
        each = 15.0 if still else 20.0
    return each * ceil(amount)
