"""Avatar videos: an avatar that speaks a sound file. Contract 3.3 and 4.2."""

import time
from typing import Annotated, Any, Literal

from msgspec import Meta, field

from a2e_async._answer import Record, many, nothing, one, text
from a2e_async._endpoint import Group, delete, get, listing, post
from a2e_async._wire import ById, CurrentQuery, Nothing, Picture, Reply, Request, Sound
from a2e_async.groups.voices import Speak, Voices
from a2e_async.tasks import Start, Task, TaskKind


class CaptionStyle(Request):
    """How burnt-in captions look. Colours are the service's own strings."""

    language: str | None = None
    """Language code of the captions."""
    primary_colour: str | None = field(default=None, name="PrimaryColour")
    """Colour of the letters."""
    outline_colour: str | None = field(default=None, name="OutlineColour")
    """Colour of their outline."""
    back_colour: str | None = field(default=None, name="BackColour")
    """Colour behind them."""
    title_box_colour: str | None = field(default=None, name="TitleBoxColour")
    """Colour of the title's box."""
    title: str | None = None
    """Title to show."""
    font_name: str | None = field(default=None, name="FontName")
    """Name of the font."""
    font_size: int | None = field(default=None, name="Fontsize")
    """Size of the font."""
    position: Annotated[float, Meta(ge=0, le=1)] | None = field(default=None, name="subtitle_position")
    """0 to 1, as a share of the height."""


class StartAvatarVideo(Start):
    """An avatar and what it says. Spends coins."""

    anchor_id: str
    """The avatar: an ``id`` of `AvatarVideos.characters`."""
    anchor_type: Literal[0, 1]
    """0 for a public avatar, 1 for one of your own."""
    audio_url: Sound = field(name="audioSrc")
    """What is said."""
    custom_voice: Sound | None = None
    """Another recording, as newer servers take it."""
    title: Annotated[str, Meta(max_length=40)] | None = None
    """Label of the video, at most 40 characters."""
    resolution: int = 1080
    """Height in pixels."""
    web_bg_width: int = 0
    """Width of the canvas in pixels; like the sizes below needed only with a background."""
    web_bg_height: int = 0
    """Height of the canvas in pixels."""
    web_people_width: int = 0
    """Width of the avatar on the canvas in pixels."""
    web_people_height: int = 0
    """Height of the avatar on the canvas in pixels."""
    web_people_x: int = 0
    """Left offset of the avatar in pixels."""
    web_people_y: int = 0
    """Top offset of the avatar in pixels."""
    web_dist_bg_width: int = -1
    """Width of the placed background in pixels; -1 leaves it to the service."""
    web_dist_bg_height: int = -1
    """Height of the placed background in pixels; -1 leaves it to the service."""
    web_dist_bg_x: int = 0
    """Left offset of the placed background in pixels."""
    web_dist_bg_y: int = 0
    """Top offset of the placed background in pixels."""
    back_id: str | None = None
    """The service's own background; not together with ``custom_back_id`` (error code 30005)."""
    custom_back_id: str | None = None
    """A background of yours."""
    color: str | None = None
    """Background colour, ``rgb(...)`` or ``rgba(...)``."""
    anchor_background_img: Picture | None = None
    """The avatar's original background, where it has none saved and is to be cut out."""
    anchor_background_color: str | None = None
    """The avatar's original background colour, instead of its picture."""
    face_swap_id: str | None = None
    """A saved face to put on; its effect is not public."""
    skip_resolution: bool | None = field(default=None, name="isSkipRs")
    """Skip the resolution step."""
    allow_reverse: str | None = field(default=None, name="isAllowReverse")
    """Its meaning is not public."""
    public_pool: bool = field(default=False, name="isToPublicPool")
    """Use the shared pool when dedicated lines are busy."""
    captions: bool | None = field(default=None, name="isCaptionEnabled")
    """Burn captions in."""
    caption_style: CaptionStyle | None = field(default=None, name="captionAlign")
    """How captions look."""
    note: str | None = field(default=None, name="msg")
    """A note of your own."""
    wl_model: str | None = None
    """Its meaning is not public."""
    lip_model: str | None = None
    """Lip-sync model; its values are not public."""
    erode_factor: float | None = None
    """Its meaning is not public."""
    skip_green_screen: bool | None = field(default=None, name="isSkipGp")
    """Skip the green screen."""
    gp_model: dict[str, Any] | None = None
    """``compose_mode`` (text) and ``compose_ratio`` (number); their meaning is not public."""

    def problem(self) -> tuple[str, str] | None:
        """Refuse two backgrounds, as the service does."""
        if self.back_id and self.custom_back_id:
            return "back_id", "give either back_id or custom_back_id, not both (code 30005)."
        return None


