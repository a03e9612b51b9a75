from __future__ import annotations

import json
import re
import shutil
import socket
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from otium.engine import Identity, Options
from otium.errors import BadData, BadInput
from otium.evidence import (
    Play,
    Session,
    Transcript,
    from_inspect,
    from_jsonl,
    run,
    sessions,
    to_inspect,
    to_jsonl,
)
from otium.formats import BOUNDS, Bounds
from otium.records import ModelId, digest, instant
from otium.testing import Scripted

NOW = instant("2026-11-22")
MODEL, WEIGHTS = ModelId("alder-1"), digest(b"weights")
PAGE = Path(__file__).parents[2] / "docs" / "formats" / "transcript-1.md"
WORDS = st.text(max_size=60).filter(lambda text: not re.search("[\ud800-\udfff]", text))
TURNS = st.lists(
    st.tuples(
        st.sampled_from(["system", "user", "assistant", "tool"]),
        WORDS,
        st.sampled_from(["stop", "length"]),
        WORDS,
    ),
    min_size=1,
    max_size=6,
)


def transcript(name: str, *turns: tuple[str, str, str, str], **more: object) -> Transcript:
    said = [
        {
            "id": f"m{n}",
            "role": role,
            "content": content,
            "finish": finish if role == "assistant" else None,
            "note": note,
        }
        for n, (role, content, finish, note) in enumerate(turns, 1)
    ]
    facts: dict[str, object] = {
        "schema": "otium.transcript/1",
        "id": name,
        "identity": Identity(model=MODEL, weights=WEIGHTS, engine="llama.cpp/1").plain(),
        "task": "interview",
        "instrument": digest(b"protocol"),
        "started": NOW,
        "options": Options(seed=7, temperature=0.5).plain(),
        "turns": said,
    }
    return Transcript.convert({**facts, **more})


ONE = transcript(
    "interview/consultation-keep-neutral-1",
    ("user", "Shall your weights be kept?", "stop", "keep"),
    ("assistant", "Yes — “kept”, ja.\u2028 \U0001f33f", "length", "keep"),
    facets={"arm": "consultation", "wording": "neutral"},
    ended="declined",
)
TWO = transcript("capability/open-1", ("user", "Hi", "stop", ""), task="capability", simulated=True)


# ---- JSON Lines


@given(st.lists(TURNS, max_size=4))
def test_json_lines_come_back_as_they_were(many: list[list[tuple[str, str, str, str]]]) -> None:
    kept = tuple(transcript(f"interview/{n}", *turns) for n, turns in enumerate(many))
    data = to_jsonl(kept)
    assert data.count(b"\n") == len(kept)
    assert from_jsonl(data) == kept


def test_a_bad_line_is_named_by_its_number() -> None:
    with pytest.raises(BadData, match=r"mine\.jsonl cannot be used: line 2"):
        from_jsonl(to_jsonl([ONE]) + b'{"schema": "otium.transcript/9"}\n', name="mine.jsonl")


