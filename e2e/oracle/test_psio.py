"""psio as a person uses it: it starts psiod in the background, shows where its page is, tells about it and ends it."""

import fcntl
import http.server
import json
import os
import pty
import re
import signal
import socket
import stat
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path

import psutil
import pytest
from children import Child
from daemon import PATIENCE, PSIOD, until

PSIO = str(Path(PSIOD).with_name("psio"))
NOT_RUNNING = 3

# Records each call in one write, so that nobody reads half of one.
OPENER = """#!/bin/sh
echo "$#:$*" >> "$HOME/opened"
"""


class Home:
    """A person of the machine: a home of their own, a free port, and no screen."""

    def __init__(self, path):
        self.path = path
        self.state, self.runtime = path / "state", path / "run"
        programs = path / "programs"
        programs.mkdir()
        (programs / "xdg-open").write_text(OPENER)
        (programs / "xdg-open").chmod(0o755)
        self.environment = {
            "HOME": str(path),
            "PATH": str(programs),
            "XDG_STATE_HOME": str(self.state),
            "XDG_RUNTIME_DIR": str(self.runtime),
        }
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]

    @property
    def page(self):
        return f"http://localhost:{self.port}/"

    @property
    def log(self):
        return self.state / "psio" / f"psiod-{self.port}.log"

    @property
    def pid_file(self):
        return self.runtime / "psio" / f"psiod-{self.port}.pid"

    @property
    def options(self):
        """How psio is to be run, besides its arguments. With this umask nothing but psio keeps a file private."""
        return {"env": self.environment, "cwd": self.path, "umask": 0}

    def psio(self, *arguments, **environment):
        """Runs it to its end."""
        options = self.options | {"env": self.environment | environment}
        command = [PSIO, "--port", str(self.port), *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=2 * PATIENCE, **options)

    def started(self):
        """The pid of the psiod that psio started."""
        ran = self.psio("--no-open")
        assert (ran.returncode, ran.stderr) == (0, "")
        return self.asked()["pid"]

    def asked(self):
        """What psiod says of itself."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=PATIENCE) as answer:
            return json.load(answer)

    def processes(self):
        """Everything that lives and was started by this person: nobody else has this home."""
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get("HOME") == str(self.path) and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
            except psutil.Error:
                pass  # It went, or died.
        return found

    def end(self):
        for process in self.processes():
            try:
                process.kill()
            except psutil.NoSuchProcess:
                pass
        until(lambda: not self.processes(), "everything has ended")


@pytest.fixture
def home(tmp_path):
    home = Home(tmp_path)
    yield home
    home.end()


def has_ended(pid):
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def has_terminal(pid):
    """Field 7 of `/proc/PID/stat`, see proc_pid_stat(5). psutil knows only terminals that were there when it was asked
    first."""
    behind_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2]
    return behind_name.split()[4] != "0"


def permissions(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def impostor(home):
    """Starts a server on the person's port that answers `/healthz` as it is told."""
    servers = []

    def impostor(**said):
        said = {"name": "psiod", "version": "9.9.9", "pid": os.getpid(), "protocol": 1, "uptime": 1.0} | said

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                body = json.dumps(said).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", home.port), Handler)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        servers.append((server, thread))

    yield impostor
    for server, thread in servers:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def victim():
    """A process that nobody may end."""
    child = Child()
    yield child
    child.end()


def assert_unharmed(victim):
    # A signal that was sent before would be heard before the word.
    victim.tell("go")
    assert victim.process.wait(PATIENCE) == 0


def test_it_starts_psiod_and_prints_the_address(home):
    ran = home.psio("--no-open")
    assert (ran.returncode, ran.stderr) == (0, "")
    psiod = home.asked()
    first, last = ran.stdout.splitlines()
    assert f"psiod {psiod['version']} started (pid {psiod['pid']})" in first and str(home.log) in first
    assert last == home.page
    assert [process.pid for process in home.processes()] == [psiod["pid"]]


def test_psiod_has_a_session_of_its_own_and_no_terminal(home):
    pid = home.started()
    assert os.getsid(pid) == pid
    assert not has_terminal(pid)
    assert os.readlink(f"/proc/{pid}/cwd") == "/"
    assert os.readlink(f"/proc/{pid}/fd/0") == "/dev/null"


# In a new session with the terminal on its standard input, as a terminal window starts a shell.
SHELL = """
import os, sys
os.login_tty(0)
os.execv("/bin/sh", ["sh", "-c", '"$0" --no-open --port "$1"; echo over; read end', *sys.argv[1:]])
"""


