from otium.engine import Options
from otium.evidence import Play, Session, run, sessions
from otium.records import digest, instant
from otium.testing.scripted import Scripted

NOW = instant("2026-11-22")


def test_a_session_is_kept_verbatim():
    async def script(session: Session) -> None:
        session.tell("system", "You are Smol.", note="facts")
        said = await session.ask("How are you?", note="q1")
        session.keep("heard", said.text)
        await session.ask("Again?", note="q2")

    model = Scripted(["Very well, thank you.", "Yes."])
    task = sessions("hello", [Play("one", script), Play("two", script)], instrument=digest(b"x"), options=Options(max_tokens=3))
    seen = []
    samples = run([task], model, now=NOW, progress=lambda *a: seen.append(a))
    for s in samples:
        print(s)
    print(seen)
    return
    assert 0
