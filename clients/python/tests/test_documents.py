"""The examples in the README and in examples/, run against a live psiod."""

from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from daemon import PATIENCE, Psiod

from psio_client.models import ProcessRow

FOLDER = Path(__file__).parents[1]
EXAMPLES = FOLDER / "examples"
README = re.findall(r"```python\n(.*?)```", (FOLDER / "README.md").read_text(), re.DOTALL)
ADDRESS = "ws://localhost:3000/"
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(FOLDER / "src")}


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs Python until it ends."""
    command = [sys.executable, "-W", "error", *arguments]
    return subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=2 * PATIENCE)


@contextmanager
def busy_process() -> Iterator[int]:
    """The pid of a process that uses all the CPU it can get."""
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield process.pid
    finally:
        process.kill()
        process.wait()


@contextmanager
def coming_and_going() -> Iterator[None]:
    """Meanwhile a process starts and ends every now and then."""
    is_over = threading.Event()

    def live() -> None:
        while not is_over.wait(0.1):
            subprocess.run([sys.executable, "-c", ""], check=True)

    thread = threading.Thread(target=live)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


@pytest.mark.parametrize("code", README, ids=range(1, len(README) + 1))
def test_what_the_readme_shows_runs(code: str, psiod: Psiod) -> None:
    assert ADDRESS in code
    with coming_and_going():  # What the example of process.watch waits for.
        done = run("-c", code.replace(ADDRESS, psiod.url))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout


def test_the_status_bar_shows_a_line_a_second(psiod: Psiod) -> None:
    command = [sys.executable, str(EXAMPLES / "status_bar.py"), psiod.url]
    with subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True) as bar:
        assert bar.stdout is not None
        try:
            lines = [bar.stdout.readline() for _ in range(2)]
        finally:
            bar.kill()
    for line in lines:
        assert re.fullmatch(r"cpu +\d+ %  memory +\d+ %  .+\n", line), lines


def test_a_busy_process_raises_an_alert(psiod: Psiod) -> None:
    with busy_process() as pid:
        # The limit is low because others may be busy too, and ours gets what they leave.
        options = ["--url", psiod.url, "--cpu", "2", "--for", "1", "--interval", "0.2", "--memory", "0"]
        done = run(str(EXAMPLES / "alert.py"), *options, "--seconds", "4")
    assert (done.returncode, done.stderr) == (1, "")
    assert re.search(rf"\(pid {pid}, .*\) uses \d+\.?\d* % CPU, for \d s now\n", done.stdout), done.stdout


def test_a_busy_process_is_told_once_until_it_has_rested() -> None:
    busy = runpy.run_path(str(EXAMPLES / "alert.py"))["BusyProcesses"](2.0)
    row = ProcessRow.from_json({"pid": 7, "started": 1, "name": "spin", "username": "eva", "cpu_percent": 99.0})
    again = ProcessRow.from_json({**row.as_dict(), "started": 2})
    told = [list(busy.take(rows, now)) for now, rows in enumerate([[row], [row], [row], [row], [again], [], [again]])]
    assert told == [[], [], ["spin (pid 7, eva) uses 99.0 % CPU, for 2 s now"], [], [], [], []]


def test_little_memory_raises_an_alert_and_once_ends_there(psiod: Psiod) -> None:
    done = run(str(EXAMPLES / "alert.py"), "--url", psiod.url, "--cpu", "1e9", "--memory", "100.1", "--once")
    assert (done.returncode, done.stderr) == (1, "")
    assert re.fullmatch(r"only \d+ MiB of memory available, \d+\.\d % of all\n", done.stdout)


def test_without_a_cause_there_is_no_alert(psiod: Psiod) -> None:
    options = ["--cpu", "1e9", "--memory", "0", "--interval", "0.1", "--seconds", "0.5"]
    done = run(str(EXAMPLES / "alert.py"), "--url", psiod.url, *options)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_without_a_psiod_the_alert_script_says_so() -> None:
    done = run(str(EXAMPLES / "alert.py"), "--url", "ws://127.0.0.1:1/")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("alert: cannot connect to ws://127.0.0.1:1/: ")
