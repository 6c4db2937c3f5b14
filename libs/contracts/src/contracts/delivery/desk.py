"""What others see of the warehouse's desk: what waits to be packed, who fetches it, and what left at once."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import AwareDatetime, Field

from contracts.errors import ErrorDetail
from contracts.text import Body, ProductId, ShortLine, View

from .shipments import Dispatch, ShipmentView

MOST_PICKED = 100
MOST_AT_ONCE = 200


class WorkFilter(Body):
    """Which of the parcels that wait; what is left out leaves none out."""

    older_than: Annotated[
        timedelta | None,
        Field(ge=timedelta(0), le=timedelta(days=3650), description="Waits for so long, such as `PT2H`."),
    ] = None
    created_before: Annotated[
        AwareDatetime | None, Field(ge=datetime(1970, 1, 1, tzinfo=UTC), le=datetime(9999, 1, 1, tzinfo=UTC))
    ] = None
    product_id: Annotated[ProductId | None, Field(description="Has it in it, perhaps with others.")] = None
    variant_id: Annotated[UUID | None, Field(description="Of the product, which must be named.")] = None
    country: Annotated[str | None, Field(pattern=r"^[A-Z]{2}$")] = None
    postal_code: Annotated[ShortLine | None, Field(description="Or how it begins.")] = None


class TakePickList(WorkFilter):
    size: Annotated[int, Field(strict=True, ge=1, le=MOST_PICKED, description="How many parcels at most.")] = 20


class WaitingParcel(View):
    shipment: ShipmentView
    pick_list_id: UUID | None = None
    """Somebody is fetching what goes into it."""


class PickListStatus(StrEnum):
    OPEN = "OPEN"
    DONE = "DONE"
    """None of its parcels is left to be packed."""
    RELEASED = "RELEASED"
    """What had not left went back to the work list."""


class PickOutcome(StrEnum):
    WAITING = "WAITING"
    DISPATCHED = "DISPATCHED"
    STOPPED = "STOPPED"
    """The order was cancelled meanwhile: what was fetched for it is to be put back."""
    RELEASED = "RELEASED"


class Portion(View):
    shipment_id: UUID
    quantity: int


class GoodsToMove(View):
    """How many of one product, and for which parcels."""

    product_id: str
    variant_id: UUID | None = None
    quantity: int
    parcels: list[Portion]


class PickedParcel(View):
    outcome: PickOutcome
    shipment: ShipmentView


class PickListSummary(View):
    pick_list_id: UUID
    status: PickListStatus
    taken_by: str
    taken_at: datetime
    closed_at: datetime | None = None
    closed_by: str | None = None
    parcels: dict[PickOutcome, int]
    """How many there are of each."""


class PickListView(View):
    pick_list_id: UUID
    status: PickListStatus
    taken_by: str
    taken_at: datetime
    closed_at: datetime | None = None
    closed_by: str | None = None
    to_fetch: list[GoodsToMove]
    """For the parcels that still wait."""
    to_put_back: list[GoodsToMove]
    """What was to be fetched and is not needed any more: of stopped and released parcels, and what was split off."""
    parcels: list[PickedParcel]


class DispatchOne(Dispatch):
    shipment_id: UUID


class DispatchMany(Body):
    shipments: Annotated[list[DispatchOne], Field(min_length=1, max_length=MOST_AT_ONCE)]


class DispatchResult(StrEnum):
    DISPATCHED = "dispatched"
    ALREADY_DISPATCHED = "already_dispatched"
    """It left before, just as is asked for now: as is said when the same is sent again."""
    REFUSED = "refused"


class DispatchRefusal(View):
    code: str
    message: str
    details: Sequence[ErrorDetail] = ()


class DispatchOutcome(View):
    shipment_id: UUID
    result: DispatchResult
    shipment: ShipmentView | None = None
    error: DispatchRefusal | None = None


class DispatchOutcomes(View):
    outcomes: list[DispatchOutcome]
    """One for each that was asked for, in the same order."""
