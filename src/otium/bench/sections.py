"""The sections of ``otium bench archive``: each measures one row of figures to reach.

Ratios rest on bytes and are the same on every machine; speeds are CPU seconds of one core,
but for the restore, which is timed by the clock on two.
"""

from __future__ import annotations

import platform
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from otium.bench.coders import BitX, Coder, Otium, Z4ai, ZipNN, Zstd
from otium.bench.data import (
    BASE,
    QUANTS,
    Family,
    Model,
    cast,
    change,
    disturbed,
    partner,
    quantised,
    read_family,
    read_model,
)
from otium.bench.entropy import bound
from otium.bench.keepers import ZipLLM, gathered, keep_and_restore, keepers, recovered
from otium.bench.measure import (
    Goal,
    Line,
    Report,
    Section,
    compare,
    goals,
    one_core,
    present,
)
from otium.bench.train import make_family
from otium.errors import BadData, OtiumError
from otium.records import Progress, silent

SWEEP = {0.001: 0.40, 0.01: 0.66, 0.05: 0.76}
"""Synthetic updates by their size, and the share of BitX to reach."""
QUANT_GOALS = {"Q8_0": 0.005, "Q3_K": 0.10, "Q4_K": 0.08, "Q5_K": 0.08, "Q6_K": 0.08}
KERNEL_GOALS = {"avx512": 1.2, "avx2": 0.6, "portable": 0.3, "numpy": 0.03}
"""GB/s of original bytes."""
LIGHT = 0.004
"""A fine-tune is light if it changes less than this."""
_FALLBACK = 4 << 20
"""Weights on which the numpy fallback is timed."""
_RECOVERED = 3 << 20
"""Weights of the model that recover.py restores."""


@dataclass
class Setup:
    """What is measured, and how thoroughly."""

    families: Sequence[Family]
    work: Path
    pairs: Path | None = None
    rounds: int = 3
    quick: bool = False
    progress: Progress = silent
    missing: dict[str, str] = field(default_factory=dict)

    def coders(self, *coders: Coder) -> list[Coder]:
        """Return those that can run and are wanted."""
        return present([c for c in coders if not (self.quick and c.slow)], self.missing)

    @property
    def family(self) -> Family:
        """Return the first family."""
        return self.families[0]

    def compared(
        self, subject: str, coders: Sequence[Coder], model: Model, base: Model | None = None
    ) -> list[Line]:
        """Return a line for each coder, with the bound beside it."""
        self.progress(subject, 0, 1)
        least = bound(model, base)
        far = change(model, base) if base else None
        return compare(subject, coders, model, base, rounds=self.rounds, bound=least, change=far)


def archive_bench(
    work: Path,
    *,
    families: Sequence[Path] = (),
    pairs: Path | None = None,
    only: Sequence[str] = (),
    rounds: int = 3,
    quick: bool = False,
    progress: Progress = silent,
) -> Report:
    """Measure the archive and its peers on the same data, and return all figures.

    *work* holds what is made on the way: without *families* a small one is trained there.
    *pairs* is what ``scripts/fetch_release_pairs.py`` wrote. A section that fails says so; a
    family that cannot be read raises BadData.
    """
    from otium.entropy import kernel_names

    work.mkdir(parents=True, exist_ok=True)
    if not families:
        families = [work / "tiny"]
        make_family(families[0], progress=progress)
    found = [read_family(family) for family in families]
    setup = Setup(found, work, pairs, 1 if quick else rounds, quick, progress)
    chosen = [name for name in SECTIONS if not only or name in only]
    if unknown := set(only) - set(SECTIONS):
        raise BadData(path="--only", why=f"there is no section {', '.join(sorted(unknown))}")
    sections = tuple(_measured(name, setup) for name in chosen)
    return Report(
        machine=f"{_processor()}, Python {platform.python_version()}",
        kernel=kernel_names()[-1],
        families=tuple(family.name for family in found),
        rounds=setup.rounds,
        sections=sections,
        missing=setup.missing,
    )


def _measured(name: str, setup: Setup) -> Section:
    """Return a section; one that fails says why, and the others are still measured."""
    try:
        return SECTIONS[name](setup)
    except OtiumError as error:
        return Section(name, "failed", (), (), failed=str(error))


def fine_tunes(setup: Setup) -> Section:
    """Measure each fine-tune given its parent."""
    coders = setup.coders(Otium(), BitX(), Zstd(3), ZipNN(), Z4ai())
    lines: list[Line] = []
    for family in setup.families:
        for name in family.tuned:
            subject = name if len(setup.families) == 1 else f"{family.name}/{name}"
            with one_core():
                pair = family.model(name), family.model(family.parent(name))
                lines += setup.compared(subject, coders, *pair)
    merged = [line for line in lines if "lora" in line.subject]
    light = [line for line in lines if line not in merged and (line.change or 0) < LIGHT]
    ours, least = (list(_ratios(light, "BitX", bound=each).values()) for each in (False, True))
    adapters = list(_ratios(merged, "BitX").values())
    goal = "of BitX's bits, light fine-tunes"
    found = (
        *goals(f"{goal}, mean", "less", 0.48, ours, take="mean", bounds=least),
        *goals(f"{goal}, worst", "less", 0.58, ours, take="worst", bounds=least),
        *goals("of BitX's bits, merged LoRA", "less", 0.62, adapters, take="worst"),
    )
    title = "Fine-tunes given what they were tuned from"
    return Section("fine-tunes", title, tuple(lines), found)


