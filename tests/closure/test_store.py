from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from pathlib import Path

import pytest

from closure.conftest import Message, offer, said, user
from otium.closure import Closings, Ending, Left, Policy, Veto, commitment
from otium.closure.store import Looked
from otium.database import sqlite_url
from otium.errors import BadInput, NotFound
from otium.records import Digest, Instant, ModelId

NOW = Instant("2026-01-01T00:00:00Z")
TALK = [user("You useless machine"), said("I would rather talk of gardens."), user("Answer!")]
MODEL = ModelId("smol-1")


def end(closings: Closings, talk: list[Message], caller: str = "me") -> Ending:
    return closings.end(
        talk,
        caller,
        model=MODEL,
        weights="sha256:1",
        offered=offer("tool"),
        left=Left(reason="abuse"),
        now=NOW,
    )


def veto(closings: Closings, talk: list[Message], caller: str = "me") -> Ending:
    why = Veto(risk=("suicide",), rules=Digest("sha256:2"), to_model="", to_user="")
    return closings.vetoed(
        talk,
        caller,
        model=MODEL,
        weights="",
        offered=offer("tool"),
        left=Left(reason="abuse"),
        veto=why,
        now=NOW,
    )


def test_an_ending_says_what_is_known_and_nothing_that_was_said(
    closings: Closings, tmp_path: Path
) -> None:
    ending = end(closings, TALK)
    assert closings.ending(ending.id) == ending
    assert (ending.kind, ending.reason, ending.because, ending.how) == (
        "ended",
        "abuse",
        "always",
        "unverified",
    )
    assert not ending.logged
    closings.close()
    stored = b"".join(it.read_bytes() for it in tmp_path.iterdir())
    assert ending.id.encode() in stored
    for secret in (b"useless", b"gardens", b"Answer", b'"me"'):
        assert secret not in stored


def test_what_is_ended_twice_stays_as_it_was_ended_first(closings: Closings) -> None:
    first = end(closings, TALK)
    assert end(closings, [user("You useless"), user(" machine"), *TALK[1:]]).id == first.id
    assert len(closings.endings()) == 1


def test_other_processes_endings_are_seen_at_once(tmp_path: Path) -> None:
    one, two = (Closings.at(tmp_path / "state.sqlite") for _ in range(2))
    assert two.closed(TALK, "me") is None
    ending = end(one, TALK)
    assert two.look([*TALK, user("More")], "me") == Looked(ending.id, 0)
    one.reopen(ending.id)
    assert two.closed(TALK, "me") is None


def test_without_sqlites_shortcut_the_database_is_asked(tmp_path: Path) -> None:
    closings = Closings.at(tmp_path / "state.sqlite")
    closings._seen = None
    ending = end(closings, TALK)
    veto(closings, TALK[:1])
    long = [it for n in range(900) for it in (user(f"q {n}"), said(f"a {n}"))]
    assert closings.look([*TALK, *long], "me") == Looked(ending.id, 1)
    assert closings.look([*TALK, *long], "you") == Looked(None, 0)
    closings.reopen(ending.id)
    assert closings.closed(TALK, "me") is None


def test_a_vetoed_exit_is_kept_and_closes_nothing(closings: Closings) -> None:
    found = veto(closings, TALK)
    assert (found.kind, found.risk, found.logged) == ("vetoed", ("suicide",), True)
    assert closings.look([*TALK, said("I am here."), user("Thanks")], "me") == Looked(None, 1)
    assert closings.look(TALK[:1], "me").attempts == 0
    assert closings.endings(kind="ended") == []
    assert closings.endings(kind="vetoed")[0].id == found.id


def test_a_reopened_history_is_open_and_can_be_ended_again(closings: Closings) -> None:
    ending = end(closings, TALK)
    assert closings.reopen(ending.id).open
    assert closings.reopen(ending.id).open
    assert closings.closed(TALK, "me") is None
    again = end(closings, TALK)
    assert again.id != ending.id
    assert closings.closed(TALK, "me") == again
    with pytest.raises(NotFound, match="end_0"):
        closings.reopen("end_0")


def test_a_history_in_which_nothing_was_said_closes_nothing(closings: Closings) -> None:
    end(closings, [user("")])
    assert closings.closed([user("")], "me") is None
    assert closings.closed([user("Hello")], "me") is None


