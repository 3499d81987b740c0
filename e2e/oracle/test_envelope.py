"""The envelope: frozen shapes, ids, order, and who is let in."""

import json
import urllib.error
import urllib.request

import pytest
from daemon import raw_exchange, upgrade_request

PROCESS = {
    "pid": int,
    "name": str,
    "username": str,
    "status": str,
    "nice": int,
    "num_threads": int,
    "cpu_percent": (int, float),
    "cpu_times": list,
    "memory_info": list,
    "memory_percent": float,
}
VIRTUAL = ["active", "available", "free", "inactive", "percent", "total", "used", "wired"]
SWAP = ["free", "percent", "sin", "sout", "total", "used"]


def frozen(client, name):
    """The whole answer to a command exactly as the first version of the protocol sends it."""
    return client.exchange('{"type":"command","data":{"name":"' + name + '"}}')


@pytest.mark.parametrize("name", ["process.getall", "cpu.getall", "memory.getall"])
def test_an_answer_without_id_has_exactly_type_and_data(client, name):
    answer = frozen(client, name)
    assert list(answer) == ["type", "data"]
    assert answer["type"] == "response"


def test_a_refusal_without_id_has_exactly_type_and_data(client):
    assert list(frozen(client, "nothing")) == ["type", "data"]


def test_processes_have_the_frozen_keys_and_types(client):
    client.fresh("process.getall")
    rows = frozen(client, "process.getall")["data"]
    known = [row for row in rows if row["cpu_percent"] is not None]
    assert known
    for row in known:
        assert [name for name, kind in PROCESS.items() if not isinstance(row[name], kind)] == [], row


def test_cpus_have_the_frozen_keys_and_types(client):
    for row in frozen(client, "cpu.getall")["data"]:
        assert isinstance(row["num"], int)
        assert isinstance(row["usage"], (int, float)) and 0 <= row["usage"] <= 100


def test_memory_has_the_frozen_keys_and_types(client):
    memory = frozen(client, "memory.getall")["data"]
    for part, names in {"virtual": VIRTUAL, "swap": SWAP}.items():
        for name in names:
            assert isinstance(memory[part][name], float if name == "percent" else int), name


def test_answers_without_id_keep_the_order_of_the_requests(start):
    # A psiod just started has to sample before it can answer some of these, and not others.
    with start().client() as client:
        names = ["cpu.getall", "unknown.{}", "memory.getall", "process.getall", "host.getstats"]
        sent = [names[n % len(names)].format(n) for n in range(200)]
        for name in sent:
            client.send({"type": "command", "data": {"name": name}})
        assert [recognised(client.receive()["data"]) for _ in sent] == sent


def recognised(data):
    """The name of the command that this is an answer to."""
    if isinstance(data, list):
        return "cpu.getall" if "usage" in data[0] else "process.getall"
    if "virtual" in data:
        return "memory.getall"
    return data["details"]["name"] if "code" in data else "host.getstats"


def test_every_one_of_200_pipelined_ids_is_answered_once(client):
    names = ["cpu.getall", "unknown.command", "memory.getall", "process.getall", "host.getstats"]
    for n in range(200):
        client.send({"type": "command", "id": n, "data": {"name": names[n % len(names)]}})
    assert sorted(client.receive()["id"] for _ in range(200)) == list(range(200))


IDS = ["7", "0", "-0.50e3", "18446744073709551617", "1E400", '""', '"a\\u0041\\n"', '"ü🦀"', '"' + "i" * 128 + '"']


@pytest.mark.parametrize("id", IDS)
@pytest.mark.parametrize("name", ["cpu.getall", "unknown.command"])
def test_an_id_is_echoed_to_the_letter(client, id, name):
    client.send(f'{{"type":"command","id":{id},"data":{{"name":"{name}"}}}}')
    assert f'"id":{id},' in client.receive_text()


def test_an_answer_with_id_tells_time_window_and_total(client):
    answer = client.answer("process.getall", limit=1)
    assert isinstance(answer["time"], int)
    assert answer["meta"]["window_ms"] >= 200
    assert answer["meta"]["total"] > len(answer["data"]) == 1


def test_unknown_keys_of_the_envelope_are_ignored(client):
    answer = client.exchange('{"future":[1],"type":"command","data":{"name":"cpu.getall"},"seq":3}')
    assert answer["type"] == "response"


def test_nothing_is_sent_unasked(client):
    with pytest.raises(TimeoutError):
        client.socket.recv(0.3)


# Rust's tests have the whole table; these show that the rule stands before the socket.
@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("localhost:3000", None),
        ("127.0.0.1", None),
        ("[::1]:3000", None),
        ("localhost", "http://localhost:5173"),
        ("localhost", "https://127.0.0.1"),
    ],
)
def test_who_comes_from_this_machine_is_let_in(psiod, host, origin):
    assert raw_exchange(psiod, upgrade_request(host, origin=origin)).startswith(b"HTTP/1.1 101 ")


@pytest.mark.parametrize(
    ("host", "origin", "named"),
    [
        ("evil.example", None, b'"evil.example"'),
        ("127.0.0.1.nip.io:3000", None, b'"127.0.0.1.nip.io:3000"'),
        ("192.168.1.1", None, b'"192.168.1.1"'),
        (None, None, b"no Host header"),
        ("localhost", "http://evil.example", b'"http://evil.example"'),
        ("localhost", "null", b'"null"'),
        ("localhost", "file://", b'"file://"'),
        ("localhost", "http://localhost.evil.example", b'"http://localhost.evil.example"'),
    ],
)
def test_who_comes_from_elsewhere_gets_403_with_the_reason(psiod, host, origin, named):
    head, _, body = raw_exchange(psiod, upgrade_request(host, origin=origin)).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 403 ")
    assert named in body


@pytest.mark.parametrize("path", ["/", "/healthz", "/nothing"])
def test_plain_requests_are_judged_by_the_same_rule(psiod, path):
    answer = raw_exchange(psiod, f"GET {path} HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 403 ")


def get(psiod, path):
    return urllib.request.urlopen(f"http://127.0.0.1:{psiod.port}{path}", timeout=10)


def test_healthz_says_who_is_there(psiod):
    with get(psiod, "/healthz") as answer:
        health = json.load(answer)
    assert (health["name"], health["pid"], health["protocol"]) == ("psiod", psiod.pid, 1)


def test_the_ui_is_a_page_that_only_this_machine_may_frame(psiod):
    with get(psiod, "/") as answer:
        assert answer.headers.get_content_type() == "text/html"
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["Access-Control-Allow-Origin"] is None


def test_what_does_not_exist_is_404(psiod):
    with pytest.raises(urllib.error.HTTPError) as error:
        get(psiod, "/nothing/here")
    assert error.value.code == 404
    error.value.close()
