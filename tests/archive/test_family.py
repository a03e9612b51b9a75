"""Whole deposits of a family: what is owed to relatives is found, and no chain gets long."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import makers
from archive import llama
from codec import ggml
from makers import NOW, Weights, folder, gguf, safetensors, tree
from otium.archive import Archive, Entry, Recipe, load_recipe
from otium.archive.packs import depths
from otium.codec.predict import permuted
from otium.errors import DamagedObject
from otium.records import ModelId
from otium.testing import MemoryStore

BASE, OTHER, NEW = ModelId("base-1"), ModelId("other-1"), ModelId("new-1")
MODEL = llama.made(1)


@pytest.fixture
def archive(store: MemoryStore, tmp_path: Path) -> Archive:
    """An archive that holds a model, and one of the same shape that is no relative."""
    archive = makers.archive_in(store)
    for model, seed in ((BASE, 1), (OTHER, 2)):
        archive.add(model, llama.hub(tmp_path / model, llama.made(seed)), deposited=NOW)
    return archive


def packed(archive: Archive) -> int:
    return sum(archive.store.size(name) for name in archive.store.list("packs/"))


def share(archive: Archive, path: Path, *parents: ModelId, model: ModelId = NEW) -> float:
    """Deposit, restore, and return what part of its bytes the deposit took in packs."""
    plan, before, held = archive.plan(path, parents=parents), packed(archive), kept(archive)
    archive.add(model, path, deposited=NOW, parents=parents)
    out = path.parent / f"{path.name}-{model}-out"
    archive.restore(model, out)
    assert tree(out) == tree(path)
    assert archive.check(now=NOW).ok
    files = {piece.sha256 for recipe in recipes(archive, model) for piece in own(recipe)}
    new = {sha256: one for sha256, one in kept(archive).items() if sha256 not in held}
    assert sum(one.size for sha256, one in new.items() if sha256 in files) == plan.new_bytes
    return (packed(archive) - before) / sum(map(len, tree(path).values()))


def kept(archive: Archive) -> dict[str, Entry]:
    return makers.kept(archive.store)


def recipes(archive: Archive, model: ModelId) -> list[Recipe]:
    return [load_recipe(archive.store, file.recipe) for file in archive.manifest(model).files]


def own(recipe: Recipe) -> list[Entry]:
    """Return the pieces of a file itself."""
    return [recipe.pieces[number] for number in recipe.order]  # type: ignore[misc]


def leaned_on(archive: Archive, model: ModelId) -> set[str]:
    """Return the pieces of others that a model's are coded against."""
    return {
        recipe.pieces[base].sha256
        for recipe in recipes(archive, model)
        for number in recipe.order
        for base in recipe.pieces[number].bases
    }


def pieces(archive: Archive, model: ModelId) -> set[str]:
    return {piece.sha256 for recipe in recipes(archive, model) for piece in own(recipe)}


def test_a_relative_is_found_without_being_told(archive: Archive, tmp_path: Path) -> None:
    path = llama.hub(tmp_path / "w", llama.tuned(MODEL, 3))
    assert archive.relatives(path) == list(archive.plan(path).relatives) == [BASE]
    assert share(archive, path) < 0.14
    assert leaned_on(archive, NEW) <= pieces(archive, BASE)


def test_a_model_without_relatives_is_coded_by_itself(archive: Archive, tmp_path: Path) -> None:
    path = llama.hub(tmp_path / "w", llama.made(4))
    assert archive.relatives(path) == []
    assert share(archive, path) < 0.68
    assert not leaned_on(archive, NEW)


def test_the_parent_that_is_told_wins(archive: Archive, tmp_path: Path) -> None:
    near = llama.tuned(MODEL, 3, 0.01)
    archive.add(ModelId("near-1"), llama.hub(tmp_path / "near", near), deposited=NOW)
    path = llama.hub(tmp_path / "w", llama.tuned(near, 5, 0.001))
    assert archive.relatives(path)[0] == "near-1"
    assert archive.plan(path, parents=[BASE]).relatives == (BASE,)
    archive.add(NEW, path, deposited=NOW, parents=[BASE])
    assert leaned_on(archive, NEW) <= pieces(archive, BASE)
    assert archive.manifest(NEW).parents == (BASE,)


def test_a_parent_that_is_not_kept_is_noted_and_others_are_found(
    archive: Archive, tmp_path: Path
) -> None:
    path = llama.hub(tmp_path / "w", llama.tuned(MODEL, 3))
    assert share(archive, path, ModelId("elsewhere-1")) < 0.14
    assert archive.manifest(NEW).parents == ("elsewhere-1",)


