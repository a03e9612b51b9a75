"""What was found at the place that a model came from, or went to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from otium.records import Digest, Part, Record

Layout = Literal["plain", "huggingface", "oci", "bagit"]


class OriginFile(Part):
    """One file as the layout held it."""

    path: str
    size: int
    sha256: Digest | None = None
    """None in a plain layout, which states nothing that one could check while reading."""
    stated: tuple[str, ...] = ()
    """The digests that the layout stated for these bytes, each found right: ``git-sha1:…``."""


class Origin(Record, tag="otium.origin/1"):
    """Where files came from, and what their layout said of them that was found to be so."""

    layout: Layout
    names: tuple[str, ...] = ()
    """Repository, tags or references, or a bag's identifier, as the layout has them."""
    revision: str | None = None
    """A commit of Hugging Face, or the digest of an OCI manifest."""
    digests: Mapping[str, str] = {}
    """The layout's own documents (manifest, config, tag files) and their digests."""
    metadata: Mapping[str, str] = {}
    """What the layout said beyond that, verbatim; nobody vouches for it."""
    files: tuple[OriginFile, ...] = ()


@dataclass(frozen=True)
class Unpacked:
    """A plain directory or file, ready to deposit, and where it came from."""

    files: Path
    origin: Origin
