"""Subscriptions of the asyncio face, against a psiod that follows a script."""

from __future__ import annotations

import asyncio
import gc
import threading
from typing import Any

import pytest
from fake import FakeDaemon, Talk
from test_commands import run

from psio_client import AsyncClient, BadParams, ConnectionLost, ProtocolError, SubscriptionEnded
from psio_client.channel import WATCH_QUEUE

ROW = {"num": 0, "usage": 1.0}


async def settled(psio: AsyncClient) -> None:
    """Returns when the client has taken whatever was sent before its question arrived."""
    await psio.request("sync")


async def answer_sync(talk: Talk) -> None:
    asked = await talk.receive()
    assert asked["data"]["name"] == "sync", asked
    await talk.send({"type": "response", "id": asked["id"], "data": None})


def test_events_are_typed_and_carry_seq_time_and_meta() -> None:
    async def script(talk: Talk) -> None:
        asked = await talk.receive()
        assert {key: value for key, value in asked.items() if key != "id"} == {
            "type": "subscribe",
            "interval": 500,
            "data": {"name": "cpu.getall", "sort": "-usage"},
        }
        # An event is taken even when it overtakes the response.
        await talk.event(asked["id"], 1, [ROW], meta={"window_ms": 500}, newer=1)
        await talk.send({"type": "response", "id": asked["id"], "data": {"interval": 500}})
        await talk.until_closed()

    async def scenario(url: str) -> None:
        async with AsyncClient(url) as psio:
            async for event in psio.subscribe("cpu.getall", interval=0.5, sort="-usage"):
                assert (event.data[0].usage, event.seq, event.time, event.meta.window_ms) == (1.0, 1, 1.0, 500)
                break

    with FakeDaemon(script) as daemon:
        run(scenario(daemon.url))


def test_a_slow_consumer_gets_the_newest_and_sees_the_gap() -> None:
    async def script(talk: Talk) -> None:
        id = await talk.subscription()
        await talk.event(id, 1, "one")
        await answer_sync(talk)
        for seq in range(2, 6):
            await talk.event(id, seq, f"number {seq}")
        await answer_sync(talk)
        await answer_sync(talk)
        await talk.event(id, 6, "six")
        await talk.until_closed()

    async def scenario(url: str) -> None:
        async with AsyncClient(url) as psio:
            events = psio.subscribe("any")
            assert (await anext(events)).data == "one"
            await settled(psio)
            await settled(psio)
            event = await anext(events)
            assert (event.seq, event.data) == (5, "number 5")
            await settled(psio)
            assert (await anext(events)).data == "six"

    with FakeDaemon(script) as daemon:
        run(scenario(daemon.url))


def test_deltas_are_applied_also_those_that_a_slow_consumer_never_sees() -> None:
    async def script(talk: Talk) -> None:
        id = await talk.subscription()
        await talk.event(id, 1, {"reset": {"0": ROW, "1": {"num": 1, "usage": 2.0}}, "order": ["1", "0"]})
        await answer_sync(talk)
        await talk.event(id, 2, {"set": {"0": {"usage": None}}})
        await talk.event(id, 3, {"remove": ["1"], "add": {"2": {"num": 2, "usage": 7.0}}, "order": ["2", "0"]})
        await answer_sync(talk)
        await answer_sync(talk)
        await talk.event(id, 4, {})
        await answer_sync(talk)
        await talk.until_closed()

    async def scenario(url: str) -> None:
        async with AsyncClient(url) as psio:
            events = psio.subscribe("cpu.getall", mode="delta")
            assert [(row.num, row.usage) for row in (await anext(events)).data] == [(1, 2.0), (0, 1.0)]
            await settled(psio)
            await settled(psio)
            for seq in (3, 4):
                event = await anext(events)
                assert (event.seq, [(row.num, row.usage) for row in event.data]) == (seq, [(2, 7.0), (0, None)])
                await settled(psio)

    with FakeDaemon(script) as daemon:
        run(scenario(daemon.url))


def test_a_reset_after_a_gap_goes_on() -> None:
    async def script(talk: Talk) -> None:
        id = await talk.subscription()
        await talk.event(id, 1, {"reset": {"0": ROW}, "order": ["0"]})
        await answer_sync(talk)
        await talk.event(id, 9, {"reset": {"5": {"num": 5}}, "order": ["5"]})
        await talk.until_closed()

    async def scenario(url: str) -> None:
        async with AsyncClient(url) as psio:
            events = psio.subscribe("cpu.getall", mode="delta")
            assert (await anext(events)).data[0].num == 0
            await settled(psio)
            event = await anext(events)
            assert (event.seq, [row.num for row in event.data]) == (9, [5])

    with FakeDaemon(script) as daemon:
        run(scenario(daemon.url))


