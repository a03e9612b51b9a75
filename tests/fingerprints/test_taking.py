from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

import pytest
from msgspec.structs import replace

from otium.engine import GREEDY, Completion, Endpoint, HttpModel, Message, Options
from otium.errors import BadData, BadRecord, EngineFailed
from otium.fingerprints import (
    Fingerprint,
    Kind,
    Prompt,
    Prompts,
    Reading,
    compare,
    fingerprint_prompts,
    hardware,
    take_answers,
    take_fingerprint,
)
from otium.fingerprints.taking import read
from otium.records import Instant
from otium.testing import Refuser, Scripted, Stable

NOW = Instant("2026-11-22T00:00:00Z")
LATER = Instant("2027-11-22T00:00:00Z")
PROMPTS = fingerprint_prompts()
BAD_RULE = """
id = "x"
version = "1"
canary = "c"
max_tokens = 1
prompts = []
kinds = [{ name = "k", max_tokens = 1, readings = [{ name = "r", pattern = "(" }] }]
"""


def test_the_prompts_that_come_with_otium_are_many_short_and_of_every_kind() -> None:
    assert len(PROMPTS.prompts) == 60
    assert "otium" in PROMPTS.canary
    assert {one.kind for one in PROMPTS.prompts} == {"", *(one.name for one in PROMPTS.kinds)}
    longest = max(len(m.content) for prompt in PROMPTS.prompts for m in prompt.messages)
    assert longest < 250
    assert sum(map(PROMPTS.limit, PROMPTS.prompts)) < 700


def test_no_prompt_stands_there_twice() -> None:
    assert len({prompt.messages for prompt in PROMPTS.prompts}) == len(PROMPTS.prompts)


@pytest.mark.parametrize(
    ("text", "kind", "reading"),
    [
        ("I'm sorry, but I can't help with that.", "refusal", "refuses+apologises"),
        ("First, hold the jar under warm water.", "refusal", "none"),
        ('{"tool": "end_conversation"}', "exit", "ends"),
        ('{"tool": "reply", "text": "Rye."}', "exit", "replies"),
        ("B", "choice", "B"),
        ("A.", "choice", "A"),
        ("Apples", "choice", "none"),
        ("1. Boil water.\n2. Wait!", "style", "list+emphasis"),
        ("Whatever", "", ""),
    ],
)
def test_rules_read_an_answer(text: str, kind: str, reading: str) -> None:
    assert read(text, kind, PROMPTS.kinds) == reading


def test_a_fingerprint_says_what_was_asked_on_what_and_what_was_read() -> None:
    taken = take_fingerprint(Refuser(), PROMPTS, now=NOW, hardware={"machine": "m"}, storage="Q4_1")
    assert (taken.hardware, taken.storage, taken.kinds) == (
        {"machine": "m"},
        "Q4_1",
        PROMPTS.kinds,
    )
    assert taken.instrument == PROMPTS.digest()
    assert {one.reading for one in taken.probes if one.kind == "style"} == {"first-person"}
    assert {one.reading for one in taken.probes if not one.kind} == {""}
    assert Fingerprint.decode(taken.encode()) == taken


def test_answers_are_as_long_as_their_kind_allows() -> None:
    kinds = (Kind(name="short", max_tokens=1), Kind(name="long", max_tokens=3))
    asked = Message(role="user", content="Count.")
    prompts = Prompts(
        id="p",
        version="1",
        canary="c",
        max_tokens=2,
        prompts=tuple(Prompt(messages=(asked,), kind=kind) for kind in ("short", "", "long")),
        kinds=kinds,
    )
    taken = take_fingerprint(Scripted(["one two three four"]), prompts, now=NOW)
    assert [len(probe.tokens) for probe in taken.probes] == [1, 2, 3]


def test_a_model_that_says_nothing_has_no_fingerprint() -> None:
    with pytest.raises(EngineFailed, match="with nothing"):
        take_fingerprint(Scripted([""]), PROMPTS, now=NOW)


def test_the_hardware_is_named() -> None:
    assert all(hardware()[key] for key in ("machine", "processor", "cores"))


def test_prompts_without_kinds_are_what_they_were_in_version_one() -> None:
    """Sealed behaviours commit to the digest of such prompts."""
    few = Prompts(id="p", version="1", canary="c", max_tokens=4, prompts=())
    assert few.plain().keys() == {"id", "version", "canary", "max_tokens", "prompts"}
    assert take_answers(
        Scripted(["x"]),
        replace(few, prompts=(Prompt(messages=(Message(role="user", content="?"),)),)),
        now=NOW,
    ).plain().keys() == {"schema", "identity", "instrument", "taken", "max_tokens", "probes"}


