"""What people name: media, by a URL or a local file, kinds of task, and the database that machines share."""

import os
from importlib import import_module
from mimetypes import guess_type
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from a2e_async._fields import did_you_mean, is_url
from a2e_async._secret import Secret
from a2e_async.errors import ConfigError, RequestError
from a2e_async.tasks import KINDS, Task, TaskKind


def media(text: str) -> str | Path:
    """Return a URL as it is and anything else as the path of a local file."""
    return text if is_url(text) else Path(text)


def name_of(text: str) -> str:
    """Return a name for the job that is made of this: that of the file, without its suffix."""
    return _path(text).stem or "job"


def is_picture(text: str) -> bool:
    """Tell by the name of the file."""
    kind, _ = guess_type(_path(text).name, strict=False)
    return (kind or "").startswith("image/")


def kind_named(name: str, argument: str) -> TaskKind[..., Task]:
    """Return a kind of task; raise RequestError, about this argument, for one that is none."""
    import_module("a2e_async.groups")  # which fills KINDS
    if name in KINDS:
        return KINDS[name]
    hint = did_you_mean(name, KINDS)
    raise RequestError(f"no kind {name!r}: {hint}Kinds: {', '.join(KINDS)}.", field=argument)


def database(dsn: str | None) -> Secret:
    """Return the database that is named, or the one of A2E_DSN; raise ConfigError where there is neither."""
    place = dsn or os.environ.get("A2E_DSN", "").strip()
    if not place:
        raise ConfigError("No database: pass --dsn, or set A2E_DSN, such as postgresql://user@host/database.")
    return Secret(place)


def _path(text: str) -> PurePosixPath | Path:
    try:
        return PurePosixPath(unquote(urlsplit(text).path)) if is_url(text) else Path(text)
    except ValueError:  # whoever sends it refuses it, and says why
        return Path()
