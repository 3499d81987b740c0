"""`daemon.describe` tells the truth about every command, `host.getstats` about the machine, and `daemon.getstats` about
psiod."""

import os
import platform
import socket
import time

import jsonschema
import psutil
import pytest
from daemon import until

COMMANDS = [
    "cpu.getall",
    "daemon.describe",
    "daemon.getstats",
    "host.getstats",
    "memory.getall",
    "process.get",
    "process.getall",
    "process.watch",
]


@pytest.fixture(scope="module")
def described(psiod):
    with psiod.client() as client:
        return client.data("daemon.describe")


def entry(described, name):
    (found,) = (command for command in described["commands"] if command["name"] == name)
    return found


def validator(described, schema):
    """Checks against a schema whose references point into the description's definitions."""
    whole = {**schema, "$defs": described["$defs"]}
    jsonschema.Draft202012Validator.check_schema(whole)
    return jsonschema.Draft202012Validator(whole)


def row_schema(described, name):
    """The schema of one row of a command that lists, without the demand that all fields be there."""
    items = entry(described, name)["reply"]["items"]
    target = described["$defs"][items["$ref"].rsplit("/", 1)[1]] if "$ref" in items else items
    return {key: value for key, value in target.items() if key != "required"} | {"additionalProperties": False}


def test_every_command_is_described_in_the_order_of_names(described):
    assert [command["name"] for command in described["commands"]] == COMMANDS


def test_the_protocol_has_version_1(described):
    assert described["protocol"] == 1


def test_every_description_has_text_and_examples(described):
    assert [command["name"] for command in described["commands"] if not command["doc"] or not command["examples"]] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_examples_are_parameters_as_described(described, name):
    command = entry(described, name)
    for example in command["examples"]:
        validator(described, command["params"]).validate(example["params"])


@pytest.mark.parametrize("name", COMMANDS)
def test_every_example_is_answered_as_described(described, client, name):
    command = entry(described, name)
    for example in command["examples"]:
        params = example["params"]
        if command["kind"] == "watch":
            client.subscribe("watch", 100, name, **params)
            data = client.event("watch")["data"]
            client.unsubscribe("watch")
        else:
            data = client.data(name, **params)
        if params.get("format") == "columns":
            validate_columns(described, name, params, data)
        elif "fields" in params:
            validator(described, {"type": "array", "items": row_schema(described, name)}).validate(data)
            assert all(list(row) == params["fields"] for row in data)
        else:
            validator(described, command["reply"]).validate(data)


def validate_columns(described, name, params, data):
    assert list(data) == ["columns", "rows"]
    assert list(data["columns"]) == params["fields"]
    for field, values in data["columns"].items():
        schema = row_schema(described, name)["properties"][field]
        validator(described, {"type": "array", "items": schema}).validate(values)
        assert len(values) == data["rows"]


@pytest.mark.parametrize("name", ["cpu.getall", "process.getall", "memory.getall", "host.getstats", "daemon.getstats"])
def test_the_whole_answer_of_any_source_is_as_described(any_source, name):
    with any_source.client() as client:
        described = client.data("daemon.describe")
        validator(described, entry(described, name)["reply"]).validate(client.data(name))


@pytest.mark.parametrize("name", ["cpu.getall", "process.getall"])
def test_the_key_of_a_list_tells_its_rows_apart(described, client, name):
    key = entry(described, name)["key"]
    rows = client.data(name)
    assert len({tuple(row[field] for field in key) for row in rows}) == len(rows)


def test_columns_hold_what_rows_hold(client):
    fields = ["pid", "name", "started", "cmdline"]
    client.fresh("process.getall")
    rows = client.data("process.getall", fields=fields)
    columns = client.data("process.getall", fields=fields, format="columns")["columns"]
    told = {row["pid"]: list(row.values()) for row in rows}
    for values in zip(*columns.values(), strict=True):
        assert told.get(values[0], list(values)) == list(values)


def test_a_list_is_filtered_sorted_and_cut(client):
    answer = client.answer("process.getall", filter="ppid=2", sort="-pid", limit=3, offset=1, fields=["pid", "ppid"])
    pids = [row["pid"] for row in answer["data"]]
    assert pids == sorted(pids, reverse=True) and len(pids) == 3
    assert {row["ppid"] for row in answer["data"]} == {2}
    assert answer["meta"]["total"] > 4


@pytest.fixture
def host(client):
    return client.data("host.getstats")


def first_line(path, key):
    with open(path) as file:
        return next(line.split(":", 1)[1].strip() for line in file if line.startswith(key))


def test_the_host_is_named_as_the_kernel_names_it(host):
    assert (host["hostname"], host["kernel"], host["architecture"]) == (
        socket.gethostname(), platform.release(), platform.machine())


