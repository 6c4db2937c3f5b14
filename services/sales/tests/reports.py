"""A gateway that reports to Sales, for the tests of that."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import httpx

from chassis.signature import sign
from services.sales.tests.factories import Sales
from services.sales.tests.till import SECRET, Till

OTHER_SECRET = "whsec_c29tZWJvZHkgZWxzZSdzIHNlY3JldA=="


class Desk:
    """A Sales whose gateway reports to it, and a till on the same database that makes something to report."""

    def __init__(self, sales: Sales, till: Till) -> None:
        self.sales = sales
        self.till = till

    async def hear(
        self,
        event: Mapping[str, Any] | bytes,
        event_id: str = "evt_1",
        *,
        gateway: str = "sandbox",
        secret: str = SECRET,
        at: datetime | None = None,
        **headers: str,
    ) -> httpx.Response:
        body = event if isinstance(event, bytes) else json.dumps(event).encode()
        signed = sign(secret, event_id, at or datetime.now(UTC), body)
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.sales.client(None, **{**signed, **given}) as client:
            return await client.post(f"/api/v1/payment-webhooks/{gateway}", content=body)


def code(answer: httpx.Response) -> str:
    return str(answer.json()["error"]["code"])
