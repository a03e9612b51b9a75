import hmac
from contextlib import suppress
from hashlib import sha256
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from audit.kit import DEADLINE, ONE, TWO, Lab, flipped, response_of
from otium.audit import (
    LEAF,
    Challenge,
    challenge,
    chances,
    check_challenge,
    judge,
    read_challenge,
    respond,
)
from otium.audit.spot import Stream, draws
from otium.audit.trees import leaf_count, path_length
from otium.errors import AuditFailed, BadInput, BadRecord
from otium.records import ModelId
from otium.store import LocalStore
from otium.testing import MemoryStore


def verdicts(lab: Lab, asked: Challenge, response: bytes) -> dict[str, str]:
    return {one.model: one.verdict for one in lab.judge(asked, response).models}


def parts(asked: Challenge, response: bytes) -> list[tuple[int, int]]:
    """Return where each leaf's part of a response begins and ends."""
    at, found = response.index(b"\n") + 1, []
    for one in asked.drawn:
        for index in one.leaves:
            length = min(LEAF, one.size - index * LEAF)
            end = at + 1 + length + 32 * path_length(index, leaf_count(one.size))
            found.append((at, end))
            at = end
    return found


def test_a_custodian_that_holds_everything_passes(sealed: Lab) -> None:
    asked = sealed.ask(samples=460)
    outcome = sealed.judge(asked, response_of(asked, sealed.copy()))
    assert outcome.passed
    assert {one.model for one in outcome.models} == {ONE, TWO}
    assert sum(one.samples for one in outcome.models) == 460
    assert outcome.models[0].caught_at_1_percent == pytest.approx(0.99, abs=0.01)


def test_the_draw_is_the_one_that_the_page_describes(sealed: Lab) -> None:
    asked, seals = sealed.ask(samples=50), sealed.seals()
    body = asked.checkpoint.split("\n\n")[0] + "\n"
    leaves = [(n, leaf) for n, pack in enumerate(seals.packs) for leaf in range(pack.leaves)]
    expected: list[tuple[int, int]] = []
    counter = 0
    while len(expected) < 50:
        text = f"vault\ndice\n{counter}\n".encode()
        number = int.from_bytes(hmac.digest(sha256(body.encode()).digest(), text, "sha256")[:8])
        counter += 1
        if number < (1 << 64) // len(leaves) * len(leaves):
            expected.append(leaves[number % len(leaves)])
    assert draws(asked, seals) == expected


def test_each_challenge_draws_anew(sealed: Lab) -> None:
    first = sealed.ask(samples=9)
    others = [sealed.ask(samples=9, beacon="coin"), sealed.ask(samples=9, custodian="cellar")]
    sealed.log("heartbeat", "lab")
    others.append(sealed.ask(samples=9))
    for other in others:
        assert other.drawn != first.drawn
        check_challenge(other, sealed.seals())


@given(st.binary(min_size=32, max_size=32), st.integers(1, 1 << 60))
def test_a_stream_stays_below_its_limit_and_repeats_itself(key: bytes, limit: int) -> None:
    first, second = Stream(key, "x"), Stream(key, "x")
    numbers = [first.below(limit) for _ in range(5)]
    assert all(0 <= number < limit for number in numbers)
    assert numbers == [second.below(limit) for _ in range(5)]


def test_every_leaf_is_drawn_equally_often(sealed: Lab) -> None:
    found = draws(sealed.ask(samples=32_000), sealed.seals())
    counts = [found.count(place) for place in set(found)]
    assert len(counts) == sum(pack.leaves for pack in sealed.seals().packs)
    expected = len(found) / len(counts)
    chi = sum((count - expected) ** 2 / expected for count in counts)
    assert chi < 60  # 31 degrees of freedom: above it once in a thousand


def test_a_challenge_for_one_model_draws_from_its_packs_only(sealed: Lab) -> None:
    asked = sealed.ask(models=[TWO])
    assert [one.size < LEAF for one in asked.drawn] == [True]
    assert verdicts(sealed, asked, response_of(asked, sealed.copy())) == {TWO: "passed"}


