"""An archive in memory whose models have records."""

from kept import _no_disk, archive, files, full, store

__all__ = ["_no_disk", "archive", "files", "full", "store"]
