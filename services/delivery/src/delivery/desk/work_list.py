"""The work list: parcels that are ready and nobody dispatches, the oldest first."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from pydantic import Field
from sqlalchemy import ColumnElement, Select, and_, any_, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.errors import Invalid
from chassis.explain import INVALID
from chassis.paging import DEFAULT_LIMIT, Cursor, Keyset, Limit, made_between
from contracts.delivery.desk import WaitingParcel, WorkFilter
from delivery.shipments.reading import view
from delivery.shipments.storing import as_shipment
from delivery.shipments.tables import shipments

from .tables import country_of, is_on_list, is_ready, pick_list_parcels, postal_code_of, products_in

# Ids ascend with the time of creation.
_oldest_first = Keyset(UUID)
# Sorts behind whatever a postal code goes on with.
_LAST = "\U0010ffff"

ON_LIST = and_(pick_list_parcels.c.shipment_id == shipments.c.id, is_on_list)


class Wanted(WorkFilter):
    """Which parcels, and which page of them."""

    picked: bool | None = Field(None, description="On somebody's pick list, or on nobody's.")
    cursor: Cursor = None
    limit: Limit = DEFAULT_LIMIT


async def page_of_work(session: AsyncSession, wanted: Wanted) -> dict[str, Any]:
    after = _oldest_first.read(wanted.cursor)
    query = waiting(wanted, after).add_columns(pick_list_parcels.c.pick_list_id).limit(wanted.limit + 1)
    query = query.select_from(shipments.join(pick_list_parcels, ON_LIST, isouter=not wanted.picked))
    if wanted.picked is False:
        query = query.where(pick_list_parcels.c.shipment_id.is_(None))
    rows = [dict(row) for row in (await session.execute(query)).mappings()]
    page = _oldest_first.page(rows, wanted.limit, lambda row: row["id"])
    return {**page, "items": [_parcel(row) for row in page["items"]]}


def waiting(wanted: WorkFilter, after: UUID | None = None) -> Select[Any]:
    ready = [is_ready, *made_between(shipments.c.id, shipments.c.created_at, None, _before(wanted))]
    if after is not None:
        ready.append(shipments.c.id > after)
    conditions = [*ready, *_goods(wanted), *_place(wanted)]
    query = select(shipments).order_by(shipments.c.id)
    if wanted.product_id is None and wanted.postal_code is None:
        return query.where(*conditions)
    # Their indexes do not stand in our order. All that fit are taken from them at once, whatever the planner believes
    # about how many those are: it would like to go through all that waits until it has met enough of them.
    found = select(shipments.c.id).where(*conditions).correlate(None).scalar_subquery()
    return query.where(*ready, shipments.c.id == any_(func.array(found)))


def _parcel(row: dict[str, Any]) -> WaitingParcel:
    pick_list_id = row.pop("pick_list_id")
    return WaitingParcel(shipment=view(as_shipment(row)), pick_list_id=pick_list_id)


def _goods(wanted: WorkFilter) -> Iterator[ColumnElement[bool]]:
    if wanted.variant_id is not None and wanted.product_id is None:
        raise Invalid(INVALID, [{"field": "product_id", "message": "A variant is one of a product; name that, too."}])
    if wanted.product_id is not None:
        yield products_in.has_key(wanted.product_id)
    if wanted.variant_id is not None:
        item = {"product_id": wanted.product_id, "variant_id": str(wanted.variant_id)}
        yield shipments.c["items"].contains([item])


def _place(wanted: WorkFilter) -> Iterator[ColumnElement[bool]]:
    if wanted.country is not None:
        yield country_of == wanted.country
    if wanted.postal_code is not None:
        begins = func.upper(wanted.postal_code)
        yield postal_code_of >= begins
        yield postal_code_of < begins.concat(_LAST)


def _before(wanted: WorkFilter) -> datetime | None:
    long_ago = None if wanted.older_than is None else datetime.now(UTC) - wanted.older_than
    return min((bound for bound in (long_ago, wanted.created_before) if bound is not None), default=None)
