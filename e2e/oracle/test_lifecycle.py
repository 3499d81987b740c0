"""From start to end: ports, signals, the log, and what psiod costs while it runs."""

import json
import os
import re
import signal
import socket
import subprocess
import threading
import time
import urllib.request

import psutil
import pytest
from children import Burner
from daemon import PSIOD, raw_connection, raw_exchange, until, upgrade_request
from websockets.exceptions import ConnectionClosed

CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def refused(*options):
    """What a psiod that cannot start says, and its exit code."""
    ended = subprocess.run([PSIOD, *options], capture_output=True, timeout=20)
    return ended.stderr.decode(), ended.returncode


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_closes_every_connection_with_1001_and_ends_psiod_with_0(start, sent):
    psiod = start()
    clients = [psiod.client() for _ in range(3)]
    clients[1].send({"type": "command", "data": {"name": "process.getall"}})
    assert psiod.stop(sent) == 0
    for client in clients:
        with pytest.raises(ConnectionClosed) as closed:
            while True:
                client.receive()
        assert closed.value.rcvd.code == 1001


def test_connections_that_say_nothing_do_not_delay_the_end(start):
    psiod = start()
    psiod.client().close()  # It is up.
    silent, half = raw_connection(psiod), raw_connection(psiod)
    half.sendall(b"GET / HTTP/1.1\r\n")
    began = time.monotonic()
    assert psiod.stop() == 0
    # The patience that psiod has with those who do not close is three seconds.
    assert time.monotonic() - began < 5
    silent.close()
    half.close()


def test_it_listens_on_both_loopback_addresses(psiod):
    for host in ["127.0.0.1", "[::1]"]:
        with psiod.client(host) as client:
            assert client.data("daemon.getstats")["pid"] == psiod.pid


def test_it_listens_on_no_other_address(psiod):
    local = {(c.laddr.ip, c.laddr.port) for c in psutil.Process(psiod.pid).net_connections() if c.status == "LISTEN"}
    assert local == {("127.0.0.1", psiod.port), ("::1", psiod.port)}


