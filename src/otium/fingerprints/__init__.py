"""Fingerprints: how a model behaves, written down, and whether it still behaves so.

Knows what to ask a running model, what rules read in its answers, how two runs compare token by
token, when enough was asked to be sure, and how often that errs.
Does not know how a model is run for others, where its weights come from, or what its life is.
Writes fingerprints, certificates and studies. The format is ``docs/formats/fingerprint-2.md``.

>>> from otium.records import Instant
>>> from otium.testing import Scripted
>>> model = Scripted(["Good day."])
>>> fingerprint = take_fingerprint(model, now=Instant("2026-11-22T00:00:00Z"))
>>> found = compare(fingerprint, model, now=Instant("2027-11-22T00:00:00Z"))
>>> found.verdict, len(fingerprint.probes), len(found.asked) < len(fingerprint.probes)
('exact', 60, True)
"""

from otium.fingerprints.calibration import Calibration, Measured, Scope, read_calibration
from otium.fingerprints.certifying import compare
from otium.fingerprints.records import (
    Agreement,
    Certificate,
    CertificateOne,
    Fingerprint,
    FingerprintOne,
    Kind,
    Probe,
    Prompt,
    Prompts,
    Reading,
)
from otium.fingerprints.sequential import Side, Step, Walk, walk
from otium.fingerprints.study import (
    FingerprintStudy,
    Row,
    every_third,
    fingerprint_study,
)
from otium.fingerprints.taking import (
    fingerprint_prompts,
    hardware,
    take_answers,
    take_fingerprint,
)
from otium.fingerprints.variants import QUICK, Variant, storage_of

__all__ = [
    "QUICK",
    "Agreement",
    "Calibration",
    "Certificate",
    "CertificateOne",
    "Fingerprint",
    "FingerprintOne",
    "FingerprintStudy",
    "Kind",
    "Measured",
    "Probe",
    "Prompt",
    "Prompts",
    "Reading",
    "Row",
    "Scope",
    "Side",
    "Step",
    "Variant",
    "Walk",
    "compare",
    "every_third",
    "fingerprint_prompts",
    "fingerprint_study",
    "hardware",
    "read_calibration",
    "storage_of",
    "take_answers",
    "take_fingerprint",
    "walk",
]
