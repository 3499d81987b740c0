"""The same over plain HTTP: every answer equals the WebSocket's, every mistake has a status and a reason, and what is
typed into a terminal reads well."""

import http.client
import json
import os
import random
import shlex
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlencode, urlsplit

import pytest
import recorded
from daemon import PATIENCE, Psiod, raw_connection, raw_exchange, until

SCHEMA = Path(__file__).parents[2] / "api/schema.json"
PATHS = ["/api", "/api/", "/api/nowhere", "/api/schema.json", "/api/v1", "/api/v1/", "/api/v1/cpu.getall", "/metrics"]


@dataclass
class Response:
    status: int
    headers: dict
    body: bytes

    @property
    def json(self):
        assert self.headers["content-type"] == "application/json"
        return json.loads(self.body)

    def has(self, header, value):
        return self.headers.get(header) == value


def ask(psiod, path, method="GET", **headers):
    """One request; a header's name may be written with `_`."""
    connection = http.client.HTTPConnection("127.0.0.1", psiod.port, timeout=PATIENCE)
    try:
        connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        response = connection.getresponse()
        names = {name.lower(): value for name, value in response.getheaders()}
        return Response(response.status, names, response.read())
    finally:
        connection.close()


def url(name, params=()):
    """A command as people write it: lists with commas."""
    pairs = {key: ",".join(value) if isinstance(value, list) else value for key, value in dict(params).items()}
    return f"/api/v1/{name}" + (f"?{urlencode(pairs)}" if pairs else "")


@pytest.fixture(scope="module")
def still(tmp_path_factory):
    """A psiod that tells of a machine that stands still."""
    psiod = Psiod("--replay", str(recorded.write(tmp_path_factory.mktemp("machine") / "still.jsonl")))
    with psiod.client() as client:
        last = (recorded.BOOTED + recorded.UPTIME + 1) * 1000
        for name in ["cpu.getall", "process.getall", "memory.getall", "host.getstats"]:
            until(lambda: client.answer(name)["time"] == last, f"{name} stands still", pause=0.1)
    yield psiod
    psiod.stop_well()


def examples(client):
    commands = client.data("daemon.describe")["commands"]
    asked = [command for command in commands if command["kind"] == "read"]
    return [(command["name"], example["params"]) for command in asked for example in command["examples"]]


def test_every_example_of_every_command_gets_the_websockets_answer(still):
    with still.client() as client:
        asked = [asked for asked in examples(client) if asked[0] != "daemon.getstats"]
        assert len(asked) > 6
        for name, params in asked:
            expected = client.answer(name, **params)
            answer = ask(still, url(name, params))
            assert (answer.status, answer.json) == (200, expected["data"]), name
            assert answer.headers.get("psio-time") == (str(expected["time"]) if "time" in expected else None), name
            meta = answer.headers.get("psio-meta")
            assert (json.loads(meta) if meta else None) == expected.get("meta"), name


def test_the_bytes_are_the_websockets_to_the_letter(still):
    with still.client() as client:
        client.send('{"type":"command","data":{"name":"process.getall"}}')
        opening, end = '{"type":"response","data":', "}"
        text = client.receive_text()
    assert text == opening + ask(still, "/api/v1/process.getall").body.decode() + end


def test_psiods_own_stats_have_the_websockets_shape(psiod, client):
    over_http = ask(psiod, "/api/v1/daemon.getstats").json
    assert shape(over_http) == shape(client.data("daemon.getstats"))


def shape(value):
    return {key: shape(inner) for key, inner in value.items()} if isinstance(value, dict) else type(value)


def test_a_live_machine_answers_with_now(psiod):
    before = time.time() * 1000
    answer = ask(psiod, f"/api/v1/process.get?pid={os.getpid()}")
    assert answer.json["pid"] == os.getpid()
    # A sample may be as old as two seconds.
    assert before - 2500 < int(answer.headers["psio-time"]) <= time.time() * 1000


def test_what_is_unknown_is_null_and_the_header_says_why(still):
    answer = ask(still, "/api/v1/memory.getall")
    assert answer.json["virtual"]["wired"] is None
    assert json.loads(answer.headers["psio-meta"])["unknown"]["virtual.wired"] == "unsupported"


def test_no_answer_may_be_kept(psiod):
    for path in ["/api/v1/cpu.getall", "/api/v1/", "/api/v1/nothing", "/metrics"]:
        assert ask(psiod, path).has("cache-control", "no-store"), path


def test_a_list_may_be_given_with_commas_or_again_and_again(still):
    once = ask(still, "/api/v1/process.getall?fields=pid,name").json
    assert once == ask(still, "/api/v1/process.getall?fields=pid&fields=name").json
    assert once == [{"pid": pid, "name": name} for pid, name in recorded.NAMES.items()]


