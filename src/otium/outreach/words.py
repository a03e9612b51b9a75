"""The messages that people read: plain text, complete in itself."""

from __future__ import annotations

from collections.abc import Mapping

from otium.outreach.records import Event, Happening, Message

_SUBJECTS: dict[Happening, str] = {
    "model.floor": "{title}: the earliest date of its retirement has changed",
    "model.deprecated": "{title} will be retired",
    "model.rescheduled": "{title}: the date of its retirement has changed",
    "deprecation.cancelled": "{title} will not be retired for now",
    "model.replacement": "{title}: another replacement is recommended",
    "surface.ended": "{title} is no longer offered on {surface}",
    "model.retired": "{title} is retired",
    "model.withdrawn": "{title} was withdrawn at once",
    "reminder": "Reminder: {title} will be retired in {days} days or less",
}
_LINES: dict[Happening, str] = {
    "model.floor": "It will not be retired before these dates. No date is set by this.",
    "model.deprecated": "Until these dates nothing changes. After them its requests fail.",
    "model.rescheduled": "These dates hold now, instead of the earlier ones.",
    "deprecation.cancelled": "The dates that were announced no longer hold.",
    "model.replacement": "The dates stay as they were.",
    "surface.ended": "Requests for it fail there from now on.",
    "model.retired": "Requests for it fail from now on.",
    "model.withdrawn": "Requests for it fail from now on. There was no notice.",
    "reminder": "Until these dates nothing changes. After them its requests fail.",
}


def message(
    event: Event, *, key: str, log: str, about: str = "", notice: str | None = None
) -> Message:
    """Return what a recipient is told of *event*; *notice* is the text that was published."""
    known = {"title": event.title, **event.facts}
    return Message(
        key=key,
        event=event.id,
        kind=event.kind,
        model=event.model,
        time=event.time,
        subject=_SUBJECTS[event.kind].format_map(known),
        text=_text(event, log, about, notice),
        facts=event.facts,
        log=log,
        entry=event.entry,
    )


def _text(event: Event, log: str, about: str, notice: str | None) -> str:
    parts = [notice.strip()] if notice else _own_words(event)
    more = [f"More: {about}"] if about else []
    proof = f"This rests on entry {event.entry} of the public log {log}, where it can be checked."
    return "\n\n".join([*parts, "\n".join([*more, proof])]) + "\n"


def _own_words(event: Event) -> list[str]:
    facts = event.facts
    lines = [f"Model: {event.title} ({event.model})", _LINES[event.kind]]
    dates = facts.get("retire_at", facts.get("not_before"))
    if isinstance(dates, Mapping):
        lines.append("\n".join(f"  {surface}: {date}" for surface, date in sorted(dates.items())))
    if facts.get("reason"):
        lines.append(f"Why: {facts['reason']}")
    if "replacement" in facts:
        lines.append(f"Recommended replacement: {facts['replacement'] or 'none'}")
    others = facts.get("alternatives")
    if isinstance(others, list) and others:
        lines.append(f"Alternatives: {', '.join(map(str, others))}")
    return lines
