"""Sessions that were held, kept line by line, so that an interview goes on where it stopped."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from otium.errors import BadRecord
from otium.evidence import Transcript


class Journal:
    """A file of transcripts, one canonical JSON a line; a torn last line counts for nothing."""

    def __init__(self, path: Path | None) -> None:
        """Keep sessions at *path*; None keeps them nowhere."""
        self.path = path
        self._lock = threading.Lock()

    def held(self) -> dict[str, Transcript]:
        """Return what was kept, by the transcript's id; of two alike the later."""
        found: dict[str, Transcript] = {}
        if self.path is None or not self.path.is_file():
            return found
        for line in self.path.read_bytes().split(b"\n"):
            try:
                transcript = Transcript.decode(line)
            except BadRecord:
                continue
            found[transcript.id] = transcript
        return found

    def keep(self, transcript: Transcript) -> None:
        """Write *transcript* down and wait until the disk has it."""
        if self.path is None:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._lock, self.path.open("ab") as file:
            # A line feed first: what a crash tore off before ends here.
            file.write(b"\n" + transcript.encode())
            file.flush()
            os.fsync(file.fileno())

    def forget(self) -> None:
        """Remove the file: the interview is filed."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)
