"""What carriers say who speak our language: only what is understood here is read, the rest is theirs."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from chassis.errors import Invalid
from chassis.explain import INVALID, explain
from contracts.delivery.shipments import ProofOfDelivery, ShipmentStatus, TrackingNumber
from contracts.text import Line, Text
from delivery.shipments.following import Kind, ParcelNews

from .carrier import Reported

# Times further out have no equivalent in UTC, where the database keeps them.
Moment = Annotated[AwareDatetime, Field(ge=datetime(1970, 1, 1, tzinfo=UTC), le=datetime(9999, 1, 1, tzinfo=UTC))]


class _Theirs(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class CarrierWebhook(_Theirs):
    type: Text
    data: dict[str, Any]


class Proof(ProofOfDelivery):
    model_config = ConfigDict(frozen=True, extra="ignore")


class ParcelDelivered(_Theirs):
    tracking_number: TrackingNumber
    delivered_at: Moment | None = None
    delivery_location: Line | None = None
    proof: Proof | None = None

    @property
    def news(self) -> ParcelNews:
        proof = ProofOfDelivery(note=self.proof.note or None, image=self.proof.image) if self.proof else None
        return ParcelNews(
            kind=ShipmentStatus.DELIVERED,
            at=self.delivered_at,
            location=self.delivery_location,
            proof=proof,
            reason=None,
        )


class _Trouble(_Theirs):
    tracking_number: TrackingNumber
    occurred_at: Moment | None = None
    location: Line | None = None
    reason: Line | None = None

    def _news(self, kind: Kind) -> ParcelNews:
        return ParcelNews(kind=kind, at=self.occurred_at, location=self.location, proof=None, reason=self.reason)


class ParcelLost(_Trouble):
    @property
    def news(self) -> ParcelNews:
        return self._news(ShipmentStatus.LOST)


class ParcelReturned(_Trouble):
    @property
    def news(self) -> ParcelNews:
        return self._news(ShipmentStatus.RETURNED)


_UNDERSTOOD: Final[Mapping[str, type[ParcelDelivered | ParcelLost | ParcelReturned]]] = {
    "parcel.delivered": ParcelDelivered,
    "parcel.lost": ParcelLost,
    "parcel.returned": ParcelReturned,
}


def read_report(webhook: CarrierWebhook, carrier: str) -> Reported | None:
    kind = _UNDERSTOOD.get(webhook.type)
    if kind is None:
        return None
    try:
        parcel = kind.model_validate(webhook.data)
    except ValidationError as error:
        raise not_understood(error, "data") from None
    return Reported(carrier, parcel.tracking_number, parcel.news)


def read_webhook(parsed: Any) -> CarrierWebhook:
    try:
        return CarrierWebhook.model_validate(parsed)
    except ValidationError as error:
        raise not_understood(error) from None


def not_understood(error: ValidationError, *inside: str) -> Invalid:
    problems: Sequence[ErrorDetails] = error.errors(include_input=False, include_url=False)
    return Invalid(INVALID, explain([{**each, "loc": ("body", *inside, *each["loc"])} for each in problems]))
