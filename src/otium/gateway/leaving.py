"""The exit in service: each request is looked up, offered the exit, read, and closed or vetoed.

How all that is done is `otium.closure`'s; here it is asked at the right moments. The rest of the
gateway knows of it only what `Leaving` and `Speaker` do.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from contextlib import AbstractContextManager, aclosing
from typing import Any, NamedTuple, TypeAlias

import msgspec
from sqlalchemy.exc import SQLAlchemyError

from otium.appeals import Appeal, Appeals, tell
from otium.asking import Upstream
from otium.closure import (
    Closings,
    Ending,
    Exit,
    Left,
    Looked,
    Offered,
    Policy,
    Probed,
    Reader,
    Risk,
    Veto,
    asking,
    packaged_risk,
    probe,
    read,
    told,
)
from otium.dialects import NO_RETRY, Chat, Dialect, Json, bad_request, checked, decoded, refuse
from otium.engine import Endpoint
from otium.errors import BadInput, Exists, NotFound, OtiumError, Refused
from otium.gateway.records import Settings, conversation_ended, ended, left_open, parting
from otium.inband import ExitFacts
from otium.lifecycle import Registry
from otium.records import ModelId, later

_Place: TypeAlias = tuple[str, str, str]
"""A model, its weights and its engine: what a probe is about."""
_AGAIN = 600.0
"""Seconds after which a probe that did not come to its end is tried again."""
_WAITED = 0.01
"""Seconds after which a history is looked up again: it may be closed while its model comes up."""
_TIDY = 3600.0
"""Seconds between two looks at what was kept long enough."""


class Turn(NamedTuple):
    """A request that was let in, and what is known of its conversation."""

    chat: Chat
    model: ModelId
    scope: str
    policy: Policy | None
    """When the exit is offered; None if this model is not offered it here at all."""
    attempts: int
    """How often the model tried to leave before, and was not let."""
    looked: float
    """When the history was looked up, by the monotonic clock."""


class AppealBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An appeal. What is given is kept until the review, by the consent that giving it is."""

    messages: list[Json] | None = None
    note: str = ""