def test_no_chain_is_longer_than_three_however_long_the_line(
    archive: Archive, tmp_path: Path
) -> None:
    line, model = [BASE], MODEL
    shares = []
    for generation in range(6):
        model = llama.tuned(model, 10 + generation)
        name = ModelId(f"gen-{generation}")
        path = llama.hub(tmp_path / name, model)
        shares.append(share(archive, path, line[-1], model=name))
        line.append(name)
    deepest = [
        max(max(depths(recipe, "")) for recipe in recipes(archive, name)) for name in line[1:]
    ]
    assert deepest[:3] == [1, 2, 3]
    assert max(deepest) == 3
    # One whose parent lies at depth 3 falls back to what that is coded against.
    assert max(shares) < 0.2


@pytest.mark.parametrize("dtype", ["F32", "F16", "BF16"])
@pytest.mark.parametrize("shards", [1, 3])
def test_the_same_model_in_another_type_and_other_files_takes_next_to_nothing(
    archive: Archive, tmp_path: Path, dtype: str, shards: int
) -> None:
    path = llama.hub(tmp_path / "w", MODEL, dtype, shards=shards)
    assert share(archive, path) < 0.005


@pytest.mark.parametrize("dtype", ["F32", "F16", "BF16"])
def test_the_same_model_as_gguf_takes_next_to_nothing(
    archive: Archive, tmp_path: Path, dtype: str
) -> None:
    path = llama.converted(tmp_path / "w", MODEL, dtype)
    assert archive.relatives(path) == [BASE]
    assert share(archive, path) < 0.005


def test_after_its_gguf_the_hubs_model_takes_next_to_nothing(
    archive: Archive, tmp_path: Path
) -> None:
    model = llama.made(6)
    share(archive, llama.converted(tmp_path / "gguf", model, "F16"), model=ModelId("gguf-1"))
    assert share(archive, llama.hub(tmp_path / "w", model, "F16")) < 0.2


def test_a_vocabulary_that_grew_costs_only_its_new_rows(archive: Archive, tmp_path: Path) -> None:
    name, extra = "model.embed_tokens.weight", 40
    grown = {**MODEL, name: np.concatenate([MODEL[name], llama.made(7)[name][:extra]])}
    taken = share(archive, llama.hub(tmp_path / "w", grown))
    assert taken * 1e6 < extra * llama.HIDDEN * 2
    tuned = llama.hub(tmp_path / "t", llama.tuned(grown, 8))
    assert share(archive, tuned, BASE, model=ModelId("tuned-1")) < 0.16
    embedding = [
        piece
        for piece in makers.pieces_of(archive, ModelId("tuned-1"), "model.safetensors")
        if piece.size == llama.VOCABULARY * llama.HIDDEN * 2
    ]
    assert [piece.codec for piece in embedding] == ["delta"]


def test_an_adapter_as_a_parent_makes_the_merged_model_nearly_free(
    archive: Archive, tmp_path: Path
) -> None:
    path, merged = llama.adapter(tmp_path / "adapter", MODEL, 9)
    archive.add(ModelId("adapter-1"), path, deposited=NOW)
    assert share(archive, llama.hub(tmp_path / "w", merged), BASE, ModelId("adapter-1")) < 0.005


@pytest.mark.parametrize("block", [32, 64])
def test_fp8_in_scaled_blocks_takes_next_to_nothing(
    archive: Archive, tmp_path: Path, block: int
) -> None:
    path = llama.scaled(tmp_path / "w", MODEL, block)
    assert share(archive, path, BASE) < 0.02
    found = makers.pieces_of(archive, NEW, "model.safetensors")
    assert sum(piece.codec == "scaled" for piece in found) == llama.LAYERS * len(llama.PARTS)


MADE = ["Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K"]
NUMBERS = dict(zip(MADE, [2, 3, 6, 7, 8, 10, 11, 12, 13, 14], strict=True))


