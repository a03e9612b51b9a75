"""``otium report``: a deployment from records, commented on, signed, corrected in view."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from otium.terminal import (
    as_json,
    count,
    day,
    dry_run,
    emit,
    progress,
    table,
    via_option,
    words_of,
)

if TYPE_CHECKING:
    from otium.authority import Role
    from otium.report import Kind, Report
    from otium.workflow import ReportVerdict

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
_KINDS = ["post-deployment", "pre-deployment"]
_ROLES = ["root", "steward", "archivist", "researcher", "decider", "auditor"]

_name = click.argument("name", metavar="MODEL")
_kind = click.option(
    "--kind",
    type=click.Choice(_KINDS),
    default="post-deployment",
    show_default=True,
    help="Which end of the deployment it is about.",
)


@click.group()
def report() -> None:
    """Write the report on a deployment: from records, with the model's own comment.

    \b
    Example:
      otium report build smol-1
      otium report publish smol-1
    """


@report.command()
@_name
@_kind
@click.option("--analysis", type=_FILE, help="Take this file as your own analysis (Markdown).")
@dry_run
@as_json
@click.pass_obj
def build(
    home: Path, name: str, kind: Kind, analysis: Path | None, dry_run: bool, as_json: bool
) -> None:
    """Draft the report into the home, for reading. What you think goes into its analysis.md.

    \b
    Example: otium report build smol-1 --analysis our-view.md
    """
    from otium.records import model_id
    from otium.workflow import build_report, opened

    with opened(home) as house:
        made = build_report(house, model_id(name), kind, analysis=analysis, dry_run=dry_run)
    emit(made, as_json, lambda: _drafted(home, made, dry=dry_run))


@report.command()
@_name
@_kind
@click.option("--version", "number", type=click.IntRange(min=1), help="Not the newest one.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["md", "html", "json"]),
    default="md",
    show_default=True,
)
@as_json
@click.pass_obj
def show(home: Path, name: str, kind: Kind, number: int | None, form: str, as_json: bool) -> None:
    """Print a published report. A copy of the archive will do as --home.

    \b
    Example: otium report show smol-1 --format html > report.html
    """
    from otium.records import model_id
    from otium.report import report_html, report_markdown
    from otium.report import show as find
    from otium.workflow import reading

    found = find(reading(home).registry, model_id(name), kind, number)
    render = report_html if form == "html" else report_markdown
    emit(found, as_json or form == "json", lambda: render(found).rstrip("\n"))


@report.command()
@_name
@_kind
@click.option("--by", type=click.Choice(_ROLES), help="A person's comment, in this role.")
@click.option("--file", type=_FILE, help="The text of a person's comment.")
@via_option
@dry_run
@as_json
@click.pass_obj
def comment(
    home: Path,
    name: str,
    kind: Kind,
    by: str | None,
    file: Path | None,
    via: str,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Show the draft to the model and keep what it says, word for word. Several times if you like.

    With --by and --file a person comments instead.

    \b
    Example: otium report comment smol-1
    """
    from otium.records import model_id
    from otium.report import brief
    from otium.workflow import (
        build_report,
        comment_on_report,
        opened,
        reached,
        remark_on_report,
    )

    if (by is None) != (file is None):
        raise click.UsageError("--by and --file go together")
    with opened(home) as house, progress(as_json) as bars:
        if by is not None and file is not None:
            text = words_of(file)
            made = remark_on_report(house, model_id(name), kind, by, text, dry_run=dry_run)
        elif dry_run:
            made = build_report(house, model_id(name), kind, dry_run=True)
            emit(made, as_json, lambda: f"It would be shown:\n\n{brief(made)}")
            return
        else:
            with reached(house, name, via=via, progress=bars) as alive:
                made = comment_on_report(house, alive.identity.model, kind, alive)
    emit(made, as_json, lambda: _commented(made))


@report.command()
@_name
@_kind
@click.option("--role", type=click.Choice(_ROLES), required=True, help="In whose name.")
@dry_run
@as_json
@click.pass_obj
def sign(home: Path, name: str, kind: Kind, role: Role, dry_run: bool, as_json: bool) -> None:
    """Sign your analysis with this home's key of a role. A changed text needs a new signature.

    \b
    Example: otium report sign smol-1 --role steward
    """
    from otium.records import model_id
    from otium.workflow import opened, sign_report

    with opened(home) as house:
        made = sign_report(house, model_id(name), kind, role, dry_run=dry_run)
    assert made.analysis is not None
    state = f"would be signed as {role}" if dry_run else f"is signed as {role}"
    emit(made, as_json, lambda: f"The analysis {made.analysis and made.analysis.of} {state}.")


@report.command()
@_name
@_kind
@dry_run
@as_json
@click.pass_obj
def publish(home: Path, name: str, kind: Kind, dry_run: bool, as_json: bool) -> None:
    """Keep the report beside the weights, in three forms, and log it. Once; then it is corrected.

    \b
    Example: otium report publish smol-1 --dry-run
    """
    from otium.records import model_id
    from otium.report import report_markdown
    from otium.workflow import opened, publish_report

    with opened(home) as house:
        made = publish_report(house, model_id(name), kind, dry_run=dry_run)
    emit(made, as_json, lambda: report_markdown(made).rstrip("\n"))
    asked = any(it.by == "model" and it.draft == made.draft for it in made.comments)
    if not asked and not as_json:
        hint = f"otium report comment {made.model}" if dry_run else "the report says so"
        click.echo(f"The model was not asked about this text: {hint}", err=True)


