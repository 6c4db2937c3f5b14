"""Somebody who buys by card while Sales dies under them: what they do, and what the books say came of it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp

from contracts.mail_tokens import MailPurpose, mail_token
from tests.harness.platform import MAIL_SECRET, Platform, until

ADDRESS = {"name": "Ada", "line1": "12 Analytical Row", "city": "Springfield", "postal_code": "62701", "country": "US"}
_DUE = (
    "UPDATE attempts SET lease_until = now() - interval '1 hour' WHERE state IN ('open', 'undoing')",
    "UPDATE cancellations SET next_look_at = now() WHERE state = 'asked'",
    "UPDATE payment_operations SET next_try_at = now() WHERE next_try_at IS NOT NULL",
)
_UNDER_WAY = """
    SELECT (SELECT count(*) FROM attempts WHERE state IN ('open', 'undoing'))
        + (SELECT count(*) FROM cancellations WHERE state = 'asked')
        + (SELECT count(*) FROM payment_operations WHERE next_try_at IS NOT NULL)
        + (SELECT count(*) FROM outbox WHERE sent_at IS NULL)
"""


@dataclass(frozen=True)
class Outcome:
    """What stands now and did not before."""

    live: set[str]
    """Orders that are not cancelled, and so on: of each its hold's id, which is its payment's."""
    paid: set[str]
    held: set[str]
    cancelled: int


class Buyer:
    def __init__(self, platform: Platform, client: aiohttp.ClientSession, customer_id: str) -> None:
        self._platform = platform
        self._client = client
        self._headers = {"Authorization": f"Bearer {platform.token('customer', customer_id)}"}

    async def fills_the_cart(self) -> None:
        await self._ask("DELETE", "/cart")
        status, text = await self._ask("POST", "/cart/items", {"product_id": "lamp", "quantity": 2})
        assert status == 201, text

    async def checks_out(self, card: str, key: str) -> tuple[int, str]:
        return await self._ask("POST", "/checkout", {"card_token": card, "shipping_address": ADDRESS}, key)

    async def cancels(self, order_id: str) -> tuple[int, str]:
        return await self._ask("POST", f"/orders/{order_id}/cancellation", {})

    async def has_status(self, order_id: str) -> str:
        _, text = await self._ask("GET", f"/orders/{order_id}")
        return str(json.loads(text)["status"])

    async def _ask(self, method: str, path: str, body: object = None, key: str = "") -> tuple[int, str]:
        """The status is 0 where there is no answer."""
        headers: Mapping[str, Any] = {**self._headers, **({"Idempotency-Key": key} if key else {})}
        url = f"{self._platform.url('sales')}/api/v1{path}"
        try:
            async with self._client.request(method, url, json=body, headers=headers) as answer:
                return answer.status, await answer.text()
        except (aiohttp.ClientError, TimeoutError) as error:
            return 0, repr(error)


async def registered(platform: Platform) -> str:
    """A customer with an account, who has followed the link in the mail."""
    async with aiohttp.ClientSession(f"{platform.url('sales')}/api/v1/", raise_for_status=True) as client:
        account = {"email": "ada@example.org", "name": "Ada", "password": "purple giraffes sing quietly"}
        async with client.post("customers", json=account) as answer:
            customer_id = str((await answer.json())["customer_id"])
        told = await platform.value("sales", "SELECT body FROM outbox WHERE event_type = 'customer.registered'")
        token = mail_token(MAIL_SECRET, MailPurpose.VERIFICATION, json.loads(told)["data"]["token_id"])
        async with client.post("customers/verifications", json={"token": token}) as answer:
            assert (await answer.json())["email_verified"]
    return customer_id


async def time_passes(platform: Platform) -> None:
    """All that waits for its time finds that it has come."""
    for statement in _DUE:
        await platform.query("sales", statement)


async def leases_end(platform: Platform) -> None:
    """Nobody waits for the dead any more: who asks again with the same key can go on from where they were."""
    await platform.query("sales", "UPDATE attempts SET lease_until = least(lease_until, now()) WHERE state = 'open'")


async def comes_to_rest(platform: Platform) -> None:
    async def rests() -> bool:
        if await platform.value("sales", _UNDER_WAY) == 0:
            return True
        await time_passes(platform)
        return False

    await until(rests, within=60, every=0.3)


async def what_stands(platform: Platform) -> Outcome:
    orders = await platform.query("sales", "SELECT reservation_id, status FROM orders")
    paid = await platform.query("sales", "SELECT id FROM payments WHERE kept > 0 OR open > 0")
    held = await platform.query("product", "SELECT id FROM reservations WHERE state IN ('HELD', 'DEDUCTED')")
    return Outcome(
        live={str(row["reservation_id"]) for row in orders if row["status"] != "CANCELLED"},
        paid={str(row["id"]) for row in paid},
        held={str(row["id"]) for row in held},
        cancelled=sum(row["status"] == "CANCELLED" for row in orders),
    )
