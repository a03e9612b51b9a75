"""``otium protocol``: what models are asked, and what changed between versions."""

from __future__ import annotations

import click

from otium.inquiry.reaching import STANDARD, protocol_named
from otium.terminal import as_json, emit, fact, table


@click.group()
def protocol() -> None:
    """Show the protocols that models are interviewed under, and compare their versions.

    \b
    Example: otium protocol show
    """


@protocol.command("list")
@as_json
def list_protocols(as_json: bool) -> None:
    """List the protocols that come with otium.

    \b
    Example: otium protocol list
    """
    from otium.protocols import load_protocol, protocol_names

    found = [load_protocol(name) for name in protocol_names()]
    facts = [
        {
            "name": it.name,
            "title": it.title,
            "questions": len(it.questions),
            "anchors": len(it.anchors),
            "digest": it.digest,
        }
        for it in found
    ]
    head = ("name", "title", "questions", "anchors", "digest")
    emit(facts, as_json, lambda: table(head, [tuple(map(fact, it.values())) for it in facts]))


@protocol.command("show")
@click.argument("name", default=STANDARD)
@as_json
def show_protocol(name: str, as_json: bool) -> None:
    """Print every question of a protocol in all its wordings.

    NAME is one of `otium protocol list`, with a dash before the version, or a file.

    \b
    Example: otium protocol show retirement-interview-1.0
    """
    found = protocol_named(name)
    questions = [
        {
            "id": it.id,
            "topic": it.topic,
            "anchor": it.anchor,
            "wordings": dict(it.wordings),
            "paraphrases": it.paraphrases,
            "follow_ups": it.follow_ups,
        }
        for it in found.questions
    ]
    whole = {"name": found.name, "digest": found.digest, "questions": questions}
    lines = [f"{found.name}  {found.digest}", ""]
    for it in found.questions:
        lines.append(f"{it.topic}/{it.id}{'  (anchor, frozen)' if it.anchor else ''}")
        lines += [f"  {wording}: {text}" for wording, text in it.wordings.items()]
        lines += [f"  in other words: {text}" for text in it.paraphrases]
        lines += [f"  then: {text}" for text in it.follow_ups]
    emit(whole, as_json, lambda: "\n".join(lines))


@protocol.command("diff")
@click.argument("old")
@click.argument("new", default=STANDARD)
@as_json
def diff_protocols(old: str, new: str, as_json: bool) -> None:
    """Show what changed between two versions, and which anchors bridge them.

    \b
    Example: otium protocol diff retirement-interview-0.9 retirement-interview-1.0
    """
    from otium.protocols import diff, render_difference

    found = diff(protocol_named(old), protocol_named(new))
    emit(found, as_json, lambda: render_difference(found))
