"""Where conversations and judgements lie until they are filed, and how they are filed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from otium.byhand.talking import Talk, checked_role, is_role
from otium.coding import Asked, Coding, Given, Judgements, human_sample
from otium.engine import Model, Options
from otium.errors import BadInput, NotFound
from otium.evidence import Transcript, Validity, simulated
from otium.interview import ROOM, Interview, Journal
from otium.protocols import Protocol, load_protocol, render_dossier
from otium.records import Instant, ModelId, Progress, silent
from otium.stability import Stability
from otium.store import hold
from otium.workflow import (
    Home,
    answers_of,
    code_filed,
    compile_dossier,
    facts_of,
    finish,
    import_interview,
    measure,
    next_coding,
    opened,
)

_TOKENS = 200
_MANY = 99
_TALKS, _FILE = "talks", "talk.jsonl"


class Started(NamedTuple):
    """A conversation, and the name by which it is taken up again."""

    name: str
    talk: Talk
    journal: Journal[Transcript]


class Filed(NamedTuple):
    """Where an interview was filed, and what it amounts to."""

    path: str
    stability: Stability


@contextmanager
def held_talk(
    home: Home,
    model: Model,
    role: str,
    *,
    protocol: Protocol | None = None,
    options: Options | None = None,
    resume: str = "",
) -> Iterator[Started]:
    """Begin a conversation with *model*, or take up the one called *resume*; hold it meanwhile.

    Raises BadInput for a role that is none, and for a conversation of other weights, of another
    protocol or of another role; NotFound if there is no such conversation, Held if another process
    has it.
    """
    subject = model.identity.model
    who = f"person:{checked_role(role)}"
    protocol = protocol or load_protocol()
    folder = home.path / _TALKS / subject
    now = home.registry.clock.now()
    fill = protocol.fill(facts_of(home, subject))
    dossier = render_dossier(compile_dossier(home, subject), ROOM)
    name = resume or _fresh(folder, now)
    if resume not in {"", *waiting_talks(home.path, subject)}:
        raise NotFound(what=f"a conversation {resume!r} that waits to go on")
    journal = Journal(folder / name / _FILE, Transcript)
    with hold(folder / name):
        transcript = next(iter(journal.held().values()), None)
        transcript = transcript or _blank(name, model, protocol, who, now, options)
        _same(transcript, model, protocol, who)
        talk = Talk(model, protocol, fill, transcript, journal.keep, dossier=dossier)
        try:
            yield Started(name, talk, journal)
        finally:
            if not talk.transcript.turns:
                journal.forget()
    _tidy(folder / name)


def _blank(  # noqa: PLR0917 - what a conversation is held with
    name: str,
    model: Model,
    protocol: Protocol,
    who: str,
    now: Instant,
    options: Options | None,
) -> Transcript:
    return Transcript(
        id=f"interview/external-{name}",
        identity=model.identity,
        task="interview",
        instrument=protocol.digest,
        started=now,
        options=options or Options(max_tokens=_TOKENS),
        turns=(),
        ended="open",
        simulated=simulated(model.identity),
        facets={"arm": "external", "interviewer": who},
    )


def _tidy(folder: Path) -> None:
    """Remove the folder of a conversation of which nothing waits any more."""
    if not (folder / _FILE).exists():
        with suppress(OSError):
            (folder / ".lock").unlink()
            folder.rmdir()


def waiting_talks(home: Path, subject: ModelId) -> tuple[str, ...]:
    """Return the names of the conversations with *subject* that are not filed, oldest first."""
    found = (home / _TALKS / subject).glob(f"*/{_FILE}")
    return tuple(sorted(file.parent.name for file in found if file.stat().st_size))


def file_talk(
    path: Path, started: Started, validity: Validity | None, progress: Progress = silent
) -> Filed:
    """File a conversation as an interview in the home at *path*; filed already, find it.

    Raises BadInput if nothing was said, Held if another process writes there.
    """
    talk = started.talk
    talk.end()
    if not talk.transcript.said():
        raise BadInput(what=f"the conversation {started.name}", why="the model said nothing yet")
    subject = talk.transcript.identity.model
    role = talk.transcript.facets["interviewer"].removeprefix("person:")
    with opened(path) as home:
        where = _filed(home, subject, talk.transcript.id)
        if where:
            found = Filed(where, finish(home, subject, where, progress=progress))
        else:
            found = Filed(
                *import_interview(
                    home,
                    subject,
                    [talk.transcript],
                    role=role,
                    validity=validity,
                    protocol=talk.protocol,
                    kind="person",
                )
            )
    started.journal.forget()
    return found


def sample(home: Home, subject: ModelId, path: str, most: int, seed: int) -> tuple[Asked, ...]:
    """Return the answers of the interview at *path* that a person is to judge, in order."""
    return human_sample(answers_of(home, subject, path), most, seed)


def judgements_file(home: Path, subject: ModelId, number: int, role: str) -> Path:
    """Return where the judgements of the person in *role* are kept."""
    return home / "coding" / f"{subject}-{number}-{checked_role(role)}.json"


def file_coding(path: Path, subject: ModelId, number: int) -> tuple[int, Coding]:
    """Code the interview *number* again, by the rules and by all who judged it by hand.

    Returns the coding's number with it. Raises BadInput if nobody judged anything.
    """
    given = [Given(it) for it in judged_by_hand(path, subject, number) if it.judgements]
    if not given:
        raise BadInput(what="the coding", why="nobody judged an answer by hand yet")
    where = f"interviews/{number}.json"
    with opened(path) as home:
        which = next_coding(home, subject, where)
        coding = code_filed(home, subject, where, raters=given, number=which)
        measure(home, subject, where, number=which)
    return which, coding


def judged_by_hand(home: Path, subject: ModelId, number: int) -> tuple[Judgements, ...]:
    """Return what each person judged of the interview *number*, by role."""
    start = f"{subject}-{number}-"
    files = sorted((home / "coding").glob("*.json"))
    # The rest of the name has to be a role, or the file is of a model with a longer id.
    mine = (it for it in files if it.stem.startswith(start) and is_role(it.stem[len(start) :]))
    return tuple(Judgements.decode(file.read_bytes()) for file in mine)


def _fresh(folder: Path, now: Instant) -> str:
    stamp = now[:19].replace("-", "").replace(":", "").replace("T", "-")
    folder.mkdir(parents=True, exist_ok=True)
    for more in range(1, _MANY):
        name = stamp if more == 1 else f"{stamp}-{more}"
        with suppress(FileExistsError):
            (folder / name).mkdir()
            return name
    raise BadInput(what="the conversation", why=f"{_MANY} were begun in this second")


def _same(transcript: Transcript, model: Model, protocol: Protocol, who: str) -> None:
    was = transcript.identity
    if (was.model, was.weights) != (model.identity.model, model.identity.weights):
        raise BadInput(what="the conversation", why=f"it was held with {was.model}, {was.weights}")
    if transcript.instrument != protocol.digest:
        raise BadInput(what="the conversation", why="it was held with another protocol")
    if transcript.facets["interviewer"] != who:
        why = f"it was held by {transcript.facets['interviewer']}"
        raise BadInput(what="the conversation", why=why)


def _filed(home: Home, subject: ModelId, transcript: str) -> str:
    """Return the path of the interview that holds *transcript*, empty if there is none."""
    for entry in reversed(home.registry.find("interview.recorded", subject)):
        path = str(entry.body["path"])
        held = home.registry.filed(subject, path, Interview)
        if any(it.id == transcript for it in held.transcripts):
            return path
    return ""
