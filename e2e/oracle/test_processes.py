"""`process.getall` and `process.get` against psutil, process by process and field by field."""

import os
import signal

import psutil
import pytest
import truth
from daemon import until

TICK = 1 / os.sysconf("SC_CLK_TCK")
# What a process can be at one moment and not at the next, without anything having happened to it.
BUSY = {"running", "sleeping", "disk-sleep", "idle", "waking"}


@pytest.fixture(scope="module")
def brackets(any_source):
    """Three looks at the machine. What differs because it changed between two readings differs in one look; what
    psiod gets wrong, in all."""
    with any_source.client() as client:
        return [truth.Bracket.around(client, any_source.pid) for _ in range(3)]


def lasting(brackets, differs):
    """The processes for which `differs(row, before, after)` tells something in every look, with what it tells."""
    looks = [{row["pid"]: differs(row, before, after) for row, before, after in look.same()} for look in brackets]
    first, *others = ({pid: found for pid, found in look.items() if found} for look in looks)
    return {pid: found for pid, found in first.items() if all(pid in other for other in others)}


def claimed(field, row, unknown):
    """Whether psiod claims to know the field of this process: where it does not, it says why."""
    return row[field] is not None or field not in unknown


EXACT = ["name", "username", "nice", "num_threads", "ppid", "uid", "cmdline"]


@pytest.mark.parametrize("field", EXACT)
def test_field_is_what_psutil_says(brackets, field):
    def differs(row, before, after):
        if before[field] == after[field] != row[field] and claimed(field, row, brackets[0].unknown):
            return row[field], before[field]
        return None

    assert lasting(brackets, differs) == {}


def test_create_time_is_what_psutil_says(brackets, any_source):
    # sysinfo knows it to the second.
    slack = 1 if any_source.strategy == "portable" else 1e-6

    def differs(row, before, after):
        if before["create_time"] == after["create_time"] and abs(row["create_time"] - before["create_time"]) >= slack:
            return row["create_time"], before["create_time"]
        return None

    assert lasting(brackets, differs) == {}


def test_terminal_is_what_psutil_says(brackets):
    def differs(row, before, after):
        if before["terminal"] == after["terminal"] != row["terminal"]:
            return row["terminal"], before["terminal"]
        return None

    if brackets[0].unknown.get("terminal") != "unsupported":
        assert lasting(brackets, differs) == {}


def test_a_process_that_does_not_move_has_exactly_the_memory_psutil_says(brackets):
    def differs(row, before, after):
        if before["memory_info"] == after["memory_info"] != row["memory_info"]:
            return row["memory_info"], before["memory_info"]
        return None

    assert lasting(brackets, differs) == {}


def test_memory_that_moves_lies_between_the_readings_around_it(brackets):
    def differs(row, before, after):
        trios = zip(row["memory_info"], before["memory_info"], after["memory_info"], strict=True)
        if any(not min(low, high) <= value <= max(low, high) for value, low, high in trios):
            return row["memory_info"], before["memory_info"], after["memory_info"]
        return None

    assert lasting(brackets, differs) == {}


def timed(look):
    """The processes whose user and system time are told; they are for all, or the answer says why not."""
    for row, before, after in look.same():
        if row["cpu_times"] is None:
            assert look.unknown["cpu_times"] == "unsupported", row
        else:
            yield row, before, after


def test_cpu_time_in_all_lies_within_two_ticks_of_the_readings_around_it(brackets):
    slack = 2 * TICK + 1e-6
    for look in brackets:
        for row, before, after in timed(look):
            value, low, high = (sum(reading["cpu_times"]) for reading in (row, before, after))
            assert low - slack <= value <= high + slack, (row["pid"], row["name"], value, low, high)


def test_user_and_system_time_lie_within_a_tick_of_the_readings_around_them(brackets):
    slack = TICK + 1e-6
    for look in brackets:
        for row, before, after in timed(look):
            for value, low, high in zip(row["cpu_times"], before["cpu_times"], after["cpu_times"], strict=True):
                assert low - slack <= value <= high + slack, (row["pid"], row["name"], value, low, high)


def test_status_is_what_psutil_says_unless_the_process_moved(brackets):
    for look in brackets:
        for row, before, after in look.same():
            if (before["status"], before["switches"]) == (after["status"], after["switches"]):
                allowed = {before["status"]}
            else:
                allowed = BUSY | {before["status"], after["status"]}
            assert row["status"] in allowed, (row["pid"], row["name"], row["status"], allowed)


def test_the_cpu_of_a_process_that_did_not_run_is_what_psutil_says(brackets):
    def differs(row, before, after):
        still = before["switches"] == after["switches"] and before["status"] == after["status"] != "running"
        if still and before["cpu_num"] == after["cpu_num"] != row["cpu_num"]:
            return row["cpu_num"], before["cpu_num"]
        return None

    if "cpu_num" not in brackets[0].unknown:
        assert lasting(brackets, differs) == {}


