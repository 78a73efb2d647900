"""Avatars of your own, made from a video or a picture. Contract 3.4 and 4.2."""

from typing import Annotated, Literal

from msgspec import Meta, field

from a2e_async import _sic
from a2e_async._answer import many, nothing, one, plain
from a2e_async._endpoint import Group, get, listing, post
from a2e_async._wire import ById, ByIds, Nothing, PageQuery, Picture, Request, Video
from a2e_async.groups.avatar_videos import AvatarVideos, Character, CharacterQuery
from a2e_async.tasks import Task, TaskKind


class StartAvatar(Request):
    """A video or a picture of a person, with that person's consent. An avatar from a picture costs a diamond."""

    name: Annotated[str, Meta(min_length=1)]
    """Name of the avatar."""
    gender: Literal["female", "male"]
    """Sent by every client that was seen to work."""
    video_url: Video | None = None
    """At least 10 seconds with one face; this or ``image_url``."""
    image_url: Picture | None = None
    """A picture; this or ``video_url``."""
    background_color: str | None = field(default=None, name=_sic.VIDEO_BACKGROUND_COLOR)
    """``rgb(...)``."""
    background_image: Picture | None = field(default=None, name=_sic.VIDEO_BACKGROUND_IMAGE)
    """Background of the source, as a picture."""
    model_version: Literal["V2.0", "V2.1"] | None = None
    """For pictures."""
    prompt: str | None = None
    """For pictures."""
    negative_prompt: str | None = None
    """For pictures."""
    skip_preview: bool | None = field(default=None, name="skipPreview")
    """Make no preview."""

    def problem(self) -> tuple[str, str] | None:
        """Refuse none and both."""
        if (self.video_url is None) == (self.image_url is None):
            return "video_url", "give either video_url or image_url."
        return None


class Avatar(Task):
    """An avatar in training, or trained. Its ``id`` is not the anchor id that a video needs."""

    anchor_id: str | None = None
    """Set when it is done, on newer servers; `Avatars.character` finds it on all."""
    preview_url: str | None = field(default=None, name="preview_result_url")
    """A first look at it."""


class ContinuedAvatar(Avatar):
    """An avatar whose lip-sync model is being trained further."""


class AvatarQuery(PageQuery):
    """Which trainings to list."""

    status: Literal["pending", "processing", "completed", "failed"] | None = None
    """Only trainings in this state."""


class Avatars(Group):
    """Avatars of your own."""

    noun = "avatars"

    start = post("/userVideoTwin/startTraining", StartAvatar, one(Avatar), paid=True)
    """Train an avatar. Free from a video, a diamond from a picture; never blindly sent twice."""

    continue_training = post(
        _sic.CONTINUE_TRAINING, ById, one(ContinuedAvatar), paid=True, also="/userVideoTwin/continueTraining"
    )
    """Train a personalized lip-sync model. Costs a diamond, so it is never blindly sent twice."""

    remove = post("/userVideoTwin/remove", ById, nothing(), safe=True)
    """Remove an avatar."""

    records = listing("/userVideoTwin/records", AvatarQuery, Avatar)
    """All trainings, newest first."""

    user_records = get("/userVideoTwin/userRecords", Nothing, many(Avatar))
    """All trainings in one answer."""

    processing = get("/userVideoTwin/trainingRecords", Nothing, many(Avatar))
    """What still trains."""

    detail = get("/userVideoTwin/{_id}", ById, one(Avatar))
    """Read a training as it stands now."""

    continued_detail = get("/userVideoTwin/{_id}", ById, one(ContinuedAvatar))
    """Read a continued training as it stands now."""

    details = post("/userVideoTwin/batchDetail", ByIds, many(Avatar), safe=True)
    """Read up to 200 trainings, in any order; unknown ids are left out."""

    clone_voice = post("/userVideoTwin/addVoiceClone", ById, nothing(), paid=True, provisional=True)
    """Clone the voice of the video that an avatar was made from."""

    retry = post("/userVideoTwin/retry", ById, nothing(), paid=True, provisional=True)
    """Try a failed training again. Its body was never public."""

    tags = get("/custom_avatar/all_tags", Nothing, plain())
    """Tags of custom avatars; the answer's shape is not public."""

    async def character(self, training_id: str) -> Character | None:
        """Look up the avatar that a training made: its ``id`` is the anchor id. None while there is none."""
        query = CharacterQuery(training_id=training_id, type="custom")
        found = await self.caller.call(AvatarVideos.characters, query)
        return found[0] if found else None

    async def create(self, avatar: StartAvatar, *, deadline: float | None = None) -> Character | None:
        """Train an avatar, wait for it, and return what avatar videos take. May cost a diamond.

        ``deadline`` is in seconds and covers the training. Raises what awaiting a task raises.
        """
        task = await self.caller.call(Avatars.start, avatar)
        return await self.character((await self.caller.finish(task, deadline=deadline)).id)


AVATAR = TaskKind(
    "avatar",
    start=Avatars.start,
    detail=Avatars.detail,
    details=Avatars.details,
    running=Avatars.processing,
    records=Avatars.records,
)
CONTINUED_AVATAR = TaskKind("continued_avatar", start=Avatars.continue_training, detail=Avatars.continued_detail)
