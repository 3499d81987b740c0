"""Compression, with a client whose implementation is Python's own zlib."""

import contextlib
import json
import zlib

import pytest
from daemon import PATIENCE, Psiod
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.sync.client import connect

OFFERS = {
    "as the library offers it": ClientPerMessageDeflateFactory(client_max_window_bits=True),
    "smallest window": ClientPerMessageDeflateFactory(server_max_window_bits=9),
    "middle window": ClientPerMessageDeflateFactory(server_max_window_bits=12),
    "no context": ClientPerMessageDeflateFactory(server_no_context_takeover=True, client_no_context_takeover=True),
}


@pytest.fixture(scope="module")
def compressing():
    psiod = Psiod("--deflate", "always")
    try:
        yield psiod
    finally:
        psiod.stop_well()


@contextlib.contextmanager
def counted(psiod, *extensions):
    """A connection, and a function that tells how many bytes it has received."""
    with connect(
        f"ws://127.0.0.1:{psiod.port}/", compression=None, extensions=extensions, proxy=None, max_size=None, legacy=True
    ) as socket:
        received = 0
        feed = socket.protocol.receive_data

        def count(data):
            nonlocal received
            received += len(data)
            feed(data)

        socket.protocol.receive_data = count
        yield socket, lambda: received


def command(name, **params):
    return json.dumps({"type": "command", "id": 1, "data": {"name": name, **params}})


def ask(socket, name, **params):
    socket.send(command(name, **params))
    answer = json.loads(socket.recv(PATIENCE))
    assert answer["type"] == "response", answer
    return answer["data"]


def test_loopback_is_not_compressed_unless_told(psiod):
    with counted(psiod, OFFERS["as the library offers it"]) as (socket, _):
        assert socket.protocol.extensions == []


@pytest.mark.parametrize("offer", OFFERS)
def test_a_compressed_list_is_the_list_in_fewer_bytes(compressing, offer):
    with counted(compressing, OFFERS[offer]) as (packed, received), counted(compressing) as (plain, received_plain):
        assert [extension.name for extension in packed.protocol.extensions] == ["permessage-deflate"]
        assert plain.protocol.extensions == []
        sort = {"sort": "pid", "fields": ["pid", "name", "username"]}
        before, before_plain = received(), received_plain()
        mine = {row["pid"]: row for row in ask(packed, "process.getall", **sort)}
        theirs = {row["pid"]: row for row in ask(plain, "process.getall", **sort)}
        both = mine.keys() & theirs.keys()
        assert len(both) > 3
        assert [mine[pid] for pid in both] == [theirs[pid] for pid in both]
        ask(packed, "process.getall")
        ask(plain, "process.getall")
        # A small window hardly reaches from one row to the next.
        share = 0.9 if "window" in offer else 0.6
        assert received() - before < share * (received_plain() - before_plain)


def test_a_long_question_may_be_compressed(compressing):
    with counted(compressing, OFFERS["as the library offers it"]) as (socket, _):
        names = ["pid", "name"]
        rows = ask(socket, "process.getall", fields=names, filter="pid>0" + " " * 30_000)
        assert rows and all(list(row) == names for row in rows)


def test_a_bomb_is_refused_and_nobody_else_notices(compressing):
    with counted(compressing, OFFERS["as the library offers it"]) as (socket, _):
        assert len(zlib.compress(b" " * 50_000_000)) < 65_536
        socket.send(" " * 50_000_000)
        with pytest.raises(Exception) as refused:
            socket.recv(PATIENCE)
        assert refused.value.rcvd.code == 1009
    with counted(compressing, OFFERS["as the library offers it"]) as (socket, _):
        assert ask(socket, "cpu.getall")
