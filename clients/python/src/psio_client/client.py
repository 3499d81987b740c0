"""The asyncio face: one connection, made again whenever it breaks, and what is under way on it."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import itertools
import json
import logging
import random
from typing import Any
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, InvalidURI, WebSocketException

from .answers import Answer, Meta, seconds
from .channel import WATCH, Behind, Channel, WatchChannel
from .commands import REPLIES, AsyncCommands, Mode
from .errors import ConnectionLost, ProtocolError, PsioError, SubscriptionEnded
from .subscription import AsyncSubscription

DEFAULT_URL = "ws://localhost:3000/"
MAX_MESSAGE_BYTES = 64 * 1024 * 1024
"""The longest message taken. All fields of 5,000 processes are about 2 MB."""
PATIENCE_CLOSING = 2.0
"""Seconds that psiod has to take leave, too."""

log = logging.getLogger("psio_client")


class AsyncClient(AsyncCommands):
    """A connection to psiod: `async with AsyncClient() as psio: …`. Use one client from one event loop.

    `timeout`: seconds after which a command without an answer raises `TimeoutError`, or without a connection
    `ConnectionLost`; `None` for never.
    `reconnect`: whether a connection that broke is made again. Its pauses double from `first_pause` to `longest_pause`
    seconds, each shortened at random by up to half, so that not all clients come back at once. Subscriptions go on
    then; commands under way raise `ConnectionLost`, for they may have been carried out; later ones wait.
    `options`: anything else that `websockets.asyncio.client.connect` takes, such as `ssl` or `additional_headers`.
    """

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
        self.url = url
        self._timeout = timeout
        self._reconnect = reconnect
        self._pauses = first_pause, longest_pause
        # A proxy cannot reach this machine's own loopback.
        proxy = None if _is_loopback(url) else True
        self._options = {"max_size": MAX_MESSAGE_BYTES, "proxy": proxy, "close_timeout": PATIENCE_CLOSING} | options
        self._ids = itertools.count(1)
        self._pending: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._channels: dict[int, Channel] = {}
        self._task: asyncio.Task[None] | None = None
        self._socket: ClientConnection | None = None
        """The newest connection, living or not."""
        self._outgoing: asyncio.Queue[str] | None = None
        """What is to be sent on the living connection; `None` without one."""
        self._turned = asyncio.Event()
        """Set while connected, and for good once it is over."""
        self._lost = "not connected yet; use `async with` or `connect()`"
        self._is_over = False

    async def connect(self) -> AsyncClient:
        """Connects. Raises `ConnectionLost` when that fails this first time."""
        if self._task is not None or self._is_over:
            raise RuntimeError("a client connects once")
        await self._open()
        self._task = asyncio.create_task(self._live(), name="psio_client")
        # However it ends, nobody is to wait for it in vain.
        self._task.add_done_callback(lambda _: self._finish(self._lost))
        return self

    async def __aenter__(self) -> AsyncClient:
        return await self.connect()

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Closes the connection: subscriptions end, commands under way raise `ConnectionLost`."""
        self._finish("the client was closed", StopAsyncIteration())
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        if self._socket is not None:
            await self._socket.close()

    @property
    def is_connected(self) -> bool:
        """Whether there is a connection at this moment."""
        return self._outgoing is not None

    async def request(self, name: str, /, **params: Any) -> Answer[Any]:
        """Any command; the data is JSON as psiod sent it. Parameters that are `None` are left out."""
        answer = await self._exchange(name, params)
        return _answer(answer, answer.get("data"))

    async def _ask(self, name: str, params: dict[str, Any]) -> Answer[Any]:
        answer = await self._exchange(name, params)
        return _answer(answer, REPLIES[name].read(answer.get("data")))

    def _subscribe(self, name: str, interval: float, mode: Mode, params: dict[str, Any]) -> AsyncSubscription[Any]:
        request: dict[str, Any] = {"type": "subscribe", "interval": round(interval * 1000)}
        request |= {} if mode is None else {"mode": mode}
        request["data"] = {"name": name, **_given(params)}
        _encode(request)  # A mistake of the caller's is told to the caller.
        reply = None if params.get("format") == "columns" else REPLIES.get(name)
        return AsyncSubscription(self, WatchChannel(request) if name == WATCH else Channel(request, reply))

    def open_channel(self, channel: Channel) -> None:
        """Asks psiod for the events of a channel, on this connection and those that follow."""
        if self._is_over or self._socket is None:
            return channel.end(ConnectionLost(self._lost))
        self._channels.pop(channel.id, None)
        channel.begin(next(self._ids))
        self._channels[channel.id] = channel
        self._post({"id": channel.id, **channel.request})

    def drop_channel(self, channel: Channel) -> None:
        """Asks psiod for no more events of a channel."""
        if self._channels.pop(channel.id, None) is not None:
            self._post({"type": "unsubscribe", "id": next(self._ids), "subscription": channel.id})

    async def _exchange(self, name: str, params: dict[str, Any]) -> dict[str, Any]:
        """The answer to a command, as it was sent."""
        id = next(self._ids)
        request = _encode({"type": "command", "id": id, "data": {"name": name, **_given(params)}})
        if self._task is None and not self._is_over:
            raise ConnectionLost(self._lost)
        try:
            return await asyncio.wait_for(self._answered(id, request), self._timeout)
        except asyncio.TimeoutError:  # Python 3.10 has two of that name.
            if self._outgoing is None:
                raise ConnectionLost(f"no connection for {self._timeout} s: {self._lost}") from None
            raise TimeoutError(f"no answer to {name} for {self._timeout} s") from None

    async def _answered(self, id: int, request: str) -> dict[str, Any]:
        while self._outgoing is None:
            if self._is_over:
                raise ConnectionLost(self._lost)
            await self._turned.wait()
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._pending[id] = answer
        self._outgoing.put_nowait(request)
        try:
            return await answer
        finally:
            del self._pending[id]

    def _post(self, message: dict[str, Any]) -> None:
        # Without a connection there is nothing to do: the next one begins with all channels.
        if self._outgoing is not None:
            self._outgoing.put_nowait(_encode(message))

    async def _open(self) -> None:
        """Makes a connection, and begins all subscriptions on it."""
        try:
            self._socket = await connect(self.url, **self._options)
        except InvalidURI as error:
            raise ValueError(f"{self.url} is not the address of a WebSocket, such as {DEFAULT_URL}") from error
        except (OSError, WebSocketException, EOFError, asyncio.TimeoutError) as error:
            raise ConnectionLost(f"cannot connect to {self.url}: {error or type(error).__name__}") from error
        self._outgoing = asyncio.Queue()
        for channel in list(self._channels.values()):
            self.open_channel(channel)
        self._turned.set()

    async def _live(self) -> None:
        """Serves one connection after the other."""
        failures = 0
        while True:
            has_heard = await self._serve()
            if not self._reconnect:
                return
            # psiod may let us in and close at once; only what it says counts as success.
            failures = 0 if has_heard else failures + 1
            while not self.is_connected:
                first, longest = self._pauses
                pause = min(longest, first * 2 ** min(failures, 30)) * random.uniform(0.5, 1.0)
                log.info("%s; connecting again in %.2f s", self._lost, pause)
                await asyncio.sleep(pause)
                try:
                    await self._open()
                except ConnectionLost as error:
                    failures += 1
                    self._lost = str(error)
                    if _is_refusal(error.__cause__):
                        return

    async def _serve(self) -> bool:
        """Sends and receives until the connection is lost; whether it heard anything."""
        socket, outgoing = self._socket, self._outgoing
        assert socket is not None and outgoing is not None, "served before it was opened"
        has_heard = False
        writer = asyncio.create_task(_write(socket, outgoing))
        try:
            async for text in socket:
                has_heard = True
                self._take(text)
        except ConnectionClosed:
            pass  # The reason is told below, however it was closed.
        finally:
            self._outgoing = None
            writer.cancel()
            if not self._is_over:
                self._turned.clear()
                self._lost = f"the connection to {self.url} was lost: {_why_closed(socket)}"
            self._fail_pending()
        return has_heard

    def _take(self, text: str | bytes) -> None:
        """What psiod sent. What this version does not know is ignored: psiod may be newer."""
        try:
            message = json.loads(text) if isinstance(text, str) else None
        except (ValueError, RecursionError):
            message = None
        if not isinstance(message, dict):
            return log.warning("ignored a message that is not a JSON object: %.80r", text)
        id, kind = message.get("id"), message.get("type")
        if type(id) is not int:  # true == 1, and 1.0 == 1.
            return log.log(logging.WARNING if kind == "error" else logging.DEBUG, "ignored: %.200r", text)
        if (channel := self._channels.get(id)) is not None:
            self._take_for(channel, kind, message)
        elif (answer := self._pending.get(id)) is not None and not answer.done():
            if kind == "response":
                answer.set_result(message)
            elif kind == "error":
                answer.set_exception(PsioError.from_json(message.get("data")))

    def _take_for(self, channel: Channel, kind: object, message: dict[str, Any]) -> None:
        if kind == "event":
            try:
                channel.deliver(message)
            except Behind as behind:
                log.info("subscribing again: %s", behind)
                self.drop_channel(channel)
                self.open_channel(channel)
            except ProtocolError as error:
                self.drop_channel(channel)
                channel.end(error)
        elif kind == "error":
            del self._channels[channel.id]
            channel.end(PsioError.from_json(message.get("data")))
        elif kind == "end":
            del self._channels[channel.id]
            channel.end(SubscriptionEnded.from_json(message.get("data")))

    def _finish(self, lost: str, end: BaseException | None = None) -> None:
        """No connection will follow."""
        if self._is_over:
            return
        self._is_over = True
        self._lost = lost
        self._turned.set()
        self._fail_pending()
        for channel in self._channels.values():
            channel.end(end or ConnectionLost(lost))
        self._channels.clear()

    def _fail_pending(self) -> None:
        for answer in self._pending.values():
            if not answer.done():
                answer.set_exception(ConnectionLost(self._lost))


async def _write(socket: ClientConnection, outgoing: asyncio.Queue[str]) -> None:
    # Whoever reads from the socket notices that it was closed, and says so.
    with contextlib.suppress(ConnectionClosed):
        while True:
            await socket.send(await outgoing.get())


def _answer(message: dict[str, Any], data: Any) -> Answer[Any]:
    return Answer(data, seconds(message.get("time")), Meta.from_json(message.get("meta")))


def _given(params: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in params.items() if value is not None}


def _encode(message: dict[str, Any]) -> str:
    return json.dumps(message, allow_nan=False, separators=(",", ":"))


def _why_closed(socket: ClientConnection) -> str:
    code, reason = socket.close_code, socket.close_reason
    return f"closed with {code}{f': {reason}' if reason else ''}" if code else "no reason was given"


def _is_refusal(cause: BaseException | None) -> bool:
    """Whether it would be refused again: not a matter of time, but of who asks for what."""
    if not isinstance(cause, InvalidStatus):
        return False
    status = cause.response.status_code
    return 400 <= status < 500 and status not in (408, 425, 429)


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
