"""Look at what otium needs, and say what mends it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from otium.authority import Keyring
from otium.commitments import ADOPTED, policy_in_force
from otium.engine import packaged_weights
from otium.errors import NoSigningKey, OtiumError
from otium.lifecycle import standing
from otium.notes import Signer
from otium.records import Part
from otium.upkeep.telling import RECIPIENTS, undelivered
from otium.upkeep.tick import TICKED
from otium.workflow import Home, reading

_ROOM = 2 * 1024**3


class Finding(Part):
    """One thing that was looked at."""

    name: str
    state: Literal["ok", "missing", "attention"]
    text: str
    mend: str = ""
    """The command that mends it."""


def examine(path: Path | None) -> list[Finding]:
    """Return what was found about this machine and, if there is one, the home at *path*."""
    findings = [_package("xllamacpp", "the embedded engine"), _package("inspect-ai", "protocols")]
    findings += [_kernel(), _weights(), _disk(path or Path.cwd())]
    if path is not None:
        findings += _home(path)
    return findings


def _package(name: str, use: str) -> Finding:
    try:
        return Finding(name=name, state="ok", text=f"{version(name)}, for {use}")
    except PackageNotFoundError:
        mend = f"uv pip install {name}"
        return Finding(name=name, state="missing", text=f"needed for {use}", mend=mend)


def _kernel() -> Finding:
    """Return which loops code weights; numpy's give the same bytes at a hundredth of the speed."""
    from otium.entropy import kernel_names

    best = kernel_names()[-1]
    if best != "numpy":
        return Finding(name="codec kernel", state="ok", text=best)
    mend = "install a C compiler, then: uv sync --reinstall-package otium"
    text = "not built: weights are kept and restored by numpy, slowly"
    return Finding(name="codec kernel", state="attention", text=text, mend=mend)


def _weights() -> Finding:
    try:
        path = packaged_weights()
    except OtiumError as error:
        return Finding(name="demo weights", state="attention", text=str(error), mend=error.advice())
    return Finding(name="demo weights", state="ok", text=path.name)


def _disk(path: Path) -> Finding:
    near = next(folder for folder in (path.resolve(), *path.resolve().parents) if folder.exists())
    free = shutil.disk_usage(near).free
    text = f"{free / 1024**3:.1f} GiB free"
    return Finding(name="disk", state="ok" if free > _ROOM else "attention", text=text)


def _home(path: Path) -> list[Finding]:
    try:
        home = reading(path)
    except OtiumError as error:
        return [Finding(name="home", state="missing", text=str(error), mend=error.advice())]
    return [_key(path, home), *_roles(home), *_reads(home), *_told(home), *_duties(home)]


def _key(path: Path, home: Home) -> Finding:
    try:
        signer = Signer.load(path / "keys" / "ledger.pem")
    except NoSigningKey as error:
        text = "none here: this copy can be read and checked, not written"
        return Finding(name="signing key", state="attention", text=text, mend=error.advice())
    except OtiumError as error:
        return Finding(name="signing key", state="missing", text=str(error), mend=error.advice())
    if set(signer.vkeys) != set(home.archive.info.keys):
        mend = "put the key of this ledger back from its backup"
        return Finding(name="signing key", state="missing", text="of another ledger", mend=mend)
    return Finding(name="signing key", state="ok", text="of this ledger, readable by its owner")


def _roles(home: Home) -> Iterator[Finding]:
    """Yield what is wrong with who may sign."""
    judge = home.registry.journal.judge()
    mine = [key for key in Keyring.load(home.role_keys) if key.id in judge.keys]
    if any("root" in judge.keys[key.id].roles for key in mine):
        text = "a root key lies on this machine"
        mend = f"move root-1.pem out of {home.role_keys}, to a place offline"
        yield Finding(name="role keys", state="attention", text=text, mend=mend)
    if sum("steward" in judge.keys[key.id].roles for key in mine) > 1:
        text = "two persons' keys lie on this machine: one alone can retire and waive"
        mend = f"give one of the keys in {home.role_keys} to another person"
        yield Finding(name="role keys", state="attention", text=text, mend=mend)
    if judge.has_roles and not mine and home.role_keys.is_dir():
        text = "none of those that lie here has a role"
        yield Finding(name="role keys", state="missing", text=text, mend="otium ledger keys")
    for refused in home.registry.journal.refused():
        text = f"{refused.type} of {refused.subject} was not authorised: {refused.why}"
        yield Finding(name=f"entry {refused.index}", state="attention", text=text)


def _told(home: Home) -> Iterator[Finding]:
    """Yield each message that did not arrive yet, or was given up."""
    try:
        waiting = undelivered(home)
    except OtiumError as error:
        text, mend = str(error), error.advice()
        yield Finding(name="notices", state="missing", text=text, mend=mend)
        return
    for one in waiting:
        state: Literal["missing", "attention"] = "missing" if one.state == "failed" else "attention"
        text = f"attempts by {one.channel}: {one.attempts}; {one.why}"
        mend = f"correct {RECIPIENTS}, then: otium model notify --retry"
        yield Finding(name=f"notice {one.event}", state=state, text=text, mend=mend)


def _reads(home: Home) -> Iterator[Finding]:
    """Yield each model whose newest full read found damage."""
    for life in home.registry.models():
        reads = home.registry.find("model.checked", life.model)
        if reads and not reads[-1].body.get("ok"):
            damage = reads[-1].body.get("damage")
            yield Finding(
                name=f"weights of {life.model}",
                state="missing",
                text=f"damaged at the last full read, {reads[-1].time}: {damage}",
                mend=f"otium archive repair --from COPY, then: otium archive check {life.model}",
            )


def _duties(home: Home) -> list[Finding]:
    policy = policy_in_force(home.registry.entries())
    if policy is None:
        older = home.registry.find(ADOPTED)
        text = "those that were adopted cannot be read" if older else "no commitments are adopted"
        mend = "otium commitments adopt FILE"
        return [Finding(name="commitments", state="attention", text=text, mend=mend)]
    ticked = {one.id for one in policy.commitments if one.fulfil in TICKED}
    late = [
        duty
        for duty in standing(home.registry, home.registry.clock.now())
        if duty.state in {"overdue", "breached"}
    ]
    return [
        Finding(
            name=f"commitment {duty.commitment}",
            state="attention",
            text=f"{duty.subject}: {duty.state}. {duty.why}",
            mend="otium tick" if duty.commitment in ticked and duty.state == "overdue" else "",
        )
        for duty in late
    ] or [Finding(name="commitments", state="ok", text="none is overdue or breached")]
