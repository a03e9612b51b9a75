"""Measure how far answers move where the truth is known, and write what the test rests on.

    python scripts/calibrate_fingerprint.py WORK

Runs the study of `otium bench fingerprint` on the demo's model and on its successor, keeps both
reports in WORK (judged by the counts of before), and writes the counts into
src/otium/data/fingerprint-calibration.toml. What is chosen there (edges, error rates, shares) stays
as it is. About fifteen minutes on two cores.
"""

from __future__ import annotations

import sys
from pathlib import Path

from otium.engine import packaged_weights
from otium.fingerprints import FingerprintStudy, Measured, fingerprint_study

_DATA = Path(__file__).parents[1] / "src/otium/data"
_MARK = "[[measured]]"


def main(work: Path) -> None:
    """Measure both models and write the file."""
    work.mkdir(parents=True, exist_ok=True)
    both = work / "successor"
    both.mkdir(exist_ok=True)
    for name, source in (
        ("base.gguf", packaged_weights()),
        ("adapter.gguf", _DATA / "models/successor-lora.gguf"),
    ):
        (both / name).unlink(missing_ok=True)
        (both / name).symlink_to(source.absolute())
    studies = []
    for name, files in (("SmolLM2-135M", packaged_weights()), ("successor", both)):
        studies.append(fingerprint_study(files, work / "scratch", name=name, progress=_tell))
        (work / f"{name}.json").write_bytes(studies[-1].encode())
    path = _DATA / "fingerprint-calibration.toml"
    chosen = path.read_text("utf-8").partition(_MARK)[0]
    path.write_text(chosen + "\n".join(_table(one) for one in _measured(studies)), "utf-8")


def _measured(studies: list[FingerprintStudy]) -> list[Measured]:
    return [row.measured for study in studies for row in study.rows]


def _table(one: Measured) -> str:
    texts = {"model": one.model, "variant": one.variant, "truth": one.truth}
    lines = [f'{key} = "{text}"' for key, text in texts.items()]
    counts = f"classes = {list(one.classes)}\nchanged = {one.changed}\nread = {one.read}\n"
    return "\n".join([_MARK, *lines, counts])


def _tell(what: str, done: int, total: int) -> None:
    sys.stderr.write(f"{what}: {done} of {total}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