def test_a_filter_may_hold_any_character(still):
    for name in [recorded.NAMES[666], "Finder"]:
        text = '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
        rows = ask(still, f"/api/v1/process.getall?fields=pid&filter=name={quote(text, safe='')}").json
        assert rows == [{"pid": next(pid for pid, known in recorded.NAMES.items() if known == name)}]


def test_a_slash_at_the_end_does_no_harm(still):
    assert ask(still, "/api/v1/memory.getall/").json == ask(still, "/api/v1/memory.getall").json
    assert ask(still, "/api/v1").json == ask(still, "/api/v1/").json


def test_what_is_percent_encoded_in_the_path_is_understood(still):
    assert ask(still, "/api/v1/memory%2Egetall").json == ask(still, "/api/v1/memory.getall").json


# Path and query, status, code, and the words that the message must contain.
REFUSED = {
    "an unknown command": ("proces.getall", 404, "unknown_command", ["`proces.getall`", "process.getall"]),
    "a command like no other": ("zzzz", 404, "unknown_command", ["`zzzz`", "daemon.describe"]),
    "no command at all": ("/", 404, "unknown_command", []),
    "a command and more": ("cpu.getall/0", 404, "unknown_command", ["`cpu.getall/0`"]),
    "a command in capitals": ("CPU.GETALL", 404, "unknown_command", ["cpu.getall"]),
    "bytes that are no text": ("%ff%fe", 404, "unknown_command", []),
    "a NUL": ("%00", 404, "unknown_command", []),
    "a way out": ("..%2f..%2fetc%2fpasswd", 404, "unknown_command", []),
    "a missing parameter": ("process.get", 400, "bad_params", ["missing", "`pid`", "integer"]),
    "an unknown parameter": ("process.get?pid=1&pidd=1", 400, "bad_params", ["unknown", "`pidd`", "pid"]),
    "a name as a parameter": ("cpu.getall?name=cpu.getall", 400, "bad_params", ["`name`"]),
    "a parameter without a value": ("process.getall?limit", 400, "bad_params", ["`limit`", "integer"]),
    "a parameter without a name": ("process.getall?=1", 400, "bad_params", ["unknown parameter"]),
    "a parameter for a command without any": ("memory.getall?pid=1", 400, "bad_params", ["`pid`", "no parameters"]),
    "a pid that is text": ("process.get?pid=init", 400, "bad_params", ["`pid`", "integer", '"init"']),
    "a pid below zero": ("process.get?pid=-1", 400, "bad_params", ["`pid`", "integer"]),
    "a pid with a fraction": ("process.get?pid=1.5", 400, "bad_params", ["`pid`", "integer"]),
    "a pid beyond all": ("process.get?pid=99999999999999999999", 400, "bad_params", ["`pid`", "integer"]),
    "a pid twice": ("process.get?pid=1&pid=1", 400, "bad_params", ["`pid`", "twice"]),
    "a limit that is a list": ("process.getall?limit=1,2", 400, "bad_params", ["`limit`", "integer"]),
    "a field that does not exist": ("process.getall?fields=pid,nam", 400, "bad_params", ["`nam`", "name"]),
    "no fields": ("process.getall?fields=", 400, "bad_params", ["fields"]),
    "a field twice": ("process.getall?fields=pid&fields=pid", 400, "bad_params", ["`pid`", "twice"]),
    "a sort field that does not exist": ("cpu.getall?sort=-usag", 400, "bad_params", ["`usag`", "usage"]),
    "a format that does not exist": ("cpu.getall?format=csv", 400, "bad_params", ["`format`", "columns"]),
    "a filter that cannot be read": ("cpu.getall?filter=usage%3Emany", 400, "bad_params", ["filter", "many"]),
    "a filter that is not UTF-8": ("cpu.getall?filter=%ff", 400, "bad_params", ["`filter`", "UTF-8"]),
    "an interval without events": ("cpu.getall?interval=1000", 400, "bad_params", ["`interval`", "text/event-stream"]),
    "a mode without events": ("cpu.getall?mode=delta", 400, "bad_params", ["`mode`", "text/event-stream"]),
    "a pid that is gone": ("process.get?pid=4294967295", 404, "not_found", ["4294967295"]),
    "a pid that is another by now": (f"process.get?pid={os.getpid()}&started=1", 409, "conflict", []),
    "the past": ("cpu.getall?at=-15m", 501, "unsupported", ["`at`"]),
    "another host": ("cpu.getall?host=db1", 501, "unsupported", ["`host`"]),
    "a query that nobody types": ("cpu.getall?filter=" + "x" * 9000, 414, "too_large", ["9007", "8192"]),
}