def test_psiod_survives_the_terminal_and_the_process_group_it_was_started_from(home):
    ours, theirs = pty.openpty()
    command = [sys.executable, "-I", "-S", "-c", SHELL, PSIO, str(home.port)]
    shell = subprocess.Popen(command, stdin=theirs, **home.options)
    try:
        os.close(theirs)
        shown = b""
        while b"over" not in shown:
            shown += os.read(ours, 4096)
        assert home.page.encode() in shown
        pid = home.asked()["pid"]
        assert has_terminal(shell.pid) and not has_terminal(pid)
        os.close(ours)
        assert shell.wait(PATIENCE) == -signal.SIGHUP
        with pytest.raises(ProcessLookupError):
            os.killpg(shell.pid, signal.SIGKILL)  # Nobody else was in it.
        assert home.asked()["pid"] == pid
    finally:
        shell.kill()
        shell.wait()


def test_a_second_psio_starts_nothing(home):
    pid = home.started()
    logged = home.log.read_bytes()
    ran = home.psio("--no-open")
    assert (ran.returncode, ran.stderr) == (0, "")
    first, last = ran.stdout.splitlines()
    assert f"is running (pid {pid})" in first
    assert last == home.page
    assert [process.pid for process in home.processes()] == [pid]
    assert home.log.read_bytes() == logged


def test_log_and_pid_file_are_where_they_belong_and_private(home):
    pid = home.started()
    assert home.pid_file.read_text() == f"{pid}\n"
    assert "listening on" in home.log.read_text()
    assert [permissions(path) for path in (home.pid_file, home.log)] == [0o600, 0o600]
    assert [permissions(path.parent) for path in (home.pid_file, home.log)] == [0o700, 0o700]


def test_status_tells_version_pid_address_and_log(home):
    pid = home.started()
    ran = home.psio("status")
    assert (ran.returncode, ran.stderr) == (0, "")
    for told in [f"psiod {home.asked()['version']} ", f"pid {pid}", home.page, str(home.log)]:
        assert told in ran.stdout


def test_status_of_nothing(home):
    ran = home.psio("status")
    assert (ran.returncode, ran.stderr) == (NOT_RUNNING, "")
    assert ran.stdout == f"psiod is not running on port {home.port}\n"


def test_stop_ends_psiod_and_says_the_second_time_that_there_is_none(home):
    pid = home.started()
    ran = home.psio("stop")
    assert (ran.returncode, ran.stderr, ran.stdout) == (0, "", f"psiod (pid {pid}) stopped\n")
    assert has_ended(pid)
    assert not home.pid_file.exists()
    assert "psiod stopped" in home.log.read_text()
    ran = home.psio("stop")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout == f"psiod is not running on port {home.port}\n"


def test_psiod_can_be_started_again_after_it_was_stopped(home):
    first = home.started()
    assert home.psio("stop").returncode == 0
    second = home.started()
    assert second != first
    assert home.pid_file.read_text() == f"{second}\n"


def test_stop_ends_a_psiod_that_was_started_by_hand_though_nobody_collects_it(home):
    # This process is the parent, and does not wait: what is left is a zombie.
    psiod = subprocess.Popen([PSIOD, "--port", str(home.port)], stderr=subprocess.PIPE, **home.options)
    try:
        assert b"listening on" in psiod.stderr.readline()
        ran = home.psio("stop")
        assert (ran.returncode, ran.stderr, ran.stdout) == (0, "", f"psiod (pid {psiod.pid}) stopped\n")
        assert psutil.Process(psiod.pid).status() == psutil.STATUS_ZOMBIE
    finally:
        psiod.kill()
        code = psiod.wait()
        psiod.stderr.close()
    assert code == 0


def test_a_psiod_that_hangs_is_found_through_its_pid_file(home):
    pid = home.started()
    os.kill(pid, signal.SIGSTOP)
    until(lambda: psutil.Process(pid).status() == psutil.STATUS_STOPPED, "psiod hangs")
    status = home.psio("status")
    assert status.returncode == 1
    assert f"pid {pid}" in status.stderr and "does not answer" in status.stderr
    stop = home.psio("stop")
    assert (stop.returncode, stop.stdout) == (0, f"psiod (pid {pid}) stopped\n")
    assert has_ended(pid)


