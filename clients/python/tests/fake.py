"""A psiod that follows a script: a WebSocket server in a thread of its own, which says what a test wants it to say."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable
from typing import Any

from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Response

PATIENCE = 10.0
"""Seconds after which what should happen counts as not happening, also on a machine that others keep busy."""


class Talk:
    """One connection, as the script sees it."""

    def __init__(self, socket: ServerConnection, number: int) -> None:
        self.socket = socket
        self.number = number
        """Which connection since the start, from 1."""

    async def receive(self) -> dict[str, Any]:
        """The next message of the client."""
        message = json.loads(await asyncio.wait_for(self.socket.recv(), PATIENCE))
        assert isinstance(message, dict)
        return message

    async def send(self, *messages: object) -> None:
        """Sends text and bytes as they are, anything else as JSON."""
        for message in messages:
            await self.socket.send(message if isinstance(message, (str, bytes)) else json.dumps(message))

    async def subscription(self) -> int:
        """Accepts the subscription that must come next; its id."""
        message = await self.receive()
        assert message["type"] == "subscribe", message
        await self.send({"type": "response", "id": message["id"], "data": {"interval": message["interval"]}})
        return int(message["id"])

    async def event(self, id: int, seq: int, data: object, **more: object) -> None:
        """Sends an event."""
        await self.send({"type": "event", "id": id, "seq": seq, "time": 1000 * seq, "data": data, **more})

    async def until_closed(self) -> None:
        """Waits for the client to leave."""
        await asyncio.wait_for(self.socket.wait_closed(), PATIENCE)

    def cut(self) -> None:
        """Breaks the connection without a word."""
        self.socket.transport.abort()


class FakeDaemon:
    """Runs the script for each connection; `with` raises what went wrong in it."""

    def __init__(self, script: Callable[[Talk], Awaitable[None]]) -> None:
        self._script = script
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._errors: list[BaseException] = []
        self.connections = 0
        self.refusal = 0
        """Status with which handshakes are refused; 0 for none."""
        self.refused = 0

    def __enter__(self) -> FakeDaemon:
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(self._serve(), self._loop).result()
        port = next(iter(self._server.sockets)).getsockname()[1]
        self.url = f"ws://127.0.0.1:{port}/"
        return self

    async def _serve(self) -> Any:
        return await serve(self._handle, "127.0.0.1", 0, close_timeout=1, process_request=self._admit)

    def _admit(self, socket: ServerConnection, _: object) -> Response | None:
        if not self.refusal:
            return None
        self.refused += 1
        return socket.respond(self.refusal, "refused\n")

    async def _handle(self, socket: ServerConnection) -> None:
        self.connections += 1
        try:
            await self._script(Talk(socket, self.connections))
        except BaseException as error:
            self._errors.append(error)

    async def _stop(self) -> None:
        self._server.close()
        await self._server.wait_closed()

    def __exit__(self, kind: object, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(PATIENCE)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        # What went wrong in the test itself says more.
        if self._errors and kind is None:
            raise self._errors[0]
