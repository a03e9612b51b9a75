from __future__ import annotations

from pathlib import Path

import pytest

from otium.errors import BadData, BadRecord
from otium.lifecycle import Commitment, Policy, Registry, adopt, load_policy, policy_in_force
from otium.lifecycle.policy import check_policy

HEAD = 'id = "p"\nversion = "1"\ntitle = "P"\nterm = "always"\n'
GOOD = (
    '[[commitments]]\nid = "c"\ntext = "c"\nkind = "within"\ntrigger = "a.b"\n'
    'fulfil = "c.d"\ndays = 3\n'
)


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "policy.toml"
    path.write_text(text)
    return path


def test_a_policy_is_read_from_a_file(tmp_path: Path) -> None:
    policy = load_policy(write(tmp_path, HEAD + GOOD))
    assert [(one.id, one.days, one.scope) for one in policy.commitments] == [
        ("c", 3, ("public", "significant-internal"))
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
        (HEAD + GOOD.replace("within", "before"), "needs `before`"),
        (HEAD + GOOD.replace("within", "notice"), "fulfil is needed, except"),
        (HEAD + GOOD + 'before = "e.f"\n', "only the kinds before and notice"),
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


def test_adopting_the_policy_in_force_again_changes_nothing(house: Registry) -> None:
    before = house.entries()
    assert adopt(house, load_policy()) == before[1]
    assert house.entries() == before


def test_the_last_adoption_is_in_force_and_going_back_is_an_adoption_too(house: Registry) -> None:
    first = load_policy()
    second = Policy.convert({**first.plain(), "version": "2"})
    adopt(house, second)
    assert policy_in_force(house.entries()) == second
    adopt(house, first)
    assert policy_in_force(house.entries()) == first
    assert len(house.find("commitments.adopted")) == 3


def test_a_policy_that_cannot_be_read_is_never_adopted(house: Registry) -> None:
    twice = Commitment(id="c", text="", kind="within", trigger="a.b", fulfil="c.d", days=1)
    bad = Policy(id="p", version="1", title="P", term="t", commitments=(twice, twice))
    with pytest.raises(BadRecord, match="2 times"):
        adopt(house, bad)
    assert policy_in_force(house.entries()) == load_policy()


def test_the_default_policy_can_be_adopted_and_binds_models_in_scope_only() -> None:
    policy = check_policy(load_policy())
    assert {one.scope for one in policy.commitments} == {("public", "significant-internal")}
    assert all(one.text.endswith(".") for one in policy.commitments)


def test_an_adoption_whose_policy_names_no_format_binds_nobody(house: Registry) -> None:
    plain = {name: value for name, value in load_policy().plain().items() if name != "schema"}
    house.log("commitments.adopted", "test-house", {"policy": {**plain, "version": "2"}})
    assert policy_in_force(house.entries()) == load_policy()
