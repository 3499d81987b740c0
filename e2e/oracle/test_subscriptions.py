"""Subscriptions: what is told, when, to whom, and what a slow or wrong client gets."""

import json
import signal
import socket
import time

import pytest
from daemon import PATIENCE, messages, raw_connection, slow_watcher, text_frame, until, upgrade_request

READ = ["cpu.getall", "daemon.describe", "daemon.getstats", "host.getstats", "memory.getall", "process.getall"]


def code(message):
    assert message["type"] == "error", message
    return message["data"]["code"]


def shape(value):
    """What of a value does not change from one moment to the next."""
    if isinstance(value, dict):
        return {key: shape(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value and isinstance(value[0], dict) else []
    return None


def applied(list_before, told):
    """A list by key after what a delta event told of it."""
    if "reset" in told:
        return {key: told["reset"][key] for key in told["order"]}
    rows = {key: dict(row) for key, row in list_before.items() if key not in told.get("remove", [])}
    rows |= told.get("add", {})
    for key, fields in told.get("set", {}).items():
        rows[key] |= fields
    return {key: rows[key] for key in told["order"]} if "order" in told else rows


@pytest.mark.parametrize("name", READ)
def test_every_read_command_can_be_subscribed_to(client, name):
    once = client.answer(name)
    answer = client.subscribe("s", 100, name)
    assert answer == {"type": "response", "id": "s", "data": {"interval": 100}}
    events = [client.event("s") for _ in range(3)]
    assert [event["seq"] for event in events] == [1, 2, 3]
    for event in events:
        assert shape(event["data"]) == shape(once["data"])
        assert set(event) <= {"type", "id", "seq", "time", "meta", "data"}
    assert client.unsubscribe("s") == {"type": "response", "id": "end of s", "data": None}


def test_events_come_at_their_interval_and_rates_span_it(client):
    client.subscribe(1, 500, "cpu.getall")
    events = [client.event() for _ in range(6)]
    gaps = [after["time"] - before["time"] for before, after in zip(events[1:], events[2:])]
    assert sum(gaps) == pytest.approx(500 * len(gaps), abs=150)
    for event, gap in zip(events[2:], gaps):
        assert event["meta"]["window_ms"] == pytest.approx(gap, abs=2)


def test_subscriptions_of_different_intervals_keep_their_own_windows(client):
    client.subscribe("often", 100, "cpu.getall")
    client.subscribe("seldom", 2000, "cpu.getall")
    seldom = [client.event("seldom") for _ in range(3)][-1]
    often = client.event("often")
    assert seldom["meta"]["window_ms"] == pytest.approx(2000, abs=200)
    assert 190 <= often["meta"]["window_ms"] <= 450, "the shortest there is, and a late tick or two"


def test_watchers_share_sweeps_whatever_their_interval(start):
    psiod = start()
    with psiod.client() as bystander:
        clients = [psiod.client() for _ in range(20)]
        for number, client in enumerate(clients):
            client.subscribe(1, 500 if number % 2 else 1000, "process.getall", limit=number % 5 + 1)
        time.sleep(1)
        before = bystander.data("daemon.getstats")
        time.sleep(4)
        after = bystander.data("daemon.getstats")
        for client in clients:
            client.close()
    swept = after["sweep"]["count"] - before["sweep"]["count"]
    assert 6 <= swept <= 10, "two a second for four seconds"
    assert after["subscriptions"] == 20


def test_without_watchers_nothing_is_read(start):
    psiod = start()
    with psiod.client() as bystander:
        client = psiod.client()
        client.subscribe(1, 100, "process.getall", limit=1)
        client.event()
        client.socket.socket.shutdown(socket.SHUT_RDWR)
        until(lambda: bystander.data("daemon.getstats")["subscriptions"] == 0, "the subscription is gone")
        before = bystander.data("daemon.getstats")["sweep"]["count"]
        time.sleep(0.6)
        assert bystander.data("daemon.getstats")["sweep"]["count"] == before


@pytest.mark.parametrize(
    "params",
    [{}, {"sort": "-cpu_percent", "limit": 12}, {"fields": ["name", "cpu_times"], "filter": "python"}],
    ids=["all", "top", "filtered"],
)
def test_changes_applied_give_the_whole_list(client, spawn, params):
    children = [spawn() for _ in range(4)]
    client.subscribe("whole", 300, "process.getall", **params)
    client.subscribe("delta", 300, "process.getall", mode="delta", **params)
    rows, mine, whole, compared = {}, {}, {}, 0
    while compared < 8:
        event = client.event()
        # Whoever subscribed later has another window at first, and so other rates.
        moment = (event["time"], event["meta"]["window_ms"])
        if event["id"] == "whole":
            whole[moment] = event["data"]
        else:
            assert "reset" in event["data"] or event["seq"] > 1
            rows = applied(rows, event["data"])
            mine[moment] = list(rows.values())
        for at in mine.keys() & whole.keys():
            assert mine.pop(at) == whole.pop(at)
            compared += 1
        if compared == 3 and children:
            children.pop().end()
            spawn()


def test_after_the_first_event_only_changes_are_told(start):
    psiod = start()
    with psiod.client() as client:
        client.subscribe(1, 300, "process.getall", mode="delta")
        events = [client.event() for _ in range(5)]
        assert [event["seq"] for event in events] == [1, 2, 3, 4, 5]
        assert ["reset" in event["data"] for event in events] == [True, False, False, False, False]


def test_delta_of_what_is_no_list_is_told_whole(client):
    client.subscribe(1, 100, "memory.getall", mode="delta")
    assert "virtual" in client.event()["data"]
    assert "virtual" in client.event()["data"]


def test_columns_have_no_delta(client):
    answer = client.subscribe(1, 100, "process.getall", mode="delta", format="columns")
    assert code(answer) == "bad_params" and "columns" in answer["data"]["message"]


def test_keys_do_not_depend_on_the_chosen_fields(client):
    client.subscribe(1, 1000, "process.getall", mode="delta", fields=["name"])
    reset = client.event()["data"]["reset"]
    pid, started = next(iter(reset)).split(":")
    assert client.data("process.get", pid=int(pid))["started"] == int(started)
    assert all(set(row) == {"name"} for row in reset.values())


def test_the_end_of_the_process_ends_its_subscription_and_frees_the_id(client, spawn):
    child = spawn()
    assert client.process(child.pid), "it is in the newest sample"
    client.subscribe("p", 100, "process.get", pid=child.pid)
    assert client.event()["data"]["pid"] == child.pid
    child.end()
    while (message := client.receive())["type"] == "event":
        pass
    assert (message["type"], message["id"], message["data"]["code"]) == ("end", "p", "not_found")
    assert code(client.unsubscribe("p")) == "not_found"
    assert client.subscribe("p", 100, "cpu.getall")["type"] == "response"


def test_a_reused_pid_does_not_go_on_as_the_old_one(client, spawn):
    child = spawn()
    started = client.process(child.pid)["started"]
    assert code(client.subscribe("p", 100, "process.get", pid=child.pid, started=started + 1)) == "conflict"


@pytest.mark.parametrize("interval", [99, 0, -1, 3_600_001, 1.5, "1000", [], {}, True])
def test_an_interval_out_of_range_is_refused_and_the_range_named(client, interval):
    answer = client.subscribe(1, interval, "cpu.getall")
    assert code(answer) == "bad_params"
    assert "100" in answer["data"]["message"] and "3600000" in answer["data"]["message"]


def test_what_is_wrong_with_a_subscription_is_said(client):
    wrong = {"type": "subscribe", "interval": 1000, "data": {"name": "cpu.getall"}}
    client.send(wrong)
    assert "`id` is missing" in client.receive()["data"]["message"]
    assert code(client.subscribe(1, 1000, "cpu.getal")) == "unknown_command"
    assert code(client.subscribe(1, 1000, "cpu.getall", limt=2)) == "bad_params"
    assert code(client.subscribe(1, 1000, "process.get", pid=2**31)) == "not_found"
    assert code(client.subscribe(1, 1000, "cpu.getall", mode="diff")) == "bad_params"
    assert code(client.unsubscribe(1)) == "not_found"
    for odd in ["1e999", '"\\ud800"']:
        client.send(f'{{"type":"unsubscribe","id":1,"subscription":{odd}}}')
        assert code(client.receive()) == "not_found"
    client.send({"type": "unsubscribe", "id": 2})
    assert "`subscription` is missing" in client.receive()["data"]["message"]
    assert client.subscribe(1, 1000, "cpu.getall")["type"] == "response", "none of them kept the id"


def test_an_id_serves_one_subscription_at_a_time(client):
    assert client.subscribe(1, 1000, "cpu.getall")["type"] == "response"
    assert code(client.subscribe(1, 1000, "memory.getall")) == "conflict"
    client.unsubscribe(1)
    assert client.subscribe(1, 1000, "memory.getall")["type"] == "response"


def test_a_connection_has_64_subscriptions_and_no_more(psiod, client):
    for number in range(64):
        assert client.subscribe(number, 60_000, "cpu.getall")["type"] == "response"
    assert code(client.subscribe(64, 1000, "cpu.getall")) == "too_many"
    client.unsubscribe(7)
    assert client.subscribe(64, 1000, "cpu.getall")["type"] == "response"


def test_after_unsubscribing_nothing_more_comes(client):
    client.subscribe(1, 100, "cpu.getall")
    client.event()
    client.unsubscribe(1)
    client.send({"type": "command", "id": "last", "data": {"name": "host.getstats"}})
    time.sleep(0.4)
    assert client.receive()["id"] == "last"
    with pytest.raises(TimeoutError):
        client.socket.recv(0.3)


@pytest.mark.parametrize("mode", ["whole", "delta"])
def test_a_slow_client_gets_the_newest_tick_and_a_gap(start, big_machine, mode):
    psiod = start("--replay", str(big_machine))
    with slow_watcher(psiod, mode=mode, data={"name": "process.getall"}) as connection:
        time.sleep(3)
        events = []
        for message in messages(connection):
            if message["type"] == "event":
                events.append(message)
            if len(events) > 2 and events[-1]["seq"] - events[-2]["seq"] == 1:
                break
        seqs = [event["seq"] for event in events]
        gaps = [at for at in range(1, len(seqs)) if seqs[at] > seqs[at - 1] + 1]
        # Three seconds are thirty ticks: what the kernel had taken already, then the newest.
        assert gaps and gaps[0] <= 3, seqs
        assert seqs[gaps[0]] >= 25, seqs
        if mode == "delta":
            assert all("reset" in events[at]["data"] for at in gaps)
            assert "reset" not in events[-1]["data"]


@pytest.fixture(scope="module")
def big_machine(tmp_path_factory):
    """A recorded machine whose list is larger than what the kernel buffers for a client."""
    identity = {"name": "x" * 60, "cmdline": ["y" * 900], "username": "root", "terminal": None}
    fixed = {"ppid": 1, "memory": None, "uid": 0, "num_threads": 1, "cpu_num": 0, "nice": 0, "status": "sleeping"}
    lines = [json.dumps({"psio_recording": 1})]
    for frame in range(2):
        time_used = {"total_ns": frame * 10**8, "system_ns": 0}
        processes = [
            {"pid": pid, "started": pid, "cpu_time": time_used, "identity": identity} | fixed for pid in range(1, 4001)
        ]
        value = {"processes": processes, "ticks_per_second": 100, "boot_time": 1, "memory_total_bytes": 1, "unknown": {}}
        at = {"since_boot_ns": (frame + 1) * 10**9, "wall_ms": 1_700_000_000_000 + frame * 1000}
        lines.append(json.dumps({"processes": {"at": at, "value": value}}))
    recording = tmp_path_factory.mktemp("machine") / "big.jsonl"
    recording.write_text("\n".join(lines) + "\n")
    return recording


def test_a_flood_of_costly_requests_is_refused_and_hurts_nobody_else(start, big_machine):
    psiod = start("--replay", str(big_machine))
    with psiod.client() as bystander, psiod.client() as flooder:
        refused = None
        deadline = time.monotonic() + PATIENCE
        number = 0
        while refused is None and time.monotonic() < deadline:
            for _ in range(50):
                number += 1
                # Long texts that are all the same are what sorting is slowest with.
                data = {"name": "process.getall", "filter": f"name!=x{number}", "sort": "cmdline", "limit": 1}
                flooder.send({"type": "command", "id": number, "data": data})
            began = time.monotonic()
            bystander.data("daemon.describe")
            assert time.monotonic() - began < 2
            for _ in range(50):
                answer = flooder.receive()
                if answer["type"] == "error":
                    refused = answer
        assert refused and code(refused) == "too_many", refused
        until(lambda: flooder.ask("process.getall", filter="pid=1")["type"] == "response", "it may ask again")


def test_dear_subscriptions_of_one_client_do_not_delay_those_of_others(start, big_machine):
    psiod = start("--replay", str(big_machine))
    with psiod.client() as bystander, psiod.client() as greedy:
        for number in range(30):
            # Long texts that are all the same are what sorting is slowest with.
            data = {"name": "process.getall", "filter": f"name!=x{number}", "sort": "cmdline", "limit": 1}
            greedy.send({"type": "subscribe", "id": number, "interval": 100, "data": data})
        bystander.subscribe(1, 200, "daemon.getstats")
        bystander.event()
        time.sleep(2)
        began = time.monotonic()
        events = [bystander.event() for _ in range(10)]
        assert time.monotonic() - began < 4, "ten events, one each 200 ms"
        assert events[-1]["seq"] - events[0]["seq"] <= 14
        until(lambda: bystander.data("daemon.getstats")["dropped_ticks"] > 0, "the dear ones are late")


def test_a_burst_of_subscribing_and_leaving_leaves_nothing(start):
    psiod = start()
    with psiod.client() as bystander:
        for round in range(40):
            client = psiod.client()
            for number in range(5):
                subscription = {"type": "subscribe", "id": number, "interval": 100, "data": {"name": READ[number]}}
                client.send(subscription)
            if round % 2:
                client.socket.socket.shutdown(socket.SHUT_RDWR)
            else:
                client.close()
        until(lambda: bystander.data("daemon.getstats")["subscriptions"] == 0, "all subscriptions are gone")
        until(lambda: bystander.data("daemon.getstats")["clients"] == 1, "all clients are gone")


def test_a_half_closed_client_is_answered_and_let_go(psiod):
    with raw_connection(psiod) as connection:
        connection.sendall(upgrade_request(f"127.0.0.1:{psiod.port}"))
        subscription = {"type": "subscribe", "id": 1, "interval": 100, "data": {"name": "cpu.getall"}}
        connection.sendall(text_frame(json.dumps(subscription, separators=(",", ":"))))
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
        assert b'"interval":100' in answer


def test_messagepack_says_the_same(psiod):
    import msgpack
    from websockets.sync.client import connect

    with connect(f"ws://127.0.0.1:{psiod.port}/", subprotocols=["psio.v1.msgpack"], compression=None) as packed:
        assert packed.subprotocol == "psio.v1.msgpack"
        packed.send(msgpack.packb({"type": "command", "id": 1, "data": {"name": "process.get", "pid": 1}}))
        answer = msgpack.unpackb(packed.recv(PATIENCE))
        assert (answer["type"], answer["id"], answer["data"]["pid"]) == ("response", 1, 1)
        with psiod.client() as client:
            assert shape(answer["data"]) == shape(client.data("process.get", pid=1))
        packed.send(msgpack.packb({"type": "subscribe", "id": "s", "interval": 100, "data": {"name": "cpu.getall"}}))
        messages = [msgpack.unpackb(packed.recv(PATIENCE)) for _ in range(4)]
        assert [message["type"] for message in messages] == ["response", "event", "event", "event"]
        assert [message.get("seq") for message in messages[1:]] == [1, 2, 3]
        packed.send("text")
        while (refused := msgpack.unpackb(packed.recv(PATIENCE)))["type"] == "event":
            pass
        assert refused["type"] == "error" and refused["data"]["code"] == "bad_request"
        packed.send(b"\xc1")
        while (refused := msgpack.unpackb(packed.recv(PATIENCE)))["type"] == "event":
            pass
        assert "not MessagePack" in refused["data"]["message"]


def test_stopping_psiod_tells_its_watchers(start):
    psiod = start()
    client = psiod.client()
    client.subscribe(1, 100, "cpu.getall")
    client.event()
    psiod.process.send_signal(signal.SIGTERM)
    with pytest.raises(Exception) as closed:
        while True:
            client.receive()
    assert closed.value.rcvd.code == 1001
    assert psiod.process.wait(PATIENCE) == 0
