"""`psio watch`: lines for programs, a table that is redrawn for people, and a terminal that is given back."""

import json
import re
import signal
import subprocess
from pathlib import Path

import pytest
from daemon import PATIENCE, until
from shell import (
    complaint, cpus, END, ENTER, ENVIRONMENT, LEAVE, parsed_csv, PIPES, printed, PSIO, psio, REFUSED, scripted,
    terminal, ticks,
)


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
