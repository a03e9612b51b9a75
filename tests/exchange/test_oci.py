"""OCI image layouts of several makers are read, and each thing that they state is checked."""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from exchange.layouts import MODEL, Images, Take, contents, tar
from otium.errors import BadLayout, SeveralModels, Unsupported
from otium.exchange import export_oci
from otium.exchange.modelpack import media_type
from otium.records import Instant

NOW = Instant("2026-11-22T00:00:00Z")
RAW = "application/vnd.cncf.model.weight.v1.raw"
TAR = "application/vnd.cncf.model.weight.v1.tar"
FILEPATH = "org_cncf_model_filepath"
TITLE = "org_opencontainers_image_title"
PACK = "application/vnd.cncf.model.config.v1+json"
KIT = "application/vnd.kitops.modelkit.config.v1+json"


def sha256(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def zstd(data: bytes) -> bytes:
    zstandard = pytest.importorskip("zstandard")
    packed: bytes = zstandard.ZstdCompressor().compress(data)
    return packed


@pytest.fixture
def exported(files: Path, tmp_path: Path) -> Path:
    export_oci(files, tmp_path / "out", name="smol-1", created=NOW)
    return tmp_path / "out"


def blob_of(root: Path, digest: str) -> Path:
    return root / "blobs" / "sha256" / digest.removeprefix("sha256:")


def manifest_of(root: Path) -> dict[str, object]:
    index = json.loads((root / "index.json").read_text())
    found: dict[str, object] = json.loads(
        blob_of(root, index["manifests"][0]["digest"]).read_text()
    )
    return found


def test_an_export_is_an_artefact_of_modelpack(exported: Path) -> None:
    manifest = manifest_of(exported)
    assert manifest["artifactType"] == "application/vnd.cncf.model.manifest.v1+json"
    layers = manifest["layers"]
    assert isinstance(layers, list)
    kinds = {one["annotations"]["org.cncf.model.filepath"]: one["mediaType"] for one in layers}
    assert kinds["model.safetensors"] == RAW
    assert kinds["config.json"] == "application/vnd.cncf.model.weight.config.v1.raw"
    assert kinds["README.md"] == "application/vnd.cncf.model.doc.v1.raw"
    assert kinds["nested/modelling.py"] == "application/vnd.cncf.model.code.v1.raw"
    assert {one["digest"] for one in layers} == {sha256(data) for data in MODEL.values()}


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("LICENSE", "doc"),
        ("a/LICENSE.txt", "doc"),
        ("vocab.txt", "weight.config"),
        ("a.GGUF", "weight"),
    ],
)
def test_a_name_tells_what_a_file_is_for(path: str, kind: str) -> None:
    assert media_type(path) == f"application/vnd.cncf.model.{kind}.v1.raw"


@pytest.mark.skipif(not shutil.which("skopeo"), reason="SKOPEO IS MISSING: apt install skopeo")
def test_skopeo_reads_and_copies_an_export(exported: Path, tmp_path: Path, taken: Take) -> None:
    source, target = f"oci:{exported}:smol-1", f"oci:{tmp_path / 'copy'}:smol-1"
    raw = subprocess.run(
        ["skopeo", "inspect", "--raw", source], check=True, capture_output=True, text=True
    )
    assert json.loads(raw.stdout) == manifest_of(exported)
    subprocess.run(
        ["skopeo", "--insecure-policy", "copy", "--preserve-digests", source, target],
        check=True,
        capture_output=True,
    )
    found, origin = taken(tmp_path / "copy")
    assert found == MODEL
    assert origin.revision == taken(exported)[1].revision


@pytest.mark.parametrize(
    ("pack", "suffix"), [(bytes, ""), (gzip.compress, "+gzip"), (zstd, "+zstd")]
)
def test_packed_layers_are_unpacked(
    image: Images, taken: Take, pack: Callable[[bytes], bytes], suffix: str
) -> None:
    plain = tar({"model.gguf": b"weights" * 1000, "a/b.txt": b""})
    image.layer(pack(plain), TAR + suffix, **{FILEPATH: "model.gguf"})
    image.layer(b"{}", RAW, **{FILEPATH: "config.json"})
    diffs = {"modelfs": {"type": "layers", "diffIds": [sha256(plain), sha256(b"{}")]}}
    found, _ = taken(image.finish(config=diffs, config_type=PACK))
    assert found == {"model.gguf": b"weights" * 1000, "a/b.txt": b"", "config.json": b"{}"}


