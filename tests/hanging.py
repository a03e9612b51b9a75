"""A model that hangs, and somebody who presses Ctrl-C."""

from __future__ import annotations

import signal
import threading
from collections.abc import Sequence

from otium.engine import GREEDY, Completion, Message, Options
from otium.errors import EngineFailed
from otium.testing import Scripted

_LONG = 10.0
"""Seconds, after which it gives up, so that a test that fails ends."""


class Hanging(Scripted):
    """Presses Ctrl-C while it is asked, and does not answer."""

    def __init__(self) -> None:
        super().__init__(["never said"])
        self.asked_in: threading.Thread | None = None
        """Only the main thread hears Ctrl-C: where another waits for a model, both go on."""

    def chat(self, messages: Sequence[Message], options: Options = GREEDY) -> Completion:
        self.asked_in = threading.current_thread()
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        threading.Event().wait(_LONG)
        raise EngineFailed(model=self.identity.model, why=f"{len(messages)} messages, {options}")
