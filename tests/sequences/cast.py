"""Who walks the sequences: whoever is asked for by their role, each request a real one over HTTP."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from typing import Any
from uuid import uuid4

import aiohttp

from chassis.keys import Role
from chassis.signature import sign
from notification.settings import RetrySettings, SmtpSettings
from sales.seed import DEMO_CUSTOMER
from services.notification.tests.mail_server import MailServer
from tests.e2e.mails import written
from tests.harness.in_process import InProcess
from tests.harness.platform import until

ADDRESS = {"name": "Ada", "line1": "12 Analytical Row", "city": "Springfield", "postal_code": "62701", "country": "US"}
CARRIER = "FedEx"
_PATIENCE = 60.0


@dataclass(frozen=True)
class Answer:
    status: int
    body: Any

    @property
    def code(self) -> str:
        return str(self.body["error"]["code"])

    def __getitem__(self, name: str) -> Any:
        return self.body[name]


class Person:
    def __init__(self, platform: InProcess, client: aiohttp.ClientSession, token: str | None) -> None:
        self._platform = platform
        self._client = client
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    async def ask(self, method: str, service: str, path: str, body: Any = None, **headers: str) -> Answer:
        """A POST has a key of its own, and each request begins a trace of its own."""
        url = f"{self._platform.urls(service)[0]}/api/v1{path}"
        trace, exchange = self._platform.begin(f"{method} /api/v1{path}", body)
        sent = {**self._headers, "traceparent": trace, "Idempotency-Key": uuid4().hex, **headers}
        async with self._client.request(method, url, headers=sent, json=body) as answer:
            text = await answer.text()
            said = Answer(answer.status, json.loads(text) if text else None)
        assert answer.headers["X-Trace-Id"] in trace, f"{method} {path} was not done in the trace of whoever asked."
        exchange |= {"status": said.status, "answer": said.body}
        return said

    async def get(self, service: str, path: str) -> Answer:
        return await self.ask("GET", service, path)

    async def post(self, service: str, path: str, body: Any = None) -> Answer:
        return await self.ask("POST", service, path, body)


class Carrier(Person):
    """Known by its signature, and no token."""

    async def reports(self, tracking_number: str, webhook_id: str = "") -> Answer:
        """That the parcel has arrived."""
        said = {"type": "parcel.delivered", "data": {"tracking_number": tracking_number}}
        body, now = json.dumps(said).encode(), datetime.now(UTC)
        signed = sign(self._platform.carrier_secret, webhook_id or f"msg_{uuid4().hex}", now, body)
        return await self.ask("POST", "delivery", f"/carrier-webhooks/{CARRIER}", said, **signed)


class Cast:
    def __init__(self, platform: InProcess, client: aiohttp.ClientSession) -> None:
        self.platform = platform
        self.client = client
        self.sales_at_product = Person(platform, client, platform.token_of("sales", "product"))
        self.customer = self._person("customer", DEMO_CUSTOMER)
        self.admin = self._person("admin", "an admin")
        self.staff = self._person("warehouse", "the staff")
        self.visitor = Person(platform, client, None)
        self.carrier = Carrier(platform, client, None)

    def somebody(self, customer_id: str) -> Person:
        return self._person("customer", customer_id)

    def _person(self, role: Role, subject: str) -> Person:
        token = self.platform.people.token(subject, [role], lives=timedelta(hours=1))
        return Person(self.platform, self.client, token)

    async def runs_job(self, service: str, name: str) -> object:
        """As the clock does when its time has come."""
        [job] = [job for job in self.platform.services[service].jobs if job.name == name]
        return await job.run()

    def mails(self) -> list[str]:
        """The subjects of those that were sent, the oldest first."""
        folder = self.platform.mail_folder
        sent = written(folder) if folder else []
        return [str(message_from_bytes(mail, policy=policy.default)["Subject"]).strip() for mail in sent]

    async def is_told(self, subject: str) -> None:
        """Waits for a mail with this in its subject."""

        async def has_come() -> bool:
            return any(subject in each for each in self.mails())

        await self.eventually(has_come)

    async def eventually(self, holds: Callable[[], Awaitable[bool]]) -> None:
        await until(holds, _PATIENCE)


def by_smtp(server: MailServer) -> dict[str, Any]:
    """What Notification is told, so that its mails go to this server, and its patience ends soon."""
    soon = timedelta(milliseconds=50)
    return {
        "folder": None,
        "smtp": SmtpSettings(host="127.0.0.1", port=server.port, tls="none"),
        "retry": RetrySettings(quick=(soon, soon), later=(soon,)),
    }