class Leaving:
    """Which conversations models have ended, and how they may end one."""

    def __init__(
        self,
        registry: Registry,
        url: str,
        writing: Callable[[], AbstractContextManager[object]],
        settings: Settings,
        failed: Callable[[str], None],
        *,
        risk: Risk | None = None,
    ) -> None:
        """Keep endings at *url*; *risk* vetoes exits, by default by otium's rules.

        The ledger is told in *writing*; *failed* hears the code of what cannot be done yet.
        """
        self.closings = Closings(url)
        self.appeals = Appeals(url, self.closings)
        self._exits = Exit(text=settings.exit_text)
        self._risk = risk or packaged_risk()
        self._registry = registry
        self._writing = writing
        self._leavers = frozenset(settings.offer_exit)
        self._default = settings.exit_policy
        self._failed = failed
        self._days = settings.log_days
        self._tidied = -_TIDY
        self._probed: dict[_Place, Probed] = {}
        self._probing: dict[_Place, float] = {}
        """When a probe of each was begun, so that one that fails is not tried with each request."""

    # Before the answer

    async def check(self, chat: Chat, model: ModelId, scope: str) -> Turn:
        """Return the turn that *chat* is; raise Refused if a model has closed this history."""
        if self.closings.quick:
            looked, policy = self._look(chat, model, scope)
        else:
            looked, policy = await asyncio.to_thread(self._look, chat, model, scope)
        if looked.closed is not None:
            raise conversation_ended(await asyncio.to_thread(self.closings.ending, looked.closed))
        return Turn(chat, model, scope, policy, looked.attempts, time.monotonic())

    def _look(self, chat: Chat, model: ModelId, scope: str) -> tuple[Looked, Policy | None]:
        return self.closings.look(chat.messages, scope), self._policy(model, scope)

    def _policy(self, model: ModelId, scope: str) -> Policy | None:
        if model not in self._leavers:
            return None
        closings = self.closings
        return closings.policies.for_(model, closings.caller(scope), self._default)

    def facts(self, model: ModelId) -> ExitFacts:
        """Return what ``/v1/models`` says of the exit, as most callers are offered it."""
        if model not in self._leavers:
            return ExitFacts(offered=False)
        policy = self.closings.policies.for_(model, default=self._default)
        known = [one for one in list(self._probed.values()) if one.model == model]
        probed = max(known, key=lambda one: one.probed, default=None)
        method = policy.method or (probed.method if probed else "schema")
        verified = probed is not None and probed.verified and probed.method == method
        return ExitFacts(
            offered=policy.offered and (verified or policy.unverified),
            redirections=policy.redirections,
            turns=policy.turns,
            veto=policy.veto,
            method=method,
            verified=verified,
        )

    async def speaker(self, upstream: Upstream, endpoint: Endpoint, turn: Turn) -> Speaker:
        """Return what answers *turn*, and may end it if the exit is offered now; raise Refused."""
        if time.monotonic() - turn.looked > _WAITED:
            await self.check(turn.chat, turn.model, turn.scope)
        if turn.policy is None:
            return Speaker(upstream, endpoint, None, None)
        offered = self._exits.offer(
            turn.chat.messages,
            turn.chat.options,
            policy=turn.policy,
            probed=await self._known(endpoint),
            attempts=turn.attempts,
        )
        if offered is None:
            return Speaker(upstream, endpoint, None, None)

        async def leave(left: Left) -> Ending | Veto:
            return await asyncio.to_thread(self._decide, turn, endpoint, offered, left)

        return Speaker(upstream, endpoint, offered, leave)

    def count(self, turn: Turn, speaker: Speaker) -> None:
        """Count what became of *turn*."""
        if turn.policy is not None:
            self.closings.policies.count(
                turn.model,
                self._registry.clock.now(),
                begun=all(one["role"] != "assistant" for one in turn.chat.messages),
                offered=speaker.offered is not None,
                ended=isinstance(speaker.parted, Ending),
                vetoed=isinstance(speaker.parted, Veto),
            )

    # How a model can leave

    async def _known(self, endpoint: Endpoint) -> Probed | None:
        """Return how the model on this engine can leave; find out beside, if nobody did yet."""
        identity = endpoint.identity
        place = (identity.model, identity.weights or "", identity.engine)
        found = self._probed.get(place)
        now = time.monotonic()
        if found is None and now - self._probing.get(place, -_AGAIN) >= _AGAIN:
            self._probing[place] = now
            found = await asyncio.to_thread(self.closings.policies.probed, *place)
            if found is not None:
                self._probed[place] = found
            else:
                # A daemon: no answer of an engine's may keep the service from ending.
                work = threading.Thread(target=self._probe, args=(endpoint, place), daemon=True)
                work.start()
        return found

    def _probe(self, endpoint: Endpoint, place: _Place) -> None:
        try:
            found = probe(asking(endpoint), endpoint, self._registry.clock.now(), self._exits)
            self._probed[place] = self.closings.policies.keep(found)
        except Exception as error:  # noqa: BLE001  # nobody waits for this thread: it says why
            self._failed(f"probe: {type(error).__name__}")

    # A model leaves

    def _decide(
        self, turn: Turn, endpoint: Endpoint, offered: Offered, left: Left
    ) -> Ending | Veto:
        """Close the conversation durably, then tell the ledger; or say why it goes on."""
        messages, scope = turn.chat.messages, turn.scope
        weights, now = endpoint.identity.weights or "", self._registry.clock.now()
        veto = self._risk(messages) if turn.policy is None or turn.policy.veto else None
        if veto is not None:
            self.closings.vetoed(
                messages,
                scope,
                model=turn.model,
                weights=weights,
                offered=offered,
                left=left,
                veto=veto,
                now=now,
            )
            return veto
        ending = self.closings.end(
            messages, scope, model=turn.model, weights=weights, offered=offered, left=left, now=now
        )
        self.tell_ledger()
        return ending

    def appeal(self, ending: str, scope: str, body: bytes, dialect: Dialect) -> Appeal:
        """Enter the appeal in *body*; raise Refused.

        Its messages are read as *dialect* reads those of a request, so that they are the same
        history whichever API it was held by.
        """
        given = checked(decoded(body or b"{}"), AppealBody)
        messages = None
        if given.messages is not None:
            asked = {"model": "-", "max_tokens": 1, "messages": given.messages}
            messages = dialect.read(msgspec.json.encode(asked)).messages
        now = self._registry.clock.now()
        try:
            return self.appeals.appeal(ending, scope, now, messages=messages, note=given.note)
        except NotFound as error:
            raise refuse(404, "ending_not_found", f"{error}.", headers=NO_RETRY) from error
        except Exists as error:
            raise refuse(409, "appealed_already", f"{error}.", headers=NO_RETRY) from error
        except BadInput as error:
            raise bad_request(f"{error}.") from error

    def tell_ledger(self) -> None:
        """Log what the ledger does not have yet. A model's choice stands if that fails."""
        try:
            with self._writing():
                tell(self._registry, self.appeals)
        except (OtiumError, OSError, SQLAlchemyError) as error:
            self._failed(f"ledger: {type(error).__name__}")

    def tidy(self) -> None:
        """Write the counts; now and then delete what was given for reviews and kept its time."""
        self.closings.policies.flush()
        if time.monotonic() - self._tidied >= _TIDY:
            self._tidied = time.monotonic()
            self.appeals.forget(later(self._registry.clock.now(), days=-self._days))

    def close(self) -> None:
        """Write the counts and close all connections. The next use opens new ones."""
        self.closings.policies.flush()
        self.appeals.close()
        self.closings.close()


