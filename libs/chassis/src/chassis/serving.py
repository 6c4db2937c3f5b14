"""Serves applications over HTTP until it is told to stop: takes nothing new then, and finishes what runs."""

import asyncio
import gc
import signal
import socket
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network

import uvicorn
from fastapi import FastAPI


@dataclass(frozen=True)
class Site:
    app: FastAPI
    host: str
    port: int
    trusted_proxies: Sequence[IPv4Network | IPv6Network] = ()


class NotStarted(Exception):
    """An application could not start; the log says why."""


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are for the process, which may hold several servers."""
        yield


async def serve(
    sites: Sequence[Site], stop: asyncio.Event, when_started: Callable[[], Awaitable[None]] | None = None
) -> None:
    """Until `stop`, or until a site ends by itself. A port that is taken is an OSError before anything starts."""
    with ExitStack() as listening:
        sockets = [listening.enter_context(_listen(site)) for site in sites]
        servers = [_Server(_configure(site)) for site in sites]
        running = [asyncio.create_task(_run(*each)) for each in zip(servers, sockets, strict=True)]
        stopping = asyncio.create_task(stop.wait())
        try:
            if await _started(servers, running, stop):
                _spare_the_collector()
                if when_started:
                    await when_started()
                await asyncio.wait([stopping, *running], return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            for server in servers:
                server.should_exit = True
            await asyncio.wait([stopping, *running])
        await asyncio.gather(*running)


def stop_on_signals() -> asyncio.Event:
    """Set by the first SIGINT or SIGTERM."""
    stop = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    return stop


def _listen(site: Site) -> socket.socket:
    return socket.create_server((site.host, site.port), backlog=2048)


def _configure(site: Site) -> uvicorn.Config:
    return uvicorn.Config(
        site.app,
        http="httptools",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        # Left to itself uvicorn believes whoever calls from this machine.
        proxy_headers=bool(site.trusted_proxies),
        forwarded_allow_ips=[str(network) for network in site.trusted_proxies],
        timeout_graceful_shutdown=5,
        timeout_keep_alive=75,
    )


async def _run(server: _Server, listening: socket.socket) -> None:
    try:
        await server.serve(sockets=[listening])
    except SystemExit as end:
        # How uvicorn says that the application failed; outside of a task it would tear down the whole loop.
        raise NotStarted("An application did not start; see the log.") from end


async def _started(servers: Sequence[_Server], running: Sequence[asyncio.Task[None]], stop: asyncio.Event) -> bool:
    while not all(server.started for server in servers):
        if stop.is_set() or any(task.done() for task in running):
            return False
        await asyncio.sleep(0.01)
    return True


def _spare_the_collector() -> None:
    # What was made until now lives as long as the process: the collector need not look at it again.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
