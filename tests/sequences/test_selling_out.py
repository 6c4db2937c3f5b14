"""The last piece is gone, and operations hear of it, or their mail server takes nothing."""

from collections.abc import Mapping
from typing import Any

import pytest

from services.notification.tests.mail_server import MailServer

from .cast import Cast, by_smtp

ALL = {"product_id": "product_789", "quantity": 50}
SUBJECT = "Out of stock: Burr grinder, hand-cranked"


@pytest.fixture
def settings(mail_server: MailServer) -> Mapping[str, Mapping[str, Any]]:
    return {"notification": by_smtp(mail_server)}


@pytest.mark.sequence("SEQ-INV-002")
async def test_operations_are_told_that_the_last_piece_is_gone(cast: Cast, mail_server: MailServer) -> None:
    placed = await cast.customer.post("sales", "/orders", {"items": [ALL]})

    async def operations_have_it() -> bool:
        return any("operations@example.org" in mail.recipients for mail in mail_server.taken)

    await cast.eventually(operations_have_it)

    [told] = [mail for mail in mail_server.taken if "operations@example.org" in mail.recipients]
    shown = await cast.visitor.get("product", "/products/product_789")
    assert (placed.status, shown["available"]) == (201, 0)
    assert str(told.said["Subject"]) == SUBJECT


async def kept(cast: Cast) -> list[dict[str, Any]]:
    """For people, who may have it sent again."""
    return list((await cast.admin.get("notification", "/mails?state=FAILED"))["items"])


@pytest.mark.sequence("SEQ-INV-002", exception="EMAIL_DELIVERY_FAILED")
async def test_a_mail_that_is_refused_each_time_is_kept_for_people(cast: Cast, mail_server: MailServer) -> None:
    mail_server.says("RCPT", "451 4.3.0 Not now", about="operations@")

    await cast.customer.post("sales", "/orders", {"items": [ALL]})

    async def is_given_up() -> bool:
        return bool(await kept(cast))

    await cast.eventually(is_given_up)

    [mail] = await kept(cast)
    assert (mail["message"], mail["tries"], mail["last_error"]) == ("out_of_stock", 4, "451 4.3.0 Not now")
    assert mail["allowed_actions"] == ["send"]
