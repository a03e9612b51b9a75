from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kinship.models import CODINGS, gguf, make, tune, views
from otium.errors import DamagedCache
from otium.kinship import Index, search_figures, sketch


@pytest.fixture(scope="module")
def family() -> dict[str, bytes]:
    """Return sketches of a chain, two siblings and a stranger of the same shape."""
    base = make(0)
    once = tune(base, 0.01, 1)
    models = {
        "base": base,
        "once": once,
        "twice": tune(once, 0.01, 2),
        "sibling": tune(base, 0.02, 3),
        "stranger": make(9),
    }
    return {name: sketch(views(model, "BF16")) for name, model in models.items()}


def test_the_parent_of_each_model_is_found(family: dict[str, bytes]) -> None:
    index = Index(family)
    parents = {name: index.nearest(family[name], 1, {name})[0].model for name in family}
    assert parents["base"] == "once"
    assert parents["twice"] == "once"
    assert parents["sibling"] == "base"


def test_what_a_stranger_costs_is_what_standing_alone_does(family: dict[str, bytes]) -> None:
    index = Index(family)
    assert index.nearest(family["stranger"], 1, {"stranger"})[0].bits > 10
    assert index.nearest(family["twice"], 1, {"twice"})[0].bits < 5


@pytest.mark.parametrize("dtype", sorted({*CODINGS} - {"F8_E4M3"}))
def test_a_model_is_found_from_a_copy_of_another_type(family: dict[str, bytes], dtype: str) -> None:
    index = Index(family)
    query = sketch(gguf(make(0), dtype))
    found = index.nearest(query, 5)
    assert found[-1].model == "stranger"
    assert found[0].model == "base" or dtype == "Q4_0"


def test_answers_come_nearest_first_and_as_many_as_asked(family: dict[str, bytes]) -> None:
    found = Index(family).nearest(family["once"], 3)
    assert [r.bits for r in found] == sorted(r.bits for r in found)
    assert (found[0].model, found[0].bits, len(found)) == ("once", 0, 3)


def test_without_models_or_a_sketch_nothing_is_found(family: dict[str, bytes]) -> None:
    assert Index().nearest(family["base"]) == []
    assert Index(family).nearest(b"") == []
    assert Index(family).nearest(family["base"], without=family) == []


def test_unknown_versions_are_left_out_and_names_stay_single(family: dict[str, bytes]) -> None:
    index = Index()
    index.add("future", b"\2" + family["base"][1:])
    index.add("none", b"")
    index.add("base", family["base"])
    index.add("base", family["stranger"])
    assert len(index) == 1
    assert "base" in index
    assert "future" not in index
    assert index.nearest(family["base"], 1)[0].bits == 0


def random_sketches(count: int, like: bytes) -> dict[str, bytes]:
    noise = np.random.default_rng(4).standard_normal((count, 1024)).astype(np.float32)
    rows = (noise.view(np.uint32) >> 16).astype("<u2")
    return {f"n{at}": like[:32] + row.tobytes() for at, row in enumerate(rows)}


def test_a_saved_index_answers_as_before_and_grows(
    family: dict[str, bytes], tmp_path: Path
) -> None:
    path = tmp_path / "sketches"
    crowd = random_sketches(3000, family["base"])
    Index(crowd).save(path)
    index = Index.load(path)
    for name, data in family.items():
        index.add(name, data)
    index.save(path)
    again = Index.load(path)
    fresh = Index(crowd | family)
    for name, data in family.items():
        assert again.nearest(data, 4, {name}) == fresh.nearest(data, 4, {name})
    assert len(again) == 3005
    assert [p.name for p in tmp_path.iterdir()] == ["sketches"]


def test_models_added_one_by_one_are_found_at_once(family: dict[str, bytes]) -> None:
    index = Index(family)
    for name, data in random_sketches(200, family["base"]).items():
        index.add(name, data)
        assert index.nearest(data, 1)[0].model == name
    assert index.nearest(family["twice"], 1, {"twice"})[0].model == "once"


def test_an_empty_index_can_be_saved(tmp_path: Path) -> None:
    Index().save(tmp_path / "sketches")
    assert len(Index.load(tmp_path / "sketches")) == 0


@pytest.mark.parametrize("keep", [0, 10, 64, 100, -1])
def test_a_cut_cache_is_refused(family: dict[str, bytes], tmp_path: Path, keep: int) -> None:
    path = tmp_path / "sketches"
    Index(family).save(path)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DamagedCache):
        Index.load(path)


@pytest.mark.parametrize("names", [b"{", b"[]", b"3", b'{"a":1}', b'["a",1,2,3,4]', b"\xff"])
def test_a_cache_with_wrong_names_is_refused(
    family: dict[str, bytes], tmp_path: Path, names: bytes
) -> None:
    path = tmp_path / "sketches"
    Index(family).save(path)
    data = bytearray(path.read_bytes())
    data[64:128] = names.ljust(64)
    path.write_bytes(data)
    with pytest.raises(DamagedCache):
        Index.load(path)


def test_parents_are_found_among_thousands_of_strangers_and_siblings() -> None:
    figures = search_figures(models=4000, seed=1, queries=155)
    assert figures.models >= 4000
    assert figures.right >= 0.99
    assert figures.stranger == 0
    assert figures.bytes_per_model == 2080
