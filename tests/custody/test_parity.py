from __future__ import annotations

import io
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from custody.copies import flipped
from custody.second_reader import Reader, product
from makers import NOW
from otium.archive import Archive
from otium.custody import protect, read_sheet, rebuild, stats
from otium.custody.code import coefficient, inverse, multiply, solve
from otium.custody.parity import _protect, groups
from otium.custody.sheet import Member
from otium.errors import BadInput, DamagedObject, Irreparable, NotFound
from otium.testing import MemoryStore


def packed(sizes: list[int], seed: int = 0) -> MemoryStore:
    """Return a store with packs of these sizes, which no model rests on."""
    chance, store = random.Random(seed), MemoryStore()
    for size in sizes:
        store.add("packs", [chance.randbytes(size)], ".pack")
    return store


def protected(store: MemoryStore, share: float) -> list[str]:
    """Protect every pack of a store, whatever rests on it; return the parity files."""
    members = [
        Member(sha256=name[9:-5], size=len(data))
        for name, data in store.objects.items()
        if name.startswith("packs/")
    ]
    return [_protect(store, group, lambda _n: None).name for group in groups(members, share)]


def mended(store: MemoryStore, parity: str, pack: str) -> bytes:
    out = io.BytesIO()
    rebuild(read_sheet(store, parity), pack[9:-5], [store], out)
    return out.getvalue()


@given(st.integers(1, 255), st.integers(1, 255), st.integers(1, 255))
def test_the_field_is_a_field(a: int, b: int, c: int) -> None:
    assert multiply(a, b) == multiply(b, a) == product(a, b)
    assert multiply(a, multiply(b, c)) == multiply(multiply(a, b), c)
    assert multiply(a, b ^ c) == multiply(a, b) ^ multiply(a, c)
    assert multiply(a, inverse(a)) == 1


@given(st.data())
@settings(max_examples=30, deadline=None)
def test_any_rows_can_be_solved_for(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 12))
    lost = data.draw(st.lists(st.integers(0, 199), min_size=count, max_size=count, unique=True))
    parities = data.draw(st.lists(st.integers(0, 55), min_size=count, max_size=count, unique=True))
    for at, line in enumerate(solve(parities, lost)):
        for to, row in enumerate(lost):
            total = 0
            for factor, j in zip(line, parities, strict=True):
                total ^= multiply(factor, coefficient(j, row))
            assert total == int(at == to)


@given(st.data())
@settings(max_examples=12, deadline=None)
def test_as_much_damage_as_promised_is_mended_and_one_cell_more_is_refused(
    data: st.DataObject,
) -> None:
    sizes = data.draw(st.lists(st.integers(1, 5000), min_size=1, max_size=4))
    share = data.draw(st.sampled_from([0.02, 0.05, 0.2, 0.5, 1.0]))
    store = packed(sizes, data.draw(st.integers(0, 2**32)))
    good = dict(store.objects)
    for parity in protected(store, share):
        sheet = read_sheet(store, parity)
        group = sheet.group
        places = group.places()
        hit = data.draw(st.permutations(range(len(places))))[: group.parity + 1]
        for row in hit[: group.parity]:
            member, start = places[row]
            name = f"packs/{member.sha256[:2]}/{member.sha256}.pack"
            store.objects[name] = flipped(store.objects[name], start)
        for member in group.packs:
            name = f"packs/{member.sha256[:2]}/{member.sha256}.pack"
            assert mended(store, parity, name) == good[name]
        if len(hit) > group.parity:
            member, start = places[hit[-1]]
            name = f"packs/{member.sha256[:2]}/{member.sha256}.pack"
            store.objects[name] = flipped(store.objects[name], start)
            with pytest.raises(Irreparable, match=f"{group.parity + 1} cells of column 0"):
                mended(store, parity, name)


def test_damage_in_each_column_counts_apart() -> None:
    store = packed([40 << 20])
    [name], [parity] = list(store.objects), protected(store, 0.03)
    group, good = read_sheet(store, parity).group, store.objects[name]
    assert (group.cell, group.columns > 2) == (64 << 10, True)
    bad = bytearray(good)
    for column in range(group.columns):
        for n in range(group.parity):
            row = (7 * column + n) % group.rows_of(group.packs[0])
            at = row * group.row + column * group.cell
            bad[at : at + 9] = bytes(9)
    store.objects[name] = bytes(bad)
    assert mended(store, parity, name) == good


def test_a_pack_of_few_rows_may_be_lost_whole() -> None:
    store = packed([3000, 2900, 2800, 700])
    [parity] = protected(store, 0.4)
    sheet = read_sheet(store, parity)
    good, lost = dict(store.objects), 0
    for member in sheet.group.packs:
        name = f"packs/{member.sha256[:2]}/{member.sha256}.pack"
        del store.objects[name]
        if sheet.group.rows_of(member) <= sheet.group.parity:
            assert mended(store, parity, name) == good[name]
            lost += 1
        store.objects[name] = good[name]
    assert lost == 4