@pytest.mark.parametrize(
    ("seq", "data"), [(3, {"set": {"0": {"usage": 5.0}}}), (2, {"set": {"7": {"usage": 5.0}}}), (2, {"order": []})]
)
def test_a_change_that_cannot_be_applied_is_answered_with_a_new_subscription(seq: int, data: object) -> None:
    async def script(talk: Talk) -> None:
        id = await talk.subscription()
        await talk.event(id, 1, {"reset": {"0": ROW}, "order": ["0"]})
        await answer_sync(talk)
        await talk.event(id, seq, data)
        stopped = await talk.receive()
        assert (stopped["type"], stopped["subscription"]) == ("unsubscribe", id)
        again = await talk.subscription()
        assert again != id
        # What was still on its way for the old id, and the answer to its end.
        await talk.event(id, seq + 1, {"set": {"0": {"usage": 6.0}}})
        await talk.send({"type": "response", "id": stopped["id"], "data": None})
        await talk.event(again, 1, {"reset": {"0": {"num": 0, "usage": 8.0}}, "order": ["0"]})
        await talk.until_closed()

    async def scenario(url: str) -> None:
        async with AsyncClient(url) as psio:
            events = psio.subscribe("cpu.getall", mode="delta")
            assert (await anext(events)).data[0].usage == 1.0
            await settled(psio)
            event = await anext(events)
            assert (event.seq, event.data[0].usage) == (1, 8.0)

    with FakeDaemon(script) as daemon:
        run(scenario(daemon.url))


def test_a_subscription_that_begins_with_a_change_ends_instead_of_beginning_for_ever() -> None:
    async def script(talk: Talk) -> None:
        id = await talk.subscription()
        await talk.event(id, 1, {"set": {"0": {"usage": 5.0}}})
        assert (await talk.receive())["type"] == "unsubscribe"
        await talk.until_closed()

    async def scenario(url: str) -> None:
        async with AsyncClient(url) as psio:
            with pytest.raises(ProtocolError, match="began wrong: changes came where a reset was due"):
                await anext(psio.subscribe("cpu.getall", mode="delta"))

    with FakeDaemon(script) as daemon:
        run(scenario(daemon.url))


def test_a_command_that_does_not_list_is_whole_in_delta_mode() -> None:
    async def script(talk: Talk) -> None:
        id = await talk.subscription()
        await talk.event(id, 1, {"virtual": {"total": 5}, "swap": {}})
        await answer_sync(talk)
        await talk.event(id, 7, {"virtual": {"total": 6}, "swap": {}})
        await talk.until_closed()

    async def scenario(url: str) -> None:
        async with AsyncClient(url) as psio:
            events = psio.subscribe("memory.getall", mode="delta")
            assert (await anext(events)).data.virtual.total == 5
            await settled(psio)
            assert (await anext(events)).data.virtual.total == 6

    with FakeDaemon(script) as daemon:
        run(scenario(daemon.url))


def test_an_event_without_a_number_ends_the_subscription() -> None:
    async def script(talk: Talk) -> None:
        id = await talk.subscription()
        await talk.send({"type": "event", "id": id, "seq": "one", "data": []})
        await talk.until_closed()

    async def scenario(url: str) -> None:
        async with AsyncClient(url) as psio:
            with pytest.raises(ProtocolError, match="an event has no number but 'one'"):
                await anext(psio.subscribe("any"))

    with FakeDaemon(script) as daemon:
        run(scenario(daemon.url))


def test_columns_arrive_as_they_are_sent() -> None:
    columns = {"columns": {"num": [0]}, "rows": 1}

    async def script(talk: Talk) -> None:
        id = await talk.subscription()
        await talk.event(id, 1, columns)
        await talk.until_closed()

    async def scenario(url: str) -> None:
        async with AsyncClient(url) as psio:
            assert (await anext(psio.subscribe("cpu.getall", format="columns"))).data == columns

    with FakeDaemon(script) as daemon:
        run(scenario(daemon.url))


