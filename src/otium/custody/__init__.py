"""Custody: looking after an archive and its copies, so that nothing in them is lost unseen.

Knows what hangs on each pack, scrubbing, copies, repair, parity, and how weights may leave.
Does not know who decides, when a model is retired, or how bytes are coded. Deletes nothing.
Writes parity (`docs/formats/parity-1.md`), copies, and the record of a deaccession.

>>> from otium.archive import Archive
>>> from otium.records import Instant, ModelId
>>> from otium.store import LocalStore
>>> now = Instant("2026-11-22T00:00:00Z")
>>> store, copy = LocalStore(tmp_path / "archive"), LocalStore(tmp_path / "copy")
>>> archive = Archive.create(
...     store, archive_id="example", created=now, origin="example.org/log", keys=[]
... )
>>> weights = tmp_path / "weights.bin"
>>> _ = weights.write_bytes(b"not for nothing")
>>> _ = archive.add(ModelId("smol-1"), weights, deposited=now)
>>> replicate(store, {"copy": copy}).ok
True
>>> [pack] = store.list("packs/")
>>> what_if(archive, pack).models
('smol-1',)
>>> store.replace(pack, b"damaged")
>>> [mended] = repair(archive, {"copy": copy}).mended
>>> mended.name == pack, scrub(archive, tmp_path / "cursor.json", now=now).ok
(True, True)
"""

from otium.custody.deaccession import (
    Deaccession,
    Freed,
    Proposal,
    carry_out,
    due,
    entry_body,
    propose,
    removable,
)
from otium.custody.parity import Protected, protect
from otium.custody.repair import (
    Remedy,
    Repaired,
    RepairPlan,
    carry_out_repair,
    opened,
    plan_repair,
    repair,
)
from otium.custody.replicate import Copied, Replication, replicate
from otium.custody.scrub import (
    Budget,
    Cursor,
    Level,
    Passing,
    Position,
    Scrubbed,
    Work,
    load_cursor,
    merged,
    reading,
    save_cursor,
    scrub,
)
from otium.custody.sheet import Group, Member, Sheet, read_sheet, rebuild, sheets
from otium.custody.stats import (
    CodecUse,
    LostFile,
    PackUse,
    Stats,
    WhatIf,
    stats,
    what_if,
)

__all__ = [
    "Budget",
    "CodecUse",
    "Copied",
    "Cursor",
    "Deaccession",
    "Freed",
    "Group",
    "Level",
    "LostFile",
    "Member",
    "PackUse",
    "Passing",
    "Position",
    "Proposal",
    "Protected",
    "Remedy",
    "RepairPlan",
    "Repaired",
    "Replication",
    "Scrubbed",
    "Sheet",
    "Stats",
    "WhatIf",
    "Work",
    "carry_out",
    "carry_out_repair",
    "due",
    "entry_body",
    "load_cursor",
    "merged",
    "opened",
    "plan_repair",
    "propose",
    "protect",
    "read_sheet",
    "reading",
    "rebuild",
    "removable",
    "repair",
    "replicate",
    "save_cursor",
    "scrub",
    "sheets",
    "stats",
    "what_if",
]
