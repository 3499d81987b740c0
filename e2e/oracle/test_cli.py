"""`psio get` and `psio watch` as a shell and a terminal see them."""

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


def test_json_is_the_data_as_psiod_wrote_it(psiod, client):
    client.send({"type": "command", "data": {"name": "daemon.describe"}})
    whole = client.receive_text()
    prefix = '{"type":"response","data":'
    assert whole.startswith(prefix)
    assert printed(psiod, "get", "daemon.describe") == whole[len(prefix) : -1] + "\n"


def test_options_choose_as_parameters_do(psiod, client, spawn):
    pids = sorted(spawn('rename(b"chosen")').pid for _ in range(4))
    until(lambda: len(client.data("process.getall", filter="name=chosen")) == 4, "the children are seen")
    options = ["--sort", "-pid", "--limit", "2", "--offset", "1", "--fields", "pid,nice", "--filter", "name=chosen uid>=0"]
    rows = json.loads(printed(psiod, "get", "process.getall", *options))
    nice = os.nice(0)
    assert [list(row.items()) for row in rows] == [[("pid", pid), ("nice", nice)] for pid in (pids[2], pids[1])]


def test_an_option_may_be_an_integer(psiod, client):
    row = json.loads(printed(psiod, "get", "process.get", "--pid", str(os.getpid())))
    assert (row["pid"], row["ppid"]) == (os.getpid(), os.getppid())


def test_csv_is_what_the_json_says(psiod, client, spawn):
    strange = 'a,"b\n=1'
    child = spawn(f"rename({strange.encode()!r})", "two words", "")
    row = client.process(child.pid)
    assert row["name"] == strange
    text = printed(psiod, "get", "process.getall", "--csv", "--filter", f"pid={child.pid}")
    (record,) = parsed_csv(text)
    expected = {}
    for name, value in row.items():
        if name in ("cpu_times", "memory_info"):
            expected |= {f"{name}.{at}": str(part) for at, part in enumerate(value)}
        elif isinstance(value, list):
            expected[name] = value
        else:
            expected[name] = "" if value is None else str(value)
    assert list(record) == list(expected)
    record["cmdline"] = json.loads(record["cmdline"])
    assert record["cmdline"][-2:] == ["two words", ""]
    changing = {"cpu_percent", "cpu_times.0", "cpu_times.1", "cpu_num", "memory_percent", "status", "memory_info.0"}
    assert {n: v for n, v in record.items() if n not in changing} == {
        n: v for n, v in expected.items() if n not in changing
    }
    assert int(record["memory_info.0"]) > 0


def test_csv_of_nothing_has_its_header(psiod):
    text = printed(psiod, "get", "process.getall", "--csv", "--filter", "pid=0", "--fields", "name,cpu_times")
    assert text == "name,cpu_times.0,cpu_times.1\r\n"


def test_csv_of_an_object_has_dotted_names(psiod, client):
    (record,) = parsed_csv(printed(psiod, "get", "memory.getall", "--csv"))
    memory = client.data("memory.getall")
    assert list(record) == [f"{part}.{name}" for part in memory for name in memory[part]]
    assert int(record["virtual.total"]) == memory["virtual"]["total"]


def test_columns_are_printed_as_rows(psiod):
    options = ["--fields", "num", "--sort", "num", "--format", "columns"]
    cpus = json.loads(printed(psiod, "get", "cpu.getall", "--fields", "num"))
    assert parsed_csv(printed(psiod, "get", "cpu.getall", "--csv", *options)) == [{"num": str(c["num"])} for c in cpus]


def test_on_a_terminal_it_is_a_table_that_fits(psiod, terminal, spawn, client):
    child = spawn('rename(b"\\x1b[31mred")')
    client.process(child.pid)
    for columns in [20, 80, 300]:
        shown = terminal(psiod.port, "get", "process.getall", "--filter", f"pid={child.pid}", columns=columns)
        assert shown.wait() == 0
        header, row, end = shown.shown.decode().split("\r\n")
        assert end == "" and header.split()[:2] == ["pid", "name"]
        assert len(row) <= columns and len(header) <= columns
        assert row.split()[0] == str(child.pid)
        # What a process calls itself does not paint the terminal.
        assert b"\x1b" not in shown.shown
    assert " \\u{1b}[31mred " in row and re.search(r" \d+\.\dM \d+\.\d[MG] ", row)


