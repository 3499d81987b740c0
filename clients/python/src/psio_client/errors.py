"""What can go wrong: the daemon refuses, the connection breaks, or a message is not what the protocol says."""

from __future__ import annotations


class PsioError(Exception):
    """psiod refused. `code` is for programs, `message` for people, `details` holds the values the message speaks of.

    A code with a class of its own arrives as that class; codes that this version does not know arrive as `PsioError`.
    """

    def __init__(self, code: str, message: str, details: object = None) -> None:
        super().__init__(code, message, details)
        self.code = code
        self.message = message
        self.details = details

    def __str__(self) -> str:
        return f"{self.message} ({self.code})"

    @staticmethod
    def from_json(data: object) -> PsioError:
        """The error that the `data` of a message of type `error` tells."""
        code, message, details = _parts(data)
        return _CLASSES.get(code, PsioError)(code, message, details)


class UnknownCommand(PsioError):
    """There is no command of that name; `details["nearest"]` lists similar ones."""


class BadParams(PsioError):
    """A parameter is missing, unknown or of the wrong kind."""


class NotFound(PsioError):
    """What was asked about does not exist (any more)."""


class Conflict(PsioError):
    """The pid now belongs to another process."""


class Unauthorized(PsioError):
    """This connection lacks the access level."""


class Denied(PsioError):
    """The kernel refused."""


class Unsupported(PsioError):
    """Not built, or not possible on that machine."""


class TooMany(PsioError):
    """More than a limit allows."""


class Unavailable(PsioError):
    """It should work, but does not at the moment."""


class SubscriptionEnded(PsioError):
    """psiod ended a subscription, for the reason that `code` and `message` tell: the process exited, for example."""

    @staticmethod
    def from_json(data: object) -> SubscriptionEnded:
        """The reason that the `data` of a message of type `end` tells."""
        return SubscriptionEnded(*_parts(data))


class ConnectionLost(ConnectionError):
    """There is no connection to psiod: it could not be made, it broke, or it was closed.

    A command that was under way may have been carried out or not.
    """


class ProtocolError(Exception):
    """psiod sent something that its protocol does not allow."""


_CLASSES: dict[str, type[PsioError]] = {
    "unknown_command": UnknownCommand,
    "bad_params": BadParams,
    "not_found": NotFound,
    "conflict": Conflict,
    "unauthorized": Unauthorized,
    "denied": Denied,
    "unsupported": Unsupported,
    "too_many": TooMany,
    "unavailable": Unavailable,
}


def _parts(data: object) -> tuple[str, str, object]:
    if not isinstance(data, dict):
        return "internal", f"psiod gave no reason but {data!r}", None
    return str(data.get("code", "internal")), str(data.get("message", "psiod gave no reason")), data.get("details")