def test_either_head_is_enough_and_parity_cells_may_be_damaged_too() -> None:
    store = packed([20000])
    [name], [parity] = list(store.objects), protected(store, 0.1)
    good, whole = store.objects[name], store.objects[parity]
    sheet = read_sheet(store, parity)
    store.objects[name] = flipped(good, 100)
    for harmed in (
        flipped(whole, 5),
        flipped(whole, 150),
        whole[:-200],
        flipped(whole, sheet.start + 1),
        flipped(flipped(whole, 5), sheet.start + 1),
    ):
        store.objects[parity] = harmed
        assert mended(store, parity, name) == good
    store.objects[parity] = flipped(flipped(whole, 5), len(whole) - 5)
    with pytest.raises(DamagedObject):
        read_sheet(store, parity)


def test_every_byte_of_a_parity_file_is_checked(archive: Archive, store: MemoryStore) -> None:
    [made] = protect(archive, 0.05)
    whole = store.objects[made.name]
    for at in range(0, len(whole), 97):
        store.objects[made.name] = flipped(whole, at)
        assert [d.name for d in archive.check(now=NOW).damage] == [made.name]


@pytest.mark.parametrize("sizes", [[500, 900, 64], [30000, 1]])
def test_a_second_reader_of_the_format_agrees(sizes: list[int]) -> None:
    store = packed(sizes)
    packs = {name[9:-5]: data for name, data in store.objects.items()}
    [parity] = protected(store, 0.1)
    group = read_sheet(store, parity).group
    bad = dict(packs)
    member, start = group.places()[0]
    bad[member.sha256] = flipped(bad[member.sha256], start)
    member, start = group.places()[-1]
    if group.parity > 1:
        bad[member.sha256] = flipped(bad[member.sha256], start)
    assert Reader(store.objects[parity], bad).rebuild() == packs


def test_the_page_s_test_vector_is_what_is_written() -> None:
    store = MemoryStore()
    store.add("packs", [bytes(n * 7 % 251 for n in range(1000))], ".pack")
    [parity] = protected(store, 0.05)
    group = read_sheet(store, parity).group
    assert (group.cell, group.columns, group.parity, group.rows) == (64, 1, 1, 16)
    assert parity.startswith("parity/")
    assert parity[10:-7] == "b7126db68f192d999d9204607ddfd8610d84afa5bcb26971369bc72ebc37ac3a"
    assert [coefficient(0, 0), coefficient(0, 1), coefficient(3, 7)] == [253, 126, 117]


def test_what_is_protected_is_not_protected_again(archive: Archive) -> None:
    told: list[tuple[str, int, int]] = []
    made = protect(archive, 0.1, progress=lambda *told_: told.append(told_))
    assert made
    assert told[-1][1] == told[-1][2]
    assert protect(archive, 0.1) == []
    assert protect(archive, 0.5) != []


def test_only_packs_with_enough_models_are_protected(archive: Archive) -> None:
    [made] = protect(archive, 0.1, models=2)
    assert set(made.packs) == {use.name for use in stats(archive).packs if len(use.models) > 1}
    assert protect(archive, 0.1, models=3) == []


def test_a_damaged_pack_is_not_protected(archive: Archive, store: MemoryStore) -> None:
    name = stats(archive).packs[0].name
    store.objects[name] = flipped(store.objects[name], 1)
    with pytest.raises(DamagedObject):
        protect(archive)
    assert not [name for name in store.objects if name.startswith("parity/")]


def test_a_share_beyond_its_bounds_and_an_unknown_pack_are_refused(archive: Archive) -> None:
    for share in (0, -1, 1.5):
        with pytest.raises(BadInput):
            protect(archive, share)
    [made] = protect(archive)
    with pytest.raises(NotFound):
        rebuild(read_sheet(archive.store, made.name), "ab" * 32, [archive.store], io.BytesIO())


@given(
    st.lists(st.integers(1, 1 << 33), min_size=1, max_size=300), st.sampled_from([0.01, 0.05, 1])
)
@settings(max_examples=50, deadline=None)
def test_groups_of_any_sizes_are_sound_and_complete(sizes: list[int], share: float) -> None:
    members = [Member(sha256=f"{n:064x}", size=size) for n, size in enumerate(sizes)]
    made = list(groups(members, share))
    assert sorted(m.sha256 for g in made for m in g.packs) == [m.sha256 for m in members]
    for group in made:
        assert group.is_sound()
        assert group.share >= share * 0.999
