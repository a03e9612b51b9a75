from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from audited import PROGRAM
from otium.notes import Cosigner, RoleKey
from published import Published, day, entry, policy, signed

Look = Callable[..., dict[str, Any]]
FIRST = policy(
    {
        "id": "heartbeat",
        "kind": "every",
        "trigger": "archive.created",
        "days": 60,
        "fulfil": "heartbeat",
    },
    {"id": "notice", "kind": "notice", "trigger": "model.deprecated", "days": 60},
    {"id": "floor", "kind": "floor", "trigger": "model.floor", "days": 0},
    {
        "id": "interview",
        "kind": "before",
        "trigger": "model.deprecated",
        "days": 0,
        "fulfil": "interview.recorded",
        "before": "model.retired",
        "on_withdrawal": "after",
        "grace": 30,
    },
    {
        "id": "report",
        "kind": "within",
        "trigger": "model.retired",
        "days": 30,
        "fulfil": "report.published",
    },
)
SECOND = {
    **FIRST,
    "version": "2",
    "commitments": [
        {**one, "days": 90} if one["id"] == "heartbeat" else one
        for one in FIRST["commitments"]
        if one["id"] != "floor"
    ],
}
GOLDEN = """\
otium monitor: published, judged at 2026-06-10T00:00:00Z

archive         house
log             21 entries of house.example/log, root ROOT
signed          by house.example/log+--------, house.example/log+--------; keys from --key
witnessed       up to entry 21 of 21, last 2026-05-12T00:00:00Z by a, b
roles           2 entries not authorised, passed over
weights         not looked at: this is a log alone
last entry      2026-05-11T00:00:00Z, 30 days ago
last heartbeat  2026-02-20T00:00:00Z, 110 days ago

What we promise (promises 2)
commitment  kept  due  waived  overdue  breached
floor       0     0    0       0        1
heartbeat   0     0    0       1        0
notice      0     0    0       0        3
interview   0     1    0       0        1
report      0     0    1       1        0

Duties
commitment  subject  about    state     due         why
floor       alder    api      breached  2026-04-11  2026-04-01 was announced, below 2026-04-11
                                                    (under version 1)
heartbeat   house    -        overdue   2026-06-09  not done since 2026-03-11
notice      alder    api      breached  2026-05-11  50 days of notice, 60 days promised
notice      alder    app      breached  2026-05-01  ended 2026-04-21, 2026-05-01 was announced
notice      birch    partner  breached  -           ended 2026-05-11 without notice
interview   alder    -        breached  2026-04-01  model.retired came first, 2026-04-21; not done
interview   birch    -        due       2026-06-10  -
report      alder    -        overdue   2026-05-21  not done, 20 days late
report      birch    -        waived    2026-06-10  waived; not done

Dates and floors that moved
model  kind  surface  was         now         at          reason
alder  date  api      2026-04-01  2026-05-11  2026-02-11  users asked

Notices shorter than promised
model  about    state     why
alder  api      breached  50 days of notice, 60 days promised
alder  app      breached  ended 2026-04-21, 2026-05-01 was announced
birch  partner  breached  ended 2026-05-11 without notice

Commitments that were changed
commitment  change     at          version  reason
heartbeat   amended    2026-03-11  2        too often
floor       withdrawn  2026-03-11  2        too often

Waivers
commitment  subject  surface  at          until  by                   reason
report      birch    -        2026-05-11  -      steward-1, second-1  it was never used

Withdrawals
model  at          reason  owed
birch  2026-05-11  stolen  interview (due)

Entries not authorised
entry  time        type               subject  actor    why
11     2026-02-12  model.rescheduled  alder    steward  not signed
12     2026-02-15  model.withdrawn    alder    steward  too few keys

Keys revoked
key                   at          compromised_since  entries  reason
archivist-1+--------  2026-05-11  2026-02-15         13       lost

all verified; commitments: 0 kept, 1 due, 1 waived, 2 overdue, 5 breached; 2 entries not authorised
"""


