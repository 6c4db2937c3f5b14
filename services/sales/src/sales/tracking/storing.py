"""Writes down how parcels stand, many in one statement: in whichever order it is told, the highest version stays."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from chassis.statements import ID, INSTANT, INTEGER, TEXT, with_arrays
from contracts.delivery.shipments import ShipmentUpdated

from .model import SEEN_AS

_COLUMNS: Final[Mapping[str, Any]] = {
    "order_id": ID,
    "number": INTEGER,
    "shipment_id": ID,
    "version": INTEGER,
    "status": TEXT,
    "items": TEXT,
    "carrier": TEXT,
    "tracking_number": TEXT,
    "tracking_url": TEXT,
    "shipped_at": INSTANT,
    "delivered_at": INSTANT,
    "delivery_location": TEXT,
}
_NEWS: Final = [name for name in _COLUMNS if name not in ("order_id", "number")]

# In the order of their keys: two replicas that hear of the same parcels wait for each other instead of dying together.
_SAVE = with_arrays(
    f"""
    INSERT INTO order_parcels ({", ".join(_COLUMNS)})
    SELECT {", ".join(f"{name}::jsonb" if name == "items" else name for name in _COLUMNS)}
    FROM unnest({", ".join(f":{name}" for name in _COLUMNS)}) AS told ({", ".join(_COLUMNS)})
    ORDER BY order_id, number
    ON CONFLICT (order_id, number) DO UPDATE SET {", ".join(f"{name} = excluded.{name}" for name in _NEWS)}
    WHERE order_parcels.version < excluded.version
    """,
    **_COLUMNS,
)


async def save(session: AsyncSession, told: Iterable[ShipmentUpdated]) -> None:
    latest: dict[tuple[UUID, int], dict[str, Any]] = {}
    for one in sorted(told, key=lambda one: one.version):
        latest[one.order_id, one.number] = _row(one)
    await session.execute(_SAVE, {name: [row[name] for row in latest.values()] for name in _COLUMNS})


def _row(one: ShipmentUpdated) -> dict[str, Any]:
    items = [item.model_dump(mode="json", exclude_none=True) for item in one.items]
    return {
        **{name: getattr(one, name) for name in _COLUMNS},
        "status": SEEN_AS[one.status],
        "items": json.dumps(items),
    }
