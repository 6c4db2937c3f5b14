"""Any carrier that the staff names: its numbers are on its labels, it signs as standard-webhooks has it."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from chassis.body import parse
from chassis.signature import Signed, verify

from .carrier import Webhook
from .wording import read_report, read_webhook


class Manual:
    def __init__(self, name: str, keys: Sequence[bytes], link: str | None) -> None:
        self.name = name
        self._keys = keys
        self._link = link

    def new_tracking_number(self) -> str | None:
        return None

    def tracking_url(self, tracking_number: str) -> str | None:
        return None if self._link is None else self._link.replace("{tracking_number}", tracking_number)

    def hear(self, headers: Mapping[str, str], body: bytes, now: datetime) -> Webhook:
        # Empty and not required: whoever sends none is not verified, and need not be told the names.
        webhook_id, timestamp, signatures = (
            headers.get(f"webhook-{name}", "") for name in ("id", "timestamp", "signature")
        )
        verify(self._keys, Signed(webhook_id, timestamp, signatures), body, now)
        webhook = read_webhook(parse(body))
        return Webhook(webhook_id, webhook.type, read_report(webhook, self.name))
