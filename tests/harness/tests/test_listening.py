"""A test's server that stops leaves nobody at the door."""

import asyncio
import socket

from tests.harness.listening import stop_listening


class _Guest(asyncio.Protocol):
    def __init__(self, guests: list[asyncio.BaseTransport]) -> None:
        self._guests = guests

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._guests.append(transport)


async def test_those_who_were_just_let_in_are_known_when_it_has_stopped() -> None:
    guests: list[asyncio.BaseTransport] = []
    server = await asyncio.get_running_loop().create_server(lambda: _Guest(guests), "127.0.0.1", 0)
    others = [socket.create_connection(server.sockets[0].getsockname()) for _ in range(3)]
    # In the first turn the loop lets them in; in the second, after this test's, their transports would be made.
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert guests == []

    await stop_listening(server)

    assert len(guests) == 3
    for guest, other in zip(guests, others, strict=True):
        guest.close()
        other.close()
    await server.wait_closed()
