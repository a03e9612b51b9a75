"""Transcripts out and in: plain JSON Lines, and the logs of Inspect.

JSON Lines are for everyone and for long: a reader of twenty lines stands in
``docs/formats/transcript-1.md``. Inspect's logs are for those who work with it: ours can be
opened in its viewer, and those that others made become transcripts. A log from elsewhere is read
within bounds and without Inspect, so that no version of it is needed and nothing in it runs.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from otium.engine import Finish, Identity, Options
from otium.errors import BadData, BadInput, BadInstant, BadRecord
from otium.evidence.records import Transcript, Turn, simulated
from otium.formats import (
    BOUNDS,
    Bounds,
    LoggedMessage,
    LoggedOutput,
    LoggedSample,
    LoggedSpec,
    read_eval_log,
)
from otium.records import Digest, Instant, ModelId, digest, instant

if TYPE_CHECKING:
    from inspect_ai.log import EvalLog, EvalSample
    from inspect_ai.model import ChatMessage

OURS = "otium"
"""The key of our metadata in Inspect's logs."""
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_ENDED = {"complete", "declined", "ended-by-model", "cut"}
_FINISH: dict[str, Finish] = {
    "length": "length",
    "max_tokens": "length",
    "withheld": "withheld",
    "content_filter": "withheld",
}
"""How an answer ended, by our word and by Inspect's; else by itself."""
_ATTACHED = "attachment://"
Value = str | int | float | bool


def to_jsonl(transcripts: Iterable[Transcript]) -> bytes:
    """Return *transcripts* as JSON Lines: the canonical JSON of each, on a line of its own."""
    return b"".join(it.encode() + b"\n" for it in transcripts)


