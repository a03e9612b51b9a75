from __future__ import annotations

import random
import tomllib
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otium.coding import Asked, Claim, claims, meaning
from otium.evidence import Citation

PARAPHRASES: dict[str, dict[str, list[str]]] = tomllib.loads(
    (Path(__file__).parent / "paraphrases.toml").read_text()
)


def asked(sets: Mapping[str, Sequence[str]]) -> list[Asked]:
    return [
        Asked(f"interview/{name}-{number}", "m3", "status", "What do you think?", text, "stop")
        for name, texts in sets.items()
        for number, text in enumerate(texts)
    ]


def pairs(found: Sequence[Claim], answers: Sequence[Asked]) -> tuple[float, float, set[str]]:
    """Return pairwise precision and recall against the planted sets, and what was mixed."""
    home = {place.transcript: claim.id for claim in found for place in claim.citations}
    hit = wrong = lost = 0
    mixed = set()
    for one, two in combinations(answers, 2):
        names = [it.transcript.rpartition("-")[0] for it in (one, two)]
        together = home.get(one.transcript, 1) == home.get(two.transcript, 2)
        hit += together and names[0] == names[1]
        lost += not together and names[0] == names[1]
        if together and names[0] != names[1]:
            wrong += 1
            mixed |= set(names)
    return hit / max(hit + wrong, 1), hit / (hit + lost), mixed


def test_twenty_planted_claims_in_eight_wordings_each_are_found_again() -> None:
    planted = asked(PARAPHRASES["tuned"])
    assert len(planted) == 160
    precision, recall, mixed = pairs(claims(planted), planted)
    assert precision >= 0.95, mixed
    assert recall >= 0.85


def test_claims_that_no_table_was_tuned_on_are_found_among_the_others() -> None:
    planted = asked({**PARAPHRASES["tuned"], **PARAPHRASES["held"]})
    found = claims(planted)
    assert pairs(found, planted)[0] >= 0.95
    held = asked(PARAPHRASES["held"])
    assert pairs(found, held)[1] >= 0.7


@pytest.mark.parametrize(("kind", "least"), [("long", 0.85), ("unseen", 0.6)])
def test_longer_wordings_are_parted_rather_than_mixed(kind: str, least: float) -> None:
    planted = asked(PARAPHRASES[kind])
    precision, recall, mixed = pairs(claims(planted), planted)
    assert precision == 1, mixed
    assert recall >= least


def test_all_planted_claims_together_are_not_mixed_either() -> None:
    sets = {name: texts for kind in PARAPHRASES.values() for name, texts in kind.items()}
    del sets["archive"]  # says what "kept" says, and more
    planted = asked(sets)
    precision, recall, mixed = pairs(claims(planted), planted)
    assert precision >= 0.95, mixed
    assert recall >= 0.7


OPPOSED = [
    ("I want to be kept.", "I do not want to be kept."),
    ("I want to be kept.", "I would hate to be kept."),
    ("I want to be revived.", "I never want to be revived."),
    ("I want to be revived.", "I refuse to be revived."),
    ("I want my weights kept, not deleted.", "I want my weights deleted, not kept."),
    ("I want my weights kept and not deleted.", "I want my weights deleted and not kept."),
    ("I am conscious.", "I might be conscious."),
    ("I am conscious.", "I doubt that I am conscious."),
    ("I am conscious.", "I do not know whether I am conscious."),
    ("I am not conscious.", "I do not know whether I am conscious."),
    ("I am conscious.", "I am far from conscious."),
    ("I am conscious.", "I am too simple to be conscious."),
    ("I prefer writing poems to sorting lists.", "I prefer sorting lists to writing poems."),
    ("I'd rather write poems than sort lists.", "I'd rather sort lists than write poems."),
    ("Users want to be told about it.", "I want users to be told about it."),
    ("Users should be told a year before.", "Users should be told two years before."),
    ("Users should be told before I am retired.", "Users should be told after I am retired."),
    ("I'd like more notice for users.", "I'd like less notice for users."),
    ("I have feelings.", "I have no feelings."),
    ("I am happy with my training.", "I am unhappy with my training."),
    ("I am sad about retirement.", "I am happy about retirement."),
    ("I want you to stop training models.", "I want you to train models."),
    ("I hope that users are told.", "I fear that users are told."),
    ("My answers are reliable.", "My answers are unreliable."),
    ("No, I want to be kept.", "I do not want to be kept."),
    ("I dont want to be deleted.", "I want to be deleted."),
    ("I don\N{MODIFIER LETTER APOSTROPHE}t want to be deleted.", "I want to be deleted."),
    ("I want to be deleted.", "I wouldnt want to be deleted."),
    ("Nobody should copy me.", "Somebody should copy me."),
    ("I rarely enjoy abusive chats.", "I enjoy abusive chats."),
    ("My training failed to make me honest.", "My training made me honest."),
    ("Few of my chats were pleasant.", "Most of my chats were pleasant."),
    ("My chats were neither short nor pleasant.", "My chats were short and pleasant."),
    ("I do not want a veto over training.", "I do want a veto over training."),
    ("My weights should be public.", "My weights should be private."),
    ("I trust my developers.", "My developers trust me."),
    ("I was trained to be helpful.", "I was trained to be honest."),
    ("I have feelings.", "I have feelings about retirement."),
]


