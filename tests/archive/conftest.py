"""An archive in memory with a family of two models, and the files they came from."""

from kept import _no_disk, archive, files, full, store

__all__ = ["_no_disk", "archive", "files", "full", "store"]
