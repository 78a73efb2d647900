"""A runnable example for each endpoint: the declaration gives its form, this table the few values it needs."""

import ast
import re
from typing import Any, NamedTuple

import a2e_async
from a2e_async._endpoint import Endpoint
from a2e_async.groups import endpoints
from a2e_async.tasks import KINDS, Task
from docs import families
from docs.describe import shape_of

WIDTH = 84

ADD_SWAP = 'swap = await a2e.face_swap.tasks.add(name="clip", face_url=Path("face.jpg"), video_url=Path("clip.mp4"))'
RUN_SWAP = ADD_SWAP.replace("a2e.face_swap.tasks.add(", "a2e.run(FACE_SWAP, ")
CHARACTER = "[character, *_] = await a2e.avatar_videos.characters()"
VOICE = "[voice, *_] = await a2e.voices.presets()"
SPEECH = f'{VOICE}\nspeech = await a2e.voices.speak(text="Good morning!", tts_id=voice.id)'
ADD_VIDEO = f"""\
{CHARACTER}
{SPEECH}
video = await a2e.avatar_videos.start(anchor_id=character.id, anchor_type=0, audio_url=speech)"""
RUN_VIDEO = ADD_VIDEO.replace("a2e.avatar_videos.start(", "a2e.run(AVATAR_VIDEO, ")
CLONE = 'clone = await a2e.run(VOICE_CLONE, name="mine", voice_urls=[Path("voice.wav")])'
TRAIN = 'avatar = await a2e.avatars.start(name="me", gender="female", video_url=Path("clip.mp4"))'
AVATAR = TRAIN.replace("a2e.avatars.start(", "a2e.run(AVATAR, ")
FAILED_AVATAR = (
    TRAIN.replace('"me"', '"fail: no face"') + "\nwith suppress(TaskFailedError):\n    await a2e.watch(avatar)"
)
DUB = 'dub = await a2e.run(DUBBING, name="clip", source_url=Path("clip.mp4"), source_lang="en", target_lang="fr")'
STILL = 'video = await a2e.image_to_video.start(image_url=Path("face.jpg"), prompt="she smiles")'
RUN_STILL = STILL.replace("a2e.image_to_video.start(", "a2e.run(IMAGE_TO_VIDEO, ")
REMOVAL = 'removal = await a2e.caption_removal.start(name="clip", source_url=Path("clip.mp4"))'
RUN_REMOVAL = REMOVAL.replace("a2e.caption_removal.start(", "a2e.run(CAPTION_REMOVAL, ")
FAILED_REMOVAL = (
    REMOVAL.replace('"clip"', '"fail: no captions"') + "\nwith suppress(TaskFailedError):\n    await a2e.watch(removal)"
)
ROOM = """\
[avatar, *_] = await a2e.streaming.avatars()
room = await a2e.streaming.enter(avatar_id=avatar.id, expire_seconds=60)"""
PREVIEW = 'preview = await a2e.face_swap.previews.add(face_url=Path("face.jpg"), video_url=Path("clip.mp4"))'
PROMPT = {
    "reference_id": '"r1"',
    "image_url": 'Path("face.jpg")',
    "prompt": '"she smiles"',
    "negative_prompt": '"blur"',
}


class Example(NamedTuple):
    """Values of parameters as Python, what has to happen before, and what to do with it afterwards."""

    values: dict[str, str]
    before: str = ""
    after: str = ""


def _by_id(of: str, before: str) -> Example:
    return Example({"id": f"{of}.id"}, before)


PLAIN = Example({})
LEAVE = "await a2e.streaming.leave(channel=room.channel)"

