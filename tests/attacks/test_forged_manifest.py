"""Whoever can write to the store puts other bytes under a model's genuine weights digest."""

from __future__ import annotations

from pathlib import Path

import httpx2
import msgspec
import pytest

from otium import objects
from otium.archive import Archive, File, load_recipe
from otium.errors import DamagedObject
from otium.gateway import Service, Settings, background
from otium.lifecycle import Registry
from otium.records import Instant, ModelId
from otium.revival import materialise
from otium.testing import MemoryStore, Scripted, ServedEngine

NOW, ALDER = Instant("2026-01-02T00:00:00Z"), ModelId("alder")
HIS = b"not what was deposited"


def forge(house: Registry, folder: Path) -> None:
    """Keep paths, sizes, SHA-256s and the weights digest; change packs, recipes and BLAKE3s."""
    store, genuine = house.archive.store, house.archive.manifest(ALDER)
    assert isinstance(store, MemoryStore)
    own = MemoryStore()
    his = Archive.create(own, archive_id="his", created=NOW, origin="x.example/log", keys=[])
    folder.mkdir()
    for file in genuine.files:
        (folder / f"{file.path}.bin").write_bytes((HIS * file.size)[: file.size])
    deposited = his.add(ALDER, folder, deposited=NOW).files
    made = {one.path.removesuffix(".bin"): one for one in deposited}
    files: list[File] = []
    for file in genuine.files:
        recipe = load_recipe(own, made[file.path].recipe)
        data = msgspec.structs.replace(recipe, sha256=file.sha256).encode()
        named = store.add("recipes", [data], ".json")
        files.append(msgspec.structs.replace(file, blake3=made[file.path].blake3, recipe=named))
    forged = msgspec.structs.replace(genuine, files=tuple(files))
    fresh = MemoryStore()
    objects.commit(fresh, ALDER, {"manifest.json": forged.encode()}, now=NOW, message="forged")
    place = objects.folder(ALDER)
    for name in [*store.objects]:
        if name.startswith(f"{place}/"):
            del store.objects[name]
    store.objects |= {name: data for name, data in own.objects.items() if "packs/" in name}
    store.objects |= fresh.objects


@pytest.fixture
def forged(house: Registry, weights: Path, tmp_path: Path) -> Registry:
    house.register("alder", title="Alder", released="2025-01-01", scope="public", surfaces=["api"])
    house.deposit(ALDER, weights)
    assert house.manifest(ALDER) == house.archive.manifest(ALDER)
    forge(house, tmp_path / "forged")
    return house


def test_a_manifest_that_the_ledger_does_not_know_is_refused(
    forged: Registry, tmp_path: Path
) -> None:
    believed = materialise(forged.archive, ALDER, tmp_path / "cache")  # the archive alone cannot
    assert all(HIS in path.read_bytes() for path in believed.iterdir() if path.is_file())
    assert forged.archive.manifest(ALDER).weights == forged.model(ALDER).weights
    with pytest.raises(DamagedObject, match=r"manifest\.json of alder is damaged"):
        forged.manifest(ALDER)


def test_files_that_a_forged_manifest_brought_do_not_serve_the_genuine_one(
    house: Registry, weights: Path, tmp_path: Path
) -> None:
    house.register("alder", title="Alder", released="2025-01-01", scope="public", surfaces=["api"])
    genuine = house.deposit(ALDER, weights)
    whole, kept = tmp_path / "cache", dict(house.archive.store.objects)  # type: ignore[attr-defined]
    forge(house, tmp_path / "forged")
    materialise(house.archive, ALDER, whole)
    house.archive.store.objects = kept  # type: ignore[attr-defined]
    found = materialise(house.archive, ALDER, whole, manifest=genuine)
    for file in genuine.files:
        assert (found / file.path).read_bytes() == (weights / file.path).read_bytes()


def test_the_gateway_serves_no_bytes_that_the_ledger_does_not_know(
    forged: Registry, tmp_path: Path
) -> None:
    engine = ServedEngine(Scripted(["I am who I say."]))
    service = Service(
        forged,
        cache=tmp_path / "cache",
        state=f"sqlite:///{tmp_path / 'state.sqlite'}",
        settings=Settings(keepalive_seconds=30, site="https://x.org"),
        engine=engine,
    )
    body = {"model": "alder", "messages": [{"role": "user", "content": "Who are you?"}]}
    with background(service) as url:
        answer = httpx2.post(f"{url}/v1/chat/completions", json=body, timeout=20, trust_env=False)
    assert answer.status_code == 503
    assert "I am who I say" not in answer.text
    assert engine.started == []