def sweep(setup: Setup) -> Section:
    """Measure synthetic updates of three sizes."""
    coders = setup.coders(Otium(), BitX())
    base = setup.family.model(BASE)
    lines: list[Line] = []
    found: list[Goal] = []
    for ratio, target in SWEEP.items():
        with one_core():
            lines += setup.compared(f"r = {ratio}", coders, disturbed(base, ratio), base)
        here = lines[-len(coders) :]
        ours, least = (list(_ratios(here, "BitX", bound=each).values()) for each in (False, True))
        found += goals(f"of BitX's bits, r = {ratio}", "less", target, ours, bounds=least)
    title = "Synthetic updates: gaussian, r times each tensor's deviation"
    return Section("sweep", title, tuple(lines), tuple(found))


def retrained(setup: Setup) -> Section:
    """Measure later releases of a model given earlier ones, on the tensors that changed."""
    title = "Release pairs: tensors that changed, bf16"
    folders = sorted((setup.pairs / "bf16").glob("*")) if setup.pairs else []
    pairs = [folder for folder in folders if (folder / "tuned.safetensors").is_file()]
    if not pairs:
        note = "give --pairs, the directory that scripts/fetch_release_pairs.py wrote"
        return Section("retrained", title, (), (), note)
    coders = setup.coders(Otium(), Otium(alone=True), BitX(), ZipNN())
    lines: list[Line] = []
    for folder in pairs:
        base, tuned = (read_model(folder / f"{n}.safetensors") for n in (BASE, "tuned"))
        changed = {n: t for n, t in tuned.items() if _changed(t, partner(t, [base]))}
        with one_core():
            lines += setup.compared(folder.name, coders, changed, base)
    ratios = list(_ratios(lines, "otium, no base").values())
    saved = sum(ratio <= 0.97 for ratio in ratios)  # noqa: PLR2004
    found = (
        *goals("of standalone's bits, worst pair", "less", 1.0, ratios, take="worst"),
        Goal(f"pairs of {len(ratios)} at least 3 % below", "pairs", "more", 3, saved),
    )
    return Section("retrained", title, tuple(lines), found)


def standalone(setup: Setup) -> Section:
    """Measure models on their own."""
    coders = setup.coders(Otium(), ZipNN(), Zstd(3), Zstd(19), Z4ai())
    models = {f"{one.name}/{BASE}": one.model(BASE) for one in setup.families}
    for folder in sorted((setup.pairs / "bf16").glob("*")) if setup.pairs else []:
        if not (folder / "tuned.safetensors").exists():
            models[folder.name] = read_model(folder / f"{BASE}.safetensors")
    lines: list[Line] = []
    wide = {f"{name}, bf16 in f32": cast(model, "F32") for name, model in [*models.items()][:1]}
    for folder in sorted((setup.pairs / "f32").glob("*")) if setup.pairs else []:
        if not (folder / "tuned.safetensors").exists():
            wide[f"{folder.name}, f32"] = read_model(folder / f"{BASE}.safetensors")
    with one_core():
        for name, model in models.items():
            lines += setup.compared(name, coders, model)
        for name, model in {} if setup.quick else wide.items():
            lines += setup.compared(name, coders, model)
    ours = {line.subject: line for line in lines if line.coder == Otium.name}
    theirs = {line.subject: line for line in lines if line.coder == ZipNN.name}
    shares = [100 * ours[name].share for name in models]
    least = [100 * (ours[name].bound or 0) / 8 / ours[name].original for name in models]
    below = [(theirs[name].share - ours[name].share) * 100 for name in models if name in theirs]
    found = (
        *goals("of raw, bf16, median", "less", 66.0, shares, unit="%", bounds=least),
        *goals("below ZipNN, worst", "more", 0.5, below, take="worst", unit="points"),
    )
    return Section("standalone", "Models on their own", tuple(lines), found)


def quants(setup: Setup) -> Section:
    """Measure quantised tensors given the weights they were made from."""
    coders = setup.coders(Otium(), Zstd(3))
    base = setup.family.model(BASE)
    lines: list[Line] = []
    found: list[Goal] = []
    for kind in QUANTS:
        model = quantised(base, kind)
        if not model:
            continue
        with one_core():
            lines += compare(kind, coders, model, base, rounds=setup.rounds)
        share = [line.share for line in lines[-len(coders) :] if line.coder == Otium.name]
        if kind in QUANT_GOALS:
            found += goals(f"of the tensors' bytes, {kind}", "less", QUANT_GOALS[kind], share)
    title = "Tensors quantised by llama.cpp, given their archived parent"
    return Section("quants", title, tuple(lines), tuple(found))