EXAMPLES = {
    "tokens.log_in": Example({"account": '"me@example.com"', "password": '"a password"'}),
    "tokens.add": Example({"alias": '"laptop"'}),
    "tokens.remove": _by_id("token", 'token = await a2e.tokens.add(alias="laptop")'),
    "tokens.records": PLAIN,
    "voices.public": Example({"country": '"en"', "region": '"US"'}),
    "voices.presets": PLAIN,
    "voices.records": PLAIN,
    "voices.start": Example({"name": '"mine"', "voice_urls": '[Path("voice.wav")]'}),
    "voices.processing": PLAIN,
    "voices.speak": Example({"text": '"Good morning!"', "tts_id": "voice.id"}, VOICE),
    "voices.detail": _by_id("clone", CLONE),
    "voices.rename": Example({"id": "clone.id", "name": '"narrator"'}, CLONE),
    "voices.remove": _by_id("clone", CLONE),
    "voices.outputs": Example({}, SPEECH),
    "voices.remove_output": Example(
        {"id": "output.id"}, f"{SPEECH}\n[output, *_] = (await a2e.voices.outputs()).items"
    ),
    "avatar_videos.start": Example(
        {"anchor_id": "character.id", "anchor_type": "0", "audio_url": "speech"}, f"{CHARACTER}\n{SPEECH}"
    ),
    "avatar_videos.records": PLAIN,
    "avatar_videos.characters": Example({"type": '"public"'}),
    "avatar_videos.avatars": Example({"web_type": '"a2e"'}),
    "avatar_videos.detail": _by_id("video", ADD_VIDEO),
    "avatar_videos.video_detail": Example({"video_id": "video.id"}, ADD_VIDEO),
    "avatar_videos.lip_sync_models": PLAIN,
    "avatar_videos.remove": _by_id("video", RUN_VIDEO),
    "avatar_videos.detect_language": Example({"text": '"Guten Morgen!"'}),
    "avatar_videos.auto_public_pool": Example({"on": "True"}),
    "avatars.start": Example({"name": '"me"', "gender": '"female"', "video_url": 'Path("clip.mp4")'}),
    "avatars.continue_training": _by_id("avatar", AVATAR),
    "avatars.remove": _by_id("avatar", AVATAR),
    "avatars.records": Example({"status": '"completed"'}),
    "avatars.user_records": PLAIN,
    "avatars.processing": Example({}, TRAIN),
    "avatars.detail": _by_id("avatar", TRAIN),
    "avatars.continued_detail": _by_id("avatar", f"{AVATAR}\nawait a2e.avatars.continue_training(id=avatar.id)"),
    "avatars.details": Example({"ids": "[avatar.id]"}, TRAIN),
    "avatars.clone_voice": _by_id("avatar", AVATAR),
    "avatars.retry": _by_id("avatar", FAILED_AVATAR),
    "avatars.tags": PLAIN,
    "backgrounds.records": PLAIN,
    "backgrounds.add": Example({"img_url": 'Path("face.jpg")'}),
    "backgrounds.remove": _by_id("picture", 'picture = await a2e.backgrounds.add(img_url=Path("face.jpg"))'),
    "backgrounds.own": PLAIN,
    "backgrounds.random": PLAIN,
    "face_swap.images.add": Example({"face_url": 'Path("face.jpg")'}),
    "face_swap.images.records": PLAIN,
    "face_swap.images.remove": _by_id("face", '[face, *_] = await a2e.face_swap.images.add(face_url=Path("face.jpg"))'),
    "face_swap.previews.add": Example({"face_url": 'Path("face.jpg")', "video_url": 'Path("clip.mp4")'}),
    "face_swap.previews.status": _by_id("preview", PREVIEW),
    "face_swap.tasks.add": Example({"name": '"clip"', "face_url": 'Path("face.jpg")', "video_url": 'Path("clip.mp4")'}),
    "face_swap.tasks.processing": Example({}, ADD_SWAP),
    "face_swap.tasks.records": Example({}, ADD_SWAP),
    "face_swap.tasks.detail": _by_id("swap", ADD_SWAP),
    "face_swap.tasks.details": Example({"ids": "[swap.id]"}, ADD_SWAP),
    "face_swap.tasks.remove": _by_id("swap", RUN_SWAP),
    "dubbing.start": Example(
        {"name": '"clip"', "source_url": 'Path("clip.mp4")', "source_lang": '"en"', "target_lang": '"fr"'}
    ),
    "dubbing.records": PLAIN,
    "dubbing.processing": PLAIN,
    "dubbing.detail": _by_id("dub", DUB),
    "dubbing.remove": _by_id("dub", DUB),
    "image_to_video.start": Example({"image_url": 'Path("face.jpg")', "prompt": '"she smiles"'}),
    "image_to_video.start_several": Example({"image_url": 'Path("face.jpg")', "prompt": '"she smiles"', "number": "2"}),
    "image_to_video.detail": _by_id("video", STILL),
    "image_to_video.records": PLAIN,
    "image_to_video.details": Example({"ids": "[video.id]"}, STILL),
    "image_to_video.remove": _by_id("video", RUN_STILL),
    "image_to_video.average_time": PLAIN,
    "image_to_video.queue_level": PLAIN,
    "image_to_video.mark_shared": _by_id("video", RUN_STILL),
    "image_to_video.mark_downloaded": _by_id("video", RUN_STILL),
    "image_to_video.mark_copied": _by_id("video", RUN_STILL),
    "image_to_video.prompt_extension": Example(PROMPT),
    "image_to_video.prompt_extension_between": Example({**PROMPT, "end_image_url": 'Path("face.jpg")'}),
    "image_to_video.watermark": Example(
        {"media_url": 'Path("clip.mp4")', "watermark_type": '"text"', "text": '"synthetic"'}
    ),
    "caption_removal.start": Example({"name": '"clip"', "source_url": 'Path("clip.mp4")'}),
    "caption_removal.records": PLAIN,
    "caption_removal.processing": PLAIN,
    "caption_removal.detail": _by_id("removal", REMOVAL),
    "caption_removal.details": Example({"ids": "[removal.id]"}, REMOVAL),
    "caption_removal.retry": _by_id("removal", FAILED_REMOVAL),
    "caption_removal.remove": _by_id("removal", RUN_REMOVAL),
    "streaming.avatars": PLAIN,
    "streaming.enter": Example(
        {"avatar_id": "avatar.id", "expire_seconds": "60"},
        ROOM.partition("\n")[0],
        "await a2e.streaming.leave(channel=room_token.channel)",
    ),
    "streaming.set_context": Example(
        {"channel": "room.channel", "text": '"The shop is closed on Sundays."'}, ROOM, LEAVE
    ),
    "streaming.context": Example({"channel": "room.channel"}, ROOM, LEAVE),
    "streaming.ask": Example({"channel": "room.channel", "text": '"When are you open?"'}, ROOM, LEAVE),
    "streaming.speak": Example({"channel": "room.channel", "text": '"Welcome!"'}, ROOM, LEAVE),
    "streaming.leave": Example({"channel": "room.channel"}, ROOM),
    "account.add_user": Example({"username": '"anna"'}),
    "account.coins": PLAIN,
    "account.exchange_diamonds": Example({"diamonds": "1"}),
    "account.languages": PLAIN,
    "account.store_url": Example({"url": "face"}, 'face = await a2e.files.upload("face.jpg")'),
    "account.upload_url": Example({"key": '"face.jpg"', "content_type": '"image/jpeg"'}),
    "account.quote": Example(
        {
            "endpoint": '"/api/v1/userFaceSwapTask/add"',
            "body": '{"name": "clip", "face_url": face, "video_url": clip}',
        },
        'face = await a2e.files.upload("face.jpg")\nclip = await a2e.files.upload("clip.mp4")',
    ),
    "account.history": Example({"spendings": "True"}),
    **{key: Example(values, before) for key, values, before in families.examples()},
}

