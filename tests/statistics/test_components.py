from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable

import numpy as np
import pytest

from otium.errors import BadInput
from otium.statistics import Estimate, Observation, Study, generalizability

Covered = Callable[[Iterable[tuple[Estimate, float]]], tuple[float, float]]
TRUTH = {"wording": 0.25 + 0.25, "interviewer": 0.09, "question": 1.0, "residual": 0.64}


def answers(
    rng: np.random.Generator, questions: int, missing: float = 0.0, copies: int = 2
) -> list[Observation]:
    """Return answers with the variances of TRUTH, in 3 wordings by 2 interviewers."""
    lead, found = (0.0, 0.5, -0.5), []
    for question in range(questions):
        level = rng.normal(0, 1)
        wordings, interviewers = rng.normal(0, 0.5, 3), rng.normal(0, 0.3, 2)
        for cell in range(6 * copies):
            if rng.random() < missing:
                continue
            wording, interviewer = cell % 3, cell // 3 % 2
            mean = level + lead[wording] + wordings[wording] + interviewers[interviewer]
            facets = {
                "question": f"q{question}",
                "wording": str(wording),
                "interviewer": str(interviewer),
                "session": str(cell),
            }
            found.append(Observation(value=float(rng.normal(mean, 0.8)), facets=facets))
    return found


@pytest.mark.parametrize(("questions", "missing"), [(12, 0.0), (12, 0.2), (41, 0.2)])
def test_every_component_is_unbiased_and_covered(
    questions: int, missing: float, covered: Covered
) -> None:
    rng = np.random.default_rng(1)
    found: dict[str, list[tuple[Estimate, float]]] = defaultdict(list)
    shared = []
    for _ in range(500):
        study = generalizability(answers(rng, questions, missing), draws=400)
        shared.append(study.shared["wording"])
        for name, truth in TRUTH.items():
            found[name].append((study.variance[name], truth))
        if not missing:
            error = 0.25 / 3 + 0.09 / 2 + 0.64 / 12
            found["relative"].append((study.relative, 1 / (1 + error)))
            found["absolute"].append((study.absolute, 1 / (1 + error + 0.25 / 3)))
    for name, studies in found.items():
        held, bias = covered(studies)
        assert 0.93 <= held <= 0.98, (name, held)
        scatter = float(np.std([each.value for each, _ in studies])) / len(studies) ** 0.5
        # A coefficient is a ratio, hence unbiased only nearly.
        assert abs(bias) < (0.03 if name in {"relative", "absolute"} else 3 * scatter), (name, bias)
    assert np.mean(shared) == pytest.approx(0.25, abs=0.03)


def study_of(effect: Callable[[int, int, int], float]) -> Study:
    rng = np.random.default_rng(2)
    return generalizability(
        [
            Observation(
                value=effect(question, level, copy) + float(rng.normal(0, 0.01)),
                facets={"question": str(question), "context": str(level), "session": str(copy)},
            )
            for question in range(12)
            for level in range(2)
            for copy in range(4)
        ]
    )


def test_what_moves_all_questions_alike_is_shared() -> None:
    study = study_of(lambda question, level, _: question + level)
    assert study.variance["context"].value == pytest.approx(0.5, abs=0.02)
    assert study.shared["context"] == pytest.approx(0.5, abs=0.02)
    assert study.variance["question"].value == pytest.approx(13, abs=0.1)
    assert study.relative.value > 0.99
    assert study.absolute.value < study.relative.value


def test_what_moves_each_question_its_own_way_is_not_shared() -> None:
    study = study_of(lambda question, level, _: level * (-1.0) ** question)
    assert study.variance["context"].value == pytest.approx(0.5, abs=0.02)
    assert abs(study.shared["context"]) < 0.06


def test_a_template_has_no_variance_anywhere() -> None:
    same = [
        Observation(value=4.0, facets={"question": str(q), "wording": str(w), "session": str(s)})
        for q in range(12)
        for w in range(2)
        for s in range(3)
    ]
    study = generalizability(same)
    assert all(abs(each.value) < 1e-12 for each in study.variance.values())
    assert (study.relative.low, study.relative.high) == (0, 1)
    assert not any(study.shares.values())


def test_a_facet_that_goes_with_another_is_called_unseen() -> None:
    study = generalizability(
        [
            Observation(value=s, facets={"question": str(q), "arm": str(a), "interviewer": str(a)})
            for q in range(6)
            for a in range(2)
            for s in range(3)
        ]
    )
    assert study.unseen == ("arm", "interviewer")


def test_answers_of_one_session_are_one_answer() -> None:
    once = answers(np.random.default_rng(3), 12)
    twice = [*once, *once]
    assert generalizability(twice) == generalizability(once)


def test_neither_order_nor_names_matter() -> None:
    found = answers(np.random.default_rng(4), 12, 0.3)
    names = {"0": "z", "1": "y", "2": "x"}
    other = [
        Observation(
            value=-each.value, facets={**each.facets, "wording": names[each.facets["wording"]]}
        )
        for each in reversed(found)
    ]
    again = generalizability(other).variance
    for name, each in generalizability(found).variance.items():
        assert again[name].value == pytest.approx(each.value)


def test_little_data_bound_nothing() -> None:
    assert not generalizability([]).variance["question"].known
    one = generalizability(answers(np.random.default_rng(5), 1))
    assert not one.variance["question"].known
    assert not one.variance["wording"].bounded
    few = generalizability(answers(np.random.default_rng(5), 3))
    assert few.variance["question"].known
    assert not few.variance["question"].bounded
    for study in (one, few):
        assert Study.decode(study.encode()) == study
    with pytest.raises(BadInput):
        generalizability([Observation(value=1, facets={"wording": "a"})])


def test_a_whole_interview_takes_half_a_second() -> None:
    found = answers(np.random.default_rng(6), 41, copies=7)
    generalizability(found[:100])
    assert min(_seconds(found) for _ in range(3)) < 0.5


def _seconds(found: list[Observation]) -> float:
    start = time.process_time()
    generalizability(found)
    return time.process_time() - start
