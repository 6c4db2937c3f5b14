"""Hears the reports of carriers: believes what is signed, acts on each once, and leaves deliveries to shipments."""

from datetime import UTC, datetime, timedelta
from typing import Final

from pydantic import SecretStr, ValidationError
from sqlalchemy import func, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.body import parse
from chassis.db import Database
from chassis.errors import Invalid, TooLarge
from chassis.explain import INVALID, explain
from chassis.signature import Signed, read_keys, verify
from chassis.telemetry import logger
from delivery.shipments.confirming import UnknownParcel, confirm_tracked

from .reports import DELIVERED, Acknowledgement, CarrierReport, ParcelDelivered
from .tables import carrier_webhooks

LARGEST: Final = 20_000
# Carriers repeat a report for days when they have got no answer, each time under the same id.
KEEP: Final = timedelta(days=30)
_BATCH: Final = 5_000

_FORGET = text(
    """
    DELETE FROM carrier_webhooks WHERE (carrier, webhook_id) IN
        (SELECT carrier, webhook_id FROM carrier_webhooks WHERE received_at < :before LIMIT :batch)
    RETURNING 1
    """
)

log = logger("carriers")


class Webhooks:
    def __init__(self, secret: SecretStr) -> None:
        self._keys = read_keys(secret.get_secret_value())

    def open(self, signed: Signed, body: bytes) -> CarrierReport:
        """The report, if the carrier has signed it."""
        if len(body) > LARGEST:
            raise TooLarge(f"The body is larger than {LARGEST // 1000} kB.")
        verify(self._keys, signed, body, datetime.now(UTC))
        try:
            return CarrierReport.model_validate(parse(body))
        except ValidationError as error:
            raise Invalid(INVALID, explain(error.errors(include_input=False))) from None

    async def hear(self, session: AsyncSession, carrier: str, signed: Signed, body: bytes) -> Acknowledgement:
        report = self.open(signed, body)
        if report.type != DELIVERED:
            log.info("webhook_ignored", carrier=carrier, type=report.type[:100])
            return Acknowledgement(result="ignored")
        parcel = ParcelDelivered.read(report)
        # In the same transaction as the effect: a report that was refused may come again under its id.
        if not await _is_new(session, carrier, signed.webhook_id):
            return Acknowledgement(result="repeated")
        try:
            await confirm_tracked(session, carrier, parcel.tracking_number, parcel.confirmation, f"carrier:{carrier}")
        except UnknownParcel:
            log.warning("unknown_parcel", carrier=carrier, tracking_number=parcel.tracking_number)
            raise
        return Acknowledgement(result="accepted")


async def _is_new(session: AsyncSession, carrier: str, webhook_id: str) -> bool:
    """Of several copies that come at once, the others wait here for what becomes of the first."""
    row = {"carrier": func.lower(carrier), "webhook_id": webhook_id, "received_at": datetime.now(UTC)}
    new = insert(carrier_webhooks).values(row).on_conflict_do_nothing().returning(carrier_webhooks.c.webhook_id)
    return await session.scalar(new) is not None


async def forget_old_webhooks(database: Database) -> int:
    forgotten = 0
    while True:
        async with database.begin() as session:
            before = datetime.now(UTC) - KEEP
            count = len((await session.execute(_FORGET, {"before": before, "batch": _BATCH})).all())
        forgotten += count
        if count < _BATCH:
            return forgotten