CONVENIENCES = {
    "voices.clone_and_speak": """\
voice = StartVoice(name="mine", voice_urls=[Path("voice.wav")])
print(await a2e.voices.clone_and_speak("Hello from my own voice.", voice))""",
    "avatar_videos.say": f"""\
{CHARACTER}
{VOICE}
video = await a2e.avatar_videos.say("Good morning!", anchor_id=character.id, tts_id=voice.id)
print(await a2e.files.save(video, "morning.mp4"))""",
    "avatars.character": f"{AVATAR}\nprint(await a2e.avatars.character(avatar.id))",
    "avatars.create": """\
avatar = StartAvatar(name="me", gender="female", video_url=Path("clip.mp4"))
print(await a2e.avatars.create(avatar))""",
    "image_to_video.extend_prompt": """\
async for piece in a2e.image_to_video.extend_prompt(
    reference_id="r1", image_url=Path("face.jpg"), prompt="she smiles"
):
    print(piece, end="")""",
    "streaming.room": """\
[avatar, *_] = await a2e.streaming.avatars()
async with a2e.streaming.room(avatar.id, expire_seconds=60) as room:
    await room.set_context("The shop is closed on Sundays.")
    await room.ask("When are you open?")
    print(room.token.channel)""",
}
"""Methods that join several endpoints."""

