"""The inventory of an OCFL object: what it holds, version by version, and where it lies."""

from __future__ import annotations

import hashlib
import re

from otium.records import Digest, Instant, ModelId, Part

ROOT = "models"
UNFINISHED = "unfinished"
"""The folder under which a version names what writers left that did not commit it."""
_LONGEST_FOLDER = 100


class Version(Part):
    """One version of an object."""

    created: Instant
    message: str
    state: dict[str, tuple[str, ...]]
    """SHA-512 of the bytes: logical paths."""


class Inventory(Part, rename="camel"):
    """What an object holds, as OCFL writes it."""

    id: str
    head: str
    manifest: dict[str, tuple[str, ...]]
    """SHA-512 of the bytes: content paths."""
    versions: dict[str, Version]
    fixity: dict[str, dict[str, tuple[str, ...]]]
    """``sha256``, then digest: content paths."""
    type: str = "https://ocfl.io/1.1/spec/#inventory"
    digest_algorithm: str = "sha512"

    def at(self, version: str) -> Inventory:
        """Return this inventory as it was written with an earlier version."""
        number = int(version[1:])
        late = self.unfinished(self.head) - self.unfinished(version)

        def old(table: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
            kept = {
                sha: tuple(
                    path for path in paths if version_of(path) <= number and path not in late
                )
                for sha, paths in table.items()
            }
            return {sha: paths for sha, paths in kept.items() if paths}

        return Inventory(
            id=self.id,
            head=version,
            manifest=old(self.manifest),
            versions={f"v{n}": self.versions[f"v{n}"] for n in range(1, number + 1)},
            fixity={name: old(table) for name, table in self.fixity.items()},
        )

    def paths(self) -> dict[str, str]:
        """Return the content path of each record of the head."""
        return {
            path: self.manifest[sha][0]
            for sha, paths in self.versions[self.head].state.items()
            for path in paths
            if not path.startswith(f"{UNFINISHED}/")
        }

    def unfinished(self, version: str) -> set[str]:
        """Return the content paths that are no record's but were there when it was written."""
        state = self.versions[version].state.values()
        marked = (path.partition("/") for paths in state for path in paths)
        return {path for first, _, path in marked if first == UNFINISHED}

    def digests(self) -> dict[str, Digest]:
        """Return the SHA-256 of each content path."""
        return {
            path: Digest(f"sha256:{sha}")
            for sha, paths in self.fixity["sha256"].items()
            for path in paths
        }


def folder(model: ModelId) -> str:
    """Return where a model's object lies."""
    sha = hashlib.sha256(model.encode()).hexdigest()
    name = re.sub(r"[^A-Za-z0-9_-]", lambda match: f"%{ord(match[0]):02x}", model)
    if len(name) > _LONGEST_FOLDER:
        name = f"{name[:_LONGEST_FOLDER]}-{sha}"
    return f"{ROOT}/{sha[:3]}/{sha[3:6]}/{sha[6:9]}/{name}"


def sidecar(inventory: bytes) -> bytes:
    """Return the digest file that stands beside an inventory."""
    return f"{hashlib.sha512(inventory).hexdigest()}  inventory.json\n".encode()


def version_of(content: str) -> int:
    """Return the number of the version in whose folder a content path lies."""
    return int(content.partition("/")[0][1:])