@pytest.mark.parametrize("form", ["--json", "--csv"])
def test_no_form_paints_the_terminal(psiod, terminal, spawn, client, form):
    child = spawn('rename("\\u202e\\u009b1m".encode())')
    client.process(child.pid)
    shown = terminal(
        psiod.port, "get", "process.getall", form, "--fields", "name", "--filter", f"pid={child.pid}", columns=200
    )
    assert shown.wait() == 0
    text = shown.shown.decode()
    if form == "--json":
        assert json.loads(text) == [{"name": "\u202e\u009b1m"}]
        assert "\\u202e\\u009b1m" in text
    else:
        assert text.split() == ["name", "\\u{202e}\\u{9b}1m"]


def test_an_object_is_a_line_for_each_field_on_a_terminal(psiod, terminal):
    shown = terminal(psiod.port, "get", "memory.getall")
    assert shown.wait() == 0
    lines = dict(line.split() for line in shown.shown.decode().splitlines())
    assert re.fullmatch(r"\d+\.\d[MGT]", lines["virtual.total"])
    assert re.fullmatch(r"\d+\.\d", lines["virtual.percent"])


def test_a_table_that_is_piped_has_its_full_width(psiod):
    header = printed(psiod, "get", "process.getall", "--table", "--limit", "1").splitlines()[0]
    assert header.split()[-1] == "cmdline" and len(header) > 100


def test_nobody_reading_is_no_failure(psiod):
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as closed:
        command = [PSIO, "--port", str(psiod.port), "get", "process.getall"]
        ran = subprocess.run(command, stdout=closed, stderr=subprocess.PIPE, timeout=PATIENCE, env=ENVIRONMENT)
    assert (ran.returncode, ran.stderr) == (0, b"")


def test_a_full_disk_is_told(psiod):
    command = [PSIO, "--port", str(psiod.port), "get", "host.getstats"]
    with open("/dev/full", "wb") as full:
        ran = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, timeout=PATIENCE, env=ENVIRONMENT)
    assert ran.returncode == 1
    assert ran.stderr.startswith(b"psio: cannot write the output: ")


def test_the_help_lists_every_command_that_tells_something(psiod, client):
    told = printed(psiod, "get", "--help")
    for command in client.data("daemon.describe")["commands"]:
        if command["kind"] == "read":
            assert f"\n  {command['name']} " in told
            own = printed(psiod, "get", command["name"], "--help")
            for parameter in command["params"].get("properties", {}):
                assert f"--{parameter}" in own


# Refusals


def test_a_refusal_of_psiods_is_told_in_its_words(psiod, client):
    free = client.refusal("process.get", pid=2**31 - 1)["message"]
    assert complaint(psiod, "get", "process.get", "--pid", str(2**31 - 1)) == f"psio: {free}\n"
    assert "did you mean name?" in complaint(psiod, "get", "process.getall", "--fields", "nane")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["get", "proces.getall"], ["proces.getall", "did you mean process.getall"]),
        (["get", "process.getall", "--srt", "pid"], ["--srt", "--sort"]),
        (["get", "process.getall", "--limit", "ten"], ["ten", "--limit", "expected an integer"]),
        (["get", "process.getall", "--limit", "-1"], ["-1", "--limit", "expected an integer ≥ 0"]),
        (["get", "process.get"], ["--pid"]),
        (["get", "cpu.getall", "--json", "--csv"], ["--json", "--csv"]),
        (["get", "cpu.getall", "--url", "http://localhost:3000/"], ["ws://localhost:3000/"]),
        (["watch", "cpu.getall", "--interval", "soon"], ["soon", "500ms"]),
        (["watch", "cpu.getall", "--count", "0"], ["0", "--count"]),
        (["watch", "cpu.getall\x1b[31m"], ["\\u{1b}[31m"]),
    ],
)
def test_what_was_mistyped_is_told(arguments, told):
    complained = complaint(Nobody(), *arguments, code=MISTYPED)
    assert all(word in complained for word in told), complained
    assert "\x1b" not in complained


