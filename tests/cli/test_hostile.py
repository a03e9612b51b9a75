"""Files that somebody spoiled end a command with a plain error, never with a traceback."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli.said import Say
from otium.workflow import opened

CODES = {2, 3, 4, 20, 31, 32, 34, 56}
SPOILED = {
    "empty": b"",
    "nul": bytes(100),
    "octets": b"\xff\xfe\x80 = 1\n",
    "control": b"\x1b[31m\x07 = 1\n",
    "lists": b"a = " + b"[" * 50_000,
    "objects": b'{"a":' * 50_000,
    "number": b"5",
    "text": b'"x"',
    "infinite": b'{"v": 1e999}',
    "surrogate": b'{"v": "\\ud800"}',
    "digits": b"a = " + b"9" * 5000,
    "path": b"log \xe9\nquorum none\n",
}


@pytest.fixture
def lab(say: Say) -> Say:
    assert say("archive", "create").code == 0
    return say


@pytest.mark.parametrize("name", SPOILED)
def test_a_spoiled_file_is_named_as_what_is_wrong(name: str, lab: Say, tmp_path: Path) -> None:
    home, file = tmp_path / "lab", tmp_path / "spoiled"
    file.write_bytes(SPOILED[name])
    file.chmod(0o600)
    (home / "waiting").mkdir()
    for place in ("waiting/x.json", "authorities.toml"):
        (home / place).write_bytes(SPOILED[name])
    for words in (
        ["ledger", "witness", "adopt", str(file)],
        ["ledger", "waiting"],
        ["ledger", "approve", "x"],
        ["ledger", "approve", "x", "--key", str(file)],
        [
            "ledger",
            "mirror",
            str(home),
            str(tmp_path / "copy"),
            "--key",
            "x",
            "--policy",
            str(file),
        ],
        ["ledger", "stamp", "--json"],
    ):
        said = lab(*words)
        empty = name == "empty" and words[1] == "stamp"
        assert said.code in CODES or empty, (words, said)
        assert "Traceback" not in said.err


@pytest.mark.parametrize("name", [it for it in SPOILED if it != "empty"])
def test_a_spoiled_list_of_recipients_or_custodians_stops_no_other_act(
    name: str, lab: Say, tmp_path: Path
) -> None:
    for file in ("recipients.toml", "custodians.toml"):
        (tmp_path / "lab" / file).write_bytes(SPOILED[name])
        (tmp_path / "lab" / file).chmod(0o600)
    said = lab("tick", "--json")
    assert said.code == 1
    assert said.json["heartbeat"]
    assert {"custodians.toml", "notices"} <= {it["step"] for it in said.json["failures"]}
    assert lab("model", "notify").code in CODES


@pytest.mark.parametrize("name", ["../keys/x", "/etc/passwd", "..", "a/b", "", "x\0y", "é" * 300])
def test_an_act_is_looked_for_among_those_that_wait_alone(name: str, lab: Say) -> None:
    assert lab("ledger", "approve", name).code in {3, 4}


def test_one_spoiled_act_does_not_keep_another_from_its_second_signature(
    lab: Say, tmp_path: Path
) -> None:
    facts = ["--title", "S", "--released", "2026-01-01", "--surface", "api"]
    assert lab("model", "register", "smol-1", *facts).code == 0
    roles = tmp_path / "lab" / "keys" / "roles"
    second = (roles / "second-1.pem").rename(tmp_path / "second-1.pem")
    first = lab("model", "withdraw", "smol-1", "--reason", "It harms.", "--yes")
    assert first.code == 57
    [act] = (tmp_path / "lab" / "waiting").iterdir()
    (act.parent / "a.json").write_bytes(b"{")
    listed = lab("ledger", "waiting")
    assert listed.code == 4
    assert "a.json" in listed.err
    assert lab("ledger", "approve", act.stem, "--key", str(second)).code == 0
    assert lab("model", "show", "smol-1", "--json").json["life"]["state"] == "withdrawn"
    assert not act.exists()


def test_the_key_that_was_granted_is_named_by_its_id(lab: Say, tmp_path: Path) -> None:
    for number in range(8):  # the base64 of most keys has a plus of its own
        out = lab("ledger", "key", f"k{number}", "--out", str(tmp_path / f"{number}.pem")).out
        vkey = out.split()[0]
        said = lab("ledger", "grant", vkey, "steward")
        assert said.out.startswith("+".join(vkey.split("+")[:2]) + " is steward")


def test_what_a_stolen_key_signed_is_named(lab: Say) -> None:
    key = next(it["id"] for it in lab("ledger", "keys", "--json").json if "decider" in it["roles"])
    facts = ["--title", "S", "--released", "2026-01-01", "--surface", "api"]
    assert lab("model", "register", "smol-1", *facts).code == 0
    assert "doubtful" not in lab("ledger", "verify").out
    since = ["--compromised-since", "2026-01-01T00:00:00Z"]
    assert lab("ledger", "revoke", key, "--reason", "stolen", *since).code == 0
    said = lab("ledger", "verify")
    assert said.code == 0
    assert f"was signed by {key} when that was compromised" in said.out


def test_a_policy_for_witnesses_that_cannot_be_read_leaves_the_log_verifiable(
    lab: Say, tmp_path: Path
) -> None:
    with opened(tmp_path / "lab") as home:
        body = {"policy": "quorum nobody\n"}
        home.registry.log("witnesses.adopted", home.archive.id, body)
    assert lab("ledger", "verify").code == 0
    assert not lab("tick", "--json").json["failures"]


def test_an_act_that_waits_can_be_dropped(lab: Say, tmp_path: Path) -> None:
    (tmp_path / "lab" / "keys" / "roles" / "second-1.pem").unlink()
    registered = ("model", "register", "alder", "--title", "A", "--released", "2026-01-05")
    assert lab(*registered).code == 0
    assert lab("model", "withdraw", "alder", "--reason", "x", "--yes").code == 57
    [name] = json.loads(lab("ledger", "waiting", "--json").out)
    assert lab("ledger", "discard", name).code == 0
    assert lab("ledger", "discard", name).code == 3
    assert lab("model", "show", "alder").out.count("withdrawn") == 0
