"""What carriers say, in their words: only what is understood here is read, the rest is theirs."""

from typing import Any, Final, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from chassis.errors import Invalid
from chassis.explain import INVALID, explain
from contracts.delivery import ConfirmDelivery, TrackingNumber
from contracts.text import Line, Text

DELIVERED: Final = "parcel.delivered"


class CarrierReport(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    type: Text
    data: dict[str, Any]


class ParcelDelivered(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    tracking_number: TrackingNumber
    delivered_at: AwareDatetime | None = None
    delivery_location: Line | None = None

    @classmethod
    def read(cls, report: CarrierReport) -> "ParcelDelivered":
        try:
            return cls.model_validate(report.data)
        except ValidationError as error:
            inside = [{**each, "loc": ("body", "data", *each["loc"])} for each in error.errors(include_input=False)]
            raise Invalid(INVALID, explain(inside)) from None

    @property
    def confirmation(self) -> ConfirmDelivery:
        return ConfirmDelivery(delivered_at=self.delivered_at, delivery_location=self.delivery_location)


class Acknowledgement(BaseModel):
    """`repeated`: this webhook came before and has had its effect. `ignored`: we do nothing about this type."""

    result: Literal["accepted", "repeated", "ignored"]