def test_the_system_is_named_as_it_names_itself(host):
    assert host["os"] == platform.freedesktop_os_release()["PRETTY_NAME"]


def test_the_boot_is_told_as_the_kernel_tells_it(host):
    with open("/proc/sys/kernel/random/boot_id") as file:
        assert host["boot_id"] == file.read().strip()
    assert host["boot_time"] == pytest.approx(psutil.boot_time(), abs=1)


def test_cpus_are_counted_as_psutil_counts_them(host):
    assert (host["cpu_count"], host["cpu_cores"]) == (psutil.cpu_count(), psutil.cpu_count(logical=False))


def test_the_cpu_model_is_that_of_the_first_cpu(host):
    assert host["cpu_model"] == first_line("/proc/cpuinfo", "model name")


def test_uptime_lies_between_readings_of_the_clock(client):
    before = time.clock_gettime(time.CLOCK_BOOTTIME)
    uptime = client.fresh("host.getstats")["data"]["uptime"]
    assert before - 0.01 <= uptime <= time.clock_gettime(time.CLOCK_BOOTTIME)


def test_load_is_what_the_kernel_says(client):
    def still():
        before = os.getloadavg()
        told = client.fresh("host.getstats")["data"]["load_average"]
        return (before, told) if before == os.getloadavg() else None

    before, told = until(still, "the load stands still around an answer")
    assert told == pytest.approx(before, abs=0.0051)


def test_threads_are_counted_as_the_kernel_counts_them(client):
    def bracketed():
        before = threads()
        told = client.fresh("host.getstats")["data"]["threads_total"]
        low, high = sorted((before, threads()))
        return low <= told <= high

    until(bracketed, "the number of threads lies between two readings")


def threads():
    with open("/proc/loadavg") as file:
        return int(file.read().split()[3].split("/")[1])


@pytest.fixture
def own(psiod):
    """A fresh answer of psiod about itself, and psutil's readings around it."""
    process = psutil.Process(psiod.pid)
    with psiod.client() as client:
        before = process.as_dict(["memory_info", "cpu_times"])
        stats = client.fresh("daemon.getstats")["data"]
        yield stats, before, process.as_dict(["memory_info", "cpu_times"]), process


def test_psiod_knows_its_pid_and_version(own, described):
    stats, _, _, process = own
    assert (stats["pid"], stats["version"], stats["source"]) == (process.pid, described["version"], "linux")


def test_psiod_tells_its_memory_within_what_moved(own):
    stats, before, after, _ = own
    low, high = sorted((before["memory_info"].rss, after["memory_info"].rss))
    # The kernel adds up per-CPU parts; while threads run they may be some pages apart.
    slack = 512 << 10
    assert low - slack <= stats["rss"] <= high + slack


def test_psiod_tells_its_cpu_time_within_what_it_used(own):
    stats, before, after, _ = own
    used = [times.user + times.system for times in (before["cpu_times"], after["cpu_times"])]
    assert used[0] - 0.001 <= stats["cpu_seconds"] <= used[1] + 0.021


def test_psiod_counts_its_descriptors(psiod):
    with psiod.client() as client:
        def agree():
            before = psutil.Process(psiod.pid).num_fds()
            told = client.fresh("daemon.getstats")["data"]["descriptors"]
            low, high = sorted((before, psutil.Process(psiod.pid).num_fds()))
            # Counting takes a descriptor of its own, for a moment.
            return low <= told <= high + 1

        until(agree, "psiod and psutil count the same")


def test_psiod_has_raised_its_limit_of_descriptors_to_the_hard_one(own):
    stats, _, _, process = own
    _, hard = process.rlimit(psutil.RLIMIT_NOFILE)
    assert stats["descriptor_limit"] == hard


def test_psiod_counts_its_clients(psiod, client):
    until(lambda: client.data("daemon.getstats")["clients"] == 1, "those of earlier tests have gone")
    others = [psiod.client() for _ in range(4)]
    assert client.fresh("daemon.getstats")["data"]["clients"] == 5
    for other in others:
        other.close()
    until(lambda: client.data("daemon.getstats")["clients"] == 1, "psiod notices that four have gone")


def test_psiod_counts_requests_refusals_included(client):
    before = client.fresh("daemon.getstats")
    asked_before = client.asked
    client.data("memory.getall")
    client.exchange("nonsense")
    after = client.fresh("daemon.getstats")
    assert after["data"]["requests"] - before["data"]["requests"] == client.asked - asked_before


def test_psiod_tells_its_uptime(psiod, client):
    least = time.monotonic() - psiod.listening
    uptime = client.fresh("daemon.getstats")["data"]["uptime"]
    assert least - 0.01 <= uptime <= time.monotonic() - psiod.started
