"""ThinkSound: a sound track for a silent video. Contract 4.21."""

from a2e_async._wire import Video
from a2e_async.groups.videos._terms import misnamed
from a2e_async.tasks import Start

_SUFFIXES = (".mp4", ".avi", ".mov", ".mkv")


class StartThinkSound(Start):
    """A video that is to be heard. Spends coins."""

    video_url: Video
    """The video: mp4, avi, mov or mkv."""
    name: str | None = None
    """Label of the task."""
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