def test_a_model_on_which_no_draw_fell_gets_no_verdict(sealed: Lab) -> None:
    asked = next(
        one for n in range(99) if len((one := sealed.ask(samples=1, beacon=str(n))).drawn) == 1
    )
    assert len(sealed.judge(asked, response_of(asked, sealed.copy())).models) == 1


def test_the_chance_to_be_caught_is_printed_for_three_losses() -> None:
    assert [f"{chance:.4f}" for chance in chances(460).values()] == ["0.3689", "0.9902", "1.0000"]


def test_a_response_from_a_cache_is_the_same_and_reads_only_the_leaves(sealed: Lab) -> None:
    asked, copy, cache = sealed.ask(), sealed.copy(), MemoryStore()
    plain = response_of(asked, copy)
    assert response_of(asked, copy, cache) == plain
    assert response_of(asked, copy, cache) == plain
    assert all(name.startswith("leaves/") for name in cache.objects)


@pytest.mark.parametrize("harm", ["flip", "cut", "empty", "another"])
def test_a_cache_is_never_trusted(sealed: Lab, harm: str) -> None:
    asked, copy, cache = sealed.ask(), sealed.copy(), MemoryStore()
    plain = response_of(asked, copy, cache)
    for name, data in cache.objects.items():
        spoilt = {
            "flip": flipped(data, 0),
            "cut": data[:-1],
            "empty": b"",
            "another": bytes(len(data)),
        }
        cache.objects[name] = spoilt[harm]
    assert response_of(asked, copy, cache) == plain
    assert sealed.judge(asked, plain).passed


def test_a_copy_in_a_directory_answers_too(sealed: Lab, tmp_path: Path) -> None:
    copy = LocalStore(tmp_path / "copy")
    for name, data in sealed.copy().objects.items():
        copy.put(name, data)
    asked = sealed.ask()
    with (tmp_path / "response").open("wb") as out:
        done = respond(asked, copy, out, cache=LocalStore(tmp_path / "trees"))
    assert done.bytes == (tmp_path / "response").stat().st_size
    with (tmp_path / "response").open("rb") as file:
        assert judge(asked, file, sealed.seals()).passed


def test_an_honest_custodian_says_which_packs_it_lacks(sealed: Lab) -> None:
    asked, copy = sealed.ask(), sealed.copy()
    gone = next(name for name in copy.objects if copy.size(name) < LEAF)
    del copy.objects[gone]
    out = BytesIO()
    assert respond(asked, copy, out).lacking == (gone,)
    assert verdicts(sealed, asked, out.getvalue()) == {ONE: "passed", TWO: "failed"}


@pytest.mark.parametrize("at", [0, 3 * LEAF + 5, -1])
@pytest.mark.parametrize("with_tree", [True, False])
def test_a_flipped_bit_in_a_leaf_that_was_drawn_fails(
    sealed: Lab, at: int, with_tree: bool
) -> None:
    asked, copy, cache = sealed.ask(samples=2000), sealed.copy(), MemoryStore()
    if with_tree:
        response_of(asked, copy, cache)
    big = next(name for name in copy.objects if copy.size(name) > LEAF)
    copy.objects[big] = flipped(copy.objects[big], at % copy.size(big))
    assert verdicts(sealed, asked, response_of(asked, copy, cache))[ONE] == "failed"


@pytest.mark.parametrize("change", [lambda data: data + b"\0", lambda data: data[:-1]])
def test_a_padded_or_short_last_leaf_fails(sealed: Lab, change: object) -> None:
    assert callable(change)
    asked, copy = sealed.ask(), sealed.copy()
    for name, data in list(copy.objects.items()):
        copy.objects[name] = change(data)
    assert set(verdicts(sealed, asked, response_of(asked, copy)).values()) == {"failed"}


