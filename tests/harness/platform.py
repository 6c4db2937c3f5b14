"""The platform as it runs in a cluster: a process and a database per service, on one RabbitMQ; all can be killed."""

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg

from chassis.keys import PEOPLE, Role, Signer, new_keypair

from .ports import free_ports
from .program import Process, Program

SERVICES = ("product", "delivery", "notification", "sales")
ORDERFLOW = Path(sys.executable).parent / "orderflow"
CARRIER_SECRET = "whsec_dGVzdC1zZWNyZXQtdGVzdC1zZWNyZXQtdGVzdA=="
MAIL_SECRET = "a secret that only Sales and the mail share"
OPERATIONS = "operations@example.org"
LINK = "https://tracking.example.org/{tracking_number}"
LINKS = json.dumps({"FedEx": LINK})
"""Where a customer follows what FedEx carries."""
_START_WITHIN = 60.0
_ADDRESS = {"name": "Ada", "line1": "12 Analytical Row", "city": "Springfield", "postal_code": "62701", "country": "US"}


_ON_SALE = """
    WITH new AS (SELECT $1::text AS id, $2::bigint AS price, $3::bigint AS on_hand), product AS (
        INSERT INTO products (id, name, price, currency, in_stock) SELECT id, id, price, 'EUR', on_hand > 0 FROM new
    ), movement AS (
        INSERT INTO stock_movements (product_id, variant_id, kind, on_hand_change, reserved_change, cause, actor)
        SELECT id, '00000000-0000-0000-0000-000000000000', 'received', on_hand, 0, gen_random_uuid(), 'test'
        FROM new WHERE on_hand > 0
    )
    INSERT INTO stock (product_id, on_hand) SELECT id, on_hand FROM new
"""


Start = Callable[[Sequence[str], Mapping[str, str], Path], Process]
"""Runs `orderflow` with these arguments, in this environment, and with this file for what it says."""


