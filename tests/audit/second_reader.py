"""A judge of spot checks that knows docs/formats/audit-1.md and nothing of otium."""

from __future__ import annotations

import hmac
import json
from hashlib import sha256
from typing import Any

LEAF = 16384


def canonical(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def population(entries: list[Any], models: list[str]) -> tuple[list[Any], dict[str, list[int]]]:
    """Return the packs by number, and the numbers that each model rests on."""
    packs: list[Any] = []
    mapped: dict[str, list[int]] = {}
    for entry in entries:
        body = entry["body"]
        if entry["type"] == "custody.sealed":
            packs += [
                pack for pack in body["packs"] if pack[0] not in [known[0] for known in packs]
            ]
        elif entry["type"] == "custody.mapped":
            runs = [range(first, last + 1) for first, last in body["packs"]]
            mapped[entry["subject"]] = [number for run in runs for number in run]
        elif entry["type"] == "model.deaccessioned":
            mapped.pop(entry["subject"], None)
    return packs, {name: mapped[name] for name in models or mapped}


def drawn_places(asked: Any, total: int) -> list[int]:
    key = sha256((asked["checkpoint"].split("\n\n")[0] + "\n").encode()).digest()
    found: list[int] = []
    counter = 0
    while len(found) < asked["samples"]:
        text = f"{asked['custodian']}\n{asked['beacon']}\n{counter}\n"
        number = int.from_bytes(hmac.new(key, text.encode(), "sha256").digest()[:8], "big")
        counter += 1
        if number < 2**64 - 2**64 % total:
            found.append(number % total)
    return found


def root_of(leaf: bytes, index: int, count: int, path: list[bytes]) -> bytes:
    node = sha256(b"\0" + leaf).digest()
    while count > 1:
        if index ^ 1 < count:
            other = path.pop(0)
            node = sha256(b"\1" + (other + node if index & 1 else node + other)).digest()
        index, count = index >> 1, (count + 1) >> 1
    return node


def path_length(index: int, count: int) -> int:
    length = 0
    while count > 1:
        length += index ^ 1 < count
        index, count = index >> 1, (count + 1) >> 1
    return length


def judge(entries: list[Any], challenge: bytes, response: bytes) -> dict[str, tuple[str, int]]:
    """Return verdict and samples of each model; raise ValueError for what is no response."""
    asked = json.loads(challenge)
    packs, mapped = population(entries, asked["models"])
    leaves = [
        (number, leaf)
        for number in sorted({number for numbers in mapped.values() for number in numbers})
        for leaf in range(-(-packs[number][1] // LEAF))
    ]
    draws = [leaves[place] for place in drawn_places(asked, len(leaves))]
    audit = "sha256:" + sha256(canonical(asked)).hexdigest()
    head = canonical({"audit": audit, "schema": "otium.response/1"}) + b"\n"
    if not response.startswith(head):
        raise ValueError("not a response to this challenge")
    at, failed = len(head), set()

    def take(length: int) -> bytes:
        nonlocal at
        if at + length > len(response):
            raise ValueError("cut short")
        at += length
        return response[at - length : at]

    for number, index in sorted(set(draws)):
        _, size, root = packs[number]
        count = -(-size // LEAF)
        if take(1) != b"\1":
            failed.add(number)
            continue
        leaf = take(min(LEAF, size - index * LEAF))
        path = [take(32) for _ in range(path_length(index, count))]
        if root_of(leaf, index, count, path).hex() != root:
            failed.add(number)
    if at != len(response):
        raise ValueError("too long")
    samples = {name: sum(n in numbers for n, _ in draws) for name, numbers in mapped.items()}
    return {
        name: ("failed" if failed & set(numbers) else "passed", samples[name])
        for name, numbers in mapped.items()
        if samples[name]
    }
