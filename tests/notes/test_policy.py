"""The rules of C2SP's tlog-policy, one by one; most cases are also in transparency-dev/formats."""

from __future__ import annotations

import itertools

import pytest

from otium.errors import BadInput
from otium.notes import (
    COSIGNATURE,
    ED25519,
    MLDSA44,
    NONE,
    Cosigner,
    Signer,
    VerifierKey,
    read_policy,
)

LOG = Signer.generate("log.example/a")
COSIGNERS = [Cosigner.generate(f"w{number}.example") for number in range(6)]
W = [cosigner.vkeys[0] for cosigner in COSIGNERS]
PQ = COSIGNERS[0].vkeys[1]
EXAMPLE = f"""\
log {LOG.vkey}

witness X1 {W[0]}
witness X2 {W[1]}
witness X3 {W[2]}
group X-witnesses 2 X1 X2 X3

witness Y1 {W[3]}
witness Y2 {W[4]}
witness Y3 {W[5]}
group Y-witnesses any Y1 Y2 Y3

group X-and-Y all X-witnesses Y-witnesses
quorum X-and-Y
"""


def renamed(vkey: str, kind: int) -> str:
    key = VerifierKey.parse(vkey)
    return VerifierKey.make("other.example", kind, key.public).vkey


def test_the_specification_s_example_asks_for_two_of_x_and_one_of_y() -> None:
    policy = read_policy(EXAMPLE)
    assert [log.vkey for log in policy.logs] == [LOG.vkey]
    assert policy.vkeys == tuple(W)
    for count in range(7):
        for chosen in itertools.combinations(range(6), count):
            met = sum(it < 3 for it in chosen) >= 2 and any(it >= 3 for it in chosen)
            assert policy.met_by({W[it] for it in chosen}) == met
    assert not policy.met_by({renamed(vkey, COSIGNATURE) for vkey in W})


def test_a_quorum_of_none_is_always_met() -> None:
    policy = read_policy("quorum none\n")
    assert (policy.quorum, policy.witnesses, policy.logs) == (NONE, (), ())
    assert policy.met_by(())


def test_blanks_comments_tabs_and_addresses_are_allowed() -> None:
    text = (
        f"\n# comment\n\t # more\n\twitness \t w1  {W[0]}   https://w1.example/  \n\n  quorum\tw1"
    )
    (witness,) = read_policy(text).witnesses
    assert (witness.name, witness.url) == ("w1", "https://w1.example/")
    (log,) = read_policy(f"log {LOG.vkeys[1]} https://log.example/\nquorum none\n").logs
    assert log.url == "https://log.example/"


def test_names_are_opaque_octets_and_keywords_can_be_names() -> None:
    data = f"witness K {W[0]}\nwitness \u212a {W[1]}\n".encode()
    data += (
        b"witness K\x80 "
        + f"{PQ}\n".encode()
        + b"group group 3 K \xe2\x84\xaa K\x80\nquorum group\n"
    )
    policy = read_policy(data)
    assert policy.met_by({W[0], W[1], PQ})
    assert not policy.met_by({W[0], W[1]})
    text = f"witness all {W[0]}\nwitness any {W[1]}\ngroup g all all any\nquorum g\n"
    assert read_policy(text).met_by(W)


@pytest.mark.parametrize("count", [33, 64])
def test_many_logs_witnesses_and_groups_are_supported(count: int) -> None:
    keys = [Cosigner.generate("w").vkeys[0] for _ in range(count)]
    lines = [f"witness w{it} {key}" for it, key in enumerate(keys)]
    lines += [f"group g{it} any w{it}" for it in range(count)]
    lines += [f"log {Signer.generate('l').vkey}" for _ in range(count)]
    lines += [f"group top {count} {' '.join(f'g{it}' for it in range(count))}", "quorum top"]
    policy = read_policy("\n".join(lines) + "\n")
    assert policy.met_by(keys)
    assert not policy.met_by(keys[1:])


ONE = f"witness w1 {W[0]}\n"
TWO = ONE + f"witness w2 {W[1]}\n"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("quorum none\n\x01", "control"),
        ("quorum none\r\n", "control"),
        ("quorum none\x7f\n", "control"),
        ("quibble w1\nquorum none\n", "line 1"),
        (ONE[:-1] + " https://w1.example/ # comment\nquorum w1\n", "line 1"),
        ("log\nquorum none\n", "line 1"),
        ("log garbage\nquorum none\n", "line 1"),
        (f"log {renamed(W[0], COSIGNATURE)}\nquorum none\n", "type 0x04"),
        (f"log {LOG.vkey}\nlog {LOG.vkey} https://a.example/\nquorum none\n", "listed twice"),
        (f"log {LOG.vkey}\nlog {renamed(LOG.vkey, ED25519)}\nquorum none\n", "listed twice"),
        ("witness w1\nquorum none\n", "line 1"),
        (f"witness w1 {LOG.vkey}\nquorum w1\n", "type 0x01"),
        ("witness w1 rekor+c0d23d6a+AgECAw==\nquorum w1\n", "no kind"),
        (f"witness none {W[0]}\nquorum none\n", "taken"),
        (ONE + f"witness w1 {W[1]}\nquorum w1\n", "taken"),
        (ONE + "group w1 any w1\nquorum w1\n", "taken"),
        (ONE + "group g1 1\nquorum w1\n", "line 2"),
        (ONE + "group none any w1\nquorum none\n", "taken"),
        (ONE + "group g1 0 w1\nquorum g1\n", "1 to 1"),
        (ONE + "group g1 -1 w1\nquorum g1\n", "1 to 1"),
        (ONE + "group g1 01 w1\nquorum g1\n", "1 to 1"),
        (ONE + "group g1 2 w1\nquorum g1\n", "1 to 1"),
        (ONE + "group g1 most w1\nquorum g1\n", "1 to 1"),
        (ONE + "group g1 any w2\nquorum g1\n", "not defined"),
        (ONE + "group g1 any g1\nquorum g1\n", "not defined"),
        ("group g1 any w1\n" + ONE + "quorum g1\n", "not defined"),
        (ONE + "group g1 any none w1\nquorum g1\n", "not defined"),
        (ONE + "group g1 all w1 w1\nquorum g1\n", "member already"),
        (TWO + "group g1 any w1 w2\ngroup g2 any w1\nquorum g1\n", "member already"),
        (ONE, "no quorum"),
        ("", "no quorum"),
        (ONE + "quorum w1\nquorum w1\n", "second quorum"),
        ("quorum unknown\n", "not defined"),
        ("quorum w1\n" + ONE, "not defined"),
        ("quorum\n", "line 1"),
        ("quorum none none\n", "line 1"),
        (ONE + f"witness w2 {renamed(W[0], COSIGNATURE)}\nquorum w1\n", "listed twice"),
        (f"witness w1 {PQ}\nwitness w2 {renamed(PQ, MLDSA44)}\nquorum w1\n", "listed twice"),
        (ONE.replace(" ", "\u00a0") + "quorum w1\n", "line 1"),
    ],
    ids=itertools.count(1),  # keys differ between processes, and workers must agree on names
)
def test_a_policy_that_breaks_a_rule_is_refused(text: str, why: str) -> None:
    with pytest.raises(BadInput, match=why):
        read_policy(text)