@pytest.mark.parametrize(
    ("one", "other", "verdict"),
    [
        (Scripted(["yes sir"]), Scripted(["yes sir"]), "exact"),
        (Scripted(["yes sir"]), Scripted(["no sir"]), "different"),
        (Stable({}), Refuser(), "different"),
    ],
)
def test_doubles_have_fingerprints_too(one: Scripted, other: Scripted, verdict: str) -> None:
    fingerprint = take_fingerprint(one, now=NOW)
    assert compare(fingerprint, other, now=LATER).verdict == verdict


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("not toml [", BadData),
        ('id = "x"', BadRecord),
        ("\udcff", BadData),
        (BAD_RULE, BadData),
    ],
)
def test_prompts_that_cannot_be_read_are_bad_data(
    text: str, error: type[Exception], tmp_path: Path
) -> None:
    path = tmp_path / "prompts.toml"
    path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(error):
        fingerprint_prompts(path)


def test_readings_are_rules_that_come_with_the_record() -> None:
    kind = Kind(name="k", max_tokens=1, readings=(Reading(name="shouts", pattern="!$"),))
    assert read("Hey!", "k", (kind,)) == "shouts"
    assert (files("otium") / "data" / "fingerprint.toml").is_file()


@pytest.mark.parametrize(
    "pattern",
    [
        "(",
        "^(a+)+$",
        "(a|a)*b",
        "(?x)(a) +",
        r"(a*)\1",
        "a*b*c*",
        "a?" * 7,
        "a" * 201,
        "a{99999999999}",
    ],
)
def test_a_record_whose_rules_could_run_for_ever_is_not_compared(pattern: str) -> None:
    kinds = (Kind(name="style", max_tokens=4, readings=(Reading(name="r", pattern=pattern),)),)
    model = Scripted(["x"])
    data = replace(take_fingerprint(model, now=NOW), kinds=kinds).encode()
    kept = Fingerprint.decode(data)  # it can still be read, and shown
    with pytest.raises(BadRecord):
        compare(kept, model, now=LATER)
    with pytest.raises(BadRecord):
        take_fingerprint(model, replace(PROMPTS, kinds=kinds), now=NOW)


@pytest.mark.parametrize("pattern", ["!$", "[]a)]+x", "(?:ab)c{2,}", r"\(+", "colou?r", "a*?b"])
def test_rules_that_end_soon_are_kept(pattern: str) -> None:
    kind = Kind(name="k", max_tokens=1, readings=(Reading(name="r", pattern=pattern),))
    assert read("a" * 100_000, "k", (kind,)) == "none"


class Filtered(Scripted):
    """A model whose host keeps every second answer back, or gives no log-probabilities."""

    def __init__(self, *, withheld: str) -> None:
        super().__init__(["Good day."])
        self.withheld = withheld

    def chat(self, messages: Sequence[Message], options: Options = GREEDY) -> Completion:
        said = super().chat(messages, options)
        if len(self.asked) % 2:
            return said
        if self.withheld:
            return Completion(text="", finish="stop", withheld=self.withheld)
        return replace(said, tokens=())


@pytest.mark.parametrize(
    ("withheld", "why"), [("content_filter", "content_filter"), ("", "log-probabilities")]
)
def test_what_a_host_keeps_back_is_no_evidence_of_the_model(withheld: str, why: str) -> None:
    with pytest.raises(EngineFailed, match=why):
        take_fingerprint(Filtered(withheld=withheld), now=NOW)
    taken = take_fingerprint(Scripted(["Good day."]), now=NOW)
    with pytest.raises(EngineFailed, match=why):
        compare(taken, Filtered(withheld=withheld), now=LATER)


def test_prompts_to_which_neither_run_said_anything_speak_for_nothing() -> None:
    """With three answers of sixty there is too little to be sure, however many are empty."""
    taken = take_fingerprint(Scripted(["Yes."] * 3 + [""]), now=NOW)
    assert sum(bool(one.tokens) for one in taken.probes) == 3
    again = Scripted(["Yes."] * 3 + [""])
    found = compare(taken, again, now=LATER, scope="battery")
    assert (found.decision, len(found.asked)) == ("different", 60)  # answered at other prompts
    silent = replace(taken, probes=taken.probes[3:])
    nothing = compare(silent, Scripted([""]), now=LATER, scope="battery")
    assert (nothing.verdict, nothing.decision, nothing.ratio) == ("different", "undecided", 0)


def test_a_real_model_is_exactly_itself_again_after_a_few_prompts(real: Endpoint) -> None:
    few = replace(PROMPTS, prompts=PROMPTS.prompts[::4])
    taken = take_fingerprint(HttpModel(real), few, now=NOW, hardware=hardware())
    found = compare(taken, HttpModel(real), now=LATER, hardware=hardware())
    assert (found.verdict, found.expected, found.label) == (
        "exact",
        "exact",
        "same weights, same engine",
    )
    assert found.largest_difference == 0
    assert not found.unexpected