@pytest.mark.parametrize("verb", ["get", "watch"])
def test_without_psiod_it_says_what_to_type(verb):
    nobody = Nobody()
    told = complaint(nobody, verb, "cpu.getall")
    assert told == f"psio: psiod is not running on port {nobody.port}; `psio --port {nobody.port}` starts it\n"


def test_an_address_that_is_given_is_where_it_asks(psiod):
    url = f"ws://127.0.0.1:{psiod.port}/"
    assert json.loads(printed(Nobody(), "get", "host.getstats", "--url", url))["hostname"]
    nobody = f"ws://127.0.0.1:{Nobody().port}/"
    assert f"no psiod answers at {nobody}" in complaint(psiod, "get", "host.getstats", "--url", nobody)


def test_whoever_does_not_answer_is_not_waited_for():
    nobody = Nobody()
    with socket.create_server(("127.0.0.1", nobody.port)):
        assert "has not answered within 5 s" in complaint(nobody, "get", "cpu.getall")


def test_a_server_that_is_no_psiod_is_told(psiod):
    told = complaint(psiod, "get", "cpu.getall", "--url", f"ws://127.0.0.1:{psiod.port}/api/nothing")
    assert "HTTP 404" in told


# Watching


def test_watch_prints_a_line_for_each_event_and_asks_for_what_was_typed(scripted):
    server = scripted(ticks(5))
    lines = printed(server, "watch", "cpu.getall", "--interval", "500ms", "--count", "3", "--sort", "-usage").splitlines()
    assert [json.loads(line) for line in lines] == [
        {"seq": seq, "time": 1763816400000 + seq, "meta": {"window_ms": 1000, "total": 2}, "data": cpus(seq * 10)}
        for seq in (1, 2, 3)
    ]
    (request,) = server.requests
    assert request == {
        "type": "subscribe", "id": request["id"], "interval": 500, "data": {"name": "cpu.getall", "sort": "-usage"}
    }


def test_watch_leaves_the_interval_to_psiod(scripted):
    server = scripted(ticks(1))
    printed(server, "watch", "cpu.getall", "--count", "1")
    assert "interval" not in server.requests[0]


def test_watch_as_csv_has_one_header_and_the_time_of_each_event(scripted):
    rows = parsed_csv(printed(scripted(ticks(2)), "watch", "cpu.getall", "--csv", "--count", "2"))
    assert rows == [
        {"time": str(1763816400000 + seq), "num": str(num), "usage": str(seq * 10 + num)}
        for seq in (1, 2)
        for num in (0, 1)
    ]


def test_watch_says_when_psiod_goes_away(scripted):
    ran = psio(scripted(ticks(2, hold=False)), "watch", "cpu.getall")
    assert (ran.returncode, ran.stdout.count(b"\n")) == (REFUSED, 2)
    assert re.fullmatch(rb"psio: psiod closed the connection.*\n", ran.stderr)


def test_watch_says_why_a_subscription_ends(scripted):
    def script(send, server):
        send(type="response", data={"interval": 1000})
        send(type="end", data={"code": "not_found", "message": "process 412 exited"})
        server.hold()

    assert complaint(scripted(script), "watch", "process.get", "--pid", "412") == "psio: process 412 exited\n"


def test_watch_ends_with_whoever_reads_it_though_nothing_happens(scripted):
    server = scripted(ticks(1))
    command = [PSIO, "--port", str(server.port), "watch", "cpu.getall"]
    watching = subprocess.Popen(command, env=ENVIRONMENT, **PIPES)
    try:
        assert json.loads(watching.stdout.readline())["seq"] == 1
        watching.stdout.close()
        assert watching.wait(PATIENCE) == 0
        assert watching.stderr.read() == b""
    finally:
        watching.kill()
        watching.wait()
        watching.stderr.close()


