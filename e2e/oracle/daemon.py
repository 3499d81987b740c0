"""psiod as its clients see it: a process of its own, and connections to it."""

import base64
import json
import os
import re
import signal
import socket
import subprocess
import tempfile
import time
import weakref
from pathlib import Path

from websockets.sync.client import connect

PSIOD = os.environ.get("PSIOD") or str(Path(__file__).parents[2] / "target/debug/psiod")
PATIENCE = 15.0
"""Seconds after which what should happen counts as not happening, also on a machine that others keep busy."""


def until(condition, what, patience=PATIENCE, pause=0.005):
    """What `condition` gives once that is true; fails when it takes longer than `patience` seconds."""
    deadline = time.monotonic() + patience
    while True:
        if found := condition():
            return found
        assert time.monotonic() < deadline, f"waited {patience} s in vain until {what}"
        time.sleep(pause)


class Psiod:
    """A running psiod on a free port."""

    def __init__(self, *options):
        self._folder = tempfile.TemporaryDirectory(prefix="psiod-")
        self._log = Path(self._folder.name) / "log"
        weakref.finalize(self, self._folder.cleanup)
        self.started = time.monotonic()
        with self._log.open("wb") as log:
            pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": log}
            self.process = subprocess.Popen([PSIOD, "--port", "0", *options], **pipes)
        # The second line: both sockets are bound before the first is written.
        line = until(lambda: re.search(rb"listening on http://127\.0\.0\.1:(\d+) ", self._read_log()), "psiod listens")
        self.listening = time.monotonic()
        self.port = int(line[1])

    @property
    def pid(self):
        return self.process.pid

    def _read_log(self):
        if self.process.poll() is not None:
            raise AssertionError(f"psiod ended with {self.process.returncode}: {self.log.decode(errors='replace')}")
        return self.log

    @property
    def log(self):
        """Everything it has written to standard error."""
        return self._log.read_bytes()

    def client(self, host="127.0.0.1"):
        return Client(self.port, host)

    def stop(self, sent=signal.SIGTERM):
        """Ends it as a person would; its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(sent)
        try:
            return self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"psiod did not end within {PATIENCE} s of {sent!r}") from None

    def stop_well(self):
        """Ends it and asserts that it lived and died as it should."""
        died = self.process.poll()
        assert died is None, f"psiod died on its own with {died}: {self.log.decode(errors='replace')}"
        assert self.stop() == 0
        assert b"panicked" not in self.log, self.log.decode(errors="replace")


class Client:
    """A WebSocket connection to psiod."""

    def __init__(self, port, host="127.0.0.1"):
        self.socket = connect(
            f"ws://{host}:{port}/", compression=None, proxy=None, max_size=None, ping_interval=None, legacy=True
        )
        self.asked = 0
        """Messages sent."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, message):
        """Sends text or bytes as they are, anything else as JSON."""
        self.asked += 1
        self.socket.send(message if isinstance(message, (str, bytes)) else json.dumps(message))

    def receive_text(self):
        return self.socket.recv(PATIENCE)

    def receive(self):
        return json.loads(self.receive_text())

    def receive_answer(self):
        """The next message that no subscription sent."""
        while (message := self.receive())["type"] in ("event", "end"):
            pass
        return message

    def subscribe(self, id, interval, name, mode=None, **params):
        """The whole answer to a subscription; events of others are lost meanwhile."""
        request = {"type": "subscribe", "id": id, "interval": interval, "data": {"name": name, **params}}
        self.send(request | ({"mode": mode} if mode else {}))
        answer = self.receive_answer()
        assert answer["id"] == id
        return answer

    def unsubscribe(self, subscription):
        self.send({"type": "unsubscribe", "id": f"end of {subscription}", "subscription": subscription})
        return self.receive_answer()

    def event(self, id=None):
        """The next event, of this subscription if it is named."""
        while (message := self.receive())["type"] != "event" or id not in (None, message["id"]):
            pass
        return message

    def exchange(self, message):
        """The answer to one message, with nothing else in flight."""
        self.send(message)
        return self.receive_answer()

    def ask(self, name, **params):
        """The whole answer to a command that is sent with an id."""
        id = self.asked + 1
        answer = self.exchange({"type": "command", "id": id, "data": {"name": name, **params}})
        assert answer["id"] == id
        return answer

    def answer(self, name, **params):
        """The whole answer to a command that succeeds."""
        answer = self.ask(name, **params)
        assert answer["type"] == "response", answer
        return answer

    def data(self, name, **params):
        """The `data` of a command that succeeds."""
        return self.answer(name, **params)["data"]

    def refusal(self, name, **params):
        """The `data` of a command that is refused."""
        answer = self.ask(name, **params)
        assert answer["type"] == "error", answer
        return answer["data"]

    def fresh(self, name, **params):
        """An answer whose sample was begun after this call. Asks again as long as psiod has one that is younger than
        its shortest age."""
        called_ms = time.time() * 1000

        def newer():
            answer = self.answer(name, **params)
            return answer if answer["time"] > called_ms else None

        return until(newer, f"{name} is sampled anew")

    def process(self, pid, **params):
        """The row of a process in a sample begun after this call; `None` when it is not there."""
        rows = self.fresh("process.getall", filter=f"pid={pid}", **params)["data"]
        assert len(rows) < 2
        return rows[0] if rows else None


def raw_connection(psiod):
    return socket.create_connection(("127.0.0.1", psiod.port), PATIENCE)


def raw_exchange(psiod, request):
    """What psiod answers to bytes, until it closes or stops sending for a while."""
    with raw_connection(psiod) as connection:
        try:
            connection.sendall(request)
            connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # It has seen enough and closed.
        answer = b""
        try:
            while chunk := connection.recv(65536):
                answer += chunk
        except ConnectionResetError:
            pass
        return answer


def upgrade_request(host, path="/", origin=None):
    """An opening handshake; `host` may be None."""
    lines = [f"GET {path} HTTP/1.1", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"]
    lines.append("Sec-WebSocket-Key: " + base64.b64encode(b"sixteen bytes...").decode())
    lines += [f"Host: {host}"] if host is not None else []
    lines += [f"Origin: {origin}"] if origin is not None else []
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def text_frame(text):
    """A masked text frame as a client sends it; the mask is zero, which RFC 6455 allows."""
    payload = text.encode()
    assert len(payload) < 126
    return bytes([0x81, 0x80 | len(payload), 0, 0, 0, 0]) + payload


def slow_watcher(psiod, **subscription):
    """A connection with a subscription whose kernel buffers are small, so that it is soon behind."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.settimeout(PATIENCE)
    connection.connect(("127.0.0.1", psiod.port))
    connection.sendall(upgrade_request(f"127.0.0.1:{psiod.port}"))
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += connection.recv(1)
    request = {"type": "subscribe", "id": 1, "interval": 100} | subscription
    connection.sendall(text_frame(json.dumps(request, separators=(",", ":"))))
    return connection


def messages(connection):
    """What psiod sends over such a connection."""
    stream = connection.makefile("rb")
    while head := stream.read(2):
        size = head[1]
        if size == 126:
            size = int.from_bytes(stream.read(2))
        elif size == 127:
            size = int.from_bytes(stream.read(8))
        yield json.loads(stream.read(size))
