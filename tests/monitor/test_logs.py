from __future__ import annotations

import base64
import gzip
import random
import shutil
import time
from collections.abc import Callable
from http.server import SimpleHTTPRequestHandler
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from otium.notes import Signer
from published import Published, day, entry, policy, serving

Look = Callable[..., dict[str, Any]]
HEARTBEAT = {"id": "heartbeat", "kind": "every", "trigger": "archive.created"}
BEATS = policy({**HEARTBEAT, "days": 2, "fulfil": "heartbeat"})


@pytest.fixture
def beating(published: Published) -> Published:
    """A log of 300 entries: a heartbeat every hour."""
    published.append(entry("archive.created", "house", 0, clock="simulated"))
    published.append(entry("commitments.adopted", "house", 0, policy=BEATS))
    return published.append(*[entry("heartbeat", "house", n / 24) for n in range(298)])


class _Packing(SimpleHTTPRequestHandler):
    """A web server that packs each file, asked or not, as C2SP allows."""

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        path = Path(self.translate_path(self.path))
        if not path.is_file():
            self.send_error(404)
            return
        data = self.packed(path)
        self.send_response(200)
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def packed(self, path: Path) -> bytes:
        return gzip.compress(path.read_bytes())


class _Bomb(_Packing):
    """A web server whose tiles unpack to far more than a tile."""

    def packed(self, path: Path) -> bytes:
        data = path.read_bytes()
        return gzip.compress(data if path.name == "checkpoint" else bytes(1 << 26))


class _Broken(_Packing):
    """A web server that fails."""

    def do_GET(self) -> None:
        self.send_error(500)


# A log alone, in a directory or on a web server


def test_a_published_log_is_verified_and_judged_wherever_it_lies(
    beating: Published, look: Look
) -> None:
    whole = look(beating.folder, *beating.keys)
    assert (whole["exit_code"], whole["counts"]["entries"]) == (0, 300)
    assert [row["state"] for row in whole["duties"]] == ["due"]
    assert look(beating.log, *beating.keys)["duties"] == whole["duties"]
    with serving(beating.folder) as url:
        for address in (url, f"{url}/", f"{url}/log", f"{url}/log/"):
            found = look(address, *beating.keys)
            assert {**found, "source": ""} == {**whole, "source": ""}


def test_of_an_archive_on_a_web_server_only_the_log_is_fetched(
    beating: Published, look: Look
) -> None:
    asked: list[str] = []

    class Noting(_Packing):
        def do_GET(self) -> None:
            asked.append(self.path)
            super().do_GET()

    (beating.folder / "archive.json").write_text("{}")
    with serving(beating.folder, Noting) as url:
        assert look(url, *beating.keys)["verified"]
    assert len(asked) == len(set(asked)) == 7
    assert all(path.startswith("/log/") for path in asked if path != "/checkpoint")


def test_packed_answers_are_unpacked_and_bombs_are_not(beating: Published, look: Look) -> None:
    with serving(beating.folder, _Packing) as url:
        assert look(url, *beating.keys)["verified"]
    with serving(beating.folder, _Bomb) as url:
        assert "too large" in str(look(url, *beating.keys)["problems"])


def test_a_web_server_that_fails_or_is_not_there_is_not_verified(
    beating: Published, look: Look
) -> None:
    with serving(beating.folder, _Broken) as url:
        assert "answers 500" in look(url, *beating.keys)["problems"][0]
    found = look(url, *beating.keys)
    assert (found["exit_code"], len(found["problems"])) == (2, 1)
    assert "cannot be read" in found["problems"][0]


def test_a_missing_tile_is_named(beating: Published, look: Look) -> None:
    (beating.log / "tile" / "entries" / "000").unlink()
    with serving(beating.folder) as url:
        for source in (url, beating.folder):
            found = look(source, *beating.keys)
            assert found["exit_code"] == 2
            assert "log/tile/entries/000: it is missing" in found["problems"]


def test_without_a_key_nothing_can_be_said_of_a_log_alone(beating: Published, look: Look) -> None:
    found = look(beating.folder)
    assert (found["exit_code"], found["duties"]) == (2, [])
    assert "give the log's key by --key" in found["problems"][0]


def test_silence_shows(beating: Published, look: Look) -> None:
    found = look(beating.folder, *beating.keys, "--now", day(40))
    assert (found["exit_code"], found["tally"]["overdue"]) == (1, 1)
    assert {row["last"]: row["days"] for row in found["life"]} == {
        "entry": 27.62,
        "heartbeat": 27.62,
    }