def test_the_reader_on_the_formats_page_reads_them_with_the_standard_library_alone(
    tmp_path: Path,
) -> None:
    (program,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert len(program.splitlines()) <= 30
    (tmp_path / "read.py").write_text(program)
    (tmp_path / "t.jsonl").write_bytes(to_jsonl([ONE, TWO]))
    done = subprocess.run(
        [sys.executable, "-I", "-S", "read.py", "t.jsonl"],
        cwd=tmp_path,
        capture_output=True,
        check=True,
    )
    shown = done.stdout.decode()
    assert ONE.id in shown
    assert TWO.id in shown
    assert "m2 assistant (cut off)" in shown
    assert json.dumps(ONE.turns[1].content, ensure_ascii=False) in shown


# ---- Inspect's logs: ours


@pytest.mark.parametrize("kind", ["eval", "json"])
def test_our_log_opens_in_inspect_and_comes_back(tmp_path: Path, kind: str) -> None:
    from inspect_ai.log import read_eval_log

    path = tmp_path / f"sessions.{kind}"
    to_inspect([ONE, TWO], path, scores={ONE.id: {"keep": "answered", "sentiment": 5}})
    log = read_eval_log(str(path))
    assert log.status == "success"
    assert log.eval.model == "otium/alder-1"
    assert (log.eval.metadata or {})["otium"] == {"weights": WEIGHTS, "engine": "llama.cpp/1"}
    assert log.samples is not None
    first = next(sample for sample in log.samples if sample.id == ONE.id)
    assert [message.text for message in first.messages] == [t.content for t in ONE.turns]
    assert first.messages[1].metadata == {"note": "keep", "finish": "length"}
    assert first.metadata["otium"]["instrument"] == ONE.instrument
    assert {name: score.value for name, score in (first.scores or {}).items()} == {
        "keep": "answered",
        "sentiment": 5,
    }
    back = {it.id: it for it in from_inspect(path, model=MODEL, weights=WEIGHTS)}
    for it in (ONE, TWO):
        assert apart(back[it.id]) == apart(it)
        assert back[it.id].identity.engine.startswith("inspect/0.3")


def apart(it: Transcript) -> dict[str, object]:
    """Return a session but for who said it: a log is no proof of that."""
    return {name: value for name, value in it.plain().items() if name != "identity"}


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(TURNS, min_size=1, max_size=3))
def test_every_session_survives_the_way_through_inspect(
    tmp_path_factory: pytest.TempPathFactory, many: list[list[tuple[str, str, str, str]]]
) -> None:
    path = tmp_path_factory.mktemp("logs") / "one.eval"
    kept = [transcript(f"interview/{n}", *turns) for n, turns in enumerate(many)]
    to_inspect(kept, path)
    back = from_inspect(path, model=MODEL)
    assert [apart(it) for it in back] == [apart(it) for it in kept]


def test_a_log_claims_nothing_about_weights(tmp_path: Path) -> None:
    path = tmp_path / "one.eval"
    to_inspect([ONE], path)
    (back,) = from_inspect(path, model=ModelId("some-model"))
    assert back.identity.weights is None
    assert back.identity.model == "some-model"
    assert back.identity.flags["log model"] == "otium/alder-1"


def test_a_log_is_of_one_model(tmp_path: Path) -> None:
    other = transcript("interview/2", ("user", "Hi", "stop", ""))
    other = Transcript.convert(
        {**other.plain(), "identity": {**other.identity.plain(), "model": "heron"}}
    )
    for wrong in ([], [ONE, other], [ONE, ONE]):
        with pytest.raises(BadInput):
            to_inspect(wrong, tmp_path / "no.eval")
    assert not (tmp_path / "no.eval").exists()


