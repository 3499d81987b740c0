"""What the user of a subscription holds: iterates over it, closes it, or lets it go."""

from __future__ import annotations

import asyncio
import contextlib
import weakref
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from .answers import Event
from .errors import ConnectionLost

if TYPE_CHECKING:
    from .channel import Channel

T = TypeVar("T")


class Opener(Protocol):
    """Whoever opens and closes channels: the client."""

    def open_channel(self, channel: Channel) -> None:
        """Asks psiod for it, now and after every reconnection."""

    def drop_channel(self, channel: Channel) -> None:
        """Asks psiod for it no more."""


class AsyncSubscription(Generic[T]):
    """Events of one subscription: `async for event in subscription`.

    It begins when its first event is asked for. It ends with `close()`, with its client, with the `async with` around
    it, or when nobody refers to it any more, as after leaving an `async for`.
    """

    def __init__(self, client: Opener, channel: Channel) -> None:
        self._client = client
        self._channel = channel
        self._release: weakref.finalize[[asyncio.AbstractEventLoop, Opener, Channel], Any] | None = None

    def __aiter__(self) -> AsyncSubscription[T]:
        return self

    async def __anext__(self) -> Event[T]:
        if self._release is None:
            # The client holds the channel, not this object, so that this may vanish and take the channel with it.
            self._release = weakref.finalize(self, _drop, asyncio.get_running_loop(), self._client, self._channel)
            self._release.atexit = False
            self._client.open_channel(self._channel)
        return await self._channel.take()

    async def __aenter__(self) -> AsyncSubscription[T]:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def is_closed(self) -> bool:
        """Whether it, or its client, was closed."""
        return self._channel.is_closed

    async def close(self) -> None:
        """Ends it; iterating over it stops. Harmless when it is over already."""
        self._channel.end(StopAsyncIteration())
        if self._release is not None:
            self._release()


class Subscription(Generic[T]):
    """Events of one subscription: `for event in subscription`. Begins and ends as `AsyncSubscription` does."""

    def __init__(self, inner: AsyncSubscription[T], run: Callable[[Coroutine[Any, Any, Any]], Any]) -> None:
        self._inner = inner
        self._run = run

    def __iter__(self) -> Subscription[T]:
        return self

    def __next__(self) -> Event[T]:
        event = self.receive()
        if event is None:
            raise StopIteration
        return event

    def receive(self, timeout: float | None = None) -> Event[T] | None:
        """The next event; `None` once the subscription or its client was closed.

        Raises `TimeoutError` when there is none for `timeout` seconds. No event is lost by that.
        """
        try:
            event: Event[T] | None = self._run(_next(self._inner, timeout))
        except ConnectionLost:
            if self._inner.is_closed:
                return None
            raise
        return event

    def __enter__(self) -> Subscription[T]:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends it. Harmless when it is over already."""
        # Without its client's loop it is over already.
        with contextlib.suppress(ConnectionLost):
            self._run(self._inner.close())


async def _next(subscription: AsyncSubscription[T], timeout: float | None) -> Event[T] | None:
    try:
        return await asyncio.wait_for(subscription.__anext__(), timeout)
    except StopAsyncIteration:
        return None
    except asyncio.TimeoutError:  # Python 3.10 has two of that name.
        raise TimeoutError(f"no event for {timeout} s") from None


def _drop(loop: asyncio.AbstractEventLoop, client: Opener, channel: Channel) -> None:
    # A loop that is closed has no connections to tell.
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(client.drop_channel, channel)
