"""What goes into a plan and what comes out of it. Bytes are in GB (10^9), times in seconds."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from otium.records import Part, Record

DAY = 86_400.0

WayName = Literal["always-on", "asleep", "on-demand"]
WAYS: dict[WayName, str] = {
    "always-on": "every model up",
    "asleep": "every model in memory, those in use on a GPU",
    "on-demand": "brought back from the archive when asked for",
}
_Positive = Annotated[float, Meta(gt=0, le=1e6)]
_Price = Annotated[float, Meta(ge=0, le=1e6)]


class Setup(Part):
    """How many models, how large, how often asked for, and what things cost."""

    models: Annotated[int, Meta(ge=1, le=100_000)] = 1000
    gigabytes: _Positive = 16.06
    """Of one model's weights as an engine loads them: 16.06 is 8B parameters in bfloat16."""
    working: Annotated[float, Meta(ge=0, le=1e4)] = 4.0
    """GB beside the weights for an engine that is up: cache of keys and values, buffers."""
    requests: Annotated[float, Meta(ge=0, le=1e9)] = 8640
    """A day, for all retired models together."""
    skew: Annotated[float, Meta(ge=0, le=3)] = 0.0
    """Exponent of Zipf's law over the models; 0 asks for all alike, which needs most slots."""
    answer: _Positive = 16.8
    """For one answer."""
    linger: Annotated[float, Meta(ge=0, le=1e6)] = 60.0
    """How long an engine stays up after its last answer."""
    quantile: Annotated[float, Meta(ge=0.5, lt=1)] = 0.999
    """Of the time, in which the slots must be enough."""
    sleeper: Annotated[float, Meta(ge=0, le=1e3)] = 1.14
    """GB of a GPU that a sleeping engine keeps: vLLM 0.13, level 1."""
    wake: _Positive = 5.0
    """To wake a sleeping engine."""
    start: Annotated[float, Meta(ge=0, le=1e4)] = 3.0
    """To start an engine, without its bytes."""
    read_rate: _Positive = 1.0
    """GB/s of stored bytes that one revival reads."""
    decode_rate: _Positive = 1.0
    """GB/s of weights that one revival decodes and verifies, beside its reading."""
    stored: Annotated[float, Meta(gt=0, le=2)] = 0.66
    """Stored bytes for each byte of weights: a base alone takes about 0.66, a family less."""
    copies: Annotated[int, Meta(ge=1, le=20)] = 1
    """Of the archive, of those that are paid here."""
    gpu: _Positive = 80.0
    """GB of one GPU."""
    vram_price: _Price = 25.0
    """For a GB of GPU memory and month."""
    ram_price: _Price = 2.5
    disk_price: _Price = 0.02

    @property
    def load(self) -> float:
        """Return the seconds from a request for a model that is not up to its first token."""
        reading = self.gigabytes * self.stored / self.read_rate
        return self.start + max(reading, self.gigabytes / self.decode_rate)


class Way(Part):
    """What one way of keeping models reachable takes."""

    name: WayName
    slots: int
    """Engines that are up at once, at most."""
    gpus: int
    vram: float
    ram: float
    disk: float
    waiting: float
    """Share of requests that wait for an engine."""
    wait: float
    """How long those wait, at most."""
    month: float
    """Money a month."""
    one_more: float
    """Money a month for one more model that adds no demand."""


class Simulated(Part):
    """What happened to simulated requests, for a check of the formulas."""

    requests: int
    mean_up: float
    slots: int
    """The quantile of engines that were up."""
    waiting: float


class Plan(Record, tag="otium.capacity/1"):
    """What it takes, for each way."""

    setup: Setup
    ways: tuple[Way, ...]
    mean_up: float
    """Engines that are up on average, on demand."""
    simulated: Simulated | None = None
    """What became of simulated requests on demand, if any were asked for."""

    def way(self, name: WayName) -> Way:
        """Return one way."""
        return next(way for way in self.ways if way.name == name)