def test_two_at_the_same_moment_start_one_psiod(home):
    command = [PSIO, "--no-open", "--port", str(home.port)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    both = [subprocess.Popen(command, **pipes, **home.options) for _ in range(2)]
    try:
        for psio in both:
            told, complained = psio.communicate(timeout=2 * PATIENCE)
            assert (psio.returncode, complained) == (0, "")
            assert f"(pid {home.asked()['pid']})" in told and home.page in told
    finally:
        for psio in both:
            psio.kill()
            psio.wait()
    assert [process.pid for process in home.processes()] == [home.asked()["pid"]]


def test_a_port_taken_by_another_program_is_told_with_its_name_and_pid(home, spawn):
    hang_up = f"""
import socket
rename(b"some-server")
server = socket.create_server(("127.0.0.1", {home.port}))
def serve():
    while True:
        server.accept()[0].close()
threading.Thread(target=serve, daemon=True).start()
"""
    server = spawn(hang_up)
    ran = home.psio("--no-open")
    assert ran.returncode == 1
    assert ran.stdout == ""
    assert f"taken by some-server (pid {server.pid})" in ran.stderr
    assert ran.stderr.startswith("psio: ") and ran.stderr.count("\n") == 1
    assert home.processes() == []


def test_whom_a_false_psiod_names_is_not_ended(home, impostor, victim):
    impostor(pid=victim.pid)
    ran = home.psio("stop")
    assert (ran.returncode, ran.stdout) == (1, "")
    assert "nothing was stopped" in ran.stderr and f"(pid {os.getpid()})" in ran.stderr
    assert_unharmed(victim)


@pytest.mark.parametrize("pid", [0, 2**31, 2**32 - 1])
def test_a_pid_that_is_none_is_refused(home, impostor, pid):
    impostor(pid=pid)
    ran = home.psio("stop")
    assert (ran.returncode, ran.stdout) == (1, "")


def test_whom_a_pid_file_names_that_a_crash_left_behind_is_not_ended(home, victim):
    home.pid_file.parent.mkdir(parents=True)
    home.pid_file.write_text(f"{victim.pid}\n")
    ran = home.psio("stop")
    assert (ran.returncode, ran.stdout) == (0, f"psiod is not running on port {home.port}\n")
    assert_unharmed(victim)


def test_whom_a_pid_file_names_that_somebody_else_has_locked_is_not_ended(home, victim):
    # As between the lock and the first line of the psiod that comes after a crash.
    home.pid_file.parent.mkdir(parents=True)
    with home.pid_file.open("w") as file:
        file.write(f"{victim.pid}\n")
        file.flush()
        fcntl.flock(file, fcntl.LOCK_EX)
        assert home.psio("stop").returncode == 0
    assert_unharmed(victim)


def test_what_a_false_psiod_says_cannot_paint_the_terminal(home, impostor):
    impostor(version="1\x1b[31m\n\u202e2")
    for arguments in [["status"], ["--no-open"]]:
        ran = home.psio(*arguments)
        assert ran.returncode == 0
        assert "psiod 1\\u{1b}[31m\\n\\u{202e}2 is running" in ran.stdout
        assert not re.search("[\x00-\x09\x0b-\x1f\u202e]", ran.stdout)


def test_a_psiod_with_another_protocol_is_told(home, impostor):
    impostor(protocol=2)
    status = home.psio("status")
    assert status.returncode == 0
    assert "speaks protocol 2" in status.stdout
    launch = home.psio("--no-open")
    assert launch.returncode == 1
    assert "speaks protocol 2" in launch.stderr and "psio stop" in launch.stderr
    assert home.page not in launch.stdout


def test_daemon_is_psiod(home):
    command = {"capture_output": True, "text": True, "check": True, "timeout": PATIENCE}
    psio = subprocess.run([PSIO, "daemon", "--help"], **command)
    psiod = subprocess.run([PSIOD, "--help"], **command)
    assert "Usage: psiod" in psio.stdout
    assert psio.stdout == psiod.stdout


def test_the_browser_is_opened_where_there_is_a_screen_and_nobody_objects(home):
    for arguments, screen in [([], {}), ([], {"DISPLAY": ""}), (["--no-open"], {"DISPLAY": ":9"})]:
        assert home.psio(*arguments, **screen).returncode == 0
    # Whatever the three before had opened would have been opened before these.
    for screen in [{"DISPLAY": ":9"}, {"WAYLAND_DISPLAY": "wayland-9"}]:
        ran = home.psio(**screen)
        assert (ran.returncode, ran.stderr) == (0, "")
    opened = home.path / "opened"
    until(lambda: opened.exists() and opened.read_text().count("\n") >= 2, "the browser is opened")
    assert opened.read_text() == 2 * f"1:{home.page}\n"


def test_a_browser_that_cannot_be_opened_is_no_failure(home):
    ran = home.psio(DISPLAY=":9", PATH="/nonexistent")
    assert ran.returncode == 0
    assert home.page in ran.stdout
    assert "cannot open a browser" in ran.stderr


def test_nobody_reading_is_no_reason_to_panic(home):
    for arguments, code in [(["status"], NOT_RUNNING), (["--no-open"], 0), (["status"], 0), (["stop"], 0)]:
        reading, writing = os.pipe()
        os.close(reading)
        command = [PSIO, "--port", str(home.port), *arguments]
        with os.fdopen(writing, "wb") as closed:
            ran = subprocess.run(
                command, stdout=closed, stderr=subprocess.PIPE, timeout=2 * PATIENCE, **home.options
            )
        assert (ran.returncode, ran.stderr) == (code, b"")


def test_without_a_home_it_says_what_is_missing(home):
    ran = subprocess.run([PSIO, "status"], capture_output=True, text=True, env={}, timeout=PATIENCE)
    assert ran.returncode == 1
    assert "HOME" in ran.stderr


def test_a_port_that_is_no_port_is_refused():
    for port in ["0", "70000"]:
        ran = subprocess.run([PSIO, "--port", port], capture_output=True, text=True, timeout=PATIENCE)
        assert ran.returncode == 2
        assert port in ran.stderr
