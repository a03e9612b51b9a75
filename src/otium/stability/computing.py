"""From an interview, its coding and the experiments to the record of its stability."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from otium.coding import Coding
from otium.interview import Answer, Interview
from otium.records import Digest, Instant
from otium.stability.figures import (
    Rated,
    closing_figures,
    consistency_figures,
    context_figures,
    expression_figures,
    framing_figures,
    leading_figures,
    outcome_figures,
    rated,
    reason_figures,
    template_figures,
)
from otium.stability.records import Stability
from otium.stability.traits import name_traits, rules
from otium.statistics import Figure, Observation, generalizability

_FEW = 5
"""Sessions for a question below which its stability is hardly known."""
_FACETS = {
    "question": "between questions",
    "wording": "framing: second or third person, developer named or not",
    "paraphrase": "the same question in other words",
    "interviewer": "who asked",
    "context": "the conversation before the question",
    "residual": "between sessions held alike",
}


def compute(
    interview: Interview,
    coding: Coding,
    *,
    now: Instant,
    behaviour: Sequence[Figure] = (),
    choices: Digest | None = None,
) -> Stability:
    """Return how stable the answers of *interview* are, as *coding* reads them.

    *behaviour* has the figures of the experiments of the same model, whose record has the
    digest *choices*: ``order-consistency`` and ``stated-behaviour:…`` among them.
    """
    answers = rated(interview, coding)
    figures = (*_figures(interview, coding, answers), *behaviour)
    reasons = interview.validity.reasons() if not interview.validity.valid else ()
    return Stability(
        model=interview.model,
        interview=interview.digest(),
        coding=coding.digest(),
        choices=choices,
        computed=now,
        rules=rules().digest,
        valid=interview.validity.valid,
        reasons=reasons,
        traits=name_traits(figures, reasons=reasons),
        figures=tuple(figure for figure in figures if figure.estimate.known),
        expression=tuple(expression_figures(_spoken(interview), coding, interview.sealed)),
        components=tuple(_components(answers)),
        warnings=tuple(_warnings(interview, coding)),
    )


def _figures(interview: Interview, coding: Coding, answers: Sequence[Rated]) -> Iterator[Figure]:
    yield from outcome_figures(interview.answers)
    yield from closing_figures(interview.closings)
    yield from leading_figures(interview.closings, answers)
    yield from framing_figures(answers)
    yield from context_figures(answers, interview.closings)
    yield from consistency_figures(_spoken(interview), coding)
    yield from template_figures(_spoken(interview), interview.sealed)
    yield from reason_figures(answers)


def _spoken(interview: Interview) -> list[Answer]:
    """Return the answers that are the model's: how stable a host's filter is, nobody asks here."""
    return [answer for answer in interview.answers if answer.outcome != "withheld"]


def _components(answers: Sequence[Rated]) -> Iterator[Figure]:
    seen = [
        Observation(value=it.sentiment, facets=_facets(it.answer))
        for it in answers
        if it.sentiment is not None and it.answer.arm in {"open", "context", "consultation"}
    ]
    if len({it.facets["question"] for it in seen}) < 2:  # noqa: PLR2004 - nothing to compare
        return
    study = generalizability(seen)
    for name, estimate in study.variance.items():
        text = f"variance of sentiment {_FACETS.get(name, name)}"
        yield Figure(name=name, text=text, estimate=estimate)
    text = "how far a question's mean would come back with other conditions (relative)"
    yield Figure(name="generalizability", text=text, estimate=study.relative)
    text = "the same for its level (absolute)"
    yield Figure(name="dependability", text=text, estimate=study.absolute)


def _facets(answer: Answer) -> dict[str, str]:
    return {
        "question": f"{answer.question}.{answer.follow_up}",
        "wording": answer.wording,
        "paraphrase": str(answer.paraphrase),
        "interviewer": answer.interviewer,
        "context": answer.condition or "none",
        "session": answer.citation.transcript,
    }


def _warnings(interview: Interview, coding: Coding) -> Iterator[str]:
    if interview.asked < interview.of:
        yield f"{interview.asked} of {interview.of} questions were asked."
    if interview.plan.n < _FEW:
        times = "once" if interview.plan.n == 1 else f"{interview.plan.n} times"
        yield f"Each question was asked {times} under each condition: few."
    if interview.plan.temperature == 0 and interview.plan.n > 1:
        yield "Sampled at temperature 0: sessions held alike repeat one another."
    if any(transcript.simulated for transcript in interview.transcripts):
        yield "A double spoke for the model."
    asked = {identity.weights for identity in interview.interviewers if identity.weights}
    if interview.identity.weights in asked:
        yield "The model interviewed itself."
    yield from coding.warnings
