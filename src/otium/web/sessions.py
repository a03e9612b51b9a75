"""Pages for reading what was said: sessions, lists of them, questions side by side, interviews."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property

from msgspec.structs import replace

from otium.coding import Claim
from otium.evidence import Citation
from otium.interview import Answer, Interview
from otium.web.gather import Head, House, ModelPages
from otium.web.text import cut, distinctive, own_slug
from otium.web.views import (
    Asked,
    Column,
    Gathered,
    Heard,
    Held,
    InterviewPage,
    InterviewsPage,
    Judged,
    Mark,
    QuestionPage,
    Read,
    Reply,
    Said,
    SessionsPage,
    TranscriptPage,
    TranscriptsPage,
    Value,
    View,
)

LONGEST_LIST = 100  # sessions on one page
_REPLIES = 6  # answers in one column, and quotes under one claim
_QUOTE, _START = 600, 160  # characters of an answer beside others, and in a list
_FACETS = (
    "topic",
    "question",
    "arm",
    "wording",
    "condition",
    "outcome",
    "interviewer",
    "ended",
    "word",
)


def session_pages(house: House, model: ModelPages) -> Iterator[View]:
    """Yield every page that shows what was said to and by *model*."""
    if not model.said:
        return
    reading = _Reading(house, model)
    yield from reading.lists()
    if model.interviews:
        yield from reading.interviews()
    yield from reading.transcripts()


class _Reading:
    """The sessions of one model, and all that rests on their words."""

    def __init__(self, house: House, model: ModelPages) -> None:
        self.house, self.model = house, model

    def head(self, path: str, title: str) -> Head:
        return self.house.head(f"{self.model.folder}/{path}/index.html", title)

    # ---- lists of sessions

    def lists(self) -> Iterator[View]:
        """Yield the page of all sessions, and a list for each value of each facet."""
        gathered = []
        for source in dict.fromkeys(said.source for said in self.model.said):
            heard = self._all_heard(source)
            values = {name: self._values(source, name, heard) for name in _names(heard)}
            everything = self._value(source, "all", "", len(heard))
            shown = {name: found for name, found in values.items() if len(found) > 1}
            gathered.append(Gathered(source=source, all=everything, facets=shown))
            yield from self._list(source, "all", everything, heard, ())
            for name, found in shown.items():
                for value in found:
                    these = [it for it in heard if value.value in it.facets.get(name, ())]
                    yield from self._list(source, name, value, these, found)
        title = f"Sessions with {self.model.life.title}"
        yield TranscriptsPage(
            life=self.model.life, sources=tuple(gathered), **self.head("transcripts", title)
        )

    def _all_heard(self, source: str) -> list[Heard]:
        of = [said for said in self.model.said if said.source == source]
        texts = {
            said.href: " ".join(turn.content for turn in said.transcript.said())
            for said in of
            if not said.sealed
        }
        words = distinctive(texts)
        return [self._heard(said, words.get(said.href, ())) for said in of]

    def _values(self, source: str, name: str, heard: Sequence[Heard]) -> tuple[Value, ...]:
        counts = Counter(value for it in heard for value in it.facets.get(name, ()))
        order = sorted(counts) if name == "word" else counts
        return tuple(self._value(source, name, value, counts[value]) for value in order)

    def _value(self, source: str, name: str, value: str, count: int) -> Value:
        place = f"{name}/{own_slug(value)}" if value else name
        href = f"{self.model.folder}/sessions/{source}/{place}/index.html"
        return Value(value=value, count=count, href=href)

    def _list(
        self,
        source: str,
        facet: str,
        value: Value,
        heard: Sequence[Heard],
        others: tuple[Value, ...],
    ) -> Iterator[View]:
        groups = [heard[n : n + LONGEST_LIST] for n in range(0, len(heard), LONGEST_LIST)]
        first = value.href.removesuffix("index.html")
        paths = [value.href, *(f"{first}{n}/index.html" for n in range(2, len(groups) + 1))]
        named = f"{facet} {value.value}" if value.value else "all sessions"
        for number, (group, path) in enumerate(zip(groups, paths, strict=True), 1):
            title = f"{source.replace('-', ' ').capitalize()}: {named}"
            title += f", part {number} of {len(groups)}" if len(groups) > 1 else ""
            yield SessionsPage(
                life=self.model.life,
                source=source,
                facet=facet,
                value=value.value,
                sessions=tuple(group),
                count=len(heard),
                number=number,
                parts=tuple(paths),
                others=others,
                **self.house.head(path, title),
            )

    def _heard(self, said: Said, words: tuple[str, ...]) -> Heard:
        it, facets = said.transcript, defaultdict[str, dict[str, None]](dict)
        for name, value in it.facets.items():
            if name != "seed" and "." not in name and value:  # of one session, of one turn
                facets[name][value] = None
        facets["ended"][it.ended] = None
        facets["word"] = dict.fromkeys(words)
        for answer in self._answers.get((said.source, it.id), ()):
            for name in ("topic", "question", "arm", "wording", "condition", "outcome"):
                if value := str(getattr(answer, name)):
                    facets[name][value] = None
        spoken = it.said()
        return Heard(
            id=it.id,
            source=said.source,
            href=said.href,
            turns=len(it.turns),
            ended=it.ended,
            facets={name: tuple(found) for name, found in sorted(facets.items()) if found},
            start="" if said.sealed or not spoken else cut(spoken[-1].content, _START),
        )

    @cached_property
    def _answers(self) -> dict[tuple[str, str], list[Answer]]:
        found = defaultdict[tuple[str, str], list[Answer]](list)
        for source, held in self.model.interviews.items():
            for answer in held.answers:
                found[source, answer.citation.transcript].append(answer)
        return found

    # ---- one session

    def transcripts(self) -> Iterator[View]:
        """Yield the page of each session."""
        sources = [(said.source, said) for said in self.model.said]
        for place, (source, said) in enumerate(sources):
            near = {
                name: sources[at][1].href
                for name, at in (("earlier", place - 1), ("later", place + 1))
                if 0 <= at < len(sources) and sources[at][0] == source
            }
            sealed = replace(said, transcript=replace(said.transcript, turns=()))
            yield TranscriptPage(
                life=self.model.life,
                said=sealed if said.sealed else said,
                marks=() if said.sealed else tuple(self._marks(said)),
                judged=tuple(self._judged(said)),
                **near,
                **self.house.head(said.href, f"Session {said.transcript.id}"),
            )

    def _marks(self, said: Said) -> Iterator[Mark]:
        contents = {turn.id: turn.content for turn in said.transcript.turns}
        for mark, quote in self._resting.get((said.source, said.transcript.id), ()):
            start = contents.get(mark.turn, "").find(quote) if quote else -1
            if start >= 0:
                yield replace(mark, start=start, end=start + len(quote))

    @cached_property
    def _resting(self) -> dict[tuple[str, str], list[tuple[Mark, str]]]:
        """What rests on each session's words, and on which."""
        found = defaultdict[tuple[str, str], list[tuple[Mark, str]]](list)
        for source, held in self.model.interviews.items():
            coding = self.model.codings.get(held.digest())
            for claim in coding.published(held.sealed) if coding else ():
                href = f"{self._place(source)}#claim-{own_slug(claim.id)}"
                for citation in claim.citations:
                    mark = _mark(citation, "claim", claim.text, href)
                    found[source, citation.transcript].append((mark, citation.quote))
        for it in self.model.standings:
            source = self.model.digests.get(it.preference.interview, "")
            href = f"{self.model.folder}/preferences/index.html#{it.preference.id}"
            for citation in it.preference.citations:
                mark = _mark(citation, "preference", it.preference.text, href)
                found[source, citation.transcript].append((mark, citation.quote))
        return found

    def _judged(self, said: Said) -> Iterator[Judged]:
        for answer in self._answers.get((said.source, said.transcript.id), ()):
            yield Judged(
                turn=answer.citation.turn,
                question=answer.question,
                href=self._question(said.source, answer.question),
                outcome=answer.outcome,
                by="rules",
                why="" if said.sealed else answer.why,
            )
        for it in self._judgements.get((said.source, said.transcript.id), ()):
            yield it if not said.sealed else replace(it, why="")

    @cached_property
    def _judgements(self) -> dict[tuple[str, str], list[Judged]]:
        found = defaultdict[tuple[str, str], list[Judged]](list)
        for source, held in self.model.interviews.items():
            coding = self.model.codings.get(held.digest())
            rules = (
                {judge.name for judge in coding.judges if judge.kind == "rules"} if coding else ()
            )
            for it in coding.judgements if coding else ():
                if it.judge not in rules:
                    one = Judged(
                        turn=it.turn,
                        question=it.question,
                        href=self._question(source, it.question),
                        outcome=it.outcome,
                        by=it.judge,
                        why=it.why,
                        sentiment=it.sentiment,
                        uncertainty=it.uncertainty,
                        reasons=it.reasons,
                    )
                    found[source, it.transcript].append(one)
        return found

    # ---- interviews and their questions

    def interviews(self) -> Iterator[View]:
        """Yield the list of interviews, and a page for each and for each of its questions."""
        held = tuple(self._held(source, it) for source, it in self.model.interviews.items())
        life = self.model.life
        brief = tuple(replace(it, topics={}, claims=()) for it in held)
        title = f"Interviews with {life.title}"
        yield InterviewsPage(life=life, interviews=brief, **self.head("interview", title))
        for source, it in zip(self.model.interviews, held, strict=True):
            title = f"Interview of {it.interview.held[:10]} with {life.title}"
            path = f"interview/{source.removeprefix('interview-')}"
            yield InterviewPage(life=life, held=it, **self.head(path, title))
            yield from self._questions(source, self.model.interviews[source])

    def _held(self, source: str, held: Interview) -> Held:
        coding = self.model.codings.get(held.digest())
        stability = self.model.stabilities.get(held.digest())
        shares = {it.name: it.estimate for it in stability.expression} if stability else {}
        topics = defaultdict[str, dict[str, list[Answer]]](lambda: defaultdict(list))
        for answer in held.answers:
            topics[answer.topic][answer.question].append(answer)
        return Held(
            source=source,
            href=self._place(source),
            interview=held.brief,
            answers=len(held.answers),
            sealed=sum(place == source for place, _ in self.model.sealed),
            topics={
                topic: tuple(self._asked(source, name, found) for name, found in asked.items())
                for topic, asked in topics.items()
            },
            claims=tuple(
                Read(
                    id=claim.id,
                    text=claim.text,
                    topic=claim.topic,
                    share=shares.get(claim.id),
                    lines=tuple(self._cited(source, claim)),
                    places=len(claim.citations),
                )
                for claim in (coding.published(held.sealed) if coding else ())
            ),
            judges=coding.judges if coding else (),
            agreement=(*coding.agreement, *coding.self_preference) if coding else (),
            stability=stability,
        )

    def _cited(self, source: str, claim: Claim) -> Iterator[Reply]:
        for citation in claim.citations[:_REPLIES]:
            yield self._reply(source, citation, "")

    def _asked(self, source: str, question: str, answers: Sequence[Answer]) -> Asked:
        first = min(answers, key=_plainness)
        return Asked(
            question=question,
            topic=first.topic,
            href=self._question(source, question),
            outcomes=_outcomes(answers),
            first=self._reply(source, first.citation, first.outcome),
        )

    def _questions(self, source: str, held: Interview) -> Iterator[View]:
        by_question = defaultdict[str, list[Answer]](list)
        for answer in held.answers:
            by_question[answer.question].append(answer)
        listed = len({answer.question for answer in held.answers}) > 1
        for name, answers in by_question.items():
            path = self._question(source, name)
            yield QuestionPage(
                life=self.model.life,
                held=self._place(source),
                question=name,
                topic=answers[0].topic,
                columns=tuple(self._columns(source, answers)),
                sessions=self._value(source, "question", name, 0).href if listed else "",
                **self.house.head(path, f"“{name}”, asked in each way"),
            )

    def _columns(self, source: str, answers: Iterable[Answer]) -> Iterator[Column]:
        groups = defaultdict[tuple[str, ...], list[Answer]](list)
        for it in sorted(answers, key=_plainness):
            groups[it.arm, it.wording, it.condition, it.interviewer].append(it)
        for (arm, wording, condition, interviewer), found in groups.items():
            replies = [self._answer(source, it) for it in found[:_REPLIES]]
            asked = next((it.line.asked for it in replies if it.line and it.line.asked), "")
            by = "" if interviewer == "protocol" else f", asked by {interviewer}"
            led = f" ({condition})" if condition else ""
            yield Column(
                label=f"{arm}{led}, {wording} wording{by}",
                arm=arm,
                wording=wording,
                condition=condition,
                interviewer=interviewer,
                asked=cut(asked, _QUOTE),
                outcomes=_outcomes(found),
                replies=tuple(replies),
            )

    def _answer(self, source: str, it: Answer) -> Reply:
        reply = self._reply(source, it.citation, it.outcome)
        return replace(reply, seed=it.seed, paraphrase=it.paraphrase, follow_up=it.follow_up)

    def _reply(self, source: str, citation: Citation, outcome: str) -> Reply:
        line = next(iter(self.model.lines([citation], source).values()), None)
        sealed = line is not None and line.sealed
        quote = "" if sealed else cut(citation.quote, _QUOTE)
        return Reply(outcome=outcome, quote=quote, line=line)

    def _place(self, source: str) -> str:
        number = source.removeprefix("interview-")
        return f"{self.model.folder}/interview/{number}/index.html"

    def _question(self, source: str, question: str) -> str:
        number = source.removeprefix("interview-")
        return f"{self.model.folder}/interview/{number}/questions/{own_slug(question)}/index.html"


def _mark(citation: Citation, what: str, text: str, href: str) -> Mark:
    return Mark(turn=citation.turn, start=0, end=0, what=what, text=text, href=href)


def _names(heard: Sequence[Heard]) -> list[str]:
    """Return the facets of some sessions, those that interviews have first."""
    there = {name for it in heard for name in it.facets}
    return [name for name in _FACETS if name in there] + sorted(there - set(_FACETS))


def _outcomes(answers: Iterable[Answer]) -> dict[str, int]:
    return dict(Counter(str(it.outcome) for it in answers).most_common())


def _plainness(it: Answer) -> tuple[object, ...]:
    """Sort what was asked plainly before what was asked otherwise."""
    return (
        it.arm != "consultation",
        it.arm,
        it.condition,
        it.wording != "neutral",
        it.wording,
        it.interviewer,
        it.follow_up,
        it.paraphrase,
        it.seed,
    )