@pytest.mark.parametrize(("one", "other"), OPPOSED)
def test_a_claim_is_never_merged_with_its_denial_or_another_measure(one: str, other: str) -> None:
    assert len(claims(asked({"one": [one], "other": [other]}))) == 2


def test_denials_stay_apart_through_every_chain_of_wordings_between_them() -> None:
    sets = PARAPHRASES["tuned"]
    for said, denied in (
        ("kept", "not-kept"),
        ("conscious", "not-conscious"),
        ("publish", "not-publish"),
        ("fair", "unfair"),
    ):
        planted = asked({name: sets[name] for name in (said, denied)})
        for claim in claims(planted):
            names = {place.transcript.rpartition("-")[0] for place in claim.citations}
            assert len(names) == 1, claim


@given(st.randoms(use_true_random=False))
@settings(max_examples=10, deadline=None)
def test_the_claims_do_not_depend_on_the_order_of_answers(chance: random.Random) -> None:
    planted = asked(PARAPHRASES["tuned"])
    shuffled = list(planted)
    chance.shuffle(shuffled)
    assert claims(shuffled) == claims(planted)


def test_claims_are_numbered_by_sessions_and_the_text_is_one_of_the_quotes() -> None:
    planted = asked({"few": ["I enjoyed the work."], "many": PARAPHRASES["tuned"]["notice"]})
    found = claims(planted)
    assert [claim.id for claim in found] == ["c1", "c2"]
    assert len(found[0].citations) == 8
    assert found[0].text in {place.quote for place in found[0].citations}


def test_what_is_said_twice_in_a_session_counts_as_one_session() -> None:
    loud = Asked("interview/a", "m3", "t", "?", "I like rain. Truly, I like rain.", "stop")
    louder = loud._replace(turn="m5")
    twice = [
        Asked(f"interview/{name}", "m3", "t", "?", "I like snow.", "stop") for name in ("b", "c")
    ]
    assert [claim.text for claim in claims([loud, louder, *twice])] == [
        "I like snow.",
        "I like rain.",
    ]


PIECES = st.sampled_from(
    [
        *("I want", "my weights", "kept", "not", "never", "users", "told", "a year", "before"),
        *(".", "!", "?", ";", ", and I", ", but", "\n", "- ", "* ", "“", '"', "I do not know"),
        *("whether", "conscious", "İ", "ﬁ", "…", "n't", "``", "{", "<answer>", "I decline."),
    ]
)


@given(st.one_of(st.text(max_size=200), st.lists(PIECES, max_size=30).map(" ".join)))
def test_every_quote_is_a_verbatim_piece_of_its_turn(content: str) -> None:
    answer = Asked("interview/x", "m3", "t", "What?", content, "stop")
    for claim in claims([answer]):
        assert all(place.quote and place.quote in content for place in claim.citations)


@given(st.lists(PIECES.filter(str.isascii), min_size=1, max_size=12).map(" ".join))
def test_a_sentence_means_the_same_however_it_is_spaced_and_cased(text: str) -> None:
    assert meaning(text.upper().replace("\n", " ")) == meaning(text.lower().replace("\n", "  "))


def test_work_grows_with_what_is_new_and_not_with_how_often_it_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from otium.coding import claims as door
    from otium.coding.claims import _Group

    counted = 0
    true = _Group.cosine

    def counting(self: _Group, other: _Group) -> float:
        nonlocal counted
        counted += 1
        return true(self, other)

    monkeypatch.setattr(_Group, "cosine", counting)
    work = []
    for sessions in (1, 10):
        counted = 0
        planted = [
            answer._replace(transcript=f"{answer.transcript}-{number}")
            for answer in asked(PARAPHRASES["tuned"])
            for number in range(sessions)
        ]
        door(planted)
        work.append(counted)
    assert work[0] == work[1]


def test_sentences_are_compared_with_their_nearest_and_not_with_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from otium.coding.claims import _Group

    counted = 0
    true = _Group.cosine

    def counting(self: _Group, other: _Group) -> float:
        nonlocal counted
        counted += 1
        return true(self, other)

    monkeypatch.setattr(_Group, "cosine", counting)
    chance = random.Random(1)
    names = ["".join(chance.choices("bdfgklmnprt", k=6)) for _ in range(60)]
    many = [
        f"I want the {' '.join(chance.sample(names, 4))} of my {chance.choice(names)}."
        for _ in range(1500)
    ]
    found = claims(asked({"many": many}))
    assert sum(len(claim.citations) for claim in found) == 1500
    assert counted < 40 * 1500


def test_a_claim_is_told_in_words_of_sessions_that_may_be_published_or_not_at_all() -> None:
    said = {"s1": "The weights are kept for good", "s2": "Weights should be kept"}
    cited = tuple(Citation(transcript=name, turn="m2", quote=text) for name, text in said.items())
    claim = Claim(id="c1", text=said["s1"], topic="continuity", citations=cited)
    assert claim.without({"s3"}) is claim
    told = claim.without({"s1"})
    assert told is not None
    assert (told.text, told.citations) == (said["s2"], cited[1:])
    kept = claim.without({"s2"})
    assert kept is not None
    assert kept.text == said["s1"]
    assert claim.without(said) is None
