"""Whatever a client sends: it is told what was wrong, its connection lives unless the protocol itself is broken, and
nobody else notices."""

import json
import os
import random
import re
import socket
import struct
import subprocess
from collections import Counter

import psutil
import pytest
from daemon import raw_connection, raw_exchange, text_frame, until, upgrade_request
from websockets.exceptions import ConnectionClosed

LIMIT = 64 * 1024
DEEP = "[" * 10_000 + "]" * 10_000


def command(name="cpu.getall", **params):
    return json.dumps({"type": "command", "data": {"name": name, **params}})


@pytest.fixture
def bystander(psiod):
    """Another client, which is served before the test and must be after it."""
    with psiod.client() as client:
        assert_served(client)
        yield client
        assert_served(client)


def assert_served(client):
    """The connection still gets right answers."""
    rows = client.data("cpu.getall", fields=["num"])
    assert rows == [{"num": num} for num in range(psutil.cpu_count())]


# What is sent, the code of the refusal, and the words that it must contain.
REFUSED = {
    "empty": ("", "bad_json", ["not JSON"]),
    "not JSON": ("hello", "bad_json", ["not JSON", '"type":"command"']),
    "half of JSON": ('{"type":"command"', "bad_json", ["not JSON"]),
    "two objects": (command() * 2, "bad_json", ["not JSON"]),
    "a NUL": ("\0", "bad_json", ["not JSON"]),
    "an array": ("[1]", "bad_request", ["object", "an array"]),
    "a number": ("3", "bad_request", ["object", "a number"]),
    "a string": ('"x"', "bad_request", ["object", "a string"]),
    "null": ("null", "bad_request", ["object", "null"]),
    "an object that was not stringified": ("[object Object]", "bad_json", ["JSON.stringify"]),
    "no type": ('{"data":{"name":"cpu.getall"}}', "bad_request", ["`type` is missing"]),
    "a type of the wrong kind": ('{"type":7,"data":{"name":"cpu.getall"}}', "bad_request", ["`type`", "a number"]),
    "an unknown type": ('{"type":"comand","data":{"name":"cpu.getall"}}', "bad_request", ["`comand`", "command"]),
    "no data": ('{"type":"command"}', "bad_request", ["`data` is missing"]),
    "data of the wrong kind": ('{"type":"command","data":[]}', "bad_request", ["`data`", "an array"]),
    "no name": ('{"type":"command","data":{}}', "bad_request", ["`data.name` is missing"]),
    "a name of the wrong kind": ('{"type":"command","data":{"name":1}}', "bad_request", ["`data.name`", "a number"]),
    "an unknown command": (command("proces.getall"), "unknown_command", ["`proces.getall`", "process.getall"]),
    "a command like no other": (command("zzzz"), "unknown_command", ["`zzzz`", "daemon.describe"]),
    "a missing parameter": (command("process.get"), "bad_params", ["missing", "`pid`", "integer"]),
    "an unknown parameter": (command("process.get", pid=1, pidd=1), "bad_params", ["unknown", "`pidd`", "pid"]),
    "a parameter for a command without any": (
        command("memory.getall", pid=1), "bad_params", ["`pid`", "no parameters"]),
    "a pid that is text": (command("process.get", pid="1"), "bad_params", ["`pid`", "integer"]),
    "a pid below zero": (command("process.get", pid=-1), "bad_params", ["`pid`", "integer"]),
    "a pid with a fraction": (command("process.get", pid=1.5), "bad_params", ["`pid`", "integer"]),
    "a pid that is null": (command("process.get", pid=None), "bad_params", ["`pid`", "integer"]),
    "a limit that is text": (command(limit="ten"), "bad_params", ["`limit`", "integer"]),
    "a limit below zero": (command(limit=-1), "bad_params", ["`limit`", "integer"]),
    "an unknown parameter of a list": (command(limt=1), "bad_params", ["`limt`", "limit"]),
    "fields that are no list": (command(fields="num"), "bad_params", ["`fields`", "array"]),
    "fields that are numbers": (command(fields=[1]), "bad_params", ["fields", "array"]),
    "a field that does not exist": (command(fields=["usag"]), "bad_params", ["`usag`", "usage"]),
    "a sort field that does not exist": (command(sort="-usag"), "bad_params", ["sort", "`usag`", "usage"]),
    "a format that does not exist": (command(format="table"), "bad_params", ["`format`", "rows", "columns"]),
    "a filter that cannot be read": (command(filter="usage>many"), "bad_params", ["filter"]),
    "a filter field that does not exist": (command(filter="usag>5"), "bad_params", ["filter", "usag"]),
    "nesting 10,000 deep": (DEEP, "bad_request", ["object"]),
    "nesting 10,000 deep and unclosed": ("[" * 10_000, "bad_json", ["not JSON"]),
    "a parameter nested 10,000 deep": (
        '{"type":"command","data":{"name":"cpu.getall","fields":' + DEEP + "}}", "bad_request", ["recursion"]),
    "an id nested 10,000 deep": ('{"type":"command","id":' + DEEP + ',"data":{"name":"x"}}', "bad_request", ["`id`"]),
    "an id that is an object": ('{"type":"command","id":{},"data":{"name":"cpu.getall"}}', "bad_request", ["`id`"]),
    "an id that is a boolean": ('{"type":"command","id":true,"data":{"name":"cpu.getall"}}', "bad_request", ["`id`"]),
    "an id of 129 bytes": (
        json.dumps({"type": "command", "id": "i" * 129, "data": {"name": "cpu.getall"}}), "bad_request", ["128"]),
}


