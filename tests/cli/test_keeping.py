"""Weights in and out, and copies looked after, as an archivist types it."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from moto.server import ThreadedMotoServer

from cli.said import Say


def safetensors(path: Path, weights: np.ndarray[Any, np.dtype[np.float32]]) -> Path:
    header = {
        "up": {
            "dtype": "F32",
            "shape": list(weights.shape),
            "data_offsets": [0, weights.nbytes],
        }
    }
    text = json.dumps(header).encode()
    path.mkdir()
    (path / "model.safetensors").write_bytes(
        struct.pack("<Q", len(text)) + text + weights.tobytes()
    )
    (path / "config.json").write_text('{"model_type": "tiny"}')
    return path


@pytest.fixture
def family(tmp_path: Path) -> dict[str, Path]:
    """A base and a light fine-tune of it."""
    random = np.random.default_rng(1)
    base = random.standard_normal((256, 256)).astype(np.float32) * np.float32(0.02)
    tuned = base + random.standard_normal(base.shape).astype(np.float32) * np.float32(2e-6)
    return {
        "base": safetensors(tmp_path / "base", base),
        "tuned": safetensors(tmp_path / "tuned", tuned.astype(np.float32)),
    }


@pytest.fixture
def lab(say: Say, family: dict[str, Path]) -> Say:
    """A home that keeps both."""
    assert say("archive", "create", "--id", "lab").code == 0
    keep(say, family)
    return say


def keep(say: Say, family: dict[str, Path]) -> None:
    for name, files in family.items():
        words = ("register", name, "--title", name, "--released", "2026-01-05")
        assert say("model", *words).code == 0
        assert say("archive", "add", name, str(files)).code == 0


def test_a_dry_run_names_the_relative_that_a_fine_tune_would_be_coded_against(
    say: Say, family: dict[str, Path]
) -> None:
    assert say("archive", "create").code == 0
    keep(say, {"base": family["base"]})
    planned = say("archive", "add", "tuned", str(family["tuned"]), "--dry-run", "--json").json
    assert planned["relatives"] == ["base"]


def test_stats_show_what_coding_saves_and_what_hangs_on_a_pack(lab: Say) -> None:
    found = lab("archive", "stats", "--json").json
    codecs = {one["codec"]: one for one in found["codecs"]}
    assert codecs["delta"]["stored"] < 0.6 * codecs["delta"]["bytes"]
    assert found["packs"][0]["models"] == ["base", "tuned"]
    assert "delta" in lab("archive", "stats").out
    lost = lab("archive", "what-if", found["packs"][0]["name"], "--json").json
    assert lost["models"] == ["base", "tuned"]


@pytest.mark.parametrize("layout", ["oci", "bagit", "huggingface"])
def test_what_is_restored_in_a_layout_can_be_deposited_from_it(
    lab: Say, family: dict[str, Path], tmp_path: Path, layout: str
) -> None:
    out = str(tmp_path / "out")
    assert lab("archive", "restore", "tuned", "--into", out, "--layout", layout).code == 0
    words = ("register", "again", "--title", "Again", "--released", "2026-01-05")
    assert lab("model", *words).code == 0
    assert lab("archive", "add", "again", out).code == 0
    origin = json.loads(lab("archive", "cat", "again", "origin.json").out)
    assert origin["layout"] == layout
    assert lab("archive", "restore", "again", "--into", str(tmp_path / "plain")).code == 0
    for path in family["tuned"].iterdir():
        assert (tmp_path / "plain" / path.name).read_bytes() == path.read_bytes()


def test_an_explicit_parent_wins(say: Say, family: dict[str, Path]) -> None:
    assert say("archive", "create").code == 0
    keep(say, {"base": family["base"]})
    words = ("register", "tuned", "--title", "Tuned", "--released", "2026-01-05")
    assert say("model", *words).code == 0
    kept = say("archive", "add", "tuned", str(family["tuned"]), "--parent", "base", "--json").json
    assert kept["parents"] == ["base"]


def test_a_damaged_pack_is_found_named_and_mended_from_a_copy_and_from_parity(
    lab: Say, tmp_path: Path
) -> None:
    copy = str(tmp_path / "copy")
    assert lab("archive", "replicate", copy, "--dry-run").code == 0
    assert not Path(copy).exists()
    assert lab("archive", "replicate", copy).code == 0
    before = sorted((tmp_path / "lab").rglob("*"))
    planned = lab("archive", "protect", "--share", "1", "--dry-run", "--json").json
    assert planned
    assert all(not one["name"] and one["bytes"] for one in planned)
    assert sorted((tmp_path / "lab").rglob("*")) == before
    assert lab("archive", "protect", "--share", "1").code == 0
    pack = max(
        (tmp_path / "lab" / "archive" / "packs").rglob("*.pack"), key=lambda p: p.stat().st_size
    )
    good = pack.read_bytes()
    for words in (("--from", copy), ()):
        spoiled = bytearray(good)
        spoiled[len(good) // 2] ^= 1
        pack.write_bytes(spoiled)
        checked = lab("archive", "check", "--json")
        assert checked.code == 21
        assert "model.safetensors: up" in checked.json["damage"][0]["tensors"]
        assert lab("archive", "repair", *words, "--dry-run").code == 0
        assert pack.read_bytes() != good
        assert lab("archive", "repair", *words).code == 0
        assert pack.read_bytes() == good
    assert len(lab("ledger", "show", "--last", "99", "--json").out.split("archive.repaired")) == 3


def test_damage_that_nothing_can_mend_is_said_so(lab: Say, tmp_path: Path) -> None:
    pack = next((tmp_path / "lab" / "archive" / "packs").rglob("*.pack"))
    pack.write_bytes(pack.read_bytes()[:-1])
    assert lab("archive", "repair").code == 21
    assert lab("archive", "scrub").code == 21


def test_a_scrub_goes_on_where_it_stopped_and_a_drill_decodes(lab: Say) -> None:
    first = lab("archive", "scrub", "--minutes", "0", "--json").json
    assert first["read"] == 1
    rest = lab("archive", "scrub", "--json").json
    assert rest["read"] == rest["total"] - 1
    assert lab("archive", "scrub", "--level", "drill", "--json").json["total"] == 4


def test_weights_leave_only_after_a_wait_with_two_approvals(lab: Say) -> None:
    refused = lab("archive", "deaccession", "base", "--reason", "why not")
    assert refused.code == 26
    assert "tuned" in refused.err
    assert lab("archive", "deaccession", "tuned").code == 4
    assert lab("archive", "deaccession", "tuned", "--reason", "by order", "--wait", "30").code == 0
    early = lab("archive", "deaccession", "tuned", "--approve", "a", "--approve", "b", "--yes")
    assert early.code == 26


def test_where_keys_have_roles_one_person_alone_gives_up_no_weights(
    lab: Say, tmp_path: Path
) -> None:
    second = (tmp_path / "lab" / "keys" / "roles" / "second-1.pem").rename(tmp_path / "second.pem")
    approved = ("archive", "deaccession", "tuned", "--approve", "a", "--approve", "b", "--yes")
    assert lab("archive", "deaccession", "tuned", "--reason", "by order", "--wait", "0").code == 0
    assert [lab(*approved).code, lab(*approved).code] == [57, 57]
    assert "deaccession.json" not in lab("model", "show", "tuned", "--json").json["records"]
    assert lab("ledger", "show", "--type", "model.deaccessioned", "--json").json == []
    [name] = lab("ledger", "waiting", "--json").json
    assert lab("ledger", "approve", name, "--key", second).code == 0
    assert lab(*approved).code == 0
    [entry] = lab("ledger", "show", "--type", "deaccession.approved", "--json").json
    assert len(entry["sigs"]) == 2
    assert "deaccession.json" in lab("model", "show", "tuned", "--json").json["records"]


def test_lost_indexes_are_written_again(lab: Say, tmp_path: Path) -> None:
    indexes = sorted((tmp_path / "lab" / "archive" / "indexes").rglob("*.json"))
    for path in indexes:
        path.unlink()
    assert lab("archive", "check").code == 21
    assert len(lab("archive", "rebuild", "--json").json) == len(indexes)
    assert sorted((tmp_path / "lab" / "archive" / "indexes").rglob("*.json")) == indexes
    assert lab("archive", "check").code == 0


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A bucket of an S3 server on this machine, with its access in the environment."""
    server = ThreadedMotoServer("127.0.0.1", 0)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    facts = {
        "ENDPOINT_URL": url,
        "ACCESS_KEY_ID": "a",
        "SECRET_ACCESS_KEY": "b",
        "REGION": "us-east-1",
    }
    for name, value in facts.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    import boto3  # type: ignore[import-untyped]

    client = boto3.client("s3", endpoint_url=url)
    client.create_bucket(Bucket="models")
    client.close()
    yield "s3://models/lab"
    server.stop()


def test_a_home_may_keep_its_archive_in_a_bucket(
    say: Say, bucket: str, family: dict[str, Path], tmp_path: Path
) -> None:
    assert say("archive", "create", "--id", "lab", "--store", bucket).code == 0
    keep(say, family)
    assert not (tmp_path / "lab" / "archive").exists()
    assert say("archive", "check").code == 0
    assert say("archive", "restore", "tuned", "--into", str(tmp_path / "out")).code == 0
    for path in family["tuned"].iterdir():
        assert (tmp_path / "out" / path.name).read_bytes() == path.read_bytes()
    assert say("ledger", "verify").code == 0
    assert say("archive", "replicate", str(tmp_path / "copy")).code == 0
    again = say("archive", "create", "--id", "lab", "--store", "s3://models/other")
    assert again.code == 5
