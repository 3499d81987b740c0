"""`psio get`: JSON, CSV and tables that say what psiod says, and what is told of mistakes."""

import json
import os
import re
import socket
import subprocess

import pytest
from daemon import PATIENCE, until
from shell import complaint, cpus, ENVIRONMENT, MISTYPED, Nobody, parsed_csv, printed, PSIO, psio, terminal


def test_json_is_the_data_as_psiod_wrote_it(psiod, client):
    client.send({"type": "command", "data": {"name": "daemon.describe"}})
    whole = client.receive_text()
    prefix = '{"type":"response","data":'
    assert whole.startswith(prefix)
    assert printed(psiod, "get", "daemon.describe") == whole[len(prefix) : -1] + "\n"


def test_options_choose_as_parameters_do(psiod, client, spawn):
    pids = sorted(spawn('rename(b"chosen")').pid for _ in range(4))
    until(lambda: len(client.data("process.getall", filter="name=chosen")) == 4, "the children are seen")
    options = ["--sort", "-pid", "--limit", "2", "--offset", "1", "--fields", "pid,nice", "--filter", "name=chosen uid>=0"]
    rows = json.loads(printed(psiod, "get", "process.getall", *options))
    nice = os.nice(0)
    assert [list(row.items()) for row in rows] == [[("pid", pid), ("nice", nice)] for pid in (pids[2], pids[1])]


def test_an_option_may_be_an_integer(psiod, client):
    row = json.loads(printed(psiod, "get", "process.get", "--pid", str(os.getpid())))
    assert (row["pid"], row["ppid"]) == (os.getpid(), os.getppid())


def test_csv_is_what_the_json_says(psiod, client, spawn):
    strange = 'a,"b\n=1'
    child = spawn(f"rename({strange.encode()!r})", "two words", "")
    row = client.process(child.pid)
    assert row["name"] == strange
    text = printed(psiod, "get", "process.getall", "--csv", "--filter", f"pid={child.pid}")
    (record,) = parsed_csv(text)
    expected = {}
    for name, value in row.items():
        if name in ("cpu_times", "memory_info"):
            expected |= {f"{name}.{at}": str(part) for at, part in enumerate(value)}
        elif isinstance(value, list):
            expected[name] = value
        else:
            expected[name] = "" if value is None else str(value)
    assert list(record) == list(expected)
    record["cmdline"] = json.loads(record["cmdline"])
    assert record["cmdline"][-2:] == ["two words", ""]
    changing = {"cpu_percent", "cpu_times.0", "cpu_times.1", "cpu_num", "memory_percent", "status", "memory_info.0"}
    assert {n: v for n, v in record.items() if n not in changing} == {
        n: v for n, v in expected.items() if n not in changing
    }
    assert int(record["memory_info.0"]) > 0


def test_csv_of_nothing_has_its_header(psiod):
    text = printed(psiod, "get", "process.getall", "--csv", "--filter", "pid=0", "--fields", "name,cpu_times")
    assert text == "name,cpu_times.0,cpu_times.1\r\n"


def test_csv_of_an_object_has_dotted_names(psiod, client):
    (record,) = parsed_csv(printed(psiod, "get", "memory.getall", "--csv"))
    memory = client.data("memory.getall")
    assert list(record) == [f"{part}.{name}" for part in memory for name in memory[part]]
    assert int(record["virtual.total"]) == memory["virtual"]["total"]


def test_columns_are_printed_as_rows(psiod):
    options = ["--fields", "num", "--sort", "num", "--format", "columns"]
    cpus = json.loads(printed(psiod, "get", "cpu.getall", "--fields", "num"))
    assert parsed_csv(printed(psiod, "get", "cpu.getall", "--csv", *options)) == [{"num": str(c["num"])} for c in cpus]


def test_on_a_terminal_it_is_a_table_that_fits(psiod, terminal, spawn, client):
    child = spawn('rename(b"\\x1b[31mred")')
    client.process(child.pid)
    for columns in [20, 80, 300]:
        shown = terminal(psiod.port, "get", "process.getall", "--filter", f"pid={child.pid}", columns=columns)
        assert shown.wait() == 0
        header, row, end = shown.shown.decode().split("\r\n")
        assert end == "" and header.split()[:2] == ["pid", "name"]
        assert len(row) <= columns and len(header) <= columns
        assert row.split()[0] == str(child.pid)
        # What a process calls itself does not paint the terminal.
        assert b"\x1b" not in shown.shown
    assert " \\u{1b}[31mred " in row and re.search(r" \d+\.\dM \d+\.\d[MG] ", row)


