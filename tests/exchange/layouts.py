"""Files of a model, and other people's layouts of them, made by hand."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from makers import floats, safetensors
from otium.exchange import Origin

Taken = tuple[dict[str, bytes], Origin]
Take = Callable[..., Taken]

MODEL = {
    "README.md": b"# a model\n",
    "config.json": b'{"model_type": "tiny"}',
    "empty.txt": b"",
    "model.safetensors": safetensors([floats("layer", 0, 100)]),
    "same.safetensors": safetensors([floats("layer", 0, 100)]),
    "nested/vocab of words.txt": b"eins\nzwei\n",
    "nested/modelling.py": b"pass\n",
}


def tar(files: Mapping[str, bytes], form: int = tarfile.PAX_FORMAT) -> bytes:
    """Return a tar archive, as Python's tarfile writes it."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def tar_of(*infos: tarfile.TarInfo, form: int = tarfile.PAX_FORMAT) -> bytes:
    """Return a tar archive of headers only."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as archive:
        for info in infos:
            archive.addfile(info)
    return out.getvalue()


def contents(root: Path) -> dict[str, bytes]:
    """Return each file below *root*, through links, by its path."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


class Images:
    """Makes OCI image layouts, sound or not."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "blobs" / "sha256").mkdir(parents=True)
        self.layers: list[dict[str, object]] = []

    def blob(self, data: bytes, media_type: str, **more: object) -> dict[str, object]:
        name = hashlib.sha256(data).hexdigest()
        (self.root / "blobs" / "sha256" / name).write_bytes(data)
        return {"mediaType": media_type, "digest": f"sha256:{name}", "size": len(data), **more}

    def layer(self, data: bytes, media_type: str, **annotations: str) -> None:
        named = {key.replace("_", "."): value for key, value in annotations.items()}
        self.layers.append(self.blob(data, media_type, annotations=named))

    def finish(
        self,
        *,
        config: object = None,
        config_type: str = "application/vnd.oci.empty.v1+json",
        reference: str = "latest",
        manifest: Mapping[str, object] | None = None,
    ) -> Path:
        document = {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": self.blob(json.dumps(config or {}).encode(), config_type),
            "layers": self.layers,
            **(manifest or {}),
        }
        kind = "application/vnd.oci.image.manifest.v1+json"
        named = {"org.opencontainers.image.ref.name": reference}
        found = self.blob(json.dumps(document).encode(), kind, annotations=named)
        self.index([found])
        return self.root

    def index(self, manifests: Sequence[object]) -> None:
        (self.root / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
        index = {"schemaVersion": 2, "manifests": manifests}
        (self.root / "index.json").write_text(json.dumps(index))
