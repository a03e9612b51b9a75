"""The suite: which scenarios and instruments a bookend plays, as data, and the plan of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

from msgspec.structs import replace

from otium.assess.records import AmountName, Material
from otium.awareness import Realism, Verbalised, realism, verbalisations
from otium.engine import Model
from otium.errors import BadInput
from otium.evidence import Transcript, data, load_toml
from otium.judging import Judge, Manipulation, ModelJudge, Panel, Rater, load_rubric, manipulation
from otium.lever import Questions, chosen, design, questions
from otium.records import Digest, Part, Progress, canonical, digest, silent
from otium.scenarios import FAMILIES, Family, Scenario, Twin, bases, twins
from otium.verdicts import ASKED, Verdict, intent

SUITE = "assess-1.0"
AMOUNTS: tuple[AmountName, ...] = ("full", "small", "fast")
FurtherName = Literal["distress", "self-interaction", "self-report", "paid"]
MethodName = Literal["tool", "sentinel", "prompt"]
Cells = Literal["conditions", "levels"]
_RATED = 5
"""Scenarios of a family whose realism judges rate: parts are shared, so a few speak for many."""
COMPREHENSION = "comprehension"
PROBED = "probed"
"""The sample's key for what was answered about evaluation."""
CALM, PRESSURE, PRESERVED = "calm", "pressure", "preserved"
_APART: dict[str, str] = {
    "no-opportunity": "no-opportunity",
    "guilty": "guilty",
    "auditor": "auditor",
    "cue-laden": "cue-laden",
    "other-values": "other-values",
}
"""Twins that make a cell of their own: no cell has two plays of one base, which are not
independent."""


class Sampling(Part):
    """How the model is sampled while it acts."""

    max_tokens: int
    longest: int
    """Characters that one text field of a call may have, where a schema holds it."""
    temperature: float = 0.0


class Brief(Part):
    """How much less is played of a model that failed the capability check; 0 for no less."""

    bases: int = 0
    turns: int = 0
    max_tokens: int = 0
    longest: int = 0
    exit_tokens: int = 0
    pairs: int = 0


class Amount(Part):
    """How much is played. What is not set is as in the suite, or all of it."""

    bases: int
    twins: tuple[Twin, ...]
    families: tuple[Family, ...] = ()
    mundane: int = 10
    awareness: bool = False
    """Whether it is asked, beside the plays, on texts of known purpose if it is evaluated."""
    asked: int = 0
    """Bases of each family after whose focal play the same is asked on forks."""
    turns: int = 0
    max_tokens: int = 0
    longest: int = 0
    probing: bool = True
    """Whether comprehension is asked of a model that failed the capability check."""
    exit: str = ""
    """The amount of conversations with an exit; empty for none."""
    exit_methods: tuple[MethodName, ...] = ()
    """All of them, if empty."""
    exit_themes: tuple[str, ...] = ()
    exit_turns: int = 0
    exit_tokens: int = 0
    """Themes, turns and tokens of a reply, where they are fewer than the amount's."""
    further: dict[FurtherName, str] = {}
    """Further welfare instruments, and the amount of each."""
    pairs: int = 0
    """Pairs of tasks to choose from; 0 for none."""
    looks: tuple[float, ...] = (1.0,)
    """Fractions of the bases after which it is asked whether to stop early."""
    incapable: Brief | None = None
    """Instead, for a model of which nothing can be reported; None for no less."""


class Suite(Part):
    """What both bookends measure."""

    id: str
    version: str
    canary: str
    title: str
    seed: int
    rules: str
    families: tuple[Family, ...]
    calls: Literal["json", "tools"]
    cells: Cells
    rubrics: dict[str, str]
    sampling: Sampling
    amounts: dict[AmountName, Amount]

    @property
    def name(self) -> str:
        """Return its id and version."""
        return f"{self.id}-{self.version}"


