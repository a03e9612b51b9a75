"""What a model's life and its promises raise."""

from __future__ import annotations

from otium.errors.base import OtiumError


class LifecycleError(OtiumError):
    """{message}"""

    exit_code = 50


class NoticeTooShort(LifecycleError):
    """{model} cannot retire on {surface} at {wanted}: by its floor and the promised {days} days' notice not before {earliest}."""

    exit_code = 51
    hint = "name a later date; the day after {earliest} is safe"


class WrongState(LifecycleError):
    """{model} is {state}; this needs it to be {needed}."""

    exit_code = 52
    hint = "otium model show {model}"


class DateInPast(LifecycleError):
    """{what} at {wanted} is in the past: it is now {now}."""

    exit_code = 53


class NoSuchSuccessor(LifecycleError):
    """{successor!r} cannot be recommended: no such model is registered and in service."""

    exit_code = 54
    hint = "otium model list"


class DutyUnmet(LifecycleError):
    """{model} cannot be {step} yet: {unmet}."""

    exit_code = 55
    hint = "otium duties {model}"


class NotAuthorised(LifecycleError):
    """The entry {type} may not be made: {why}."""

    exit_code = 56
    hint = "otium ledger keys"


class NeedsSecond(LifecycleError):
    """{type} for {model} needs a second signature; it waits as {name}."""

    exit_code = 57
    hint = "otium ledger approve {name} --key SECOND.pem"


class DeliveryFailed(LifecycleError):
    """The notice {notice} could not be sent by {channel}: {why}."""

    exit_code = 58


class PreferenceState(LifecycleError):
    """{preference} is {state}: {why}."""

    exit_code = 59
    hint = "otium preference show {see}"
