"""Telemetry: counts and times in Prometheus' text format, and one line of JSON for each event.

Knows counters, gauges, histograms, how their text is escaped, and lines that are written together.
Does not know what is counted, and is never given what anyone said. Writes log lines.

>>> metrics = Metrics()
>>> answered = metrics.counter("answers_total", "Answers.", ("code",))
>>> answered.add(("ok",))
>>> print(metrics.text().decode(), end="")
# HELP answers_total Answers.
# TYPE answers_total counter
answers_total{code="ok"} 1
"""

from otium.telemetry.lines import LogLines
from otium.telemetry.metrics import Counter, Histogram, Metrics

__all__ = ["Counter", "Histogram", "LogLines", "Metrics"]