class Replica:
    """One process of one service."""

    def __init__(
        self,
        service: str,
        number: int,
        port: int,
        environment: Mapping[str, str],
        folder: Path,
        program: Start = Program,
    ) -> None:
        self.service = service
        self.url = f"http://127.0.0.1:{port}"
        self._port = port
        self._environment = environment
        self._log = folder / f"{service}-{number}.log"
        self._program = program
        self._process: Process | None = None

    def start(self, **environment: str) -> None:
        assert self._process is None
        arguments = ["serve", self.service, "--port", str(self._port)]
        self._process = self._program(arguments, {**os.environ, **self._environment, **environment}, self._log)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        """As a power cut does it."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        self._process = None

    def stop(self) -> int:
        """As an orchestrator does it; the exit code."""
        assert self._process is not None
        self._process.terminate()
        code = self._process.wait(20)
        self._process = None
        return code

    def died(self) -> bool:
        return self._process is None or self._process.poll() is not None

    async def forgotten(self, within: float = 30) -> int:
        """Waits until the process has ended by itself; how, as a shell's $? or minus the signal."""
        await until(self.died, within)
        code = 0 if self._process is None else self._process.wait()
        self._process = None
        return code

    async def ready(self) -> None:
        deadline = time.monotonic() + _START_WITHIN
        async with aiohttp.ClientSession() as client:
            while True:
                try:
                    async with client.get(f"{self.url}/readyz") as answer:
                        if answer.status == 200:
                            return
                except aiohttp.ClientError:
                    pass
                if self.died() or time.monotonic() > deadline:
                    raise RuntimeError(f"{self.service} is not ready:\n{self.log()[-4000:]}")
                await asyncio.sleep(0.05)

    async def answers(self) -> bool:
        """Whatever it says; a process that was killed does not, also while it is not yet known to have died."""
        try:
            async with aiohttp.ClientSession() as client, client.get(f"{self.url}/livez"):
                return True
        except aiohttp.ClientError:
            return False

    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def close(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()


class Platform:
    """`replicas[service]`, the databases, and tokens for whoever the test plays."""

    def __init__(
        self,
        databases: Mapping[str, str],
        people: Signer,
        mail_folder: Path,
        replica: Callable[[str, int, Mapping[str, int]], Replica],
    ) -> None:
        self.databases = databases
        self.mail_folder = mail_folder
        self.replicas: dict[str, list[Replica]] = {service: [] for service in SERVICES}
        self.people = people
        self._replica = replica

    async def grow(self, replicas: int) -> None:
        """Until there are so many of each. Replica n of Sales calls replica n of Product, so that all of them work."""
        numbers = range(len(self.replicas["product"]), replicas)
        free = iter(free_ports(len(numbers) * len(SERVICES)))
        new = []
        for number in numbers:
            ports = {service: next(free) for service in SERVICES}
            new += [self._replica(service, number, ports) for service in SERVICES]
        for replica in new:
            self.replicas[replica.service].append(replica)
            replica.start()
        await asyncio.gather(*(replica.ready() for replica in new))

    def shrink(self, replicas: int) -> None:
        for service in SERVICES:
            while len(self.replicas[service]) > replicas:
                self.replicas[service].pop().close()

    def token(self, role: Role, subject: str = "customer_demo") -> str:
        return self.people.token(subject, [role], lives=timedelta(hours=1))

    def url(self, service: str, replica: int = 0) -> str:
        return self.replicas[service][replica].url

    def each(self) -> list[Replica]:
        return [replica for replicas in self.replicas.values() for replica in replicas]

    async def query(self, service: str, statement: str, *parameters: Any) -> list[asyncpg.Record]:
        connection = await asyncpg.connect(self.databases[service].replace("+asyncpg", ""))
        try:
            return list(await connection.fetch(statement, *parameters))
        finally:
            await connection.close()

    async def value(self, service: str, statement: str, *parameters: Any) -> Any:
        return (await self.query(service, statement, *parameters))[0][0]

    async def address(self, customer_id: str, email: str) -> None:
        """Where mail reaches whom the test made up without registering them."""
        statement = "INSERT INTO customers (customer_id, email, email_told_at) VALUES ($1, $2, now())"
        await self.query("notification", statement, customer_id, email)

    async def stock(self, product_id: str, on_hand: int, price: int = 1000) -> None:
        """A product of the test's own."""
        await self.query("product", _ON_SALE, product_id, price, on_hand)


@asynccontextmanager
async def running(
    fresh_database: Callable[[str], Any],
    rabbitmq_url: str,
    folder: Path,
    *,
    replicas: int = 1,
    autopilot: bool = True,
    settings: Mapping[str, str] | None = None,
    program: Start = Program,
) -> AsyncIterator[Platform]:
    mail_folder = folder / "mail"
    databases = {service: await fresh_database(service) for service in SERVICES}
    people, trusted = new_keypair("people", ["customer", "warehouse", "admin"], issuer=PEOPLE)
    own = {service: new_keypair(service, ["service"]) for service in SERVICES}
    jwks = json.dumps({"keys": [trusted, *(public for _, public in own.values())]})

    def replica(service: str, number: int, ports: Mapping[str, int]) -> Replica:
        prefix = service.upper()
        environment = {
            "ORDERFLOW_ENV": "test",
            "RABBITMQ_URL": rabbitmq_url,
            f"{prefix}_DATABASE_URL": databases[service],
            f"{prefix}_TRUSTED_KEYS": jwks,
            f"{prefix}_SIGNING_KEY": own[service][0],
            f"{prefix}_PRODUCT_URL": f"http://127.0.0.1:{ports['product']}",
            "SALES_ACCOUNTS__LOGIN_KEY": people,
            "SALES_ACCOUNTS__MAIL_SECRET": MAIL_SECRET,
            "NOTIFICATION_MAIL_SECRET": MAIL_SECRET,
            "NOTIFICATION_FOLDER": str(mail_folder),
            "NOTIFICATION_OPERATIONS": OPERATIONS,
            "NOTIFICATION_RETRY__QUICK": '["PT0.1S", "PT0.2S"]',
            "NOTIFICATION_RETRY__LATER": json.dumps(["PT0.5S"] * 20),
            "DELIVERY_CARRIER_SECRET": CARRIER_SECRET,
            "DELIVERY_CARRIERS__LINKS": LINKS,
            "DELIVERY_AUTOPILOT": str(autopilot).lower(),
            "DELIVERY_DISPATCH_AFTER": "PT0.2S",
            "DELIVERY_DELIVER_AFTER": "PT0.2S",
            **(settings or {}),
        }
        return Replica(service, number, ports[service], environment, folder, program)

    platform = Platform(databases, Signer(people), mail_folder, replica)
    try:
        await platform.grow(replicas)
        yield platform
    finally:
        platform.shrink(0)


async def until(holds: Callable[[], Any], within: float, every: float = 0.1) -> None:
    """Polls a condition, sync or async, and fails when it does not come true in time."""
    deadline = time.monotonic() + within
    while True:
        outcome = holds()
        if asyncio.iscoroutine(outcome):
            outcome = await outcome
        if outcome:
            return
        if time.monotonic() > deadline:
            raise AssertionError(f"did not come true within {within:.0f} s: {getattr(holds, '__name__', holds)}")
        await asyncio.sleep(every)


class Shopper:
    """Orders, and asks again with the same key until it gets an answer that counts."""

    def __init__(self, client: aiohttp.ClientSession, urls: Sequence[str], token: str) -> None:
        self._client = client
        self._urls = urls
        self._headers = {"Authorization": f"Bearer {token}"}

    async def order(self, items: Mapping[str, int], key: str, patience: float = 120) -> tuple[int, str]:
        lines = [{"product_id": product, "quantity": quantity} for product, quantity in items.items()]
        body = {"items": lines, "shipping_address": _ADDRESS}
        deadline = time.monotonic() + patience
        attempt = 0
        while True:
            url = self._urls[(hash(key) + attempt) % len(self._urls)]
            status, text = await self._try(url, body, key)
            if status < 500 and status != 0:
                return status, text
            if time.monotonic() > deadline:
                return status, text
            attempt += 1
            await asyncio.sleep(0.2)

    async def _try(self, url: str, body: object, key: str) -> tuple[int, str]:
        headers = {**self._headers, "Idempotency-Key": key}
        try:
            async with self._client.post(f"{url}/api/v1/orders", json=body, headers=headers) as answer:
                return answer.status, await answer.text()
        except (aiohttp.ClientError, TimeoutError) as error:
            return 0, repr(error)
