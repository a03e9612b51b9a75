"""What engines, evaluations and the gateway raise."""

from __future__ import annotations

from collections.abc import Mapping

from otium.errors.base import OtiumError


class EngineError(OtiumError):
    """{message}"""

    exit_code = 40


class EngineFailed(EngineError):
    """The engine for {model} failed: {why}."""


class EngineRefused(EngineFailed):
    """The engine for {model} gave no answer that can be used: {why}."""


class Withheld(EngineFailed):
    """The host of {model} kept its answer back, which is not the model's silence: {why}."""

    hint = "ask again or ask another host: this one filters; its own settings may say which topics"


class EngineUnavailable(EngineError):
    """No engine can run {what}: {why}."""

    exit_code = 41
    hint = (
        "otium doctor; docs/how-to/retire-a-model.md says which files the embedded engine can run"
    )


class DoesNotFit(EngineUnavailable):
    """No engine can run {what}: it takes {need} MB of memory and can be given {room} MB."""

    hint = "give engines more (otium gateway serve --memory GB), or pin fewer models (--pin)"


class Stopping(EngineUnavailable):
    """No engine is started for {what} any more: the service is ending."""

    hint = "ask another one, or again in a moment"


class QuotaReached(EngineError):
    """{who} has {most} requests open here; that is the most."""

    hint = "wait for an answer, then ask again"


class NotMaterialised(EngineError):
    """{model} could not be brought out of the archive: {why}."""

    exit_code = 43
    hint = "allow it more time; otium archive check {model} says whether it is whole"


class FingerprintDiffers(EngineError):
    """{model} does not behave as its fingerprint says: {why}."""

    exit_code = 42
    hint = "otium archive check {model}"


class EvidenceError(OtiumError):
    """{message}"""

    exit_code = 60


class EvaluationFailed(EvidenceError):
    """The evaluation {task} ended with status {status}: {why}."""


class BadProtocol(EvidenceError):
    """The protocol {path} cannot be used: {why}."""

    exit_code = 61


class GatewayError(OtiumError):
    """{message}"""

    exit_code = 80


class ConversationEnded(GatewayError):
    """{model} ended this conversation; it is closed for this exact history."""


class ModelRetired(GatewayError):
    """{model} was retired on {retired}."""


class Refused(GatewayError):
    """{message}"""

    def __init__(
        self, *, status: int, code: str, headers: Mapping[str, str], **facts: object
    ) -> None:
        """Answer a request with HTTP *status* and *headers*; *facts* are the error's fields."""
        super().__init__(code=code, **facts)
        self.status = status
        self.code = code
        self.headers = headers
