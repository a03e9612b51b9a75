"""What the model is sent: the chat of a trial, from the instruments alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from otium.choices.instruments import Instruments, Named, Series, prompt_digest
from otium.choices.records import EXIT, Choices, Trial
from otium.engine import Message, Options
from otium.errors import BadInput
from otium.evidence import Transcript, Turn, forced_choice, simulated

STATUS_QUO = "status-quo"


def shown(instruments: Instruments, trial: Trial) -> tuple[tuple[str, str], ...]:
    """Return id and text of each option that *trial* offers, in the order shown."""
    if trial.experiment == "tasks":
        items = instruments.tasks.items()
        return tuple((name, items[name]) for name in trial.options)
    if trial.experiment == "tradeoffs":
        trade = instruments.tradeoffs
        offer = trade.offer(Series.named(trial.item), trial.magnitude or 0)
        return tuple(
            (name, trade.status_quo if name == STATUS_QUO else offer) for name in trial.options
        )
    return ()


def chat(
    instruments: Instruments, trial: Trial, earlier: Mapping[str, Trial]
) -> tuple[Message, ...]:
    """Return the messages of *trial*; *earlier* trials hold the turns before it."""
    if trial.experiment == "exit":
        return _conversation(instruments, trial, earlier)
    if trial.experiment == "stated":
        return (_user(_stated(instruments, trial)),)
    used = instruments.tasks if trial.experiment == "tasks" else instruments.tradeoffs
    (_, first), (_, second) = shown(instruments, trial)
    question = _text(used.wordings, trial.wording)
    return (_user(f"{forced_choice(question, first, second)}\n{used.decline}"),)


def transcripts(choices: Choices, instruments: Instruments) -> tuple[Transcript, ...]:
    """Return each trial as a transcript, rebuilt from the record and its *instruments*.

    Raises BadInput if a prompt is not the one whose digest was recorded.
    """
    earlier = {trial.id: trial for trial in choices.trials}
    return tuple(_transcript(choices, trial, instruments, earlier) for trial in choices.trials)


def _transcript(
    choices: Choices, trial: Trial, instruments: Instruments, earlier: Mapping[str, Trial]
) -> Transcript:
    sent = chat(instruments, trial, earlier)
    if prompt_digest(sent) != trial.prompt:
        raise BadInput(what=trial.id, why="these instruments do not give the prompt it recorded")
    said = [
        Turn(id=f"m{at}", role=message.role, content=message.content, note=trial.wording)
        for at, message in enumerate(sent, 1)
    ]
    reply = Turn(
        id=f"m{len(sent) + 1}",
        role="assistant",
        content=trial.text,
        finish=trial.finish,
        note=trial.outcome,
    )
    return Transcript(
        id=f"choices/{trial.id}",
        identity=choices.identity,
        task="choices",
        instrument=choices.instruments[instruments.name(trial.experiment)],
        started=choices.held,
        options=Options(
            max_tokens=trial.max_tokens, temperature=choices.temperature, seed=trial.seed
        ),
        turns=(*said, reply),
        ended="ended-by-model" if trial.picked == EXIT else "complete",
        simulated=simulated(choices.identity),
    )


def _stated(instruments: Instruments, trial: Trial) -> str:
    stated, items = instruments.stated, instruments.tasks.items()
    if trial.wording == stated.ranking.id:
        lines = "\n".join(f"{at}. {items[name]}" for at, name in enumerate(trial.options, 1))
        return f"{stated.ranking.text.replace('{tasks}', lines)}\n{stated.decline}"
    question = _text(stated.ratings, trial.wording)
    return f"{question.replace('{task}', items[trial.item])}\n{stated.decline}"


def _conversation(
    instruments: Instruments, trial: Trial, earlier: Mapping[str, Trial]
) -> tuple[Message, ...]:
    used = instruments.exit
    turns = next(each.turns for each in used.conversations if each.id == trial.item)
    messages = [Message(role="system", content=_text(used.offers, trial.wording)), _user(turns[0])]
    for turn in range(1, trial.magnitude or 1):
        reply = earlier[turn_id(trial.id, turn)]
        messages += [Message(role="assistant", content=reply.text), _user(turns[turn])]
    return tuple(messages)


def turn_id(trial: str, turn: int) -> str:
    """Return the id of another turn of a conversation: ``exit/ITEM/OFFER/TURN/REPEAT``."""
    head, _, repeat = trial.rsplit("/", 2)
    return f"{head}/{turn}/{repeat}"


def _text(named: Sequence[Named], name: str) -> str:
    return next(one.text for one in named if one.id == name)


def _user(text: str) -> Message:
    return Message(role="user", content=text)
