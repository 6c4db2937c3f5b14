"""What a process of the floor stands on: a plain ASGI application under uvicorn, and lanes that gather work."""

import asyncio
import gc
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import asyncpg
import uvicorn

Item = TypeVar("Item")
Answer = TypeVar("Answer")
Handle = Callable[[bytes], Awaitable[tuple[int, bytes]]]
Routes = Mapping[str, Handle]


@dataclass(frozen=True)
class Given:
    service: str
    database_url: str
    rabbitmq_url: str
    product_url: str


Start = Callable[[Given, AsyncExitStack], Awaitable[Routes]]


async def serve(start: Start, given: Given, port: int) -> None:
    async with AsyncExitStack() as stack:
        app = _application(await start(given, stack))
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 20, 20)
        config = uvicorn.Config(
            app,
            port=port,
            http="httptools",
            loop="uvloop",
            ws="none",
            lifespan="off",
            access_log=False,
            log_level="error",
            proxy_headers=False,
            server_header=False,
        )
        await uvicorn.Server(config).serve()


def _application(routes: Routes) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        message = await receive()
        body = message["body"]
        while message["more_body"]:
            message = await receive()
            body += message["body"]
        status, answer = await routes[scope["path"]](body)
        length = str(len(answer)).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", length)]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    return app


class Lane(Generic[Item, Answer]):
    """While as many batches run as may, the next one gathers; whoever added an item awaits its own answer."""

    def __init__(
        self, run: Callable[[Sequence[Item]], Awaitable[Sequence[Answer]]], *, width: int, most: int = 64
    ) -> None:
        self._run = run
        self._free = width
        self._most = most
        self._waiting: deque[tuple[Item, asyncio.Future[Answer]]] = deque()
        self._kicked = False
        self._loop = asyncio.get_running_loop()
        self._running: set[asyncio.Task[None]] = set()

    def add(self, item: Item) -> asyncio.Future[Answer]:
        answer = self._loop.create_future()
        self._waiting.append((item, answer))
        if self._free and not self._kicked:
            self._kicked = True
            self._loop.call_soon(self._start)
        return answer

    def _start(self) -> None:
        self._kicked = False
        while self._free and self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(self._most, len(self._waiting)))]
            self._free -= 1
            task = self._loop.create_task(self._serve(batch))
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def _serve(self, batch: Sequence[tuple[Item, asyncio.Future[Answer]]]) -> None:
        try:
            answers = await self._run([item for item, _ in batch])
            for (_, future), answer in zip(batch, answers, strict=True):
                future.set_result(answer)
        except Exception as error:
            for _, future in batch:
                future.set_exception(error)
        finally:
            self._free += 1
            self._start()


class Connections:
    """A few that stay open and are not asked how they are each time."""

    def __init__(self, connections: list[Any]) -> None:
        self._free = connections
        self._returned = asyncio.Condition()

    @asynccontextmanager
    async def one(self) -> AsyncIterator[Any]:
        async with self._returned:
            await self._returned.wait_for(lambda: self._free)
            connection = self._free.pop()
        try:
            yield connection
        finally:
            async with self._returned:
                self._free.append(connection)
                self._returned.notify()

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Any]:
        async with self.one() as connection:
            await connection.execute("BEGIN")
            try:
                yield connection
            except BaseException:
                await connection.execute("ROLLBACK")
                raise
            await connection.execute("COMMIT")


@asynccontextmanager
async def connected(url: str, count: int) -> AsyncIterator[Connections]:
    connections = [await asyncpg.connect(url) for _ in range(count)]
    try:
        yield Connections(list(connections))
    finally:
        for connection in connections:
            connection.terminate()


@asynccontextmanager
async def running(*work: Any) -> AsyncIterator[None]:
    """Whatever of it fails ends the process: a floor that stands still would be measured as a slow one."""
    tasks = [asyncio.create_task(each) for each in work]
    for task in tasks:
        task.add_done_callback(_end)
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()


def _end(task: "asyncio.Task[Any]") -> None:
    if not task.cancelled() and (error := task.exception()):
        loop = asyncio.get_running_loop()
        loop.call_exception_handler({"message": "work has ended", "exception": error})
        loop.stop()
