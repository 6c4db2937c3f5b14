"""Shows pick lists: one with what has become of its parcels, or a page of them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, and_, exists, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.errors import NotFound
from chassis.paging import Keyset
from contracts.delivery.desk import (
    GoodsToMove,
    PickedParcel,
    PickListStatus,
    PickListSummary,
    PickListView,
    PickOutcome,
    Portion,
)
from delivery.shipments.model import Shipment
from delivery.shipments.reading import view
from delivery.shipments.storing import as_shipment
from delivery.shipments.tables import shipments

from .model import DONE, OPEN, Goods, Picked, PickList, to_fetch, to_put_back
from .tables import pick_list_parcels, pick_lists

# Ids ascend with the time of creation.
_newest_first = Keyset(UUID)

_PARCELS = (
    select(
        pick_list_parcels.c.pick_list_id,
        pick_list_parcels.c["items"].label("picked_items"),
        pick_list_parcels.c.outcome,
        shipments,
    )
    .join(shipments, shipments.c.id == pick_list_parcels.c.shipment_id)
    .order_by(shipments.c.id)
)
# As `PickList.status` says it of one.
_IS_WRITTEN_OPEN = text("pick_lists.status = 'OPEN'")
_WAITS = exists(
    select(shipments.c.id)
    .join(pick_list_parcels, shipments.c.id == pick_list_parcels.c.shipment_id)
    .where(pick_list_parcels.c.pick_list_id == pick_lists.c.id, text("shipments.status = 'READY'"))
)


class PickListNotFound(NotFound):
    def __init__(self) -> None:
        super().__init__("There is no such pick list.")


@dataclass(frozen=True)
class Filter:
    status: PickListStatus | None = None
    taken_by: str | None = None


async def one_pick_list(session: AsyncSession, pick_list_id: UUID) -> PickListView:
    rows = (await session.execute(select(pick_lists).where(pick_lists.c.id == pick_list_id))).mappings().all()
    if not rows:
        raise PickListNotFound
    [pick_list] = await _with_parcels(session, rows)
    return PickListView(
        **_about(pick_list),
        to_fetch=_view(to_fetch(pick_list.parcels)),
        to_put_back=_view(to_put_back(pick_list.parcels)),
        parcels=[PickedParcel(outcome=one.outcome, shipment=view(one.shipment)) for one in pick_list.parcels],
    )


async def page_of_pick_lists(session: AsyncSession, wanted: Filter, cursor: str | None, limit: int) -> dict[str, Any]:
    query = select(pick_lists).order_by(pick_lists.c.id.desc()).limit(limit + 1)
    if wanted.status == OPEN:
        query = query.where(_IS_WRITTEN_OPEN, _WAITS)
    elif wanted.status == DONE:
        query = query.where((pick_lists.c.status == DONE) | and_(_IS_WRITTEN_OPEN, ~_WAITS))
    elif wanted.status is not None:
        query = query.where(pick_lists.c.status == wanted.status)
    if wanted.taken_by is not None:
        query = query.where(pick_lists.c.taken_by == wanted.taken_by)
    if (after := _newest_first.read(cursor)) is not None:
        query = query.where(pick_lists.c.id < after)
    rows = (await session.execute(query)).mappings().all()
    page = _newest_first.page(rows, limit, lambda row: row["id"])
    return {**page, "items": [_summary(each) for each in await _with_parcels(session, page["items"])]}


async def shipments_by_id(session: AsyncSession, ids: Sequence[UUID]) -> dict[UUID, Shipment]:
    rows = await session.execute(select(shipments).where(shipments.c.id.in_(ids)))
    return {row["id"]: as_shipment(row) for row in rows.mappings()}


async def _with_parcels(session: AsyncSession, rows: Sequence[RowMapping]) -> list[PickList]:
    parcels: dict[UUID, list[Picked]] = {row["id"]: [] for row in rows}
    query = _PARCELS.where(pick_list_parcels.c.pick_list_id.in_(parcels))
    for row in map(dict, (await session.execute(query)).mappings()):
        pick_list_id, items, outcome = row.pop("pick_list_id"), row.pop("picked_items"), row.pop("outcome")
        parcels[pick_list_id].append(Picked(as_shipment(row), items, PickOutcome(outcome)))
    return [_pick_list(row, parcels[row["id"]]) for row in rows]


def _pick_list(row: RowMapping, parcels: Sequence[Picked]) -> PickList:
    return PickList(
        id=row["id"],
        taken_by=row["taken_by"],
        taken_at=row["taken_at"],
        recorded=PickListStatus(row["status"]),
        closed_at=row["closed_at"],
        closed_by=row["closed_by"],
        parcels=parcels,
    )


def _about(pick_list: PickList) -> dict[str, Any]:
    return {
        "pick_list_id": pick_list.id,
        "status": pick_list.status,
        "taken_by": pick_list.taken_by,
        "taken_at": pick_list.taken_at,
        "closed_at": pick_list.closed_at,
        "closed_by": pick_list.closed_by,
    }


def _summary(pick_list: PickList) -> PickListSummary:
    return PickListSummary(**_about(pick_list), parcels=Counter(picked.outcome for picked in pick_list.parcels))


def _view(goods: Mapping[Goods, Mapping[UUID, int]]) -> list[GoodsToMove]:
    return [
        GoodsToMove(
            product_id=product_id,
            variant_id=None if variant_id is None else UUID(variant_id),
            quantity=sum(portions.values()),
            parcels=[Portion(shipment_id=shipment_id, quantity=quantity) for shipment_id, quantity in portions.items()],
        )
        for (product_id, variant_id), portions in goods.items()
    ]
