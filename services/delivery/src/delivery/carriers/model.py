"""The life of a report: kept, tried until it has its effect or cannot have one, or given up. Rules only."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from chassis.errors import Refused
from contracts.delivery.carriers import ReportKind, ReportState
from contracts.delivery.shipments import ProofOfDelivery
from delivery.shipments.following import Kind, ParcelNews

WAITING, UNMATCHED, APPLIED, REFUSED = (
    ReportState.WAITING,
    ReportState.UNMATCHED,
    ReportState.APPLIED,
    ReportState.REFUSED,
)


@dataclass(frozen=True, slots=True)
class Patience:
    first_retry: timedelta
    longest_retry: timedelta
    tried_for: timedelta
    told_after: timedelta


@dataclass(slots=True)
class Report:
    id: UUID
    source: str
    webhook_id: str
    carrier: str
    tracking_number: str
    kind: Kind
    occurred_at: datetime | None
    location: str | None
    proof: Mapping[str, Any] | None
    reason: str | None
    received_at: datetime
    traceparent: str
    """The trace in which it came: what it brings about belongs to it."""
    state: ReportState
    attempts: int
    next_try_at: datetime | None
    tried_until: datetime
    told_at: datetime | None
    """When operations were told that it could not be matched."""
    settled_at: datetime | None
    code: str | None
    message: str | None
    shipment_id: UUID | None

    @property
    def reported(self) -> ReportKind:
        return ReportKind(self.kind.lower())

    @property
    def news(self) -> ParcelNews:
        return ParcelNews(
            kind=self.kind,
            at=self.occurred_at,
            location=self.location,
            proof=None if self.proof is None else ProofOfDelivery.model_validate(self.proof),
            reason=self.reason,
        )

    @property
    def by(self) -> str:
        return f"carrier:{self.carrier}"

    def apply(self, shipment_id: UUID, now: datetime) -> None:
        self._settle(APPLIED, now)
        self.shipment_id, self.code, self.message = shipment_id, None, None

    def refuse(self, refused: Refused, now: datetime, shipment_id: UUID | None = None) -> None:
        self._settle(REFUSED, now)
        self._note(refused)
        self.shipment_id = shipment_id or self.shipment_id

    def miss(self, refused: Refused, now: datetime, patience: Patience) -> None:
        """There is no such parcel: perhaps not yet."""
        self.state = UNMATCHED
        self._note(refused)
        self.next_try_at = self._next_try(now, patience)
        tell_at = self.received_at + patience.told_after
        if self.next_try_at is not None and now < tell_at:
            self.next_try_at = min(self.next_try_at, tell_at)

    def wait(self, refused: Refused, now: datetime, patience: Patience) -> None:
        """Something stands in its way that may be gone later. Given up, that is why it is refused."""
        next_try_at = self._next_try(now, patience)
        if next_try_at is None:
            self.refuse(refused, now)
        else:
            self.state, self.next_try_at = WAITING, next_try_at
            self._note(refused)

    def must_be_told(self, now: datetime, patience: Patience) -> bool:
        """Soon after it was not found, and once: a dispatch that is under way has had the time to end."""
        return self.state == UNMATCHED and self.told_at is None and now >= self.received_at + patience.told_after

    def retry(self, now: datetime, patience: Patience) -> None:
        """Somebody has mended what stood in its way, or believes so."""
        self.state, self.attempts, self.settled_at = WAITING, 0, None
        self.next_try_at, self.tried_until = now, now + patience.tried_for

    def _settle(self, state: ReportState, now: datetime) -> None:
        self.state, self.settled_at, self.next_try_at = state, now, None
        self.attempts += 1

    def _note(self, refused: Refused) -> None:
        self.code, self.message = refused.code, _in_short(refused)

    def _next_try(self, now: datetime, patience: Patience) -> datetime | None:
        self.attempts += 1
        delay = min(patience.first_retry * 2 ** min(self.attempts - 1, 20), patience.longest_retry)
        return now + delay if now + delay <= self.tried_until else None


def _in_short(refused: Refused) -> str:
    """With the reason, where the message only says that there is one."""
    reasons = [str(detail["message"]) for detail in refused.details if detail.get("message")]
    return " ".join([refused.message, *reasons])[:500]