class AvatarVideo(Task):
    """An avatar video in the making, or made. Rendering may take 15 minutes."""

    status: str = field(default="", name="status")
    """The service's own status word; `state` is what to branch on."""
    result_url: str | None = field(default=None, name="result")
    """Where the video lies for about three days; empty until done."""
    failed_message: str | None = field(default=None, name="error")
    """Why it failed."""
    progress: int | None = field(default=None, name="process")
    """0 to 100."""
    note: str | None = field(default=None, name="msg")
    """The note given at the start."""
    anchor_id: str | None = None
    """The avatar in it."""


class Character(Record):
    """An avatar that can be given a voice."""

    name: str = ""
    """Name of the avatar."""
    lang: str = ""
    """Language it speaks by default."""
    cover_url: str | None = field(default=None, name="video_cover")
    """Picture of it."""
    training_id: str | None = field(default=None, name="user_video_twin_id")
    """The training that made it, for your own."""
    background_img: str | None = None
    """Its original background, if it has a picture saved."""
    background_color: str | None = None
    """Its original background, if it has a colour saved."""


class CharacterQuery(Request):
    """Which avatars to list."""

    training_id: str | None = field(default=None, name="user_video_twin_id")
    """Only the one that this training made."""
    type: Literal["custom", "public", "default"] | None = None
    """``custom`` for your own."""


class ByVideoId(Request):
    """One avatar video."""

    video_id: str
    """Record id, 24 hex digits."""


class TextQuery(Request):
    """A text to look at."""

    text: Annotated[str, Meta(min_length=1)] = field(name="msg")
    """The text."""


class PublicPool(Request):
    """The account-wide switch for the shared pool."""

    on: bool = field(name="isAutoToPublicPool")
    """Whether jobs may use the shared pool."""


class PublicPoolState(Reply):
    """Where the switch stands."""

    on: bool | None = field(default=None, name="isAutoToPublicPool")
    """Whether jobs may use the shared pool."""


class AvatarList(Request):
    """Which avatars to list, as newer servers ask."""

    web_type: Literal["a2e", "tyzn"] | None = None
    """Adds the stock avatars."""


class LipSyncModel(Record):
    """A personalized lip-sync model. Its fields are not public."""

    name: str = ""
    """Label of the model."""


class AvatarVideos(Group):
    """Avatars that speak. Have the consent of the people whose face or voice it is."""

    noun = "avatar_videos"

    start = post("/video/generate", StartAvatarVideo, one(AvatarVideo), paid=True)
    """Queue an avatar video. Spends coins, so it is never blindly sent twice."""

    records = listing("/video/awsList", CurrentQuery, AvatarVideo)
    """Videos, newest first; image-to-video tasks appear here too, in the words of this group."""

    characters = get("/anchor/character_list", CharacterQuery, many(Character))
    """Avatars to choose from."""

    avatars = post("/anchor/list", AvatarList, many(Character), safe=True)
    """Avatars to choose from, as newer servers list them."""

    detail = post("/video/awsResult", ById, one(AvatarVideo), safe=True)
    """Read a video as it stands now."""

    video_detail = get("/video/detail", ByVideoId, one(AvatarVideo))
    """Read a video as it stands now, as newer servers offer it."""

    lip_sync_models = get("/userVideoTwin/allCustomLipsync", Nothing, many(LipSyncModel), provisional=True)
    """Personalized lip-sync models."""

    remove = delete("/video/{_id}", ById, nothing(), provisional=True)
    """Delete or cancel a video."""

    detect_language = post("/video/lang_classify", TextQuery, text(), safe=True)
    """The language code of a text."""

    auto_public_pool = post("/video/auto-public-pool", PublicPool, one(PublicPoolState), safe=True)
    """Let every job use the shared pool when dedicated lines are busy."""

    async def say(  # noqa: PLR0913 - each is one choice of the speaker
        self,
        text: str,
        *,
        anchor_id: str,
        anchor_type: Literal[0, 1] = 0,
        tts_id: str | None = None,
        user_voice_id: str | None = None,
        title: str | None = None,
        deadline: float | None = None,
    ) -> AvatarVideo:
        """Turn a text into a finished avatar video: speech, video, wait. Pays for speech and video.

        ``deadline`` is in seconds, over all of it. Raises what awaiting a task raises.
        """
        began = time.monotonic()
        speech = await self.caller.call(Voices.speak, Speak(text=text, tts_id=tts_id, user_voice_id=user_voice_id))
        video = await self.start(anchor_id=anchor_id, anchor_type=anchor_type, audio_url=speech, title=title)
        left = None if deadline is None else max(0.001, deadline - (time.monotonic() - began))
        return await self.caller.finish(video, deadline=left)


AVATAR_VIDEO = TaskKind(
    "avatar_video", start=AvatarVideos.start, detail=AvatarVideos.detail, records=AvatarVideos.records
)