def test_watch_into_head(scripted):
    server = scripted(ticks(50))
    shell = f"{PSIO} --port {server.port} watch cpu.getall | /usr/bin/head -n 1; echo ${{PIPESTATUS[0]}}"
    ran = subprocess.run(["/bin/bash", "-c", shell], capture_output=True, timeout=2 * PATIENCE, env=ENVIRONMENT)
    line, code = ran.stdout.splitlines()
    assert (json.loads(line)["seq"], code, ran.stderr) == (1, b"0", b"")


def test_on_a_terminal_the_table_is_redrawn_in_place(scripted, terminal):
    shown = terminal(scripted(ticks(3)).port, "watch", "cpu.getall", columns=40, rows=10)
    shown.until(lambda text: text.count(END) == 3, "three tables are drawn")
    assert shown.shown.startswith(ENTER) and shown.shown.count(ENTER) == 1
    title, header, *rows = shown.frames()[-1]
    assert title.startswith("cpu.getall: 2 of 2")
    assert (header, rows) == ("num  usage", ["  0   30.0", "  1   31.0"])
    # Nothing is cleared before it is drawn anew, and nothing scrolls.
    assert b"\x1b[2J" not in shown.shown and not shown.shown.endswith(b"\n")


def test_a_table_is_cut_to_the_terminal_and_follows_its_size(scripted, terminal):
    def script(send, server):
        send(type="response", data={"interval": 1000})
        rows = [{"pid": 100 + at, "name": "日本" * 9, "cmdline": ["x" * 300]} for at in range(50)]
        send(type="event", seq=1, time=1, data=rows)
        server.hold()

    shown = terminal(scripted(script).port, "watch", "process.getall", columns=30, rows=6)
    shown.until(lambda text: text.count(END) == 1, "a table is drawn")
    (frame,) = shown.frames()
    assert len(frame) == 6 and frame[-1] == "… 47 more"
    assert frame[2] == "100  日本日本日本日本日本日本…"
    shown.resize(60, 10)
    # The kernel may tell of the new size too.
    shown.until(lambda text: text.count(END) >= 2, "it is drawn anew")
    frame = shown.frames()[-1]
    assert len(frame) == 10 and frame[-1] == "… 43 more"
    assert frame[2].endswith("x…")


@pytest.mark.parametrize("keys", [b"\x03", b"q"])
def test_the_terminal_is_given_back(scripted, terminal, keys):
    shown = terminal(scripted(ticks(1)).port, "watch", "cpu.getall")
    shown.until(lambda text: text.count(END) == 1, "a table is drawn")
    assert shown.settings != shown.cooked
    shown.type(keys)
    assert shown.wait() == {b"\x03": -signal.SIGINT, b"q": 0}[keys]
    assert shown.shown.endswith(LEAVE) and b"\x1b[?25h" in shown.shown.rpartition(END)[2]
    assert shown.settings == shown.cooked


def test_events_that_never_pause_do_not_keep_the_person_from_ending_it(scripted, terminal):
    def script(send, server):
        send(type="response", data={"interval": 100})
        while True:
            send(type="event", seq=1, time=1, data=cpus(1))

    shown = terminal(scripted(script).port, "watch", "cpu.getall")
    shown.until(lambda text: text.count(END) > 100, "tables are drawn")
    shown.type(b"q")
    assert shown.wait() == 0
    assert shown.shown.endswith(LEAVE) and shown.settings == shown.cooked


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_the_terminal_is_given_back_by_whatever_ends_it(scripted, terminal, sent):
    shown = terminal(scripted(ticks(1)).port, "watch", "cpu.getall")
    shown.until(lambda text: text.count(END) == 1, "a table is drawn")
    shown.process.send_signal(sent)
    assert shown.wait() == -sent
    assert shown.shown.endswith(LEAVE) and shown.settings == shown.cooked


def test_the_terminal_is_given_back_before_an_error_is_told(scripted, terminal):
    shown = terminal(scripted(ticks(1, hold=False)).port, "watch", "cpu.getall")
    assert shown.wait() == REFUSED
    restored, said = shown.shown.split(LEAVE)
    assert re.fullmatch(rb"psio: psiod closed the connection.*\r\n", said)
    assert shown.settings == shown.cooked


