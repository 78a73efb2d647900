"""Image to video: a still picture brought to life. Contract 3.10 and 4.3."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, Literal

from msgspec import Meta, field

from a2e_async._answer import many, nothing, one, plain, several
from a2e_async._endpoint import Group, delete, get, listing, post
from a2e_async._wire import ById, ByIds, Clip, Nothing, PageQuery, Picture, Reply, Request
from a2e_async.tasks import Start, Task, TaskKind


class StartImageToVideo(Start):
    """A picture and what is to happen in it. Spends coins."""

    image_url: Picture
    """The picture."""
    name: str | None = None
    """Label of the task."""
    prompt: str | None = None
    """What is to happen."""
    negative_prompt: str | None = None
    """What is not to be seen."""
    lora: str | None = None
    """Id of a preset, instead of a prompt."""
    model_type: Literal["GENERAL", "FLF2V"] = "GENERAL"
    """``FLF2V`` goes from a first to a last picture."""
    model_version: Literal["a2e", "a2e-v2", "a2e-v2-flash"] | None = None
    """The service's default depends on the plan."""
    end_image_url: Picture | None = None
    """Last picture, for ``FLF2V``."""
    extend_prompt: bool = True
    """Let the service write the prompt out first."""
    seconds: Literal[5, 10, 15, 20] = field(default=5, name="video_time")
    """Length of the video."""
    frames: Annotated[int, Meta(ge=1, le=1000)] | None = field(default=None, name="video_length")
    """Deprecated by the vendor: length in frames."""
    skip_face_enhance: bool = False
    """Leave faces as the model makes them."""
    mask_face: bool | None = None
    """Used by the service's web page; its effect is not public."""

    def problem(self) -> tuple[str, str] | None:
        """Refuse a last picture without its mode, and the mode without it."""
        if (self.model_type == "FLF2V") != (self.end_image_url is not None):
            return "end_image_url", "belongs to model_type FLF2V, which needs it."
        return None


class StartSeveral(StartImageToVideo):
    """One picture, several videos. Spends coins for each."""

    number: Annotated[int, Meta(ge=1, le=8)] = field(name="number_of_images")
    """1 to 8 videos."""


class ImageVideo(Task):
    """A video in the making, or made, from a picture."""

    image_url: str = ""
    """The picture."""
    prompt: str | None = None
    """What is to happen."""
    negative_prompt: str | None = None
    """What is not to be seen."""


class ExtendPrompt(Request):
    """A prompt to be written out in more detail."""

    reference_id: str
    """A name of your own for the request."""
    image_url: Picture
    """The picture that the video starts from."""
    prompt: str
    """The short prompt."""
    negative_prompt: str
    """What is not to be seen."""
    lang: str = "en"
    """Language code of the answer."""
    max_length: int | None = None
    """Longest answer; its unit is not public."""
    template: Literal["default", "cinematic"] = "default"
    """Manner of writing."""
    shot_count: int | None = None
    """How many shots to describe."""
    with_audio: bool | None = None
    """Describe the sound, too."""


class ExtendPromptStreamed(ExtendPrompt):
    """The same, answered bit by bit."""

    stream: bool = field(default=False, name="stream")
    """Answer as an event stream; `ImageToVideo.extend_prompt` reads it."""


class ExtendPromptBetween(ExtendPromptStreamed):
    """The same, for a video between two pictures."""

    end_image_url: Picture
    """The picture that the video ends with."""


class StartWatermark(Request):
    """A video or picture, and the text or picture to lay over it."""

    media_url: Clip
    """What to mark."""
    watermark_type: Literal["text", "image"]
    """What to lay over it."""
    text: str | None = None
    """The text, for ``text``."""
    watermark_image_url: Picture | None = None
    """The picture, for ``image``."""
    fontsize: int | None = None
    """Size of the text."""
    fontcolor: list[int] | None = None
    """Red, green, blue."""
    position: str | None = None
    """Where it goes; the values are not public."""
    scale_ratio: float | None = None
    """Size of the mark as a share of the whole."""
    to_720p: bool | None = None
    """Scale the result to 720 lines."""


class Watermarked(Reply):
    """The marked copy."""

    result_url: str
    """Public URL of the marked copy."""


class ImageToVideo(Group):
    """Videos from still pictures."""

    noun = "image_to_video"

    start = post("/userImage2Video/start", StartImageToVideo, one(ImageVideo), paid=True)
    """Queue a video. Spends coins, so it is never blindly sent twice."""

    start_several = post("/userImage2Video/start", StartSeveral, several(ImageVideo), paid=True)
    """Queue up to 8 videos of one picture. Spends coins for each, so it is never blindly sent twice."""

    detail = get("/userImage2Video/{_id}", ById, one(ImageVideo))
    """Read a task as it stands now."""

    records = listing("/userImage2Video/allRecords", PageQuery, ImageVideo)
    """All tasks, newest first; expired ones are left out."""

    details = post("/userImage2Video/batchDetail", ByIds, many(ImageVideo), safe=True)
    """Read up to 200 tasks, in any order; unknown ids are left out."""

    remove = delete("/userImage2Video/{_id}", ById, nothing())
    """Remove a task: refunded while still initialized, refused while it is sent, pending or processing."""

    average_time = get("/userImage2Video/avgProcessingTime", Nothing, plain())
    """How long videos take at present; its shape is not public."""

    queue_level = get("/userImage2Video/unlimitedQueueLevel", Nothing, plain())
    """Where unlimited plans stand in the queue; its shape is not public."""

    mark_shared = post("/userImage2Video/{_id}/markShared", ById, nothing(), safe=True)
    """Note that a video was shared."""

    mark_downloaded = post("/userImage2Video/{_id}/markDownloaded", ById, nothing(), safe=True)
    """Note that a video was downloaded."""

    mark_copied = post("/userImage2Video/{_id}/markCopied", ById, nothing(), safe=True)
    """Note that a video's link was copied."""

    prompt_extension = post("/userImage2Video/prompt_extension", ExtendPromptStreamed, plain())
    """Write a prompt out in more detail; the answer's shape is not public."""

    prompt_extension_between = post("/userImage2Video/flf2v_prompt_extension", ExtendPromptBetween, plain())
    """Write out a prompt for a video between two pictures; the answer's shape is not public."""

    watermark = post("/watermark/start", StartWatermark, one(Watermarked), paid=True, lookout="account.history()")
    """Mark a video or picture at once; belongs to no group of the service's."""

    async def extend_prompt(
        self,
        *,
        reference_id: str,
        image_url: Picture,
        prompt: str,
        negative_prompt: str = "",
        lang: str = "en",
    ) -> AsyncGenerator[str]:
        """Yield a longer prompt bit by bit, as the service writes it."""
        request = ExtendPromptStreamed(
            reference_id=reference_id,
            image_url=image_url,
            prompt=prompt,
            negative_prompt=negative_prompt,
            lang=lang,
            stream=True,
        )
        async with aclosing(self.caller.stream(ImageToVideo.prompt_extension, request)) as deltas:
            async for delta in deltas:
                yield delta


IMAGE_TO_VIDEO = TaskKind(
    "image_to_video",
    start=ImageToVideo.start,
    detail=ImageToVideo.detail,
    details=ImageToVideo.details,
    records=ImageToVideo.records,
    remove=ImageToVideo.remove,
    tag="name",
)
