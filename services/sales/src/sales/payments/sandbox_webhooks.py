"""How the sandbox reports: signed in the standard-webhooks scheme, as others do; sent here, and read here."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, Literal
from uuid import UUID

import aiohttp
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic_core import to_json

from chassis.body import parse
from chassis.errors import Invalid
from chassis.explain import INVALID, explain
from chassis.signature import Signed, read_keys, sign, verify
from chassis.telemetry import logger
from contracts.sales.payments import PaymentState
from contracts.text import MAX_MINOR_UNITS, Text

from .gateway import Irrelevant, News, Reason
from .sandbox import NAME

_STATES: Final = {
    "authorise.done": PaymentState.AUTHORISED,
    "authorise.refused": PaymentState.FAILED,
    "capture.done": PaymentState.CAPTURED,
    "void.done": PaymentState.VOIDED,
    "refund.done": PaymentState.REFUNDED,
    "refund.refused": PaymentState.REFUND_DUE,
}
_PATIENCE: Final = aiohttp.ClientTimeout(total=5)

log = logger("sandbox")


class _Report(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    type: Text
    data: dict[str, Any]


class _What(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    payment_id: UUID
    payment_reference: Text = Field(min_length=1, max_length=200)
    key: UUID
    amount: int = Field(strict=True, gt=0, le=MAX_MINOR_UNITS)
    reference: Text = Field(min_length=1, max_length=200)
    reason: Reason | None = None


class SandboxReports:
    gateway: Final[Literal["sandbox"]] = NAME

    def __init__(self, secrets: SecretStr) -> None:
        self._keys = read_keys(secrets.get_secret_value())

    def read(self, headers: Mapping[str, str], body: bytes, now: datetime) -> News | Irrelevant:
        names = "webhook-id", "webhook-timestamp", "webhook-signature"
        signed = Signed(*(headers.get(name, "") for name in names))
        verify(self._keys, signed, body, now)
        try:
            report = _Report.model_validate(parse(body))
            state = _STATES.get(report.type)
            if state is None:
                return Irrelevant(signed.webhook_id, report.type)
            what = _What.model_validate(report.data)
        except ValidationError as error:
            raise Invalid(INVALID, explain(error.errors(include_input=False))) from None
        return News(
            event_id=signed.webhook_id,
            state=state,
            payment_id=what.payment_id,
            payment_reference=what.payment_reference,
            key=what.key,
            amount=what.amount,
            reference=what.reference,
            reason=what.reason or Reason.REJECTED,
        )


class SandboxWebhooks:
    """Posts what happens in the sandbox to an address, once or as often as is said; what is lost stays lost."""

    def __init__(self, url: str, secrets: SecretStr) -> None:
        self._url = url
        # The newest secret signs; while it replaces another one, both are believed.
        self._secret = secrets.get_secret_value().split()[0]

    async def tell(self, event: Mapping[str, Any], times: int) -> None:
        body = to_json(event)
        for _ in range(times):
            headers = sign(self._secret, event["data"]["event_id"], datetime.now(UTC), body)
            try:
                async with (
                    aiohttp.ClientSession(timeout=_PATIENCE) as http,
                    http.post(self._url, data=body, headers=headers, allow_redirects=False) as answer,
                ):
                    log.info("sandbox_told", type=event["type"], status=answer.status)
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                log.warning("sandbox_not_heard", type=event["type"], reason=type(error).__name__)
