"""What the younger picture models all take."""

from a2e_async.groups._family import Named, Text


class Prompted(Named):
    """A label, and what is to be seen."""

    prompt: Text
    """What is to be seen."""


class Shaped(Prompted):
    """The same, and the shape of the picture."""

    aspect_ratio: str | None = None
    """Width to height, such as ``16:9``; which ones there are is not public."""
