"""The seam: the same pieces, whoever does them."""

from __future__ import annotations

from pathlib import Path

import pytest

from otium.errors import BadInput, Unsupported, WorkFailed
from otium.records import ModelId
from otium.scaling import Deposit, Failure, Here, cluster, order


def half(number: int) -> int:
    if number % 2:
        raise BadInput(what=str(number), why="it is odd")
    return number // 2


def test_what_goes_wrong_with_one_piece_is_its_result() -> None:
    done = list(Here().each(half, [4, 3, 2]))
    assert [one.result for one in done if not isinstance(one.result, Failure)] == [2, 1]
    assert isinstance(done[1].result, Failure)
    assert done[1].result.type == "BadInput"
    with pytest.raises(WorkFailed, match="it is odd"):
        done[1].value()


def test_a_defect_is_no_result() -> None:
    with pytest.raises(TypeError):
        list(Here().each(half, ["four"]))  # type: ignore[arg-type]


def test_without_ray_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    with pytest.raises(Unsupported, match="otium\\[ray\\]"), cluster("auto", 2):
        pass


def test_one_of_each_family_goes_first(tmp_path: Path, weights: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "model.safetensors").write_bytes(
        (weights / "model.safetensors").read_bytes().replace(b"layer", b"embed")
    )
    places = {"a": weights, "b": other, "c": weights, "d": other}
    plan = order([Deposit(model=ModelId(n), files=str(path)) for n, path in places.items()])
    assert [one.model for one in plan.first] == ["a", "b"]
    assert [one.model for one in plan.then] == ["c", "d"]


def test_a_model_is_not_deposited_twice(weights: Path) -> None:
    one = Deposit(model=ModelId("a"), files=str(weights))
    with pytest.raises(BadInput, match="twice"):
        order([one, one])