@pytest.mark.parametrize("form", ["--json", "--csv"])
def test_no_form_paints_the_terminal(psiod, terminal, spawn, client, form):
    child = spawn('rename("\\u202e\\u009b1m".encode())')
    client.process(child.pid)
    shown = terminal(
        psiod.port, "get", "process.getall", form, "--fields", "name", "--filter", f"pid={child.pid}", columns=200
    )
    assert shown.wait() == 0
    text = shown.shown.decode()
    if form == "--json":
        assert json.loads(text) == [{"name": "\u202e\u009b1m"}]
        assert "\\u202e\\u009b1m" in text
    else:
        assert text.split() == ["name", "\\u{202e}\\u{9b}1m"]


def test_an_object_is_a_line_for_each_field_on_a_terminal(psiod, terminal):
    shown = terminal(psiod.port, "get", "memory.getall")
    assert shown.wait() == 0
    lines = dict(line.split() for line in shown.shown.decode().splitlines())
    assert re.fullmatch(r"\d+\.\d[MGT]", lines["virtual.total"])
    assert re.fullmatch(r"\d+\.\d", lines["virtual.percent"])


def test_a_table_that_is_piped_has_its_full_width(psiod):
    header = printed(psiod, "get", "process.getall", "--table", "--limit", "1").splitlines()[0]
    assert header.split()[-1] == "cmdline" and len(header) > 100


def test_nobody_reading_is_no_failure(psiod):
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as closed:
        command = [PSIO, "--port", str(psiod.port), "get", "process.getall"]
        ran = subprocess.run(command, stdout=closed, stderr=subprocess.PIPE, timeout=PATIENCE, env=ENVIRONMENT)
    assert (ran.returncode, ran.stderr) == (0, b"")


def test_a_full_disk_is_told(psiod):
    command = [PSIO, "--port", str(psiod.port), "get", "host.getstats"]
    with open("/dev/full", "wb") as full:
        ran = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, timeout=PATIENCE, env=ENVIRONMENT)
    assert ran.returncode == 1
    assert ran.stderr.startswith(b"psio: cannot write the output: ")


def test_the_help_lists_every_command_that_tells_something(psiod, client):
    told = printed(psiod, "get", "--help")
    for command in client.data("daemon.describe")["commands"]:
        if command["kind"] == "read":
            assert f"\n  {command['name']} " in told
            own = printed(psiod, "get", command["name"], "--help")
            for parameter in command["params"].get("properties", {}):
                assert f"--{parameter}" in own


# Refusals


def test_a_refusal_of_psiods_is_told_in_its_words(psiod, client):
    free = client.refusal("process.get", pid=2**31 - 1)["message"]
    assert complaint(psiod, "get", "process.get", "--pid", str(2**31 - 1)) == f"psio: {free}\n"
    assert "did you mean name?" in complaint(psiod, "get", "process.getall", "--fields", "nane")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["get", "proces.getall"], ["proces.getall", "did you mean process.getall"]),
        (["get", "process.getall", "--srt", "pid"], ["--srt", "--sort"]),
        (["get", "process.getall", "--limit", "ten"], ["ten", "--limit", "expected an integer"]),
        (["get", "process.getall", "--limit", "-1"], ["-1", "--limit", "expected an integer ≥ 0"]),
        (["get", "process.get"], ["--pid"]),
        (["get", "cpu.getall", "--json", "--csv"], ["--json", "--csv"]),
        (["get", "cpu.getall", "--url", "http://localhost:3000/"], ["ws://localhost:3000/"]),
        (["watch", "cpu.getall", "--interval", "soon"], ["soon", "500ms"]),
        (["watch", "cpu.getall", "--count", "0"], ["0", "--count"]),
        (["watch", "cpu.getall\x1b[31m"], ["\\u{1b}[31m"]),
    ],
)
def test_what_was_mistyped_is_told(arguments, told):
    complained = complaint(Nobody(), *arguments, code=MISTYPED)
    assert all(word in complained for word in told), complained
    assert "\x1b" not in complained


@pytest.mark.parametrize("verb", ["get", "watch"])
def test_without_psiod_it_says_what_to_type(verb):
    nobody = Nobody()
    told = complaint(nobody, verb, "cpu.getall")
    assert told == f"psio: psiod is not running on port {nobody.port}; `psio --port {nobody.port}` starts it\n"


def test_an_address_that_is_given_is_where_it_asks(psiod):
    url = f"ws://127.0.0.1:{psiod.port}/"
    assert json.loads(printed(Nobody(), "get", "host.getstats", "--url", url))["hostname"]
    nobody = f"ws://127.0.0.1:{Nobody().port}/"
    assert f"no psiod answers at {nobody}" in complaint(psiod, "get", "host.getstats", "--url", nobody)


def test_whoever_does_not_answer_is_not_waited_for():
    nobody = Nobody()
    with socket.create_server(("127.0.0.1", nobody.port)):
        assert "has not answered within 5 s" in complaint(nobody, "get", "cpu.getall")


def test_a_server_that_is_no_psiod_is_told(psiod):
    told = complaint(psiod, "get", "cpu.getall", "--url", f"ws://127.0.0.1:{psiod.port}/api/nothing")
    assert "HTTP 404" in told


# Watching
