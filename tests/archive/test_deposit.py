"""What is taken in, how it is cut, and what is kept to run it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from makers import NOW, SMOL, floats, folder, gguf, safetensors
from otium.archive import Archive, Manifest, Runtime
from otium.archive import survey as room
from otium.archive.survey import weights_digest
from otium.errors import BadDeposit
from otium.formats import check_path, sources
from otium.records import ModelId, digest
from otium.testing import MemoryStore

TEMPLATE = "{% for m in messages %}{{ m.content }}{% endfor %}"


def add(archive: Archive, path: Path) -> Manifest:
    return archive.add(SMOL, path, deposited=NOW)


def test_every_file_of_a_directory_is_listed_in_order_of_path(full: Archive) -> None:
    paths = [file.path for file in full.manifest(SMOL).files]
    assert paths == ["config.json", "empty.txt", "model.gguf", "nested/vocab.txt"]


def test_a_file_is_described_by_both_digests_its_format_and_its_tensors(
    full: Archive, files: dict[ModelId, Path]
) -> None:
    file = full.manifest(SMOL).files[2]
    data = (files[SMOL] / "model.gguf").read_bytes()
    assert (file.size, f"sha256:{file.sha256}") == (len(data), digest(data))
    assert file.blake3 == blake3(data).hexdigest()
    assert file.format == "gguf"
    assert [tensor.name for tensor in file.tensors] == [f"layer.{n}" for n in range(4)]
    for tensor in file.tensors:
        part = data[tensor.offset : tensor.offset + tensor.length]
        assert f"sha256:{tensor.sha256}" == digest(part)


def test_one_file_may_be_deposited_alone(archive: Archive, files: dict[ModelId, Path]) -> None:
    manifest = add(archive, files[SMOL] / "model.gguf")
    assert [file.path for file in manifest.files] == ["model.gguf"]


def test_the_weights_are_named_by_all_paths_and_digests(full: Archive) -> None:
    manifest = full.manifest(SMOL)
    pairs = [[file.path, file.sha256] for file in manifest.files]
    plain = json.dumps(pairs, separators=(",", ":")).encode()
    assert manifest.weights == digest(plain)
    assert weights_digest([("b", "2"), ("a", "1")]) == digest(b'[["a","1"],["b","2"]]')


def test_a_long_tensor_is_cut_and_still_known_by_one_digest(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "LONGEST_PIECE", 1000)
    path = folder(tmp_path / "w", {"m.safetensors": safetensors([floats("long", 0, 600)])})
    file = add(archive, path).files[0]
    data = (path / "m.safetensors").read_bytes()
    assert f"sha256:{file.tensors[0].sha256}" == digest(data[-2400:])
    assert archive.restore(SMOL, tmp_path / "out").files == (file,)
    assert (tmp_path / "out" / "m.safetensors").read_bytes() == data


def test_an_unknown_format_is_kept_and_not_read(archive: Archive, tmp_path: Path) -> None:
    path = folder(tmp_path / "w", {"model.bin": b"\x80\x04pickle", "run.py": b"raise SystemExit"})
    assert {file.format for file in add(archive, path).files} == {"inert"}


def test_a_link_inside_the_directory_is_followed(archive: Archive, tmp_path: Path) -> None:
    path = folder(tmp_path / "w", {"blobs/x": safetensors([floats("a", 0, 3)])})
    (path / "model.safetensors").symlink_to("blobs/x")
    manifest = add(archive, path)
    assert [file.path for file in manifest.files] == ["blobs/x", "model.safetensors"]
    archive.restore(SMOL, tmp_path / "out")
    assert not (tmp_path / "out" / "model.safetensors").is_symlink()


def test_the_links_of_a_hub_snapshot_to_its_blobs_are_followed(
    archive: Archive, tmp_path: Path
) -> None:
    cache = folder(tmp_path / "models--a--b", {"blobs/x": safetensors([floats("a", 0, 3)])})
    snapshot = cache / "snapshots" / "rev"
    snapshot.mkdir(parents=True)
    (snapshot / "model.safetensors").symlink_to("../../blobs/x")
    assert [file.path for file in add(archive, snapshot).files] == ["model.safetensors"]


def test_a_hub_snapshot_may_not_link_past_its_blobs(archive: Archive, tmp_path: Path) -> None:
    cache = folder(tmp_path / "models--a--b", {"secret": b"x", "blobs/y": b"y"})
    snapshot = cache / "snapshots" / "rev"
    snapshot.mkdir(parents=True)
    (snapshot / "model.bin").symlink_to("../../blobs/../secret")
    with pytest.raises(BadDeposit):
        add(archive, snapshot)


def test_a_file_that_changes_while_it_is_read_is_refused(
    archive: Archive, store: MemoryStore, tmp_path: Path
) -> None:
    path = folder(tmp_path / "w", {"model.bin": b"first" * 100})
    before = dict(store.objects)

    def meddle(what: str, done: int, total: int) -> None:
        if what == "reading" and done == total:
            (path / "model.bin").write_bytes(b"other" * 100)

    with pytest.raises(BadDeposit, match="changed while it was read"):
        archive.add(SMOL, path, deposited=NOW, progress=meddle)
    assert store.objects == before


def test_progress_tells_of_reading_storing_and_verifying_to_the_end(
    archive: Archive, files: dict[ModelId, Path]
) -> None:
    told: dict[str, tuple[int, int]] = {}
    archive.add(
        SMOL,
        files[SMOL],
        deposited=NOW,
        progress=lambda what, done, total: told.update({what: (done, total)}),
    )
    assert list(told) == ["reading", "storing", "verifying"]
    assert all(done == total > 0 for done, total in told.values())


# What makes it runnable.


def test_the_chat_template_is_kept_as_a_record_and_digested_by_itself(full: Archive) -> None:
    template = full.record(SMOL, "chat_template.jinja")
    assert template == b"{{ messages }}"
    assert full.manifest(SMOL).runnable.chat_template == digest(template)


@pytest.mark.parametrize(
    "files",
    [
        {"chat_template.jinja": TEMPLATE.encode()},
        {"tokenizer_config.json": json.dumps({"chat_template": TEMPLATE}).encode()},
        {
            "tokenizer_config.json": json.dumps(
                {
                    "chat_template": [
                        {"name": "tools", "template": "no"},
                        {"name": "default", "template": TEMPLATE},
                    ]
                }
            ).encode()
        },
    ],
    ids=["own file", "tokenizer config", "named templates"],
)
def test_a_chat_template_is_found_beside_safetensors(
    archive: Archive, tmp_path: Path, files: dict[str, bytes]
) -> None:
    weights = {"model.safetensors": safetensors([floats("a", 0, 3)])}
    add(archive, folder(tmp_path / "w", {**weights, **files}))
    assert archive.record(SMOL, "chat_template.jinja") == TEMPLATE.encode()


def test_the_tokenizer_beside_safetensors_is_its_file(archive: Archive, tmp_path: Path) -> None:
    files = {"model.bin": b"x", "tokenizer.json": b'{"version": "1.0"}'}
    manifest = add(archive, folder(tmp_path / "w", files))
    assert manifest.runnable.tokenizer == digest(files["tokenizer.json"])


def test_a_model_without_template_or_tokenizer_says_so(archive: Archive, tmp_path: Path) -> None:
    runnable = add(archive, folder(tmp_path / "w", {"model.bin": b"x"})).runnable
    assert (runnable.chat_template, runnable.tokenizer) == (None, None)
    assert list(archive.records(SMOL)) == ["manifest.json"]


def test_sampling_defaults_come_from_the_deposit_and_the_caller_overrides(
    archive: Archive, tmp_path: Path
) -> None:
    config = b'{"temperature": 0.2, "top_p": 0.9, "max_length": 20, "top_k": "many"}'
    path = folder(tmp_path / "w", {"model.bin": b"x", "generation_config.json": config})
    manifest = archive.add(SMOL, path, deposited=NOW, sampling={"temperature": 0.7})
    assert manifest.runnable.sampling == {"temperature": 0.7, "top_p": 0.9}


def test_what_ran_the_model_is_a_record(full: Archive) -> None:
    record = Runtime.decode(full.record(SMOL, "runtime.json"))
    assert record == Runtime(versions={"engine": "1"}, sampling={"temperature": 0.7})


def test_the_adapter_does_not_hide_the_template_of_its_base(
    archive: Archive, tmp_path: Path
) -> None:
    files = {
        "adapter.gguf": gguf({"general.type": "adapter"}, [floats("lora", 0, 3)]),
        "model.gguf": gguf({"tokenizer.chat_template": TEMPLATE}, [floats("a", 0, 3)]),
    }
    add(archive, folder(tmp_path / "w", files))
    assert archive.record(SMOL, "chat_template.jinja") == TEMPLATE.encode()


@given(st.text(max_size=20))
def test_a_path_that_is_accepted_stays_inside_whatever_it_is_joined_to(path: str) -> None:
    try:
        check_path(path)
    except BadDeposit:
        return
    root = Path("/somewhere/fresh")
    assert (root / path).resolve().is_relative_to(root)
    assert (root / path).relative_to(root).as_posix() == path


def test_the_sources_of_one_file_are_that_file(tmp_path: Path) -> None:
    path = folder(tmp_path, {"model.bin": b"x", "other": b"y"}) / "model.bin"
    assert [source.path for source in sources(path)] == ["model.bin"]


def test_a_shard_without_tensors_is_kept_beside_one_that_has_some(
    archive: Archive, tmp_path: Path
) -> None:
    files = {"1.gguf": gguf({"split.count": 2}, []), "2.gguf": gguf({}, [floats("a", 0, 1)])}
    assert [len(file.tensors) for file in add(archive, folder(tmp_path / "w", files)).files] == [
        0,
        1,
    ]