_FROM = {
    "Path": "pathlib",
    "suppress": "contextlib",
    "StartVoice": "a2e_async.groups.voices",
    "StartAvatar": "a2e_async.groups.avatars",
    "ProductRect": "a2e_async.groups.images.people",
    "Wan30Input": "a2e_async.groups.videos.wan",
    "Wan30Parameters": "a2e_async.groups.videos.wan",
} | dict.fromkeys(a2e_async.__all__, "a2e_async")


def key_of(endpoint: Endpoint[..., Any]) -> str:
    """Return where an endpoint is found on a session, such as `face_swap.tasks.add`."""
    return f"{endpoint.noun}.{endpoint.name}"


def example_of(endpoint: Endpoint[..., Any]) -> str:
    """Return the example of an endpoint; KeyError where the table has none for it."""
    example = EXAMPLES[key_of(endpoint)]
    call = _call(f"a2e.{key_of(endpoint)}", example.values)
    return script("\n".join(filter(None, (example.before, _use(endpoint, call), example.after))))


def script(code: str) -> str:
    """Put the imports and the session around what is done with it."""
    code = "async with A2ESession() as a2e:\n" + "\n".join(f"    {line}" for line in code.splitlines())
    code = "\n".join(_wrapped(line) for line in code.splitlines())
    wanted: dict[str, set[str]] = {}
    tree = compile(code, "", "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    for name in {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} & _FROM.keys():
        wanted.setdefault(_FROM[name], set()).add(name)
    order = sorted(wanted, key=lambda module: (module.startswith("a2e_async"), module))
    lines = [f"from {module} import {', '.join(sorted(wanted[module]))}" for module in order]
    return "\n".join([*lines, "", code])


def all_examples() -> dict[str, str]:
    """Return every example by the name of what it shows."""
    joined = {name: script(code) for name, code in CONVENIENCES.items()}
    return {key_of(endpoint): example_of(endpoint) for endpoint in endpoints()} | joined


def _call(what: str, values: dict[str, str]) -> str:
    return f"{what}({', '.join(f'{name}={value}' for name, value in values.items())})"


def _use(endpoint: Endpoint[..., Any], call: str) -> str:
    shape, record = shape_of(endpoint), endpoint.answer.record
    if shape == "nothing":
        return f"await {call}"
    if record is None or shape == "plain":
        return f"print(await {call})"
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", record.__name__).lower()
    is_task = issubclass(record, Task)
    show = f"print({name}.id, {name}.state)" if is_task else f"print({name})"
    if shape == "page":
        return f"async for {name} in {call.replace('(', '.each(', 1)}:\n    {show}"
    if shape != "one":
        return f"for {name} in await {call}:\n    {show}"
    if any(kind.start is endpoint for kind in KINDS.values()):
        show = f"{name} = await a2e.watch({name})\n{show}"
    return f"{name} = await {call}\n{show}"


def _wrapped(line: str) -> str:
    """Break a call that is too long for the page, at its outermost parentheses."""
    head, opening, rest = line.partition("(")
    if len(line) <= WIDTH or not opening:
        return line
    inside, closing, tail = rest.rpartition(")")
    margin = " " * (len(line) - len(line.lstrip()))
    return f"{head}(\n{margin}    {inside}\n{margin}{closing}{tail}"
