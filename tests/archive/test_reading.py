"""Parts of a deposited file, read without the rest."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import makers
from archive import llama
from makers import NOW, Weights, folder, safetensors
from otium.archive import Archive, Piece, load_recipe, survey
from otium.archive.packs import depths
from otium.errors import BadInput, DamagedObject, NotFound, UnknownRecord
from otium.records import ModelId
from otium.store import Span
from otium.testing import MemoryStore

BASE, TUNED, FP8, MERGED = (ModelId(name) for name in ("base", "tuned", "fp8", "merged"))
FILE = "model.safetensors"


class Counting(MemoryStore):
    """A store that notes what is read of packs."""

    def __init__(self) -> None:
        super().__init__()
        self.reads: list[tuple[str, int]] = []

    def get(self, name: str, span: Span | None = None) -> bytes:
        data = super().get(name, span)
        if name.startswith("packs/"):
            self.reads.append((name, len(data)))
        return data


@pytest.fixture(scope="module")
def family(tmp_path_factory: pytest.TempPathFactory) -> tuple[Archive, dict[ModelId, bytes]]:
    """A line of four, an adapter merged, and fp8 in blocks."""
    root = tmp_path_factory.mktemp("family")
    archive = makers.archive_in(Counting())
    model = llama.made(1)
    files: dict[ModelId, bytes] = {}

    def add(name: ModelId, path: Path, *parents: ModelId) -> None:
        archive.add(name, path, deposited=NOW, parents=parents)
        files[name] = (path / FILE).read_bytes()

    add(BASE, llama.hub(root / "base", model))
    line, parent = model, BASE
    for generation in range(3):
        line = llama.tuned(line, generation)
        name = TUNED if generation == 2 else ModelId(f"gen-{generation}")
        add(name, llama.hub(root / name, line), parent)
        parent = name
    adapter, merged = llama.adapter(root / "adapter", model, 7)
    archive.add(ModelId("adapter"), adapter, deposited=NOW)
    add(MERGED, llama.hub(root / "merged", merged), BASE, ModelId("adapter"))
    add(FP8, llama.scaled(root / "fp8", model, 64), BASE)
    return archive, files


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_any_range_is_the_files_bytes(
    family: tuple[Archive, dict[ModelId, bytes]], data: st.DataObject
) -> None:
    archive, files = family
    model = data.draw(st.sampled_from(sorted(files)))
    whole = files[model]
    first = data.draw(st.integers(0, len(whole)))
    near = min(len(whole), first + data.draw(st.sampled_from([0, 1, 100, 40_000, len(whole)])))
    opened = archive.open_file(model, FILE)
    assert opened.read(first, near - first) == whole[first:near]


def test_each_tensor_costs_no_more_reads_than_its_depth_and_one(
    family: tuple[Archive, dict[ModelId, bytes]],
) -> None:
    archive, files = family
    store = archive.store
    assert isinstance(store, Counting)
    deepest = 0
    for model in (BASE, ModelId("gen-0"), ModelId("gen-1"), TUNED):
        opened = archive.open_file(model, FILE)
        depth = depths(opened.recipe, "")
        at = {t.offset: t for t in opened.file.tensors}
        start = 0
        for number in opened.recipe.order:
            tensor = at.get(start)
            start += opened.recipe.pieces[number].size
            if tensor is None:
                continue
            store.reads.clear()
            there = files[model][tensor.offset : tensor.offset + tensor.length]
            assert opened.tensor(tensor.name) == there
            assert len(store.reads) <= depth[number] + 1
            deepest = max(deepest, depth[number])
    assert deepest == 3


@pytest.mark.parametrize("model", [MERGED, FP8])
def test_a_tensor_with_several_bases_costs_no_more_reads_than_it_rests_on_pieces(
    family: tuple[Archive, dict[ModelId, bytes]], model: ModelId
) -> None:
    archive, _ = family
    store = archive.store
    assert isinstance(store, Counting)
    opened = archive.open_file(model, FILE)
    most = 0
    for tensor in opened.file.tensors:
        store.reads.clear()
        opened.tensor(tensor.name)
        needed = _under(opened.recipe.pieces, tensor.sha256)
        assert len(store.reads) <= len(needed)
        assert sum(size for _, size in store.reads) == sum(
            opened.recipe.pieces[number].stored for number in needed
        )
        most = max(most, len(store.reads))
    assert most <= 3


def _under(pieces: tuple[Piece, ...], sha256: str) -> set[int]:
    todo = [next(n for n, piece in enumerate(pieces) if piece.sha256 == sha256)]
    found: set[int] = set()
    while todo:
        number = todo.pop()
        found.add(number)
        todo += pieces[number].bases
    return found


def test_a_tensor_of_many_pieces_is_read_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(survey, "MOST_WEIGHTS", 1 << 12)
    archive = makers.archive_in(Counting())
    store = archive.store
    assert isinstance(store, Counting)
    model = llama.made(1)
    archive.add(BASE, llama.hub(tmp_path / "a", model), deposited=NOW)
    path = llama.hub(tmp_path / "b", llama.tuned(model, 2))
    archive.add(TUNED, path, deposited=NOW)
    opened = archive.open_file(TUNED, FILE)
    name = "model.embed_tokens.weight"
    [tensor] = [tensor for tensor in opened.file.tensors if tensor.name == name]
    assert len(opened.recipe.order) > llama.VOCABULARY * llama.HIDDEN >> 12
    store.reads.clear()
    whole = (path / FILE).read_bytes()
    assert opened.tensor(name) == whole[tensor.offset : tensor.offset + tensor.length]
    assert len(store.reads) == 2


def test_the_first_layers_are_read_without_the_rest(tmp_path: Path) -> None:
    archive = makers.archive_in(Counting())
    store = archive.store
    assert isinstance(store, Counting)
    model = llama.made(1, layers=40)
    archive.add(BASE, llama.hub(tmp_path / "a", model), deposited=NOW)
    packs = sum(store.size(name) for name in store.list("packs/"))
    opened = archive.open_file(BASE, FILE)
    store.reads.clear()
    first = [tensor for tensor in opened.file.tensors if ".layers.0." in tensor.name]
    assert len(first) == len(llama.PARTS)
    start, end = first[0].offset, first[-1].offset + first[-1].length
    assert opened.read(start, end - start) == (tmp_path / "a" / FILE).read_bytes()[start:end]
    assert len(store.reads) == 1
    assert store.reads[0][1] < 0.05 * packs


@pytest.mark.parametrize(("offset", "length"), [(-1, 2), (0, -1), (0, 10**9), (10**9, 0)])
def test_what_lies_outside_is_refused(
    family: tuple[Archive, dict[ModelId, bytes]], offset: int, length: int
) -> None:
    with pytest.raises(BadInput, match="past the end"):
        family[0].open_file(BASE, FILE).read(offset, length)


def test_what_is_not_there_is_named(family: tuple[Archive, dict[ModelId, bytes]]) -> None:
    with pytest.raises(UnknownRecord):
        family[0].open_file(BASE, "other.safetensors")
    with pytest.raises(NotFound, match=r"lm_head\.weight"):
        family[0].open_file(BASE, FILE).tensor("lm_head.weight")


def test_a_part_that_is_damaged_is_not_given_out_and_the_others_are(tmp_path: Path) -> None:
    archive = makers.archive_in(MemoryStore())
    store = archive.store
    assert isinstance(store, MemoryStore)
    values = np.arange(4000, dtype=np.float32)
    tensors = [Weights(n, (values + k).tobytes(), (4000,)) for k, n in enumerate("abc")]
    path = folder(tmp_path / "w", {FILE: safetensors(tensors)})
    archive.add(BASE, path, deposited=NOW)
    [file] = archive.manifest(BASE).files
    recipe = load_recipe(store, file.recipe)
    makers.spoil(store, next(p for p in recipe.pieces if p.sha256 == file.tensors[1].sha256))
    opened = archive.open_file(BASE, FILE)
    assert opened.tensor("a") == tensors[0].data
    assert opened.tensor("c") == tensors[2].data
    with pytest.raises(DamagedObject, match=file.tensors[1].sha256):
        opened.tensor("b")
