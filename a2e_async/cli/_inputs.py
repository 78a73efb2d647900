"""Media as people name them: a URL or a local file."""

from mimetypes import guess_type
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from a2e_async._fields import is_url


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


def _path(text: str) -> PurePosixPath | Path:
    return PurePosixPath(unquote(urlsplit(text).path)) if is_url(text) else Path(text)