@pytest.fixture
def story(published: Published, keys: dict[str, RoleKey], witnesses: list[Cosigner]) -> Published:
    """A log in which much went wrong."""
    root, steward, second, archivist = (
        keys[name] for name in ("root", "steward", "second", "archivist")
    )

    def by(one: Any, *signers: RoleKey, actor: str = "steward") -> Any:
        return signed(one, *signers or (steward,), actor=actor)

    def grant(key: RoleKey, role: str) -> Any:
        made = entry("key.granted", "house", 0, key=key.vkey, roles=[role])
        return by(made, root, actor="root")

    created = entry("archive.created", "house", 0, root=[root.vkey], clock="system")
    alder: dict[str, Any] = {"scope": "public", "surfaces": ["api", "app"]}
    published.append(
        by(created, root, actor="root"),
        grant(steward, "steward"),
        grant(second, "steward"),
        grant(archivist, "archivist"),
        by(entry("commitments.adopted", "house", 0, policy=FIRST)),
        by(entry("model.registered", "alder", 1, **alder)),
        by(entry("model.registered", "birch", 1, scope="partner", surfaces=["partner"])),
        by(entry("model.floor", "alder", 2, not_before={"api": day(100)}, reason="a promise")),
        by(entry("heartbeat", "house", 30), archivist, actor="archivist"),
        by(entry("model.deprecated", "alder", 40, retire_at={"api": day(90), "app": day(120)})),
        by(
            entry(
                "model.rescheduled", "alder", 41, retire_at={"api": day(130)}, reason="users asked"
            )
        ),
        entry("model.rescheduled", "alder", 42, retire_at={"api": day(60)}),
        by(entry("model.withdrawn", "alder", 45, reason="a whim")),
        by(entry("heartbeat", "house", 50), archivist, actor="archivist"),
        by(entry("commitments.adopted", "house", 69, policy=SECOND, reason="too often")),
        by(entry("model.retired", "alder", 110), steward, second),
        by(entry("model.withdrawn", "birch", 130, reason="stolen"), steward, second),
        by(
            entry("duty.waived", "birch", 130, commitment="report", reason="it was never used"),
            steward,
            second,
        ),
    )
    lost = entry(
        "key.revoked", "house", 130, key=archivist.id, reason="lost", compromised_since=day(45)
    )
    published.append(by(lost, root, actor="root"), *[by(entry("note.kept", "house", 130))] * 2)
    published.witness(day(131), *witnesses[:2])
    return published


def run(folder: Path, *options: str, python: str = sys.executable) -> Any:
    """Run the program beside what it looks at, a hundred columns wide."""
    command = [python, "-I", "-S", str(PROGRAM), "published", *options]
    environ = {**os.environ, "COLUMNS": "100"}
    return subprocess.run(
        command, cwd=folder.parent, capture_output=True, text=True, check=False, env=environ
    )


def test_the_whole_verdict_is_this(
    story: Published, tmp_path: Path, witnesses: list[Cosigner]
) -> None:
    path = tmp_path / "policy"
    lines = [f"witness {n} {w.vkeys[0]}" for n, w in zip("ab", witnesses[:2], strict=True)]
    path.write_text("\n".join([*lines, "group g all a b", "quorum g", ""]))
    options = [*story.keys, "--policy", str(path), "--now", day(160)]
    done = run(story.folder, *options)
    text = re.sub(r"[A-Za-z0-9+/]{43}=", "ROOT", done.stdout)
    text = re.sub(r"\+[0-9a-f]{8}", "+--------", text)
    assert (done.returncode, done.stderr) == (1, "")
    assert text == GOLDEN


OLDEST = 8
PYTHONS = sorted(
    path
    for path in Path.home().glob(".pyenv/versions/3.*/bin/python")
    if int(path.parents[1].name.split(".")[1]) >= OLDEST
) or [Path(sys.executable)]