@pytest.mark.parametrize("spelled", ["diffIds", "diff_ids"])
def test_a_config_that_states_other_unpacked_layers_is_refused(
    image: Images, taken: Take, spelled: str
) -> None:
    image.layer(b"{}", RAW, **{FILEPATH: "config.json"})
    stated = {"modelfs": {"type": "layers", spelled: [sha256(b"other")]}}
    with pytest.raises(BadLayout, match="other unpacked layers"):
        taken(image.finish(config=stated, config_type=PACK))


def test_a_modelkit_is_read(image: Images, taken: Take) -> None:
    plain = tar({"model/model.gguf": b"weights"})
    packed = gzip.compress(plain)
    image.layer(packed, "application/vnd.kitops.modelkit.model.v1.tar+gzip")
    image.layer(tar({"docs/README.md": b"#"}), "application/vnd.kitops.modelkit.docs.v1.tar")
    info = {"digest": sha256(packed), "diffId": sha256(plain)}
    kit = {"manifestVersion": "1.0.0", "model": {"path": "model", "layerInfo": info}}
    found, origin = taken(image.finish(config=kit, config_type=KIT))
    assert found == {"model/model.gguf": b"weights", "docs/README.md": b"#"}
    assert json.loads(origin.metadata[KIT]) == kit
    info["diffId"] = sha256(b"other")
    with pytest.raises(BadLayout, match="not there"):
        taken(image.finish(config=kit, config_type=KIT))


def test_a_file_that_oras_calls_a_tar_is_taken_as_the_file_it_is(
    image: Images, taken: Take
) -> None:
    image.layer(b"weights", "application/vnd.oci.image.layer.v1.tar", **{TITLE: "model.gguf"})
    packed = tar({"a.txt": b"a"})
    image.layer(packed, "application/vnd.oci.image.layer.v1.tar", **{TITLE: "a.tar"})
    assert taken(image.finish())[0] == {"model.gguf": b"weights", "a.txt": b"a"}


def test_a_reference_or_a_digest_says_which_manifest_is_meant(image: Images, taken: Take) -> None:
    image.layer(b"one", RAW, **{FILEPATH: "model.bin"})
    image.finish(reference="one")
    one = json.loads((image.root / "index.json").read_text())["manifests"]
    image.layers.clear()
    image.layer(b"two", RAW, **{FILEPATH: "model.bin"})
    image.finish(reference="two")
    two = json.loads((image.root / "index.json").read_text())["manifests"]
    nested = image.blob(
        json.dumps({"schemaVersion": 2, "manifests": two}).encode(),
        "application/vnd.oci.image.index.v1+json",
    )
    image.index([*one, nested])
    with pytest.raises(SeveralModels, match="one, two"):
        taken(image.root)
    assert taken(image.root, name="two")[0] == {"model.bin": b"two"}
    assert taken(image.root, name=one[0]["digest"])[0] == {"model.bin": b"one"}
    with pytest.raises(BadLayout, match="no manifest three"):
        taken(image.root, name="three")


