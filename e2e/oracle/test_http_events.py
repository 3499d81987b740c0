"""Server-sent events: subscriptions over plain HTTP, read as browsers read them."""

import http.client
import json
import os
import re
import subprocess
import time

import psutil
import pytest
import recorded
from daemon import PATIENCE, Psiod, raw_connection, until
from test_http import ask, still  # A fixture.


EVENTS = {"Accept": "text/event-stream"}


class EventSource:
    """Reads events as browsers do: fields by line, an event at each empty line."""

    def __init__(self, psiod, path):
        self.connection = http.client.HTTPConnection("127.0.0.1", psiod.port, timeout=PATIENCE)
        self.connection.request("GET", path, headers=EVENTS)
        self.answer = self.connection.getresponse()
        assert self.answer.status == 200, self.answer.read()
        assert self.answer.getheader("content-type") == "text/event-stream"
        assert self.answer.getheader("cache-control") == "no-store"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.answer.close()
        self.connection.close()

    def next(self):
        """The next event's fields; `None` when the stream has ended."""
        fields = {}
        while line := self.answer.readline().decode():
            assert line.endswith("\n")
            if line == "\n":
                return fields
            name, _, value = line[:-1].partition(": ")
            assert name not in fields
            fields[name] = value
        return None

    def event(self):
        """The next event, which must be one of the command's."""
        fields = self.next()
        assert fields.keys() == {"id", "data"}, fields
        event = json.loads(fields["data"])
        assert event["type"] == "event" and str(event["seq"]) == fields["id"] and "id" not in event
        return event


def test_events_come_at_once_and_then_at_the_interval(psiod):
    asked = time.monotonic()
    with EventSource(psiod, "/api/v1/cpu.getall?fields=num,usage&interval=500") as source:
        events = [source.event()]
        assert time.monotonic() - asked < 3
        events += [source.event() for _ in range(3)]
    assert [event["seq"] for event in events][:2] == [1, 2]
    assert all(len(event["data"]) == os.cpu_count() and event["data"][0].keys() == {"num", "usage"} for event in events)
    first, last = events[1], events[-1]
    # Ticks are common to all who ask for this interval, and times are those of the samples.
    assert last["time"] - first["time"] == pytest.approx(500 * (last["seq"] - first["seq"]), abs=250)
    assert events[-1]["meta"]["window_ms"] >= 200


def test_an_event_tells_what_the_command_answers(still):
    with EventSource(still, "/api/v1/process.getall?sort=-pid&limit=2") as source:
        event = source.event()
    answer = ask(still, "/api/v1/process.getall?sort=-pid&limit=2")
    assert event["data"] == answer.json
    assert str(event["time"]) == answer.headers["psio-time"]
    assert event["meta"] == json.loads(answer.headers["psio-meta"])


def test_events_of_what_changed_begin_with_everything(still):
    with EventSource(still, "/api/v1/process.getall?fields=name&mode=delta&interval=100") as source:
        first, second = source.event()["data"], source.event()["data"]
    assert set(first) == {"reset", "order"}
    assert [first["reset"][key]["name"] for key in first["order"]] == list(recorded.NAMES.values())
    # The machine stands still; whatever else it says, nothing was set.
    assert not second.keys() & {"set", "add", "remove"}


def test_events_end_with_the_process_they_are_about(psiod):
    child = subprocess.Popen(["sleep", "1000"])
    try:
        with EventSource(psiod, f"/api/v1/process.get?pid={child.pid}&interval=100") as source:
            assert source.event()["data"]["pid"] == child.pid
            child.kill()
            child.wait()
            while "event" not in (fields := source.next()):
                pass
            assert fields["event"] == "end"
            assert json.loads(fields["data"])["code"] == "not_found"
            assert source.next() is None
    finally:
        child.kill()
        child.wait()


def test_who_watches_the_same_is_told_the_same(psiod):
    path = "/api/v1/process.getall?interval=300"
    with EventSource(psiod, path) as one, EventSource(psiod, path) as other:
        events = [[source.event() for _ in range(5)] for source in (one, other)]
    told = [{event["time"]: event["data"] for event in of_one} for of_one in events]
    common = told[0].keys() & told[1].keys()
    assert len(common) >= 3
    assert all(told[0][moment] == told[1][moment] for moment in common)


def has_subscriptions(client, count):
    return client.data("daemon.getstats")["subscriptions"] == count


@pytest.fixture
def quiet(psiod, client):
    """A client of a psiod that nobody has a subscription of."""
    until(lambda: has_subscriptions(client, 0), "earlier tests' subscriptions are gone")
    return client