def test_the_end_is_raised_after_the_last_event_and_stays() -> None:
    async def script(talk: Talk) -> None:
        id = await talk.subscription()
        await talk.event(id, 1, "last")
        data = {"code": "not_found", "message": "process 412 exited", "details": {"pid": 412}}
        await talk.send({"type": "end", "id": id, "data": data}, {"type": "end", "id": id, "data": data})
        await talk.event(id, 2, "of nobody")
        await talk.until_closed()

    async def scenario(url: str) -> None:
        async with AsyncClient(url) as psio:
            events = psio.subscribe("process.get", pid=412)
            with pytest.raises(ProtocolError):
                await anext(events)
            for _ in range(2):
                with pytest.raises(SubscriptionEnded, match="process 412 exited") as ended:
                    await anext(events)
                assert (ended.value.code, ended.value.details) == ("not_found", {"pid": 412})

    with FakeDaemon(script) as daemon:
        run(scenario(daemon.url))


def test_a_refused_subscription_is_raised() -> None:
    async def script(talk: Talk) -> None:
        asked = await talk.receive()
        data = {"code": "bad_params", "message": "`interval` expects 100 to 3600000"}
        await talk.send({"type": "error", "id": asked["id"], "data": data})
        await talk.until_closed()

    async def scenario(url: str) -> None:
        async with AsyncClient(url) as psio:
            with pytest.raises(BadParams, match="expects 100 to 3600000"):
                await anext(psio.subscribe("any", interval=0.001))

    with FakeDaemon(script) as daemon:
        run(scenario(daemon.url))


def test_subscriptions_go_on_after_a_broken_connection() -> None:
    async def script(talk: Talk) -> None:
        ids: dict[str, int] = {}
        for _ in range(2):
            asked = await talk.receive()
            ids[asked["data"]["name"]] = asked["id"]
        assert ids.keys() == {"cpu.getall", "any"}
        await talk.event(ids["cpu.getall"], 1, {"reset": {"0": {"num": talk.number}}, "order": ["0"]})
        await talk.event(ids["any"], 1, talk.number)
        await answer_sync(talk)
        if talk.number < 3:
            # In the middle of a frame: a text of 100 bytes that breaks off after 4.
            talk.socket.transport.write(b"\x81\x64oops")
            await asyncio.sleep(0.02)
            return talk.cut()
        await talk.until_closed()

    async def scenario(url: str) -> None:
        async with AsyncClient(url, first_pause=0.01) as psio:
            rows, numbers = psio.subscribe("cpu.getall", mode="delta"), psio.subscribe("any")
            for number in (1, 2, 3):
                got = await asyncio.gather(anext(rows), anext(numbers))
                assert (got[0].data[0].num, got[1].data) == (number, number)
                await settled(psio)

    with FakeDaemon(script) as daemon:
        run(scenario(daemon.url))
        assert daemon.connections == 3


def test_without_reconnection_a_subscription_is_lost_with_its_connection() -> None:
    async def script(talk: Talk) -> None:
        await talk.subscription()
        talk.cut()

    async def scenario(url: str) -> None:
        async with AsyncClient(url, reconnect=False) as psio:
            with pytest.raises(ConnectionLost, match="was lost"):
                await anext(psio.subscribe("any"))
            with pytest.raises(ConnectionLost, match="was lost"):
                await anext(psio.subscribe("any"))

    with FakeDaemon(script) as daemon:
        run(scenario(daemon.url))


@pytest.mark.parametrize("way", ["close", "with", "leave"])
def test_a_subscription_that_nobody_wants_any_more_is_cancelled(way: str) -> None:
    cancelled = threading.Event()

    async def script(talk: Talk) -> None:
        id = await talk.subscription()
        await talk.event(id, 1, "one")
        assert (await talk.receive())["subscription"] == id
        cancelled.set()
        # What was on its way.
        await talk.event(id, 2, "two")
        await answer_sync(talk)
        await talk.until_closed()

    async def scenario(url: str) -> None:
        async with AsyncClient(url) as psio:
            if way == "close":
                events = psio.subscribe("any")
                await anext(events)
                await events.close()
                assert [event async for event in events] == []
                await events.close()
            elif way == "with":
                async with psio.subscribe("any") as events:
                    await anext(events)
            else:
                async for _ in psio.subscribe("any"):
                    break
                gc.collect()
            while not cancelled.is_set():
                await asyncio.sleep(0.01)
            await settled(psio)

    with FakeDaemon(script) as daemon:
        run(scenario(daemon.url))


def test_closing_the_client_ends_iterations_quietly() -> None:
    async def script(talk: Talk) -> None:
        id = await talk.subscription()
        await talk.event(id, 1, "one")
        await talk.until_closed()

    async def scenario(url: str) -> None:
        psio = await AsyncClient(url).connect()

        async def collect() -> list[Any]:
            return [event.data async for event in psio.subscribe("any")]

        collected = asyncio.create_task(collect())
        await asyncio.sleep(0.2)
        await psio.close()
        assert await collected == ["one"]

    with FakeDaemon(script) as daemon:
        run(scenario(daemon.url))