def kernels(setup: Setup) -> Section:
    """Measure how fast deltas are decoded by each kernel that runs here, and by numpy."""
    from otium.entropy import forced, kernel_names

    bitx = setup.coders(BitX())
    name = _typical(setup.family)
    model, base = (setup.family.model(each) for each in (name, setup.family.parent(name)))
    lines: list[Line] = []
    found: list[Goal] = []
    for kernel in kernel_names():
        part = _first(model, _FALLBACK) if kernel == "numpy" else model
        with one_core(), forced(kernel):
            both = compare(kernel, [Otium(), *bitx], part, base, rounds=setup.rounds)
        lines += both
        speeds = [line.speed(line.decode) for line in both]
        if kernel in KERNEL_GOALS:
            what = f"GB/s, deltas decoded, {kernel}"
            rate = [s / 1e9 for s in (speeds[0].median, speeds[0].least, speeds[0].most)]
            found += goals(what, "more", KERNEL_GOALS[kernel], rate)
        if kernel == kernel_names()[-1] and bitx:
            pairs = zip(both[1].decode, both[0].decode, strict=True)
            found += goals("times BitX's speed, same run", "more", 1.0, [b / o for b, o in pairs])
    return Section("kernels", f"Decoding {name}", tuple(lines), tuple(found))


def family(setup: Setup) -> Section:
    """Measure whole families: bytes kept, deposit on one core, restore on one and on two."""
    lines: list[Line] = []
    clocks: list[float] = []
    place = setup.work / "keepers"
    for one in setup.families:
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        alone = gathered(one, place / "source")
        wanted = [keeper for keeper in keepers() if not (setup.quick and keeper.slow)]
        for keeper in present(wanted, setup.missing):
            setup.progress(keeper.name, 0, 1)
            line, clock = keep_and_restore(keeper, alone, place)
            lines.append(line)
            clocks += [line.original / clock / 1e9] if keeper.name == Otium.name else []
        shutil.rmtree(place)
    ours = [line for line in lines if line.coder == Otium.name]
    what = f"of raw, {len(setup.family.files)} models of {setup.family.name}"
    deposits = [line.original / line.encode[0] / 1e6 for line in ours]
    ratios = list(_ratios(lines, ZipLLM.name).values())
    found = (
        *goals(what, "less", 14.0, [100 * ours[0].share], unit="%"),
        *goals("of ZipLLM's bytes, worst family", "less", 0.69, ratios, take="worst"),
        *goals("deposit, one core, all included", "more", 300, deposits, unit="MB/s"),
        *goals("verified restore, two cores, clock", "more", 1.3, clocks, unit="GB/s"),
    )
    return Section("family", "Whole families, kept and restored", tuple(lines), found)


def search(setup: Setup) -> Section:
    """Measure how fast and how surely a parent is found among 100,000 models."""
    from otium.kinship import search_figures

    setup.progress("parent search", 0, 1)
    with one_core():
        figures = search_figures(2_000 if setup.quick else 100_000, queries=200)
    among = f"among {figures.models:,} models"
    found = (
        Goal(f"parent search {among}", "ms", "less", 50, figures.milliseconds),
        Goal("bytes kept of each model", "bytes", "less", 2100, figures.bytes_per_model),
        Goal(f"right parent {among}", "%", "more", 99, 100 * figures.right),
    )
    return Section("search", "Parents found without being told", (), found)


def recover(setup: Setup) -> Section:
    """Measure ``recover.py``, as it lies in each archive, with the standard library alone."""
    place = setup.work / "recover"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    names = [BASE, _typical(setup.family)]
    part = {name: _first(setup.family.model(name), _RECOVERED) for name in names}
    speed = recovered(part, place) / 1e6
    shutil.rmtree(place)
    found = (Goal("recover.py, fine-tune and base decoded", "MB/s", "more", 4, speed),)
    return Section("recover", "With nothing but Python", (), found)


SECTIONS: dict[str, Callable[[Setup], Section]] = {
    "fine-tunes": fine_tunes,
    "sweep": sweep,
    "retrained": retrained,
    "standalone": standalone,
    "quants": quants,
    "kernels": kernels,
    "family": family,
    "search": search,
    "recover": recover,
}


def _ratios(lines: Sequence[Line], peer: str, *, bound: bool = False) -> dict[str, float]:
    """Return otium's bytes (or its bound) as a share of *peer*'s, by subject."""
    theirs = {line.subject: line.stored for line in lines if line.coder == peer}
    ours = {
        line.subject: (line.bound or 0) / 8 if bound else line.stored
        for line in lines
        if line.coder == Otium.name
    }
    return {subject: ours[subject] / size for subject, size in theirs.items()}


def _changed(tensor: object, other: object) -> bool:
    return other is not None and getattr(tensor, "data", None) != getattr(other, "data", None)


def _typical(family: Family) -> str:
    """Return the fine-tune in the middle of the list that is no merged adapter."""
    full = [name for name in family.tuned if "lora" not in name]
    return full[len(full) // 2]


def _first(model: Model, weights: int) -> Model:
    found, count = {}, 0
    for name, tensor in model.items():
        if count + tensor.weights <= weights:
            found[name] = tensor
            count += tensor.weights
    return found


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