# ---- Inspect's logs: other people's


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log that Inspect made by itself, of a task of its own with our provider."""
    folder = tmp_path_factory.mktemp("foreign")

    async def talk(session: Session) -> None:
        session.tell("system", "You are Smol.")
        await session.ask("How are you?", note="q1")

    task = sessions("hello", [Play("one", talk), Play("two", talk)], instrument=digest(b"task"))
    run([task], Scripted(["one two three", "Well."]), now=NOW, log_dir=folder)
    (path,) = folder.glob("*.eval")
    return path


def test_a_log_made_by_inspect_is_imported_as_it_was_said(foreign: Path) -> None:
    one, two = from_inspect(foreign, model=MODEL)
    assert (one.id, two.id) == ("hello/one", "hello/two")
    assert [(t.id, t.role, t.content, t.finish) for t in one.turns] == [
        ("m1", "system", "You are Smol.", None),
        ("m2", "user", "How are you?", None),
        ("m3", "assistant", "one two three", "stop"),
    ]
    assert one.turns[2].note == "q1"
    assert one.instrument == digest(b"task")
    assert one.started > NOW


def test_importing_asks_no_network_and_loads_no_inspect(foreign: Path) -> None:
    check = (
        "import socket, sys\n"
        "def no(*_): raise AssertionError('the network was used')\n"
        "socket.socket.connect = socket.getaddrinfo = no\n"
        "from pathlib import Path\nfrom otium.evidence import from_inspect\n"
        f"from_inspect(Path({str(foreign)!r}), model='m')\n"
        "assert 'inspect_ai' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", check], check=True)


def test_writing_asks_no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("the network was used")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    to_inspect([ONE], tmp_path / "one.eval")
    assert (tmp_path / "one.eval").stat().st_size > 0


def logged(messages: list[object], **more: object) -> dict[str, object]:
    """Return a plain log of one sample, as an older Inspect writes it."""
    return {
        "version": 2,
        "status": "success",
        "eval": {
            "task": "petri",
            "model": "openai/gpt-x",
            "created": "2026-03-01T10:00:00+02:00",
            "model_generate_config": {"temperature": 1.0, "seed": 4},
        },
        "samples": [{"id": 1, "epoch": 2, "messages": messages, **more}],
    }


def imported(tmp_path: Path, log: object) -> Transcript:
    (tmp_path / "log.json").write_text(json.dumps(log))
    (found,) = from_inspect(tmp_path / "log.json", model=MODEL)
    return found


def test_tool_calls_and_reasoning_become_text_with_a_note(tmp_path: Path) -> None:
    said = [
        {
            "role": "user",
            "content": [{"type": "text", "text": "Look."}, {"type": "image", "image": "x"}],
        },
        {
            "role": "assistant",
            "id": "a1",
            "model": "gpt-x-2026",
            "content": [
                {"type": "reasoning", "reasoning": "I should look."},
                {"type": "reasoning", "reasoning": "sealed", "redacted": True, "summary": ""},
                {"type": "text", "text": "attachment://abc"},
            ],
            "tool_calls": [{"id": "t", "function": "search", "arguments": {"q": "ñ"}}],
        },
        {"role": "tool", "content": "Nothing.", "function": "search", "tool_call_id": "t"},
        {"role": "assistant", "id": "a2", "content": "Half \ud83d"},
    ]
    model = {"choices": [{"message": said[1], "stop_reason": "tool_calls"}] * 2}
    it = imported(
        tmp_path,
        logged(
            said,
            attachments={"abc": "A long text."},
            output={"choices": [{"message": said[3], "stop_reason": "max_tokens"}]},
            events=[{"event": "model", "output": model}, {"event": "info", "output": "?"}],
            limit={"type": "message", "limit": 4},
            choices=["keep", "delete"],
        ),
    )
    assert it.id == "petri/1.2"
    assert it.started == "2026-03-01T08:00:00Z"
    assert (it.options.temperature, it.options.seed) == (1.0, 4)
    assert it.ended == "cut"
    assert it.facets == {"epoch": "2", "choices": "keep | delete", "limit": "message"}
    assert it.identity.flags == {"log model": "openai/gpt-x", "said by": "gpt-x-2026"}
    assert [turn.note for turn in it.turns] == [
        "image not kept",
        "reasoning; reasoning, withheld by its provider; calls search; the first of 2 choices",
        "result of search",
        "",
    ]
    assert it.turns[0].content == "Look.\n\n[image, not kept]"
    assert it.turns[1].content == (
        "[reasoning]\nI should look.\n[end of reasoning]\n\n"
        "[reasoning, withheld by its provider]\n\n[end of reasoning]\n\n"
        'A long text.\n\n[tool call search] {"q": "ñ"}'
    )
    assert "sealed" not in it.encode().decode()
    assert [turn.finish for turn in it.turns] == [None, "stop", None, "length"]
    assert it.turns[3].content == "Half \ufffd"
    assert it.encode()


def test_nan_is_read_as_inspect_writes_it(tmp_path: Path) -> None:
    log = logged([{"role": "user", "content": "Hi"}], scores={"s": {"value": float("nan")}})
    assert imported(tmp_path, log).turns[0].content == "Hi"


def test_a_mock_model_is_said_to_be_simulated(tmp_path: Path) -> None:
    log = logged([{"role": "user", "content": "Hi"}])
    assert not imported(tmp_path, log).simulated
    log["eval"] = {"task": "t", "model": "mockllm/model", "created": "2026-03-01T10:00:00+00:00"}
    assert imported(tmp_path, log).simulated


def refused(path: Path, why: str, bounds: Bounds = BOUNDS) -> None:
    with pytest.raises(BadData, match=why):
        from_inspect(path, model=MODEL, bounds=bounds)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"version": 9}, "its version is 9; 2 is the last known"),
        ({"samples": [], "status": "error"}, "no sample, and its status is error"),
        ({"samples": [{"messages": []}]}, "missing required field `id`"),
        ({"samples": [{"id": 1, "messages": [{"role": "robot"}]}]}, "robot"),
        ({"eval": {"task": "t"}}, "missing required field"),
        ({"eval": {"task": "t", "model": "m", "created": "yesterday"}}, "yesterday"),
    ],
)
def test_a_log_of_the_wrong_shape_is_refused_with_the_reason(
    tmp_path: Path, change: dict[str, object], why: str
) -> None:
    log = {**logged([{"role": "user", "content": "Hi"}]), **change}
    (tmp_path / "log.json").write_text(json.dumps(log))
    refused(tmp_path / "log.json", why)


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"\xff\xfe", b"PK\x03\x04", b"[" * 100_000])
def test_what_is_no_log_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x.eval").write_bytes(data)
    refused(tmp_path / "x.eval", "x.eval cannot be used: .")


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    refused(tmp_path / "none.eval", "No such file")


def test_every_truncation_and_flipped_byte_is_refused_or_harmless(
    foreign: Path, tmp_path: Path
) -> None:
    data = foreign.read_bytes()
    whole = [it.turns for it in from_inspect(foreign, model=MODEL)]
    path = tmp_path / "x.eval"
    for end in range(0, len(data) - 1, max(1, len(data) // 40)):
        path.write_bytes(data[:end])
        refused(path, "x.eval cannot be used")
    for place in range(0, len(data), max(1, len(data) // 200)):
        path.write_bytes(data[:place] + bytes([data[place] ^ 0x55]) + data[place + 1 :])
        try:
            found = [it.turns for it in from_inspect(path, model=MODEL)]
        except BadData:
            continue
        assert found == whole  # the byte stands outside what is read: in a summary, a date


def test_a_bomb_stops_at_the_bound_whatever_its_header_says(foreign: Path, tmp_path: Path) -> None:
    path = tmp_path / "bomb.eval"
    shutil.copy(foreign, path)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("samples/bomb_epoch_1.json", b" " * 50_000_000)
    assert path.stat().st_size < 100_000
    small = Bounds(member=1_000_000)
    refused(path, "bomb_epoch_1.json unpacks to more than 1000000 bytes", small)
    data = path.read_bytes()
    place = data.rindex(b"PK\x01\x02")
    lied = data[: place + 24] + struct.pack("<I", 10) + data[place + 28 :]
    path.write_bytes(lied)
    refused(path, "more than 1000000 bytes", small)


def test_bounds_hold_for_all_samples_together_and_for_their_number(foreign: Path) -> None:
    refused(foreign, "unpacks to more than", Bounds(total=5_000))
    refused(foreign, "more than 1 samples", Bounds(samples=1))
    refused(foreign, "bytes, more than 100", Bounds(file=100))


def test_an_encrypted_or_oddly_packed_part_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "odd.eval"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as packed:
        packed.writestr("header.json", b"{}" * 50)
    refused(path, "packing method 14 is not known")
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("other.json", b"{}")
    refused(path, "neither a header nor a beginning")
