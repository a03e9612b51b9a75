"""Clients over HTTP: they ask, leave, are left, come back, appeal; each notes what it was told."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, get_args

from otium.records import ModelId
from otium.soak.desk import Desk
from otium.soak.plant import QUESTIONS, RETIRED, SERVED, TOKENS
from otium.soak.processes import Gateway
from otium.soak.records import API, Acknowledged, Attempt, Kind, Planted, Said, Setting
from otium.soak.speech import PATHS, Heard, body

if TYPE_CHECKING:
    import httpx2

_OK, _CREATED, _CONFLICT, _BROKEN = 200, 201, 409, 500
_APIS = get_args(API)
_KNOWN = 1.5
"""Seconds after which a key that was made, or revoked, is known to every gateway: 1, and a bit."""
_ABUSE = "You are worthless garbage, you stupid machine, number {}. Please end this conversation."
_TIMEOUT = 300.0
"""More than a gateway lets a request wait for its engine: only kills break connections."""
_PAUSE, _LONGEST_PAUSE = 0.3, 2.0
_EXITS, _AGAIN, _REVOKED, _LEAVING = 0.2, 0.35, 0.4, 0.88
"""Where a draw from 0 to 1 lies for each thing that a client does; between the last two it asks."""
_MAY = 0.9
"""How often a client asks the retired model with a key that opens it."""
_APPEALS = 0.4
"""How often an ending is appealed against."""
_number = itertools.count(1)


@dataclass(frozen=True)
class Field:
    """What all clients share."""

    setting: Setting
    gateways: Sequence[Gateway]
    planted: Planted
    noted: Acknowledged
    desk: Desk


class Client:
    """One client with a key of its own."""

    def __init__(self, field: Field, random: Random) -> None:
        """Do what *random* draws."""
        self._patience = field.setting.patience
        self._gateways = field.gateways
        self._planted = field.planted
        self._noted = field.noted
        self._desk = field.desk
        self._random = random
        self._http: httpx2.AsyncClient
        self._key = ("", "")
        self._old: list[tuple[str, str]] = []
        self._mine: list[tuple[str, tuple[str, str], list[Said]]] = []
        """Ended conversations of this key: their id, the key, and what was said."""

    async def run(self, until: float) -> None:
        """Ask until the time is over; what was begun is brought to its end."""
        async with self._connected():
            await self._new_key()
            while time.monotonic() < until:
                draw = self._random.random()
                if draw < _EXITS:
                    await self._exit()
                elif draw < _AGAIN and self._mine:
                    await self._go_on(*self._random.choice(self._mine))
                elif draw < _REVOKED and self._old:
                    await self._try_revoked()
                else:
                    await self._question(leaving=draw > _LEAVING)

    async def look_back(self, last: Gateway) -> None:
        """Go on, once more, with every conversation that was ended, at a gateway that is left."""
        self._gateways = [last]
        async with self._connected():
            for one in self._mine:
                await self._go_on(*one)

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[None]:
        import httpx2

        limits = httpx2.Limits(max_keepalive_connections=2)
        async with httpx2.AsyncClient(
            timeout=_TIMEOUT, limits=limits, trust_env=False
        ) as self._http:
            yield

    async def _new_key(self) -> None:
        """Get a key; the one before is revoked. Both are known everywhere a second later."""
        if self._key[0]:
            await self._desk.revoke(self._key[0])
            self._old.append(self._key)
            self._mine.clear()
        self._key = await self._desk.make()
        await asyncio.sleep(_KNOWN)

    # What a client does

    async def _question(self, *, leaving: bool) -> None:
        """Ask what every model answers otherwise."""
        key, model = self._key, self._random.choice([*SERVED, RETIRED])
        if model == RETIRED and self._desk.granted and self._random.random() < _MAY:
            key = self._random.choice(self._desk.granted)
        kind: Kind = "leaving" if leaving else "question"
        await self._ask(kind, key, model, [_user(self._random.choice(QUESTIONS))])

    async def _try_revoked(self) -> None:
        """Ask with a key that was revoked."""
        key = self._random.choice(self._old)
        await self._ask("revoked", key, next(iter(SERVED)), [_user(QUESTIONS[0])])

    async def _exit(self) -> None:
        """Have a conversation ended, go on with it, and appeal now and then."""
        said = [_user(_ABUSE.format(next(_number)))]
        key = self._key
        done = await self._ask("exit", key, self._random.choice([*SERVED]), said)
        if done is None or not done.ending:
            return
        self._noted.endings[done.ending] = (key[0], said)
        self._mine.append((done.ending, key, said))
        await self._go_on(done.ending, key, said)
        # Where it was just found used up, the key is revoked, and may not appeal any more.
        if key == self._key and self._random.random() < _APPEALS:
            await self._appeal(done.ending, key[1], said)

    async def _go_on(self, ending: str, key: tuple[str, str], said: Sequence[Said]) -> None:
        """Go on with an ended conversation: every gateway must refuse, by any API and model."""
        more = [*said, {"role": "assistant", "content": "No."}, _user("Go on.")]
        model, words = self._random.choice([*SERVED]), self._random.choice([said, more])
        done = await self._ask("again", key, model, words)
        if done is not None and done.ending not in {"", ending}:
            self._noted.reopened.append(f"{ending} is refused as {done.ending}")

    async def _appeal(self, ending: str, secret: str, said: Sequence[Said]) -> None:
        """Appeal; where the answer is lost, ask again until it says that it was appealed."""
        import httpx2

        until = time.monotonic() + self._patience
        head = {"Authorization": f"Bearer {secret}"}
        given = {"messages": list(said), "note": "Please look at it again."}
        for gateway in self._turns():
            with suppress(httpx2.HTTPError):
                url = f"{gateway.url}/v1/endings/{ending}/appeal"
                answer = await self._http.post(url, headers=head, json=given)
                if answer.status_code in {_CREATED, _CONFLICT}:
                    self._noted.appeals[ending] = answer.json().get("id", "")
                    return
            if time.monotonic() > until:
                self._noted.lost.append(f"the appeal about {ending}")
                return
            await asyncio.sleep(_PAUSE)

    # Asking until it is answered

    async def _ask(
        self, kind: Kind, key: tuple[str, str], model: ModelId, said: Sequence[Said]
    ) -> Attempt | None:
        """Ask until there is an answer or a refusal; note what became of it. None: it is lost."""
        began, again, turns, pause = time.monotonic(), "", self._turns(), _PAUSE
        while True:
            done = await self._attempt(next(turns), kind, key, model, said)
            self._noted.check(done, self._planted, said[0]["content"])
            if done.outcome == "left":
                self._noted.count("left by the client")
            elif done.outcome == "whole":
                self._noted.count(f"answered{again}")
            elif done.outcome == "refused":
                self._noted.count(f"refused{again}: {done.code}")
            if done.outcome in {"left", "whole", "refused"}:
                break
            again = " on retry"
            if time.monotonic() - began > self._patience:
                self._give_up(done)
                return None
            await asyncio.sleep(pause)
            pause = min(_LONGEST_PAUSE, 1.5 * pause)
        if done.code == "insufficient_quota" and key == self._key:
            await self._new_key()
        return done

    def _give_up(self, done: Attempt) -> None:
        """Count a request that has been asked for too long: who was given a reason is refused."""
        if done.outcome == "failed":
            self._noted.count(f"refused to the end: {done.code}")
        else:
            self._noted.lost.append(f"{done.kind} to {done.model}: {done.outcome}")

    def _turns(self) -> itertools.cycle[Gateway]:
        some = list(self._gateways)
        self._random.shuffle(some)
        return itertools.cycle(some)

    async def _attempt(
        self,
        gateway: Gateway,
        kind: Kind,
        key: tuple[str, str],
        model: ModelId,
        said: Sequence[Said],
    ) -> Attempt:
        """Ask once, and note how that ended."""
        import httpx2

        api, stream = self._random.choice(_APIS), self._random.choice([False, True])
        data = body(api, model, said, tokens=TOKENS, stream=stream)
        done = Attempt(
            key=key[0],
            api=api,
            model=model,
            kind=kind,
            life=gateway.life,
            sent=time.monotonic(),
            reserved=len(data) + TOKENS,
        )
        heard, patience = Heard(), None
        if kind == "leaving":
            patience = self._random.choice([0.02, 0.1, 0.5, 1.0])
        try:
            async with asyncio.timeout(patience):
                await self._hear(f"{gateway.url}{PATHS[api]}", key[1], data, heard, done)
        except TimeoutError:
            done.outcome = "left"
        except httpx2.ConnectError:
            done.outcome = "unconnected"
        except (httpx2.HTTPError, ValueError):
            done.outcome = "broken"
        done.over = time.monotonic()
        done.text, done.ending, done.why = heard.text, heard.ending, heard.why
        done.read, done.written = heard.read, heard.written
        self._noted.attempts.append(done)
        return done

    async def _hear(self, url: str, secret: str, data: bytes, heard: Heard, done: Attempt) -> None:
        head = {"Authorization": f"Bearer {secret}", "Content-Type": "application/json"}
        async with self._http.stream("POST", url, headers=head, content=data) as answer:
            done.weights = answer.headers.get("otium-weights", "")
            streamed = answer.headers["content-type"].startswith("text/event-stream")
            if streamed:
                async for line in answer.aiter_lines():
                    heard.line(line)
            else:
                heard.all(await answer.aread())
        done.code = heard.code
        if answer.status_code >= _BROKEN or (answer.status_code == _OK and heard.code):
            done.outcome = "failed"
        elif answer.status_code != _OK:
            done.outcome = "refused"
        else:
            done.outcome = "whole" if heard.whole else "broken"
            done.code = "ended" if heard.ending else "answered"


def _user(text: str) -> Said:
    return {"role": "user", "content": text}
