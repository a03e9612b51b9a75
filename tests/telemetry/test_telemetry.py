from __future__ import annotations

import io
import json
import re
import threading

from otium.telemetry import LogLines, Metrics

LINE = re.compile(
    r"""[a-z_]+(\{[a-z_]+="(\\.|[^"\\\n])*"(,[a-z_]+="(\\.|[^"\\\n])*")*\})? -?[0-9.e+-]+"""
)


def samples(metrics: Metrics) -> dict[str, float]:
    lines = [one for one in metrics.text().decode().splitlines() if not one.startswith("#")]
    assert all(LINE.fullmatch(one) for one in lines), lines
    return {name: float(value) for name, _, value in (one.rpartition(" ") for one in lines)}


def test_counters_count_by_their_labels() -> None:
    metrics = Metrics()
    counter = metrics.counter("asked_total", "Requests.", ("api", "code"))
    for code in ("ok", "ok", "gone"):
        counter.add(("chat", code))
    counter.add(("chat", "ok"), 2.5)
    assert samples(metrics) == {
        'asked_total{api="chat",code="ok"}': 4.5,
        'asked_total{api="chat",code="gone"}': 1,
    }


def test_a_label_cannot_break_out_of_its_line() -> None:
    metrics = Metrics()
    metrics.counter("x_total", "a\nb\\", ("model",)).add(('a"} 7\nevil 1\\',))
    assert len(samples(metrics)) == 1
    assert r"a\nb" in metrics.text().decode()


def test_a_histogram_is_cumulative_and_ends_at_infinity() -> None:
    metrics = Metrics()
    times = metrics.histogram("t_seconds", "Time.", ("api",), buckets=(0.1, 1))
    for seconds in (0.05, 0.1, 0.5, 3):
        times.add(("chat",), seconds)
    assert samples(metrics) == {
        't_seconds_bucket{api="chat",le="0.1"}': 2,
        't_seconds_bucket{api="chat",le="1"}': 3,
        't_seconds_bucket{api="chat",le="+Inf"}': 4,
        't_seconds_sum{api="chat"}': 3.65,
        't_seconds_count{api="chat"}': 4,
    }


def test_a_gauge_is_looked_up_when_it_is_asked_for() -> None:
    metrics, value = Metrics(), 1.0
    metrics.gauge("open", "Open.", (), lambda: {(): value})
    assert samples(metrics) == {"open": 1}
    value = 2.0
    assert samples(metrics) == {"open": 2}


def test_strangers_cannot_make_series_without_end() -> None:
    metrics = Metrics()
    counter = metrics.counter("x_total", "X.", ("model",))
    for number in range(10_050):
        counter.add((str(number),))
    found = samples(metrics)
    assert len(found) == 10_001
    assert found['x_total{model="other"}'] == 50


def test_lines_are_json_and_come_together() -> None:
    stream = io.BytesIO()
    lines = LogLines(stream)
    lines.write({"event": "request", "text": "a\nb"})
    lines.write({"event": "drain"})
    assert stream.getvalue() == b""
    lines.flush()
    found = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert found == [{"event": "request", "text": "a\nb"}, {"event": "drain"}]


def test_a_log_that_cannot_be_written_stops_nothing() -> None:
    stream = io.BytesIO()
    lines = LogLines(stream)
    stream.close()
    lines.write({"a": 1})
    lines.flush()
    assert lines.dropped == 1
    LogLines(None).write({"a": 1})


def test_lines_written_while_others_are_flushed_are_neither_lost_nor_doubled() -> None:
    stream = io.BytesIO()
    lines = LogLines(stream)
    done = threading.Event()

    def flush() -> None:
        while not done.is_set():
            lines.flush()

    flushing = threading.Thread(target=flush)
    flushing.start()
    for number in range(20_000):
        lines.write({"n": number})
    done.set()
    flushing.join()
    lines.flush()
    found = [json.loads(line)["n"] for line in stream.getvalue().splitlines()]
    assert (found, lines.dropped) == (list(range(20_000)), 0)
