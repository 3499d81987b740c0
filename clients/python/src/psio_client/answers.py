"""What surrounds the data of an answer or an event: when it was sampled, and what there is to say about it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Meta:
    """What there is to say about an answer."""

    window_ms: float | None = None
    """Milliseconds over which rates were measured; `None` where the answer has no rates."""
    total: int | None = None
    """Rows before `limit` and `offset`."""
    unknown: dict[str, str] = field(default_factory=dict)
    """Why a value is `None`, by name of the field."""
    json: dict[str, Any] = field(default_factory=dict, repr=False)
    """Everything as it was sent, with what this version does not know."""

    @staticmethod
    def from_json(data: object) -> Meta:
        """From the `meta` of a message, absent or not."""
        if not isinstance(data, dict):
            return Meta()
        unknown = data.get("unknown")
        return Meta(data.get("window_ms"), data.get("total"), unknown if isinstance(unknown, dict) else {}, data)


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """What a command told."""

    data: T
    time: float | None
    """Seconds since the epoch when the sample was taken, as `time.time()` counts; `None` for what is not sampled."""
    meta: Meta


@dataclass(frozen=True, slots=True)
class Event(Generic[T]):
    """What a subscription told."""

    data: T
    """The whole of it, also in delta mode."""
    seq: int
    """Counts the ticks of the subscription, from 1, and from 1 again after a reconnection. A gap: you were slower than
    the ticks, and here is the newest."""
    time: float | None
    """Seconds since the epoch when the sample was taken, as `time.time()` counts."""
    meta: Meta


def seconds(time_ms: object) -> float | None:
    """The `time` of a message in seconds."""
    return time_ms / 1000 if isinstance(time_ms, (int, float)) else None