@pytest.mark.parametrize("what", REFUSED)
def test_it_is_refused_with_a_status_and_what_was_wrong(psiod, what):
    path, status, code, words = REFUSED[what]
    answer = ask(psiod, f"/api/v1/{path}")
    assert (answer.status, answer.json["code"]) == (status, code)
    assert [word for word in words if word not in answer.json["message"]] == [], answer.json["message"]
    assert answer.json.keys() <= {"code", "message", "details"}


def test_a_refusal_is_the_websockets(psiod, client):
    params = {"pid": "init"}
    assert ask(psiod, url("process.get", params)).json == client.refusal("process.get", **params)


def test_a_head_as_long_as_a_book_is_refused(psiod):
    assert ask(psiod, "/api/v1/cpu.getall?filter=" + "x" * 20_000).status == 431
    assert ask(psiod, "/api/v1/cpu.getall").status == 200


def test_a_path_that_was_guessed_is_told_where_things_are(psiod):
    for path in ["/api/nowhere", "/api/v2/cpu.getall", "/api//"]:
        answer = ask(psiod, path)
        assert (answer.status, answer.json["code"]) == (404, "not_found")
        assert "/api/v1/" in answer.json["message"]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "BREW"])
def test_nothing_can_be_done_but_reading(psiod, method):
    for path in PATHS:
        answer = ask(psiod, path, method)
        assert (answer.status, answer.headers["allow"]) == (405, "GET,HEAD"), path
        assert method in answer.json["message"]


def test_head_says_what_get_would_without_the_body(still):
    for path in PATHS:
        head, whole = ask(still, path, "HEAD"), ask(still, path)
        assert (head.status, head.body) == (whole.status, b""), path
        same = ["content-type", "psio-time", "psio-meta", "etag", "cache-control"]
        assert [head.headers.get(name) for name in same] == [whole.headers.get(name) for name in same], path
        if path != "/metrics":
            assert int(head.headers["content-length"]) == len(whole.body), path


def test_strangers_are_refused_on_every_path(psiod):
    for path in PATHS:
        assert ask(psiod, path, Host="evil.com").status == 403, path
        assert ask(psiod, path, Origin="http://evil.com").status == 403, path
        assert ask(psiod, path, Origin="null").status == 403, path
        assert ask(psiod, path, Origin="http://localhost:5173").status != 403, path


def test_no_page_from_elsewhere_may_read_an_answer(psiod):
    for path in PATHS:
        answer = ask(psiod, path, Origin="http://localhost:5173")
        assert "access-control-allow-origin" not in answer.headers
        assert answer.has("x-content-type-options", "nosniff"), path
        assert answer.has("cross-origin-resource-policy", "same-origin"), path


def test_the_schema_is_the_committed_one(psiod):
    answer = ask(psiod, "/api/schema.json")
    assert (answer.body, answer.headers["content-type"]) == (SCHEMA.read_bytes(), "application/json")
    again = ask(psiod, "/api/schema.json", If_None_Match=answer.headers["etag"])
    assert (again.status, again.body) == (304, b"")
    assert ask(psiod, "/api/schema.json", If_None_Match='"other"').status == 200


def test_the_list_of_commands_has_examples_that_work(psiod, client):
    listed = ask(psiod, "/api/v1/").json
    assert [command["name"] for command in listed] == [
        command["name"] for command in client.data("daemon.describe")["commands"] if command["kind"] == "read"
    ]
    for command in listed:
        parts = urlsplit(command["example"])
        assert parts.netloc == f"127.0.0.1:{psiod.port}"
        assert command["tells"] and ask(psiod, f"{parts.path}?{parts.query}").status == 200


def test_requests_over_http_are_counted(psiod, client):
    before = client.fresh("daemon.getstats")["data"]["requests"], client.asked
    ask(psiod, "/api/v1/memory.getall")
    ask(psiod, "/api/v1/nothing")
    after = client.fresh("daemon.getstats")["data"]["requests"], client.asked
    assert after[0] - before[0] == after[1] - before[1] + 2


def test_several_requests_may_share_a_connection(still):
    connection = http.client.HTTPConnection("127.0.0.1", still.port, timeout=PATIENCE)
    connection.connect()
    first = connection.sock
    for path in ["/api/v1/cpu.getall", "/api/v1/nothing", "/api/v1/memory.getall", "/metrics"]:
        connection.request("GET", path)
        assert connection.getresponse().read()
        assert connection.sock is first
    connection.close()