@pytest.mark.parametrize("kind", MADE)
@pytest.mark.parametrize("part", ["attn_q", "ffn_up"])
def test_blocks_that_ggml_made_from_a_parent_are_known(
    archive: Archive, tmp_path: Path, kind: str, part: str
) -> None:
    golden = np.load(ggml.GOLDEN)
    moved = golden["weights"].astype(np.uint16)
    rows = permuted(moved, 1) if part == "attn_q" else moved  # of 4 rows this undoes itself
    assert part != "attn_q" or not (rows == moved).all()
    names = {"attn_q": "self_attn.q_proj", "ffn_up": "mlp.up_proj"}
    name = f"model.layers.0.{names[part]}.weight"
    parent = safetensors([Weights(name, rows.tobytes(), rows.shape, "BF16")])
    archive.add(ModelId("p"), folder(tmp_path / "p", {"model.safetensors": parent}), deposited=NOW)
    blocks = golden[kind].tobytes()
    tensor = Weights(f"blk.0.{part}.weight", blocks, moved.shape[::-1], NUMBERS[kind])
    facts: dict[str, object] = {
        "general.architecture": "llama",
        "llama.attention.head_count": 1,
        "llama.attention.head_count_kv": 1,
    }
    path = folder(tmp_path / "w", {"model.gguf": gguf(facts, [tensor])})
    share(archive, path, ModelId("p"))
    [piece] = [
        one for one in makers.pieces_of(archive, NEW, "model.gguf") if one.size == len(blocks)
    ]
    assert piece.codec == "quant"
    assert piece.stored < 0.35 * len(blocks)  # of 2,048 weights; tables weigh most


def test_damage_names_the_file_the_tensor_and_every_model_that_rests_on_it(
    archive: Archive, store: MemoryStore, tmp_path: Path
) -> None:
    path = llama.hub(tmp_path / "w", llama.tuned(MODEL, 3))
    archive.add(NEW, path, deposited=NOW)
    gguf_id = ModelId("gguf-1")
    archive.add(gguf_id, llama.converted(tmp_path / "g", MODEL, "F16"), deposited=NOW)
    name = "model.layers.1.self_attn.q_proj.weight"
    tensor = next(t for f in archive.manifest(BASE).files for t in f.tensors if t.name == name)
    [piece] = [
        one
        for one in makers.pieces_of(archive, BASE, "model.safetensors")
        if one.sha256 == tensor.sha256
    ]
    pack = makers.spoil(store, piece)
    [damage] = archive.check(now=NOW).damage
    assert damage.name == pack
    assert damage.models == (BASE, gguf_id, NEW)
    assert damage.tensors == ("model.gguf: blk.1.attn_q.weight", f"model.safetensors: {name}")


def test_relatives_that_are_damaged_are_no_obstacle(
    archive: Archive, store: MemoryStore, tmp_path: Path
) -> None:
    path = llama.hub(tmp_path / "w", llama.tuned(MODEL, 3))
    for piece in makers.pieces_of(archive, BASE, "model.safetensors")[5:9]:
        makers.spoil(store, piece)
    archive.add(NEW, path, deposited=NOW)
    archive.restore(NEW, tmp_path / "out")
    assert tree(tmp_path / "out") == tree(path)
    recipe = archive.manifest(BASE).files[1].recipe
    del store.objects[f"recipes/{recipe[:2]}/{recipe}.json"]
    again = llama.hub(tmp_path / "v", llama.tuned(MODEL, 4))
    archive.add(ModelId("new-2"), again, deposited=NOW, parents=[BASE])
    archive.restore(ModelId("new-2"), tmp_path / "out-2")
    assert tree(tmp_path / "out-2") == tree(again)


def test_a_deposit_that_rests_on_damaged_pieces_is_not_acknowledged(
    archive: Archive, store: MemoryStore, tmp_path: Path
) -> None:
    pack = makers.spoil(store, makers.pieces_of(archive, BASE, "model.safetensors")[5])
    path = llama.hub(tmp_path / "w", MODEL, shards=2)
    with pytest.raises(DamagedObject, match=pack):
        archive.add(NEW, path, deposited=NOW)
    assert NEW not in archive.models()


def test_the_same_family_in_the_same_order_makes_the_same_archive(tmp_path: Path) -> None:
    made = []
    for run in ("a", "b"):
        store = MemoryStore()
        archive = makers.archive_in(store)
        for seed, model in enumerate([MODEL, llama.tuned(MODEL, 3), llama.tuned(MODEL, 4)]):
            path = llama.hub(tmp_path / run / str(seed), model)
            archive.add(ModelId(f"m-{seed}"), path, deposited=NOW)
        made.append(store.objects)
    assert made[0] == made[1]


def test_a_config_that_is_no_adapters_is_no_obstacle(archive: Archive, tmp_path: Path) -> None:
    path, merged = llama.adapter(tmp_path / "adapter", MODEL, 9)
    for number, config in enumerate([b"", b"[]", json.dumps({"lora_alpha": "x"}).encode()]):
        (path / "adapter_config.json").write_bytes(config)
        adapter = ModelId(f"adapter-{number}")
        archive.add(adapter, path, deposited=NOW)
        out = llama.hub(tmp_path / f"w{number}", merged)
        share(archive, out, BASE, adapter, model=ModelId(f"merged-{number}"))