@pytest.mark.parametrize("what", REFUSED)
def test_it_is_refused_with_what_was_wrong(client, bystander, what):
    sent, code, words = REFUSED[what]
    answer = client.exchange(sent)
    assert (answer["type"], answer["data"]["code"]) == ("error", code)
    assert [word for word in words if word not in answer["data"]["message"]] == [], answer["data"]["message"]
    assert not re.search(r"\b[iu](8|16|32|64|size)\b", answer["data"]["message"]), "it speaks Rust"
    assert_served(client)


def test_an_unknown_command_comes_with_the_nearest_names_for_programs(client):
    assert client.refusal("proces.getall")["details"]["nearest"][0] == "process.getall"


def test_a_bad_parameter_is_named_for_programs(client):
    assert client.refusal("process.get", pid="1")["details"]["parameter"] == "pid"


def test_a_pid_that_is_gone_is_not_found(client, bystander):
    gone = subprocess.Popen(["/bin/true"])
    gone.wait()
    refusal = client.refusal("process.get", pid=gone.pid)
    assert (refusal["code"], refusal["details"]) == ("not_found", {"pid": gone.pid})
    assert_served(client)


def test_a_pid_that_is_another_process_by_now_is_a_conflict(client):
    refusal = client.refusal("process.get", pid=os.getpid(), started=1)
    assert refusal["code"] == "conflict"


def test_the_largest_pid_there_can_be_is_not_found(client):
    assert client.refusal("process.get", pid=2**32 - 1)["code"] == "not_found"


@pytest.mark.parametrize("reserved", ["at", "host"])
def test_what_is_reserved_for_later_is_unsupported(client, reserved):
    envelope = {"type": "command", "data": {"name": "cpu.getall"}}
    (envelope if reserved == "host" else envelope["data"])[reserved] = "x"
    assert client.exchange(envelope)["data"]["code"] == "unsupported"


@pytest.mark.parametrize("sent", [b"", b"\x00\xff", b"x" * LIMIT], ids=["empty", "short", "64 KiB"])
def test_a_binary_message_is_refused_and_the_connection_lives(client, bystander, sent):
    assert client.exchange(sent)["data"]["code"] == "bad_request"
    assert_served(client)


def padded(length):
    """A good command of this many bytes."""
    envelope = {"type": "command", "data": {"name": "cpu.getall"}, "ignored": ""}
    envelope["ignored"] = "x" * (length - len(json.dumps(envelope)))
    return json.dumps(envelope)


def test_a_message_of_64_kib_is_answered(client):
    assert client.exchange(padded(LIMIT))["type"] == "response"


@pytest.mark.parametrize("length", [LIMIT + 1, 1 << 20])
def test_a_message_over_64_kib_closes_with_1009(client, bystander, length):
    assert closing_code(client, lambda: client.socket.send(padded(length))) == 1009


def test_a_message_over_64_kib_in_fragments_closes_with_1009(client, bystander):
    assert closing_code(client, lambda: client.socket.send(["x" * 1000] * 66)) == 1009


def closing_code(client, act):
    with pytest.raises(ConnectionClosed) as closed:
        act()
        client.receive()
    return closed.value.rcvd.code


# Frames that RFC 6455 forbids, and the code it names.
VIOLATIONS = {
    "not masked": (b"\x81\x02{}", 1002),
    "a reserved bit": (b"\xc1\x82\0\0\0\0{}", 1002),
    "a reserved opcode": (b"\x83\x80\0\0\0\0", 1002),
    "a continuation of nothing": (b"\x80\x82\0\0\0\0{}", 1002),
    "a ping of 126 bytes": (b"\x89\xfe\x00\x7e\0\0\0\0" + b"x" * 126, 1002),
    "text that is not UTF-8": (b"\x81\x82\0\0\0\0\xff\xfe", 1007),
    "the largest length there is": (b"\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xff\0\0\0\0", 1009),
}


@pytest.mark.parametrize("what", VIOLATIONS)
def test_a_violation_of_the_protocol_closes_with_its_code(psiod, bystander, what):
    frame, code = VIOLATIONS[what]
    answer = raw_exchange(psiod, upgrade_request("localhost") + frame)
    _, _, frames = answer.partition(b"\r\n\r\n")
    assert frames[0] == 0x88
    assert struct.unpack("!H", frames[2:4])[0] == code