def test_a_pause_gives_the_terminal_back_too(scripted, terminal):
    shown = terminal(scripted(ticks(1)).port, "watch", "cpu.getall")
    shown.until(lambda text: text.count(END) == 1, "a table is drawn")
    shown.process.send_signal(signal.SIGTSTP)
    shown.until(lambda text: text.endswith(LEAVE), "the terminal is given back")
    assert shown.settings == shown.cooked
    until(lambda: Path(f"/proc/{shown.process.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T", "it stops")
    shown.process.send_signal(signal.SIGCONT)
    shown.until(lambda text: text.count(END) == 2, "the table is drawn anew")
    assert shown.shown.count(ENTER) == 2 and shown.settings != shown.cooked


def test_the_last_table_stays_when_there_were_enough(scripted, terminal):
    shown = terminal(scripted(ticks(2)).port, "watch", "cpu.getall", "--count", "2")
    assert shown.wait() == 0
    _, left = shown.shown.split(LEAVE)
    assert left.decode().split("\r\n") == ["num  usage", "  0   20.0", "  1   21.0", ""]


def test_a_refusal_leaves_the_terminal_alone(scripted, terminal):
    def script(send, server):
        send(type="error", data={"code": "bad_params", "message": "no\x1b[31m"})
        server.hold()

    shown = terminal(scripted(script).port, "watch", "cpu.getall")
    assert shown.wait() == REFUSED
    assert shown.shown == b"psio: no\\u{1b}[31m\r\n"


# Watching a living psiod


def test_watch_follows_a_living_psiod(psiod):
    lines = printed(psiod, "watch", "cpu.getall", "--interval", "100ms", "--count", "3").splitlines()
    events = [json.loads(line) for line in lines]
    assert [event["seq"] for event in events] == [1, 2, 3]
    assert all({"time", "data"} <= event.keys() for event in events)
    assert [cpu["num"] for cpu in events[0]["data"]] == [cpu["num"] for cpu in events[2]["data"]]
    assert events[0]["time"] < events[2]["time"]


def test_watch_refuses_the_intervals_that_psiod_refuses(psiod):
    told = complaint(psiod, "watch", "cpu.getall", "--interval", "1ms")
    assert "100" in told and "interval" in told


def test_watch_on_a_terminal_follows_a_living_psiod(psiod, terminal):
    options = ["--interval", "100ms", "--sort", "-cpu_percent", "--fields", "pid,name,memory_info"]
    shown = terminal(psiod.port, "watch", "process.getall", *options, rows=12)
    shown.until(lambda text: text.count(END) >= 3, "three tables are drawn")
    frame = shown.frames()[-1]
    assert len(frame) == 12 and frame[1].split() == ["pid", "name", "memory_info"]
    assert all(re.match(r" *\d+  .* \d+\.?\d*[BKMGT]$", row) for row in frame[2:-1]), frame
    shown.type(b"q")
    assert shown.wait() == 0
    assert shown.settings == shown.cooked


def test_watch_ends_when_its_psiod_does(start):
    psiod = start()
    command = [PSIO, "--port", str(psiod.port), "watch", "cpu.getall"]
    watching = subprocess.Popen(command, env=ENVIRONMENT, **PIPES)
    try:
        assert json.loads(watching.stdout.readline())["seq"] == 1
        psiod.stop()
        assert watching.wait(PATIENCE) == REFUSED
        assert watching.stderr.read().startswith(b"psio: psiod ")
    finally:
        watching.kill()
        watching.wait()
        watching.stdout.close()
        watching.stderr.close()


def test_a_background_job_watches_without_being_stopped(psiod):
    watching = f"timeout -s INT 2 {PSIO} watch cpu.getall --port {psiod.port}; echo ended"
    shown = subprocess.run(["script", "-qec", watching, "/dev/null"], capture_output=True, timeout=PATIENCE)
    assert b"usage" in shown.stdout and shown.stdout.endswith(b"ended\r\n")
