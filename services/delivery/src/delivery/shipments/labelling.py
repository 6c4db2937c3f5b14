"""The label of a parcel that is about to leave: who carries it, under which number, and where that is followed."""

from dataclasses import dataclass

from chassis.errors import Conflict, Invalid
from contracts.delivery.shipments import Dispatch
from delivery.carriers.book import Carriers


class TrackingNumberRequired(Invalid):
    code = "TRACKING_NUMBER_REQUIRED"

    def __init__(self, carrier: str) -> None:
        super().__init__(
            "This carrier gives its tracking numbers itself; please name the parcel's.",
            [{"field": "tracking_number", "message": "This is needed.", "carrier": carrier}],
        )


class DuplicateTrackingNumber(Conflict):
    code = "DUPLICATE_TRACKING_NUMBER"

    def __init__(self) -> None:
        super().__init__(
            "Another parcel of this carrier has this tracking number.",
            [{"field": "tracking_number", "message": "This is in use."}],
        )


@dataclass(frozen=True)
class Label:
    carrier: str
    tracking_number: str
    tracking_url: str | None

    @property
    def key(self) -> tuple[str, str]:
        """What no other parcel may have; carriers' names may be written in any case."""
        return self.carrier.casefold(), self.tracking_number


def label(carriers: Carriers, wanted: Dispatch) -> Label:
    carrier = wanted.carrier or carriers.house
    number = wanted.tracking_number or carriers.tracking_number_for(carrier)
    if number is None:
        raise TrackingNumberRequired(carrier)
    return Label(carrier, number, carriers.tracking_url(carrier, number))