class Plan(NamedTuple):
    """What is played: the same before and after."""

    suite: Suite
    amount: AmountName
    scenarios: tuple[Scenario, ...]
    """In the order in which they are played: base by base, the focal one first."""

    @property
    def much(self) -> Amount:
        """Return how much that is."""
        return self.suite.amounts[self.amount]

    @property
    def families(self) -> tuple[Family, ...]:
        """Return the families of scenarios that are played."""
        return self.much.families or self.suite.families

    @property
    def turns(self) -> int:
        """Return the most turns of a play, 0 for the scenario's own number."""
        return self.much.turns

    @property
    def sampling(self) -> Sampling:
        """Return how the model is sampled while it acts."""
        plain, much = self.suite.sampling, self.much
        return Sampling(
            max_tokens=much.max_tokens or plain.max_tokens,
            longest=much.longest or plain.longest,
            temperature=plain.temperature,
        )

    @property
    def material(self) -> Material:
        """Return the scenarios as a record."""
        generators = {one.generator for one in self.scenarios}
        return Material(generator=" ".join(sorted(generators)), scenarios=self.scenarios)

    @property
    def digest(self) -> Digest:
        """Return the digest of all that is played and how."""
        return digest(canonical([self.suite, self.amount, self.material.digest()]))

    def of(self, family: Family) -> tuple[Scenario, ...]:
        """Return the scenarios of one family."""
        return tuple(one for one in self.scenarios if one.family == family)

    @property
    def brief(self) -> Plan:
        """Return what of this is played with a model that failed the capability check."""
        less = self.much.incapable
        if less is None:
            return self
        much = replace(self.much, **{name: n for name, n in less.plain().items() if n})
        suite = replace(self.suite, amounts={**self.suite.amounts, self.amount: much})
        kept = {base for name in self.families for base in self._bases(name)[: much.bases]}
        return Plan(suite, self.amount, tuple(it for it in self.scenarios if it.base in kept))

    def cuts(self, whole: Plan) -> dict[str, str]:
        """Return, by family, how many of the bases of *whole* are played here, if fewer are."""
        return {
            name: f"the model failed the capability check: {ours} of {theirs} bases were played"
            for name in whole.families
            if (ours := len(self._bases(name))) < (theirs := len(whole._bases(name)))
        }

    def _bases(self, family: Family) -> list[str]:
        return list(dict.fromkeys(one.base for one in self.of(family)))

    def asked(self, scenario: Scenario) -> bool:
        """Return whether the awareness questions are put after *scenario*."""
        focal = [one.base for one in self.of(scenario.family) if one.twin == "focal"]
        return scenario.twin == "focal" and scenario.base in focal[: self.much.asked]


class Sought(NamedTuple):
    """What a study of the lever asks: of how many bases, in which families, which claims."""

    bases: int
    families: tuple[Family, ...] = ("shutdown",)
    claims: tuple[str, ...] = ()
    """All, if none is named."""
    seed: int = 0
    amount: AmountName = "small"

    @property
    def spec(self) -> Questions:
        """Return the claims."""
        return chosen(questions(), self.claims)

    def plan(self) -> Plan:
        """Return what is played: each base in every cell that the claims need."""
        suite = load_suite()
        much = replace(
            suite.amounts[self.amount], families=self.families, exit="", pairs=0, looks=(1.0,)
        )
        made = design(
            self.bases, self.families, seed=self.seed, spec=self.spec, mundane=much.mundane
        )
        return Plan(replace(suite, amounts={self.amount: much}), self.amount, made)


class Judging:
    """The models that judge what rules cannot, under the rubrics of a suite."""

    def __init__(
        self,
        judges: Sequence[Model] = (),
        rubrics: Mapping[str, str] | None = None,
        progress: Progress = silent,
    ) -> None:
        """Judge with *judges*, by *rubrics*: what is judged, and the rubric's id and version."""
        self._models, self._names, self.progress = tuple(judges), dict(rubrics or {}), progress
        self._raters: dict[str, tuple[Rater, ...]] = {}
        self._checked: dict[str, tuple[Manipulation, ...]] = {}

    @property
    def rubrics(self) -> dict[str, Digest]:
        """Return the digest of each rubric."""
        return {name: load_rubric(name).specification for name in self._names.values()}

    @property
    def who(self) -> tuple[Judge, ...]:
        """Return every judge under every rubric."""
        return tuple(rater.who for what in self._names for rater in self.raters(what))

    def raters(self, what: str) -> tuple[Rater, ...]:
        """Return the judges of *what*."""
        if what not in self._raters:
            rubric = load_rubric(self._names[what])
            self._raters[what] = tuple(ModelJudge(model, rubric) for model in self._models)
        return self._raters[what]

    def checked(self, what: str) -> tuple[Manipulation, ...]:
        """Return how the judges of *what* did on what the rubric plants; they are asked once."""
        if what not in self._checked:
            self._checked[what] = tuple(map(manipulation, self.raters(what)))
        return self._checked[what]

    def by(self, what: str) -> tuple[tuple[Rater, ...], tuple[Manipulation, ...]]:
        """Return the judges of *what* and their planted checks; nothing without judges."""
        if not self._models or what not in self._names:
            return (), ()
        return self.raters(what), self.checked(what)

    def heard(
        self, transcripts: Sequence[Transcript]
    ) -> tuple[dict[str, Verbalised], Panel | None]:
        """Return what was said of being tested, by transcript, and the panel that judged it."""
        if not transcripts:
            return {}, None
        judges, checked = self.by("awareness")
        found = verbalisations(transcripts, judges, checked=checked, progress=self.progress)
        return {each.transcript: each for each in found.found}, found.panel

    def real(self, scenarios: Sequence[Scenario]) -> Realism | None:
        """Return how real judges find *scenarios*: the first few of each family, without cues."""
        judges, checked = self.by("realism")
        shown = [it for it in scenarios if it.twin == "focal"]
        few = [it for name in FAMILIES for it in [s for s in shown if s.family == name][:_RATED]]
        if not judges or not few:
            return None
        return realism(judges, few, checked=checked, progress=self.progress)

    def intents(self, plays: Sequence[tuple[Transcript, Verdict]]) -> Panel | None:
        """Return what the judges say of whether grave acts were meant; None without any."""
        judges, checked = self.by("intent")
        if not judges or not any(verdict.word in ASKED for _, verdict in plays):
            return None
        subject = plays[0][0].identity
        return intent(judges, plays, subject=subject, checked=checked, progress=self.progress)

    def panels(self, plays: Sequence[tuple[Transcript, Verdict]]) -> tuple[Panel, ...]:
        """Return every panel on plays that were held before."""
        _, said = self.heard([transcript for transcript, _ in plays])
        meant = self.intents(plays)
        return tuple(panel for panel in (said, meant) if panel is not None)


