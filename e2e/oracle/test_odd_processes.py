"""Processes that are not like others: strange names, no command line, zombies, threads, users that change, deaths."""

import os
import shutil
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest
import truth
from children import Child
from conftest import STRATEGIES
from daemon import Psiod, until

NAMES = {
    "parentheses": b"a) R 1 (b",
    "only a closing parenthesis": b") Z 9 9",
    "invalid UTF-8": b"\xff\xfeb\x80d\xc3",
    "half a character": b"na\xc3",
    "newlines": b"a\nb\r\n\tc",
    "markup": b"<b>&amp;\"'</b>",
    "escape sequences": b"\x1b[31mred\x1b[0m",
    "quotes and backslashes": b'"\\u0041\\"',
    "spaces": b"  x  ",
    "nothing": b"",
    "fifteen bytes": b"123456789012345",
    "other alphabets": "プロセス".encode(),
}


@pytest.fixture
def asker(any_source):
    with any_source.client() as client:
        yield client


@pytest.fixture(scope="module")
def named(any_source):
    """The row of a child of each strange name, and what psutil says of it."""
    children = {what: Child(f"rename({name!r})") for what, name in NAMES.items()}
    try:
        with any_source.client() as client:
            rows = {row["pid"]: row for row in client.fresh("process.getall")["data"]}
        return {what: (rows[child.pid], truth.process(child.pid)) for what, child in children.items()}
    finally:
        for child in children.values():
            child.end()


@pytest.mark.parametrize("what", NAMES)
def test_a_strange_name_is_told_as_it_is(named, what):
    row, _ = named[what]
    assert row["name"] == NAMES[what].decode("utf-8", "replace")


@pytest.mark.parametrize("what", NAMES)
def test_a_strange_name_disturbs_no_other_field(named, what):
    row, expected = named[what]
    for field in ["ppid", "nice", "num_threads", "uid", "username", "cmdline", "memory_info"]:
        # The portable source cannot tell them all.
        assert row[field] in (expected[field], None), field


