"""A real RabbitMQ, from wherever there is one, and its virtual hosts; what is in those is the services' affair."""

import asyncio
import base64
import http.client
import json
import os
import secrets
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, asynccontextmanager, closing, contextmanager
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

import pytest

from .rabbitmq_container import container
from .rabbitmq_node import private_node

HOW_TO_GET_ONE = """\
No RabbitMQ: this test did not run, and neither does any other that is marked `rabbitmq`.
{reasons}
Do one of these and run again:
  - set RABBITMQ_URL (and RABBITMQ_MANAGEMENT_URL, when its management is not on port 15672 of the same host);
  - start a Docker engine that has or can fetch rabbitmq:4-management;
  - install rabbitmq-server with your packages (as root on Debian this is done by itself);
`make test-embedded` runs all the tests that need none."""

UNUSABLE = """\
The broker that RABBITMQ_URL names is out of reach, or its management API, from which each test gets a virtual host.
Enable its management plugin, name it with RABBITMQ_MANAGEMENT_URL, or unset RABBITMQ_URL."""


class Machine(Protocol):
    """What runs a broker that is ours."""

    url: str
    management: str

    def start(self) -> None: ...
    def failure(self) -> str | None: ...
    def stop(self) -> None: ...
    def pause(self) -> None: ...
    def resume(self) -> None: ...


class RabbitMQ:
    def __init__(self, url: str, management: str, machine: Machine | None = None) -> None:
        self.url = url
        self.management = management
        self._machine = machine

    @contextmanager
    def vhost(self) -> Iterator[str]:
        """The URL of a new, empty virtual host that is gone afterwards."""
        name = f"test-{secrets.token_hex(6)}"
        self._api("PUT", f"vhosts/{name}")
        try:
            everything = {"configure": ".*", "write": ".*", "read": ".*"}
            self._api("PUT", f"permissions/{name}/{urlsplit(self.url).username}", everything)
            yield f"{self.url}/{name}"
        finally:
            self._api("DELETE", f"vhosts/{name}")

    @asynccontextmanager
    async def down(self) -> AsyncIterator[None]:
        """The broker is stopped inside, and is there again, with its data, afterwards."""
        machine = self._ours()
        await asyncio.to_thread(machine.stop)
        try:
            yield
        finally:
            await asyncio.to_thread(self.start)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """The broker keeps its connections and answers nothing inside, as behind a broken network."""
        machine = self._ours()
        machine.pause()
        try:
            yield
        finally:
            machine.resume()

    def start(self) -> None:
        machine = self._ours()
        machine.start()
        self._until_it_answers(machine)

    def answers(self) -> None:
        """Raises OSError unless both the management API and the broker itself can be reached."""
        self._api("GET", "whoami")
        address = urlsplit(self.url)
        socket.create_connection((address.hostname or "localhost", address.port or 5672), 5).close()

    def overview(self, vhost_url: str | None = None) -> Any:
        """What the management says of the broker, or of one of its virtual hosts."""
        return self._api("GET", "overview" if vhost_url is None else f"vhosts/{vhost_url.rpartition('/')[2]}")

    def queues(self, vhost_url: str) -> list[str]:
        return [queue["name"] for queue in self._api("GET", f"queues/{vhost_url.rpartition('/')[2]}")]

    def _ours(self) -> Machine:
        return self._machine or pytest.skip("the broker that RABBITMQ_URL names is not ours to stop")

    def _until_it_answers(self, machine: Machine, seconds: float = 120) -> None:
        deadline = time.monotonic() + seconds
        while True:
            try:
                return self.answers()
            except OSError as error:
                if (log := machine.failure()) is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"RabbitMQ did not start:\n{log or error}") from error
                time.sleep(0.1)

    def _api(self, method: str, path: str, body: object = None) -> Any:
        broker = urlsplit(self.url)
        credentials = unquote(f"{broker.username}:{broker.password}").encode()
        headers = {"Authorization": f"Basic {base64.b64encode(credentials).decode()}"}
        connection = http.client.HTTPConnection(urlsplit(self.management).netloc, timeout=10)
        with closing(connection):
            connection.request(method, f"/api/{path}", json.dumps(body or {}), headers)
            answer = connection.getresponse()
            told = answer.read()
            if answer.status >= 400:
                raise ConnectionError(f"{method} {path} is answered with {answer.status}: {told!r}")
            return json.loads(told) if told else None


@contextmanager
def provided() -> Iterator[RabbitMQ]:
    """RABBITMQ_URL, a container, or a node of our own, in this order; fails with a plain word where there is none."""
    with ExitStack() as stack:
        if "RABBITMQ_URL" in os.environ:
            yield given(os.environ["RABBITMQ_URL"], os.environ.get("RABBITMQ_MANAGEMENT_URL"))
            return
        reasons = []
        sources: list[Callable[[], AbstractContextManager[Machine]]] = [container, private_node]
        for source in sources:
            try:
                machine = stack.enter_context(source())
            except LookupError as reason:
                reasons.append(f"  {reason}")
                continue
            rabbitmq = RabbitMQ(machine.url, machine.management, machine)
            rabbitmq.start()
            yield rabbitmq
            return
        pytest.fail(HOW_TO_GET_ONE.format(reasons="\n".join(reasons)), pytrace=False)


def given(url: str, management: str | None = None) -> RabbitMQ:
    """A broker that somebody else runs; its own virtual host stays as it is, each test gets another."""
    parts = urlsplit(url)
    who = f"{parts.username or 'guest'}:{parts.password or 'guest'}"
    rabbitmq = RabbitMQ(
        f"{parts.scheme}://{who}@{parts.hostname}:{parts.port or 5672}",
        management or f"http://{parts.hostname}:15672",
    )
    try:
        rabbitmq.answers()
    except OSError as error:
        pytest.fail(f"{UNUSABLE}\n{error}", pytrace=False)
    return rabbitmq
