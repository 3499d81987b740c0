"""Commands of the asyncio face, against a psiod that follows a script."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from typing import Any

import pytest
from fake import PATIENCE, FakeDaemon, Talk

from psio_client import AsyncClient, BadParams, ConnectionLost, ProtocolError, PsioError
from psio_client.models import CpuRow


def run(work: Coroutine[Any, Any, None]) -> None:
    """Runs a scenario, and fails when it hangs."""
    asyncio.run(asyncio.wait_for(work, 3 * PATIENCE))


def test_a_typed_command_gives_records_with_time_and_meta() -> None:
    async def script(talk: Talk) -> None:
        asked = await talk.receive()
        assert asked["type"] == "command"
        assert asked["data"] == {"name": "cpu.getall", "sort": "-usage", "limit": 1}
        meta = {"window_ms": 1000, "total": 2, "unknown": {"iowait": "unsupported"}}
        data = [{"num": 1, "usage": 8.5, "new": 1}]
        await talk.send({"type": "response", "id": asked["id"], "time": 1500, "meta": meta, "data": data, "new": 2})
        await talk.until_closed()

    async def scenario(url: str) -> None:
        async with AsyncClient(url) as psio:
            answer = await psio.cpu_getall(sort="-usage", limit=1)
        assert answer.data == [CpuRow.from_json({"num": 1, "usage": 8.5})]
        assert answer.time == 1.5
        assert (answer.meta.window_ms, answer.meta.total) == (1000, 2)
        assert answer.meta.unknown == {"iowait": "unsupported"}

    with FakeDaemon(script) as daemon:
        run(scenario(daemon.url))


def test_any_command_can_be_asked_and_its_data_is_json() -> None:
    async def script(talk: Talk) -> None:
        asked = await talk.receive()
        assert asked["data"] == {"name": "moon.getphase", "of": 7}
        await talk.send({"type": "response", "id": asked["id"], "data": {"phase": None}})
        await talk.until_closed()

    async def scenario(url: str) -> None:
        async with AsyncClient(url) as psio:
            answer = await psio.request("moon.getphase", of=7, at=None)
        assert (answer.data, answer.time, answer.meta.total) == ({"phase": None}, None, None)

    with FakeDaemon(script) as daemon:
        run(scenario(daemon.url))


def test_answers_find_their_commands_in_any_order() -> None:
    async def script(talk: Talk) -> None:
        asked = [await talk.receive() for _ in range(3)]
        for one in reversed(asked):
            await talk.send({"type": "response", "id": one["id"], "data": one["data"]["n"]})
        await talk.until_closed()

    async def scenario(url: str) -> None:
        async with AsyncClient(url) as psio:
            answers = await asyncio.gather(*(psio.request("echo", n=n) for n in range(3)))
        assert [answer.data for answer in answers] == [0, 1, 2]

    with FakeDaemon(script) as daemon:
        run(scenario(daemon.url))


def test_what_is_not_understood_is_ignored() -> None:
    garbage: list[object] = [
        "",
        "not JSON",
        "[" * 100_000,
        "[1,2]",
        "null",
        '"text"',
        b"\x00\xff",
        {},
        {"type": "response"},
        {"type": "response", "id": 999, "data": "of nobody"},
        {"type": "response", "id": None, "data": "of nobody"},
        {"type": "response", "id": [1], "data": "of nobody"},
        {"type": "response", "id": {"a": 1}, "data": "of nobody"},
        {"type": "error", "data": {"code": "bad_json", "message": "of nobody"}},
        {"type": "event", "id": 999, "seq": 1, "data": []},
        {"type": "end", "id": 999, "data": {"code": "internal", "message": "of nobody"}},
    ]

    async def script(talk: Talk) -> None:
        await talk.send(*garbage)
        asked = await talk.receive()
        id = asked["id"]
        await talk.send(
            *garbage,
            # Equal in Python, but not this id.
            {"type": "response", "id": True, "data": "wrong"},
            {"type": "response", "id": float(id), "data": "wrong"},
            {"type": "response", "id": str(id), "data": "wrong"},
            {"type": "greeting", "id": id, "data": "a type from the future"},
            {"type": "event", "id": id, "seq": 1, "data": "not a subscription"},
            {"type": "response", "id": id, "data": "right"},
            {"type": "response", "id": id, "data": "again"},
            {"type": "error", "id": id, "data": {"code": "internal", "message": "again"}},
        )
        asked = await talk.receive()
        await talk.send({"type": "response", "id": asked["id"], "data": "still here"})
        await talk.until_closed()

    async def scenario(url: str) -> None:
        async with AsyncClient(url) as psio:
            assert (await psio.request("one")).data == "right"
            assert (await psio.request("two")).data == "still here"

    with FakeDaemon(script) as daemon:
        run(scenario(daemon.url))


def test_a_refusal_is_raised_and_the_connection_lives() -> None:
    async def script(talk: Talk) -> None:
        asked = await talk.receive()
        data = {"code": "bad_params", "message": "`limit` expects a number", "details": {"param": "limit"}}
        await talk.send({"type": "error", "id": asked["id"], "data": data})
        asked = await talk.receive()
        await talk.send({"type": "error", "id": asked["id"], "data": {"code": "too_hot", "message": "later"}})
        await talk.until_closed()

    async def scenario(url: str) -> None:
        async with AsyncClient(url) as psio:
            with pytest.raises(BadParams, match=r"`limit` expects a number \(bad_params\)") as refused:
                await psio.request("cpu.getall", limit="x")
            assert refused.value.details == {"param": "limit"}
            with pytest.raises(PsioError, match="later") as refused_again:
                await psio.request("cpu.getall")
            assert refused_again.value.code == "too_hot"

    with FakeDaemon(script) as daemon:
        run(scenario(daemon.url))


def test_an_answer_of_another_shape_is_told() -> None:
    async def script(talk: Talk) -> None:
        asked = await talk.receive()
        await talk.send({"type": "response", "id": asked["id"], "data": {"virtual": 7}})
        await talk.until_closed()

    async def scenario(url: str) -> None:
        async with AsyncClient(url) as psio:
            with pytest.raises(ProtocolError, match="expected an object for VirtualMemory, got 7"):
                await psio.memory_getall()

    with FakeDaemon(script) as daemon:
        run(scenario(daemon.url))


def test_an_answer_that_does_not_come_is_a_timeout() -> None:
    async def script(talk: Talk) -> None:
        await talk.until_closed()

    async def scenario(url: str) -> None:
        async with AsyncClient(url, timeout=0.1) as psio:
            with pytest.raises(TimeoutError, match=r"no answer to cpu.getall for 0.1 s"):
                await psio.cpu_getall()

    with FakeDaemon(script) as daemon:
        run(scenario(daemon.url))


def test_a_command_under_way_is_lost_with_its_connection_and_the_next_waits_for_a_new_one() -> None:
    async def script(talk: Talk) -> None:
        asked = await talk.receive()
        if talk.number == 1:
            return talk.cut()
        await talk.send({"type": "response", "id": asked["id"], "data": asked["data"]["name"]})
        await talk.until_closed()

    async def scenario(url: str) -> None:
        async with AsyncClient(url, first_pause=0.01) as psio:
            with pytest.raises(ConnectionLost, match="was lost"):
                await psio.request("first")
            assert (await psio.request("second")).data == "second"
            assert psio.is_connected

    with FakeDaemon(script) as daemon:
        run(scenario(daemon.url))
        assert daemon.connections == 2


def test_why_psiod_closed_is_told() -> None:
    async def script(talk: Talk) -> None:
        await talk.receive()
        await talk.socket.close(1013, "too slow")

    async def scenario(url: str) -> None:
        async with AsyncClient(url, reconnect=False) as psio:
            with pytest.raises(ConnectionLost, match="closed with 1013: too slow"):
                await psio.request("first")
            with pytest.raises(ConnectionLost, match="closed with 1013: too slow"):
                await psio.request("second")
            assert not psio.is_connected

    with FakeDaemon(script) as daemon:
        run(scenario(daemon.url))
        assert daemon.connections == 1


def test_a_command_waits_no_longer_for_a_connection_than_it_may() -> None:
    async def script(talk: Talk) -> None:
        await talk.receive()
        talk.cut()

    async def scenario(url: str) -> None:
        async with AsyncClient(url, timeout=0.2, first_pause=60.0, longest_pause=60.0) as psio:
            with pytest.raises(ConnectionLost):
                await psio.request("first")
            with pytest.raises(ConnectionLost, match=r"no connection for 0.2 s: the connection to ws://.* was lost"):
                await psio.request("second")

    with FakeDaemon(script) as daemon:
        run(scenario(daemon.url))


def test_pauses_grow_while_nobody_is_there() -> None:
    async def script(talk: Talk) -> None:
        # Lets everybody in, and throws everybody out.
        pass

    async def scenario(daemon: FakeDaemon) -> None:
        async with AsyncClient(daemon.url, first_pause=0.05, longest_pause=30.0):
            await asyncio.sleep(1.0)
        # Pauses of 0.05–0.1 s without growth would make ten to twenty.
        assert 2 <= daemon.connections <= 7

    with FakeDaemon(script) as daemon:
        run(scenario(daemon))


def test_closing_ends_commands_under_way() -> None:
    async def script(talk: Talk) -> None:
        await talk.until_closed()

    async def scenario(url: str) -> None:
        psio = await AsyncClient(url).connect()
        command = asyncio.create_task(psio.request("never"))
        await asyncio.sleep(0.05)
        await psio.close()
        with pytest.raises(ConnectionLost, match="the client was closed"):
            await command
        with pytest.raises(ConnectionLost, match="the client was closed"):
            await psio.request("late")
        await psio.close()

    with FakeDaemon(script) as daemon:
        run(scenario(daemon.url))


def test_closing_does_not_wait_for_a_reconnection() -> None:
    async def script(talk: Talk) -> None:
        talk.cut()

    async def scenario(daemon: FakeDaemon) -> None:
        psio = await AsyncClient(daemon.url, first_pause=60.0, longest_pause=60.0).connect()
        while psio.is_connected:
            await asyncio.sleep(0.01)
        begun = time.monotonic()
        await psio.close()
        assert time.monotonic() - begun < 5

    with FakeDaemon(script) as daemon:
        run(scenario(daemon))


def test_the_first_connection_must_succeed() -> None:
    async def scenario() -> None:
        with pytest.raises(ConnectionLost, match=r"cannot connect to ws://127.0.0.1:1/: "):
            async with AsyncClient("ws://127.0.0.1:1/"):
                pass

    run(scenario())


def test_an_address_that_is_none_is_a_mistake_of_the_caller() -> None:
    async def scenario() -> None:
        with pytest.raises(ValueError, match="localhost:3000 is not the address of a WebSocket, such as ws://"):
            await AsyncClient("localhost:3000").connect()

    run(scenario())


def test_parameters_that_are_no_json_are_a_mistake_of_the_caller() -> None:
    async def script(talk: Talk) -> None:
        await talk.until_closed()

    async def scenario(url: str) -> None:
        async with AsyncClient(url) as psio:
            with pytest.raises(ValueError, match="not JSON compliant"):
                await psio.request("cpu.getall", limit=float("nan"))
            with pytest.raises(TypeError, match="not JSON serializable"):
                await psio.request("cpu.getall", limit=object())
            with pytest.raises(TypeError, match="not JSON serializable"):
                psio.subscribe("anything", limit=object())

    with FakeDaemon(script) as daemon:
        run(scenario(daemon.url))


def test_a_client_that_was_not_connected_says_so() -> None:
    async def scenario() -> None:
        with pytest.raises(ConnectionLost, match="not connected yet; use `async with`"):
            await AsyncClient().cpu_getall()
        with pytest.raises(ConnectionLost, match="not connected yet; use `async with`"):
            await anext(AsyncClient().subscribe("cpu.getall"))

    run(scenario())


def test_long_answers_are_taken() -> None:
    async def script(talk: Talk) -> None:
        asked = await talk.receive()
        await talk.send({"type": "response", "id": asked["id"], "data": "x" * 8_000_000})
        await talk.until_closed()

    async def scenario(url: str) -> None:
        async with AsyncClient(url) as psio:
            assert len((await psio.request("long")).data) == 8_000_000

    with FakeDaemon(script) as daemon:
        run(scenario(daemon.url))


def test_whoever_is_refused_does_not_try_for_ever() -> None:
    async def script(talk: Talk) -> None:
        talk.cut()

    async def scenario(daemon: FakeDaemon) -> None:
        async with AsyncClient(daemon.url, first_pause=0.01) as psio:
            daemon.refusal = 403
            while daemon.refused == 0:
                await asyncio.sleep(0.01)
            with pytest.raises(ConnectionLost, match="403"):
                await psio.request("any")
            await asyncio.sleep(0.1)
            assert daemon.refused == 1

    with FakeDaemon(script) as daemon:
        run(scenario(daemon))


def test_whoever_is_put_off_tries_again() -> None:
    async def script(talk: Talk) -> None:
        if talk.number == 1:
            return talk.cut()
        asked = await talk.receive()
        await talk.send({"type": "response", "id": asked["id"], "data": "at last"})
        await talk.until_closed()

    async def scenario(daemon: FakeDaemon) -> None:
        async with AsyncClient(daemon.url, first_pause=0.01) as psio:
            daemon.refusal = 503
            while psio.is_connected:
                await asyncio.sleep(0.01)
            waiting = asyncio.create_task(psio.request("any"))
            while daemon.refused < 2:
                await asyncio.sleep(0.01)
            daemon.refusal = 0
            assert (await waiting).data == "at last"

    with FakeDaemon(script) as daemon:
        run(scenario(daemon))