@pytest.mark.parametrize("path", ["/ws", "/api", "//", "/%00", "/.."])
def test_an_upgrade_to_another_path_is_told_where(psiod, bystander, path):
    head, _, body = raw_exchange(psiod, upgrade_request("localhost", path)).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 404 ")
    assert b"psiod's is at /" in body


GARBAGE = {
    "a TLS hello": bytes.fromhex("16030100a5010000a10303") + bytes(160),
    "NULs": bytes(1000),
    "no headers": b"GET\r\n\r\n",
    "no HTTP": b"HELO localhost\r\n\r\n",
    "random bytes": random.Random(6455).randbytes(20_000),
    "a header without end": b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 100_000,
    "half a request": b"GET / HTTP/1.1\r\nHost: loc",
    "a bad length": b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
    "another method": b"BREW / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "nothing": b"",
}


@pytest.mark.parametrize("what", GARBAGE)
def test_http_garbage_gets_no_success_and_harms_nobody(psiod, bystander, what):
    answer = raw_exchange(psiod, GARBAGE[what])
    assert answer == b"" or answer.startswith(b"HTTP/1.1 4"), answer[:200]


def test_a_client_that_vanishes_in_the_middle_of_a_reply_harms_nobody(psiod, bystander):
    for _ in range(10):
        connection = raw_connection(psiod)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.sendall(upgrade_request("localhost") + text_frame(command("process.getall")) * 60)
        assert connection.recv(2000)
        # Closing now sends RST, whatever is on its way.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
    until(lambda: bystander.data("daemon.getstats")["clients"] <= 2, "psiod has noticed that they are gone")


def test_a_client_that_does_not_read_harms_nobody(psiod, bystander):
    with raw_connection(psiod) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.sendall(upgrade_request("localhost") + text_frame(command("process.getall")) * 200)
        for _ in range(20):
            assert_served(bystander)


def scribble(message, chance):
    """The message with a few of its characters lost, doubled, changed or moved."""
    pieces = ['"', "{", "}", "[", "]", ",", ":", "\\", "\0", "é", "\U0001f980", "null", "1e999", "-", " ", "name"]
    for _ in range(chance.randint(1, 4)):
        at, end = sorted(chance.randrange(len(message) + 1) for _ in range(2))
        middle = message[at:end]
        message = chance.choice([
            message[:at] + chance.choice(pieces) + message[at:],
            message[:at] + message[at + 1 :],
            message[:at] + chance.choice(pieces) + message[at + 1 :],
            message[:at] + middle[:40] * 2 + message[end:],
            message[:at] + middle[::-1] + message[end:],
            message[:end],
        ])
    return message


def confuse(value, chance):
    """JSON like the given one, in which here and there something else stands."""
    if chance.random() < 0.15:
        texts = ["", "name", "-pid", "cpu_percent>", "!", "\0"]
        return chance.choice([None, True, -1, 0, 2**64, 1e308, *texts, [], {}, [[]], {"": ""}])
    if isinstance(value, dict):
        keys = {key: chance.choice(["name", "at", "x", key[:-1]]) if chance.random() < 0.08 else key for key in value}
        return {keys[key]: confuse(inner, chance) for key, inner in value.items() if chance.random() > 0.05}
    if isinstance(value, list):
        return [confuse(inner, chance) for inner in value] * chance.choice([1, 1, 1, 2])
    return value


def mutate(message, chance):
    if chance.random() < 0.3:
        return scribble(message, chance)
    return json.dumps(confuse(json.loads(message), chance), ensure_ascii=chance.random() < 0.5)


SEEDS = [
    command("process.getall", limit=2, sort="-cpu_percent", fields=["pid", "name"], filter='a>1 !b "c d"'),
    command("process.get", pid=1, started=1),
    '{"type":"command","id":"x","data":{"name":"cpu.getall","format":"columns"}}',
    '{"type":"command","id":12,"data":{"name":"memory.getall"}}',
    '{"type":"subscribe","id":2,"interval":1000,"mode":"delta","data":{"name":"process.getall","limit":3}}',
    '{"type":"unsubscribe","id":3,"subscription":2}',
    command("daemon.describe"),
]


def test_each_of_3000_mutated_messages_gets_exactly_one_answer(client, bystander):
    chance = random.Random(20)
    codes = Counter()
    for _ in range(60):
        sent = [mutate(chance.choice(SEEDS), chance) for _ in range(50)]
        for message in sent:
            client.send(message)
        answers = [client.receive_answer() for _ in sent]
        assert {answer["type"] for answer in answers} <= {"response", "error"}
        codes.update(answer["data"]["code"] if answer["type"] == "error" else "" for answer in answers)
    # What was sent was of all kinds.
    assert {"", "bad_json", "bad_request", "bad_params", "unknown_command"} <= codes.keys()
    assert "internal" not in codes
    # Had there been one answer too many, it would come now.
    assert client.exchange('{"type":"command","id":"last","data":{"name":"cpu.getall"}}')["id"] == "last"