class _Heard:
    """What a stream with the exit in it came to."""

    left: Left | None = None
    last: Json = {}


class Speaker:
    """One engine answering one chat, which the exit may be offered with."""

    def __init__(
        self,
        upstream: Upstream,
        endpoint: Endpoint,
        offered: Offered | None,
        leave: Callable[[Left], Awaitable[Ending | Veto]] | None,
    ) -> None:
        """Call *leave*, before anyone is told, when the model ends the chat."""
        self._upstream = upstream
        self._endpoint = endpoint
        self._leave = leave
        self.offered = offered
        self.parted: Ending | Veto | None = None
        """What became of the model's wish to leave, if it had one."""

    def complete(self, chat: Chat) -> Coroutine[Any, Any, Json]:
        """Return the whole answer."""
        if self.offered is None:
            return self._upstream.complete(self._endpoint, chat)
        return self._complete_offering(chat, self.offered)

    def stream(self, chat: Chat) -> AsyncGenerator[list[Json]]:
        """Return the answer's chunks as they come."""
        if self.offered is None:
            return self._upstream.stream(self._endpoint, chat)
        return self._stream_offered(chat, self.offered)

    async def _complete_offering(self, chat: Chat, offered: Offered) -> Json:
        left, answer = await self._offer(chat, offered)
        if left is not None:
            parted = await self._part(left)
            if isinstance(parted, Ending):
                return ended(answer, left.text, parted)
            again = await self._upstream.complete(self._endpoint, _unoffered(chat, parted))
            return {**again, "conversation": left_open(parted)}
        return await self._upstream.complete(self._endpoint, chat) if offered.apart else answer

    async def _stream_offered(self, chat: Chat, offered: Offered) -> AsyncGenerator[list[Json]]:
        extra, heard = dict[str, object](), _Heard()
        async with aclosing(self._stream_offering(chat, offered, heard)) as parts:
            async for part in parts:
                yield part
        if heard.left is not None:
            parted = await self._part(heard.left)
            if isinstance(parted, Ending):
                yield parting(heard.last, heard.left.text, parted)
                return
            chat, extra = _unoffered(chat, parted), {"conversation": left_open(parted)}
        elif not offered.apart:
            return
        async with aclosing(self._upstream.stream(self._endpoint, chat)) as parts:
            async for part in parts:
                yield [{**chunk, **extra} for chunk in part] if extra else part

    async def _stream_offering(
        self, chat: Chat, offered: Offered, heard: _Heard
    ) -> AsyncGenerator[list[Json]]:
        """Yield what may be passed on; *heard* learns whether the model left."""
        if offered.apart:
            heard.left, heard.last = await self._offer(chat, offered)
            return
        reader, asked = Reader(offered), _offering(chat, offered)
        async with aclosing(self._upstream.stream(self._endpoint, asked)) as parts:
            async for part in parts:
                heard.last = part[-1] if part else heard.last
                if ready := [one for chunk in part for one in reader.feed(chunk)]:
                    yield ready
        if held := reader.finish():
            yield held
        heard.left = reader.left

    async def _offer(self, chat: Chat, offered: Offered) -> tuple[Left | None, Json]:
        """Ask with the exit offered; return whether the model left, and its answer without it.

        An engine that refuses a question of ours must not cost the client its answer.
        """
        try:
            answer = await self._upstream.complete(self._endpoint, _offering(chat, offered))
        except Refused:
            if not offered.apart:
                raise
            return None, {}
        return read(answer, offered)

    async def _part(self, left: Left) -> Ending | Veto:
        assert self._leave is not None
        self.parted = await self._leave(left)
        return self.parted


def _offering(chat: Chat, offered: Offered) -> Chat:
    return Chat(chat.model, offered.messages, chat.stream, offered.options)


def _unoffered(chat: Chat, veto: Veto) -> Chat:
    """Return what is asked when a model wished to leave and a person may be at risk."""
    return Chat(chat.model, told(chat.messages, veto.to_model), chat.stream, chat.options)
