"""What must not be read over somebody's shoulder."""

from typing import SupportsIndex


class Secret(str):
    """A text that is sent as it is, but that no repr shows: not its own, nor one of what holds it, nor a traceback."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"

    def __getitem__(self, part: SupportsIndex | slice) -> "Secret":  # what shows values shortens them first
        return Secret(super().__getitem__(part))