def test_every_bit_of_a_response_counts(sealed: Lab) -> None:
    asked = sealed.ask(samples=3)
    good = response_of(asked, sealed.copy())
    for at in [*range(0, len(good), 211), len(good) - 1]:
        try:
            assert not sealed.judge(asked, flipped(good, at)).passed
        except AuditFailed:
            continue


def test_swapped_leaves_fail(sealed: Lab) -> None:
    asked = sealed.ask(models=[ONE])
    good = response_of(asked, sealed.copy())
    (a, b), (c, d) = parts(asked, good)[:2]
    assert b - a == d - c
    swapped = good[:a] + good[c:d] + good[a:b] + good[d:]
    assert verdicts(sealed, asked, swapped) == {ONE: "failed"}


def test_a_leaf_of_another_index_with_its_own_path_fails(sealed: Lab) -> None:
    asked = sealed.ask(models=[ONE])
    good = response_of(asked, sealed.copy())
    (a, b), (c, d) = parts(asked, good)[:2]
    assert verdicts(sealed, asked, good[:a] + good[c:d] + good[b:]) == {ONE: "failed"}


def test_a_response_that_is_cut_short_or_too_long_is_none(sealed: Lab) -> None:
    asked = sealed.ask(samples=5)
    good = response_of(asked, sealed.copy())
    for end in [0, 1, 20, 100, 4000, len(good) - 1]:
        with pytest.raises(AuditFailed, match=r"no response|cut short|another"):
            sealed.judge(asked, good[:end])
    with pytest.raises(AuditFailed, match="longer than it must be"):
        sealed.judge(asked, good + b"\0")


def test_an_endless_file_is_read_no_further_than_a_response_goes(sealed: Lab) -> None:
    class Endless(BytesIO):
        asked_for = 0

        def readline(self, size: int | None = -1, /) -> bytes:
            assert size is not None
            assert 0 < size <= 4096
            return b"x" * size

    with pytest.raises(AuditFailed, match="no response"):
        judge(sealed.ask(), Endless(), sealed.seals())


def test_a_response_to_another_challenge_is_none(sealed: Lab) -> None:
    first, second = sealed.ask(samples=9, beacon="a"), sealed.ask(samples=9, beacon="b")
    old = response_of(first, sealed.copy())
    with pytest.raises(AuditFailed, match="answers another challenge"):
        sealed.judge(second, old)
    head = response_of(second, sealed.copy()).partition(b"\n")[0]
    forged = head + b"\n" + old.partition(b"\n")[2]
    with suppress(AuditFailed):
        assert not sealed.judge(second, forged).passed


@pytest.mark.parametrize(
    "head",
    [
        b"{}\n",
        b"[]\n",
        b"\xff\xfe\n",
        b"[" * 4000,
        b'{"schema":"otium.response/1","audit":1}\n',
        b'{"schema":"otium.response/1","audit":"x","more":0}\n',
    ],
)
def test_a_head_that_is_not_json_of_its_kind_is_no_response(sealed: Lab, head: bytes) -> None:
    asked = sealed.ask()
    with pytest.raises(AuditFailed):
        sealed.judge(asked, head + response_of(asked, sealed.copy()).partition(b"\n")[2])


def test_a_head_in_other_json_of_the_same_meaning_is_no_response(sealed: Lab) -> None:
    asked = sealed.ask()
    good = response_of(asked, sealed.copy())
    with pytest.raises(AuditFailed):
        sealed.judge(asked, good.replace(b'","', b'", "', 1))


def test_a_challenge_before_any_seal_is_refused(lab: Lab) -> None:
    lab.log("heartbeat", "lab")
    with pytest.raises(BadInput, match="nothing was sealed before its checkpoint"):
        lab.ask()


@pytest.mark.parametrize("samples", [0, -1, 100_001])
def test_the_number_of_samples_has_bounds(sealed: Lab, samples: int) -> None:
    with pytest.raises(BadInput, match="samples"):
        sealed.ask(samples=samples)