def test_waiting_may_be_given_up_without_losing_an_event() -> None:
    async def script(talk: Talk) -> None:
        id = await talk.subscription()
        await answer_sync(talk)
        await talk.event(id, 1, "one")
        await talk.until_closed()

    async def scenario(url: str) -> None:
        async with AsyncClient(url) as psio:
            events = psio.subscribe("any")
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(anext(events), 0.1)
            await settled(psio)
            assert (await anext(events)).data == "one"

    with FakeDaemon(script) as daemon:
        run(scenario(daemon.url))


STARTED = {"event": "started", "pid": 7, "started": 9, "name": "sleep", "exit_code": None, "signal": None, "time": 2500}


def test_every_event_of_process_watch_counts() -> None:
    async def script(talk: Talk) -> None:
        id = await talk.subscription()
        await talk.event(id, 1, {"source": "sweeps", "list": [{"pid": 1, "name": "init"}], "events": []})
        await talk.event(id, 2, {"events": [STARTED]})
        await talk.event(id, 5, {"lost": 3, "list": [{"pid": 2}], "events": [{**STARTED, "event": "exited"}]})
        await talk.event(id, 6, {"lost": None, "list": [], "events": []})
        await answer_sync(talk)
        await talk.until_closed()

    async def scenario(url: str) -> None:
        async with AsyncClient(url) as psio:
            events = psio.subscribe("process.watch")
            first = (await anext(events)).data
            await settled(psio)
            assert first.list_ is not None
            assert (first.source, first.list_[0].name, first.events, first.lost) == ("sweeps", "init", [], 0)
            second = (await anext(events)).data
            assert (second.source, second.list_, second.lost) == ("sweeps", None, 0)
            assert (second.events[0].event, second.events[0].pid, second.events[0].time) == ("started", 7, 2.5)
            third = (await anext(events)).data
            assert third.list_ is not None
            assert (third.lost, third.list_[0].pid, third.events[0].event) == (3, 2, "exited")
            assert (await anext(events)).data.lost is None

    with FakeDaemon(script) as daemon:
        run(scenario(daemon.url))


def test_after_a_reconnection_process_watch_says_that_something_was_lost() -> None:
    async def script(talk: Talk) -> None:
        id = await talk.subscription()
        await talk.event(id, 1, {"source": "proc_connector", "list": [{"pid": talk.number}], "events": []})
        await answer_sync(talk)
        if talk.number == 1:
            return talk.cut()
        await talk.event(id, 2, {"events": [STARTED]})
        await talk.until_closed()

    async def scenario(url: str) -> None:
        async with AsyncClient(url, first_pause=0.01) as psio:
            events = psio.subscribe("process.watch")
            assert (await anext(events)).data.lost == 0
            await settled(psio)
            again = (await anext(events)).data
            assert again.list_ is not None
            assert (again.lost, again.list_[0].pid) == (None, 2)
            await settled(psio)
            assert (await anext(events)).data.lost == 0

    with FakeDaemon(script) as daemon:
        run(scenario(daemon.url))


def test_a_consumer_too_slow_for_process_watch_is_told_and_gets_the_list_afresh() -> None:
    begun_again = threading.Event()

    async def script(talk: Talk) -> None:
        id = await talk.subscription()
        await talk.event(id, 1, {"source": "sweeps", "list": [], "events": []})
        await answer_sync(talk)
        for seq in range(2, WATCH_QUEUE + 3):
            await talk.event(id, seq, {"events": [STARTED]})
        assert (await talk.receive())["subscription"] == id
        again = await talk.subscription()
        await talk.event(again, 1, {"source": "sweeps", "list": [{"pid": 5}], "events": []})
        begun_again.set()
        await answer_sync(talk)
        await talk.until_closed()

    async def scenario(url: str) -> None:
        async with AsyncClient(url) as psio:
            events = psio.subscribe("process.watch")
            await anext(events)
            await settled(psio)
            while not begun_again.is_set():
                await asyncio.sleep(0.01)
            await settled(psio)
            event = await anext(events)
            assert event.data.list_ is not None
            assert (event.seq, event.data.lost, event.data.list_[0].pid) == (1, None, 5)

    with FakeDaemon(script) as daemon:
        run(scenario(daemon.url))