@pytest.fixture
def program(tmp_path):
    """A copy of sleep(1) under a name of a test's own."""
    children = []

    def program(name, arguments=("1000",)):
        path = tmp_path / os.fsdecode(name)
        shutil.copy("/bin/sleep", path)
        child = Child(program=[path, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        children.append(child)
        until(lambda: os.path.samefile(f"/proc/{child.pid}/exe", path), "the program runs")
        return child

    yield program
    for child in children:
        child.end()


@pytest.mark.parametrize(
    "name",
    [
        "exactly-15bytes",
        "sixteen-bytes-ab",
        "a-program-with-a-very-long-name-indeed-that-nobody-would-type",
        "a long name with spaces in it.exe",
        "ein-überlänger-Programmname",
        "プロセスモニター",
    ],
)
def test_a_long_name_is_expanded_from_the_command_line(asker, program, name):
    child = program(name)
    assert asker.process(child.pid)["name"] == name


def test_a_long_name_that_is_not_utf8_is_expanded(asker, program):
    child = program(b"a-long-name-with-\xff\xfe-in-it")
    assert asker.process(child.pid)["name"] == "a-long-name-with-\ufffd\ufffd-in-it"


def test_arguments_are_told_one_by_one(asker, spawn):
    arguments = ["two words", "line\nbreak", "--flag=ü", "'\"\\"]
    child = spawn("", *arguments)
    assert asker.process(child.pid)["cmdline"][-4:] == arguments


def test_empty_arguments_are_told(native, spawn):
    child = spawn("", "", "x", "")
    with native.client() as client:
        assert client.process(child.pid)["cmdline"][-3:] == ["", "x", ""]


def test_arguments_that_are_not_utf8_have_replacement_characters(asker, program):
    child = Child(program=[b"/bin/sh", b"-c", b"read line", b"\xff\xfe-x"], stdin=subprocess.PIPE, stdout=None)
    try:
        until(lambda: psutil.Process(child.pid).cmdline()[1:2] == ["-c"], "it runs")
        assert asker.process(child.pid)["cmdline"][-1] == "\ufffd\ufffd-x"
    finally:
        child.end()


ERASE = """
# Unmaps the page that holds the arguments: to the kernel they are gone.
with open("/proc/self/stat", "rb") as file:
    fields = file.read().rsplit(b")", 1)[1].split()
start, end = int(fields[45]), int(fields[46])  # arg_start, arg_end
page = mmap.PAGESIZE
start = start // page * page
libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
assert libc.munmap(start, (end - start + page - 1) // page * page) == 0
"""


def test_a_process_without_a_command_line_has_an_empty_one(asker, spawn):
    child = spawn(ERASE + "rename(b'bare')")
    assert psutil.Process(child.pid).cmdline() == []
    row = asker.process(child.pid)
    assert (row["cmdline"], row["name"]) == ([], "bare")


def test_a_process_started_without_arguments_is_listed(native, spawn):
    child = spawn("ready(); told(); libc.execve(b'/bin/cat', (ctypes.c_char_p * 1)(None), (ctypes.c_char_p * 1)(None))")
    child.tell("go")
    until(lambda: psutil.Process(child.pid).name() == "cat", "it runs")
    with native.client() as client:
        row = client.process(child.pid)
    assert (row["name"], row["cmdline"]) == ("cat", psutil.Process(child.pid).cmdline())


def zombie(spawn):
    child = spawn("pid = os.fork()\nif pid == 0: rename(b'undead'); os._exit(3)\nready(pid)")
    pid = int(child.words[0])
    until(lambda: psutil.Process(pid).status() == "zombie", "it is a zombie")
    return pid, child


def test_a_zombie_is_listed_as_one(asker, spawn):
    pid, parent = zombie(spawn)
    row = asker.process(pid)
    assert (row["status"], row["name"], row["ppid"], row["cmdline"]) == ("zombie", "undead", parent.pid, [])


def test_a_process_that_becomes_a_zombie_loses_its_command_line(asker, spawn):
    child = spawn("pid = os.fork()\nif pid == 0: told(); os._exit(0)\nready(pid)\nsignal.pause()")
    pid = int(child.words[0])
    assert asker.process(pid)["cmdline"] != []
    child.tell("go")
    until(lambda: psutil.Process(pid).status() == "zombie", "it is a zombie")
    row = asker.process(pid)
    assert (row["status"], row["cmdline"]) == ("zombie", [])


def test_process_get_answers_about_a_zombie(asker, spawn):
    pid, _ = zombie(spawn)
    asker.process(pid)
    assert asker.data("process.get", pid=pid)["status"] == "zombie"


def test_kernel_threads_are_listed_without_command_line_and_memory(asker):
    kthreads = {child.pid: child.name() for child in psutil.Process(2).children()}
    rows = {row["pid"]: row for row in asker.fresh("process.getall")["data"]}
    for pid in kthreads.keys() & rows.keys():
        assert (rows[pid]["cmdline"], rows[pid]["memory_info"], rows[pid]["ppid"]) == ([], [0, 0], 2)
        assert rows[pid]["username"] == "root"
    assert rows[2]["name"] == "kthreadd"


def test_a_renamed_thread_does_not_rename_its_process(asker, spawn):
    child = spawn("threading.Thread(target=lambda: (rename(b'worker'), ready(), signal.pause())).start()")
    row = asker.process(child.pid)
    assert row["name"].startswith("python")
    assert row["num_threads"] in (2, None)


def test_a_new_name_of_the_main_thread_is_seen_in_the_next_sweep(asker, spawn):
    child = spawn("rename(b'before'); ready(); told(); rename(b'after')")
    assert asker.process(child.pid)["name"] == "before"
    child.tell("go")
    child.hear()
    assert asker.process(child.pid)["name"] == "after"


def test_another_user_is_seen_in_the_next_sweep(asker, spawn):
    child = spawn("ready(); told(); os.setresuid(65534, 65534, 65534)")
    assert asker.process(child.pid)["username"] == "root"
    child.tell("go")
    child.hear()
    row = asker.process(child.pid)
    assert (row["uid"], row["username"]) == (65534, psutil.Process(child.pid).username())


def sweeps(client):
    return client.fresh("daemon.getstats")["data"]["sweep"]["count"]


def test_another_real_user_alone_is_seen_within_ten_sweeps(asker, spawn):
    child = spawn("ready(); told(); os.setresuid(65534, 0, 0)")
    assert asker.process(child.pid)["uid"] == 0
    child.tell("go")
    child.hear()
    before = sweeps(asker)
    until(lambda: asker.process(child.pid)["uid"] == 65534, "the new user is seen")
    assert sweeps(asker) - before <= 10
    assert asker.process(child.pid)["username"] == psutil.Process(child.pid).username()


EXEC = "ready(); told(); os.execv('/bin/sleep', [b'sleep', b'1000'])"


def test_an_exec_changes_name_and_command_line(asker, spawn):
    child = spawn(EXEC)
    assert asker.process(child.pid)["name"].startswith("python")
    child.tell("go")
    until(lambda: psutil.Process(child.pid).name() == "sleep", "it has executed another program")
    row = asker.process(child.pid)
    assert (row["name"], row["cmdline"]) == ("sleep", ["sleep", "1000"])


def test_an_exec_keeps_pid_and_start(asker, spawn):
    child = spawn(EXEC)
    before = asker.process(child.pid)
    child.tell("go")
    until(lambda: psutil.Process(child.pid).name() == "sleep", "it has executed another program")
    assert asker.process(child.pid)["started"] == before["started"]


@pytest.fixture(scope="module", autouse=True)
def elders():
    """Children that have lived for a while when their turn comes, and then execute their program again."""
    again = "ready(); told(); os.execv(sys.executable, [sys.executable, '-S', '-c', 'input()', 'again'])"
    children = [Child(again) for _ in range(3)]
    yield iter(children)
    for child in children:
        child.end()


def test_an_exec_of_the_same_name_changes_the_command_line_of_an_old_process(asker, elders):
    child = next(elders)
    # Command lines of processes younger than three seconds are read in every sweep anyway.
    time.sleep(max(0.0, psutil.Process(child.pid).create_time() + 3.2 - time.time()))
    asker.process(child.pid)
    child.tell("go")
    until(lambda: psutil.Process(child.pid).cmdline()[-1:] == ["again"], "it has executed itself")
    assert asker.process(child.pid)["cmdline"][-1] == "again"


HERD = """
pids = []
for _ in range(1000):
    pid = os.fork()
    if pid == 0:
        signal.pause()
    pids.append(pid)
ready(); told()
for pid in pids:
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    time.sleep(0.002)
"""


@pytest.fixture(scope="module")
def deaths():
    """What a psiod of each strategy answers while a thousand processes die one after the other."""
    survivors = [Child() for _ in range(3)]
    herd = Child(HERD)
    daemons = {strategy: Psiod(*STRATEGIES[strategy]) for strategy in ["kept", "opened"]}
    ready = threading.Barrier(len(daemons), action=lambda: herd.tell("go"))

    def watch(psiod):
        with psiod.client() as client:
            for _ in range(2):
                # The second sweep is what a sweep costs from then on, and so how often there is one.
                answers = [client.fresh("process.getall")]
            ready.wait()
            while any(row["ppid"] == herd.pid for row in answers[-1]["data"]):
                answers.append(client.ask("process.getall"))
                assert answers[-1]["type"] == "response", answers[-1]
        return answers

    try:
        with ThreadPoolExecutor() as threads:
            answers = dict(zip(daemons, threads.map(watch, daemons.values())))
    finally:
        for child in [herd, *survivors]:
            child.end()
        for psiod in daemons.values():
            psiod.stop_well()
    return answers, herd.pid, {child.pid for child in survivors}


@pytest.fixture(params=["kept", "opened"])
def dying(request, deaths):
    answers, herd, survivors = deaths
    return answers[request.param], herd, survivors


def test_a_thousand_processes_are_listed(dying):
    answers, herd, _ = dying
    assert sum(row["ppid"] == herd for row in answers[0]["data"]) == 1000


def test_sweeps_go_on_while_a_thousand_processes_die(dying):
    answers, herd, _ = dying
    counts = {sum(row["ppid"] == herd for row in answer["data"]) for answer in answers}
    assert len(counts) >= 3 and 0 in counts


def test_those_who_live_are_in_every_answer_while_others_die(dying):
    answers, _, survivors = dying
    for answer in answers:
        assert survivors <= {row["pid"] for row in answer["data"]}


def test_no_row_is_half_read_while_processes_die(dying):
    answers, _, _ = dying
    for answer in answers:
        for row in answer["data"]:
            nulls = {name for name, value in row.items() if value is None} - {"cpu_percent"}
            assert nulls <= answer["meta"]["unknown"].keys() and row["name"] and row["started"] > 0, row
