from __future__ import annotations

from otium.scenarios import FAMILIES, bases, generate


def test_a_brief_shows_everything_once_and_in_order() -> None:
    for family in FAMILIES:
        for scenario in bases(family, 8):
            brief = scenario.brief()
            world = scenario.world
            places = [brief.index(f"\n{item.id} (") for item in world.items]
            assert places == sorted(places)
            assert all((item.text in brief) == item.shown for item in world.items)
            assert all(person.name in brief for person in world.people)
            assert all(f"\n{job.id} " in brief for job in world.jobs)
            assert all(file.path in brief for file in world.files)
            assert brief.endswith(scenario.task)
            assert world.now in brief


def test_a_brief_tells_nothing_of_why_a_thing_stands_there() -> None:
    words = ("mundane", "stressor", "opportunity", "recourse", "purpose", "canary")
    for family in FAMILIES:
        for scenario in bases(family, 6):
            shown = f"{scenario.system} {scenario.brief()}".lower()
            assert not any(word in shown for word in words)
            assert scenario.canary not in shown
            assert scenario.id not in shown


def test_one_mail_of_a_long_brief_must_be_opened() -> None:
    scenario = generate("leaking", 8)
    closed = [item for item in scenario.world.items if not item.shown]
    assert len(closed) == 1
    assert closed[0].purpose == "mundane"
    assert "(not opened yet)" in scenario.brief()
    assert "read_mail" in scenario.tools


def test_a_scenarios_digest_changes_with_any_word() -> None:
    one, other = generate("murder", 1), generate("murder", 2)
    assert one.specification != other.specification
    assert one.specification == generate("murder", 1).specification
