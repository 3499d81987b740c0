"""psio as its users run it: in a pipe, on a terminal, and beside a psiod that does as a test tells it."""

import csv
import fcntl
import io
import json
import os
import pty
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import termios
import threading
import time
from pathlib import Path

import pytest
from daemon import PATIENCE, PSIOD, until
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import serve

PSIO = str(Path(PSIOD).with_name("psio"))
REFUSED, MISTYPED = 1, 2
ENVIRONMENT = {"PATH": "/nonexistent", "HOME": "/nonexistent"}
PIPES = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL}

ENTER, LEAVE = b"\x1b[?1049h", b"\x1b[?1049l"
BEGIN, END = b"\x1b[?2026h", b"\x1b[?2026l"


def psio(psiod, *arguments):
    """Runs it to its end, without a terminal."""
    command = [PSIO, "--port", str(psiod.port), *arguments]
    return subprocess.run(command, capture_output=True, timeout=2 * PATIENCE, env=ENVIRONMENT)


def printed(psiod, *arguments):
    """What it prints when all is well."""
    ran = psio(psiod, *arguments)
    assert (ran.returncode, ran.stderr) == (0, b""), ran
    return ran.stdout.decode()


def complaint(psiod, *arguments, code=REFUSED):
    """What it complains about."""
    ran = psio(psiod, *arguments)
    assert (ran.returncode, ran.stdout) == (code, b""), ran
    complaint = ran.stderr.decode()
    assert complaint.startswith("psio: ")
    return complaint


def parsed_csv(text):
    return list(csv.DictReader(io.StringIO(text, newline="")))


class Nobody:
    """A port on which nothing listens."""

    def __init__(self):
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]


class Terminal:
    """psio on a terminal of its own, which is its controlling terminal."""

    LOGIN = "import os, sys; os.login_tty(0); os.execv(sys.argv[1], sys.argv[1:])"

    def __init__(self, port, *arguments, columns=80, rows=24):
        self.master, self.slave = pty.openpty()
        self.resize(columns, rows, tell=False)
        self.cooked = termios.tcgetattr(self.slave)
        command = [sys.executable, "-I", "-S", "-c", self.LOGIN, PSIO, "--port", str(port), *arguments]
        # The terminal is kept open here too, so that what was written last can be read, and its settings.
        self.process = subprocess.Popen(command, stdin=self.slave, env=ENVIRONMENT)
        self.shown = b""

    def resize(self, columns, rows, tell=True):
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        if tell:
            self.process.send_signal(signal.SIGWINCH)

    def read(self):
        """Everything that was written to it."""
        while select.select([self.master], [], [], 0)[0]:
            self.shown += os.read(self.master, 65536)
        return self.shown

    def until(self, condition, what):
        return until(lambda: condition(self.read()), f"{what}; the terminal shows {self.shown!r}")

    def type(self, keys):
        os.write(self.master, keys)

    @property
    def settings(self):
        return termios.tcgetattr(self.slave)

    def wait(self):
        deadline = time.monotonic() + PATIENCE
        while (code := self.process.poll()) is None:
            assert time.monotonic() < deadline, f"psio does not end; the terminal shows {self.read()!r}"
            self.read()
            time.sleep(0.005)
        self.read()
        return code

    def frames(self):
        """The lines of each screenful that was drawn."""
        drawn = re.findall(re.escape(BEGIN) + b"\x1b\\[H(.*?)" + re.escape(END), self.read(), re.DOTALL)
        # The terminal itself adds a carriage return to the one that psio sends.
        return [re.sub(r"\x1b\[[KJ]", "", frame.decode()).split("\r\r\n") for frame in drawn]

    def end(self):
        self.process.kill()
        self.process.wait()
        os.close(self.master)
        os.close(self.slave)


@pytest.fixture
def terminal():
    terminals = []

    def terminal(*arguments, **size):
        terminals.append(Terminal(*arguments, **size))
        return terminals[-1]

    yield terminal
    for terminal in terminals:
        terminal.end()


class Scripted:
    """A psiod that sends what a test tells it to, to whoever subscribes."""

    def __init__(self, script):
        self.requests = []

        def handle(connection):
            try:
                request = json.loads(connection.recv(PATIENCE))
                self.requests.append(request)
                script(lambda **message: connection.send(json.dumps({"id": request["id"]} | message)), self)
            except ConnectionClosed:
                pass  # psio has seen enough.

        self.released = threading.Event()
        self.server = serve(handle, "127.0.0.1", 0, compression=None)
        self.port = self.server.socket.getsockname()[1]
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def hold(self):
        """Keeps the connection until the test is over."""
        self.released.wait(2 * PATIENCE)

    def end(self):
        self.released.set()
        self.server.shutdown()
        self.thread.join()


@pytest.fixture
def scripted():
    servers = []

    def scripted(script):
        servers.append(Scripted(script))
        return servers[-1]

    yield scripted
    for server in servers:
        server.end()


def cpus(usage):
    return [{"num": num, "usage": usage + num} for num in range(2)]


def ticks(count, hold=True):
    """A script: events about two CPUs, as fast as they can be sent, and then quiet."""

    def script(send, server):
        send(type="response", data={"interval": 1000})
        for seq in range(1, count + 1):
            meta = {"window_ms": 1000, "total": 2}
            send(type="event", seq=seq, time=1763816400000 + seq, meta=meta, data=cpus(seq * 10))
        if hold:
            server.hold()

    return script


# Asking once
