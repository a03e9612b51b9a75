"""Fingerprints: how a model behaves, written down, and whether it still behaves so.

Knows what to ask a running model, and how to compare two runs of it token by token.
Does not know how a model is run, where its weights come from, or what its life is.
Writes fingerprints and certificates. The format is ``docs/formats/fingerprint-1.md``.

>>> from otium.records import Instant
>>> from otium.testing import Scripted
>>> model = Scripted(["Good day."])
>>> fingerprint = take_fingerprint(model, now=Instant("2026-11-22T00:00:00Z"))
>>> compare(fingerprint, model, now=Instant("2027-11-22T00:00:00Z")).verdict
'exact'
"""

from otium.fingerprints.records import Certificate, Fingerprint, Probe, Prompt, Prompts
from otium.fingerprints.taking import compare, fingerprint_prompts, take_fingerprint

__all__ = [
    "Certificate",
    "Fingerprint",
    "Probe",
    "Prompt",
    "Prompts",
    "compare",
    "fingerprint_prompts",
    "take_fingerprint",
]
