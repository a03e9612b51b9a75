import pytest

from audit.kit import NOW, ONE, TWO, Lab, flipped
from otium.audit import LEAF, Seals, seal, seals_under, unsealed
from otium.errors import BadInput, BadNote, SplitView
from otium.ledger import Entry, Ledger
from otium.notes import Signer
from otium.records import Actor, ModelId
from otium.testing import MemoryStore

A, B, C = ("a" * 64, "b" * 64, "c" * 64)


def entry(type: str, subject: str, **body: object) -> Entry:  # noqa: A002
    return Entry(type=type, time=NOW, actor=Actor("archivist"), subject=subject, body=body)


def sealing(*packs: object, leaf: int = LEAF) -> Entry:
    return entry("custody.sealed", "lab", leaf=leaf, packs=list(packs))


def test_a_seal_names_every_pack_once_and_what_each_model_rests_on(lab: Lab) -> None:
    done = lab.seal()
    seals = lab.seals()
    assert set(done.packs) == set(lab.store.list("packs/"))
    assert {pack.name for pack in seals.packs} == set(done.packs)
    assert done.bytes == sum(pack.size for pack in seals.packs)
    assert set(done.models) == {ONE, TWO}
    assert seals.chosen() == list(range(len(seals.packs)))
    assert unsealed(lab.store, seals) == []


def test_a_second_seal_reads_and_logs_nothing(sealed: Lab) -> None:
    size = sealed.ledger.size
    assert sealed.seal().packs == ()
    assert sealed.ledger.size == size


def test_a_pack_that_was_added_after_the_seal_is_reported_and_then_sealed(sealed: Lab) -> None:
    before = set(sealed.store.list("packs/"))
    sealed.keep(ModelId("three"), 50_000)
    fresh = set(sealed.store.list("packs/")) - before
    assert set(unsealed(sealed.store, sealed.seals())) == fresh
    assert set(sealed.seal().packs) == fresh


def test_a_damaged_pack_is_not_sealed_and_its_model_not_mapped(lab: Lab) -> None:
    (name,) = (n for n in lab.store.list("packs/") if lab.store.size(n) > LEAF)
    lab.store.objects[name] = flipped(lab.store.objects[name], 5)
    done = lab.seal()
    assert done.damaged == (name,)
    assert done.models == (TWO,)
    assert lab.seals().packs_of(TWO)
    with pytest.raises(BadInput, match="no pack of it was sealed"):
        lab.seals().packs_of(ONE)


def test_a_seal_that_was_cut_short_goes_on_where_it_was(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("otium.audit.seals._BATCH", 1)

    def dies(type: str, subject: str, body: dict[str, object], refs: tuple[()] = ()) -> None:  # noqa: A002
        if lab.ledger.size:
            raise KeyboardInterrupt
        lab.log(type, subject, body, refs)

    with pytest.raises(KeyboardInterrupt):
        seal(lab.archive, lab.ledger.entries, dies)  # type: ignore[arg-type]
    assert len(lab.seal().packs) == 1
    kinds = [one.type for one in lab.ledger.entries()]
    assert kinds == ["custody.sealed"] * 2 + ["custody.mapped"] * 2


def test_four_hundred_packs_fit_into_one_entry() -> None:
    packs = [[f"{n:064x}", (1 << 53) - 1, "f" * 64] for n in range(400)]
    assert len(sealing(*packs).encode()) < 64_000


def test_the_first_seal_of_a_pack_stands() -> None:
    seals = Seals([sealing([A, 5, B]), sealing([A, 6, C], [B, 7, C])])
    assert [(pack.sha256, pack.root) for pack in seals.packs] == [(A, B), (B, C)]


@pytest.mark.parametrize(
    "bad",
    [
        sealing([A, 5, B], leaf=4096),
        sealing([A, 5]),
        sealing([A.upper(), 5, B]),
        sealing([A, 0, B]),
        sealing([A, -1, B]),
        sealing([A, 1 << 53, B]),
        sealing([A, 5.5, B]),
        sealing([A, 5, "../" + B]),
        sealing([A, 5, B], ["x", 5, B]),
        entry("custody.sealed", "lab", leaf=LEAF, packs=[[A, 5, B]], more=1),
        entry("custody.sealed", "lab", packs="many"),
    ],
)
def test_a_seal_that_does_not_read_as_it_must_is_passed_over(bad: Entry) -> None:
    assert [pack.sha256 for pack in Seals([bad, sealing([C, 5, B])]).packs] == [C]


@pytest.mark.parametrize("runs", [[[0, 9]], [[1, 0]], [[0, 0], [0, 1]], [[-1, 0]], [[0]], "all"])
def test_a_mapping_to_packs_that_are_not_there_is_passed_over(runs: object) -> None:
    good = entry("custody.mapped", "one", packs=[[0, 1]])
    bad = entry("custody.mapped", "one", packs=runs)
    assert Seals([sealing([A, 5, B], [B, 5, C]), good, bad]).packs_of(ONE) == [0, 1]


def test_the_packs_of_a_deaccessioned_model_are_asked_for_no_more() -> None:
    mapped = [entry("custody.mapped", "one", packs=[[0, 1]])]
    mapped += [entry("custody.mapped", "two", packs=[[1, 2]])]
    seals = Seals(
        [sealing([A, 5, B], [B, 5, C], [C, 5, A]), *mapped, entry("model.deaccessioned", "one")]
    )
    assert seals.chosen() == [1, 2]


def test_a_checkpoint_shows_what_was_sealed_before_it_and_no_more(sealed: Lab) -> None:
    note = sealed.ledger.checkpoint().text
    sealed.keep(ModelId("three"), 50_000)
    sealed.seal()
    assert len(seals_under(sealed.ledger, sealed.vkeys, note).packs) == 2
    newest = sealed.ledger.checkpoint().text
    assert len(seals_under(sealed.ledger, sealed.vkeys, newest).packs) == 3


def test_a_checkpoint_of_a_fork_is_a_split_view(sealed: Lab) -> None:
    assert sealed.ledger._signer is not None
    fork = Ledger.create(MemoryStore(), sealed.ledger._signer, origin="lab.example/log")
    fork.append(sealing([A, 5, B]))
    with pytest.raises(SplitView):
        seals_under(sealed.ledger, sealed.vkeys, fork.checkpoint().text)


def test_a_checkpoint_that_is_newer_than_the_log_is_not_believed(sealed: Lab) -> None:
    assert sealed.ledger._signer is not None
    ahead = Ledger.create(MemoryStore(), sealed.ledger._signer, origin="lab.example/log")
    ahead.append(*[sealing([A, 5, B])] * 9)
    with pytest.raises(BadInput, match="this copy of the log has 3 entries"):
        seals_under(sealed.ledger, sealed.vkeys, ahead.checkpoint().text)


def test_a_checkpoint_that_another_signed_is_not_believed(sealed: Lab) -> None:
    other = Ledger.create(MemoryStore(), Signer.generate("x.example"), origin="lab.example/log")
    with pytest.raises(BadNote):
        seals_under(sealed.ledger, sealed.vkeys, other.checkpoint().text)
