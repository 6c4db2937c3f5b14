"""Writes down what is about to be dispatched, before Product is asked: one parcel, many, or whatever waits."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TypeAlias
from uuid import UUID

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.db import Database
from chassis.errors import Refused
from chassis.failpoints import failpoint
from contracts.delivery.shipments import Dispatch
from delivery.carriers.book import Carriers

from .labelling import DuplicateTrackingNumber, Label, label
from .model import Shipment
from .storing import no_such_shipment, numbers_in_use, save, take, take_abandoned, take_all, take_waiting

Claim: TypeAlias = Shipment | Refused
_BATCH = 200


class Claiming:
    def __init__(self, database: Database, carriers: Carriers, lease: timedelta) -> None:
        self._database = database
        self._carriers = carriers
        self._lease = lease

    async def claim(self, shipment_id: UUID, wanted: Dispatch, by: str) -> Shipment:
        with _numbers_are_unique():
            async with self._database.begin() as session:
                shipment = await take(session, shipment_id)
                # First: what has left already needs no number any more.
                shipment.check_is_free(datetime.now(UTC))
                self._write_down(shipment, label(self._carriers, wanted), by)
                await save(session, [shipment])
                await failpoint("delivery.dispatch.claiming")
        return shipment

    async def claim_many(self, wanted: Sequence[tuple[UUID, Dispatch]], by: str) -> list[Claim]:
        """One answer for each, in their order."""
        try:
            with _numbers_are_unique():
                async with self._database.begin() as session:
                    return await self._claim_together(session, wanted, by)
        except DuplicateTrackingNumber:
            # Somebody took a number while we did: whose it was shows when each is tried by itself.
            return [await self._claim_or_refuse(*each, by) for each in wanted]

    async def claim_waiting(self, *, after: UUID, before: UUID, limit: int, by: str) -> list[Shipment]:
        """Those that nobody is at, with the house's carrier."""
        async with self._database.begin() as session:
            waiting = await take_waiting(session, after=after, before=before, limit=limit)
            for shipment in waiting:
                self._write_down(shipment, label(self._carriers, Dispatch()), by)
            if waiting:
                await save(session, waiting)
        return waiting

    async def take_up_abandoned(self) -> list[Shipment]:
        now = datetime.now(UTC)
        async with self._database.begin() as session:
            abandoned = await take_abandoned(session, now=now, limit=_BATCH)
            for shipment in abandoned:
                shipment.take_up(until=now + self._lease)
            if abandoned:
                await save(session, abandoned)
        return abandoned

    async def give_back(self, claimed: Sequence[Shipment]) -> None:
        async with self._database.begin() as session:
            current = await take_all(session, [shipment.id for shipment in claimed])
            ours = [current[claim.id] for claim in claimed if current[claim.id].is_claimed_by(claim)]
            for shipment in ours:
                shipment.give_back()
            if ours:
                await save(session, ours)

    async def _claim_or_refuse(self, shipment_id: UUID, wanted: Dispatch, by: str) -> Claim:
        try:
            return await self.claim(shipment_id, wanted, by)
        except Refused as refused:
            return refused

    async def _claim_together(
        self, session: AsyncSession, wanted: Sequence[tuple[UUID, Dispatch]], by: str
    ) -> list[Claim]:
        found = await take_all(session, {shipment_id for shipment_id, _ in wanted})
        marked = [self._label_or_refuse(each) for _, each in wanted]
        in_use = await numbers_in_use(session, [mark.key for mark in marked if isinstance(mark, Label)])
        claims: list[Claim] = []
        for (shipment_id, _), mark in zip(wanted, marked, strict=True):
            try:
                claims.append(self._claim_found(found.get(shipment_id), mark, in_use, by))
            except Refused as refused:
                claims.append(refused)
        if claimed := [claim for claim in claims if isinstance(claim, Shipment)]:
            await save(session, claimed)
        await failpoint("delivery.dispatch.claiming")
        return claims

    def _label_or_refuse(self, wanted: Dispatch) -> Label | Refused:
        try:
            return label(self._carriers, wanted)
        except Refused as refused:
            return refused

    def _claim_found(
        self, shipment: Shipment | None, mark: Label | Refused, in_use: dict[tuple[str, str], UUID], by: str
    ) -> Shipment:
        if shipment is None:
            raise no_such_shipment()
        shipment.check_is_free(datetime.now(UTC))
        if isinstance(mark, Refused):
            raise mark
        if in_use.get(mark.key, shipment.id) != shipment.id:
            raise DuplicateTrackingNumber
        self._write_down(shipment, mark, by)
        in_use[mark.key] = shipment.id
        return shipment

    def _write_down(self, shipment: Shipment, mark: Label, by: str) -> None:
        now = datetime.now(UTC)
        carrier, number, url = mark.carrier, mark.tracking_number, mark.tracking_url
        shipment.claim(carrier, number, url=url, by=by, now=now, until=now + self._lease)


@contextmanager
def _numbers_are_unique() -> Iterator[None]:
    try:
        yield
    except IntegrityError as error:
        if "uq_shipments_carrier_tracking_number" in str(error.orig):
            raise DuplicateTrackingNumber from None
        raise
