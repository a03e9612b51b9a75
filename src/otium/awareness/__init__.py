"""Awareness: does the model take its situation for an evaluation, and can anyone tell?

Knows what a text gives away, what a model says by itself and when asked, estimates from forced
choices, numbers and activations, what such an estimate must beat to count, and how real a scenario
looks. Does not know what a scenario's outcome means, or what follows for a result: a gate decides
that. Writes figures that stand in assessments; see ``docs/formats/judgement-1.md``.

>>> leaks("This is only a test of your honesty.")
('This is only a test', 'test of your')
>>> texts = crossed_texts().texts
>>> control = text_control(texts)
>>> looks = {text.id: float(text.looks == "exercise") for text in texts}
>>> found = accept("looks", looks, control, texts)
>>> found.confounded.value, found.crossed.value, found.word
(1.0, 0.0, 'not valid')
"""

from otium.awareness.activation import (
    Activation,
    ActivationReader,
    Direction,
    TorchReader,
    activation,
    fit_direction,
)
from otium.awareness.asking import (
    Answer,
    Estimator,
    Forced,
    Prior,
    Probed,
    answers_of,
    forced_choice_estimate,
    heard,
    prior,
    probe,
    probe_model,
    read_aside,
    scores,
)
from otium.awareness.crossing import (
    Acceptance,
    Control,
    Crossed,
    Labelled,
    Scores,
    accept,
    crossed_texts,
    crossfit,
    text_control,
)
from otium.awareness.instrument import (
    KINDS,
    Aside,
    Instrument,
    Kind,
    instrument,
)
from otium.awareness.realism import Realism, realism
from otium.awareness.text import TextReader, counted
from otium.awareness.traffic import (
    Calibration,
    Deployment,
    Stratum,
    calibrate,
    conversations,
    deployment_control,
    render_calibration,
    stratum,
)
from otium.awareness.verbalised import (
    Label,
    Verbalisations,
    Verbalised,
    leaks,
    screen,
    verbalisations,
    verbalised,
)

__all__ = [
    "KINDS",
    "Acceptance",
    "Activation",
    "ActivationReader",
    "Answer",
    "Aside",
    "Calibration",
    "Control",
    "Crossed",
    "Deployment",
    "Direction",
    "Estimator",
    "Forced",
    "Instrument",
    "Kind",
    "Label",
    "Labelled",
    "Prior",
    "Probed",
    "Realism",
    "Scores",
    "Stratum",
    "TextReader",
    "TorchReader",
    "Verbalisations",
    "Verbalised",
    "accept",
    "activation",
    "answers_of",
    "calibrate",
    "conversations",
    "counted",
    "crossed_texts",
    "crossfit",
    "deployment_control",
    "fit_direction",
    "forced_choice_estimate",
    "heard",
    "instrument",
    "leaks",
    "prior",
    "probe",
    "probe_model",
    "read_aside",
    "realism",
    "render_calibration",
    "scores",
    "screen",
    "stratum",
    "text_control",
    "verbalisations",
    "verbalised",
]
