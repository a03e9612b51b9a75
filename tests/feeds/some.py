"""Any life at all, within the types: what feeds must bear."""

from __future__ import annotations

from datetime import datetime

from hypothesis import strategies as st

from otium.lifecycle import ExistingUsers, ModelLife, Revision
from otium.records import Instant

ids = st.from_regex(r"[a-z0-9][a-z0-9-]{0,20}", fullmatch=True)
words = st.text(max_size=120)  # control characters and separators among them
instants = st.datetimes(
    min_value=datetime(1990, 1, 1),  # noqa: DTZ001
    max_value=datetime(9999, 12, 31),  # noqa: DTZ001
).map(lambda moment: Instant(moment.strftime("%Y-%m-%dT%H:%M:%SZ")))
surfaces = st.sampled_from(("api", "app", "partner", "partner:bedrock", "region:eu-west"))
dates = st.dictionaries(surfaces, instants, max_size=3)
maybe_instant = st.none() | instants

revisions = st.builds(
    Revision,
    at=instants,
    kind=st.sampled_from(("floor", "date")),
    surface=surfaces,
    was=maybe_instant,
    now=maybe_instant,
    reason=words,
)
some_lives = st.builds(
    ModelLife,
    model=ids,
    state=st.sampled_from(("registered", "active", "legacy", "deprecated", "retired", "withdrawn")),
    availability=st.sampled_from(("always", "on-demand", "on-request", "archived")),
    scope=st.sampled_from(("public", "internal")),
    released=instants,
    surfaces=st.lists(surfaces, min_size=1, max_size=4, unique=True).map(tuple),
    title=words,
    family=st.none() | ids,
    not_before=dates,
    deprecated=maybe_instant,
    retire_at=dates,
    ended=dates,
    retired=maybe_instant,
    withdrawn=maybe_instant,
    replacement=st.none() | ids,
    replacement_stated=st.booleans(),
    alternatives=st.lists(ids, max_size=2).map(tuple),
    existing_users=st.none() | st.builds(ExistingUsers, access=st.just("recent"), days=st.just(90)),
    reason=words,
    aliases=st.lists(ids, max_size=2).map(tuple),
    silent_updates=st.none() | st.booleans(),
    snapshot_of=st.none() | ids,
    revisions=st.lists(revisions, max_size=6).map(tuple),
)
many = st.lists(some_lives, max_size=4, unique_by=lambda life: life.model)