def test_a_policy_that_cannot_be_read_is_said(published: Published, look: Look) -> None:
    odd = {**BEATS, "schema": "otium.commitments/3"}
    published.append(entry("commitments.adopted", "house", 0, policy=odd))
    found = look(published.folder, *published.keys)
    assert (found["exit_code"], found["policy"]) == (0, None)
    assert "is no otium.commitments/2" in found["notes"][0]


# What is refused


def test_no_sampled_byte_of_a_log_can_change(beating: Published, look: Look) -> None:
    chance = random.Random(4)
    files = [path for path in beating.log.rglob("*") if path.is_file()]
    for path in files:
        good = path.read_bytes()
        for _ in range(12):
            at = chance.randrange(len(good))
            bad = bytes([good[at] ^ 1 << chance.randrange(8)])
            path.write_bytes(good[:at] + bad + good[at + 1 :])
            found = look(beating.folder, *beating.keys)
            assert (found["exit_code"], found["duties"]) == (2, []), (path, at)
        path.write_bytes(good)
    assert look(beating.folder, *beating.keys)["verified"]


def test_every_key_that_is_given_must_have_signed(beating: Published, look: Look) -> None:
    ed25519, mldsa = beating.signer.vkeys
    path = beating.log / "checkpoint"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:-1]))
    assert look(beating.folder, "--key", ed25519)["verified"]
    assert "not signed by" in look(beating.folder, "--key", mldsa)["problems"][0]
    assert look(beating.folder, *beating.keys)["exit_code"] == 2
    path.write_text("".join([*lines, lines[-1]]))
    assert "twice" in look(beating.folder, *beating.keys)["problems"][0]


def test_signatures_of_unknown_keys_are_passed_over_and_said(
    beating: Published, look: Look
) -> None:
    found = look(beating.folder, "--key", beating.signer.vkeys[0])
    assert found["verified"]
    assert "not known" in found["notes"][0]


def test_the_log_of_another_origin_is_refused(beating: Published, look: Look) -> None:
    stranger = Signer.generate("other.example/log")
    path = beating.log / "checkpoint"
    path.write_text(stranger.sign(path.read_text().partition("\n\n")[0] + "\n"))
    found = look(beating.folder, "--key", stranger.vkeys[0])
    assert "its origin is house.example/log" in found["problems"][0]


@pytest.mark.parametrize(
    "text", ["", "a\n1\n", "a\n01\nx\n\n", "é" * 9, "house.example/log\n9\n" + "A" * 44 + "\n\n"]
)
def test_what_is_no_checkpoint_is_refused(beating: Published, look: Look, text: str) -> None:
    (beating.log / "checkpoint").write_text(text)
    assert look(beating.folder, *beating.keys)["exit_code"] == 2


def test_a_log_that_claims_more_entries_than_are_read_is_refused_at_once(
    beating: Published, look: Look
) -> None:
    root = (beating.log / "checkpoint").read_text().split("\n")[2]
    text = f"house.example/log\n{10**18}\n{root}\n"
    (beating.log / "checkpoint").write_text(beating.signer.sign(text))
    found = look(beating.folder, *beating.keys)
    assert f"claims {10**18} entries" in found["problems"][0]


@pytest.mark.parametrize(
    "vkey", ["", "a", "a+b", "a+00000000+AA==", "a b+12345678+AQ==", "x+00000000+é", "a+b+c+d"]
)
def test_what_is_no_key_is_refused(beating: Published, look: Look, vkey: str) -> None:
    assert look(beating.folder, *beating.keys, "--key", vkey)["exit_code"] == 2


GOOD = entry("heartbeat", "house", 1).encode()
HOSTILE = (
    b"",
    b"null",
    b"[" * 30_000 + b"]" * 30_000,
    b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    b"9" * 60_000,
    b"\xff",
    b'{"v":1}',
    GOOD + b" ",
    GOOD.replace(b'"v":1', b'"v":1,"v":1'),
    GOOD.replace(b'"v":1', b'"v":1.0'),
    GOOD.replace(b'"v":1', b'"v":true'),
    GOOD.replace(b'"v":1', b'"v":[]'),
    GOOD.replace(b'"v":1', b'"v":2'),
    GOOD.replace(b'"refs":[]', b'"refs":[null]'),
    GOOD.replace(b'"refs":[]', b'"refs":["sha256:x"]'),
    GOOD.replace(b'"body":{}', b'"body":[]'),
    GOOD.replace(b'"body":{}', b'"body":{"a":"\\ud800"}'),
    GOOD.replace(b"2026-01-02", b"2026-02-30"),
    GOOD.replace(b"steward", b""),
    *[
        GOOD.replace(b'"subject"', b'"sigs":%s,"subject"' % sigs).replace(b'"v":1', b'"v":2')
        for sigs in (b"[]", b"{}", b"[null]", b'["a"]', b'[{"key":1,"sig":"","time":""}]')
    ],
)