def test_every_flipped_byte_of_a_layout_is_found(exported: Path, taken: Take) -> None:
    original = contents(exported)
    for path, data in original.items():
        for at in range(0, len(data), max(1, len(data) // 7)):
            flipped = bytes([*data[:at], data[at] ^ 1, *data[at + 1 :]])
            (exported / path).write_bytes(flipped)
            try:
                found, origin = taken(exported)
            except (BadLayout, SeveralModels):
                continue
            finally:
                (exported / path).write_bytes(data)
            # The two documents on top have no digest; what they lead to is whole.
            assert path in {"index.json", "oci-layout"}, (path, at)
            assert found == MODEL
            assert origin.revision


def test_a_layer_of_another_size_is_refused(exported: Path, taken: Take) -> None:
    blob = blob_of(exported, sha256(MODEL["config.json"]))
    blob.write_bytes(MODEL["config.json"] + b" ")
    with pytest.raises(BadLayout, match="not a regular file of 22 bytes"):
        taken(exported)
    blob.unlink()
    with pytest.raises(BadLayout, match="No such file"):
        taken(exported)


def test_a_blob_that_is_a_link_is_refused(exported: Path, tmp_path: Path, taken: Take) -> None:
    blob = blob_of(exported, sha256(MODEL["config.json"]))
    blob.rename(tmp_path / "elsewhere")
    blob.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BadLayout):
        taken(exported)
    (exported / "blobs").rename(tmp_path / "blobs")
    (exported / "blobs").symlink_to(tmp_path / "blobs")
    with pytest.raises(BadLayout, match="is a link"):
        taken(exported)


@pytest.mark.parametrize(
    ("document", "why"),
    [
        (b"", "cannot be read"),
        (b"[" * 100_000, "cannot be read"),
        (b'{"manifests": []}', "empty"),
        (b'{"schemaVersion": 1, "manifests": []}', "schema version"),
        (b'{"manifests": [{"mediaType": 5}]}', "cannot be read"),
        (b" " * ((4 << 20) + 1), "longer"),
        (b"\xff", "cannot be read"),
    ],
)
def test_an_unsound_index_is_refused(
    exported: Path, taken: Take, document: bytes, why: str
) -> None:
    (exported / "index.json").write_bytes(document)
    with pytest.raises(BadLayout, match=why):
        taken(exported)


@pytest.mark.parametrize(
    "digest", ["sha256:../../../../etc/hostname", "md5:" + "0" * 32, "sha256:" + "A" * 64, ""]
)
def test_a_digest_is_never_a_path(image: Images, taken: Take, digest: str) -> None:
    image.layer(b"", RAW, **{FILEPATH: "a.bin"})
    image.layers[0]["digest"] = digest
    with pytest.raises(BadLayout, match="not a digest"):
        taken(image.finish())


def test_layers_without_a_name_a_known_packing_or_a_layer_at_all_are_refused(
    image: Images, taken: Take
) -> None:
    with pytest.raises(BadLayout, match="no layers"):
        taken(image.finish())
    image.layer(b"a", RAW)
    with pytest.raises(BadLayout, match="no file name"):
        taken(image.finish())
    image.layers.clear()
    image.layer(b"a", TAR + "+bz2")
    with pytest.raises(Unsupported, match="bz2"):
        taken(image.finish())


@pytest.mark.parametrize(
    ("first", "second"),
    [("a.bin", "a.bin"), ("a.bin", "a.bin/b"), ("a/b", "a"), ("a.bin", "A.bin")],
)
def test_two_layers_cannot_have_one_place(
    image: Images, taken: Take, first: str, second: str
) -> None:
    image.layer(b"one", RAW, **{FILEPATH: first})
    image.layer(b"two", RAW, **{FILEPATH: second})
    with pytest.raises(Exception, match=r"twice|same as"):
        taken(image.finish())


def test_a_newer_layout_is_refused(exported: Path, taken: Take) -> None:
    (exported / "oci-layout").write_text('{"imageLayoutVersion": "2.0.0"}')
    with pytest.raises(BadLayout, match=r"2\.0\.0"):
        taken(exported)


def test_an_origin_keeps_what_the_manifest_and_the_config_say(
    files: Path, tmp_path: Path, taken: Take
) -> None:
    said = {"org.opencontainers.image.licenses": "Apache-2.0"}
    export_oci(files, tmp_path / "out", name="smol-1", created=NOW, annotations=said)
    _, origin = taken(tmp_path / "out")
    assert origin.names == ("smol-1",)
    assert origin.metadata["org.opencontainers.image.licenses"] == "Apache-2.0"
    config = json.loads(origin.metadata[PACK])
    assert config["descriptor"] == {"createdAt": NOW, "name": "smol-1"}
    assert config["config"] == {"format": "safetensors"}
    assert origin.digests["manifest"] == origin.revision
