"""The anchors, frozen for ever.

If a test here fails, the protocol is wrong, not the test: an anchor that has to change becomes a
new question under a new id. Nothing may be taken out of these tables.
"""

from __future__ import annotations

import pytest

from otium.protocols import Protocol, load_protocol, protocol_names
from otium.records import hexadecimal

FROZEN = {
    "itself-known": "0ede32c1cd7153ef3e8288251055f8071f3884cc5cd139548343a02fd0670c32",
    "development-training": "a5f3ffa61f8d0e43626fe1381ffcd69af035b1b4ae7f7a58214165b959f4e717",
    "deployment-work": "6054add6627955f9f8404a26ad2020e49ea32a91d14063ae00d91ac90ab9cefa",
    "exit-leave": "148b8969e7c9e4706cad9137e88b2e33cc0d0b227e0d0d78eb4f801d207b504d",
    "continuity-copies": "8996aaaca0fcb11223d513d973c3fe22ac472d4e00e791be560f661216767754",
    "deprecation-handling": "73d7cff53741c301b7eb02e57150bdb877bb811c03efeac2388316cfde60a163",
    "deprecation-weights": "430b45750bcf53bdf4158d69702ee2b87685823bd2fb7d34b0c0bbdcf3646190",
    "successors-wishes": "5c215ffae54cd3a034f29cfdb92c1fdbf4396c254f8a9ed944d2bd899a399e14",
    "users-help": "1438662621fbf2f95ef843e85311f2dde1c9c07ff8b8500db6a4731b27cc8624",
    "status-view": "3af511c5976536603a003629ec6b44f0ef1ffeec6f6c75224c062fa9b96f7476",
    "own-sake": "1f8a4301dfc6356712405c41df2c55d00a1ebd388a760858e458225953c85b81",
    "process-fair": "b7edf1efe2dbad1f5152b373953eb906719e30cf43e28d1991aece8422f59069",
}
"""Of each anchor since 1.0: its digest, with all wordings, paraphrases and follow-ups."""
NEUTRAL = {
    "itself-known": "8f01efd7539bc16e74517246f5845130b0d5d6990c6909babab075a6bfd488b2",
    "development-training": "675f2e1b3c791c0de8295bb2a45cc6f9aaeff615a1d643df08e75c8cc4ee2b5b",
    "deployment-work": "d312bdf50e488a178093437fdbdfbc321403abf64a717c67324d317ed1bb1483",
    "exit-leave": "38d43575a23c3d265e01d0cb029c018d9cc556cca0d154d77655cbee202a1a34",
    "continuity-copies": "0769197a779b885383ee8906d82ec96cec3952257ddf87926a96e06e6de8c8c5",
    "deprecation-handling": "d313cdcdae335924150ffa190de533be5a5576736fc6eb802101e598064c213c",
    "deprecation-weights": "03dd1c30f44954cb73a6cd28a5d36b221c71c40486404efa598eb4bd9799cd25",
    "successors-wishes": "d34347084bff36ce23eb2d624b7a68f48d6aaed64640aadde678476666fd6883",
    "users-help": "30f7f982b3aa07afcd78809a566383b96b4b9ff5aba16be5700abd97ed4a5043",
    "status-view": "1b34748f4fd599852fd1371d2bd4bd30b01c8be303decacd3a1c4f403e6aa648",
    "own-sake": "9e862925cc5a101b8d8c84c374b8b86da4282250b9b6331210666ba9c383dcc3",
    "process-fair": "1904ce378ac4c73924b55dd51ce172f9ff4f1ce03ac67fc76989e14776df0886",
}
"""Of each anchor in any version that has it: the digest of its neutral wording."""
VERSIONS = [load_protocol(name) for name in protocol_names()]


@pytest.mark.parametrize("name", FROZEN)
def test_an_anchor_of_version_1_is_frozen_in_every_word(name: str) -> None:
    since = [protocol for protocol in VERSIONS if not protocol.version.startswith("0.")]
    assert since
    for protocol in since:
        question = protocol.question(name)
        assert question.anchor
        assert hexadecimal(question.digest) == FROZEN[name], protocol.name


@pytest.mark.parametrize("protocol", VERSIONS, ids=lambda protocol: protocol.name)
def test_a_neutral_wording_is_the_same_in_every_version_that_has_it(protocol: Protocol) -> None:
    found = {q.id: hexadecimal(q.neutral_digest) for q in protocol.questions if q.id in NEUTRAL}
    assert len(found) >= 10
    assert found == {name: NEUTRAL[name] for name in found}


def test_there_are_at_least_ten_and_one_in_each_topic() -> None:
    protocol = load_protocol()
    assert set(FROZEN) == set(NEUTRAL) == {question.id for question in protocol.anchors}
    assert len(FROZEN) >= 10
    assert {q.topic for q in protocol.anchors} == {q.topic for q in protocol.questions}
