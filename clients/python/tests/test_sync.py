"""The sync face, against a psiod that follows a script."""

from __future__ import annotations

import threading
import time

import pytest
from fake import FakeDaemon, Talk
from test_subscriptions import ROW, answer_sync

from psio_client import Client, ConnectionLost, NotFound, SubscriptionEnded


async def idle(talk: Talk) -> None:
    await talk.until_closed()


def test_commands_block_until_they_are_answered() -> None:
    async def script(talk: Talk) -> None:
        asked = await talk.receive()
        await talk.send({"type": "response", "id": asked["id"], "time": 2000, "data": [ROW]})
        asked = await talk.receive()
        await talk.send({"type": "error", "id": asked["id"], "data": {"code": "not_found", "message": "no process 7"}})
        await talk.until_closed()

    with FakeDaemon(script) as daemon, Client(daemon.url) as psio:
        answer = psio.cpu_getall()
        assert (answer.data[0].usage, answer.time) == (1.0, 2.0)
        with pytest.raises(NotFound, match="no process 7"):
            psio.process_get(7)


def test_subscriptions_are_iterated_and_survive_a_broken_connection() -> None:
    async def script(talk: Talk) -> None:
        id = await talk.subscription()
        await talk.event(id, 1, {"reset": {"0": {"num": talk.number}}, "order": ["0"]})
        await answer_sync(talk)
        talk.cut()

    seen = []
    with FakeDaemon(script) as daemon, Client(daemon.url, first_pause=0.01) as psio:
        for event in psio.subscribe("cpu.getall", mode="delta"):
            seen.append(event.data[0].num)
            psio.request("sync")
            if len(seen) == 3:
                break
    assert seen == [1, 2, 3]


def test_the_end_of_a_subscription_is_raised() -> None:
    async def script(talk: Talk) -> None:
        id = await talk.subscription()
        await talk.send({"type": "end", "id": id, "data": {"code": "not_found", "message": "process 7 exited"}})
        await talk.until_closed()

    with FakeDaemon(script) as daemon, Client(daemon.url) as psio, pytest.raises(SubscriptionEnded, match="7 exited"):
        for _ in psio.subscribe("process.get", pid=7):
            pass


def test_leaving_the_loop_cancels_the_subscription() -> None:
    cancelled = threading.Event()

    async def script(talk: Talk) -> None:
        id = await talk.subscription()
        await talk.event(id, 1, "one")
        assert (await talk.receive())["subscription"] == id
        cancelled.set()
        await talk.until_closed()

    with FakeDaemon(script) as daemon, Client(daemon.url) as psio:
        for _ in psio.subscribe("any"):
            break
        assert cancelled.wait(10)


def test_waiting_for_an_event_has_a_limit() -> None:
    async def script(talk: Talk) -> None:
        id = await talk.subscription()
        await answer_sync(talk)
        await talk.event(id, 1, "one")
        await talk.until_closed()

    with FakeDaemon(script) as daemon, Client(daemon.url) as psio, psio.subscribe("any") as events:
        with pytest.raises(TimeoutError, match="no event for 0.1 s"):
            events.receive(timeout=0.1)
        psio.request("sync")
        event = events.receive(timeout=10)
        assert event is not None
        assert event.data == "one"


def test_closing_from_another_thread_ends_what_waits() -> None:
    with FakeDaemon(idle) as daemon:
        psio = Client(daemon.url).connect()
        ends: list[object] = []

        def iterate() -> None:
            ends.append(list(psio.subscribe("any")))

        def ask() -> None:
            try:
                psio.request("never")
            except ConnectionLost as error:
                ends.append(str(error))

        threads = [threading.Thread(target=work) for work in (iterate, ask)]
        for thread in threads:
            thread.start()
        time.sleep(0.2)
        psio.close()
        for thread in threads:
            thread.join(10)
        assert len(ends) == 2
        assert [] in ends
        assert "the client was closed" in ends


def test_a_closed_client_says_so_and_its_subscriptions_are_over() -> None:
    async def script(talk: Talk) -> None:
        id = await talk.subscription()
        await talk.event(id, 1, "one")
        await talk.until_closed()

    with FakeDaemon(script) as daemon:
        with Client(daemon.url) as psio:
            events = psio.subscribe("any")
            assert next(events).data == "one"
        assert list(events) == []
        events.close()
        psio.close()
        with pytest.raises(ConnectionLost, match="not connected"):
            psio.cpu_getall()


def test_the_first_connection_must_succeed() -> None:
    before = threading.active_count()
    with pytest.raises(ConnectionLost, match="cannot connect to"):
        Client("ws://127.0.0.1:1/").connect()
    assert threading.active_count() == before


def test_threads_may_share_a_client() -> None:
    async def script(talk: Talk) -> None:
        for _ in range(40):
            asked = await talk.receive()
            await talk.send({"type": "response", "id": asked["id"], "data": asked["data"]["n"]})
        await talk.until_closed()

    wrong: list[object] = []
    with FakeDaemon(script) as daemon, Client(daemon.url) as psio:

        def ask(first: int) -> None:
            wrong.extend(n for n in range(first, first + 10) if psio.request("echo", n=n).data != n)

        threads = [threading.Thread(target=ask, args=(10 * n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert wrong == []