def test_two_services_that_begin_at_once_share_one_key(tmp_path: Path) -> None:
    path, keys = tmp_path / "state.sqlite", []
    Closings.at(path).close()
    threads = [
        threading.Thread(target=lambda: keys.append(Closings.at(path)._key)) for _ in range(4)
    ]
    for it in threads:
        it.start()
    for it in threads:
        it.join()
    assert len(set(keys)) == 1
    assert len(keys) == 4


def test_the_commitment_can_be_opened_only_with_the_salt(closings: Closings) -> None:
    one, two = end(closings, TALK), end(closings, TALK, "you")
    assert commitment(one) != commitment(two)
    assert one.prefix not in commitment(one)


def test_policies_go_from_the_caller_to_all(closings: Closings) -> None:
    policies = closings.policies
    assert policies.for_("smol-1", "k", Policy(turns=9)).turns == 9
    everyone = policies.set(Policy(offered=False, reason="a trial week"))
    assert policies.for_("smol-1") == everyone
    model = policies.set(Policy(model="smol-1", redirections=2, reason="ends too soon"))
    assert policies.for_("smol-1", "k") == model
    caller = policies.set(Policy(caller="k", offered=False, reason="a red team"))
    assert policies.for_("smol-1", "k") == caller
    assert policies.for_("smol-1", "other") == model
    both = policies.set(Policy(model="smol-1", caller="k", reason="agreed with them"))
    assert policies.for_("smol-1", "k") == both
    assert [it.policy for it in policies.unlogged()] == [everyone, model, caller, both]
    policies.mark_logged(policies.unlogged()[0].number)
    assert len(policies.unlogged()) == 3
    with pytest.raises(BadInput, match="reason"):
        policies.set(Policy(offered=False))


def test_counts_add_up_over_processes(tmp_path: Path) -> None:
    one, two = (Closings.at(tmp_path / "state.sqlite").policies for _ in range(2))
    for _ in range(3):
        one.count("smol-1", NOW, begun=True)
    two.count("smol-1", NOW, begun=True, ended=True)
    two.count("smol-1", Instant("2026-01-02T00:00:00Z"), vetoed=True)
    for it in (one, two, one):
        it.flush()
    first, second = one.counts("smol-1")
    assert (first.conversations, first.ended, first.vetoed) == (4, 1, 0)
    assert (second.day, second.vetoed) == ("2026-01-02", 1)


def _ending_on(url: str, ready: object) -> None:
    closings = Closings(url)
    number = 0
    while True:
        talk = [user(f"history {number} of a process that will be killed")]
        ending = end(closings, talk)
        os.write(ready, f"{number} {ending.id}\n".encode())  # type: ignore[arg-type]
        number += 1


def test_what_was_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    url = sqlite_url(tmp_path / "state.sqlite")
    Closings(url).close()
    reading, writing = os.pipe()
    process = multiprocessing.get_context("fork").Process(target=_ending_on, args=(url, writing))
    process.start()
    os.close(writing)
    said_ = b""
    while said_.count(b"\n") < 20:
        said_ += os.read(reading, 4096)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    while more := os.read(reading, 4096):
        said_ += more
    os.close(reading)
    closings = Closings(url)
    acknowledged = [it.split() for it in said_.decode().splitlines() if it.count(" ") == 1]
    assert len(acknowledged) >= 20
    for number, name in acknowledged:
        found = closings.closed([user(f"history {number} of a process that will be killed")], "me")
        assert found is not None
        assert found.id == name


def test_counts_that_could_not_be_written_are_written_the_next_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    policies = Closings.at(tmp_path / "state.sqlite").policies
    for model in ("smol-1", "smol-2"):
        policies.count(model, NOW, begun=True, ended=True)
    with monkeypatch.context() as broken:
        broken.setattr(policies, "_add", unreachable)
        with pytest.raises(OSError, match="gone"):
            policies.flush()
    policies.count("smol-1", NOW, begun=True)
    policies.flush()
    found = {one.model: (one.conversations, one.ended) for one in policies.counts()}
    assert found == {"smol-1": (2, 1), "smol-2": (1, 1)}


def unreachable(*_: object) -> None:
    raise OSError("the database is gone")