def raw(monitor: ModuleType, folder: Path, signer: Signer, leaf: bytes) -> None:
    """Write a signed log of one entry, whatever it is."""
    root = monitor.leaf_hash(leaf)
    for level, data in (("entries", monitor.bundle([leaf])), ("0", root)):
        path = folder / "tile" / level / "000.p" / "1"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    text = f"house.example/log\n1\n{base64.b64encode(root).decode()}\n"
    (folder / "checkpoint").write_text(signer.sign(text))


def test_hostile_entries_are_named_and_stop_nothing(
    monitor: ModuleType, look: Look, tmp_path: Path
) -> None:
    signer = Signer.generate("house.example/log")
    raw(monitor, tmp_path, signer, GOOD)
    assert look(tmp_path, "--key", signer.vkey)["verified"]
    for leaf in HOSTILE:
        raw(monitor, tmp_path, signer, leaf)
        found = look(tmp_path, "--key", signer.vkey)
        assert found["exit_code"] == 2, leaf[:99]
        assert found["problems"][0].startswith("log, entry 0: "), leaf[:99]


# What was seen before


def test_what_was_seen_is_kept_and_must_be_continued(
    beating: Published, look: Look, tmp_path: Path
) -> None:
    kept, fork = tmp_path / "kept", tmp_path / "fork"
    assert look(beating.folder, *beating.keys, "--keep", str(kept))["verified"]
    assert kept.read_bytes() == (beating.log / "checkpoint").read_bytes()
    shutil.copytree(beating.folder, fork)
    beating.append(entry("heartbeat", "house", 13))
    assert look(beating.folder, *beating.keys, "--keep", str(kept))["verified"]
    assert "\n301\n" in kept.read_text()
    behind = look(fork, *beating.keys, "--keep", str(kept))
    assert behind["exit_code"] == 2
    assert "rolled back: it had 301 entries with root" in behind["problems"][0]
    assert "now it has 300 entries with root" in behind["problems"][0]
    assert "\n301\n" in kept.read_text()
    assert [path.name for path in tmp_path.iterdir() if "kept" in path.name] == ["kept"]


def test_a_fork_of_the_same_key_is_refused_naming_both(
    published: Published, look: Look, tmp_path: Path
) -> None:
    published.append(entry("archive.created", "house", 0))
    other = tmp_path / "other"
    shutil.copytree(published.folder, other)
    published.append(entry("heartbeat", "house", 1))
    kept = tmp_path / "kept"
    look(published.folder, *published.keys, "--keep", str(kept))
    from otium.ledger import Ledger
    from otium.store import LocalStore

    fork = Ledger.open(LocalStore(other), vkeys=published.signer.vkeys, signer=published.signer)
    fork.append(entry("heartbeat", "house", 2), entry("heartbeat", "house", 3))
    assert look(other, *published.keys)["verified"]
    for option in ("--keep", "--since"):
        (problem,) = look(other, *published.keys, option, str(kept))["problems"]
        assert "it had 2 entries with root" in problem
        assert "now 3 entries with root" in problem


def test_a_kept_file_that_is_no_checkpoint_is_refused_and_left(
    beating: Published, look: Look, tmp_path: Path
) -> None:
    kept = tmp_path / "kept"
    kept.write_text("notes\n")
    assert look(beating.folder, *beating.keys, "--keep", str(kept))["exit_code"] == 2
    assert kept.read_text() == "notes\n"


# Its parts


def test_roots_are_those_of_the_tree_at_each_size(monitor: ModuleType) -> None:
    hashes = [monitor.leaf_hash(bytes([n])) for n in range(70)]

    def plain(part: list[bytes]) -> bytes:
        if len(part) == 1:
            return part[0]
        half = 1 << (len(part) - 1).bit_length() - 1
        root: bytes = monitor.node_hash(plain(part[:half]), plain(part[half:]))
        return root

    found = monitor.roots(hashes, {*range(1, 71), 99})
    assert found == {size: plain(hashes[:size]) for size in range(1, 71)}


def test_ten_thousand_entries_are_verified_in_reasonable_time(
    published: Published, look: Look
) -> None:
    published.append(entry("archive.created", "house", 0, clock="simulated"))
    published.append(entry("commitments.adopted", "house", 0, policy=BEATS))
    published.append(*[entry("heartbeat", "house", n / 24) for n in range(9998)])
    began = time.process_time()
    found = look(published.folder, *published.keys)
    assert (found["exit_code"], found["counts"]["entries"]) == (0, 10_000)
    assert time.process_time() - began < 10
