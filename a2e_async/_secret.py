"""What must not be read over somebody's shoulder."""

from typing import SupportsIndex


def hide(error: BaseException) -> BaseException | None:
    """Drop what would show the token: a cause that carries the request's headers, and frames that hold them."""
    if hasattr(error, "request_info"):
        return None
    link: BaseException | None = error
    while link is not None:
        link.__traceback__ = None
        link = link.__cause__ or link.__context__
    return error


class Secret(str):
    """A text that is sent as it is, but that no repr shows: not its own, nor one of what holds it, nor a traceback."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"

    def __getitem__(self, part: SupportsIndex | slice) -> "Secret":  # what shows values shortens them first
        return Secret(super().__getitem__(part))
