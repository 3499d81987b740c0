"""The receiving ends of subscriptions: what arrives is kept here until somebody takes it.

A channel belongs to the event loop of its client. It outlives connections: after a reconnection the client opens it
again, and it begins anew.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

from .answers import Event, Meta, seconds
from .delta import BrokenDelta, DeltaList, is_change
from .errors import ProtocolError
from .models import ProcessWatchEvent
from .record import Reply

WATCH = "process.watch"
WATCH_QUEUE = 1024
"""Events of `process.watch` that wait for a slow consumer before they are given up and the list is sent afresh."""


class Behind(Exception):
    """A channel cannot go on from here; psiod must begin it anew."""


class Channel:
    """A subscription to a read command: the newest value only."""

    def __init__(self, request: dict[str, Any], reply: Reply | None) -> None:
        self.id = 0
        """Given by the client whenever it opens the channel."""
        self.request = request
        """The message that opens it, without the id."""
        self._reply = reply
        self._changed = asyncio.Event()
        self._over: BaseException | None = None
        self._event: dict[str, Any] | None = None
        self._last_seq = 0
        self._delta: DeltaList | None = None

    @property
    def is_closed(self) -> bool:
        """Whether this side ended it."""
        return isinstance(self._over, StopAsyncIteration)

    def begin(self, id: int) -> None:
        """The client asks psiod for it under a new id."""
        self.id = id
        self._last_seq = 0
        self._event = None
        self._delta = None

    def deliver(self, event: dict[str, Any]) -> None:
        """Takes an event; the one that waited, if any, is replaced. Raises `Behind` or `ProtocolError`."""
        seq = event.get("seq")
        if type(seq) is not int:
            raise ProtocolError(f"an event has no number but {seq!r:.80}")
        is_first, is_gap = self._last_seq == 0, seq != self._last_seq + 1
        self._last_seq = seq
        self._keep(event, is_first, is_gap)
        self._changed.set()

    def end(self, reason: BaseException) -> None:
        """It is over. What waits is still handed out, then `reason` is raised."""
        if self._over is None:
            self._over = reason
            self._changed.set()

    async def take(self) -> Event[Any]:
        """The next event. May be cancelled without losing one."""
        while not self._is_ready():
            if self._over is not None:
                # Without the traceback of an earlier raise, which would grow.
                raise self._over.with_traceback(None)
            self._changed.clear()
            await self._changed.wait()
        return self._pop()

    def _is_ready(self) -> bool:
        return self._event is not None

    def _keep(self, event: dict[str, Any], is_first: bool, is_gap: bool) -> None:
        data = event.get("data")
        if is_first and self.request.get("mode") == "delta" and is_change(data):
            self._delta = DeltaList(self._reply.row if self._reply else None)
        if self._delta is not None:
            try:
                self._delta.apply(data, is_gap and not is_first)
            except BrokenDelta as broken:
                if is_first:
                    raise ProtocolError(f"a subscription in delta mode began wrong: {broken}") from broken
                raise Behind(str(broken)) from broken
        self._event = event

    def _pop(self) -> Event[Any]:
        assert self._event is not None
        event, self._event = self._event, None
        if self._delta is not None:
            return _event(event, self._delta.rows())
        data = event.get("data")
        return _event(event, self._reply.read(data) if self._reply else data)


class WatchChannel(Channel):
    """A subscription to `process.watch`: every event counts, up to a bound."""

    def __init__(self, request: dict[str, Any]) -> None:
        super().__init__(request, None)
        self._waiting: deque[tuple[dict[str, Any], bool]] = deque()
        self._source: str | None = None
        self._is_lossy = False

    def begin(self, id: int) -> None:
        # What happened between the last event and the list that comes now, nobody told.
        self._is_lossy = self._is_lossy or self._last_seq != 0
        super().begin(id)

    def _is_ready(self) -> bool:
        return bool(self._waiting)

    def _keep(self, event: dict[str, Any], is_first: bool, is_gap: bool) -> None:
        if len(self._waiting) == WATCH_QUEUE:
            self._waiting.clear()
            raise Behind(f"{WATCH_QUEUE} events of {WATCH} wait")
        self._waiting.append((event, self._is_lossy))
        self._is_lossy = False

    def _pop(self) -> Event[Any]:
        event, is_lossy = self._waiting.popleft()
        data = event.get("data")
        if isinstance(data, dict):
            # What was left out because there is nothing to say is made good, so that no attribute is missing.
            data = {"source": self._source, "lost": 0, "list": None, "events": []} | data
            data |= {"lost": None} if is_lossy else {}
        watch = ProcessWatchEvent.from_json(data)
        self._source = watch.source
        return _event(event, watch)


def _event(message: dict[str, Any], data: Any) -> Event[Any]:
    return Event(data, message["seq"], seconds(message.get("time")), Meta.from_json(message.get("meta")))
