"""`process.watch`: the life of processes, as records."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .models import ProcessRow
from .record import Record, list_of, sent_as


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class ProcessEvent(Record):
    """Something that happened to a process."""

    event: str
    """`started`, `exec` or `exited`."""
    pid: int
    """Process id."""
    started: int | None
    """Clock ticks from boot to its start; with `pid` it names a process for ever."""
    ppid: int | None
    """Pid of its parent."""
    name: str | None
    """Name."""
    username: str | None
    """Name of the real user."""
    cmdline: list[str] | None
    """The program and its arguments."""
    exit_code: int | None
    """0–255 when it exited; `None` when a signal ended it, or where the kernel does not tell."""
    signal: int | None
    """The signal that ended it."""
    time: float = field(metadata=sent_as(None, lambda time_ms: time_ms / 1000))
    """Seconds since the epoch when it happened."""


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class ProcessWatch(Record):
    """What an event of `process.watch` carries. Unlike other records it has every attribute."""

    events: list[ProcessEvent] = field(metadata=sent_as(None, list_of(ProcessEvent.from_json)))
    """What happened, oldest first."""
    processes: list[ProcessRow] | None = field(metadata=sent_as("list", list_of(ProcessRow.from_json)))
    """All processes: in the first event, after a reconnection, and after something was lost; else `None`."""
    source: str | None
    """Where it comes from: `proc_connector` (the kernel tells) or `sweeps` (short lives are missed, codes unknown)."""
    lost: int | None
    """Happenings that were lost before this event: 0 for none, `None` for a number that nobody knows."""


def read_watch(data: Any, source: str | None, is_lossy: bool) -> ProcessWatch:
    """From the `data` of an event. `source`: what an earlier event said. `is_lossy`: this side lost some before it."""
    whole: dict[str, Any] = {"source": source, "list": None, "events": [], "lost": 0}
    if isinstance(data, dict):
        whole |= data
    if is_lossy:
        whole["lost"] = None
    return ProcessWatch.from_json(whole if isinstance(data, dict) else data)