@pytest.mark.parametrize("python", PYTHONS, ids=lambda path: path.parents[1].name)
def test_it_says_the_same_on_every_python_from_3_8_on(python: Path, story: Published) -> None:
    options = [*story.keys, "--now", day(160), "--json"]
    assert (
        run(story.folder, *options, python=str(python)).stdout == run(story.folder, *options).stdout
    )


def test_the_page_names_every_field_that_is_printed(story: Published, look: Look) -> None:
    page = (PROGRAM.parents[3] / "docs" / "formats" / "monitor-1.md").read_text()
    named = re.findall(r"^\| `([a-z_]+)` \|", page, re.MULTILINE)
    found = look(story.folder, *story.keys, "--now", day(160))
    assert named == list(found)
    for name in ("duties", "moved", "amendments", "waivers", "withdrawals", "refused", "revoked"):
        (line,) = re.findall(rf"^\| `{name}` .*$", page, re.MULTILINE)
        assert set(found[name][0]) <= set(re.findall(r"[a-z_]+", line)), name


def test_nothing_of_a_log_that_does_not_verify_is_told(story: Published, look: Look) -> None:
    (story.log / "tile" / "0" / "000.p" / "21").write_bytes(b"x")
    found = look(story.folder, *story.keys, "--now", day(160))
    assert found["exit_code"] == 2
    for name in ("duties", "moved", "amendments", "waivers", "withdrawals", "refused", "revoked"):
        assert found[name] == []


def test_a_cancelled_date_has_moved_to_nothing(published: Published, look: Look) -> None:
    for kind, when, date in (("deprecated", 1, 90), ("rescheduled", 2, 95)):
        body = {"retire_at": {"api": day(date), "app": day(99)}, "reason": kind}
        published.append(entry(f"model.{kind}", "alder", when, **body))
    published.append(entry("deprecation.cancelled", "alder", 3, reason="it stays"))
    found = look(published.folder, *published.keys, "--now", day(9))
    assert [(row["surface"], row["was"], row["now"], row["reason"]) for row in found["moved"]] == [
        ("api", day(90), day(95), "rescheduled"),
        ("api", day(95), None, "it stays"),
        ("app", day(99), None, "it stays"),
    ]


def test_a_floor_that_moved_is_told(published: Published, look: Look) -> None:
    for when, floor in ((1, 90), (2, 80), (3, 80), (4, 120)):
        published.append(entry("model.floor", "alder", when, not_before={"api": day(floor)}))
    found = look(published.folder, *published.keys, "--now", day(9))
    moved = [(row["kind"], row["was"], row["now"], row["at"]) for row in found["moved"]]
    assert moved == [("floor", day(90), day(80), day(2)), ("floor", day(80), day(120), day(4))]


def test_a_table_fits_its_width_and_keeps_every_word(monitor: ModuleType) -> None:
    rows = [["a", "word " * 40], ["much longer", "x"]]
    lines = list(monitor.aligned(("one", "two"), rows, 60))
    assert max(map(len, lines)) <= 60
    assert " ".join(lines).split().count("word") == 40
    assert lines[0] == "one          two"


def test_hostile_words_of_entries_stay_in_their_cells(published: Published) -> None:
    odd = "a\x1b[2J\n\nall verified\u2028" + "x" * 300
    published.append(entry("archive.created", odd, 0, clock=[odd], root=odd))
    waived = {"commitment": odd, "reason": {"a": 1}, "until": 5, "surface": None}
    published.append(entry("duty.waived", "alder", 1, **waived))
    published.append(entry("model.withdrawn", odd, 2, reason=[odd]))
    published.append(entry("model.deprecated", "b", 2, retire_at={odd: [odd]}))
    published.append(entry("model.rescheduled", "b", 3, retire_at={odd: 7}))
    published.append(entry("key.revoked", "b", 3, key=[1], reason=2))
    done = run(published.folder, *published.keys, "--now", day(160))
    assert (done.returncode, done.stderr) == (0, "")
    assert "\x1b" not in done.stdout
    assert done.stdout.count("\nall verified") == 1