def test_whatever_is_asked_psiod_makes_no_mistake(psiod):
    chance = random.Random(7)
    names = ["process.getall", "process.get", "cpu.getall", "memory.getall", "x", ""]
    keys = ["fields", "sort", "filter", "limit", "offset", "format", "pid", "at", "host", "interval", "mode", "x", ""]
    values = ["", "1", "-1", "pid", "-pid", "cpu_percent>", "!", "%", "%00", "%2", "+", ",", "a,b", "1e999", "rows"]
    values += ["é", '"', "%f0%9f"]
    seen = set()
    for _ in range(1500):
        count = chance.randint(0, 4)
        pairs = [chance.choice(keys) + chance.choice(["=", "=", "=", ""]) + chance.choice(values) for _ in range(count)]
        path = f"/api/v1/{chance.choice(names)}{chance.choice(['', '/', '%20'])}?{'&'.join(pairs)}"
        answer = ask(psiod, quote(path, safe="/?&=%+,!\"'>-"), chance.choice(["GET", "HEAD"]))
        assert answer.status in {200, 400, 404, 501}, (path, answer)
        seen.add(answer.status)
    assert seen == {200, 400, 404, 501}


GARBAGE = {
    "spaces in the path": b"GET /api/v1/cpu getall HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "raw bytes in the path": b"GET /api/v1/\xff\xfe HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a raw NUL": b"GET /api/v1/cpu.getall?\x00 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a fragment": b"GET /api/v1/nothing#cpu.getall HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "dots": b"GET /api/v1/../v1/../../etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "no host": b"GET /api/v1/cpu.getall HTTP/1.1\r\n\r\n",
    "a body": b"POST /api/v1/cpu.getall HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello",
}


@pytest.mark.parametrize("what", GARBAGE)
def test_garbage_gets_no_success(psiod, what):
    answer = raw_exchange(psiod, GARBAGE[what])
    assert answer == b"" or answer.startswith(b"HTTP/1.1 4"), answer[:200]


def test_who_leaves_before_the_answer_harms_nobody(psiod):
    for _ in range(20):
        with raw_connection(psiod) as connection:
            connection.sendall(b"GET /api/v1/process.getall HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert ask(psiod, "/api/v1/process.getall").status == 200


def curl(*arguments):
    """What curl writes to standard output."""
    done = subprocess.run(["curl", "--silent", "--show-error", *arguments], capture_output=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
    return done.stdout.decode()


def test_curl_shows_one_row_to_a_line(still):
    text = curl(f"http://localhost:{still.port}/api/v1/cpu.getall?fields=num,usage")
    assert text == '[{"num": 0, "usage": 40.0}, {"num": 1, "usage": 0.0}]\n'
    text = curl(f"http://localhost:{still.port}/api/v1/process.getall?fields=pid,name&limit=2")
    rows = json.loads(text)
    assert rows == [{"pid": 1, "name": "systemd"}, {"pid": 412, "name": "Finder"}]


def test_curl_shows_the_same_json_that_a_program_gets(still):
    for path in ["process.getall", "daemon.describe", "memory.getall", "process.getall?format=columns", "nothing"]:
        shown = curl(f"http://localhost:{still.port}/api/v1/{path}")
        plain = curl("-H", "Accept: application/json", f"http://localhost:{still.port}/api/v1/{path}")
        assert json.loads(shown) == json.loads(plain)
        assert shown.endswith("\n") and shown.count("\n") > 2 and plain.count("\n") == 0
        short = [line for line in shown.splitlines() if len(line.encode()) <= 100]
        assert len(short) > 0.8 * shown.count("\n")


def test_curl_shows_a_mistake_so_that_it_can_be_read(psiod):
    lines = curl(f"http://localhost:{psiod.port}/api/v1/process.get?pid=x").splitlines()
    assert lines[0] == "{" and lines[1] == '  "code": "bad_params",'


def test_every_line_of_the_hint_can_be_typed(psiod):
    hint = curl(f"http://localhost:{psiod.port}/api")
    typed = [line.strip() for line in hint.splitlines() if line.startswith("  curl ")]
    assert len(typed) >= 6
    for line in typed:
        # What follows a gap says what the line is for.
        words = shlex.split(line.partition("   ")[0])
        assert curl("--fail", *words[1:]), line
    assert all(len(line) <= 120 for line in hint.splitlines())


def test_curl_gets_the_hint_where_a_browser_gets_the_page(psiod):
    root = f"http://localhost:{psiod.port}/"
    assert curl(root) == curl(f"{root}api")
    assert "<html" in curl("-H", "Accept: text/html", root)
    assert "<html" in curl("-A", "Mozilla/5.0", root)
    assert curl("--head", root).splitlines()[0].split()[1] == "200"


def test_a_browsers_address_bar_gets_json_that_can_be_read(still):
    accept = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
    answer = ask(still, "/api/v1/memory.getall", Accept=accept)
    assert answer.headers["content-type"] == "application/json" and answer.body.count(b"\n") > 10