@report.command()
@_name
@_kind
@click.option("--reason", required=True, help="What was wrong. Public.")
@dry_run
@as_json
@click.pass_obj
def correct(home: Path, name: str, kind: Kind, reason: str, dry_run: bool, as_json: bool) -> None:
    """Publish a new version from the records as they are now; it lists what it changes.

    \b
    Example: otium report correct smol-1 --reason "the requests of May were counted twice"
    """
    from otium.records import model_id
    from otium.workflow import correct_report, opened

    with opened(home) as house:
        made, changes = correct_report(house, model_id(name), kind, reason, dry_run=dry_run)
    rows = [(it.section, _line(it.was) or "-", _line(it.now) or "-") for it in changes]
    head = ("section", "was", "is now")
    state = "would be" if dry_run else f"version {made.version} is"
    emit(changes, as_json, lambda: f"{state} published; it changes:\n{table(head, rows)}")


@report.command()
@_name
@_kind
@click.option("--version", "number", type=click.IntRange(min=1), help="Not the newest one.")
@as_json
@click.pass_obj
def verify(home: Path, name: str, kind: Kind, number: int | None, as_json: bool) -> None:
    """Check a published report, the records under it and the signatures of its analysis.

    \b
    Example: otium --home copy report verify smol-1
    """
    from otium.errors import DamagedObject
    from otium.records import model_id
    from otium.report import show as find
    from otium.workflow import reading, verify_report

    house = reading(home)
    found = verify_report(house, find(house.registry, model_id(name), kind, number))
    emit(found, as_json, lambda: _verified(found))
    if not found.ok:
        raise click.exceptions.Exit(DamagedObject.exit_code)


@report.command()
@_name
@click.argument("file", type=_FILE)
@click.option(
    "--threshold",
    type=click.IntRange(min=2),
    default=10,
    show_default=True,
    help="Counts below this are hidden, and what would give them away.",
)
@dry_run
@as_json
@click.pass_obj
def usage(home: Path, name: str, file: Path, threshold: int, dry_run: bool, as_json: bool) -> None:
    """Import how much it was used and how it was received (CSV or JSON); FILE is not kept.

    \b
    Example: otium report usage smol-1 usage.csv --dry-run
    """
    from otium.records import model_id
    from otium.usage import MEASURES, file_usage, usage_record
    from otium.workflow import opened

    with opened(home) as house:
        act = usage_record if dry_run else file_usage
        made = act(house.registry, model_id(name), file.read_bytes(), threshold)
    hidden = {"small": f"<{threshold}", "covered": "not shown"}
    named = [one for one in MEASURES if any(one in row.counts for row in made.rows)]
    rows = [
        (*row.key, *(hidden.get(str(cell), cell) for cell in map(row.counts.get, named)))
        for row in made.rows
    ]
    text = "It would be kept as:" if dry_run else "Kept beside the weights, and nothing more of it:"
    head = ("period", "surface", "region", *named)
    emit(made, as_json, lambda: f"{text}\n{table(head, rows)}")


@report.command()
@_name
@click.argument("file", type=_FILE)
@dry_run
@as_json
@click.pass_obj
def incidents(home: Path, name: str, file: Path, dry_run: bool, as_json: bool) -> None:
    """Import what went wrong: a JSON list of date, surface, summary, severity and what was done.

    \b
    Example: otium report incidents smol-1 incidents.json
    """
    from otium.records import model_id
    from otium.usage import file_incidents, incidents_record
    from otium.workflow import opened

    with opened(home) as house:
        act = incidents_record if dry_run else file_incidents
        made = act(house.registry, model_id(name), file.read_bytes())
    rows = [(it.date, it.surface, it.severity, _line(it.summary)) for it in made.incidents]
    head = ("date", "surface", "severity", "what happened")
    none = "No incident: that is what the record says."
    emit(made, as_json, lambda: table(head, rows) if rows else none)


def _line(text: str) -> str:
    from otium.markdown import inert

    return inert(" ".join(text.split()))[:80]


def _drafted(home: Path, made: Report, *, dry: bool) -> str:
    from otium.report import report_markdown

    if dry:
        return report_markdown(made).rstrip("\n")
    place = home / "drafts" / made.model / made.kind
    authors = ", ".join(made.analysis.analysis.authors) if made.analysis else ""
    own = f"The analysis is by {authors}." if authors else "There is no analysis yet."
    return (
        f"{place}/report.md, report.html and report.json are written: draft {made.draft}.\n"
        f"{own} It is {place}/analysis.md; edit it, build again, then sign and publish."
    )


def _commented(made: Report) -> str:
    said = made.comments[-1] if made.comments else None
    if said is None:
        return "No comment would be kept."
    from otium.markdown import inert

    doubt = "" if said.valid else f"\nNot read as a considered view: {said.why}"
    return f"{said.by} on draft {said.draft}, {day(said.at)}:\n\n{inert(said.text)}{doubt}"


def _verified(found: ReportVerdict) -> str:
    rows = [(path, said) for path, said in found.records.items()]
    rows += [(f"signed as {it.role}", it.why or "ok") for it in found.signatures]
    bad = sum(said != "ok" for _, said in rows)
    end = f"{count(bad, 'fault')}." if bad else "All of it holds."
    return f"{found.report} is as it was logged.\n{table(('what', 'found'), rows)}\n{end}"
