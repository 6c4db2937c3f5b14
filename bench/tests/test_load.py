"""The clients ask as they are told and count what they are answered: against a server that says what it heard."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from bench.client import Crowd, Load

_LOAD = Load("127.0.0.1", 0, "/orders", ["t0", "t1"], ['{"n":1}', '{"n":22}'], clients=3, seconds=9, keys="k", most=20)
Heard = list[bytes]


@asynccontextmanager
async def a_server(status: Callable[[int], int], answers: int) -> AsyncIterator[tuple[int, Heard]]:
    """Answers in two pieces, as the network may deliver any answer; after so many it ends a connection."""
    heard: Heard = []
    tasks: list[Any] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.append(asyncio.current_task())
        for _ in range(answers):
            try:
                head = await reader.readuntil(b"\r\n\r\n")
            except asyncio.IncompleteReadError:
                writer.close()
                await writer.wait_closed()
                return
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r")[0])
            heard.append(head + await reader.readexactly(length))
            writer.write(b"HTTP/1.1 %d X\r\nContent-Le" % status(len(heard)))
            await asyncio.sleep(0)
            writer.write(b"ngth: 2\r\n\r\n{}")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], heard
    finally:
        server.close()
        await asyncio.gather(*tasks)


async def place(
    load: Load, status: Callable[[int], int] = lambda _: 201, answers: int = 1000
) -> tuple[dict[str, Any], Heard]:
    async with a_server(status, answers) as (port, heard):
        return await Crowd(replace(load, port=port)).run(), heard


def keys(heard: Heard) -> Counter[bytes]:
    return Counter(request.partition(b"Idempotency-Key: ")[2].partition(b"\r")[0] for request in heard)


async def test_each_request_has_a_key_of_its_own() -> None:
    saw, heard = await place(_LOAD)

    assert saw["answers"] == {201: 20}
    assert sum(saw["latencies"].values()) == 20
    assert len(keys(heard)) == 20
    assert {request.rpartition(b"\r\n")[2] for request in heard} == {b'{"n":1}', b'{"n":22}'}


async def test_a_request_that_is_repeated_keeps_its_key_and_its_body() -> None:
    _, heard = await place(replace(_LOAD, clients=1, repeats=2))

    assert set(keys(heard).values()) == {2}
    assert heard[0] == heard[1]


async def test_answers_are_counted_by_status() -> None:
    saw, _ = await place(_LOAD, lambda number: 400 if number % 5 == 0 else 201)

    assert saw["answers"] == {201: 16, 400: 4}


@pytest.mark.parametrize("clients", [1, 20])
async def test_paced_requests_are_all_sent_however_few_send_them(clients: int) -> None:
    saw, heard = await place(replace(_LOAD, clients=clients, rate=2000))

    assert saw["answers"] == {201: 20}
    assert len(heard) == 20


async def test_a_connection_that_the_server_has_ended_between_requests_is_made_again() -> None:
    saw, heard = await place(replace(_LOAD, rate=50, most=6), answers=1)

    assert saw["answers"] == {201: 6}
    assert len(keys(heard)) == 6


async def test_a_server_that_hangs_up_without_an_answer_is_a_failure() -> None:
    with pytest.raises(ConnectionError):
        await place(_LOAD, answers=0)
