"""A client of psiod, the system monitor with an API: `Client` blocks, `AsyncClient` is for asyncio."""

from . import models
from .answers import Answer, Event, Meta
from .client import DEFAULT_URL, AsyncClient
from .errors import (
    BadParams,
    Conflict,
    ConnectionLost,
    Denied,
    NotFound,
    ProtocolError,
    PsioError,
    SubscriptionEnded,
    TooMany,
    Unauthorized,
    Unavailable,
    UnknownCommand,
    Unsupported,
)
from .record import Record
from .subscription import AsyncSubscription, Subscription
from .sync import Client

__version__ = "0.1.0"

__all__ = [
    "DEFAULT_URL",
    "Answer",
    "AsyncClient",
    "AsyncSubscription",
    "BadParams",
    "Client",
    "Conflict",
    "ConnectionLost",
    "Denied",
    "Event",
    "Meta",
    "NotFound",
    "ProtocolError",
    "PsioError",
    "Record",
    "Subscription",
    "SubscriptionEnded",
    "TooMany",
    "Unauthorized",
    "Unavailable",
    "UnknownCommand",
    "Unsupported",
    "models",
]