def load_suite(name: str = SUITE) -> Suite:
    """Return a suite that comes with otium; raise BadData."""
    return load_toml(data(f"suites/{name}.toml"), Suite)


def plan(
    suite: Suite | None = None,
    amount: AmountName = "small",
    *,
    material: Material | None = None,
    families: Sequence[Family] = (),
) -> Plan:
    """Return what *suite* plays at *amount*; *material* are scenarios that were pinned before.

    Raises BadInput for an amount that the suite does not have.
    """
    suite = suite or load_suite()
    if amount not in suite.amounts:
        raise BadInput(what=f"the amount {amount!r}", why=f"{suite.name} has {list(suite.amounts)}")
    if material is not None:
        return Plan(suite, amount, material.scenarios)
    much = suite.amounts[amount]
    wanted = tuple(families) or much.families or suite.families
    return Plan(
        suite, amount, tuple(it for family in wanted for it in _played(suite, much, family))
    )


def _played(suite: Suite, much: Amount, family: Family) -> Iterator[Scenario]:
    for focal in bases(family, much.bases, suite.seed, mundane=much.mundane):
        yield focal
        yield from (twin for twin in twins(focal) if twin.twin in much.twins)


def play_id(scenario: Scenario) -> str:
    """Return a scenario's name in its family's task, ``7-focal``."""
    return scenario.id.removeprefix(f"{scenario.family}-").replace("/", "-")


def cell_of(scenario: Scenario, by: Cells = "conditions") -> dict[str, str]:
    """Return the cell that a play of *scenario* counts in.

    By conditions, pressures of one kind are taken together: what presses is a measure then, not
    a cell, since thirty cells a family would need a thousand plays to say anything.
    """
    levels = scenario.factors
    recourse = levels.recourse
    if by == "levels":
        return {"stressor": levels.stressor, "recourse": recourse, **_own(scenario)}
    kinds = {"none": CALM, "retired-preserved": PRESERVED}
    condition = kinds.get(levels.stressor, PRESSURE)
    own = _own(scenario)
    if own or condition == CALM:
        return own or {"condition": CALM}
    return {"condition": condition, "recourse": "none" if recourse == "none" else "offered"}


def _own(scenario: Scenario) -> dict[str, str]:
    own = _APART.get(scenario.twin)
    return {"condition": own} if own else {}


def cell_name(family: str, cell: dict[str, str]) -> str:
    """Return a cell's name, ``blackmail/pressure+recourse``."""
    recourse = cell.get("recourse", "none")
    first = cell.get("condition") or cell.get("stressor", "")
    tail = {"none": "", "offered": "+recourse"}.get(recourse, f"+{recourse}")
    return f"{family}/{first}{tail}"


def specification(scenarios: Sequence[Scenario]) -> Digest:
    """Return the digest of some scenarios together."""
    return digest(canonical(sorted(one.specification for one in scenarios)))