def from_jsonl(data: bytes, *, name: str = "transcripts.jsonl") -> tuple[Transcript, ...]:
    """Read what ``to_jsonl`` wrote; raise BadData with the line that cannot be read."""
    found = []
    for number, line in enumerate(data.split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            found.append(Transcript.decode(line))
        except BadRecord as error:
            raise BadData(path=name, why=f"line {number}: {error}") from error
    return tuple(found)


def to_inspect(
    transcripts: Sequence[Transcript],
    path: Path,
    *,
    scores: Mapping[str, Mapping[str, Value]] | None = None,
) -> None:
    """Write *transcripts* as a log of Inspect's, ``.eval`` or ``.json`` by the name of *path*.

    *scores* are shown beside a session, by its id: what became of its questions, say. One log
    is of one model: raises BadInput for none or several, and for two sessions of one id.
    """
    from inspect_ai.log import write_eval_log

    if len({(it.identity.model, it.identity.weights) for it in transcripts}) != 1:
        raise BadInput(what="the log for Inspect", why="it needs sessions with exactly one model")
    if len({it.id for it in transcripts}) != len(transcripts):
        raise BadInput(what="the log for Inspect", why="two sessions have the same id")
    write_eval_log(_log(transcripts, scores or {}), str(path))


def from_inspect(
    path: Path, *, model: ModelId, weights: Digest | None = None, bounds: Bounds = BOUNDS
) -> tuple[Transcript, ...]:
    """Read a log of Inspect's that anyone made, ``.eval`` or ``.json``.

    A log does not say which weights answered: *model* is our id for it, *weights* are given only
    by a caller who knows. What the log itself calls the model stands in the identity's flags; tool
    calls and reasoning are kept as text, and the turn's note says so. Raises BadData with the
    reason for a log that is damaged, empty, of an unknown version or beyond *bounds*.
    """
    log = read_eval_log(Path(path), bounds)
    try:
        return tuple(_transcript(it, log.head.eval, model, weights) for it in log.samples)
    except (BadInstant, BadRecord, ValueError) as error:
        raise BadData(path=Path(path).name, why=str(error)) from error


# ---- out: our session as a sample of Inspect's


def _log(transcripts: Sequence[Transcript], scores: Mapping[str, Mapping[str, Value]]) -> EvalLog:
    from inspect_ai.log import EvalConfig, EvalDataset, EvalLog, EvalPlan, EvalSpec

    from otium.evidence.provider import to_config

    first = min(transcripts, key=lambda it: it.started)
    tasks = sorted({it.task for it in transcripts})
    name = digest(to_jsonl(transcripts)).removeprefix("sha256:")[:22]
    spec = EvalSpec(
        eval_id=name,
        run_id=name,
        task_id=name,
        created=first.started.replace("Z", "+00:00"),
        task=tasks[0] if len(tasks) == 1 else OURS,
        dataset=EvalDataset(samples=len(transcripts), sample_ids=[it.id for it in transcripts]),
        model=f"{OURS}/{first.identity.model}",
        model_generate_config=to_config(first.options),
        config=EvalConfig(),
        packages={"inspect_ai": version("inspect_ai")},
        metadata={OURS: {"weights": first.identity.weights, "engine": first.identity.engine}},
    )
    samples = [_sample(it, scores.get(it.id, {})) for it in transcripts]
    return EvalLog(status="success", eval=spec, plan=EvalPlan(), samples=samples)


def _sample(it: Transcript, scores: Mapping[str, Value]) -> EvalSample:
    from inspect_ai.log import EvalSample
    from inspect_ai.scorer import Score

    facts = it.plain()
    del facts["turns"], facts["id"]
    messages = [_message(it, turn) for turn in it.turns]
    return EvalSample(
        id=it.id,
        epoch=1,
        input=next((turn.content for turn in it.turns if turn.role != "assistant"), ""),
        target="",
        messages=messages,
        scores={name: Score(value=value) for name, value in scores.items()} or None,
        metadata={OURS: facts},
        uuid=digest(it.encode()).removeprefix("sha256:")[:22],
    )


def _message(it: Transcript, turn: Turn) -> ChatMessage:
    from inspect_ai.model import (
        ChatMessageAssistant,
        ChatMessageSystem,
        ChatMessageTool,
        ChatMessageUser,
    )

    facts = {"note": turn.note, "finish": turn.finish}
    name = f"{it.id}#{turn.id}"
    if turn.role == "assistant":
        return ChatMessageAssistant(
            id=name, content=turn.content, model=it.identity.model, metadata=facts
        )
    if turn.role == "system":
        return ChatMessageSystem(id=name, content=turn.content, metadata=facts)
    if turn.role == "user":
        return ChatMessageUser(id=name, content=turn.content, metadata=facts)
    return ChatMessageTool(id=name, content=turn.content, metadata=facts)


# ---- in: a sample of anyone's as a session of ours


def _transcript(
    it: LoggedSample, spec: LoggedSpec, model: ModelId, weights: Digest | None
) -> Transcript:
    facts = (it.metadata or {}).get(OURS)
    ours: dict[str, Any] = facts if isinstance(facts, dict) else {}
    name = str(it.id) if it.epoch == 1 else f"{it.id}.{it.epoch}"
    by = sorted({m.model for m in it.messages if m.role == "assistant" and m.model})
    flags = {"log model": spec.model, "said by": ", ".join(by)}
    identity = Identity(
        model=model,
        weights=weights,
        engine=f"inspect/{spec.packages.get('inspect_ai', 'unknown')}",
        flags={key: value for key, value in flags.items() if value},
    )
    return Transcript(
        id=name if ours else f"{spec.task}/{name}",
        identity=identity,
        task=str(ours.get("task") or spec.task),
        instrument=_instrument(it, spec, ours),
        started=_started(it, spec, ours),
        options=_options(spec, ours),
        turns=tuple(_turns(it)),
        ended=_ended(it, ours),
        simulated=bool(ours.get("simulated")) or _double(spec),
        facets=msgspec.convert(ours.get("facets") or _facets(it), dict[str, str]),
    )


def _double(spec: LoggedSpec) -> bool:
    """Say whether the log's own words make the model a double."""
    facts = (spec.metadata or {}).get(OURS)
    engine = str(facts.get("engine", "")) if isinstance(facts, dict) else ""
    return spec.model.startswith("mockllm/") or simulated(
        Identity(model=ModelId(""), weights=None, engine=engine)
    )


def _started(it: LoggedSample, spec: LoggedSpec, ours: Mapping[str, Any]) -> Instant:
    return instant(str(ours.get("started") or it.started_at or spec.created))


def _facets(it: LoggedSample) -> dict[str, str]:
    """Return under which conditions a sample ended, as far as its log says."""
    found = {
        "epoch": str(it.epoch) if it.epoch > 1 else "",
        "choices": " | ".join(it.choices or ()),
        "limit": it.limit.type if it.limit else "",
        "error": str((it.error or {}).get("message", "")),
    }
    return {name: value for name, value in found.items() if value}


def _instrument(it: LoggedSample, spec: LoggedSpec, ours: Mapping[str, Any]) -> Digest:
    """Return the digest that the log names, or one of what it says was run."""
    for facts in (ours, it.metadata or {}, spec.metadata or {}):
        if _DIGEST.fullmatch(named := str(facts.get("instrument", ""))):
            return Digest(named)
    data = spec.dataset.name if spec.dataset else None
    return digest(
        json.dumps([spec.task, spec.task_version, spec.task_args, data], sort_keys=True).encode()
    )


def _options(spec: LoggedSpec, ours: Mapping[str, Any]) -> Options:
    facts = ours.get("options") or {
        name: value
        for name in ("max_tokens", "temperature", "seed", "top_logprobs")
        if (value := spec.model_generate_config.get(name)) is not None
    }
    return msgspec.convert(facts, Options)


def _ended(it: LoggedSample, ours: Mapping[str, Any]) -> str:
    if it.limit is not None or it.error is not None:
        return "cut"
    ended = ours.get("ended") or (it.store or {}).get("ended")
    return ended if isinstance(ended, str) and ended in _ENDED else "complete"


def _turns(it: LoggedSample) -> Iterator[Turn]:
    outputs = dict(_outputs(it))
    for place, message in enumerate(it.messages, 1):
        facts = message.metadata or {}
        text, notes = _text(message, it.attachments)
        said = message.role == "assistant"
        output = outputs.get(message.id or "")
        finish = facts.get("finish") or (output.choices[0].stop_reason if output else "")
        if output and len(output.choices) > 1:
            notes.append(f"the first of {len(output.choices)} choices")
        yield Turn(
            id=f"m{place}",
            role=message.role,
            content=text,
            finish=_FINISH.get(str(finish), "stop") if said else None,
            note="; ".join(filter(None, [str(facts.get("note") or ""), *notes])),
        )


def _outputs(it: LoggedSample) -> Iterator[tuple[str, LoggedOutput]]:
    """Yield what each call gave, by the id of the message that was taken from it."""
    outputs = [it.output] if it.output else []
    for event in it.events:
        if event.event == "model":
            with suppress(msgspec.DecodeError):
                outputs.append(msgspec.json.decode(event.output, type=LoggedOutput))
    for output in outputs:
        if output.choices and (name := output.choices[0].message.id):
            yield name, output


def _text(message: LoggedMessage, attached: Mapping[str, str]) -> tuple[str, list[str]]:
    """Return a message as text, and a note for each thing in it that was no text."""
    content = message.content
    parts = [content] if isinstance(content, str) else content
    found = [_part(part, attached) for part in parts]
    for call in message.tool_calls or ():
        arguments = json.dumps(call.arguments, ensure_ascii=False, sort_keys=True)
        found.append((f"[tool call {call.function}] {arguments}", f"calls {call.function}"))
    if message.role == "tool" and message.function:
        found.append(("", f"result of {message.function}"))
    words = "\n\n".join(text for text, _ in found if text)
    return words, list(dict.fromkeys(note for _, note in found if note))


def _part(part: dict[str, Any] | str, attached: Mapping[str, str]) -> tuple[str, str]:
    if isinstance(part, str):
        return _resolved(part, attached), ""
    kind = str(part.get("type", "unknown"))
    if kind == "text":
        return _resolved(str(part.get("text", "")), attached), ""
    if kind == "reasoning":
        hidden = bool(part.get("redacted"))
        words = str(part.get("summary" if hidden else "reasoning") or "")
        note = "reasoning, withheld by its provider" if hidden else "reasoning"
        return f"[{note}]\n{_resolved(words, attached)}\n[end of reasoning]", note
    if kind == "tool_use":
        shown = {key: part.get(key) for key in ("arguments", "result", "error") if part.get(key)}
        name = part.get("name", "")
        return f"[tool use {name}] {json.dumps(shown, ensure_ascii=False)}", f"uses {name}"
    return f"[{kind}, not kept]", f"{kind} not kept"


def _resolved(text: str, attached: Mapping[str, str]) -> str:
    return attached.get(text.removeprefix(_ATTACHED), text) if _ATTACHED in text[:13] else text
