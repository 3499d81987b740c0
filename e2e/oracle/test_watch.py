"""`process.watch`: what is told of processes that come and go, and what a slow client gets."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time

import jsonschema
import msgpack
import pytest
from children import Child
from daemon import PATIENCE, messages, raw_connection, slow_watcher, text_frame, until, upgrade_request
from websockets.sync.client import connect

QUIET = "/bin/true"


@pytest.fixture(scope="module")
def is_told_by_the_kernel(psiod):
    """Whether the kernel lets psiod listen here."""
    with psiod.client() as client:
        client.subscribe(1, 100, "process.watch")
        return client.event()["data"]["source"] == "proc_connector"


@pytest.fixture
def kernel(is_told_by_the_kernel):
    if not is_told_by_the_kernel:
        pytest.skip("the kernel does not let psiod hear of processes here")


class Watcher:
    """A subscription to process.watch, and everything it has been told."""

    def __init__(self, client, interval=100, id="w", **options):
        self.client, self.id = client, id
        answer = client.subscribe(id, interval, "process.watch", **options)
        assert answer == {"type": "response", "id": id, "data": {"interval": interval}}
        self.messages = []
        self.first = self.hear()["data"]
        self.listed = {row["pid"]: row for row in self.first["list"]}

    def hear(self):
        self.messages.append(self.client.event(self.id))
        return self.messages[-1]

    def of(self, pid):
        """What was told of a process."""
        events = (event for message in self.messages for event in message["data"]["events"])
        return [event for event in events if event["pid"] == pid]

    def until(self, pid, kind):
        """Everything that was told of a process until this."""
        deadline = time.monotonic() + PATIENCE
        while kind not in [event["event"] for event in self.of(pid)]:
            assert time.monotonic() < deadline, f"{pid}: {self.of(pid)}"
            self.hear()
        return self.of(pid)


def kinds(events):
    return [event["event"] for event in events]


def code(answer):
    assert answer["type"] == "error", answer
    return answer["data"]["code"]


def test_the_first_event_says_where_events_come_from_and_lists_who_lives(client, spawn):
    child = spawn()
    watcher = Watcher(client)
    first = watcher.messages[0]
    assert first["seq"] == 1 and abs(first["time"] / 1000 - time.time()) < 5
    assert set(first["data"]) == {"source", "list", "events"} and first["data"]["events"] == []
    assert first["data"]["source"] in ("proc_connector", "sweeps")
    row = watcher.listed[child.pid]
    known = client.data("process.get", pid=child.pid)
    assert row == {key: known[key] for key in row}
    assert set(row) == {"pid", "started", "ppid", "name", "username", "cmdline", "create_time"}
    pids = [row["pid"] for row in first["data"]["list"]]
    assert pids == sorted(pids)


def test_the_whole_life_of_a_process_is_told(kernel, client):
    watcher = Watcher(client)
    before = time.time() * 1000
    child = subprocess.Popen([sys.executable, "-ISc", "import time, sys; time.sleep(0.3); sys.exit(42)"])
    child.wait()
    events = watcher.until(child.pid, "exited")
    assert kinds(events) == ["started", "exec", "exited"]
    started, executed, exited = events
    assert started["ppid"] == os.getpid()
    assert executed["cmdline"][:2] == [sys.executable, "-ISc"]
    assert {event["started"] for event in events} == {exited["started"]} != {None}
    assert (exited["exit_code"], exited["signal"]) == (42, None)
    assert [(event["exit_code"], event["signal"]) for event in events[:2]] == [(None, None)] * 2
    assert before - 20 <= started["time"] <= executed["time"] <= exited["time"] <= time.time() * 1000 + 20
    assert exited["time"] - started["time"] >= 300


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGKILL])
def test_the_signal_that_ended_a_process_is_told(kernel, client, spawn, sent):
    child = spawn()
    watcher = Watcher(client)
    child.process.send_signal(sent)
    child.process.wait()
    events = watcher.until(child.pid, "exited")
    assert kinds(events) == ["exited"] and child.pid in watcher.listed
    assert (events[0]["exit_code"], events[0]["signal"]) == (None, sent)
    assert events[0]["started"] == watcher.listed[child.pid]["started"]


def test_a_zombie_has_ended(kernel, client, spawn):
    child = spawn()
    watcher = Watcher(client)
    os.kill(child.pid, signal.SIGKILL)
    assert kinds(watcher.until(child.pid, "exited")) == ["exited"]
    client.fresh("process.getall", limit=1)
    again = Watcher(client, id="again")
    assert child.pid not in again.listed


def test_of_two_hundred_short_lived_children_none_is_missed(kernel, client):
    watcher = Watcher(client)
    children = []
    for number in range(200):
        child = subprocess.Popen([QUIET, str(number)])
        child.wait()
        children.append(child.pid)
    watcher.until(children[-1], "exited")
    for pid in set(children):
        assert kinds(watcher.of(pid)) == ["started", "exec", "exited"] * children.count(pid)
        assert all(event["exit_code"] == 0 for event in watcher.of(pid)[2::3])
    mine = [event for message in watcher.messages for event in message["data"]["events"] if event["pid"] in children]
    assert [event["pid"] for event in mine if event["event"] == "exited"] == children
    assert [event["time"] for event in mine] == sorted(event["time"] for event in mine)
    seqs = [message["seq"] for message in watcher.messages]
    assert seqs == list(range(1, len(seqs) + 1))
    assert all(message["data"]["events"] for message in watcher.messages[1:]), "silence is told by saying nothing"


def test_portable_compares_sweeps(start):
    psiod = start("--source", "portable")
    with psiod.client() as client:
        watcher = Watcher(client)
        assert watcher.first["source"] == "sweeps"
        child = Child()
        (started,) = watcher.until(child.pid, "started")
        assert (started["ppid"], started["cmdline"][0]) == (os.getpid(), sys.executable)
        child.end()
        exited = watcher.until(child.pid, "exited")[-1]
        assert (exited["exit_code"], exited["signal"]) == (None, None)
    assert psiod.log.count(b"compares sweeps") == 1
    assert b" INFO " in next(line for line in psiod.log.splitlines() if b"compares sweeps" in line)


def test_who_comes_later_is_not_told_of_what_their_list_shows(client, psiod, spawn):
    Watcher(client, interval=1000)
    with psiod.client() as other:
        for _ in range(5):
            child = spawn()
            other.fresh("process.getall", limit=1)
            late = Watcher(other, interval=1000, id=child.pid)
            assert child.pid in late.listed
            last = spawn()
            late.until(last.pid, "started")
            assert late.of(child.pid) == []


def test_each_interval_is_told_all_that_happened_in_it(kernel, client):
    often, seldom = Watcher(client, 100, "often"), Watcher(client, 1500, "seldom")
    stopped = threading.Event()
    children = []

    def spawn_all_the_time():
        while not stopped.wait(0.02):
            child = subprocess.Popen([QUIET])
            child.wait()
            children.append(child.pid)

    spawning = threading.Thread(target=spawn_all_the_time)
    spawning.start()
    deadline = time.monotonic() + 4
    while time.monotonic() < deadline:
        message = client.event()
        (often if message["id"] == "often" else seldom).messages.append(message)
    stopped.set()
    spawning.join()
    last = children[-1]
    while "exited" not in kinds(often.of(last)) or "exited" not in kinds(seldom.of(last)):
        message = client.event()
        (often if message["id"] == "often" else seldom).messages.append(message)
    for pid in children:
        assert often.of(pid) == seldom.of(pid)
        assert kinds(often.of(pid))[:3] == ["started", "exec", "exited"]
    assert len(seldom.messages) <= 6 < 20 < len(often.messages)
    gaps = [after["time"] - before["time"] for before, after in zip(seldom.messages[1:], seldom.messages[2:])]
    assert gaps and all(gap == pytest.approx(1500, abs=300) for gap in gaps)


def test_nothing_is_said_of_those_to_whom_nothing_happens(client, spawn):
    child = spawn()
    watcher = Watcher(client)
    deadline = time.monotonic() + 1
    while (left := deadline - time.monotonic()) > 0:
        try:
            watcher.messages.append(json.loads(client.socket.recv(left)))
        except TimeoutError:
            break
    assert watcher.of(child.pid) == []
    assert all(message["data"]["events"] for message in watcher.messages[1:])


def test_delta_is_told_as_it_is(client, spawn):
    watcher = Watcher(client, mode="delta")
    assert set(watcher.first) == {"source", "list", "events"}
    child = spawn()
    watcher.until(child.pid, "started")


def test_it_can_only_be_subscribed_to(client):
    refused = client.refusal("process.watch")
    assert refused["code"] == "unsupported" and '"type":"subscribe"' in refused["message"]


def test_it_takes_no_parameters(client):
    answer = client.subscribe(1, 1000, "process.watch", filter="pid=1")
    assert code(answer) == "bad_params" and "filter" in answer["data"]["message"]
    assert client.subscribe(1, 1000, "process.watch")["type"] == "response", "the id is free"
    assert code(client.subscribe(1, 1000, "process.watch")) == "conflict"


def test_it_counts_as_a_subscription(start):
    psiod = start()
    with psiod.client() as bystander, psiod.client() as client:
        Watcher(client)
        until(lambda: bystander.data("daemon.getstats")["subscriptions"] == 1, "it is counted")
        assert client.unsubscribe("w")["type"] == "response"
        until(lambda: bystander.data("daemon.getstats")["subscriptions"] == 0, "it is gone")


def test_it_is_described(client):
    description = client.data("daemon.describe")
    (entry,) = (command for command in description["commands"] if command["name"] == "process.watch")
    assert entry["kind"] == "watch"
    schema = {**entry["reply"], "$defs": description["$defs"]}
    watcher = Watcher(client)
    child = Child()
    watcher.until(child.pid, "started")
    child.end()
    watcher.until(child.pid, "exited")
    for message in watcher.messages:
        jsonschema.Draft202012Validator(schema).validate(message["data"])


def listening(psiod):
    """Whether psiod has its thread that listens to the kernel."""
    names = []
    for task in os.listdir(f"/proc/{psiod.pid}/task"):
        try:
            with open(f"/proc/{psiod.pid}/task/{task}/comm") as comm:
                names.append(comm.read().strip())
        except (FileNotFoundError, ProcessLookupError):
            # A thread may end before its file is opened, and between that and the reading (ESRCH).
            pass
    return "lifecycle" in names


@pytest.mark.parametrize("leave", ["unsubscribe", "close", "vanish"])
def test_nobody_listens_when_the_last_has_gone(kernel, start, leave):
    psiod = start()
    assert not listening(psiod)
    clients = [psiod.client() for _ in range(2)]
    watchers = [Watcher(client, interval) for client, interval in zip(clients, [100, 700])]
    # A thread takes its name after it was begun.
    until(lambda: listening(psiod), "somebody listens")
    clients[0].close()
    time.sleep(0.6)
    assert listening(psiod), "one is still there"
    subprocess.run([QUIET], check=True)
    watchers[1].hear()
    if leave == "unsubscribe":
        clients[1].unsubscribe("w")
    elif leave == "close":
        clients[1].close()
    else:
        clients[1].socket.socket.shutdown(socket.SHUT_RDWR)
    until(lambda: not listening(psiod), "the thread has ended", patience=3)
    with psiod.client() as client:
        again = Watcher(client)
        assert again.first["source"] == "proc_connector"


def test_psiod_ends_at_once_while_it_is_watched(start):
    psiod = start()
    client = psiod.client()
    Watcher(client)
    began = time.monotonic()
    assert psiod.stop() == 0
    assert time.monotonic() - began < 1


def test_a_slow_client_is_told_how_much_it_lost_and_the_list(kernel, start, spawn):
    psiod = start()
    told = []
    with psiod.client() as witness, slow_watcher(psiod, data={"name": "process.watch"}) as slow:
        watcher = Watcher(witness)
        # More ticks than are kept, and before that more bytes than the sockets take.
        argument = "x" * 100_000
        while len(watcher.messages) < 100:
            subprocess.run([QUIET, argument], check=True)
            subprocess.run([QUIET, argument], check=True)
            watcher.hear()
        living = spawn()
        watcher.until(living.pid, "started")
        for message in messages(slow):
            told += [message] if message["type"] == "event" else []
            if "lost" in message["data"]:
                subprocess.run([QUIET], check=True)
            elif any("lost" in earlier["data"] for earlier in told):
                break
    (at,) = (index for index, message in enumerate(told) if "lost" in message["data"])
    afresh = told[at]
    assert afresh["data"]["events"] == [] and set(afresh["data"]) == {"lost", "list", "events"}
    assert living.pid in {row["pid"] for row in afresh["data"]["list"]}
    assert [message["seq"] for message in told[:at]] == list(range(1, at + 1))
    assert afresh["seq"] > at + 1, "a gap"
    assert told[at + 1]["seq"] == afresh["seq"] + 1, "and then it goes on"
    # Both have been told the same, but for what happened between the beginning of the one and of the other.
    first = {event["time"] for message in watcher.messages[1:2] for event in message["data"]["events"]}
    mine = [message["data"]["events"] for message in told[1:at]]
    kept = [event for events in mine for event in events if event["time"] >= min(first)]
    all_told = [event for message in watcher.messages for event in message["data"]["events"]]
    assert kept == all_told[: len(kept)]
    assert afresh["data"]["lost"] >= len(all_told) - len(kept)


def test_a_burst_of_watching_and_leaving_leaves_nothing(start):
    psiod = start()
    with psiod.client() as bystander:
        for round in range(20):
            client = psiod.client()
            for number in range(3):
                subscription = {"type": "subscribe", "id": number, "interval": 100 + number}
                client.send(subscription | {"data": {"name": "process.watch"}})
            if round % 2:
                client.socket.socket.shutdown(socket.SHUT_RDWR)
            else:
                client.close()
        until(lambda: bystander.data("daemon.getstats")["subscriptions"] == 0, "all subscriptions are gone")
        until(lambda: not listening(psiod), "nobody listens")
    assert psiod.stop() == 0


def test_messagepack_says_the_same(psiod, spawn):
    with connect(f"ws://127.0.0.1:{psiod.port}/", subprotocols=["psio.v1.msgpack"], compression=None) as packed:
        assert packed.subprotocol == "psio.v1.msgpack"
        packed.send(msgpack.packb({"type": "subscribe", "id": 1, "interval": 100, "data": {"name": "process.watch"}}))
        assert msgpack.unpackb(packed.recv(PATIENCE))["type"] == "response"
        first = msgpack.unpackb(packed.recv(PATIENCE))
        assert first["seq"] == 1 and set(first["data"]) == {"source", "list", "events"}
        child = spawn()
        told = []
        while child.pid not in [event["pid"] for event in told]:
            told += msgpack.unpackb(packed.recv(PATIENCE))["data"]["events"]


def test_a_half_closed_watcher_is_let_go(psiod):
    with raw_connection(psiod) as connection:
        connection.sendall(upgrade_request(f"127.0.0.1:{psiod.port}"))
        subscription = {"type": "subscribe", "id": 1, "interval": 100, "data": {"name": "process.watch"}}
        connection.sendall(text_frame(json.dumps(subscription, separators=(",", ":"))))
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
        assert b'"interval":100' in answer
