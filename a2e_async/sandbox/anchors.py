"""Avatars that can be given a voice: a few public ones, and those the account has trained."""

from functools import cache

from a2e_async.sandbox.account import Account
from a2e_async.sandbox.call import Call
from a2e_async.sandbox.draws import digest
from a2e_async.sandbox.life import Task
from a2e_async.sandbox.objects import SAMPLE_PATH

TWIN, LIP_SYNC = "userVideoTwin", "customLipsync"
TWIN_ID = "user_video_twin_id"
_NAMES = {
    "Alba": "en-US",
    "Bruno": "en-US",
    "Chiara": "en-GB",
    "Dimitri": "en-GB",
    "Emiko": "ja-JP",
    "Fang": "zh-CN",
    "Greta": "de-DE",
    "Henri": "fr-FR",
    "Ines": "es-ES",
    "Jorge": "es-MX",
}


def anchor_of(twin_id: str) -> str:
    """Return the anchor id, 24 hex digits, of the avatar that a training task makes."""
    return digest("anchor", twin_id)[:24]


def is_public(anchor_id: str) -> bool:
    """Tell whether there is a public avatar of that anchor id."""
    return anchor_id in _public()


def own_twins(account: Account) -> list[Task]:
    """Return the finished trainings whose avatars the account still has, newest first."""
    now = account.clock.now()
    tasks, _ = account.page(TWIN, 1, -1)
    return [task for task in tasks if task.state(now) == "completed"]


def public_rows(call: Call) -> list[dict[str, object]]:
    """Return the public avatars as lists show them."""
    return [
        {
            "_id": id_,
            "name": name,
            "lang": _NAMES[name],
            "video_cover": str(call.base.with_path(f"{SAMPLE_PATH}face.jpg")),
            "anchor_type": 0,
            "background_img": "",
            "background_color": "rgb(255,255,255)",
        }
        for id_, name in _public().items()
    ]


def own_rows(call: Call) -> list[dict[str, object]]:
    """Return the account's avatars as lists show them, newest first."""
    rows: list[dict[str, object]] = []
    for twin in own_twins(call.account):
        fields = twin.wire_fields()
        rows.append(
            {
                "_id": anchor_of(twin.id),
                "name": fields.get("name", ""),
                "lang": "en-US",
                "video_cover": fields.get("image_url") or fields.get("video_url") or "",
                TWIN_ID: twin.id,
                "anchor_type": 1,
                "background_img": fields.get("video_backgroud_image") or "",
                "background_color": fields.get("video_backgroud_color") or "",
            }
        )
    return rows


@cache
def _public() -> dict[str, str]:
    return {digest("public avatar", name)[:24]: name for name in _NAMES}