def test_every_process_that_was_there_all_the_time_is_listed(brackets):
    for look in brackets:
        assert look.before.keys() & look.after.keys() <= {row["pid"] for row in look.rows}


def test_nothing_is_listed_but_processes_that_were_there_or_came_and_went(brackets):
    for look in brackets:
        known = look.before.keys() | look.after.keys()
        strangers = [row for row in look.rows if row["pid"] not in known]
        assert [row for row in strangers if row["started"] * TICK < look.began - 2 * TICK] == []


def test_rows_are_ordered_by_pid_and_each_pid_stands_once(brackets):
    for look in brackets:
        pids = [row["pid"] for row in look.rows]
        assert pids == sorted(set(pids))


def test_every_null_has_a_reason(brackets):
    for look in brackets:
        nulls = {field for row in look.rows for field, value in row.items() if value is None}
        assert nulls - look.unknown.keys() == set()


def test_memory_percent_is_the_share_of_rss_in_the_machines_memory(brackets):
    total = psutil.virtual_memory().total
    for row in brackets[-1].rows:
        assert row["memory_percent"] == pytest.approx(row["memory_info"][0] / total * 100)


def test_started_and_create_time_tell_the_same(brackets):
    boot = psutil.boot_time()
    for row in brackets[-1].rows:
        assert row["create_time"] == pytest.approx(boot + row["started"] * TICK, abs=1.0 + TICK)


QUIET = {
    "nice": "os.nice(7)",
    "threads": "for _ in range(4): threading.Thread(target=signal.pause, daemon=True).start()",
    "another user": "os.setresgid(65534, 65534, 65534); os.setresuid(65534, 65534, 65534)",
    "much memory": "held = mmap.mmap(-1, 64 << 20); held.write(bytes(64 << 20))",
    "its own session": "os.setsid()",
}


@pytest.mark.parametrize("what", QUIET)
def test_a_quiet_process_is_exactly_what_psutil_says(native, spawn, what):
    child = spawn(QUIET[what])
    until(lambda: psutil.Process(child.pid).status() == "sleeping", "the child rests")
    expected = truth.process(child.pid)
    with native.client() as client:
        row = client.process(child.pid)
    del expected["switches"]
    assert {field: row[field] for field in expected} == expected


def test_a_process_with_a_terminal_names_it(native, spawn):
    master, slave = os.openpty()
    try:
        path = os.ttyname(slave)
        child = spawn("sys.stdin = os.fdopen(os.dup(0)); os.setsid(); import fcntl, termios;"
                      "fcntl.ioctl(int(sys.argv[1]), termios.TIOCSCTTY, 0)", str(slave), pass_fds=[slave])
        with native.client() as client:
            assert client.process(child.pid)["terminal"] == path
    finally:
        os.close(master)
        os.close(slave)


def test_a_stopped_process_is_stopped(native, spawn):
    child = spawn()
    os.kill(child.pid, signal.SIGSTOP)
    until(lambda: psutil.Process(child.pid).status() == "stopped", "the child stops")
    with native.client() as client:
        assert client.process(child.pid)["status"] == "stopped"


def test_a_thread_is_not_a_process(native, spawn):
    child = spawn("threading.Thread(target=lambda: (ready(threading.get_native_id()), signal.pause())).start()")
    (tid,) = child.words
    with native.client() as client:
        assert client.process(int(tid)) is None
        assert client.refusal("process.get", pid=int(tid))["code"] == "not_found"


def test_process_get_tells_what_the_list_tells(native, spawn):
    child = spawn()
    with native.client() as client:
        row = client.process(child.pid)
        one = client.data("process.get", pid=child.pid, started=row["started"])
    still = row.keys() - {"cpu_percent", "cpu_times", "status", "cpu_num"}
    assert {field: one[field] for field in still} == {field: row[field] for field in still}


def test_process_get_tells_the_details_psutil_tells(native, spawn):
    child = spawn()
    until(lambda: psutil.Process(child.pid).status() == "sleeping", "the child rests")
    with native.client() as client:
        client.process(child.pid)
        one = client.data("process.get", pid=child.pid)
    with open(f"/proc/{child.pid}/oom_score") as file:
        assert one["oom_score"] == int(file.read())
    assert one["num_ctx_switches"] == list(psutil.Process(child.pid).num_ctx_switches())


def test_the_strategy_that_was_asked_for_is_the_one_in_use(native):
    with native.client() as client:
        client.fresh("process.getall", limit=0)
        assert client.fresh("daemon.getstats")["data"]["sweep"]["strategy"] == native.strategy
