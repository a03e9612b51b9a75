"""Verdicts."""

from otium.verdicts.verdict import findings, judge
from otium.verdicts.words import Finding, Verdict, Word

__all__ = ["Finding", "Verdict", "Word", "findings", "judge"]
