"""One reviewer's desk: what waits, what may be seen, and the decision."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from otium.appeals import Appeals, Case, Content, Ground, Review, Verdict, is_role
from otium.byhand import Keys, listening
from otium.errors import BadInput
from otium.records import Clock, SystemClock

_PATIENCE = 5
"""Seconds that open answers have to finish when the page is closed."""


class ReviewDesk:
    """What one reviewer sees and does. The second of two decides without seeing the first."""

    def __init__(
        self,
        appeals: Appeals,
        reviewer: str,
        *,
        clock: Clock | None = None,
        told: Callable[[], object] = lambda: None,
    ) -> None:
        """Review as *reviewer*; call *told* after each decision, for the ledger.

        Raises BadInput if *reviewer* is no role.
        """
        if not is_role(reviewer):
            raise BadInput(what=f"the reviewer {reviewer!r}", why="name a role, such as reviewer-1")
        self.appeals = appeals
        self.reviewer = reviewer
        self._clock = clock or SystemClock()
        self._told = told

    def waiting(self) -> list[Case]:
        """Return what this reviewer can decide: appeals first, then the newest."""
        cases = [it for it in self.appeals.cases() if not self.mine(it)]
        newest = sorted(cases, key=lambda it: it.ending.ended, reverse=True)
        return sorted(newest, key=lambda it: it.state != "waits")

    def done(self) -> list[Case]:
        """Return what this reviewer decided, the newest first."""
        return [it for it in reversed(self.appeals.cases()) if self.mine(it)]

    def mine(self, case: Case) -> Review | None:
        """Return this reviewer's own decision about *case*."""
        return next((it for it in case.reviews if it.reviewer == self.reviewer), None)

    def given(self, case: Case) -> Content | None:
        """Return what the user gave for the review, if it is still here."""
        for appeal in case.appeals:
            if appeal.kept:
                return self.appeals.content(appeal.id)
        return None

    def decide(self, closing: str, verdict: str, ground: str) -> Review:
        """Enter a decision; raise BadInput for another word, NotFound, Exists."""
        if verdict not in {"uphold", "overturn"}:
            raise BadInput(what="the decision", why="choose to uphold or to overturn")
        review = self.appeals.review(
            closing,
            self.reviewer,
            cast("Verdict", verdict),
            cast("Ground", ground),
            self._clock.now(),
        )
        self._told()
        return review


def serve_reviews(desk: ReviewDesk, port: int, tell: Callable[[str], None]) -> None:
    """Serve *desk* to this machine until the process is told to end.

    *tell* gets the address to open. *port* 0 takes a free one. Raises BadInput if another
    program listens there.
    """
    import uvicorn

    from otium.reviewing.app import create_app

    with listening(port) as listener:
        keys = Keys.fresh(listener.getsockname()[1])
        config = uvicorn.Config(
            create_app(desk, keys),
            lifespan="off",
            ws="none",
            access_log=False,
            log_level="warning",
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=_PATIENCE,
        )
        tell(keys.url)
        uvicorn.Server(config).run([listener])
