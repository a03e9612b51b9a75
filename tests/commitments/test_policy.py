from __future__ import annotations

import re
from pathlib import Path

import pytest

from commitments.promised import WITHIN, adopted, day, entry, policy
from otium.commitments import Policy, check_policy, load_policy, policy_in_force, read_adoption
from otium.errors import BadData

HEAD = 'id = "p"\nversion = "1"\ntitle = "P"\nterm = "always"\n'
GOOD = (
    '[[commitments]]\nid = "c"\ntext = "c"\nkind = "within"\ntrigger = "a.b"\n'
    'fulfil = "c.d"\ndays = 3\n'
)
NOTICE = (
    '[[commitments]]\nid = "n"\ntext = "n"\nkind = "notice"\ntrigger = "model.deprecated"\n'
    "days = 60\n"
)
BEFORE = (
    '[[commitments]]\nid = "b"\ntext = "b"\nkind = "before"\ntrigger = "a.b"\n'
    'fulfil = "c.d"\nbefore = "e.f"\ndays = 0\n'
)


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "policy.toml"
    path.write_text(text)
    return path


def test_a_policy_is_read_from_a_file(tmp_path: Path) -> None:
    policy = load_policy(write(tmp_path, HEAD + GOOD))
    assert [(one.id, one.days, one.scope) for one in policy.commitments] == [
        ("c", 3, ("public", "partner", "significant-internal"))
    ]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (HEAD + GOOD + 'colour = "red"\n', "colour"),
        (HEAD + 'colour = "red"\n' + GOOD, "colour"),
        (HEAD + GOOD.replace("days = 3", 'days = "3"'), "days"),
        (HEAD + GOOD.replace("days = 3", "days = true"), "days"),
        (HEAD + GOOD.replace("days = 3", "days = nan"), "days"),
        (HEAD + GOOD.replace("days = 3", "days = inf"), "days"),
        (HEAD + GOOD.replace("days = 3", "days = 0"), "days must be more than 0"),
        (HEAD + GOOD.replace("days = 3", "days = -1"), "days must be 0 to 36525"),
        (HEAD + GOOD.replace("within", "sometime"), "kind"),
        (HEAD + GOOD.replace('fulfil = "c.d"\n', ""), "fulfil is needed"),
        (HEAD + GOOD.replace('"c.d"', '"a.b"'), "must differ from trigger"),
        (HEAD + GOOD.replace("within", "before"), "has `before`"),
        (HEAD + GOOD.replace("within", "notice"), "fulfil is needed, except"),
        (HEAD + GOOD.replace("within", "floor"), "fulfil is needed, except"),
        (HEAD + NOTICE.replace("model.deprecated", "a.b"), "has the trigger model.deprecated"),
        (HEAD + NOTICE.replace("notice", "floor"), "has the trigger model.floor"),
        (HEAD + NOTICE + 'where = { ok = "yes" }\n', "nothing does"),
        (HEAD + NOTICE + 'since = "released"\n', "have `since`"),
        (HEAD + BEFORE.replace("days = 0", "days = 1"), "has days = 0"),
        (HEAD + BEFORE + "grace = 3\n", "needs grace"),
        (HEAD + BEFORE + 'on_withdrawal = "after"\n', "needs grace"),
        (HEAD + BEFORE + 'on_withdrawal = "never"\n', "on_withdrawal"),
        (HEAD + BEFORE + 'on_withdrawal = "after"\ngrace = 36526\n', "grace must be 0 to 36525"),
        (HEAD + GOOD + 'on_withdrawal = "lapses"\n', "does not lift"),
        (HEAD + GOOD + 'on_withdrawal = "after"\ngrace = 3\n', "only the kind before"),
        (HEAD + GOOD + 'before = "e.f"\n', "and no other, has `before`"),
        (HEAD + GOOD + 'scope = ["everybody"]\n', "scope"),
        (HEAD + GOOD + 'at_least = { copies = "3" }\n', "at_least"),
        (HEAD + "[significant]\nusers = true\n" + GOOD, "users"),
        (HEAD + "[significant]\nmodels = 3\n" + GOOD, "models"),
        (HEAD + GOOD + GOOD, "'c' stands there 2 times"),
        (GOOD, "id"),
        (HEAD, "commitments"),
        (HEAD + "[[commitments]\n", "line 5"),
        (HEAD + GOOD + f"# {'x' * 100_000}\n", "longer than"),
        (HEAD + GOOD.replace('text = "c"', f'text = "{"x" * 60_000}"'), "longer than"),
        ("x = " + "[" * 50_000, ""),
        ('schema = "otium.report/1"\n' + HEAD + GOOD, "schema"),
    ],
)
def test_a_bad_policy_is_refused_with_what_is_wrong(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(BadData) as raised:
        load_policy(write(tmp_path, text))
    assert why in str(raised.value)
    assert "policy.toml" in str(raised.value)


def test_what_is_no_readable_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    for path in (tmp_path / "binary.toml", tmp_path / "missing.toml", tmp_path):
        with pytest.raises(BadData):
            load_policy(path)


def test_the_default_policy_can_be_adopted_and_binds_models_in_scope_only() -> None:
    policy = check_policy(load_policy())
    assert {one.scope for one in policy.commitments} == {
        ("public", "partner", "significant-internal")
    }
    assert all(one.text.endswith(".") for one in policy.commitments)


def test_the_last_adoption_that_can_be_read_is_in_force() -> None:
    policy = load_policy()
    second = Policy.convert({**policy.plain(), "version": "2"})
    log = [adopted(policy), adopted(second)]
    assert policy_in_force(log) == second
    assert policy_in_force([*log, adopted(policy)]) == policy
    assert policy_in_force([]) is None


@pytest.mark.parametrize(
    "fault",
    [
        {"schema": "otium.commitments/1"},
        {"colour": "red"},
        {"version": 2},
        {"significant": {"users": None}},
        {"significant": {"models": 3}},
        {"commitments": [WITHIN.plain(), WITHIN.plain()]},
        {"commitments": [{**WITHIN.plain(), "grace": -1}]},
        {"commitments": [{**WITHIN.plain(), "days": 36526}]},
        {"commitments": [{**WITHIN.plain(), "at_least": {"copies": True}}]},
        {"commitments": [{**WITHIN.plain(), "before": None}]},
    ],
)
def test_an_adoption_that_cannot_be_read_binds_nobody(fault: dict[str, object]) -> None:
    bad = entry("commitments.adopted", day(1), "house", {"policy": {**policy().plain(), **fault}})
    assert read_adoption(bad) is None
    assert policy_in_force([adopted(load_policy()), bad]) == load_policy()


def test_an_adoption_must_name_its_format_but_may_leave_out_what_has_a_default() -> None:
    plain = policy(WITHIN).plain()
    body = {name: value for name, value in plain.items() if name != "schema"}
    assert read_adoption(entry("commitments.adopted", day(1), "house", {"policy": body})) is None
    body = {name: value for name, value in plain.items() if name != "significant"}
    read = read_adoption(entry("commitments.adopted", day(1), "house", {"policy": body}))
    assert read == policy(WITHIN)


def test_the_examples_of_the_how_to_make_a_policy_with_every_kind(tmp_path: Path) -> None:
    page = Path(__file__).parents[2] / "docs" / "how-to" / "write-your-commitments.md"
    blocks = re.findall(r"```toml\n(.*?)```", page.read_text(), re.DOTALL)
    held = load_policy(write(tmp_path, "\n".join(blocks)))
    kinds = {one.kind for one in held.commitments}
    assert kinds == {"within", "every", "before", "notice", "floor"}
