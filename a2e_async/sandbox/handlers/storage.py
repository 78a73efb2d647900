"""Signed URLs to upload to."""

import re

from a2e_async.sandbox.call import Call
from a2e_async.sandbox.objects import owner_id
from a2e_async.sandbox.routing import serves
from a2e_async.sandbox.wire import Refusal

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{0,62}")
_KEY = re.compile(r"[^\x00-\x1f\\]{1,512}")
_TYPE = re.compile(r"[\x20-\x7e]{1,255}")
_LIFETIME = 3600


@serves("POST", "/api/v1/r2/upload-presigned-url")
async def presigned(call: Call) -> object:
    """Sign a PUT that fits the given type and size."""
    return _signed(call)


@serves("POST", "/api/v1/r2/get_upload_presigned_url")
async def legacy(call: Call) -> object:
    """Sign a PUT; older answers named no cdnUrl."""
    answer = _signed(call)
    del answer["cdnUrl"]
    return answer


def _signed(call: Call) -> dict[str, object]:
    bucket, key = call.text("bucket"), _full_key(call)
    if not _BUCKET.fullmatch(bucket):
        raise Refusal("bucket must be lower-case letters, digits, dots and hyphens")
    seconds = call.integer("expiresIn", _LIFETIME)
    if seconds < 60:
        raise Refusal("expiresIn must be at least 60")
    claims: dict[str, str | int] = {"expires": call.account.clock.now() // 1000 + seconds}
    if kind := call.text("contentType"):
        if not _TYPE.fullmatch(kind):
            raise Refusal("contentType must be at most 255 printable ASCII characters")
        claims["type"] = kind
    size = call.integer("contentLength", call.integer("fileSize", -1))
    if size >= 0:
        claims["size"] = size
    upload = call.services.objects.sign(call.base.with_path(f"/storage/{bucket}/{key}"), **claims)
    cdn = call.base.with_path(f"/cdn/{bucket}/{key}")
    return {"uploadUrl": str(upload), "cdnUrl": str(cdn), "key": key, "bucket": bucket, "expiresIn": seconds}


def _full_key(call: Call) -> str:
    prefix, key = call.text("urlPrefix"), call.text("key").lstrip("/")
    full = f"{prefix}/sandbox/user/{call.account.user_id}/{key}"
    # Clients resolve dots in a URL before they send it: the PUT would reach another path than the signed one.
    if not key or not _KEY.fullmatch(full) or {"", ".", ".."} & set(full.split("/")):
        raise Refusal("key must be a plain object name")
    if owner_id(f"/{full}") != call.account.user_id:
        raise Refusal("urlPrefix must not name a user")
    return full
