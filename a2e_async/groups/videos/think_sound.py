"""ThinkSound: a sound track for a silent video. Contract 4.21."""

from a2e_async._endpoint import Group
from a2e_async._wire import Video
from a2e_async.groups._family import RECORDS, Labelled, Made, family, kind
from a2e_async.groups._terms import misnamed

_SUFFIXES = (".mp4", ".avi", ".mov", ".mkv")


class StartThinkSound(Labelled):
    """A video that is to be heard. Spends coins."""

    video_url: Video
    """The video: mp4, avi, mov or mkv."""
    caption: str = ""
    """What is to be seen in it."""
    cot_description: str = ""
    """What is to be heard, step by step."""
    seed: int | None = None
    """The same number gives a similar sound again."""

    def problem(self) -> tuple[str, str] | None:
        """Refuse a video whose name tells another format."""
        reason = misnamed(self.video_url, _SUFFIXES)
        return ("video_url", reason) if reason else None


class SoundedVideo(Made):
    """A video with its new sound in the making, or made."""


_THINK_SOUND = family("thinkSound", StartThinkSound, SoundedVideo, RECORDS)


class ThinkSound(Group):
    """Sound for silent videos."""

    noun = "videos.think_sound"

    start, records, details, detail, remove = _THINK_SOUND


THINK_SOUND = kind("think_sound", _THINK_SOUND)
