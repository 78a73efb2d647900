"""The one source of the version: the build reads it, `a2e --version` prints it."""

__version__ = "0.1.0"
