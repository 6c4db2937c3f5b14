"""What others see of carriers: what they report, what became of it, and the reports that could not be matched."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from pydantic import AwareDatetime

from contracts.text import Text, View

from .shipments import Carrier, DeliveryEvent, ProofOfDelivery, TrackingNumber


class ReportKind(StrEnum):
    DELIVERED = "delivered"
    LOST = "lost"
    RETURNED = "returned"


class ReportState(StrEnum):
    WAITING = "WAITING"
    """It has had no effect yet: it came a moment ago, its parcel has not left, or something of ours is down."""
    UNMATCHED = "UNMATCHED"
    """No parcel of this carrier has this number. It is tried again while `next_try_at` says when."""
    APPLIED = "APPLIED"
    REFUSED = "REFUSED"
    """`code` and `message` say why."""


class CarrierReportView(View):
    report_id: UUID
    carrier: str
    tracking_number: str
    shipment_id: UUID | None = None
    reported: ReportKind
    occurred_at: datetime | None = None
    """When it happened, if the carrier says so."""
    location: str | None = None
    proof: ProofOfDelivery | None = None
    reason: str | None = None
    received_at: datetime
    state: ReportState
    code: str | None = None
    message: str | None = None
    attempts: int
    next_try_at: datetime | None = None
    settled_at: datetime | None = None


class UnmatchedTracking(DeliveryEvent):
    """A carrier reports of a parcel that is not known to be ours. The report is kept until the parcel may be known."""

    event_type = "delivery.unmatched_tracking"
    domain_name = "UnmatchedTracking"
    heard_by = frozenset({"notification"})

    report_id: UUID
    carrier: Carrier
    tracking_number: TrackingNumber
    reported: Text
    """What it reports, as `delivered`."""
    received_at: AwareDatetime