def test_a_subscription_over_http_ends_with_its_connection(psiod, quiet):
    with EventSource(psiod, "/api/v1/memory.getall?interval=100") as source:
        source.event()
        until(lambda: has_subscriptions(quiet, 1), "the subscription is counted")
    until(lambda: has_subscriptions(quiet, 0), "the subscription has gone with its reader")


def test_head_begins_no_subscription(psiod, quiet):
    answer = ask(psiod, "/api/v1/cpu.getall?interval=100", "HEAD", **EVENTS)
    assert (answer.status, answer.headers["content-type"], answer.body) == (200, "text/event-stream", b"")
    until(lambda: has_subscriptions(quiet, 0), "there is no subscription")


def test_many_readers_come_and_go_and_leave_nothing_behind(psiod, quiet):
    before = quiet.fresh("daemon.getstats")["data"]["descriptors"]
    for _ in range(5):
        sources = [EventSource(psiod, "/api/v1/cpu.getall?interval=100") for _ in range(40)]
        assert all(source.event()["seq"] == 1 for source in sources)
        until(lambda: has_subscriptions(quiet, 40), "all are counted")
        for source in sources:
            source.__exit__()
        until(lambda: has_subscriptions(quiet, 0), "all are gone")
    # Descriptors of processes come and go with them.
    until(lambda: quiet.fresh("daemon.getstats")["data"]["descriptors"] < before + 20, "their sockets are closed")


def test_who_does_not_read_misses_ticks_and_costs_no_memory(start, tmp_path):
    psiod = start("--replay", str(recorded.write(tmp_path / "crowd.jsonl", crowd=4000)))
    with raw_connection(psiod) as connection:
        lines = ["GET /api/v1/process.getall?interval=100 HTTP/1.1", "Host: localhost", "Accept: text/event-stream"]
        request = "\r\n".join([*lines, "", ""])
        connection.sendall(request.encode())
        connection.recv(1000)
        time.sleep(1)
        before = psutil.Process(psiod.pid).memory_info().rss
        time.sleep(3)
        assert psutil.Process(psiod.pid).memory_info().rss < before + (32 << 20)
        heard = b""

        def skipped():
            nonlocal heard
            heard += connection.recv(1 << 20)
            told = [int(seq) for seq in re.findall(rb"\nid: (\d+)\n", heard)]
            return any(later > earlier + 10 for earlier, later in zip(told, told[1:]))

        until(skipped, "there is a gap between two events", pause=0)


def test_an_open_stream_does_not_hold_the_end_of_psiod(start):
    psiod = start()
    with EventSource(psiod, "/api/v1/cpu.getall?interval=3600000") as source:
        source.event()
        began = time.monotonic()
        assert psiod.stop() == 0
        assert time.monotonic() - began < 5


def test_curl_can_watch(psiod):
    url = f"http://localhost:{psiod.port}/api/v1/memory.getall?interval=100"
    command = ["curl", "--silent", "--no-buffer", "--max-time", "2", "-H", "Accept: text/event-stream", url]
    lines = subprocess.run(command, capture_output=True, timeout=PATIENCE).stdout.decode().split("\n")
    assert lines[0] == "id: 1" and json.loads(lines[1].removeprefix("data: "))["data"]["virtual"]["total"] > 0
    assert "id: 3" in lines


@pytest.mark.parametrize("interval", ["99", "3600001", "0", "-1", "", "second", "1.5", "NaN", "1e99"])
def test_an_interval_out_of_range_is_refused_naming_the_range(psiod, interval):
    answer = ask(psiod, f"/api/v1/cpu.getall?interval={interval}", **EVENTS)
    assert (answer.status, answer.json["code"], answer.json["details"]["parameter"]) == (400, "bad_params", "interval")
    assert "100 to 3600000" in answer.json["message"]


@pytest.mark.parametrize("path, status, parameter", [
    ("nothing?interval=1000", 404, None),
    ("cpu.getall?mode=diff", 400, "mode"),
    ("cpu.getall?fields=usag", 400, "fields"),
    ("process.get?interval=1000", 400, "pid"),
    ("process.get?pid=4294967295", 404, None),
    ("process.getall?mode=delta&format=columns", 400, "format"),
])
def test_events_that_cannot_be_are_refused_before_they_begin(psiod, path, status, parameter):
    answer = ask(psiod, f"/api/v1/{path}", **EVENTS)
    assert answer.status == status
    assert parameter is None or answer.json["details"]["parameter"] == parameter, answer.json
