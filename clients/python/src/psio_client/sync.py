"""The sync face: the asyncio face on an event loop in a thread of its own."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

from .answers import Answer
from .client import DEFAULT_URL, AsyncClient
from .commands import Commands, Mode
from .errors import ConnectionLost
from .subscription import Subscription

T = TypeVar("T")


class Client(Commands):
    """A connection to psiod: `with Client() as psio: …`. Takes what `AsyncClient` takes. Threads may share it."""

    def __init__(
        self,
        url: str = DEFAULT_URL,
        *,
        timeout: float | None = 30.0,
        reconnect: bool = True,
        first_pause: float = 0.25,
        longest_pause: float = 30.0,
        **options: Any,
    ) -> None:
        self._inner = AsyncClient(
            url,
            timeout=timeout,
            reconnect=reconnect,
            first_pause=first_pause,
            longest_pause=longest_pause,
            **options,
        )
        self._lock = threading.Lock()
        """Held while work is given to the loop, so that none is given to one that is about to stop."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def connect(self) -> Client:
        """Connects. Raises `ConnectionLost` when that fails this first time."""
        if self._thread is not None:
            raise RuntimeError("a client connects once")
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="psio_client", daemon=True)
        self._thread.start()
        try:
            self._run(self._inner.connect())
        except BaseException:
            self.close()
            raise
        return self

    def __enter__(self) -> Client:
        return self.connect()

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connection: subscriptions end, commands under way in other threads raise `ConnectionLost`."""
        with self._lock:
            loop, self._loop = self._loop, None
        if loop is None or self._thread is None:
            return
        asyncio.run_coroutine_threadsafe(_wind_up(self._inner), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        self._thread.join()
        loop.close()

    @property
    def url(self) -> str:
        """Where psiod is."""
        return self._inner.url

    @property
    def is_connected(self) -> bool:
        """Whether there is a connection at this moment."""
        return self._inner.is_connected

    def request(self, name: str, /, **params: Any) -> Answer[Any]:
        """Any command; the data is JSON as psiod sent it. Parameters that are `None` are left out."""
        return self._run(self._inner.request(name, **params))

    def _ask(self, name: str, params: dict[str, Any]) -> Answer[Any]:
        return self._run(self._inner._ask(name, params))

    def _subscribe(self, name: str, interval: float, mode: Mode, params: dict[str, Any]) -> Subscription[Any]:
        return Subscription(self._inner._subscribe(name, interval, mode, params), self._run)

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        """What the coroutine gives, on the thread of the loop."""
        with self._lock:
            future = asyncio.run_coroutine_threadsafe(work, self._loop) if self._loop else None
        if future is None:
            work.close()
            raise ConnectionLost("not connected; use `with` or `connect()`")
        try:
            return future.result()
        except concurrent.futures.CancelledError:
            raise ConnectionLost("the client was closed") from None
        except BaseException:
            # Ctrl-C, for one: nobody waits for it any more.
            future.cancel()
            raise


async def _wind_up(client: AsyncClient) -> None:
    """Closes the client, and lets the calls of other threads come to their ends."""
    await client.close()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    if others:
        await asyncio.wait(others, timeout=1)
    for task in others:
        task.cancel()
