"""Both faces against a live psiod, and its figures beside psutil's."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress

import psutil
import pytest
from daemon import PATIENCE, Psiod
from test_commands import run
from typing_extensions import assert_type

from psio_client import (
    AsyncClient,
    BadParams,
    Client,
    Conflict,
    ConnectionLost,
    NotFound,
    PsioError,
    SubscriptionEnded,
    UnknownCommand,
)
from psio_client.commands import Mode
from psio_client.models import CpuRow, ProcessDetail, ProcessRow


def sleeper(seconds: float = 1000) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", f"import time; time.sleep({seconds})"])


def until_known(psio: Client, pid: int) -> None:
    """Returns when psiod has seen a young process: an answer may be somewhat older than the question."""
    deadline = time.monotonic() + PATIENCE
    while not psio.process_getall(filter=f"pid={pid}").data:
        assert time.monotonic() < deadline


def test_memory_and_cpus_are_what_psutil_says(psiod: Psiod) -> None:
    with Client(psiod.url) as psio:
        memory = psio.memory_getall().data.virtual
        cpus = psio.cpu_getall()
    theirs = psutil.virtual_memory()
    assert memory.total == theirs.total
    assert memory.available is not None
    assert abs(memory.available - theirs.available) < 0.1 * theirs.total
    assert len(cpus.data) == psutil.cpu_count()
    assert cpus.meta.window_ms is not None and cpus.meta.window_ms >= 100
    assert cpus.time is not None and abs(cpus.time - time.time()) < PATIENCE


def test_processes_are_those_that_psutil_sees(psiod: Psiod) -> None:
    with Client(psiod.url) as psio:
        before = set(psutil.pids())
        time.sleep(1.0)  # An answer may be somewhat older than the question.
        ours = {row.pid for row in psio.process_getall(fields=["pid"]).data}
        after = set(psutil.pids())
    # Whoever lived all the while is seen by everybody.
    assert before & after <= ours
    assert abs(len(ours) - len(after)) <= max(10, len(after) // 5)


def test_this_process_is_told_in_detail(psiod: Psiod) -> None:
    with Client(psiod.url) as psio:
        answer = psio.process_get(os.getpid())
        assert_type(answer.data, ProcessDetail)
        us, it = psutil.Process(), answer.data
        assert (it.ppid, it.username, it.cmdline) == (us.ppid(), us.username(), us.cmdline())
        assert it.memory_info is not None
        assert abs(it.memory_info[0] - us.memory_info().rss) < 50e6
        assert psio.process_get(os.getpid(), started=it.started).data.pid == os.getpid()
        with pytest.raises(Conflict):
            psio.process_get(os.getpid(), started=it.started + 1)


def test_every_field_of_every_reply_is_known(psiod: Psiod) -> None:
    """That the generated records know all that this psiod sends, and are sent all that they know."""
    with Client(psiod.url) as psio:
        stats = psio.daemon_getstats().data
        for name, record in [
            ("process.getall", psio.process_getall(limit=1).data[0]),
            ("cpu.getall", psio.cpu_getall(limit=1).data[0]),
            ("process.get", psio.process_get(os.getpid()).data),
            ("host.getstats", psio.host_getstats().data),
            ("daemon.getstats", stats),
            ("memory.getall", psio.memory_getall().data),
        ]:
            params = {"pid": os.getpid()} if name == "process.get" else {}
            raw = psio.request(name, **params).data
            raw = raw[0] if isinstance(raw, list) else raw
            assert record.as_dict().keys() == raw.keys(), name
        assert stats.sweep.processes > 0


def test_described_commands_all_have_a_method(psiod: Psiod) -> None:
    with Client(psiod.url) as psio:
        described = psio.daemon_describe().data
        assert described.protocol == 1
        asked = {command.name for command in described.commands if command.kind != "watch"}
        assert {name for name in asked if not hasattr(psio, name.replace(".", "_"))} == set()


def test_what_can_only_be_subscribed_to_has_no_method(psiod: Psiod) -> None:
    with Client(psiod.url) as psio:
        watched = {command.name for command in psio.daemon_describe().data.commands if command.kind == "watch"}
        assert "process.watch" in watched
        assert {name for name in watched if hasattr(psio, name.replace(".", "_"))} == set()


def test_refusals_arrive_as_exceptions(psiod: Psiod) -> None:
    with Client(psiod.url) as psio:
        with pytest.raises(BadParams, match="limit"):
            psio.request("cpu.getall", limit="many")
        with pytest.raises(BadParams, match="fields|flavour"):
            psio.cpu_getall(fields=["flavour"])
        with pytest.raises(UnknownCommand, match="did you mean cpu.getall"):
            psio.request("cpu.getal")
        with pytest.raises(NotFound):
            psio.process_get(2**22 + 1)


def test_both_faces_say_the_same(psiod: Psiod) -> None:
    async def scenario() -> None:
        async with AsyncClient(psiod.url) as psio:
            cpus, host = await asyncio.gather(psio.cpu_getall(sort="num"), psio.host_getstats())
            assert_type(cpus.data, list[CpuRow])
        with Client(psiod.url) as other:
            assert [row.num for row in other.cpu_getall(sort="num").data] == [row.num for row in cpus.data]
            assert other.host_getstats().data.boot_id == host.data.boot_id

    run(scenario())


@pytest.mark.parametrize("mode", [None, "delta"])
def test_events_come_as_often_as_they_are_wanted(mode: Mode, psiod: Psiod) -> None:
    times: list[float] = []
    with Client(psiod.url) as psio:
        for event in psio.subscribe("cpu.getall", interval=0.2, mode=mode):
            assert_type(event.data, list[CpuRow])
            assert len(event.data) == psutil.cpu_count()
            assert event.seq > len(times)
            times.append(event.time or 0.0)
            if len(times) == 5:
                break
    assert times == sorted(times)
    # The first comes at once, the second at the next common tick.
    assert 0.5 < times[-1] - times[0] < PATIENCE


def test_delta_mode_tells_the_same_processes_as_whole_lists(psiod: Psiod) -> None:
    fields = ["pid", "name", "started"]
    with Client(psiod.url) as psio:
        events = psio.subscribe("process.getall", interval=0.2, mode="delta", fields=fields)
        assert_type(next(events).data, list[ProcessRow])
        child = sleeper()
        try:
            deadline = time.monotonic() + PATIENCE
            while child.pid not in {row.pid for row in next(events).data}:
                assert time.monotonic() < deadline
        finally:
            child.kill()
            child.wait()
        deadline = time.monotonic() + PATIENCE
        while child.pid in {row.pid for row in next(events).data}:
            assert time.monotonic() < deadline
        event = next(events)
        pids = [row.pid for row in event.data]
        assert pids == sorted(pids)
        lived = {row.pid for row in event.data} & {row.pid for row in psio.process_getall(fields=["pid"]).data}
        assert len(lived) > 0.8 * len(pids)


def test_a_subscription_ends_when_its_process_exits(psiod: Psiod) -> None:
    child = sleeper()
    try:
        with Client(psiod.url) as psio, psio.subscribe("process.get", pid=child.pid, interval=0.1) as events:
            until_known(psio, child.pid)
            assert next(events).data.pid == child.pid
            child.kill()
            child.wait()
            with pytest.raises(SubscriptionEnded) as ended:
                for _ in events:
                    pass
        assert ended.value.code == "not_found"
    finally:
        child.kill()
        child.wait()


def test_refused_subscriptions_say_why(psiod: Psiod) -> None:
    with Client(psiod.url) as psio:
        with pytest.raises(BadParams, match="100.*3600000|100.*3_600_000"):
            next(psio.subscribe("cpu.getall", interval=0.01))
        with pytest.raises(UnknownCommand):
            next(psio.subscribe("cpu.getal"))
        with pytest.raises(PsioError) as refused:
            next(psio.subscribe("process.get", pid=2**22 + 1))
        assert refused.value.code == "not_found"


def test_process_watch_tells_of_a_child(psiod: Psiod) -> None:
    with Client(psiod.url) as psio, psio.subscribe("process.watch", interval=0.2) as events:
        first = next(events).data
        assert first.source in ("proc_connector", "sweeps")
        assert first.list_ is not None
        assert os.getpid() in {row.pid for row in first.list_}
        child = sleeper(0.8)
        child.wait()
        seen: dict[str, int | None] = {}
        while "exited" not in seen:
            event = events.receive(PATIENCE)
            assert event is not None
            seen |= {one.event: one.exit_code for one in event.data.events if one.pid == child.pid}
        assert "started" in seen
        assert seen["exited"] == (0 if first.source == "proc_connector" else None)


def test_subscriptions_survive_a_restart_of_psiod(start: Callable[[int], Psiod]) -> None:
    first = start(0)
    with Client(first.url, first_pause=0.05, longest_pause=0.5) as psio:
        rows = psio.subscribe("cpu.getall", interval=0.1, mode="delta")
        assert len(next(rows).data) == psutil.cpu_count()
        first.stop()
        second = start(first.port)
        deadline = time.monotonic() + PATIENCE
        pid = None
        while pid != second.process.pid:
            assert time.monotonic() < deadline
            assert rows.receive(PATIENCE) is not None
            with suppress(ConnectionLost):  # The first question may still be sent to the old one.
                pid = psio.daemon_getstats().data.pid
        assert len(next(rows).data) == psutil.cpu_count()


def test_after_a_restart_process_watch_begins_anew_and_says_so(start: Callable[[int], Psiod]) -> None:
    first = start(0)
    with Client(first.url, first_pause=0.05, longest_pause=0.5) as psio:
        watch = psio.subscribe("process.watch", interval=0.1)
        assert next(watch).data.lost == 0
        first.stop()
        start(first.port)
        deadline = time.monotonic() + PATIENCE
        while (data := next(watch).data).lost == 0:
            assert time.monotonic() < deadline
        assert data.lost is None
        assert data.list_ is not None