@pytest.mark.parametrize("text", ["", "a\nb", "a\x00", "x" * 201])
def test_a_custodian_or_beacon_that_could_be_read_as_another_is_refused(
    sealed: Lab, text: str
) -> None:
    with pytest.raises(BadInput, match="characters on one line"):
        sealed.ask(custodian=text)
    with pytest.raises(BadInput, match="characters on one line"):
        sealed.ask(beacon=text)


def test_leaves_that_the_checkpoint_did_not_draw_are_refused(sealed: Lab) -> None:
    asked = sealed.ask(samples=3, models=[ONE])
    (drawn,) = asked.drawn
    other = tuple(sorted({*range(30)} - set(drawn.leaves)))[: len(drawn.leaves)]
    chosen = replace(asked, drawn=(replace(drawn, leaves=other),))
    with pytest.raises(AuditFailed, match="not those that its checkpoint"):
        sealed.judge(chosen, response_of(chosen, sealed.copy()))


def test_a_model_without_sealed_packs_cannot_be_asked_for(sealed: Lab) -> None:
    with pytest.raises(BadInput, match="no pack of it was sealed"):
        sealed.ask(models=[ModelId("three")])


def test_a_challenge_survives_its_file(sealed: Lab) -> None:
    asked = sealed.ask()
    assert read_challenge(asked.encode()) == asked


@pytest.mark.parametrize(
    "pack",
    ["../../etc/passwd", "..", "/etc/passwd", "A" * 64, "a" * 63, "a" * 64 + "\n", "a/" * 32],
)
def test_a_challenge_cannot_name_a_path(sealed: Lab, pack: str) -> None:
    asked = sealed.ask()
    bad = replace(asked, drawn=(replace(asked.drawn[0], pack=pack), *asked.drawn[1:]))
    with pytest.raises(BadInput):
        read_challenge(bad.encode())


@pytest.mark.parametrize("leaves", [(), (-1,), (10**9,), (2, 1), (1, 1), tuple(range(100_001))])
def test_a_challenge_cannot_ask_for_leaves_that_are_not_there(
    sealed: Lab, leaves: tuple[int, ...]
) -> None:
    asked = sealed.ask()
    size = 1 << 40 if len(leaves) > 9 else asked.drawn[0].size
    bad = replace(asked, drawn=(replace(asked.drawn[0], leaves=leaves, size=size),))
    with pytest.raises(BadInput):
        read_challenge(bad.encode())


@pytest.mark.parametrize(
    "data",
    [b"", b"{}", b"[" * 100_000, b'{"schema":"otium.challenge/9"}', b"\xff", b"null", b"1e999"],
)
def test_hostile_json_is_no_challenge(data: bytes) -> None:
    with pytest.raises(BadRecord):
        read_challenge(data)


def test_a_challenge_that_is_too_large_is_not_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("otium.audit.verdicts._LARGEST", 10)
    with pytest.raises(BadInput, match="more than 10 bytes"):
        read_challenge(b"[" * 11)


def test_a_challenge_of_a_larger_pack_than_the_copy_has_is_answered_with_nothing(
    sealed: Lab,
) -> None:
    asked, copy = sealed.ask(samples=5, models=[ONE]), sealed.copy()
    drawn = replace(asked.drawn[0], size=1 << 45, leaves=(0, 1 << 30))
    out = BytesIO()
    done = respond(replace(asked, drawn=(drawn,)), copy, out)
    assert done.leaves == 2
    assert len(done.lacking) == 1


def test_a_challenge_keeps_what_was_asked(sealed: Lab) -> None:
    asked = sealed.ask()
    assert asked.deadline == DEADLINE
    assert asked.custodian == "vault"
    assert (
        challenge(
            sealed.seals(),
            sealed.ledger.checkpoint(),
            custodian="vault",
            beacon="dice",
            samples=200,
            made=asked.made,
            deadline=DEADLINE,
        )
        == asked
    )
