"""`python -m bench.client`: the clients of one measurement, in a process of their own that costs as little as it can.

Reads a `Load` as JSON from its standard input and writes what it saw to its standard output. It parses of an answer
no more than its status and where it ends.
"""

import asyncio
import json
import sys
import time
from collections import Counter, deque
from dataclasses import dataclass
from itertools import count
from typing import Any, cast

import uvloop

from .histogram import bucket


@dataclass(frozen=True)
class Load:
    host: str
    port: int
    path: str
    tokens: list[str]
    bodies: list[str]
    clients: int
    seconds: float
    keys: str
    """What all keys of this load begin with."""
    rate: float = 0
    """So many a second, whatever becomes of them; without it each client asks again once it has its answer."""
    most: int = 0
    """So many and no more, however long that takes."""
    repeats: int = 1
    """How often each request is sent, with the same key, one after the other."""


class Requests:
    """All that can be is put together before the clock starts: a request is its head, its key and its tail."""

    def __init__(self, load: Load) -> None:
        start = f"POST {load.path} HTTP/1.1\r\nHost: {load.host}:{load.port}\r\nContent-Type: application/json\r\n"
        tokens = load.tokens or [""]
        self._heads = [
            f"{start}Authorization: Bearer {token}\r\nIdempotency-Key: {load.keys}-".encode() for token in tokens
        ]
        self._tails = [f"\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode() for body in load.bodies]
        self._numbers = count()

    def next(self) -> bytes:
        number = next(self._numbers)
        return b"%b%012d%b" % (self._heads[number % len(self._heads)], number, self._tails[number % len(self._tails)])


class Crowd:
    """All clients; each sends when the crowd says so, and tells it of the answer."""

    def __init__(self, load: Load) -> None:
        self.load = load
        self.requests = Requests(load)
        self.answers: Counter[int] = Counter()
        self.latencies: Counter[int] = Counter()
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._began = self._last = 0.0
        self._sent = self._answered = 0
        self._free: deque[Client] = deque()
        self._due: deque[float] = deque()
        self._clients: set[Client] = set()
        self._coming: set[asyncio.Task[Client]] = set()

    async def run(self) -> dict[str, Any]:
        load = self.load
        clients = [await self._connect() for _ in range(load.clients)]
        began_at = time.time()
        self._began = self._last = time.perf_counter()
        if load.rate:
            self._free.extend(clients)
            pacing = asyncio.create_task(self._pace())
            await pacing
            self._end_if_over()
        else:
            for client in clients:
                self.next_for(client)
        try:
            await self.done
        finally:
            for task in self._coming:
                task.cancel()
            for client in self._clients:
                client.close()
        return {
            "answers": self.answers,
            "latencies": self.latencies,
            "seconds": self._last - self._began,
            "began_at": began_at,
            "cpu": time.process_time(),
        }

    def answered(self, client: "Client", status: int, sent: float) -> None:
        now = self._last = time.perf_counter()
        self.answers[status] += 1
        self.latencies[bucket(int((now - sent) * 1e6))] += 1
        self._answered += 1
        self.next_for(client)

    def lost(self, client: "Client", reason: Exception | None) -> None:
        """Servers end connections that nobody asks anything on, after some seconds; any other end is a failure."""
        self._clients.discard(client)
        if self.done.done():
            return
        if client.is_waiting:
            self.done.set_exception(reason or ConnectionError("the server has hung up"))
            return
        if client in self._free:
            self._free.remove(client)
        task = asyncio.create_task(self._connect())
        self._coming.add(task)
        task.add_done_callback(self._come)

    async def _connect(self) -> "Client":
        loop, load = asyncio.get_running_loop(), self.load
        _, client = await loop.create_connection(lambda: Client(self), load.host, load.port)
        self._clients.add(client)
        return client

    def _come(self, task: "asyncio.Task[Client]") -> None:
        self._coming.discard(task)
        if task.cancelled() or self.done.done():
            return
        if failure := task.exception():
            self.done.set_exception(failure)
        else:
            self.next_for(task.result())

    def next_for(self, client: "Client") -> None:
        if self.load.rate:
            if self._due:
                client.send(self._due.popleft())
            else:
                self._free.append(client)
        elif self._goes_on():
            self._sent += 1
            client.send(time.perf_counter())
        self._end_if_over()

    def _goes_on(self) -> bool:
        if self.load.most:
            return self._sent < self.load.most
        return time.perf_counter() - self._began < self.load.seconds

    def _end_if_over(self) -> None:
        if self._answered == self._sent and not self._goes_on() and not self.done.done():
            self.done.set_result(None)

    async def _pace(self) -> None:
        """A latency counts from when the request was due: what waits for a free client has begun to wait."""
        while self._goes_on():
            due = int((time.perf_counter() - self._began) * self.load.rate) + 1
            while self._sent < due and self._goes_on():
                moment = self._began + self._sent / self.load.rate
                self._sent += 1
                if self._free:
                    self._free.popleft().send(moment)
                else:
                    self._due.append(moment)
            await asyncio.sleep(0.001)


class Client(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self, crowd: Crowd) -> None:
        self._crowd = crowd
        self._repeats = crowd.load.repeats
        self._left = 0
        self._request = b""
        self._sent = 0.0
        self._received = b""
        self.is_waiting = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # The loop's own kind is none of asyncio's classes.
        self._transport = cast(asyncio.WriteTransport, transport)
        self._write = self._transport.write

    def close(self) -> None:
        self._transport.close()

    def send(self, since: float) -> None:
        if not self._left:
            self._left, self._request = self._repeats, self._crowd.requests.next()
        self._left -= 1
        self._sent = since
        self.is_waiting = True
        self._write(self._request)

    def data_received(self, data: bytes) -> None:
        received = self._received = self._received + data if self._received else data
        end = received.find(b"\r\n\r\n")
        if end < 0:
            return
        head = received[:end].lower()
        at = head.index(b"content-length:") + 15
        stop = head.find(b"\r", at)
        length = int(head[at:stop] if stop > 0 else head[at:])
        if len(received) < end + 4 + length:
            return
        self._received = b""
        self.is_waiting = False
        self._crowd.answered(self, int(received[9:12]), self._sent)

    def connection_lost(self, exc: Exception | None) -> None:
        self._crowd.lost(self, exc)


async def main() -> None:
    result = await Crowd(Load(**json.load(sys.stdin))).run()
    json.dump(result, sys.stdout)


if __name__ == "__main__":
    uvloop.run(main())