def test_a_single_address_can_be_chosen(start):
    with socket.socket() as probe:
        probe.bind(("127.0.0.2", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen([PSIOD, "--listen", f"127.0.0.2:{port}"], stderr=subprocess.PIPE)
    try:
        assert f"http://127.0.0.2:{port}".encode() in process.stderr.readline()
        with urllib.request.urlopen(f"http://127.0.0.2:{port}/healthz", timeout=10) as answer:
            assert json.load(answer)["pid"] == process.pid
    finally:
        process.terminate()
        assert process.wait(10) == 0
        process.stderr.close()


@pytest.mark.parametrize("address", ["0.0.0.0:0", "[::]:0", "192.0.2.1:3000"])
def test_an_address_off_loopback_is_refused_with_the_reason(address):
    said, code = refused("--listen", address)
    assert code != 0
    assert said.count("\n") == 1
    assert address in said and "127.0.0.0/8" in said


def test_a_port_taken_by_psiod_is_told_with_version_and_pid(psiod, client):
    said, code = refused("--port", str(psiod.port))
    version = client.data("daemon.getstats")["version"]
    assert code != 0
    assert said.count("\n") == 1
    assert f"psiod {version} (pid {psiod.pid})" in said


# Listens, and hangs up on whoever comes.
LISTENER = """
import socket
server = socket.create_server(("127.0.0.1", 0))
ready(server.getsockname()[1])
def serve():
    while True:
        server.accept()[0].close()
threading.Thread(target=serve, daemon=True).start()
"""


def test_a_port_taken_by_another_program_is_told_with_its_name_and_pid(spawn):
    child = spawn("rename(b'some-server')" + LISTENER)
    said, code = refused("--port", child.words[0])
    assert code != 0
    assert said.count("\n") == 1
    assert f"some-server (pid {child.pid})" in said


def test_a_port_taken_by_a_program_that_does_not_answer_is_told_too():
    with socket.create_server(("127.0.0.1", 0)) as server:
        said, code = refused("--port", str(server.getsockname()[1]))
    assert code != 0
    assert f"(pid {os.getpid()})" in said


def test_the_name_of_who_took_a_port_cannot_paint_the_terminal(spawn):
    child = spawn(r"rename(b'\x1b[31mevil\n')" + LISTENER)
    said, _ = refused("--port", child.words[0])
    assert said.count("\n") == 1
    assert f"(pid {child.pid})" in said and not CONTROL.search(said)


def test_a_port_that_is_no_port_is_refused():
    said, code = refused("--port", "70000")
    assert code == 2 and "70000" in said


def test_help_tells_how_to_begin():
    told = subprocess.run([PSIOD, "--help"], capture_output=True, text=True, check=True, timeout=20).stdout
    assert "ws://localhost:3000" in told and "--port" in told


def test_log_lines_hold_no_control_characters(start):
    psiod = start("--log", "debug")
    hosts = ["ev\u009b31mil", "\u202egnp.exe", "a\tb", "\x1b[31mred"]
    for host in hosts:
        raw_exchange(psiod, upgrade_request(host))
    for path in ["/%1b%5b31m", "/\x1b[31m", "/\u202e", "/%0d%0aINFO psiod: forged"]:
        raw_exchange(psiod, upgrade_request("localhost", path))
    raw_exchange(psiod, bytes(range(256)))
    with psiod.client() as client:
        client.exchange("\x1b[31m\n")
    psiod.stop()
    log = psiod.log.decode()
    assert "refused" in log
    assert CONTROL.search(log) is None
    assert [line for line in log.splitlines() if not re.match(r"\d{4}-\d\d-\d\dT", line)] == []


def test_thirty_clients_as_fast_as_they_can_cause_at_most_ten_sweeps_a_second(psiod):
    over = threading.Event()
    answered = []

    def hammer():
        with psiod.client() as client:
            while not over.is_set():
                answered.append(len(client.data("process.getall", limit=1)))

    threads = [threading.Thread(target=hammer) for _ in range(30)]
    with psiod.client() as client:
        for thread in threads:
            thread.start()
        until(lambda: len(answered) > 30, "they are all there")
        before = client.fresh("daemon.getstats")
        time.sleep(2)
        after = client.fresh("daemon.getstats")
        over.set()
        for thread in threads:
            thread.join()
    sweeps = after["data"]["sweep"]["count"] - before["data"]["sweep"]["count"]
    seconds = (after["time"] - before["time"]) / 1e3
    assert 1 <= sweeps <= 10 * seconds + 1, (sweeps, seconds)
    assert set(answered) == {1}


def test_psiod_does_not_sweep_when_its_clients_have_gone(psiod):
    with psiod.client() as client:
        client.fresh("process.getall")
        before = client.fresh("daemon.getstats")["data"]["sweep"]["count"]
    time.sleep(1)
    with psiod.client() as client:
        assert client.data("daemon.getstats")["sweep"]["count"] == before


def test_psiod_does_not_sweep_for_a_client_that_asks_nothing(client):
    client.fresh("process.getall")
    before = client.fresh("daemon.getstats")["data"]["sweep"]["count"]
    time.sleep(1)
    assert client.fresh("daemon.getstats")["data"]["sweep"]["count"] == before


LONG = 11.0


@pytest.fixture(scope="module")
def rested(idle):
    """A psiod that nobody has asked for longer than its longest window, and what it is like then."""
    before = psutil.Process(idle.pid).cpu_times()
    began = time.monotonic()
    time.sleep(max(2.0, idle.started + LONG - began))
    after = psutil.Process(idle.pid).cpu_times()
    burner = Burner(0.9)
    try:
        with idle.client() as client:
            return {
                "used": (after.user - before.user, after.system - before.system),
                "sweeps": client.data("daemon.getstats")["sweep"]["count"],
                "processes": client.answer("process.getall", filter=f"pid={burner.pid}"),
                "cpus": client.answer("cpu.getall"),
            }
    finally:
        burner.end()


def test_with_no_client_psiod_uses_no_cpu(rested):
    assert rested["used"] == (0, 0)


def test_with_no_client_psiod_sweeps_no_more(rested):
    assert rested["sweeps"] == 1


@pytest.mark.parametrize("what", ["processes", "cpus"])
def test_the_first_answer_after_a_long_sleep_has_real_rates(rested, what):
    answer = rested[what]
    assert 200 <= answer["meta"]["window_ms"] < 10_500
    field = {"processes": "cpu_percent", "cpus": "usage"}[what]
    # A process burns all the time.
    assert sum(row[field] for row in answer["data"]) > 0
