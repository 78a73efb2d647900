"""What each task costs, in coins. These prices are invented: the service publishes none for face swap."""

from math import ceil

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
}
"""The kinds of task that have a price, and the nouns of their tasks."""


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
